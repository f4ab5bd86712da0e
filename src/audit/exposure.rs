//! Who reaches what: for each target, way into a node and zone the exact sources, the hops and the rules.

use super::nodes::Ready;
use super::targets::{Kind, Target};
use super::walk::{End, Hop, Part, Sure, Walker};
use super::ways::{Way, entries};
use super::zones::{INTERNET, Whose, Zone};
use crate::ir::Family;
use crate::space::nets::{number_to_address, of_range, range, ranges};
use crate::space::{Cube, Field, PacketSet, Range, Space};
use crate::syntax::ip_route::Way as Route;
use crate::trace::assume;
use crate::trace::onward::values;
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Boxes that the open ports of a range are told as, at most.
const BOXES: usize = 60;

/// Whether they reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// nobody does
    Blocked,
    /// some do
    Restricted,
    /// all do
    Open,
}

impl Verdict {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Blocked => "blocked",
            Verdict::Restricted => "restricted",
            Verdict::Open => "open",
        }
    }
}

/// Who of a zone reaches a target, where they come in one way.
#[derive(Debug, Clone)]
pub struct Exposure {
    /// the target's number
    pub target: usize,
    /// the number of the node where they come in
    pub node: usize,
    /// the way
    pub way: Way,
    /// the family
    pub family: Family,
    /// the zone's number
    pub zone: usize,
    /// whether they reach it
    pub verdict: Verdict,
    /// those who do, exactly; of ranges, those who reach some of it
    pub sources: Arc<[IpNet]>,
    /// those of them who reach it with every packet
    pub fully: Arc<[IpNet]>,
    /// they do only by these of the node's addresses; empty for all of them
    pub at: Vec<IpAddr>,
    /// they do only with some source ports
    pub by_source_port: bool,
    /// of ranges: which ports they reach, and whether that is all
    pub open: (Vec<Cube>, bool),
    /// where packets end, those that reach it first
    pub ends: Vec<Reached>,
    /// how sure it is
    pub sure: Sure,
}

/// One end of packets to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// where
    pub end: End,
    /// what they were translated to: an endpoint of the service
    pub to: Option<(IpAddr, u16)>,
    /// who: all of the zone, or these
    pub sources: Option<Arc<[IpNet]>>,
    /// the source that they get
    pub new_source: Option<IpAddr>,
    /// the nodes on the way, with the rules that decide
    pub hops: Vec<Arc<Hop>>,
    /// whether that is what the target is about
    pub counts: bool,
}

/// Sources by their sets: many exposures have the same ones.
type Known = FxHashMap<PacketSet, Arc<[IpNet]>>;

/// Everything about what enters these nodes, in the walker's family.
pub fn expose(
    walker: &mut Walker<'_, '_>,
    targets: &[Target],
    zones: &[Zone],
    nodes: std::ops::Range<usize>,
) -> Vec<Exposure> {
    let (mut found, mut known) = (Vec::new(), Known::default());
    let family = walker.space.family();
    let sources: Vec<PacketSet> = zones.iter().map(|zone| zone.sources(&mut walker.space)).collect();
    let all: &[&Ready<'_>] = walker.nodes;
    let (mut entering, mut of_nodes) = (Vec::new(), Vec::new());
    for number in nodes {
        let (own, addressed) = entries(number, all[number], targets, zones, &mut walker.space);
        let first = entering.len();
        let mut ways = Vec::new();
        for (way, entry) in own {
            ways.push((way, entry.set));
            entering.push(entry);
        }
        of_nodes.push((number, ways, addressed, first));
    }
    let parts = walker.walk(&entering);
    for (number, ways, addressed, first) in of_nodes {
        let internals = internals(all[number], zones, family);
        for ((way, entered), parts) in ways.into_iter().zip(&parts[first..]) {
            let space = &mut walker.space;
            let reaches = |kind: Kind| match (&way, kind) {
                (Way::Pods, _) => true,
                (Way::Host, kind) => kind != Kind::Internet,
                (Way::Interface(_), kind) => !kind.is_outside(),
            };
            // by target
            let mut of_target: BTreeMap<usize, (PacketSet, Vec<(PacketSet, usize)>)> = BTreeMap::new();
            for (target, set) in addressed.part(space, entered) {
                of_target.entry(target).or_default().0 = set;
            }
            for (place, part) in parts.iter().enumerate() {
                for (target, set) in addressed.part(space, part.set) {
                    of_target.entry(target).or_default().1.push((set, place));
                }
            }
            // several addresses of the node are one
            let ranges = targets.iter().enumerate().filter(|(_, target)| target.kind.is_range());
            for (target, own) in ranges.filter(|(_, target)| reaches(target.kind)) {
                let there = addressed.range(space, own);
                let mut all = Vec::new();
                for (place, part) in parts.iter().enumerate() {
                    let set = space.intersection(part.set, there);
                    if !set.is_empty() {
                        all.push((set, place));
                    }
                }
                let entered = space.intersection(entered, there);
                of_target.insert(target, (entered, all));
            }
            for (zone, who) in zones.iter().enumerate() {
                let is_there = match (&way, who.whose) {
                    (Way::Interface(_), Whose::Host) => false,
                    // pods of other nodes come in where they are reached
                    (Way::Interface(name), Whose::Pods) => internals.contains(&**name),
                    (Way::Interface(_), _) => true,
                    (Way::Pods, whose) => whose == Whose::Pods,
                    (Way::Host, whose) => whose == Whose::Host,
                };
                if !is_there {
                    continue;
                }
                let who = if way == Way::Pods { PacketSet::ALL } else { sources[zone] };
                for (target, (asked, own)) in &of_target {
                    // addresses of pods are not known on the internet
                    if targets[*target].kind == Kind::OpenPods && zone == INTERNET {
                        continue;
                    }
                    let asked = space.intersection(*asked, who);
                    if asked.is_empty() {
                        continue;
                    }
                    let own: Vec<(PacketSet, &Part)> = own
                        .iter()
                        .map(|(set, place)| (space.intersection(*set, asked), &parts[*place]))
                        .collect();
                    let context = (number, &targets[*target], family);
                    let one = exposure(space, &mut known, context, asked, &own);
                    found.push(Exposure { target: *target, way: way.clone(), zone, ..one });
                }
            }
        }
    }
    found
}

/// The interfaces behind which a node has addresses of pools.
fn internals<'n>(node: &'n Ready<'_>, zones: &[Zone], family: Family) -> BTreeSet<&'n str> {
    let nets = zones.iter().filter(|zone| zone.whose == Whose::Pods).flat_map(|zone| &zone.nets);
    let pools = ranges(&nets.copied().collect::<Vec<_>>(), family);
    // a route that is for a part of a pool, or for the pool, and not for everything
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for route in &node.own.routes {
        let Route::Device(device) = &route.way else { continue };
        let (first, last) = range(route.net);
        if pools.iter().any(|pool| pool.0 <= first && last <= pool.1) {
            found.insert(device);
        }
    }
    if found.is_empty() {
        found.extend(assume::internal(&node.own.view));
    }
    found
}

fn exposure(
    space: &mut Space,
    known: &mut Known,
    (node, target, family): (usize, &Target, Family),
    asked: PacketSet,
    parts: &[(PacketSet, &Part)],
) -> Exposure {
    let counts = |part: &Part| match target.kind {
        Kind::NodePortRange => part.end.is_reached(),
        // the node's own processes, on the node
        Kind::Host | Kind::HealthCheck | Kind::HostNetwork => {
            part.end == End::Node(node) && part.to.is_none()
        }
        Kind::OpenPods => matches!(part.end, End::Pod { .. }),
        Kind::Internet | Kind::OutsideEndpoint => matches!(part.end, End::Outside { .. }),
        _ => part.end.is_reached() && part.to.is_some(),
    };
    let mut ends: Vec<(Reached, PacketSet)> = Vec::new();
    let (mut reached, mut sure) = (PacketSet::NONE, Sure::Yes);
    for (set, part) in parts.iter().filter(|(set, _)| !set.is_empty()) {
        let counts = counts(part);
        if counts {
            reached = space.union(reached, *set);
        }
        sure = sure.max(part.sure);
        let address = |value: u128| number_to_address(value, family);
        let to = part.to.map(|(value, port)| (address(value), port.unwrap_or(target.ports.0)));
        let same = |(own, _): &&mut (Reached, PacketSet)| {
            (&own.end, own.to, own.counts) == (&part.end, to, counts) && own.hops == part.hops
        };
        match ends.iter_mut().find(same) {
            Some((_, own)) => *own = space.union(*own, *set),
            None => {
                let new_source = part.new_source.map(address);
                let (end, hops) = (part.end.clone(), part.hops.clone());
                ends.push((Reached { end, to, sources: None, new_source, hops, counts }, *set));
            }
        }
    }
    // what is the node's own may be reached by any of its addresses
    let by_address = matches!(target.kind, Kind::Internet | Kind::OpenPods);
    let (asked_at, reached_at) = (asked, reached);
    let (asked, reached) = match by_address {
        true => (asked, reached),
        false => (space.forget(asked, Field::Destination), space.forget(reached, Field::Destination)),
    };
    let at = match target.address.is_none() && !target.kind.is_range() && !reached.is_empty() {
        true => only_at(space, asked_at, reached_at),
        false => Vec::new(),
    };
    let asked_sources = project(space, asked);
    let sources = project(space, reached);
    let rest = space.difference(asked, reached);
    let verdict = match (reached.is_empty(), rest.is_empty()) {
        (true, _) => Verdict::Blocked,
        (false, true) => Verdict::Open,
        (false, false) => Verdict::Restricted,
    };
    let some_miss = project(space, rest);
    let fully = space.difference(sources, some_miss);
    let fully = nets(space, known, fully);
    let open = match target.kind.is_range() && target.kind != Kind::Internet && !reached.is_empty() {
        true => boxes(space, reached, asked_sources),
        false => (Vec::new(), true),
    };
    let mut ends: Vec<Reached> = ends
        .into_iter()
        .map(|(mut own, set)| {
            let who = project(space, set);
            own.sources = (who != asked_sources).then(|| nets(space, known, who));
            own
        })
        .collect();
    ends.sort_by(|a, b| (!a.counts, a.to, &a.end, &a.sources).cmp(&(!b.counts, b.to, &b.end, &b.sources)));
    let by_source_port = !target.kind.is_range() && verdict == Verdict::Restricted && {
        // somebody gets in, but not with every port
        !space.intersection(some_miss, sources).is_empty()
    };
    let sources = nets(space, known, sources);
    let (target, way, zone) = (0, Way::Host, 0);
    Exposure {
        target,
        node,
        way,
        family,
        zone,
        verdict,
        sources,
        fully,
        at,
        by_source_port,
        open,
        ends,
        sure,
    }
}

/// Packets by nothing but their source.
fn project(space: &mut Space, set: PacketSet) -> PacketSet {
    only(space, set, Field::Source)
}

fn only(space: &mut Space, set: PacketSet, field: Field) -> PacketSet {
    Field::ALL.into_iter().filter(|own| *own != field).fold(set, |set, own| space.forget(set, own))
}

/// The addresses by which something is reached, if these are not all.
fn only_at(space: &mut Space, asked: PacketSet, reached: PacketSet) -> Vec<IpAddr> {
    let (all, some) = (only(space, asked, Field::Destination), only(space, reached, Field::Destination));
    if all == some {
        return Vec::new();
    }
    let family = space.family();
    let ranges = values(space, some, Field::Destination);
    let nets = ranges.into_iter().flat_map(|range| of_range(range, family));
    nets.flat_map(|net| net.hosts()).collect()
}

fn nets(space: &mut Space, known: &mut Known, set: PacketSet) -> Arc<[IpNet]> {
    let family = space.family();
    let made = known.entry(set).or_insert_with(|| {
        let ranges = if set.is_empty() { Vec::new() } else { values(space, set, Field::Source) };
        ranges.into_iter().flat_map(|range: Range| of_range(range, family)).collect()
    });
    made.clone()
}

/// Protocols, ports and sources, as boxes; without sources where these are all that were asked about.
fn boxes(space: &mut Space, mut set: PacketSet, asked: PacketSet) -> (Vec<Cube>, bool) {
    for field in [Field::InInterface, Field::Destination, Field::SourcePort] {
        set = space.forget(set, field);
    }
    let everybody = values(space, asked, Field::Source);
    let (mut cubes, whole) = space.cubes(set, BOXES);
    for cube in &mut cubes {
        cube.sides.retain(|(field, ranges)| *field != Field::Source || *ranges != everybody);
    }
    (cubes, whole)
}
