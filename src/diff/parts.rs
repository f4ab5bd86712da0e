//! Packets whose fate changes → parts: whose they are, and in which direction.
//!
//! Whose they are is for the rule to say that refuses them on one of the two sides: one of a pod's chains, of an
//! interface's, or of a policy that applies to one. Whom they would reach is for the side to say that lets them through.

use super::exact::{self, Compared, Kind, Verdicts};
use super::side::Side;
use crate::ir::{Family, Origin, TableName};
use crate::kernel::Hook;
use crate::kernel::conntrack::Connection;
use crate::kernel::route::LOOPBACK;
use crate::kernel::symbolic::{Arrival, Attribution, Fate, Flow, Interfaces, RuleRef};
use crate::model::calico::Direction;
use crate::resolve::view::PolicyId;
use crate::space::{Field, PacketSet, Space};
use indexmap::IndexMap;

/// Whose rules packets meet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// a pod on the node, by its interface
    Pod(Box<str>),
    /// an interface of the node itself
    Interface(Box<str>),
    /// the node
    Node,
}

/// What parts are told apart by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// whose they are
    pub endpoint: Endpoint,
    /// to it or from it; `None` where no policy decides
    pub direction: Option<Direction>,
    /// the number of the entry of kube-proxy that takes them, on the side that lets them through
    pub service: Option<usize>,
}

/// Two sides and what they share.
pub struct Both<'k, 'p> {
    /// before
    pub before: &'k Side<'p>,
    /// after
    pub after: &'k Side<'p>,
    /// numbers of interfaces
    pub interfaces: &'k Interfaces,
}

/// Parts of the packets of one kind.
pub type Parts = IndexMap<Place, PacketSet>;

impl<'k, 'p> Both<'k, 'p> {
    /// The side that lets packets of a kind through.
    pub fn letting(&self, kind: Kind) -> &'k Side<'p> {
        if kind.is_of_before() { self.before } else { self.after }
    }

    /// The side that refuses them.
    fn refusing(&self, kind: Kind) -> &'k Side<'p> {
        if kind.is_of_before() { self.after } else { self.before }
    }

    /// Parts the packets of a kind.
    pub fn part(&self, space: &mut Space, compared: &Compared, kind: Kind) -> Parts {
        let set = compared.sets[kind as usize];
        let letting = if kind.is_of_before() { &compared.before } else { &compared.after };
        let mut parts = Parts::default();
        match kind {
            Kind::Otherwise => {
                let place = Place { endpoint: Endpoint::Node, direction: None, service: None };
                parts.insert(place, set);
            }
            // what is lost on the side where there is a pod says nothing new
            Kind::Came | Kind::Went => {
                let set = space.intersection(set, letting.accepted);
                self.of_moved(space, kind, letting, set, &mut parts);
            }
            Kind::Widened | Kind::Narrowed => {
                self.of_policies(space, compared.connection, kind, letting, set, &mut parts);
            }
        }
        parts.retain(|_, set| !set.is_empty());
        parts
    }

    /// To or from pods that came or went: those pods first, then whoever else is on this node.
    fn of_moved(&self, space: &mut Space, kind: Kind, letting: &Verdicts, set: PacketSet, parts: &mut Parts) {
        let (own, other) = (self.letting(kind), self.refusing(kind));
        let (new, old): (Vec<&str>, Vec<&str>) =
            own.own.inside().partition(|name| !other.own.inside().any(|there| there == *name));
        let mut left = set;
        for name in new.iter().chain(&old) {
            let number = self.interfaces.number(name);
            let from = space.with_value(Field::InInterface, u128::from(number));
            let out = forwarded(letting, number);
            let to = space.union_of(out);
            let pod = Endpoint::Pod((*name).into());
            for (there, direction) in [(to, Direction::Ingress), (from, Direction::Egress)] {
                let own = space.intersection(left, there);
                left = space.difference(left, own);
                add(space, parts, place(pod.clone(), Some(direction), None), own);
            }
        }
        if !other.own.absent {
            return add(space, parts, place(Endpoint::Node, None, None), left);
        }
        // a node that came or went, by its interfaces; its processes send what comes in on none. Over `lo` they only come
        // in again, and of interfaces that it does not have there is nothing to tell
        let interfaces = own.own.interfaces.iter().map(|interface| &*interface.name);
        let interfaces = interfaces.filter(|name| *name != LOOPBACK).map(|name| self.interfaces.number(name));
        let ways = interfaces.map(|number| (number, Direction::Ingress)).chain([(0, Direction::Egress)]);
        for (number, direction) in ways {
            let came = space.with_value(Field::InInterface, u128::from(number));
            left = self.take(space, letting, left, (number, came), direction, parts);
        }
    }

    fn of_policies(
        &self,
        space: &mut Space,
        connection: Connection,
        kind: Kind,
        letting: &Verdicts,
        set: PacketSet,
        parts: &mut Parts,
    ) {
        let refusing = self.refusing(kind);
        let own = std::mem::replace(space, Space::new(space.family()));
        // the rules that decide, without those that only noted a verdict
        let mut symbolic = refusing.symbolic(own, self.interfaces, Attribution::On { verdicts: 0 });
        let mut flows = Vec::new();
        for arrival in [Arrival::Outside, Arrival::Process] {
            let arriving = exact::arriving(&mut symbolic.space, self.interfaces, arrival);
            let set = symbolic.space.intersection(set, arriving);
            if !set.is_empty() {
                flows.extend(symbolic.send(set, arrival, connection));
            }
        }
        *space = symbolic.space;
        let mut left = set;
        for flow in flows.iter().filter(|flow| !exact::is_accepted(flow)) {
            let own = space.intersection(left, flow.set);
            left = space.difference(left, own);
            self.of_rule(space, kind, letting, flow, own, parts);
        }
        // let through on both sides: a service takes them, or does not any more
        self.add_by_service(space, letting, left, &Endpoint::Node, Some(Direction::Ingress), parts);
    }

    /// Packets that one rule refuses.
    fn of_rule(
        &self,
        space: &mut Space,
        kind: Kind,
        letting: &Verdicts,
        flow: &Flow,
        set: PacketSet,
        parts: &mut Parts,
    ) {
        let (refusing, family) = (self.refusing(kind), space.family());
        let rule = flow.by.last().filter(|_| matches!(flow.fate, Some(Fate::Dropped(_) | Fate::Rejected(_))));
        let Some(at) = rule else {
            return self.add_by_service(space, letting, set, &Endpoint::Node, None, parts);
        };
        let chain = refusing.machine(family).table(at.table).chain(at.chain).chain;
        let (forward, hook) = match flow.fate {
            Some(Fate::Dropped(hook) | Fate::Rejected(hook)) => (hook == Hook::Forward, hook),
            _ => (false, Hook::Input),
        };
        let filter = at.table == TableName::Filter;
        match prefix(&chain.name) {
            Some("tw") => match self.pod_of(&chain.name) {
                // where a service may choose others, whom packets reach where they are let through says too little
                Some(pod) => self.add_by_service(space, letting, set, &pod, Some(Direction::Ingress), parts),
                None => self.by_out(space, letting, set, Direction::Ingress, parts),
            },
            Some("fw") => self.by_in(space, letting, set, Direction::Egress, parts),
            Some("fh" | "fhfw") => self.by_in(space, letting, set, Direction::Ingress, parts),
            Some("th" | "thfw") => self.by_out(space, letting, set, Direction::Egress, parts),
            Some("pi" | "gi" | "pri") if forward && filter => {
                // of pods, if they have the policy; else of the interface that they come in on
                for (number, out) in outs(letting) {
                    let own = space.intersection(set, out);
                    let name = self.interfaces.name(number);
                    let policy = policy_of(refusing, family, *at);
                    if has_policy(refusing, &name, policy, Direction::Ingress) {
                        let pod = Endpoint::Pod(name.into());
                        self.add_by_service(space, letting, own, &pod, Some(Direction::Ingress), parts);
                    } else {
                        self.by_in(space, letting, own, Direction::Ingress, parts);
                    }
                }
            }
            Some("pi" | "gi" | "pri") => self.by_in(space, letting, set, Direction::Ingress, parts),
            Some("po" | "go" | "pro") if filter && matches!(hook, Hook::Forward | Hook::Input) => {
                self.by_in(space, letting, set, Direction::Egress, parts);
            }
            Some("po" | "go" | "pro") => self.by_out(space, letting, set, Direction::Egress, parts),
            _ => self.add_by_service(space, letting, set, &Endpoint::Node, None, parts),
        }
    }

    /// Makes those packets that are on an interface a part of their own, and gives the others.
    fn take(
        &self,
        space: &mut Space,
        letting: &Verdicts,
        packets: PacketSet,
        (number, on_it): (u16, PacketSet),
        direction: Direction,
        parts: &mut Parts,
    ) -> PacketSet {
        let own = space.intersection(packets, on_it);
        if !own.is_empty() {
            let endpoint = self.endpoint(&self.interfaces.name(number));
            self.add_by_service(space, letting, own, &endpoint, Some(direction), parts);
        }
        space.difference(packets, own)
    }

    /// Parts packets by the interface that they come in on.
    fn by_in(
        &self,
        space: &mut Space,
        letting: &Verdicts,
        set: PacketSet,
        direction: Direction,
        parts: &mut Parts,
    ) {
        let mut left = set;
        for number in 0..self.interfaces.count() {
            if left.is_empty() {
                break;
            }
            let came = space.with_value(Field::InInterface, u128::from(number));
            left = self.take(space, letting, left, (number, came), direction, parts);
        }
    }

    /// Parts packets by the interface that they leave on, where they are let through.
    fn by_out(
        &self,
        space: &mut Space,
        letting: &Verdicts,
        set: PacketSet,
        direction: Direction,
        parts: &mut Parts,
    ) {
        let mut left = set;
        for (number, out) in outs(letting) {
            left = self.take(space, letting, left, (number, out), direction, parts);
        }
        self.add_by_service(space, letting, left, &Endpoint::Node, Some(direction), parts);
    }

    /// The pod whose chain it is, as Felix names it: `cali-tw-cali1234`.
    fn pod_of(&self, chain: &str) -> Option<Endpoint> {
        let interface = chain.splitn(3, '-').nth(2)?;
        let is_there =
            [self.before, self.after].iter().any(|side| side.own.inside().any(|own| own == interface));
        is_there.then(|| Endpoint::Pod(interface.into()))
    }

    fn endpoint(&self, interface: &str) -> Endpoint {
        let is_pod = |side: &Side<'_>| side.own.inside().any(|name| name == interface);
        match interface {
            "" => Endpoint::Node,
            name if is_pod(self.before) || is_pod(self.after) => Endpoint::Pod(name.into()),
            name => Endpoint::Interface(name.into()),
        }
    }

    fn add_by_service(
        &self,
        space: &mut Space,
        letting: &Verdicts,
        set: PacketSet,
        endpoint: &Endpoint,
        direction: Option<Direction>,
        parts: &mut Parts,
    ) {
        let mut left = set;
        // what a pod sends to a service is told with the rest that it sends
        let told = direction != Some(Direction::Egress);
        for (number, taken) in letting.services.iter().enumerate().filter(|_| told) {
            let own = space.intersection(left, taken.set);
            left = space.difference(left, own);
            add(space, parts, place(endpoint.clone(), direction, Some(number)), own);
        }
        add(space, parts, place(endpoint.clone(), direction, None), left);
    }
}

fn place(endpoint: Endpoint, direction: Option<Direction>, service: Option<usize>) -> Place {
    Place { endpoint, direction, service }
}

fn add(space: &mut Space, parts: &mut Parts, place: Place, set: PacketSet) {
    if !set.is_empty() {
        let own = parts.entry(place).or_insert(PacketSet::NONE);
        *own = space.union(*own, set);
    }
}

/// The interfaces that packets leave on, and which do.
fn outs(verdicts: &Verdicts) -> Vec<(u16, PacketSet)> {
    let out = |flow: &Flow| match flow.fate {
        Some(Fate::Forwarded(number) | Fate::Sent(number)) => Some((number, flow.set)),
        _ => None,
    };
    verdicts.flows.iter().filter_map(out).collect()
}

/// Packets that leave on an interface.
pub fn forwarded(verdicts: &Verdicts, interface: u16) -> Vec<PacketSet> {
    outs(verdicts).into_iter().filter(|(number, _)| *number == interface).map(|(_, set)| set).collect()
}

/// The letters that say what kind of chain it is: `pi` of `cali-pi-gnp/x`.
fn prefix(chain: &str) -> Option<&str> {
    chain.strip_prefix("cali-")?.split('-').next()
}

fn policy_of<'s>(side: &'s Side<'_>, family: Family, at: RuleRef) -> Option<&'s PolicyId> {
    match &side.machine(family).table(at.table).chain(at.chain).chain.rules[at.rule].origin {
        Origin::Policy(rule) => Some(&rule.policy),
        _ => None,
    }
}

/// Whether a policy applies to a pod; what is no policy's is a profile's, which all pods have.
fn has_policy(side: &Side<'_>, interface: &str, policy: Option<&PolicyId>, direction: Direction) -> bool {
    let view = &side.own.view;
    let Some(pod) = view.workloads.iter().find(|pod| *pod.interface == *interface) else { return false };
    let Some(policy) = policy else { return true };
    let groups = pod.tiers.iter().flat_map(|tier| match direction {
        Direction::Ingress => &tier.ingress,
        Direction::Egress => &tier.egress,
    });
    groups.flat_map(|group| &group.policies).any(|index| view.policies[index.0 as usize].id == *policy)
}
