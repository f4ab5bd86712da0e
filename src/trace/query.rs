//! From one end to the other: which packets meet which fate, and because of which rules.

use super::end::End;
use crate::emit::origin;
use crate::felix::verdict_marks;
use crate::ir::{Action, Family, Origin, Rule, TableName};
use crate::kernel::conntrack::Connection;
use crate::kernel::route::Routes;
use crate::kernel::symbolic::{
    Arrival, Attribution, Chosen, Doubt, Fate, Flow, Interfaces, Limit, RuleRef, Symbolic,
};
use crate::kernel::{Hook, Kernel, Machine};
use crate::kube_proxy::ServiceRule;
use crate::resolve::view::NodeView;
use crate::space::{Cube, Field, PacketSet, Range, Space};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Boxes that a class of packets is described by, at most.
const CUBES: usize = 20;

/// What is asked.
#[derive(Debug)]
pub struct Query {
    /// where packets come from
    pub from: End,
    /// where they go
    pub to: End,
    /// their protocol, any if not given
    pub protocol: Option<u8>,
    /// their destination ports, any if empty
    pub ports: Vec<u16>,
}

impl Query {
    /// Sources and destinations in one family.
    pub fn ranges(&self, family: Family) -> (Vec<Range>, Vec<Range>) {
        (self.from.ranges(family), self.to.ranges(family))
    }
}

/// The answer for one family and one way into the node.
#[derive(Debug)]
pub struct Answer<'k> {
    /// address family
    pub family: Family,
    /// the interfaces that packets come in on; none if the node sends them
    pub interfaces: Vec<String>,
    /// packets by their fate
    pub classes: Vec<Class<'k>>,
}

/// What a node does with packets of one family.
#[derive(Debug)]
pub struct Walked<'k> {
    /// the answer
    pub answer: Answer<'k>,
    /// what leaves the node or, of packets that are delivered, what a process gets
    pub out: Vec<Out>,
    /// the space of their sets
    pub space: Space,
}

/// Packets as they are when the node is done with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Out {
    /// the interface that they leave on; `None` for those that are delivered
    pub device: Option<String>,
    /// which packets
    pub set: PacketSet,
    /// their mark
    pub mark: u32,
    /// the source that they were given, if it is not their own
    pub new_source: Option<u128>,
}

/// Packets with one fate, for one reason.
#[derive(Debug)]
pub struct Class<'k> {
    /// the fate
    pub fate: Fate,
    /// the interface that they leave on, if they do
    pub out_interface: String,
    /// the limits that matter: another class has the same packets on the other side
    pub limits: Vec<Side<'k>>,
    /// whether it is known for sure
    pub doubt: Doubt,
    /// the rules that led to it: those that noted a verdict, and those that decided
    pub steps: Vec<Step<'k>>,
    /// which of the addresses and ports that translation may choose lead here, in order
    pub chosen: Vec<Chosen>,
    /// the service that kube-proxy took them for, and the endpoints that they may go to
    pub service: Option<(&'k ServiceRule, Vec<(IpAddr, u16)>)>,
    /// the source that they have when they leave, if it is not their own
    pub new_source: Option<u128>,
    /// which packets
    pub packets: Packets,
    /// one of them
    pub sample: [u128; Field::ALL.len()],
}

/// The packets of a class, whichever way says it shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packets {
    /// all that were asked about
    All,
    /// these, and whether there are more
    These(Vec<Cube>, bool),
    /// all that were asked about but these
    AllBut(Vec<Cube>),
}

/// A side of a limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Side<'k> {
    /// the rule that has the limit
    pub step: Step<'k>,
    /// it applies on this side
    pub applies: bool,
    /// the limit is not reached
    pub within: bool,
}

/// A rule on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step<'k> {
    /// its table
    pub table: TableName,
    /// its chain
    pub chain: &'k crate::ir::Chain,
    /// the rule
    pub rule: &'k Rule,
}

/// A node, ready to be asked.
#[derive(Debug)]
pub struct Node<'p> {
    kernel: Kernel<'p>,
    interfaces: Interfaces,
    verdicts: u32,
}

impl<'p> Node<'p> {
    /// Makes a node ready: its rules, kube-proxy's among them, and its routes.
    pub fn new(view: &NodeView, program: &'p crate::ir::Program, routes: Routes) -> Self {
        let inside = view.workloads.iter().map(|pod| &*pod.interface);
        let interfaces = Interfaces::new(program, &routes, inside);
        Node { interfaces, verdicts: verdict_marks(view), kernel: Kernel::new(program, routes) }
    }

    /// The routes.
    pub fn routes(&self) -> &Routes {
        &self.kernel.routes
    }

    /// What becomes of packets that are asked about, in one family; `None` if the two ends do not both have it.
    pub fn ask(&self, query: &Query, family: Family) -> Option<Walked<'_>> {
        let (sources, destinations) = query.ranges(family);
        if sources.is_empty() || destinations.is_empty() {
            return None;
        }
        let mut space = Space::new(family);
        let set = packets_asked(&mut space, query, &sources, &destinations);
        Some(self.walk(space, set, &query.from, 0))
    }

    /// What becomes of packets that come from an end with this mark.
    pub fn walk(&self, space: Space, mut set: PacketSet, from: &End, mark: u32) -> Walked<'_> {
        let family = space.family();
        let routes = &self.kernel.routes;
        let mut symbolic = self.symbolic(space);
        let (arrival, names) = from.arrival(routes, family);
        if arrival == Arrival::Outside {
            let numbers = names.iter().map(|name| u128::from(self.interfaces.number(name)));
            let numbers: Vec<Range> = numbers.map(|number| (number, number)).collect();
            let came = symbolic.space.with(Field::InInterface, &numbers);
            set = symbolic.space.intersection(set, came);
        }
        let flows = symbolic.send_marked(set, arrival, Connection::First, mark);
        let out = self.out(&mut symbolic, &flows);
        let mut classes: Vec<Class<'_>> = Vec::new();
        for flow in alike(&mut symbolic.space, flows) {
            let Some(class) = self.class(&mut symbolic, set, &flow) else { continue };
            match classes.iter_mut().find(|own| own.differs_in_backend_only(&class)) {
                Some(own) => own.join(class),
                None => classes.push(class),
            }
        }
        // what happens up to a limit comes before what happens beyond it
        classes.sort_by_key(|class| class.limits.iter().any(|limit| !limit.within));
        Walked { answer: Answer { family, interfaces: names, classes }, out, space: symbolic.space }
    }

    /// The kernel for sets of packets of a space, with the rules that decide.
    pub fn symbolic(&self, space: Space) -> Symbolic<'_, 'p> {
        let machine = self.machine(space.family());
        let attribution = Attribution::On { verdicts: self.verdicts };
        Symbolic::within(space, machine, &self.kernel.routes, &self.interfaces, attribution)
    }

    /// The numbers of interfaces in sets of packets.
    pub fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }

    fn machine(&self, family: Family) -> &Machine<'p> {
        match family {
            Family::V4 => &self.kernel.v4,
            Family::V6 => &self.kernel.v6,
        }
    }

    fn out(&self, symbolic: &mut Symbolic<'_, '_>, flows: &[Flow]) -> Vec<Out> {
        let mut out: Vec<Out> = Vec::new();
        for flow in flows {
            let device = match flow.fate {
                Some(Fate::Forwarded(number) | Fate::Sent(number)) => Some(self.interfaces.name(number)),
                Some(Fate::Delivered) => None,
                _ => continue,
            };
            let set = symbolic.leaving(flow);
            let next = Out { device, set, mark: flow.mark(), new_source: flow.new_source() };
            let same = |own: &&mut Out| Out { set, ..(**own).clone() } == next;
            match out.iter_mut().find(same) {
                Some(own) => own.set = symbolic.space.union(own.set, set),
                None => out.push(next),
            }
        }
        out
    }

    fn class(&self, symbolic: &mut Symbolic<'_, '_>, asked: PacketSet, flow: &Flow) -> Option<Class<'_>> {
        let fate = flow.fate?;
        let out = match fate {
            Fate::Forwarded(number) | Fate::Sent(number) => self.interfaces.name(number),
            _ => String::new(),
        };
        let family = symbolic.space.family();
        let mut steps: Vec<Step<'_>> = flow.by.iter().map(|at| self.step(*at, family)).collect();
        let service = service(&mut steps);
        // noted and carried out by two rules: the first says what it is about
        steps.dedup_by(|second, first| second.is_of_the_same(first));
        Some(Class {
            fate,
            out_interface: out,
            limits: flow.limits.iter().map(|limit| self.side(limit, family)).collect(),
            // the service says that it goes to one of several endpoints
            doubt: if flow.doubt == Doubt::Endpoint { Doubt::None } else { flow.doubt },
            steps,
            service,
            chosen: in_order(&flow.chosen),
            new_source: flow.new_source(),
            packets: packets(&mut symbolic.space, asked, flow.set),
            sample: symbolic.space.sample(flow.set)?,
        })
    }

    fn side(&self, limit: &Limit, family: Family) -> Side<'_> {
        Side { step: self.step(limit.rule, family), applies: limit.applies, within: limit.within }
    }

    /// A rule that a flow names.
    pub fn step(&self, at: RuleRef, family: Family) -> Step<'_> {
        let chain = self.machine(family).table(at.table).chain(at.chain).chain;
        Step { table: at.table, chain, rule: &chain.rules[at.rule] }
    }
}

/// Each once, and those that follow each other as one range.
fn in_order(chosen: &[Chosen]) -> Vec<Chosen> {
    let sorted: BTreeSet<Chosen> = chosen.iter().copied().collect();
    let mut joined: Vec<Chosen> = Vec::new();
    for own in sorted {
        match joined.last_mut() {
            Some(before) if follows(before.ports, own.ports) && before.addresses == own.addresses => {
                before.ports = before.ports.zip(own.ports).map(|((first, _), (_, last))| (first, last));
            }
            Some(before) if follows(before.addresses, own.addresses) && before.ports == own.ports => {
                before.addresses =
                    before.addresses.zip(own.addresses).map(|((first, _), (_, last))| (first, last));
            }
            _ => joined.push(own),
        }
    }
    joined
}

/// The packets that are asked about.
pub fn packets_asked(
    space: &mut Space,
    query: &Query,
    sources: &[Range],
    destinations: &[Range],
) -> PacketSet {
    let mut set = PacketSet::ALL;
    let mut restrict = |field: Field, ranges: &[Range]| {
        let wanted = space.with(field, ranges);
        set = space.intersection(set, wanted);
    };
    restrict(Field::Source, sources);
    restrict(Field::Destination, destinations);
    if let Some(protocol) = query.protocol {
        restrict(Field::Protocol, &[(u128::from(protocol), u128::from(protocol))]);
    }
    if !query.ports.is_empty() {
        let ports: Vec<Range> =
            query.ports.iter().map(|port| (u128::from(*port), u128::from(*port))).collect();
        restrict(Field::DestinationPort, &ports);
    }
    set
}

/// Flows that are told in one way are one.
fn alike(space: &mut Space, flows: Vec<Flow>) -> Vec<Flow> {
    let mut joined: Vec<Flow> = Vec::new();
    for flow in flows {
        let same = |own: &&mut Flow| {
            (own.fate, own.doubt, own.new_source()) == (flow.fate, flow.doubt, flow.new_source())
                && own.by == flow.by
                && own.limits == flow.limits
        };
        match joined.iter_mut().find(same) {
            Some(own) => {
                own.set = space.union(own.set, flow.set);
                own.chosen.extend(flow.chosen);
            }
            None => joined.push(flow),
        }
    }
    joined
}

/// Whether a range begins where another one ends.
fn follows(one: Option<Range>, other: Option<Range>) -> bool {
    one.zip(other).is_some_and(|((_, end), (start, _))| end.checked_add(1) == Some(start))
}

fn packets(space: &mut Space, asked: PacketSet, set: PacketSet) -> Packets {
    if set == asked {
        return Packets::All;
    }
    let rest = space.difference(asked, set);
    let ((these, whole), (others, all_others)) = (space.cubes(set, CUBES), space.cubes(rest, CUBES));
    let size = |cubes: &[Cube]| -> usize {
        cubes.iter().flat_map(|cube| &cube.sides).map(|(_, ranges)| ranges.len()).sum()
    };
    if all_others && (!whole || size(&others) < size(&these)) {
        Packets::AllBut(others)
    } else {
        Packets::These(these, !whole)
    }
}

/// Takes what kube-proxy does in the nat table out of the steps: the service that it takes packets for, and the
/// endpoint that they go to. What it discards in the filter table stays, as the reason.
fn service<'k>(steps: &mut Vec<Step<'k>>) -> Option<(&'k ServiceRule, Vec<(IpAddr, u16)>)> {
    let mut found: Option<(&ServiceRule, Vec<(IpAddr, u16)>)> = None;
    steps.retain(|step| {
        let Origin::Service(own) = &step.rule.origin else { return true };
        if own.takes.is_some() {
            let endpoints = found.take().map_or_else(Vec::new, |(_, endpoints)| endpoints);
            found = Some((own, endpoints));
        }
        if let (Some(Action::Dnat(to)), Some((_, endpoints))) = (&step.rule.action, &mut found) {
            endpoints.extend(to.addresses.zip(to.ports).map(|((address, _), (port, _))| (address, port)));
        }
        step.table != TableName::Nat
    });
    found
}

/// The step to name first: of those that come from an object, the last before the fate; else the last.
pub fn deciding<'s, 'k>(steps: &'s [Step<'k>], fate: Fate) -> Option<&'s Step<'k>> {
    let dropped = matches!(fate, Fate::Dropped(_) | Fate::Rejected(_));
    let early = matches!(fate, Fate::Dropped(Hook::Prerouting) | Fate::Rejected(Hook::Prerouting));
    match steps.last() {
        // only REDIRECT discards, where there is no address; else it was the policy of a chain
        Some(last) if dropped && last.translates() && !early => None,
        // the rule that discards is the reason, even where it stands for no object
        Some(last) if dropped => Some(last),
        // translation accepts nothing
        _ => {
            let mut accepting = steps.iter().rev().filter(|step| step.table != TableName::Nat);
            accepting.clone().find(|step| step.is_of_object()).or(accepting.next())
        }
    }
}

impl Step<'_> {
    /// Whether two rules were rendered for the same rule of a policy or profile.
    fn is_of_the_same(&self, other: &Step<'_>) -> bool {
        match (&self.rule.origin, &other.rule.origin) {
            (Origin::Policy(own), Origin::Policy(other)) => own == other,
            (Origin::Profile(own, _), Origin::Profile(other, _)) => own == other,
            _ => false,
        }
    }

    /// What the rule is for. What stands for no rule of a policy says so in its own words.
    pub fn reason(&self) -> String {
        match (&self.rule.origin, self.rule.comments.first()) {
            (Origin::Policy(_) | Origin::Profile(..) | Origin::Config(_), _) | (_, None) => {
                origin::phrase(&self.rule.origin)
            }
            (_, Some(comment)) => format!("\"{comment}\""),
        }
    }

    /// Whether it sends packets elsewhere.
    pub fn translates(&self) -> bool {
        matches!(self.rule.action, Some(Action::Dnat(_) | Action::Redirect(_) | Action::NetMap(_)))
    }

    /// Whether it gives packets another source.
    pub fn rewrites_source(&self) -> bool {
        matches!(self.rule.action, Some(Action::Snat(_) | Action::Masquerade(_)))
    }

    /// Whether it stands for something that somebody wrote.
    pub fn is_of_object(&self) -> bool {
        !matches!(self.rule.origin, Origin::Static | Origin::Config(_))
    }
}

impl<'k> Class<'k> {
    fn differs_in_backend_only(&self, other: &Class<'_>) -> bool {
        let (Some((service, _)), Some((others, _))) = (&self.service, &other.service) else { return false };
        let out = matches!(self.fate, Fate::Forwarded(_)) && matches!(other.fate, Fate::Forwarded(_));
        *service == *others
            && self.new_source == other.new_source
            && (self.fate == other.fate || out)
            && (self.doubt, &self.limits) == (other.doubt, &other.limits)
            && self.packets == other.packets
            && self.steps == other.steps
    }

    fn join(&mut self, other: Class<'k>) {
        if let (Some((_, own)), Some((_, more))) = (&mut self.service, other.service) {
            own.extend(more);
        }
        if !self.out_interface.split(", ").any(|own| own == other.out_interface) {
            self.out_interface = format!("{}, {}", self.out_interface, other.out_interface);
        }
    }

    /// The step to name first.
    pub fn deciding(&self) -> Option<&Step<'k>> {
        deciding(&self.steps, self.fate)
    }

    /// The place where they end, if they are discarded.
    pub fn hook(&self) -> Option<Hook> {
        match self.fate {
            Fate::Dropped(hook) | Fate::Rejected(hook) => Some(hook),
            _ => None,
        }
    }
}
