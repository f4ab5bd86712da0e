//! One of the two nodes that are compared: its rules, sets, addresses, routes and services.

use crate::diagnostic::Location;
use crate::felix;
use crate::ir::{Action, Family, Origin, Program, RuleSet, TableName};
use crate::kernel::route::Routes;
use crate::kernel::symbolic::{Attribution, Interfaces, Matches, Symbolic};
use crate::kernel::{Kernel, Machine};
use crate::kube_proxy::Kind;
use crate::resolve::Cluster;
use crate::resolve::view::{Interface, NodeView};
use crate::space::{Field, PacketSet, Space};
use crate::syntax::ip_route::Route;
use crate::trace::words;
use crate::trace::{assume, journey};
use std::fmt;

/// What a node is to have.
#[derive(Debug)]
pub struct Compiled {
    /// what the node's agent knows
    pub view: NodeView,
    /// what it programs
    pub program: Program,
    /// the same with kube-proxy's rules
    pub with_proxy: Program,
    /// the node's routes
    pub routes: Vec<Route>,
    /// its interfaces, those of tunnels among them
    pub interfaces: Vec<Interface>,
    /// there is no such node on this side
    pub absent: bool,
}

impl Compiled {
    /// Renders a node, with the routes that it seems to have.
    pub fn new(cluster: &Cluster<'_>, view: NodeView, given: bool) -> Self {
        // that they are assumed is said once, for both sides
        let routes = assume::routes(cluster, &view, &mut Vec::new());
        let program = felix::render(&view);
        let with_proxy = journey::with_kube_proxy(program.clone(), cluster, &view, &mut Vec::new());
        let interfaces = assume::interfaces(&view, given);
        Compiled { view, program, with_proxy, routes, interfaces, absent: false }
    }

    /// The other side of a node that only one side has: it has no route, so no packet gets anywhere.
    pub fn absent(there: &Compiled) -> Self {
        let rules = |family| RuleSet { family, tables: Vec::new() };
        let program = Program { v4: rules(Family::V4), v6: rules(Family::V6), sets: Vec::new() };
        let view = NodeView { workloads: Vec::new(), ..there.view.clone() };
        let (with_proxy, routes, interfaces) = (program.clone(), Vec::new(), Vec::new());
        Compiled { view, program, with_proxy, routes, interfaces, absent: true }
    }

    /// Names of the interfaces of the node's pods.
    pub fn inside(&self) -> impl Iterator<Item = &str> {
        self.view.workloads.iter().map(|pod| &*pod.interface)
    }

    /// Whether some rule exempts packets from tracking.
    pub fn has_untracked(&self) -> bool {
        let tables = self.program.v4.tables.iter().chain(&self.program.v6.tables);
        let mut rules = tables.flat_map(|table| &table.chains).flat_map(|chain| &chain.rules);
        rules.any(|rule| rule.action == Some(Action::NoTrack))
    }
}

/// What kube-proxy takes for a service. Two are the same wherever they are written.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `node port 30080`
    pub what: String,
    /// the service, `namespace/name`
    pub name: String,
    /// where its port is written
    pub at: Location,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (&self.what, &self.name) == (&other.what, &other.name)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of service {}", self.what, self.name)
    }
}

/// Packets that kube-proxy takes for a service.
#[derive(Debug)]
pub struct Taken {
    /// what they are for
    pub entry: Entry,
    /// the packets, as they come in
    pub set: PacketSet,
    /// numbers of the chains of the nat table that give them their new destinations
    pub chains: Vec<usize>,
}

/// A node, ready for packets.
#[derive(Debug)]
pub struct Side<'p> {
    /// what it is to have
    pub own: &'p Compiled,
    /// its kernel
    pub kernel: Kernel<'p>,
}

impl<'p> Side<'p> {
    /// Makes it ready.
    pub fn new(own: &'p Compiled) -> Self {
        let routes = Routes::new(&own.interfaces, &own.routes);
        Side { own, kernel: Kernel::new(&own.with_proxy, routes) }
    }

    /// Tables and sets of a family.
    pub fn machine(&self, family: Family) -> &Machine<'p> {
        match family {
            Family::V4 => &self.kernel.v4,
            Family::V6 => &self.kernel.v6,
        }
    }

    /// Its kernel for sets of packets.
    pub fn symbolic<'k>(
        &'k self,
        space: Space,
        interfaces: &'k Interfaces,
        attribution: Attribution,
    ) -> Symbolic<'k, 'p> {
        let machine = self.machine(space.family());
        Symbolic::within(space, machine, &self.kernel.routes, interfaces, attribution)
    }

    /// What kube-proxy takes.
    pub fn services(&self, space: &mut Space, interfaces: &Interfaces) -> Vec<Taken> {
        let family = space.family();
        let machine = self.machine(family);
        let mut matches = Matches::new(interfaces, Some(&self.kernel.routes));
        let local = space.with(Field::Destination, &self.kernel.routes.local_ranges(family));
        let mut services: Vec<Taken> = Vec::new();
        for compiled in machine.table(TableName::Nat).chains() {
            for (rule, ready) in compiled.chain.rules.iter().zip(&compiled.rules) {
                let Origin::Service(about) = &rule.origin else { continue };
                let Some(kind) = about.takes else { continue };
                let mut set = matches.rule(space, machine, ready).set;
                if kind == Kind::NodePort {
                    set = space.intersection(set, local);
                }
                for field in [Field::State, Field::InInterface, Field::OutInterface, Field::Source] {
                    set = space.forget(set, field);
                }
                let Some(packet) = space.sample(set) else { continue };
                let value = |field: Field| packet[field as usize];
                let port = value(Field::DestinationPort);
                let what = match kind {
                    Kind::NodePort => format!("{} {port}", kind.name()),
                    _ => {
                        let address = words::address(value(Field::Destination), family);
                        format!("{} {address} port {port}", kind.name())
                    }
                };
                let entry = Entry { what, name: about.service.to_string(), at: about.at };
                let chain = ready.target;
                match services.iter_mut().find(|own| own.entry == entry) {
                    Some(own) => {
                        own.set = space.union(own.set, set);
                        own.chains.extend(chain);
                    }
                    None => services.push(Taken { entry, set, chains: chain.into_iter().collect() }),
                }
            }
        }
        services
    }
}

/// Numbers for the interfaces of both.
pub fn interfaces(before: &Side<'_>, after: &Side<'_>) -> Interfaces {
    let names = [before, after].into_iter().flat_map(|side| {
        let own = side.own.interfaces.iter().map(|interface| &*interface.name);
        side.kernel.routes.interfaces().chain(side.own.inside()).chain(own)
    });
    Interfaces::all([&before.own.with_proxy, &after.own.with_proxy], names)
}
