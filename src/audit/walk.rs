//! Packets from where they enter the cluster to where they end, through all nodes on the way.
//!
//! All that enters a node by one way is walked at once, as one set; so is all that goes on to a node from the others.
//! What becomes of it there is put back into the packets as they entered: a [`Part`] has these packets.

use super::decisions::{Decision, Decisions};
use super::nodes::{Owner, Ready, owners};
use crate::ir::Family;
use crate::kernel::Hook;
use crate::kernel::conntrack::Connection;
use crate::kernel::symbolic::{Arrival, Doubt, Fate, Flow, Symbolic};
use crate::resolve::Cluster;
use crate::space::{Field, PacketSet, Space};
use crate::trace::journey::{self, Carriers, Stop};
use crate::trace::onward::values;
use crate::trace::query::Step;
use crate::trace::tunnel::{self, Tunnel};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// Nodes that packets go through one after the other, at most.
const HOPS: usize = 4;

/// A part of the packets that entered: those with one end, for one reason.
#[derive(Debug, Clone)]
pub struct Part {
    /// which packets, as they entered
    pub set: PacketSet,
    /// where they end
    pub end: End,
    /// what the first node made of their destination: address, and port if it is another one
    pub to: Option<(u128, Option<u16>)>,
    /// the source that they have at their end, if it is not their own
    pub new_source: Option<u128>,
    /// the nodes on the way
    pub hops: Vec<Arc<Hop>>,
    /// how sure it is
    pub sure: Sure,
}

/// How sure it is that packets end there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sure {
    /// it is
    Yes,
    /// only up to a limit, or beyond it
    Limited,
    /// a rule on the way is not understood, or chance decides
    Perhaps,
}

/// A node on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// its number
    pub node: usize,
    /// the tunnel that packets came in by
    pub by: Option<Tunnel>,
    /// the interface that they leave on, "" if they do not
    pub out: String,
    /// the rules that decided, that of an object first that is nearest to the end
    pub rules: Vec<Arc<Decision>>,
}

/// Where packets end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// a pod gets them
    Pod {
        /// its node
        node: usize,
        /// `namespace/name`
        pod: Box<str>,
    },
    /// a process of a node gets them
    Node(usize),
    /// they leave a node for something that is not of the cluster
    Outside {
        /// the node
        node: usize,
        /// on this interface
        device: String,
    },
    /// a node discards them
    Blocked {
        /// the node
        node: usize,
        /// at this hook
        hook: Hook,
        /// the sender is told
        told: bool,
    },
    /// a node does not know where to send them
    NoRoute(usize),
    /// they go round and round
    Lost(usize),
}

impl End {
    /// Whether somebody gets them.
    pub fn is_reached(&self) -> bool {
        matches!(self, End::Pod { .. } | End::Node(_) | End::Outside { .. })
    }
}

/// Packets on their way, and where they have been.
struct Traveller {
    /// which of the sets that entered
    way: usize,
    trail: Vec<Rc<Passed>>,
    /// as they are now
    set: PacketSet,
}

/// A node that packets have passed.
struct Passed {
    flow: Flow,
    hop: Arc<Hop>,
}

/// Where packets come to next, and as what.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Door {
    node: usize,
    interface: String,
    mark: u32,
    by: Option<Tunnel>,
}

/// What becomes of packets that carry others from one node to another.
#[derive(Clone)]
struct Crossing {
    /// the marks of what comes out
    marks: Vec<u32>,
    /// where they are discarded, and the rules that decide
    stopped: Option<(End, Arc<Hop>)>,
}

/// What enters a node.
pub struct Entry {
    /// the node's number
    pub node: usize,
    /// from outside or from a process
    pub arrival: Arrival,
    /// which packets; those from outside with the interface that they come in on
    pub set: PacketSet,
}

/// All nodes, in one family.
pub struct Walker<'w, 'r> {
    cluster: &'w Cluster<'r>,
    /// the nodes
    pub nodes: &'w [&'w Ready<'w>],
    /// the space of all sets
    pub space: Space,
    decisions: Decisions,
    owners: BTreeMap<u128, Owner>,
    crossings: HashMap<(usize, usize, Tunnel, u32), Crossing>,
}

impl<'w, 'r> Walker<'w, 'r> {
    /// Makes the nodes ready.
    pub fn new(cluster: &'w Cluster<'r>, nodes: &'w [&'w Ready<'w>], family: Family) -> Self {
        Walker {
            cluster,
            nodes,
            space: Space::new(family),
            decisions: Decisions::default(),
            owners: owners(cluster, nodes, family),
            crossings: HashMap::new(),
        }
    }

    /// What becomes of packets that enter: for each entry its parts. They do not overlap, but where something is not
    /// sure.
    pub fn walk(&mut self, entries: &[Entry]) -> Vec<Vec<Part>> {
        let mut parts: Vec<Vec<Part>> = entries.iter().map(|_| Vec::new()).collect();
        let mut next: BTreeMap<Door, Vec<Traveller>> = BTreeMap::new();
        // what enters a node from outside enters it at once, whatever its interface
        let mut first: BTreeMap<(usize, bool), Vec<Traveller>> = BTreeMap::new();
        for (way, entry) in entries.iter().enumerate().filter(|(_, entry)| !entry.set.is_empty()) {
            let traveller = Traveller { way, trail: Vec::new(), set: entry.set };
            first.entry((entry.node, entry.arrival == Arrival::Process)).or_default().push(traveller);
        }
        for ((node, process), travellers) in first {
            let arrival = if process { Arrival::Process } else { Arrival::Outside };
            self.pass(node, arrival, (0, None), travellers, &mut parts, &mut next);
        }
        for _ in 1..HOPS {
            for (door, mut travellers) in std::mem::take(&mut next) {
                let interfaces = self.nodes[door.node].node.interfaces();
                let came = interfaces.number(&door.interface);
                let came = self.space.with_value(Field::InInterface, u128::from(came));
                for traveller in &mut travellers {
                    traveller.set = self.space.intersection(traveller.set, came);
                }
                let arrival = Arrival::Outside;
                self.pass(door.node, arrival, (door.mark, door.by), travellers, &mut parts, &mut next);
            }
        }
        for (door, travellers) in next {
            for traveller in travellers {
                let (way, end) = (traveller.way, End::Lost(door.node));
                let mut symbolic = self.symbolic(door.node);
                let set = back(&mut symbolic, &traveller.trail, traveller.set);
                self.space = symbolic.space;
                parts[way].push(part(&traveller.trail, None, set, end));
            }
        }
        parts
    }

    /// The sets are back in `self.space` only when the caller puts them there.
    fn symbolic(&mut self, node: usize) -> Symbolic<'w, 'w> {
        let empty = Space::new(self.space.family());
        self.nodes[node].node.symbolic(std::mem::replace(&mut self.space, empty))
    }

    /// Through one node.
    fn pass(
        &mut self,
        at: usize,
        arrival: Arrival,
        (mark, by): (u32, Option<Tunnel>),
        travellers: Vec<Traveller>,
        parts: &mut [Vec<Part>],
        next: &mut BTreeMap<Door, Vec<Traveller>>,
    ) {
        let mut symbolic = self.symbolic(at);
        let sets: Vec<PacketSet> = travellers.iter().map(|traveller| traveller.set).collect();
        let all = symbolic.space.union_of(sets);
        let flows = symbolic.send_marked(all, arrival, Connection::First, mark);
        // to whom, as what, on which interface, and with which mark
        let mut onward: Vec<(Traveller, usize, String, u32)> = Vec::new();
        for flow in flows {
            let hop = Arc::new(self.hop(at, by, &flow));
            for traveller in &travellers {
                let set = symbolic.space.intersection(flow.set, traveller.set);
                if set.is_empty() {
                    continue;
                }
                let mut own = Passed { flow: flow.clone(), hop: hop.clone() };
                own.flow.set = set;
                let own = Rc::new(own);
                let mut ended = |symbolic: &mut Symbolic<'_, '_>, end: End, set: PacketSet| {
                    let set = back(symbolic, &traveller.trail, set);
                    if !set.is_empty() {
                        parts[traveller.way].push(part(&traveller.trail, Some(&own), set, end));
                    }
                };
                match flow.fate {
                    Some(Fate::Delivered) => ended(&mut symbolic, End::Node(at), set),
                    Some(Fate::Dropped(hook)) => {
                        ended(&mut symbolic, End::Blocked { node: at, hook, told: false }, set);
                    }
                    Some(Fate::Rejected(hook)) => {
                        ended(&mut symbolic, End::Blocked { node: at, hook, told: true }, set);
                    }
                    Some(Fate::Unroutable) | None => ended(&mut symbolic, End::NoRoute(at), set),
                    Some(Fate::Forwarded(_) | Fate::Sent(_)) => {
                        let leaving = symbolic.leaving(&own.flow);
                        let (here, others, rest) = self.by_owner(&mut symbolic.space, at, leaving);
                        for (pod, set) in here {
                            let set = symbolic.before(&own.flow, set);
                            ended(&mut symbolic, End::Pod { node: at, pod }, set);
                        }
                        let set = symbolic.before(&own.flow, rest);
                        ended(&mut symbolic, End::Outside { node: at, device: hop.out.clone() }, set);
                        for (node, set) in others {
                            let trail = [&*traveller.trail, std::slice::from_ref(&own)].concat();
                            let traveller = Traveller { way: traveller.way, trail, set };
                            onward.push((traveller, node, hop.out.clone(), own.flow.mark()));
                        }
                    }
                }
            }
        }
        for (traveller, node, device, mark) in onward {
            let doors = self.doors(at, node, &device, mark);
            match doors {
                Ok(doors) => {
                    for door in doors {
                        let Traveller { way, trail, set } = &traveller;
                        next.entry(door).or_default().push(Traveller {
                            way: *way,
                            trail: trail.clone(),
                            set: *set,
                        });
                    }
                }
                Err((end, hop)) => {
                    let set = back(&mut symbolic, &traveller.trail, traveller.set);
                    let mut own = part(&traveller.trail, None, set, end);
                    own.hops.push(hop);
                    parts[traveller.way].push(own);
                }
            }
        }
        self.space = symbolic.space;
    }

    fn hop(&mut self, at: usize, by: Option<Tunnel>, flow: &Flow) -> Hop {
        let node = &self.nodes[at].node;
        let family = self.space.family();
        let out = match flow.fate {
            Some(Fate::Forwarded(number) | Fate::Sent(number)) => node.interfaces().name(number),
            _ => String::new(),
        };
        let steps: Vec<Step<'_>> = flow.by.iter().map(|rule| node.step(*rule, family)).collect();
        let rules = self.decisions.of(at, family, &steps, flow.fate);
        Hop { node: at, by, out, rules }
    }

    /// Packets that leave a node: those for its pods, those for other nodes, and the rest.
    #[allow(clippy::type_complexity)]
    fn by_owner(
        &self,
        space: &mut Space,
        at: usize,
        leaving: PacketSet,
    ) -> (Vec<(Box<str>, PacketSet)>, Vec<(usize, PacketSet)>, PacketSet) {
        let mut here = Vec::new();
        let mut others: BTreeMap<usize, Vec<(u128, u128)>> = BTreeMap::new();
        let mut rest = leaving;
        for (first, last) in values(space, leaving, Field::Destination) {
            for (address, owner) in self.owners.range(first..=last) {
                match &owner.pod {
                    Some(pod) if owner.node == at => {
                        let there = space.with_value(Field::Destination, *address);
                        here.push((pod.clone(), space.intersection(leaving, there)));
                        rest = space.difference(rest, there);
                    }
                    _ if owner.node == at => {}
                    _ => others.entry(owner.node).or_default().push((*address, *address)),
                }
            }
        }
        let mut of_nodes = Vec::new();
        for (node, addresses) in others {
            let there = space.with(Field::Destination, &addresses);
            of_nodes.push((node, space.intersection(leaving, there)));
            rest = space.difference(rest, there);
        }
        (here, of_nodes, rest)
    }

    /// How packets that leave a node for another come in there; where they end if they do not.
    fn doors(
        &mut self,
        from: usize,
        to: usize,
        device: &str,
        mark: u32,
    ) -> Result<Vec<Door>, (End, Arc<Hop>)> {
        let stop = |node: usize| Stop { view: &self.nodes[node].own.view, node: &self.nodes[node].node };
        let family = self.space.family();
        let Some((by, outer)) = Tunnel::behind(device, stop(from).view) else {
            let interface = journey::interface_towards(self.cluster, stop(from), stop(to), family);
            // the mark does not leave the node
            return Ok(vec![Door { node: to, interface, mark: 0, by: None }]);
        };
        let interface = by.interface(outer, stop(to).view);
        let crossing = self.cross(from, to, (by, outer), mark);
        match crossing.stopped {
            Some(stopped) => Err(stopped),
            None => {
                let door = |mark: u32| Door { node: to, interface: interface.clone(), mark, by: Some(by) };
                Ok(crossing.marks.into_iter().map(door).collect())
            }
        }
    }

    /// The packets that carry others: out of one node, and into the other.
    fn cross(&mut self, from: usize, to: usize, (by, outer): (Tunnel, Family), mark: u32) -> Crossing {
        if let Some(known) = self.crossings.get(&(from, to, by, mark)) {
            return known.clone();
        }
        let views = [from, to].map(|node| &self.nodes[node].own.view);
        let ends = views.map(|view| tunnel::end(self.cluster, &view.node, outer));
        let [Some(source), Some(destination)] = ends else {
            return Crossing { marks: vec![0], stopped: None };
        };
        let Carriers { mut query, space, set } = journey::carriers(by, outer, views, (source, destination));
        let mut walked = self.nodes[from].node.walk(space, set, &query.from, by.mark_outside(mark, views[0]));
        let sent: Vec<PacketSet> =
            walked.out.iter().filter(|out| out.device.is_some()).map(|out| out.set).collect();
        let set = walked.space.union_of(sent);
        let mut crossing = Crossing { marks: Vec::new(), stopped: None };
        if set.is_empty() {
            crossing.stopped = self.stopped(from, by, outer, &walked.answer.classes);
        } else {
            query.from = journey::arriving(query.from, views[1], destination);
            let walked = self.nodes[to].node.walk(walked.space, set, &query.from, 0);
            crossing.marks = walked.delivered_marks().into_iter().map(|mark| by.mark_inside(mark)).collect();
            crossing.marks.dedup();
            if crossing.marks.is_empty() {
                crossing.stopped = self.stopped(to, by, outer, &walked.answer.classes);
            }
        }
        self.crossings.insert((from, to, by, mark), crossing.clone());
        crossing
    }

    fn stopped(
        &mut self,
        at: usize,
        by: Tunnel,
        family: Family,
        classes: &[crate::trace::query::Class<'_>],
    ) -> Option<(End, Arc<Hop>)> {
        let class = classes.first()?;
        let end = match class.fate {
            Fate::Dropped(hook) => End::Blocked { node: at, hook, told: false },
            Fate::Rejected(hook) => End::Blocked { node: at, hook, told: true },
            _ => End::NoRoute(at),
        };
        let rules = self.decisions.of(at, family, &class.steps, Some(class.fate));
        Some((end, Arc::new(Hop { node: at, by: Some(by), out: String::new(), rules })))
    }
}

/// Packets at the end of a trail, as they entered.
fn back(symbolic: &mut Symbolic<'_, '_>, trail: &[Rc<Passed>], set: PacketSet) -> PacketSet {
    trail.iter().rev().fold(set, |set, passed| symbolic.before(&passed.flow, set))
}

fn part(trail: &[Rc<Passed>], last: Option<&Rc<Passed>>, set: PacketSet, end: End) -> Part {
    let all = || trail.iter().chain(last);
    let sure = |passed: &Rc<Passed>| match (passed.flow.doubt, &*passed.flow.limits) {
        (Doubt::None | Doubt::Endpoint, []) => Sure::Yes,
        (Doubt::None | Doubt::Endpoint, _) => Sure::Limited,
        _ => Sure::Perhaps,
    };
    Part {
        set,
        end,
        to: all().next().and_then(|first| first.flow.new_destination()),
        new_source: all().filter_map(|passed| passed.flow.new_source()).next_back(),
        hops: all().map(|passed| passed.hop.clone()).collect(),
        sure: all().map(sure).max().unwrap_or(Sure::Yes),
    }
}
