//! Flows through hooks and tables, in the kernel's order.

use super::chain::{Attribution, Chains, Decision, Limit, Piece, RuleRef};
use super::idle;
use super::interfaces::{Interfaces, NO_INTERFACE};
use super::marks::Marks;
use super::matches::{Doubt, Matches, SNAT, state_value, with_ports};
use super::translate::{Chosen, asks_for_source_ports};
use crate::ir::{ChainPolicy, ConntrackStates, Family, TableName};
use crate::kernel::conntrack::{Connection, TUNNELS};
use crate::kernel::machine::Machine;
use crate::kernel::packet::{ICMP, ICMP_V6, SCTP, TCP};
use crate::kernel::path::Hook;
use crate::kernel::route::{LOOPBACK, Routes};
use crate::kernel::walk::End;
use crate::space::{Field, PacketSet, Range, Space};
use crate::syntax::ip_route::Way;
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

/// Packets with one fate so far.
#[derive(Debug, Clone)]
pub struct Flow {
    /// which, as they came in
    pub set: PacketSet,
    /// what has become of them since, the same for all of them
    pub(super) now: Now,
    /// the limits on the way that matter: flows on their other sides have the same packets, and another fate
    pub limits: Vec<Limit>,
    /// whether a rule on the way applies is not known, and it matters: other flows with another fate have
    /// the same packets
    pub doubt: Doubt,
    /// the rules that led here, in order: those that noted a verdict, and those that decided; empty where
    /// they are not asked for
    pub by: Vec<RuleRef>,
    /// which of the addresses and ports that translation may choose lead here; none where there is no choice
    pub chosen: Vec<Chosen>,
    /// what became of them in the end
    pub fate: Option<Fate>,
}

/// What is known of all packets of a flow, apart from how they came in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Now {
    marks: Marks,
    untracked: bool,
    /// they are the first of their connection
    first: bool,
    /// fields whose values were set on the way
    set: Vec<(Field, u128)>,
    /// what they were translated to, where values stand for all of a part: destination and port, and source
    pub(super) to: Option<Chosen>,
    from: Option<Range>,
}

impl Flow {
    /// The mark of its packets at its end.
    pub fn mark(&self) -> u32 {
        self.now.marks.packet()
    }

    /// The source that its packets were given on the way.
    pub fn new_source(&self) -> Option<u128> {
        self.now.value(Field::Source)
    }

    /// The destination that its packets were given on the way: address, and port if it is another one.
    pub fn new_destination(&self) -> Option<(u128, Option<u16>)> {
        let port = self.now.value(Field::DestinationPort).map(|port| port as u16);
        self.now.value(Field::Destination).map(|address| (address, port))
    }
}

impl Now {
    /// A set in terms of packets as they came in: with the values that fields have now put in.
    pub fn put_into(&self, space: &mut Space, set: PacketSet) -> PacketSet {
        space.given(set, &self.set)
    }

    /// Whether they leave on this interface.
    pub(super) fn leaves_on(&self, interface: u16) -> bool {
        self.set.contains(&(Field::OutInterface, u128::from(interface)))
    }

    /// The packet gets another destination.
    pub(super) fn translate(&mut self, address: Option<u128>, port: Option<u128>) {
        if let Some(address) = address {
            self.assign(Field::Destination, address);
        }
        if let Some(port) = port {
            self.assign(Field::DestinationPort, port);
        }
        self.track(ConntrackStates::NEW.or(ConntrackStates::DNAT));
    }

    /// The packet gets another source, one of these, as the last thing on its way.
    pub(super) fn masquerade(&mut self, addresses: Range) {
        self.assign(Field::Source, addresses.0);
        self.from = Some(addresses);
        if let Some(state) = self.value(Field::State) {
            self.assign(Field::State, state | u128::from(SNAT));
        }
    }

    /// The value that a field was given on the way.
    pub(super) fn value(&self, field: Field) -> Option<u128> {
        self.set.iter().find(|(own, _)| *own == field).map(|(_, value)| *value)
    }

    fn track(&mut self, state: ConntrackStates) {
        self.assign(Field::State, u128::from(state_value(state, self.first)));
    }

    fn assign(&mut self, field: Field, value: u128) {
        self.set.retain(|(own, _)| *own != field);
        self.set.push((field, value));
    }
}

/// How packets enter the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// from outside, on the interface that is part of the set
    Outside,
    /// from a process of the node
    Process,
}

/// What becomes of packets; interfaces are numbers of [`Interfaces`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// a process of the node gets them
    Delivered,
    /// they came in and leave on this interface
    Forwarded(u16),
    /// the node sends them on this interface
    Sent(u16),
    /// they are discarded at a hook, without an answer
    Dropped(Hook),
    /// they are discarded at a hook, and the sender is told
    Rejected(Hook),
    /// there is no route for them
    Unroutable,
}

/// A node's kernel for sets of packets of one family.
#[derive(Debug)]
pub struct Symbolic<'k, 'p> {
    /// the sets
    pub space: Space,
    pub(super) chains: Chains<'k, 'p>,
    pub(super) interfaces: &'k Interfaces,
    pub(super) routes: &'k Routes,
    /// for each interface that packets leave on: its number, and the destinations
    by_device: Vec<(u16, PacketSet)>,
    local: PacketSet,
    /// some rule looks at source ports
    pub(super) asks_for_source_ports: bool,
}

impl<'k, 'p> Symbolic<'k, 'p> {
    /// Makes it ready.
    pub fn new(
        family: Family,
        machine: &'k Machine<'p>,
        routes: &'k Routes,
        interfaces: &'k Interfaces,
        attribution: Attribution,
    ) -> Self {
        Self::within(Space::new(family), machine, routes, interfaces, attribution)
    }

    /// The same, for sets of a space that is there already: packets that have been on another node, say.
    pub fn within(
        mut space: Space,
        machine: &'k Machine<'p>,
        routes: &'k Routes,
        interfaces: &'k Interfaces,
        attribution: Attribution,
    ) -> Self {
        let family = space.family();
        let mut by_device: std::collections::BTreeMap<u16, Vec<Range>> = std::collections::BTreeMap::new();
        let mut local = Vec::new();
        for (range, way) in routes.ranges(family) {
            match way {
                Some(Way::Local) => local.push(range),
                Some(Way::Device(device)) => {
                    by_device.entry(interfaces.number(device)).or_default().push(range)
                }
                Some(Way::Discard) | None => {}
            }
        }
        let by_device = by_device
            .into_iter()
            .map(|(number, ranges)| (number, space.with(Field::Destination, &ranges)))
            .collect();
        let local = space.with(Field::Destination, &local);
        let chains = Chains::new(machine, Matches::new(interfaces, Some(routes)), attribution);
        let asks_for_source_ports = asks_for_source_ports(machine);
        Symbolic { space, chains, interfaces, routes, by_device, local, asks_for_source_ports }
    }

    /// What becomes of packets: flows that together are `set`. They do not overlap, but where a packet has
    /// more than one fate, and say why.
    pub fn send(&mut self, set: PacketSet, arrival: Arrival, connection: Connection) -> Vec<Flow> {
        self.send_marked(set, arrival, connection, 0)
    }

    /// The same for packets that have a mark already, as those that come into or out of a tunnel do.
    pub fn send_marked(
        &mut self,
        set: PacketSet,
        arrival: Arrival,
        connection: Connection,
        mark: u32,
    ) -> Vec<Flow> {
        let marks = match connection {
            Connection::First | Connection::AnswerToUntracked => Marks::default(),
            Connection::Answer => Marks::of_known_connection(),
        };
        let marks = marks.set(mark, u32::MAX);
        let mut now = Now { first: connection == Connection::First, marks, ..Now::default() };
        // before conntrack has seen a packet, it counts as one that it can make nothing of
        now.track(ConntrackStates::INVALID);
        let flow = Flow {
            set,
            now,
            limits: Vec::new(),
            doubt: Doubt::None,
            by: Vec::new(),
            chosen: Vec::new(),
            fate: None,
        };
        let mut ended = Vec::new();
        match arrival {
            Arrival::Outside => self.arrive(flow, connection, &mut ended),
            Arrival::Process => self.originate(flow, connection, &mut ended),
        }
        let tell_apart = matches!(self.chains.attribution(), Attribution::On { .. });
        let flows = join(&mut self.space, ended, tell_apart);
        let flows = idle::limits(&mut self.space, flows);
        let flows = idle::doubt(&mut self.space, flows);
        join(&mut self.space, flows, tell_apart)
    }

    fn arrive(&mut self, flow: Flow, connection: Connection, ended: &mut Vec<Flow>) {
        for flow in self.table(TableName::Raw, Hook::Prerouting, vec![flow], ended) {
            for flow in self.track(flow, connection) {
                let translates = is_translated(&flow);
                let flows = self.table(TableName::Mangle, Hook::Prerouting, vec![flow], ended);
                let flows = self.nat(Hook::Prerouting, flows, translates, ended);
                for (flow, device) in self.route(flows, ended) {
                    match device {
                        None => self.input(flow, translates, ended),
                        Some(device) => {
                            let mut flow = flow;
                            flow.now.assign(Field::OutInterface, u128::from(device));
                            let flows = self.table(TableName::Mangle, Hook::Forward, vec![flow], ended);
                            let flows = self.table(TableName::Filter, Hook::Forward, flows, ended);
                            let flows = self.postrouting(flows, translates, ended);
                            ended.extend(flows.into_iter().map(|flow| end(flow, Fate::Forwarded(device))));
                        }
                    }
                }
            }
        }
    }

    fn originate(&mut self, mut flow: Flow, connection: Connection, ended: &mut Vec<Flow>) {
        let lo = self.interfaces.number(LOOPBACK);
        flow.now.assign(Field::InInterface, u128::from(NO_INTERFACE));
        for (mut flow, device) in self.route(vec![flow], ended) {
            flow.now.assign(Field::OutInterface, u128::from(device.unwrap_or(lo)));
            for flow in self.table(TableName::Raw, Hook::Output, vec![flow], ended) {
                for flow in self.track(flow, connection) {
                    let translates = is_translated(&flow);
                    let flows = self.table(TableName::Mangle, Hook::Output, vec![flow], ended);
                    let flows = self.nat(Hook::Output, flows, translates, ended);
                    let flows = self.table(TableName::Filter, Hook::Output, flows, ended);
                    // after a translation packets are routed anew
                    for (mut flow, device) in self.route(flows, ended) {
                        flow.now.assign(Field::OutInterface, u128::from(device.unwrap_or(lo)));
                        let flows = self.postrouting(vec![flow], translates, ended);
                        match device {
                            Some(device) => {
                                ended.extend(flows.into_iter().map(|flow| end(flow, Fate::Sent(device))))
                            }
                            None => self.over_loopback(flows, lo, ended),
                        }
                    }
                }
            }
        }
    }

    /// With their marks and connections.
    fn over_loopback(&mut self, flows: Vec<Flow>, lo: u16, ended: &mut Vec<Flow>) {
        for mut flow in flows {
            flow.now.assign(Field::InInterface, u128::from(lo));
            flow.now.assign(Field::OutInterface, u128::from(NO_INTERFACE));
            let flows = self.table(TableName::Raw, Hook::Prerouting, vec![flow], ended);
            for flow in self.table(TableName::Mangle, Hook::Prerouting, flows, ended) {
                self.input(flow, false, ended);
            }
        }
    }

    fn input(&mut self, flow: Flow, translates: bool, ended: &mut Vec<Flow>) {
        let flows = self.table(TableName::Mangle, Hook::Input, vec![flow], ended);
        let flows = self.table(TableName::Filter, Hook::Input, flows, ended);
        let flows = self.nat(Hook::Input, flows, translates, ended);
        ended.extend(flows.into_iter().map(|flow| end(flow, Fate::Delivered)));
    }

    fn postrouting(&mut self, flows: Vec<Flow>, translates: bool, ended: &mut Vec<Flow>) -> Vec<Flow> {
        let flows = self.table(TableName::Mangle, Hook::Postrouting, flows, ended);
        self.nat(Hook::Postrouting, flows, translates, ended)
    }

    fn nat(&mut self, hook: Hook, flows: Vec<Flow>, translates: bool, ended: &mut Vec<Flow>) -> Vec<Flow> {
        if translates { self.table(TableName::Nat, hook, flows, ended) } else { flows }
    }

    /// Asks one table at one hook: flows that go on; the others are added to `ended`.
    fn table(&mut self, name: TableName, hook: Hook, flows: Vec<Flow>, ended: &mut Vec<Flow>) -> Vec<Flow> {
        let Some(chain) = self.chains.machine().table(name).hook(hook.chain()) else { return flows };
        let drops = self.chains.machine().table(name).chain(chain).chain.policy == ChainPolicy::Drop;
        let mut on = Vec::new();
        for flow in flows {
            let packets = Piece {
                by: flow.by.clone(),
                limits: flow.limits.clone(),
                doubt: flow.doubt,
                ..Piece::new(flow.set, flow.now.marks)
            };
            for piece in self.chains.send(&mut self.space, name, chain, &packets, &flow.now) {
                let mut next = Flow {
                    set: piece.set,
                    limits: piece.limits,
                    doubt: piece.doubt,
                    by: piece.by,
                    ..flow.clone()
                };
                next.now.marks = piece.marks;
                next.now.untracked |= piece.untracked;
                match piece.decision {
                    Decision::None if drops => ended.push(end(next, Fate::Dropped(hook))),
                    Decision::None | Decision::End(End::Accept) => on.push(next),
                    Decision::End(End::Drop) => ended.push(end(next, Fate::Dropped(hook))),
                    Decision::End(End::Reject(_)) => self.reject(next, hook, ended),
                    Decision::Translate(action) => {
                        let gone = self.rewrite(next, action, hook, &mut on);
                        ended.extend(gone.into_iter().map(|flow| end(flow, Fate::Dropped(hook))));
                    }
                }
            }
        }
        join(&mut self.space, on, true)
    }

    /// The packets of a flow as they are at its end; of interfaces and conntrack they say nothing.
    pub fn leaving(&mut self, flow: &Flow) -> PacketSet {
        let space = &mut self.space;
        let mut set = flow.set;
        for field in [Field::InInterface, Field::OutInterface, Field::State] {
            set = space.forget(set, field);
        }
        let to = flow.now.to;
        let rewritten = [
            (Field::Source, flow.now.from),
            (Field::Destination, to.and_then(|to| to.addresses)),
            (Field::DestinationPort, to.and_then(|to| to.ports)),
        ];
        for (field, part) in rewritten {
            if let Some(value) = flow.now.value(field) {
                set = space.rewrite(set, field, &[part.unwrap_or((value, value))]);
            }
        }
        // with another source a packet may get another source port
        if flow.now.from.is_some() {
            let with_ports = with_ports(space);
            let (with, without) = (space.intersection(set, with_ports), space.difference(set, with_ports));
            let with = space.forget(with, Field::SourcePort);
            set = space.union(with, without);
        }
        set
    }

    /// Of a flow's packets those that are in `set` at its end, as they came in. Where an address or a port is chosen
    /// on the way, some choice leads there.
    pub fn before(&mut self, flow: &Flow, mut set: PacketSet) -> PacketSet {
        let space = &mut self.space;
        let ranges =
            [flow.now.from, flow.now.to.and_then(|to| to.addresses), flow.now.to.and_then(|to| to.ports)];
        let several = |range: Option<Range>| range.is_some_and(|(first, last)| first != last);
        let chosen = [Field::Source, Field::Destination, Field::DestinationPort]
            .into_iter()
            .zip(ranges)
            .filter_map(|(field, range)| several(range).then_some(field));
        let elsewhere = [Field::InInterface, Field::OutInterface, Field::State];
        let ports = flow.now.from.map(|_| Field::SourcePort);
        for field in elsewhere.into_iter().chain(ports).chain(chosen) {
            set = space.forget(set, field);
        }
        let set = flow.now.put_into(space, set);
        space.intersection(flow.set, set)
    }

    /// Some packets the kernel does not answer.
    fn reject(&mut self, flow: Flow, hook: Hook, ended: &mut Vec<Flow>) {
        let errors = self.icmp(&match self.space.family() {
            Family::V4 => vec![(1, 7), (9, 12), (19, 255)],
            Family::V6 => vec![(0, 127)],
        });
        let tunnels = TUNNELS.map(|protocol| (u128::from(protocol), u128::from(protocol)));
        let tunnels = self.space.with(Field::Protocol, &tunnels);
        let errors = self.space.union(errors, tunnels);
        let (silent, told) =
            (self.space.intersection(flow.set, errors), self.space.difference(flow.set, errors));
        for (set, fate) in [(silent, Fate::Dropped(hook)), (told, Fate::Rejected(hook))] {
            if !set.is_empty() {
                ended.push(end(Flow { set, ..flow.clone() }, fate));
            }
        }
    }

    /// ICMP packets with types in these ranges.
    fn icmp(&mut self, types: &[Range]) -> PacketSet {
        let protocol = if self.space.family() == Family::V4 { ICMP } else { ICMP_V6 };
        let protocol = self.space.with_value(Field::Protocol, u128::from(protocol));
        let types = self.space.with(Field::SourcePort, types);
        self.space.intersection(protocol, types)
    }

    /// Splits packets by the state that conntrack gives them.
    fn track(&mut self, flow: Flow, connection: Connection) -> Vec<Flow> {
        let v4 = self.space.family() == Family::V4;
        let never = if v4 { PacketSet::NONE } else { self.icmp(&[(130, 136), (143, 143), (151, 152)]) };
        let requests: &[Range] =
            if v4 { &[(8, 8), (13, 13), (15, 15), (17, 17)] } else { &[(128, 128), (139, 139)] };
        let requests = self.icmp(requests);
        // of the other family as well
        let either = [ICMP, ICMP_V6].map(|protocol| (u128::from(protocol), u128::from(protocol)));
        let icmp = self.space.with(Field::Protocol, &either);
        let mut begins_nothing = self.space.difference(icmp, requests);
        if connection == Connection::AnswerToUntracked {
            let protocols = [TCP, SCTP].map(|protocol| (u128::from(protocol), u128::from(protocol)));
            let told_apart = self.space.with(Field::Protocol, &protocols);
            begins_nothing = self.space.union(begins_nothing, told_apart);
        }
        let rest = self.space.complement(never);
        let (invalid, fresh) =
            (self.space.intersection(rest, begins_nothing), self.space.difference(rest, begins_nothing));
        let states = match (flow.now.untracked, connection) {
            (true, _) => vec![(PacketSet::ALL, ConntrackStates::UNTRACKED)],
            (false, Connection::Answer) => {
                vec![(never, ConntrackStates::UNTRACKED), (rest, ConntrackStates::ESTABLISHED)]
            }
            (false, _) => vec![
                (never, ConntrackStates::UNTRACKED),
                (invalid, ConntrackStates::INVALID),
                (fresh, ConntrackStates::NEW),
            ],
        };
        let mut flows = Vec::new();
        for (set, state) in states {
            let mut next = Flow { set: self.space.intersection(flow.set, set), ..flow.clone() };
            next.now.track(state);
            if !next.set.is_empty() {
                flows.push(next);
            }
        }
        flows
    }

    /// Splits packets by where they go: an interface, or `None` for the node itself.
    fn route(&mut self, flows: Vec<Flow>, ended: &mut Vec<Flow>) -> Vec<(Flow, Option<u16>)> {
        let mut routed = Vec::new();
        for flow in flows {
            let mut left = flow.set;
            let ways = self.by_device.iter().map(|(device, set)| (Some(*device), *set)).collect::<Vec<_>>();
            for (way, destinations) in [(None, self.local)].into_iter().chain(ways) {
                let destinations = flow.now.put_into(&mut self.space, destinations);
                let set = self.space.intersection(left, destinations);
                if !set.is_empty() {
                    left = self.space.difference(left, set);
                    routed.push((Flow { set, ..flow.clone() }, way));
                }
            }
            if !left.is_empty() {
                ended.push(end(Flow { set: left, ..flow }, Fate::Unroutable));
            }
        }
        routed
    }
}

fn end(flow: Flow, fate: Fate) -> Flow {
    Flow { fate: Some(fate), ..flow }
}

/// Only the first packet of a connection meets the nat table.
fn is_translated(flow: &Flow) -> bool {
    let new = u128::from(state_value(ConntrackStates::NEW, flow.now.first));
    flow.now.set.contains(&(Field::State, new))
}

/// Flows with one fate are one. `tell_apart`: unless something else has become of them on their way.
fn join(space: &mut Space, flows: Vec<Flow>, tell_apart: bool) -> Vec<Flow> {
    let mut joined: Vec<Flow> = Vec::with_capacity(flows.len());
    let mut places: FxHashMap<u64, Vec<u32>> = FxHashMap::default();
    for flow in flows {
        let with_now = flow.fate.is_none() || tell_apart;
        let same = |own: &Flow| {
            own.fate == flow.fate
                && own.by == flow.by
                && own.limits == flow.limits
                && own.doubt == flow.doubt
                && (!with_now || own.now == flow.now)
                && (flow.fate.is_some() || own.chosen == flow.chosen)
        };
        let mut hasher = FxHasher::default();
        (flow.fate, &flow.by, &flow.limits, flow.doubt, with_now.then_some(&flow.now)).hash(&mut hasher);
        let alike = places.entry(hasher.finish()).or_default();
        match alike.iter().copied().find(|place| same(&joined[*place as usize])) {
            Some(place) => {
                let own = &mut joined[place as usize];
                own.set = space.union(own.set, flow.set);
                own.chosen.extend(flow.chosen);
            }
            None => {
                alike.push(joined.len() as u32);
                joined.push(flow);
            }
        }
    }
    joined
}
