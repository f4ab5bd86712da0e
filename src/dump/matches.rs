//! What the options of a match say.

use super::option::Opt;
use super::values;
use crate::ir::{Match, Matcher, SetLookup, Side};

/// The matches of a module with its options; `None` if there is anything that is not understood.
/// `protocol` is the one that the rule asks for, `raw` all of the module as it is written.
pub(super) fn read(
    module: &str,
    options: &[Opt<'_>],
    protocol: Option<&str>,
    raw: &str,
) -> Option<Vec<Match>> {
    match module {
        "tcp" | "udp" | "sctp" | "dccp" | "udplite" if protocol == Some(module) => {
            options.iter().map(of_protocol).collect()
        }
        "icmp" | "icmp6" | "icmpv6" | "ipv6-icmp" => single(options, icmp),
        "addrtype" => addrtype(options),
        "rpfilter" => reverse_path(options),
        "limit" => limit(options),
        "connlimit" => {
            connlimit(options).or_else(|| other_limit(options, "connlimit-upto", "connlimit-above", raw))
        }
        "hashlimit" => other_limit(options, "hashlimit-upto", "hashlimit-above", raw),
        "statistic" => statistic(options),
        "multiport" => single(options, multiport),
        "set" => single(options, set),
        "mark" => single(options, mark),
        "connmark" => single(options, connection_mark),
        "conntrack" => single(options, |option| state(option, "ctstate")),
        // the same as conntrack's, from before there was conntrack's
        "state" => single(options, |option| state(option, "state")),
        _ => None,
    }
}

/// A module that has one option only, which may be negated.
fn single(options: &[Opt<'_>], read: impl Fn(&Opt<'_>) -> Option<Matcher>) -> Option<Vec<Match>> {
    let [option] = options else { return None };
    Some(vec![Match { negated: option.negated, on: read(option)? }])
}

/// The value of an option with one value.
fn one<'w>(option: &Opt<'w>) -> Option<&'w str> {
    match option.values[..] {
        [value] => Some(value),
        _ => None,
    }
}

/// The value of an option that has one value, is there once and is not negated.
fn plain<'w>(options: &[Opt<'w>], name: &str) -> Option<&'w str> {
    let mut found = options.iter().filter(|option| option.name == name && !option.negated);
    found.next().filter(|_| found.next().is_none()).and_then(one)
}

fn of_protocol(option: &Opt<'_>) -> Option<Match> {
    let on = match option.name {
        "sport" | "source-port" => port(Side::Source, option)?,
        "dport" | "destination-port" => port(Side::Destination, option)?,
        "tcp-flags" if option.values == ["FIN,SYN,RST,ACK", "SYN"] => Matcher::TcpSyn,
        "syn" if option.values.is_empty() => Matcher::TcpSyn,
        _ => return None,
    };
    Some(Match { negated: option.negated, on })
}

fn port(side: Side, option: &Opt<'_>) -> Option<Matcher> {
    let (first, last) = values::open_range(one(option)?)?;
    Some(Matcher::Port(side, first, last))
}

fn multiport(option: &Opt<'_>) -> Option<Matcher> {
    let side = match option.name {
        "sports" | "source-ports" => Side::Source,
        "dports" | "destination-ports" => Side::Destination,
        _ => return None,
    };
    Some(Matcher::Ports(side, values::ports(one(option)?)?))
}

fn set(option: &Opt<'_>) -> Option<Matcher> {
    let ("match-set", [name, directions]) = (option.name, &option.values[..]) else { return None };
    let lookup = match *directions {
        "src" => SetLookup::Source,
        "dst" => SetLookup::Destination,
        "src,src" => SetLookup::SourcePort,
        "dst,dst" => SetLookup::DestinationPort,
        _ => return None,
    };
    Some(Matcher::Set((*name).into(), lookup))
}

fn icmp(option: &Opt<'_>) -> Option<Matcher> {
    let value = match option.name {
        "icmp-type" | "icmpv6-type" => one(option)?,
        _ => return None,
    };
    if value == "any" {
        return Some(Matcher::Icmp(255, None));
    }
    Some(match value.split_once('/') {
        Some((kind, code)) => Matcher::Icmp(values::decimal(kind)?, Some(values::decimal(code)?)),
        None => Matcher::Icmp(values::decimal(value)?, None),
    })
}

fn mark(option: &Opt<'_>) -> Option<Matcher> {
    let "mark" = option.name else { return None };
    let (value, mask, spelling) = values::mark(one(option)?)?;
    Some(Matcher::Mark { value, mask, spelling })
}

fn connection_mark(option: &Opt<'_>) -> Option<Matcher> {
    let "mark" = option.name else { return None };
    let (value, mask, _) = values::mark(one(option)?)?;
    Some(Matcher::ConnectionMark { value, mask })
}

fn state(option: &Opt<'_>, name: &str) -> Option<Matcher> {
    if option.name != name {
        return None;
    }
    Some(Matcher::Conntrack(values::states(one(option)?)?))
}

fn addrtype(options: &[Opt<'_>]) -> Option<Vec<Match>> {
    let (kind, limit) = match options {
        [kind] => (kind, false),
        [kind, Opt { negated: false, name: "limit-iface-out", values }] if values.is_empty() => (kind, true),
        _ => return None,
    };
    let side = match kind.name {
        "src-type" => Side::Source,
        "dst-type" => Side::Destination,
        _ => return None,
    };
    let "LOCAL" = one(kind)? else { return None };
    Some(vec![Match { negated: kind.negated, on: Matcher::LocalAddress { side, limit_iface_out: limit } }])
}

fn reverse_path(options: &[Opt<'_>]) -> Option<Vec<Match>> {
    let mut names: Vec<&str> = options
        .iter()
        .map(|option| (option.values.is_empty() && !option.negated).then_some(option.name))
        .collect::<Option<_>>()?;
    names.sort_unstable();
    (names == ["invert", "validmark"]).then(|| vec![Match::is(Matcher::ReversePathFails)])
}

fn limit(options: &[Opt<'_>]) -> Option<Vec<Match>> {
    let rate = plain(options, "limit")?;
    let burst = match options.len() {
        1 => None,
        2 => Some(values::decimal(plain(options, "limit-burst")?)?),
        _ => return None,
    };
    Some(vec![Match::is(Matcher::Limit { rate: rate.into(), burst })])
}

/// Only over all addresses, as Felix has it.
fn connlimit(options: &[Opt<'_>]) -> Option<Vec<Match>> {
    let above = values::decimal(plain(options, "connlimit-above")?)?;
    let "0" = plain(options, "connlimit-mask")? else { return None };
    let by_source = |option: &&Opt<'_>| option.name == "connlimit-saddr" && option.values.is_empty();
    let rest = options.iter().filter(by_source).count();
    (options.len() == 2 + rest && rest < 2).then(|| vec![Match::is(Matcher::ConnectionsAbove(above))])
}

/// A limit of which only this is understood: up to which side of it the rule applies.
fn other_limit(options: &[Opt<'_>], up_to: &str, above: &str, raw: &str) -> Option<Vec<Match>> {
    let mut sides = options.iter().filter(|option| option.name == up_to || option.name == above);
    let (Some(side), None) = (sides.next(), sides.next()) else { return None };
    let within = (side.name == up_to) != side.negated;
    Some(vec![Match::is(Matcher::OtherLimit { text: raw.into(), within })])
}

fn statistic(options: &[Opt<'_>]) -> Option<Vec<Match>> {
    let [mode, share] = options else { return None };
    let ("mode", Some("random"), "probability") = (mode.name, one(mode), share.name) else { return None };
    let share_of_one: f64 = one(share)?.parse().ok().filter(|share| (0.0..=1.0).contains(share))?;
    let count = (share_of_one * f64::from(1u32 << 31)).round() as u32;
    Some(vec![Match { negated: share.negated != mode.negated, on: Matcher::Random(count) }])
}
