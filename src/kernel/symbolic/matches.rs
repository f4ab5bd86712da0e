//! What a rule applies to, as a set.

use super::interfaces::Interfaces;
use super::marks::AskedMark;
use crate::ir::{ConntrackStates, Family, SetLookup, Side};
use crate::kernel::machine::{CompiledRule, Condition, Machine, On, Set};
use crate::kernel::packet::{CONNECTED, ICMP, ICMP_V6, TCP, WITH_PORTS};
use crate::kernel::route::{LOOPBACK, Routes};
use crate::space::{Field, PacketSet, Range, Space};
use crate::syntax::ip_route::Way;
use rustc_hash::FxHashMap;

/// States of conntrack as values of [`Field::State`]: one of five; whether destination and source have
/// been rewritten; and whether the packet is the first of its connection, which has its flags of TCP.
const STATES: [ConntrackStates; 5] = [
    ConntrackStates::INVALID,
    ConntrackStates::NEW,
    ConntrackStates::RELATED,
    ConntrackStates::ESTABLISHED,
    ConntrackStates::UNTRACKED,
];
const DNAT: u8 = 8;
pub(super) const SNAT: u8 = 16;
const FIRST: u8 = 32;

/// The bit of [`Field::Open`] for the check of the reverse path; those before it are for addresses.
const REVERSE_PATH: u8 = 4;

/// The value of a state; of several, the first.
pub(super) fn state_value(state: ConntrackStates, first: bool) -> u8 {
    let base = STATES.iter().position(|own| state.intersects(*own)).unwrap_or(0) as u8;
    base + DNAT * u8::from(state.intersects(ConntrackStates::DNAT))
        + SNAT * u8::from(state.intersects(ConntrackStates::SNAT))
        + FIRST * u8::from(first)
}

/// The values of which something holds.
fn values(holds: impl Fn(u8) -> bool) -> Vec<Range> {
    let values = (0..2 * FIRST).filter(|value| holds(*value));
    values.map(|value| (u128::from(value), u128::from(value))).collect()
}

/// The values of all states that a match is about.
fn state_values(states: ConntrackStates) -> Vec<Range> {
    values(|value| {
        let base = STATES.get(usize::from(value % DNAT));
        base.is_some_and(|own| states.intersects(*own))
            || (value & DNAT != 0 && states.intersects(ConntrackStates::DNAT))
            || (value & SNAT != 0 && states.intersects(ConntrackStates::SNAT))
    })
}

/// Makes sets of matches, and keeps those that are needed again.
#[derive(Debug)]
pub struct Matches<'k> {
    interfaces: &'k Interfaces,
    routes: Option<&'k Routes>,
    sets: FxHashMap<(usize, SetLookup), PacketSet>,
    reverse_path: Option<PacketSet>,
}

/// What a rule asks of packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// which packets, whatever their mark
    pub set: PacketSet,
    /// what it asks of marks
    pub marks: Vec<AskedMark>,
    /// it has a limit, and applies on one side of it only
    pub limited: bool,
    /// whether it applies to these packets is not known for sure
    pub doubt: Doubt,
}

/// Why it is not known for sure whether rules apply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doubt {
    /// it is known
    #[default]
    None,
    /// kube-proxy chooses one of several endpoints of a service
    Endpoint,
    /// it is left to chance
    Chance,
    /// it depends on the connection's mark, which earlier packets may have set
    Connection,
    /// a match is not understood, or a set is not known
    Unknown,
    /// a target is not understood, and may have done anything; or not followed: one that rewrites the source of
    /// what the node sends to itself
    Target,
}

impl<'k> Matches<'k> {
    /// Nothing made yet. Without routes, what depends on the node's addresses and routes stays open: each
    /// such question is a bit of [`Field::Open`].
    pub fn new(interfaces: &'k Interfaces, routes: Option<&'k Routes>) -> Self {
        Matches { interfaces, routes, sets: FxHashMap::default(), reverse_path: None }
    }

    /// What a rule asks of packets.
    pub fn rule(&mut self, space: &mut Space, machine: &Machine<'_>, rule: &CompiledRule<'_>) -> Asked {
        let is_unknown = |one: &Condition<'_>| matches!(one.on, On::Unknown);
        let doubt = match (rule.unknown, rule.chance) {
            (true, _) if rule.conditions.iter().any(is_unknown) => Doubt::Unknown,
            (_, true) if rule.spreads => Doubt::Endpoint,
            (_, true) => Doubt::Chance,
            _ => Doubt::None,
        };
        let mut asked =
            Asked { set: PacketSet::ALL, marks: Vec::new(), limited: rule.within_limit.is_some(), doubt };
        for Condition { negated, on } in &rule.conditions {
            // it may hold for any packet
            if matches!(on, On::Unknown | On::Chance | On::Limit(_)) {
                continue;
            }
            let of_connection = matches!(on, On::ConnectionMark { .. });
            if let On::Mark { value, mask } | On::ConnectionMark { value, mask } = on {
                let (value, mask, negated) = (*value, *mask, *negated);
                asked.marks.push(AskedMark { of_connection, value, mask, negated });
            }
            let mut set = self.condition(space, machine, on);
            if *negated && !matches!(on, On::Mark { .. } | On::ConnectionMark { .. }) {
                set = space.complement(set);
                // a packet without ports has none that differ
                if matches!(on, On::Ports(..) | On::Port(..)) {
                    let with_ports = with_ports(space);
                    set = space.intersection(set, with_ports);
                }
            }
            asked.set = space.intersection(asked.set, set);
        }
        asked
    }

    fn condition(&mut self, space: &mut Space, machine: &Machine<'_>, on: &On<'_>) -> PacketSet {
        let value = |value: u8| (u128::from(value), u128::from(value));
        match on {
            On::Protocol(number) => space.with_value(Field::Protocol, u128::from(*number)),
            On::Addresses(side, ranges) => space.with(address_field(*side), ranges),
            On::InInterface(pattern) => space.with(Field::InInterface, &self.interfaces.matching(pattern)),
            On::OutInterface(pattern) => space.with(Field::OutInterface, &self.interfaces.matching(pattern)),
            On::Ports(side, ranges) => {
                let ranges: Vec<Range> =
                    ranges.iter().map(|(first, last)| (u128::from(*first), u128::from(*last))).collect();
                let (ports, with_ports) = (space.with(port_field(*side), &ranges), with_ports(space));
                space.intersection(ports, with_ports)
            }
            On::Port(side, first, last) => {
                let ports = space.with(port_field(*side), &[(u128::from(*first), u128::from(*last))]);
                let with_ports = with_ports(space);
                space.intersection(ports, with_ports)
            }
            On::Set(set, lookup) => match self.sets.get(&(*set, *lookup)) {
                Some(made) => *made,
                None => {
                    let made = set_members(space, &machine.sets[*set], *lookup);
                    self.sets.insert((*set, *lookup), made);
                    made
                }
            },
            On::Icmp(kind, code) => {
                let protocol = if space.family() == Family::V4 { ICMP } else { ICMP_V6 };
                let protocol = space.with_value(Field::Protocol, u128::from(protocol));
                let kind = space.with(Field::SourcePort, &[value(*kind)]);
                let set = space.intersection(protocol, kind);
                match code {
                    Some(code) => {
                        let code = space.with(Field::DestinationPort, &[value(*code)]);
                        space.intersection(set, code)
                    }
                    None => set,
                }
            }
            On::Conntrack(states) => space.with(Field::State, &state_values(*states)),
            On::LocalAddress { side, of_interface } => self.local(space, *side, *of_interface),
            On::ReversePathFails => match self.reverse_path {
                Some(made) => made,
                None => {
                    let made = self.reverse_path_fails(space);
                    self.reverse_path = Some(made);
                    made
                }
            },
            // the first packet of a connection, and only that, has SYN without ACK
            On::TcpSyn => {
                let tcp = space.with_value(Field::Protocol, u128::from(TCP));
                let new = space.with(Field::State, &values(|value| value & FIRST != 0));
                space.intersection(tcp, new)
            }
            // marks are looked at apart
            On::ConnectionMark { .. } => connected(space),
            On::Mark { .. } | On::Always | On::Limit(_) | On::Unknown | On::Chance => PacketSet::ALL,
        }
    }

    fn local(&self, space: &mut Space, side: Side, of_interface: bool) -> PacketSet {
        let field = address_field(side);
        let Some(routes) = self.routes else {
            return open(space, u8::from(side == Side::Destination) + 2 * u8::from(of_interface));
        };
        if !of_interface {
            return space.with(field, &routes.local_ranges(space.family()));
        }
        let mut any = PacketSet::NONE;
        for name in self.interfaces.names() {
            let ranges = routes.ranges_on(space.family(), name);
            let number = u128::from(self.interfaces.number(name));
            let (out, addresses) =
                (space.with_value(Field::OutInterface, number), space.with(field, &ranges));
            let both = space.intersection(out, addresses);
            any = space.union(any, both);
        }
        any
    }

    /// Packets whose answers would leave on another interface; over `lo` there are none.
    fn reverse_path_fails(&self, space: &mut Space) -> PacketSet {
        let Some(routes) = self.routes else { return open(space, REVERSE_PATH) };
        let mut passes = space.with_value(Field::InInterface, u128::from(self.interfaces.number(LOOPBACK)));
        let mut by_device: FxHashMap<&str, Vec<Range>> = FxHashMap::default();
        let ways = routes.ranges(space.family());
        for (range, way) in &ways {
            if let Some(Way::Device(device)) = way {
                by_device.entry(device).or_default().push(*range);
            }
        }
        for (device, sources) in by_device {
            let number = u128::from(self.interfaces.number(device));
            let (came, sources) =
                (space.with_value(Field::InInterface, number), space.with(Field::Source, &sources));
            let good = space.intersection(came, sources);
            passes = space.union(passes, good);
        }
        space.complement(passes)
    }
}

/// The packets of which something holds that is left open: a bit of [`Field::Open`].
fn open(space: &mut Space, bit: u8) -> PacketSet {
    let holds = (0..1u128 << (REVERSE_PATH + 1)).filter(|value| value >> bit & 1 == 1);
    let holds: Vec<Range> = holds.map(|value| (value, value)).collect();
    space.with(Field::Open, &holds)
}

pub(super) fn address_field(side: Side) -> Field {
    match side {
        Side::Source => Field::Source,
        Side::Destination => Field::Destination,
    }
}

fn port_field(side: Side) -> Field {
    match side {
        Side::Source => Field::SourcePort,
        Side::Destination => Field::DestinationPort,
    }
}

/// Packets that belong to a connection, or begin one.
pub(super) fn connected(space: &mut Space) -> PacketSet {
    space.with(Field::State, &state_values(CONNECTED))
}

pub(super) fn with_ports(space: &mut Space) -> PacketSet {
    let ranges = WITH_PORTS.map(|protocol| (u128::from(protocol), u128::from(protocol)));
    space.with(Field::Protocol, &ranges)
}

fn set_members(space: &mut Space, set: &Set, lookup: SetLookup) -> PacketSet {
    match (set, lookup) {
        (Set::Ranges(ranges), SetLookup::Source) => space.with(Field::Source, ranges),
        (Set::Ranges(ranges), SetLookup::Destination) => space.with(Field::Destination, ranges),
        (Set::Ports(members), SetLookup::SourcePort) => ports(space, members, Side::Source),
        (Set::Ports(members), SetLookup::DestinationPort) => ports(space, members, Side::Destination),
        // a set of the other type: iptables would not have taken the rule
        _ => PacketSet::NONE,
    }
}

/// Addresses that have the same protocol and port are one set.
fn ports<'m>(
    space: &mut Space,
    members: impl IntoIterator<Item = &'m (u128, u8, u16)>,
    side: Side,
) -> PacketSet {
    let mut by_port: std::collections::BTreeMap<(u8, u16), Vec<Range>> = std::collections::BTreeMap::new();
    for (address, protocol, port) in members {
        by_port.entry((*protocol, *port)).or_default().push((*address, *address));
    }
    let mut sets = Vec::new();
    for ((protocol, port), addresses) in by_port {
        let addresses = space.with(address_field(side), &addresses);
        let port = space.with_value(port_field(side), u128::from(port));
        let protocol = space.with_value(Field::Protocol, u128::from(protocol));
        let both = space.intersection(port, addresses);
        sets.push(space.intersection(protocol, both));
    }
    space.union_of(sets)
}
