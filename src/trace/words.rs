//! Packets in words: ranges of fields as people write them.

use crate::ir::Family;
use crate::kernel::symbolic::Chosen;
use crate::space::nets::{of_range, text};
use crate::space::{Cube, Field, PacketSet, Range, Space};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Ranges that are named before they are only counted.
const NAMED: usize = 6;

/// A box in words, without what was asked for: `source 10.0.0.0/8, destination port 80`. `asked` gives
/// the ranges of a field that the question was about, in order; none if it was about all.
pub fn cube(cube: &Cube, family: Family, asked: &dyn Fn(Field) -> Vec<Range>) -> String {
    let words: Vec<String> = cube
        .sides
        .iter()
        .filter_map(|(field, ranges)| side(*field, ranges, family, &asked(*field)))
        .collect();
    words.join(", ")
}

fn side(field: Field, ranges: &[Range], family: Family, asked: &[Range]) -> Option<String> {
    let word = match field {
        Field::DestinationPort => "destination port",
        Field::SourcePort => "source port",
        Field::Destination => "destination",
        Field::Source => "source",
        Field::Protocol => "protocol",
        Field::Open | Field::InInterface | Field::OutInterface | Field::State => return None,
    };
    let mut space = Space::new(family);
    let own = space.with(field, ranges);
    let all = if asked.is_empty() { PacketSet::ALL } else { space.with(field, asked) };
    if own == all {
        return None;
    }
    let others = space.difference(all, own);
    let of = |space: &Space, set: PacketSet| -> Vec<String> {
        let (cubes, _) = space.cubes(set, 1);
        let ranges = cubes.into_iter().flat_map(|cube| cube.sides).flat_map(|(_, ranges)| ranges);
        ranges.flat_map(|range| texts(field, range, family)).collect()
    };
    let (own, others) = (of(&space, own), of(&space, others));
    Some(if others.len() < own.len() {
        format!("{word} all but {}", list(&others))
    } else {
        format!("{word} {}", list(&own))
    })
}

fn list(texts: &[String]) -> String {
    let shown = texts[..texts.len().min(NAMED)].join(", ");
    match texts.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `a`, `a and b`, `a, b and c`, `a, b, … and 5 more`
pub fn series(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [..] if names.len() > NAMED => {
            format!("{} and {} more", names[..NAMED - 1].join(", "), names.len() - NAMED + 1)
        }
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn texts(field: Field, (first, last): Range, family: Family) -> Vec<String> {
    match field {
        Field::Destination | Field::Source => {
            of_range((first, last), family).into_iter().map(|net| text(&net)).collect()
        }
        Field::Protocol => (first..=last).map(protocol).collect(),
        _ if first == last => vec![first.to_string()],
        _ => vec![format!("{first}-{last}")],
    }
}

/// What translation may choose: `10.0.0.1-10.0.0.5 port 80-90`.
pub fn chosen(chosen: &Chosen, family: Family) -> String {
    let dashed = |(first, last): Range, text: &dyn Fn(u128) -> String| match first == last {
        true => text(first),
        false => format!("{}-{}", text(first), text(last)),
    };
    let addresses = chosen.addresses.map(|range| dashed(range, &|value| address(value, family)));
    let ports = chosen.ports.map(|range| format!("port {}", dashed(range, &|value| value.to_string())));
    addresses.into_iter().chain(ports).collect::<Vec<_>>().join(" ")
}

/// A protocol's name, if it is a common one, else its number.
pub fn protocol(number: u128) -> String {
    match number {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmpv6".to_owned(),
        132 => "sctp".to_owned(),
        136 => "udplite".to_owned(),
        other => other.to_string(),
    }
}

/// An address from its number.
pub fn address(value: u128, family: Family) -> String {
    match family {
        Family::V4 => Ipv4Addr::from(value as u32).to_string(),
        Family::V6 => Ipv6Addr::from(value).to_string(),
    }
}
