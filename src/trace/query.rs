//! From one end to the other: which packets meet which fate, and because of which rules.

use super::end::End;
use crate::felix::verdict_marks;
use crate::ir::{Action, Family, Origin, Rule, TableName};
use crate::kernel::conntrack::Connection;
use crate::kernel::proxy::{self, Entry};
use crate::kernel::route::Routes;
use crate::kernel::symbolic::{
    Arrival, Attribution, Chosen, Doubt, Fate, Flow, Interfaces, Limit, RuleRef, Symbolic,
};
use crate::kernel::{Hook, Kernel};
use crate::model::Resources;
use crate::resolve::view::NodeView;
use crate::space::{Cube, Field, PacketSet, Range, Space};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Boxes that a class of packets is described by, at most.
const CUBES: usize = 20;

/// What is asked.
#[derive(Debug)]
pub struct Query<'q> {
    /// where packets come from
    pub from: &'q End,
    /// where they go
    pub to: &'q End,
    /// their protocol, any if not given
    pub protocol: Option<u8>,
    /// their destination ports, any if empty
    pub ports: Vec<u16>,
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
    /// the service that kube-proxy took them for, and the backends that they may go to
    pub service: Option<(&'k Entry, Vec<(IpAddr, u16)>)>,
    /// which of the addresses and ports that translation may choose lead here, in order
    pub chosen: Vec<Chosen>,
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
    proxy: Vec<Entry>,
    inside: Vec<String>,
    verdicts: u32,
}

impl<'p> Node<'p> {
    /// A node with the rules and sets of a dump. What kube-proxy does stands in its rules.
    pub fn of_dump(view: &NodeView, program: &'p crate::ir::Program, routes: Routes) -> Self {
        let interfaces = Interfaces::new(program, &routes, []);
        let kernel = Kernel::new(program, routes);
        Node { kernel, interfaces, proxy: Vec::new(), inside: Vec::new(), verdicts: verdict_marks(view) }
    }

    /// Makes a node ready: what it is to have, and its routes.
    pub fn new(
        view: &NodeView,
        program: &'p crate::ir::Program,
        routes: Routes,
        resources: &Resources,
    ) -> Self {
        let inside: Vec<String> = view.workloads.iter().map(|pod| pod.interface.to_string()).collect();
        let interfaces = Interfaces::new(program, &routes, inside.iter().map(String::as_str));
        Node {
            interfaces,
            proxy: proxy::entries(resources, &view.node),
            inside,
            verdicts: verdict_marks(view),
            kernel: Kernel::new(program, routes),
        }
    }

    /// The routes.
    pub fn routes(&self) -> &Routes {
        &self.kernel.routes
    }

    /// The answers, one for each family that both ends have.
    pub fn ask(&self, query: &Query<'_>) -> Vec<Answer<'_>> {
        [Family::V4, Family::V6].into_iter().filter_map(|family| self.family(query, family)).collect()
    }

    fn family(&self, query: &Query<'_>, family: Family) -> Option<Answer<'_>> {
        let (sources, destinations) = (query.from.ranges(family), query.to.ranges(family));
        if sources.is_empty() || destinations.is_empty() {
            return None;
        }
        let machine = match family {
            Family::V4 => &self.kernel.v4,
            Family::V6 => &self.kernel.v6,
        };
        let attribution = Attribution::On { verdicts: self.verdicts };
        let symbolic = Symbolic::new(family, machine, &self.kernel.routes, &self.interfaces, attribution);
        let mut symbolic = symbolic.with_proxy(&self.proxy, self.inside.iter().map(String::as_str));
        let (arrival, names) = query.from.arrival(&self.kernel.routes, family);
        let mut set = self.packets(&mut symbolic, query, &sources, &destinations);
        if arrival == Arrival::Outside {
            let numbers = names.iter().map(|name| u128::from(self.interfaces.number(name)));
            let numbers: Vec<Range> = numbers.map(|number| (number, number)).collect();
            let came = symbolic.space.with(Field::InInterface, &numbers);
            set = symbolic.space.intersection(set, came);
        }
        let mut classes: Vec<Class<'_>> = Vec::new();
        for flow in symbolic.send(set, arrival, Connection::First) {
            let Some(class) = self.class(&mut symbolic, set, &flow) else { continue };
            match classes.iter_mut().find(|own| own.differs_in_backend_only(&class)) {
                Some(own) => own.join(class),
                None => classes.push(class),
            }
        }
        // what happens up to a limit comes before what happens beyond it
        classes.sort_by_key(|class| class.limits.iter().any(|limit| !limit.within));
        Some(Answer { family, interfaces: names, classes })
    }

    fn packets(
        &self,
        symbolic: &mut Symbolic<'_, '_>,
        query: &Query<'_>,
        sources: &[Range],
        destinations: &[Range],
    ) -> PacketSet {
        let space = &mut symbolic.space;
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

    fn class(&self, symbolic: &mut Symbolic<'_, '_>, asked: PacketSet, flow: &Flow) -> Option<Class<'_>> {
        let fate = flow.fate?;
        let out = match fate {
            Fate::Forwarded(number) | Fate::Sent(number) => self.interfaces.name(number),
            _ => String::new(),
        };
        let family = symbolic.space.family();
        let mut steps: Vec<Step<'_>> = flow.by.iter().map(|at| self.step(*at, family)).collect();
        // noted and carried out by two rules: the first says what it is about
        steps.dedup_by(|second, first| second.is_of_the_same(first));
        Some(Class {
            fate,
            out_interface: out,
            limits: flow.limits.iter().map(|limit| self.side(limit, family)).collect(),
            doubt: flow.doubt,
            steps,
            service: flow.proxied.map(|own| (&self.proxy[own.entry], own.backend.into_iter().collect())),
            chosen: in_order(&flow.chosen),
            packets: packets(&mut symbolic.space, asked, flow.set),
            sample: symbolic.space.sample(flow.set)?,
        })
    }

    fn side(&self, limit: &Limit, family: Family) -> Side<'_> {
        Side { step: self.step(limit.rule, family), applies: limit.applies, within: limit.within }
    }

    fn step(&self, at: RuleRef, family: Family) -> Step<'_> {
        let machine = match family {
            Family::V4 => &self.kernel.v4,
            Family::V6 => &self.kernel.v6,
        };
        let chain = machine.table(at.table).chain(at.chain).chain;
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

impl Step<'_> {
    /// Whether two rules were rendered for the same rule of a policy or profile.
    fn is_of_the_same(&self, other: &Step<'_>) -> bool {
        match (&self.rule.origin, &other.rule.origin) {
            (Origin::Policy(own), Origin::Policy(other)) => own == other,
            (Origin::Profile(own, _), Origin::Profile(other, _)) => own == other,
            _ => false,
        }
    }

    /// Whether it sends packets elsewhere.
    pub fn translates(&self) -> bool {
        matches!(self.rule.action, Some(Action::Dnat(_) | Action::Redirect(_) | Action::NetMap(_)))
    }

    /// Whether it stands for something that somebody wrote.
    pub fn is_of_object(&self) -> bool {
        !matches!(self.rule.origin, Origin::Static | Origin::Config(_))
    }
}

impl<'k> Class<'k> {
    fn differs_in_backend_only(&self, other: &Class<'_>) -> bool {
        let service = |class: &Class<'_>| {
            class.service.as_ref().map(|(entry, _)| (entry.at, entry.kind, entry.address))
        };
        let out = matches!(self.fate, Fate::Forwarded(_)) && matches!(other.fate, Fate::Forwarded(_));
        self.service.is_some()
            && service(self) == service(other)
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

    /// The step to name first: of those that come from an object, the last before the fate; else the last.
    pub fn deciding(&self) -> Option<&Step<'k>> {
        let dropped = matches!(self.fate, Fate::Dropped(_) | Fate::Rejected(_));
        match self.steps.last() {
            // only REDIRECT discards, where there is no address; else it was the policy of a chain
            Some(last) if dropped && last.translates() && self.hook() != Some(Hook::Prerouting) => None,
            // the rule that discards is the reason, even where it stands for no object
            Some(last) if dropped => Some(last),
            // translation accepts nothing
            _ => {
                let mut accepting = self.steps.iter().rev().filter(|step| step.table != TableName::Nat);
                accepting.clone().find(|step| step.is_of_object()).or(accepting.next())
            }
        }
    }

    /// The place where they end, if they are discarded.
    pub fn hook(&self) -> Option<Hook> {
        match self.fate {
            Fate::Dropped(hook) | Fate::Rejected(hook) => Some(hook),
            _ => None,
        }
    }
}
