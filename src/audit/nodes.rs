//! The nodes of a cluster, each with the rules that it is to have: Felix's, kube-proxy's, and those of host ports.

use crate::diagnostic::Diagnostic;
use crate::felix;
use crate::ir::{Family, Program};
use crate::kernel::packet::number;
use crate::kernel::route::{LOOPBACK, Routes};
use crate::kube_proxy::OTHER_MODE;
use crate::resolve::view::{Interface, NodeView};
use crate::resolve::{Cluster, NodeRequest};
use crate::syntax::ip_route::Route;
use crate::trace::query::Node;
use crate::trace::{assume, journey};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What is known of a node beyond the manifests.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// its interfaces, as `ip -j addr` lists them
    pub interfaces: Option<Vec<Interface>>,
    /// its routes
    pub routes: Option<Vec<Route>>,
}

/// A node's rules and routes.
#[derive(Debug)]
pub struct Compiled {
    /// what the node's agent knows
    pub view: NodeView,
    /// everything that stands in its tables
    pub program: Program,
    /// its interfaces, those of tunnels among them
    pub interfaces: Vec<Interface>,
    /// its routes
    pub routes: Vec<Route>,
    /// interfaces and routes are given, and not assumed
    pub given: bool,
}

/// Compiles all nodes, in the order of their names; says what was assumed.
pub fn compile(
    cluster: &Cluster<'_>,
    given: &BTreeMap<String, Given>,
    said: &mut Vec<Diagnostic>,
) -> Vec<Compiled> {
    let names: Vec<&str> = cluster.node_names().collect();
    let compiled: Vec<(Option<Compiled>, Vec<Diagnostic>)> =
        names.par_iter().map(|name| one(cluster, name, given.get(*name))).collect();
    let mut nodes = Vec::new();
    // what is to be said of many nodes is said once
    let of_many = |id: &str| id.starts_with("assumed-") || id == OTHER_MODE;
    let mut assumed: Vec<(Diagnostic, usize)> = Vec::new();
    for (node, own) in compiled {
        nodes.extend(node);
        for one in own {
            match assumed.iter_mut().find(|(first, _)| first.id == one.id && of_many(one.id)) {
                Some((_, others)) => *others += 1,
                None => assumed.push((one, 0)),
            }
        }
    }
    said.extend(assumed.into_iter().map(|(mut first, others)| {
        match others {
            0 => {}
            1 => first.message.push_str("; likewise for 1 other node"),
            _ => first.message.push_str(&format!("; likewise for {others} other nodes")),
        }
        first
    }));
    nodes
}

/// Compiles a node, if the cluster has it.
pub fn one(cluster: &Cluster<'_>, name: &str, given: Option<&Given>) -> (Option<Compiled>, Vec<Diagnostic>) {
    let own_interfaces = given.and_then(|given| given.interfaces.as_deref());
    let resolved = cluster.view(&NodeRequest { node: name, interfaces: own_interfaces });
    let mut said = resolved.diagnostics;
    let Some(view) = resolved.view else { return (None, said) };
    let program = journey::with_kube_proxy(felix::render(&view), cluster, &view, &mut said);
    let own_routes = given.and_then(|given| given.routes.clone());
    let is_given = own_interfaces.is_some() && own_routes.is_some();
    let routes = own_routes.unwrap_or_else(|| assume::routes(cluster, &view, &mut said));
    let interfaces = assume::interfaces(&view, own_interfaces.is_some());
    (Some(Compiled { view, program, interfaces, routes, given: is_given }), said)
}

/// A node, ready for packets.
#[derive(Debug)]
pub struct Ready<'p> {
    /// what it is to have
    pub own: &'p Compiled,
    /// its kernel
    pub node: Node<'p>,
}

impl<'p> Ready<'p> {
    /// Makes it ready.
    pub fn new(own: &'p Compiled) -> Self {
        let routes = Routes::new(&own.interfaces, &own.routes);
        Ready { own, node: Node::new(&own.view, &own.program, routes) }
    }

    /// Its addresses of a family that others can send to, in order.
    pub fn local(&self, family: Family) -> Vec<u128> {
        let all = self.own.interfaces.iter().flat_map(|own| &own.addresses).map(|net| net.addr());
        let far = |address: &IpAddr| match address {
            IpAddr::V4(address) => !address.is_loopback(),
            IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
        };
        let all = all.filter(|address| address.is_ipv4() == (family == Family::V4)).filter(far);
        let mut own: Vec<u128> = all.map(number).collect();
        own.sort_unstable();
        own.dedup();
        own
    }

    /// Names of the interfaces by which packets of others come in: not those of pods, of tunnels, or of kube-proxy.
    pub fn outer_interfaces(&self) -> impl Iterator<Item = &'p str> {
        let view = &self.own.view;
        let names = self.own.view.interfaces.iter().map(|own| &*own.name);
        names.filter(move |name| {
            *name != LOOPBACK
                && !view.config.interface_prefix.iter().any(|prefix| name.starts_with(&**prefix))
                && crate::trace::tunnel::Tunnel::behind(name, view).is_none()
                && !view.config.excludes_interface(name)
        })
    }
}

/// Whose address it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// the node where it is
    pub node: usize,
    /// the pod, `namespace/name`; `None` for the node itself
    pub pod: Option<Box<str>>,
}

/// All addresses of a family that belong to nodes and pods.
pub fn owners(cluster: &Cluster<'_>, nodes: &[&Ready<'_>], family: Family) -> BTreeMap<u128, Owner> {
    let places: BTreeMap<&str, usize> =
        nodes.iter().enumerate().map(|(place, node)| (&*node.own.view.node, place)).collect();
    let mut owners = BTreeMap::new();
    for pod in cluster.pods() {
        let Some(node) = places.get(&*pod.node) else { continue };
        let addresses = pod.status_ips.iter().filter_map(|text| text.parse::<IpAddr>().ok());
        for address in addresses.filter(|address| address.is_ipv4() == (family == Family::V4)) {
            let pod = Some(format!("{}/{}", pod.namespace, pod.name).into());
            owners.insert(number(address), Owner { node: *node, pod });
        }
    }
    for (place, node) in nodes.iter().enumerate() {
        for address in cluster.node_addresses(&node.own.view.node) {
            if address.is_ipv4() == (family == Family::V4) {
                owners.insert(number(address), Owner { node: place, pod: None });
            }
        }
        for address in node.local(family) {
            owners.entry(address).or_insert(Owner { node: place, pod: None });
        }
    }
    owners
}
