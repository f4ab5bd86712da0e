//! Which host endpoint applies to which interface of the node.
//!
//! `felix/dataplane/linux/endpoint_mgr.go:1170`, v3.32.1.

use super::config::FelixConfig;
use super::node_facts::NodeFacts;
use super::view::{Interface, WILDCARD_INTERFACE};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::calico::HostEndpoint;
use crate::model::meta::Meta;
use ipnet::IpNet;
use std::net::IpAddr;

/// The interface name of a host endpoint for all interfaces.
const ALL_INTERFACES: &str = "*";

/// An interface, or all the others, and the host endpoint that applies to it.
#[derive(Debug)]
pub struct Applied<'r> {
    /// the interface's name, or [`WILDCARD_INTERFACE`]
    pub interface: Box<str>,
    /// its number among the contributors
    pub number: u32,
    /// the object
    pub endpoint: &'r HostEndpoint,
}

/// Matches the node's host endpoints with its interfaces; sorted by interface.
pub fn resolve<'r>(
    local: &[(u32, &'r HostEndpoint)],
    interfaces: &[Interface],
    config: &FelixConfig,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Applied<'r>> {
    let mut by_name: Vec<_> = local.to_vec();
    by_name.sort_by(|(_, a), (_, b)| a.meta.name.cmp(&b.meta.name));
    let mut applied: Vec<Applied<'r>> = Vec::new();
    let mut apply = |interface: &str, (number, endpoint): (u32, &'r HostEndpoint)| {
        applied.push(Applied { interface: interface.into(), number, endpoint });
    };
    for interface in interfaces.iter().filter(|interface| !config.excludes_interface(&interface.name)) {
        if let Some(first) = by_name.iter().find(|(_, endpoint)| matches(endpoint, interface)) {
            apply(&interface.name, *first);
        }
    }
    if let Some(first) = by_name.iter().find(|(_, endpoint)| &*endpoint.interface == ALL_INTERFACES) {
        apply(WILDCARD_INTERFACE, *first);
    }
    for (_, endpoint) in &by_name {
        if !applied.iter().any(|a| std::ptr::eq(a.endpoint, *endpoint)) {
            diagnostics.push(idle(endpoint, &applied, interfaces, config));
        }
    }
    applied.sort_by(|a, b| a.interface.cmp(&b.interface));
    applied
}

fn matches(endpoint: &HostEndpoint, interface: &Interface) -> bool {
    if !endpoint.interface.is_empty() {
        return endpoint.interface == interface.name;
    }
    let own = |address: IpAddr| interface.addresses.iter().any(|net| net.addr() == address);
    endpoint.expected_ips.iter().any(|address| own(address.value.to_canonical()))
}

/// Says why a host endpoint of this node applies to nothing.
fn idle(
    endpoint: &HostEndpoint,
    applied: &[Applied<'_>],
    interfaces: &[Interface],
    config: &FelixConfig,
) -> Diagnostic {
    let name = &endpoint.meta.name;
    let wildcard = &*endpoint.interface == ALL_INTERFACES;
    let candidates = interfaces.iter().filter(|interface| matches(endpoint, interface)).map(|i| &*i.name);
    let contested = candidates.chain(wildcard.then_some(WILDCARD_INTERFACE)).find_map(|interface| {
        let winner = applied.iter().find(|a| &*a.interface == interface)?;
        Some((interface, winner.endpoint))
    });
    if let Some((interface, winner)) = contested {
        let what = if wildcard { "all interfaces".to_owned() } else { format!("interface `{interface}`") };
        let message = format!(
            "host endpoint `{name}` has no effect: `{}` applies to {what} because its name comes first",
            winner.meta.name
        );
        return Diagnostic::warning("host-endpoint-shadowed", endpoint.meta.at, message)
            .related(winner.meta.at, "this one applies")
            .help("keep one host endpoint for an interface");
    }
    let reason = if !endpoint.interface.is_empty() && config.excludes_interface(&endpoint.interface) {
        format!("felix takes `{}` for a pod's interface, or is told to exclude it", endpoint.interface)
    } else if !endpoint.interface.is_empty() {
        format!("the node has no interface `{}`", endpoint.interface)
    } else {
        "none of its `expectedIPs` is on the node".to_owned()
    };
    Diagnostic::warning(
        "host-endpoint-without-interface",
        endpoint.meta.at,
        format!("host endpoint `{name}` has no effect: {reason}"),
    )
}

/// The interfaces that a node seems to have, from its Node object and its host endpoints: `eth0`
/// with its internal addresses, `eth1` with its external ones, and what host endpoints name.
/// Says what was assumed.
pub fn assume(
    node: &str,
    facts: Option<&NodeFacts<'_>>,
    local: &[(u32, &HostEndpoint)],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Interface> {
    let mut interfaces: Vec<Interface> = Vec::new();
    let mut endpoints: Vec<&HostEndpoint> = local.iter().map(|(_, endpoint)| *endpoint).collect();
    endpoints.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
    for endpoint in endpoints.iter().filter(|e| !e.interface.is_empty() && &*e.interface != ALL_INTERFACES) {
        let addresses = endpoint.expected_ips.iter().map(|address| IpNet::from(address.value.to_canonical()));
        add(&mut interfaces, &endpoint.interface, addresses);
    }
    let internal = facts.map_or(&[][..], |facts| &facts.internal);
    let external = facts.map_or(&[][..], |facts| &facts.external);
    for (name, addresses) in [("eth0", internal), ("eth1", external)] {
        let unplaced = unplaced(&interfaces, addresses.iter().copied());
        if !unplaced.is_empty() {
            add(&mut interfaces, name, unplaced.into_iter());
        }
    }
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.interface.is_empty()) {
        let own = endpoint.expected_ips.iter().map(|address| IpNet::from(address.value.to_canonical()));
        if interfaces.iter().any(|interface| matches(endpoint, interface)) || own.len() == 0 {
            continue;
        }
        let free =
            (0..).map(|n| format!("eth{n}")).find(|name| !interfaces.iter().any(|i| *i.name == **name));
        add(&mut interfaces, &free.unwrap_or_default(), own);
    }
    interfaces.sort_by(|a, b| a.name.cmp(&b.name));
    diagnostics.push(assumption(node, facts, &interfaces));
    interfaces
}

fn unplaced(interfaces: &[Interface], nets: impl Iterator<Item = IpNet>) -> Vec<IpNet> {
    let placed =
        |net: &IpNet| interfaces.iter().flat_map(|i| &i.addresses).any(|own| own.addr() == net.addr());
    nets.filter(|net| !placed(net)).collect()
}

fn add(interfaces: &mut Vec<Interface>, name: &str, addresses: impl Iterator<Item = IpNet>) {
    let known = interfaces.iter().position(|interface| &*interface.name == name);
    let place = known.unwrap_or_else(|| {
        interfaces.push(Interface { name: name.into(), addresses: Vec::new(), near: Vec::new() });
        interfaces.len() - 1
    });
    for address in addresses {
        if !interfaces[place].addresses.contains(&address) {
            interfaces[place].addresses.push(address);
        }
    }
}

fn assumption(node: &str, facts: Option<&NodeFacts<'_>>, interfaces: &[Interface]) -> Diagnostic {
    let list: Vec<String> = interfaces
        .iter()
        .map(|interface| {
            let addresses: Vec<String> =
                interface.addresses.iter().map(|net| net.addr().to_string()).collect();
            match &*addresses {
                [] => format!("`{}`", interface.name),
                addresses => format!("`{}` ({})", interface.name, addresses.join(", ")),
            }
        })
        .collect();
    let list = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    Diagnostic::new(
        "assumed-interfaces",
        Severity::Note,
        facts.map(|facts| facts.node.meta.at).filter(|at| at.file != Meta::NOWHERE),
        format!("the interfaces of node `{node}` are not given; assumed {list}"),
    )
    .help("give the output of `ip -j addr` on the node with `--node-addresses`")
}
