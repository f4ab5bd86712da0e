//! One node before and after: which packets meet another fate, and because of which rules.

use super::exact::{self, Kind, Moved};
use super::parts::{self, Both, Endpoint, Place};
use super::side::{self, Compiled, Entry, Side};
use super::words::{self, Names};
use super::{Answer, Change, End, Rule, Selected, Witness};
use crate::emit::saved_rule;
use crate::felix::verdict_marks;
use crate::ir::Family;
use crate::kernel::conntrack::Connection;
use crate::kernel::packet::{TCP, UDP, range, ranges};
use crate::kernel::route::Routes;
use crate::kernel::symbolic::{Arrival, Attribution, Fate, Interfaces, RuleRef, Symbolic};
use crate::model::calico::{Action, Direction};
use crate::resolve::view::{NodeView, PolicyIndex};
use crate::space::{Field, PacketSet, Range, Space};
use crate::syntax::ip_route::Way;
use crate::trace::answer::in_words;
use crate::trace::assume;
use crate::trace::query::{Step, deciding};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Boxes of a set that are given as data, at most.
const BOXES: usize = 100;

/// A packet: the values of all fields.
type Values = [u128; Field::ALL.len()];

/// What changes for packets of a node.
pub fn changes(old: &Compiled, new: &Compiled, moved: &Moved, names: &Names) -> Vec<Change> {
    let (before, after) = (Side::new(old), Side::new(new));
    let interfaces = side::interfaces(&before, &after);
    let both = Both { before: &before, after: &after, interfaces: &interfaces };
    let families = [Family::V4, Family::V6].into_iter();
    families.flat_map(|family| of_family(&both, family, moved, names)).collect()
}

/// A part, before it is told.
struct Found {
    kind: Kind,
    service: Option<Entry>,
    connection: Connection,
    place: Place,
    set: PacketSet,
    /// packets that come in where their source is at home, on the side that lets the part through
    home: PacketSet,
    kept: Option<(PacketSet, PacketSet)>,
    by_chance: bool,
    packet: Values,
}

fn of_family(both: &Both<'_, '_>, family: Family, moved: &Moved, names: &Names) -> Vec<Change> {
    let mut space = Space::new(family);
    let found = found(both, &mut space, moved);
    if found.is_empty() {
        return Vec::new();
    }
    let mut answers = Vec::new();
    for (side, own) in [(both.before, Kind::Narrowed), (both.after, Kind::Widened)] {
        let verdicts = verdict_marks(&side.own.view);
        let mut symbolic = side.symbolic(space, both.interfaces, Attribution::On { verdicts });
        let told = |one: &Found| {
            // of several fates, the one that makes the difference
            let prefers = matches!(one.kind, Kind::Widened | Kind::Narrowed).then_some(one.kind == own);
            answer(side, &mut symbolic, both.interfaces, one.connection, &one.packet, prefers)
        };
        answers.push(found.iter().map(told).collect::<Vec<_>>());
        space = symbolic.space;
    }
    let after = answers.pop().unwrap_or_default();
    let before = answers.pop().unwrap_or_default();
    let pairs = before.into_iter().zip(after);
    found.into_iter().zip(pairs).map(|(one, answers)| told(both, &mut space, one, answers, names)).collect()
}

fn found(both: &Both<'_, '_>, space: &mut Space, moved: &Moved) -> Vec<Found> {
    // where all is tracked, answers are let through with what they answer
    let untracked = both.before.own.has_untracked() || both.after.own.has_untracked();
    let connections: &[Connection] = if untracked { &exact::CONNECTIONS } else { &[Connection::First] };
    let compared = exact::compare(space, both.before, both.after, both.interfaces, moved, connections);
    if compared.iter().flat_map(|own| own.sets).all(|set| set.is_empty()) {
        return Vec::new();
    }
    let homes = [both.before, both.after].map(|side| at_home(space, &side.kernel.routes, both.interfaces));
    let mut found = Vec::new();
    // what holds for the first packet of a connection is not said again for others
    let mut said = [PacketSet::NONE; Kind::ALL.len()];
    for mut compared in compared {
        for kind in Kind::ALL {
            let own = &mut compared.sets[kind as usize];
            *own = space.difference(*own, said[kind as usize]);
            said[kind as usize] = space.union(said[kind as usize], *own);
        }
        for kind in Kind::ALL {
            let home = homes[usize::from(!kind.is_of_before())];
            for (place, set) in both.part(space, &compared, kind) {
                let Some(packet) = typical(space, set, home) else {
                    continue;
                };
                let kept = match kind {
                    Kind::Widened | Kind::Narrowed => kept(both, space, &compared, &place),
                    Kind::Came | Kind::Went | Kind::Otherwise => None,
                };
                let own = if kind.is_of_before() { &compared.before } else { &compared.after };
                // let through on both sides, but on one of them not by every endpoint that they may get
                let by_chance = match kind {
                    Kind::Widened => compared.before.is_by_chance(space, set),
                    Kind::Narrowed => compared.after.is_by_chance(space, set),
                    Kind::Came | Kind::Went | Kind::Otherwise => false,
                };
                let service = place.service.map(|number| own.services[number].entry.clone());
                let connection = compared.connection;
                found.push(Found { kind, service, connection, place, set, home, kept, by_chance, packet });
            }
        }
    }
    found
}

/// Packets at the same place that are let through on both sides, and those that were not sent, which may be.
fn kept(
    both: &Both<'_, '_>,
    space: &mut Space,
    compared: &exact::Compared,
    place: &Place,
) -> Option<(PacketSet, PacketSet)> {
    if place.service.is_some() {
        return None;
    }
    let kept = space.intersection(compared.before.accepted, compared.after.accepted);
    let not_sent = space.complement(compared.sent);
    let number = |name: &str| both.interfaces.number(name);
    let here = match (&place.endpoint, place.direction) {
        (Endpoint::Pod(name), Some(Direction::Ingress)) => {
            let out = parts::forwarded(&compared.after, number(name));
            let out = space.union_of(out);
            let ways = both.after.kernel.routes.ranges(space.family());
            let own =
                ways.into_iter().filter(|(_, way)| matches!(way, Some(Way::Device(own)) if **own == **name));
            let own: Vec<Range> = own.map(|(range, _)| range).collect();
            let own = space.with(Field::Destination, &own);
            space.union(out, own)
        }
        (Endpoint::Pod(name), Some(Direction::Egress))
        | (Endpoint::Interface(name), Some(Direction::Ingress)) => {
            space.with_value(Field::InInterface, u128::from(number(name)))
        }
        _ => return None,
    };
    Some((space.intersection(kept, here), space.intersection(not_sent, here)))
}

/// A packet of the set that people know: of TCP, from a port that clients have, to one that servers have, on the
/// interface on which its source is at home; as far as there is one.
fn typical(space: &mut Space, set: PacketSet, home: PacketSet) -> Option<Values> {
    let family = space.family();
    let mut wanted = vec![home];
    wanted.extend([TCP, UDP].map(|protocol| space.with_value(Field::Protocol, u128::from(protocol))));
    let with_ports = space.with(Field::Protocol, &[(TCP.into(), TCP.into()), (UDP.into(), UDP.into())]);
    for (field, ports) in [
        (Field::SourcePort, (40_000, 40_000)),
        (Field::DestinationPort, (443, 443)),
        (Field::DestinationPort, (80, 80)),
        (Field::DestinationPort, (1, 0xffff)),
    ] {
        let ports = space.with(field, &[ports]);
        wanted.push(space.intersection(ports, with_ports));
    }
    let special = ranges(&assume::special(family), family);
    let special = [Field::Source, Field::Destination].map(|field| space.with(field, &special));
    let test: IpNet = match family {
        Family::V4 => IpAddr::from([198, 51, 100, 7]).into(),
        Family::V6 => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7]).into(),
    };
    let test = range(test);
    for (field, special) in [Field::Source, Field::Destination].into_iter().zip(special) {
        wanted.push(space.with(field, &[test]));
        wanted.push(space.complement(special));
    }
    let mut set = set;
    for like in wanted {
        let own = space.intersection(set, like);
        if !own.is_empty() {
            set = own;
        }
    }
    space.sample(set)
}

/// Packets that come in where their source is at home: where packets to it would leave. Processes send from the
/// node's own addresses.
fn at_home(space: &mut Space, routes: &Routes, interfaces: &Interfaces) -> PacketSet {
    let family = space.family();
    let mut sources: BTreeMap<u16, Vec<Range>> = BTreeMap::new();
    sources.insert(0, routes.local_ranges(family));
    for (range, way) in routes.ranges(family) {
        if let Some(Way::Device(device)) = way {
            sources.entry(interfaces.number(device)).or_default().push(range);
        }
    }
    let mut home = Vec::new();
    for (number, ranges) in sources {
        let there = space.with(Field::Source, &ranges);
        let came = space.with_value(Field::InInterface, u128::from(number));
        home.push(space.intersection(there, came));
    }
    space.union_of(home)
}

/// Packets that come in where their source is at home, of those that come in at a place.
fn can_come(space: &mut Space, home: PacketSet, both: &Both<'_, '_>, place: &Place) -> PacketSet {
    let interface = match (&place.endpoint, place.direction) {
        (Endpoint::Interface(name), Some(Direction::Ingress))
        | (Endpoint::Pod(name), Some(Direction::Egress)) => both.interfaces.number(name),
        (Endpoint::Node, Some(Direction::Egress)) => 0,
        _ => return home,
    };
    let came = space.with_value(Field::InInterface, u128::from(interface));
    space.intersection(home, came)
}

/// What a side does with one packet.
fn answer(
    side: &Side<'_>,
    symbolic: &mut Symbolic<'_, '_>,
    interfaces: &Interfaces,
    connection: Connection,
    packet: &Values,
    accepted: Option<bool>,
) -> Answer {
    let process = packet[Field::InInterface as usize] == 0;
    let fields = Field::ALL.map(|field| symbolic.space.with_value(field, packet[field as usize]));
    let set = fields.into_iter().fold(PacketSet::ALL, |set, own| symbolic.space.intersection(set, own));
    let arrival = if process { Arrival::Process } else { Arrival::Outside };
    let family = symbolic.space.family();
    let flows = symbolic.send(set, arrival, connection);
    let mut fates: Vec<_> = flows.iter().filter_map(|flow| Some((flow, flow.fate?))).collect();
    fates.sort_by_key(|(flow, _)| accepted.is_some_and(|wanted| exact::is_accepted(flow) != wanted));
    let Some((flow, fate)) = fates.first().copied() else {
        return Answer {
            fate: "no packet of this kind".to_owned(),
            accepted: false,
            rule: None,
            steps: Vec::new(),
        };
    };
    let out = match fate {
        Fate::Forwarded(number) | Fate::Sent(number) => interfaces.name(number),
        _ => String::new(),
    };
    let step = |at: &RuleRef| {
        let chain = side.machine(family).table(at.table).chain(at.chain).chain;
        Step { table: at.table, chain, rule: &chain.rules[at.rule] }
    };
    let steps: Vec<Step<'_>> = flow.by.iter().map(step).collect();
    let rule = |step: &Step<'_>| Rule {
        table: step.table,
        text: saved_rule(step.chain, &crate::ir::Rule { hash: None, ..step.rule.clone() }, family),
        reason: step.reason(),
        at: step.rule.origin.at().filter(|at| at.line > 0),
    };
    Answer {
        fate: in_words(fate, &out, ""),
        accepted: exact::is_accepted(flow),
        rule: deciding(&steps, fate).map(rule),
        steps: steps.iter().map(rule).collect(),
    }
}

fn told(
    both: &Both<'_, '_>,
    space: &mut Space,
    found: Found,
    (before, after): (Answer, Answer),
    names: &Names,
) -> Change {
    let Found { kind, service, connection, place, set, home, kept, by_chance, packet } = found;
    let letting = both.letting(kind);
    let local = space.with(Field::Destination, &letting.kernel.routes.local_ranges(space.family()));
    let to_node = space.is_subset(set, local);
    let settled: &[Field] = match (&place.endpoint, place.direction, &place.service) {
        // the service says where they go
        (_, _, Some(_)) => &[Field::InInterface, Field::Destination, Field::DestinationPort, Field::Protocol],
        (Endpoint::Pod(_), Some(Direction::Ingress), _) => &[Field::InInterface, Field::Destination],
        (Endpoint::Pod(_), Some(Direction::Egress), _) => &[Field::InInterface, Field::Source],
        (_, Some(Direction::Ingress), _) if to_node => &[Field::InInterface, Field::Destination],
        _ => &[Field::InInterface],
    };
    let more = kind == Kind::Widened;
    // what comes from where it cannot come from is not worth a word
    let plain = space.intersection(set, home);
    let can_come = can_come(space, home, both, &place);
    let told = match plain.is_empty() {
        true => words::Told { set, kept, more, settled, can_come: None },
        false => {
            let kept =
                kept.map(|(kept, rest)| (space.intersection(kept, home), space.intersection(rest, home)));
            words::Told { set: plain, kept, more, settled, can_come: Some(can_come) }
        }
    };
    let direction = if place.service.is_some() { Some(Direction::Ingress) } else { place.direction };
    let text = match (&place.endpoint, place.direction) {
        (Endpoint::Pod(name), Some(Direction::Ingress)) if is_open(both, kind, name, Direction::Ingress) => {
            "anything from anywhere, as no policy selects it for ingress".to_owned()
        }
        (Endpoint::Pod(name), Some(Direction::Egress)) if is_open(both, kind, name, Direction::Egress) => {
            "all that lets it in, as no policy selects it for egress".to_owned()
        }
        _ => words::packets(space, told, direction, names),
    };
    let (boxes, whole) = space.cubes(set, BOXES);
    let end = end(both, kind, &place.endpoint);
    let in_interface = both.interfaces.name(packet[Field::InInterface as usize] as u16);
    Change {
        kind,
        connection,
        direction: place.direction,
        selected: selected(both, kind, &place),
        ends: vec![end],
        service,
        families: vec![space.family()],
        packets: text,
        by_chance,
        boxes,
        whole,
        witness: Witness {
            node: letting.own.view.node.to_string(),
            family: space.family(),
            packet,
            in_interface,
            before,
            after,
        },
    }
}

fn end(both: &Both<'_, '_>, kind: Kind, endpoint: &Endpoint) -> End {
    let node = both.after.own.view.node.to_string();
    match endpoint {
        Endpoint::Node => End::Node { node },
        Endpoint::Interface(name) => End::Interface { node, name: name.to_string() },
        Endpoint::Pod(interface) => {
            let other = if kind == Kind::Went { both.after } else { both.before };
            let sides = [both.letting(kind), both.after, both.before];
            let mut pods = sides.iter().flat_map(|side| &side.own.view.workloads);
            let pod = pods.find(|pod| pod.interface == *interface);
            let name = pod.map_or(interface.to_string(), |pod| format!("{}/{}", pod.namespace, pod.pod));
            let moved = matches!(kind, Kind::Came | Kind::Went);
            let moved = moved && !other.own.inside().any(|own| own == &**interface);
            End::Pod { node, name, moved }
        }
    }
}

/// Whether a pod is on one side only, and no policy selects it there.
fn is_open(both: &Both<'_, '_>, kind: Kind, interface: &str, direction: Direction) -> bool {
    let (own, other) = match kind {
        Kind::Came => (both.after, both.before),
        Kind::Went => (both.before, both.after),
        _ => return false,
    };
    other.own.inside().all(|name| name != interface)
        && policies(&own.own.view, interface, direction).is_empty()
}

/// The policies that select a pod for a direction, in order.
fn policies(view: &NodeView, interface: &str, direction: Direction) -> Vec<PolicyIndex> {
    let pod = view.workloads.iter().find(|pod| *pod.interface == *interface);
    let groups = pod.into_iter().flat_map(|pod| &pod.tiers).flat_map(|tier| match direction {
        Direction::Ingress => &tier.ingress,
        Direction::Egress => &tier.egress,
    });
    let policies = groups.flat_map(|group| group.policies.iter().copied());
    policies.filter(|index| !view.policies[index.0 as usize].id.kind.is_staged()).collect()
}

/// Policies that are the first to select a pod for a direction, so that what they do not allow is denied.
fn selected(both: &Both<'_, '_>, kind: Kind, place: &Place) -> Vec<Selected> {
    let (Kind::Narrowed, Endpoint::Pod(interface), Some(direction)) =
        (kind, &place.endpoint, place.direction)
    else {
        return Vec::new();
    };
    let view = &both.after.own.view;
    if !policies(&both.before.own.view, interface, direction).is_empty() {
        return Vec::new();
    }
    let policies = policies(view, interface, direction).into_iter().map(|index| {
        let policy = &view.policies[index.0 as usize];
        let mut rules = policy.inbound.iter().chain(&policy.outbound);
        Selected {
            name: format!("{} `{}`", policy.id.kind.name(), policy.id.path()),
            only_allows: rules.all(|rule| matches!(rule.action, Action::Allow | Action::Log)),
            at: policy.at,
        }
    });
    policies.collect()
}
