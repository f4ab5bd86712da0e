//! The exact sets of packets whose fate is another one.
//!
//! All packets that can come to a node, on any interface or from its own processes, and that may meet anything that
//! differs, are sent through both programs. What becomes of them is compared as sets: a packet is in one of the
//! results if and only if its fate is not the same.

use super::affected::affected;
use super::side::{Side, Taken};
use crate::ir::Family;
use crate::kernel::Hook;
use crate::kernel::conntrack::Connection;
use crate::kernel::packet::number;
use crate::kernel::symbolic::{Arrival, Attribution, Fate, Flow, Interfaces};
use crate::space::{Field, PacketSet, Range, Space};
use std::net::IpAddr;
use std::rc::Rc;

/// How the fate of packets changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// they are let through, and were not
    Widened,
    /// they were let through, and are not
    Narrowed,
    /// to or from a pod that was not there
    Came,
    /// to or from a pod that is not there any more
    Went,
    /// let through as before, or not, but in another way: on another interface, with or without an answer
    Otherwise,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Widened, Kind::Narrowed, Kind::Came, Kind::Went, Kind::Otherwise];

    /// Whether it is the state before that lets these packets through.
    pub fn is_of_before(self) -> bool {
        matches!(self, Kind::Narrowed | Kind::Went)
    }

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Widened => "widened",
            Kind::Narrowed => "narrowed",
            Kind::Came => "came",
            Kind::Went => "went",
            Kind::Otherwise => "otherwise",
        }
    }
}

/// Addresses of pods that are on one side only, anywhere in the cluster.
#[derive(Debug, Clone, Default)]
pub struct Moved {
    /// after, and not before
    pub came: Vec<IpAddr>,
    /// before, and not after
    pub went: Vec<IpAddr>,
}

/// Flows through one side, and what they have in common.
#[derive(Debug, Default)]
pub struct Verdicts {
    /// everything
    pub flows: Vec<Flow>,
    /// packets for services, by their names
    pub services: Rc<[Taken]>,
    /// packets that may be let through
    pub accepted: PacketSet,
    /// packets that may be lost
    lost: PacketSet,
}

impl Verdicts {
    /// Whether each of these packets may be let through, and may be lost.
    pub fn is_by_chance(&self, space: &mut Space, set: PacketSet) -> bool {
        space.is_subset(set, self.accepted) && space.is_subset(set, self.lost)
    }
}

/// Packets of one kind of connection.
#[derive(Debug)]
pub struct Compared {
    /// which packets of a connection
    pub connection: Connection,
    /// before
    pub before: Verdicts,
    /// after
    pub after: Verdicts,
    /// packets that were sent; the others may be let through or not, on both sides alike
    pub sent: PacketSet,
    /// those whose fate changes, by kind, in the order of [`Kind::ALL`]; they do not overlap
    pub sets: [PacketSet; Kind::ALL.len()],
}

/// The kinds of packets that can be compared, apart.
pub const CONNECTIONS: [Connection; 3] =
    [Connection::First, Connection::Answer, Connection::AnswerToUntracked];

/// Compares what two nodes do with all packets of a family, for each kind of connection that is asked for. A packet
/// from a process has no interface.
pub fn compare(
    space: &mut Space,
    before: &Side<'_>,
    after: &Side<'_>,
    interfaces: &Interfaces,
    moved: &Moved,
    connections: &[Connection],
) -> Vec<Compared> {
    let affected = affected(space, before, after, interfaces);
    if affected.is_empty() {
        let nothing = |connection: &Connection| Compared {
            connection: *connection,
            before: Verdicts::default(),
            after: Verdicts::default(),
            sent: affected,
            sets: Default::default(),
        };
        return connections.iter().map(nothing).collect();
    }
    let marked = Marked::new(space, before, after, interfaces, moved);
    let [old, new] = [before, after].map(|side| {
        let own = std::mem::replace(space, Space::new(space.family()));
        let (own, verdicts) = verdicts(own, side, interfaces, affected, connections);
        *space = own;
        verdicts
    });
    let mut compared: Vec<Compared> = Vec::new();
    for ((connection, before), after) in connections.iter().zip(old).zip(new) {
        let sets = marked.kinds(space, *connection, &before, &after);
        compared.push(Compared { connection: *connection, before, after, sent: affected, sets });
    }
    compared
}

/// What a side does with all packets, for each kind of connection.
fn verdicts(
    space: Space,
    side: &Side<'_>,
    interfaces: &Interfaces,
    affected: PacketSet,
    connections: &[Connection],
) -> (Space, Vec<Verdicts>) {
    let mut space = space;
    let services: Rc<[Taken]> = side.services(&mut space, interfaces).into();
    let mut symbolic = side.symbolic(space, interfaces, Attribution::Walk);
    let all = connections.iter().map(|connection| {
        let mut flows = Vec::new();
        for arrival in [Arrival::Outside, Arrival::Process] {
            let set = arriving(&mut symbolic.space, interfaces, arrival);
            let set = symbolic.space.intersection(set, affected);
            flows.extend(symbolic.send(set, arrival, *connection));
        }
        let sets = |accepted: bool| {
            let own = flows.iter().filter(move |flow| is_accepted(flow) == accepted);
            own.map(|flow| flow.set).collect::<Vec<_>>()
        };
        let (accepted, lost) = (sets(true), sets(false));
        let accepted = symbolic.space.union_of(accepted);
        let lost = symbolic.space.union_of(lost);
        Verdicts { flows, services: services.clone(), accepted, lost }
    });
    let all = all.collect();
    (symbolic.space, all)
}

/// All packets that arrive this way; those of processes have no interface.
pub fn arriving(space: &mut Space, interfaces: &Interfaces, arrival: Arrival) -> PacketSet {
    let numbers = match arrival {
        Arrival::Process => (0, 0),
        Arrival::Outside => (1, u128::from(interfaces.count()) - 1),
    };
    space.with(Field::InInterface, &[numbers])
}

/// Whether packets are let through.
pub fn is_accepted(flow: &Flow) -> bool {
    matches!(flow.fate, Some(Fate::Delivered | Fate::Forwarded(_) | Fate::Sent(_)))
}

/// What anybody outside of the node can see of a fate: not at which hook packets end.
fn seen(fate: Option<Fate>) -> Option<Fate> {
    Some(match fate? {
        Fate::Dropped(_) => Fate::Dropped(Hook::Prerouting),
        Fate::Rejected(_) => Fate::Rejected(Hook::Prerouting),
        other => other,
    })
}

/// Packets that have to do with something that is there on one side only.
struct Marked {
    came: PacketSet,
    went: PacketSet,
    /// services take them after, and did not before
    served: PacketSet,
    unserved: PacketSet,
}

impl Marked {
    fn new(
        space: &mut Space,
        before: &Side<'_>,
        after: &Side<'_>,
        interfaces: &Interfaces,
        moved: &Moved,
    ) -> Self {
        let mut pods = |own: &Side<'_>, other: &Side<'_>, addresses: &[IpAddr]| {
            let v4 = space.family() == Family::V4;
            let of_family = addresses.iter().filter(|address| address.is_ipv4() == v4);
            let ranges: Vec<Range> = of_family.map(|address| (number(*address), number(*address))).collect();
            let names = own.own.inside().filter(|name| !other.own.inside().any(|there| there == *name));
            let names = names.map(|name| u128::from(interfaces.number(name)));
            let names: Vec<Range> = names.map(|number| (number, number)).collect();
            let (source, destination, came) = (
                space.with(Field::Source, &ranges),
                space.with(Field::Destination, &ranges),
                space.with(Field::InInterface, &names),
            );
            space.union_of([source, destination, came])
        };
        let (went, came) = match (before.own.absent, after.own.absent) {
            (false, false) => (pods(before, after, &moved.went), pods(after, before, &moved.came)),
            // everything that a node does comes and goes with it
            (true, _) => (PacketSet::NONE, PacketSet::ALL),
            (_, true) => (PacketSet::ALL, PacketSet::NONE),
        };
        let [old, new] = [before, after].map(|side| side.services(space, interfaces));
        let served = lone(space, &new, &old);
        let unserved = lone(space, &old, &new);
        Marked { came, went, served, unserved }
    }

    fn kinds(
        &self,
        space: &mut Space,
        connection: Connection,
        before: &Verdicts,
        after: &Verdicts,
    ) -> [PacketSet; 5] {
        let left = changed(space, before, after);
        let came = space.intersection(left, self.came);
        let left = space.difference(left, came);
        let went = space.intersection(left, self.went);
        let mut left = space.difference(left, went);
        let mut take = |space: &mut Space, sets: [PacketSet; 2]| {
            let of_service = space.intersection(sets[0], sets[1]);
            let own = space.intersection(left, of_service);
            left = space.difference(left, own);
            own
        };
        // a service takes first packets; the others go where their connection does
        let (served, unserved) = match connection {
            Connection::First => (self.served, self.unserved),
            Connection::Answer | Connection::AnswerToUntracked => Default::default(),
        };
        let opened = take(space, [served, after.accepted]);
        let closed = take(space, [unserved, before.accepted]);
        let (more, less) = (rises(space, before, after), rises(space, after, before));
        let more = take(space, [more, PacketSet::ALL]);
        let less = take(space, [less, PacketSet::ALL]);
        let (widened, narrowed) = (space.union(opened, more), space.union(closed, less));
        [widened, narrowed, came, went, left]
    }
}

/// Packets whose fate is another one.
fn changed(space: &mut Space, before: &Verdicts, after: &Verdicts) -> PacketSet {
    let by_fate = |space: &mut Space, verdicts: &Verdicts| {
        let mut all: indexmap::IndexMap<Option<Fate>, Vec<PacketSet>> = indexmap::IndexMap::new();
        for flow in &verdicts.flows {
            all.entry(seen(flow.fate)).or_default().push(flow.set);
        }
        all.into_iter().map(|(fate, sets)| (fate, space.union_of(sets))).collect::<indexmap::IndexMap<_, _>>()
    };
    let (before, after) = (by_fate(space, before), by_fate(space, after));
    let mut changed = Vec::new();
    for fate in before.keys().chain(after.keys().filter(|fate| !before.contains_key(*fate))) {
        let [a, b] = [&before, &after].map(|all| all.get(fate).copied().unwrap_or_default());
        changed.extend([space.difference(a, b), space.difference(b, a)]);
    }
    space.union_of(changed)
}

/// Packets that are let through in more cases: always rather than sometimes or never, sometimes rather than never.
fn rises(space: &mut Space, before: &Verdicts, after: &Verdicts) -> PacketSet {
    let more = space.difference(after.accepted, before.accepted);
    let no_longer = space.difference(before.lost, after.lost);
    let no_longer = space.intersection(no_longer, after.accepted);
    space.union(more, no_longer)
}

/// Packets for the services that only one side has.
fn lone(space: &mut Space, own: &[Taken], other: &[Taken]) -> PacketSet {
    let lone = own.iter().filter(|own| other.iter().all(|there| there.entry != own.entry));
    let lone: Vec<PacketSet> = lone.map(|own| own.set).collect();
    space.union_of(lone)
}
