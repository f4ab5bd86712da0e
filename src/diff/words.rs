//! Sets of packets in words: which ports, from whom or to whom.

use crate::ir::Family;
use crate::kernel::packet::{number, range};
use crate::model::calico::Direction;
use crate::resolve::Cluster;
use crate::space::nets::{of_range, text};
use crate::space::{Cube, Field, PacketSet, Range, Space};
use crate::trace::words::protocol;
pub use crate::trace::words::series as list;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Names in a list that are told before they are only counted.
const NAMED: usize = 6;
/// Boxes that a set is told as, at most.
const BOXES: usize = 40;
/// A text that is longer than this is better rounded, in bytes.
const LONG: usize = 200;
/// Ends that are told apart, at most.
const CLAUSES: usize = 6;
/// Networks that nobody reads a list of.
const MANY: usize = 1_000;
/// Networks with more addresses than this are told as networks, whoever has the addresses.
const SMALL: u128 = 256;

/// Names for addresses.
#[derive(Debug, Default)]
pub struct Names {
    /// IPv4, then IPv6
    pods: [BTreeMap<u128, String>; 2],
    nodes: [BTreeMap<u128, String>; 2],
    /// pods with an address of the family, by namespace
    namespaces: [BTreeMap<String, usize>; 2],
    /// what was told before: nodes and changes have many sets of addresses in common
    told: Mutex<FxHashMap<(Family, Vec<Range>), String>>,
}

impl Names {
    /// The pods and nodes of clusters; the last has the last word.
    pub fn new(clusters: &[&Cluster<'_>]) -> Self {
        let mut names = Names::default();
        for cluster in clusters {
            for pod in cluster.pods() {
                for address in pod.status_ips.iter().filter_map(|text| text.parse::<IpAddr>().ok()) {
                    let own = &mut names.pods[usize::from(address.is_ipv6())];
                    own.insert(number(address), format!("{}/{}", pod.namespace, pod.name));
                }
            }
            for node in &cluster.resources().nodes {
                let addresses = node.addresses.iter().filter_map(|own| own.address.parse::<IpAddr>().ok());
                for address in addresses {
                    names.nodes[usize::from(address.is_ipv6())]
                        .insert(number(address), node.meta.name.to_string());
                }
            }
        }
        for (pods, namespaces) in names.pods.iter().zip(&mut names.namespaces) {
            for name in pods.values() {
                *namespaces.entry(namespace(name).to_owned()).or_default() += 1;
            }
        }
        names
    }

    /// Ranges of addresses: pods and nodes by name, the others as networks.
    fn of(&self, ranges: &[Range], family: Family) -> String {
        let key = (family, ranges.to_vec());
        let told = || self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = told().get(&key) {
            return text.clone();
        }
        let text = self.in_words(ranges, family);
        told().insert(key, text.clone());
        text
    }

    fn in_words(&self, ranges: &[Range], family: Family) -> String {
        let index = usize::from(family == Family::V6);
        let (mut pods, mut nodes, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for net in ranges.iter().flat_map(|range| of_range(*range, family)) {
            let (first, last) = range(net);
            let small = last - first < SMALL;
            let known = |all: &BTreeMap<u128, String>| {
                small && all.range(first..=last).count() as u128 == last - first + 1
            };
            if known(&self.pods[index]) {
                pods.extend(self.pods[index].range(first..=last).map(|(_, name)| &**name));
            } else if known(&self.nodes[index]) {
                nodes.extend(self.nodes[index].range(first..=last).map(|(_, name)| name.clone()));
            } else {
                others.push(net);
            }
        }
        nodes.dedup();
        // those that are only counted need no words
        let named = others.iter().take(NAMED).map(text);
        let mut named: Vec<String> = named.collect();
        named.resize(others.len(), String::new());
        let others = named;
        let mut parts = self.pods_in_words(pods, index);
        parts.extend((!nodes.is_empty()).then(|| counted("node", &nodes)));
        parts.extend((!others.is_empty()).then(|| list(&others)));
        parts.join(" and ")
    }

    /// Single addresses.
    pub fn of_addresses<'a>(&self, addresses: impl IntoIterator<Item = &'a IpAddr>) -> String {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for address in addresses {
            let number = number(*address);
            if address.is_ipv4() { &mut v4 } else { &mut v6 }.push((number, number));
        }
        let families = [(v4, Family::V4), (v6, Family::V6)].into_iter();
        let texts = families.filter(|(ranges, _)| !ranges.is_empty());
        let mut texts: Vec<String> = texts.map(|(ranges, family)| self.of(&ranges, family)).collect();
        // a pod with an address of each family is one
        texts.dedup();
        texts.join(" and ")
    }

    /// All pods of a namespace are told as such.
    fn pods_in_words(&self, mut pods: Vec<&str>, index: usize) -> Vec<String> {
        pods.sort_unstable();
        let mut by_namespace: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        pods.iter().for_each(|name| by_namespace.entry(namespace(name)).or_default().push(name));
        let mut whole = Vec::new();
        let mut single: Vec<String> = Vec::new();
        for (space, own) in by_namespace {
            match self.namespaces[index].get(space) {
                Some(all) if own.len() > 1 && *all == own.len() => whole.push(space.to_owned()),
                _ => single.extend(own.into_iter().map(str::to_owned)),
            }
        }
        let mut parts = Vec::new();
        parts.extend((!whole.is_empty()).then(|| format!("all pods of {}", counted("namespace", &whole))));
        parts.extend((!single.is_empty()).then(|| counted("pod", &single)));
        parts
    }
}

fn namespace(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// `pod a`, `pods a and b`
pub fn counted(word: &str, names: &[String]) -> String {
    format!("{word}{} {}", if names.len() == 1 { "" } else { "s" }, list(names))
}

/// What a set of packets is told by.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// packets to tell
    pub set: PacketSet,
    /// packets at the same place that are let through on both sides, and those that may be, if that is known
    pub kept: Option<(PacketSet, PacketSet)>,
    /// those of `set` are let through now
    pub more: bool,
    /// the fields that the place has settled
    pub settled: &'static [Field],
    /// packets that can come there at all, if that is known; others may be said with them
    pub can_come: Option<PacketSet>,
}

/// Packets in words, beginning with the ports: `tcp port 80 from pod shop/web`.
///
/// Said is never more than what holds. Where packets that are lost would take many words, some are said with them
/// that were never let through.
pub fn packets(space: &mut Space, told: Told, direction: Option<Direction>, names: &Names) -> String {
    let mut project = |set: PacketSet| told.settled.iter().fold(set, |set, field| space.forget(set, *field));
    let set = project(told.set);
    let known = told.kept.is_some();
    let (kept, rest) = told.kept.map_or_else(Default::default, |(kept, rest)| (project(kept), project(rest)));
    let can_come = told.can_come.map(&mut project);
    // what begins no connection is let through by no policy, so it tells nothing; nor does what cannot come
    let mut idle = idle(space);
    if let Some(can_come) = can_come {
        let cannot_come = space.complement(can_come);
        idle = space.union(idle, cannot_come);
    }
    let both = space.union(set, kept);
    let either = space.union(both, idle);
    let never = space.complement(either);
    let perhaps = space.union(kept, rest);
    let busy = space.difference(set, idle);
    let set = if busy.is_empty() { set } else { busy };
    let only = space.union(set, idle);
    let not_said = space.complement(only);
    let not_kept = space.union(kept, idle);
    let not_kept = space.complement(not_kept);
    let mut say = |set: PacketSet, without: PacketSet| {
        let (cubes, whole) = widest(space, set, without);
        let more = if whole { "" } else { "; and more" };
        format!("{}{more}", texts(&cubes, space.family(), direction, names))
    };
    let exact = say(set, not_said);
    let rounded = !told.more && known && exact.len() > LONG;
    let alone = if rounded { say(set, perhaps) } else { exact };
    if kept.is_empty() || !(told.more || rest.is_empty()) {
        return alone;
    }
    let others = say(kept, if told.more { not_kept } else { set });
    let other = match told.more {
        true => format!("{} (so far only {others})", say(both, never)),
        false => format!("anything but {others}"),
    };
    let apart = space.intersection(set, kept).is_empty();
    if apart && !other.contains("; and more") && other.len() < alone.len() { other } else { alone }
}

/// A set as few boxes, each as wide as it can be without a packet of `without`; and whether they are all.
fn widest(space: &mut Space, set: PacketSet, without: PacketSet) -> (Vec<Cube>, bool) {
    let (cubes, whole) = space.cubes(set, BOXES);
    let mut boxes: Vec<(Cube, PacketSet)> = Vec::new();
    for mut cube in cubes {
        for field in [
            Field::Destination,
            Field::Source,
            Field::SourcePort,
            Field::DestinationPort,
            Field::Protocol,
            Field::InInterface,
        ] {
            let rest: Vec<(Field, Vec<Range>)> =
                cube.sides.iter().filter(|(own, _)| *own != field).cloned().collect();
            if rest.len() == cube.sides.len() {
                continue;
            }
            let wider = Cube { sides: rest };
            let packets = of_cube(space, &wider);
            if space.intersection(packets, without).is_empty() {
                cube = wider;
            }
        }
        let packets = of_cube(space, &cube);
        if boxes.iter().all(|(_, own)| !space.is_subset(packets, *own)) {
            boxes.retain(|(_, own)| !space.is_subset(*own, packets));
            boxes.push((cube, packets));
        }
    }
    // what the others have together
    let mut at = 0;
    while whole && boxes.len() > 1 && at < boxes.len() {
        let others = boxes.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, (_, own))| *own);
        let others: Vec<PacketSet> = others.collect();
        let others = space.union_of(others);
        match space.is_subset(set, others) {
            true => drop(boxes.remove(at)),
            false => at += 1,
        }
    }
    (boxes.into_iter().map(|(cube, _)| cube).collect(), whole)
}

fn of_cube(space: &mut Space, cube: &Cube) -> PacketSet {
    cube.sides.iter().fold(PacketSet::ALL, |set, (field, ranges)| {
        let side = space.with(*field, ranges);
        space.intersection(set, side)
    })
}

/// ICMP that begins no connection, of either family.
fn idle(space: &mut Space) -> PacketSet {
    let v4 = space.family() == Family::V4;
    let (own, other) = if v4 { (1, 58) } else { (58, 1) };
    let requests: &[Range] =
        if v4 { &[(8, 8), (13, 13), (15, 15), (17, 17)] } else { &[(128, 128), (139, 139)] };
    let own = space.with_value(Field::Protocol, own);
    let requests = space.with(Field::SourcePort, requests);
    let own = space.difference(own, requests);
    let other = space.with_value(Field::Protocol, other);
    space.union(own, other)
}

/// Boxes in words; those with the same ends are one.
fn texts(cubes: &[Cube], family: Family, direction: Option<Direction>, names: &Names) -> String {
    let mut by_ends: indexmap::IndexMap<String, Vec<String>> = indexmap::IndexMap::new();
    for cube in cubes {
        let ends = ends(cube, family, direction, names);
        let own = by_ends.entry(ends).or_default();
        let ports = ports(cube);
        if !own.contains(&ports) {
            own.push(ports);
        }
    }
    let mut texts: Vec<String> =
        by_ends.into_iter().map(|(ends, ports)| format!("{}{ends}", list(&ports))).collect();
    let more = texts.len().saturating_sub(CLAUSES);
    texts.truncate(CLAUSES);
    texts.extend((more > 0).then(|| "and more".to_owned()));
    texts.join("; ")
}

fn side(cube: &Cube, wanted: Field) -> Option<&[Range]> {
    cube.sides.iter().find(|(field, _)| *field == wanted).map(|(_, ranges)| &**ranges)
}

fn ends(cube: &Cube, family: Family, direction: Option<Direction>, names: &Names) -> String {
    let end = |field: Field| {
        let Some(ranges) = side(cube, field) else { return "anywhere".to_owned() };
        let own = names.of(ranges, family);
        let rest = others(ranges, field.largest(family));
        // what is all said already is not said better by that many others
        let many =
            |ranges: &[Range]| ranges.iter().flat_map(|range| of_range(*range, family)).nth(MANY).is_some();
        if !own.contains(" more") && many(&rest) {
            return own;
        }
        let rest = names.of(&rest, family);
        // rather all of the one than the beginning of the other
        let cost = |text: &str| (text.contains(" more"), text.len());
        if cost(&rest) < cost(&own) { format!("anywhere but {rest}") } else { own }
    };
    let has = |field: Field| side(cube, field).is_some();
    let (from, to) = (end(Field::Source), end(Field::Destination));
    match direction {
        Some(Direction::Egress) => {
            let at = if to.starts_with("anywhere") { "" } else { "at " };
            let from = if has(Field::Source) { format!(" from {from}") } else { String::new() };
            format!(" {at}{to}{from}")
        }
        Some(Direction::Ingress) if !has(Field::Destination) => format!(" from {from}"),
        _ => format!(" from {from} to {to}"),
    }
}

/// What is between ranges, which are in order.
fn others(ranges: &[Range], largest: u128) -> Vec<Range> {
    let mut others = Vec::new();
    let mut next = Some(0);
    for (first, last) in ranges {
        if let Some(next) = next.filter(|next| next < first) {
            others.push((next, first - 1));
        }
        next = last.checked_add(1).filter(|next| *next <= largest);
    }
    others.extend(next.map(|next| (next, largest)));
    others
}

/// `tcp port 80`, `anything`
fn ports(cube: &Cube) -> String {
    let numbers = |ranges: &[Range]| {
        let texts = ranges.iter().map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
        list(&texts.collect::<Vec<_>>())
    };
    let short = |ranges: &[Range], largest: u128, words: &dyn Fn(&[Range]) -> String| {
        let rest = others(ranges, largest);
        let (own, rest) = (words(ranges), words(&rest));
        if !rest.is_empty() && rest.len() < own.len() { format!("all but {rest}") } else { own }
    };
    let protocols = |ranges: &[Range]| {
        let all = ranges.iter().flat_map(|(first, last)| (*first..=*last).map(protocol));
        list(&all.collect::<Vec<_>>())
    };
    let icmp = side(cube, Field::Protocol).is_some_and(|ranges| matches!(ranges, [(1, 1) | (58, 58)]));
    let (first, second) = if icmp { ("type", "code") } else { ("source port", "port") };
    let mut parts: Vec<String> = Vec::new();
    if let Some(ranges) = side(cube, Field::Protocol) {
        let text = short(ranges, 0xff, &protocols);
        parts.push(if text.starts_with("all but") { format!("protocols {text}") } else { text });
    }
    for (word, field) in [(first, Field::SourcePort), (second, Field::DestinationPort)] {
        if let Some(ranges) = side(cube, field) {
            parts.push(format!("{word} {}", short(ranges, 0xffff, &numbers)));
        }
    }
    if parts.is_empty() { "anything".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_ranges_is_the_rest() {
        assert_eq!(others(&[(0, 3), (5, 9)], 9), [(4, 4)]);
        assert_eq!(others(&[(1, 3)], 9), [(0, 0), (4, 9)]);
        assert_eq!(others(&[(0, u128::MAX)], u128::MAX), []);
        assert_eq!(others(&[], 9), [(0, 9)]);
    }

    #[test]
    fn long_lists_are_cut() {
        let names = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(counted("pod", &names(1)), "pod 0");
        assert_eq!(counted("pod", &names(3)), "pods 0, 1 and 2");
        assert_eq!(counted("pod", &names(9)), "pods 0, 1, 2, 3, 4 and 4 more");
    }
}
