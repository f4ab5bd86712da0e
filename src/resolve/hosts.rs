//! Host endpoints: which of them governs which interface of the node
//! (`felix/dataplane/linux/endpoint_mgr.go:1170`, v3.32.1).

use super::config::FelixConfig;
use super::contributors::Contributors;
use super::convert::annotations;
use super::policies::Lists;
use super::view::{HostEndpoint, Interface, WILDCARD_INTERFACE};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Resources;
use crate::model::calico;
use crate::model::core::Node;
use ipnet::IpNet;
use std::net::IpAddr;

/// The interfaces that host endpoints and the Node object let us know of, where nobody has said
/// what the node has. Says what was assumed.
pub fn assumed_interfaces(
    resources: &Resources,
    name: &str,
    node: Option<&Node>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Interface> {
    let mut interfaces: Vec<Interface> = Vec::new();
    let mut known: Vec<IpAddr> = Vec::new();
    for host in resources.host_endpoints.iter().filter(|host| &*host.node == name) {
        let own = &*host.interface;
        if own.is_empty() || own == "*" || interfaces.iter().any(|interface| &*interface.name == own) {
            continue;
        }
        let addresses = host.expected_ips.iter().map(|address| address.value);
        known.extend(addresses.clone());
        interfaces.push(Interface { name: own.into(), addresses: addresses.map(IpNet::from).collect() });
    }
    let rest: Vec<IpAddr> = node.map_or_else(Vec::new, |node| {
        let texts = node.addresses.iter().filter(|a| &*a.kind == "InternalIP" || &*a.kind == "ExternalIP");
        texts.filter_map(|a| a.address.parse().ok()).filter(|address| !known.contains(address)).collect()
    });
    if !rest.is_empty() {
        interfaces
            .push(Interface { name: "eth0".into(), addresses: rest.into_iter().map(IpNet::from).collect() });
        let all: Vec<Interface> = std::mem::take(&mut interfaces);
        for interface in all {
            match interfaces.iter_mut().find(|other| other.name == interface.name) {
                Some(other) => other.addresses.extend(interface.addresses),
                None => interfaces.push(interface),
            }
        }
    }
    let shown = interfaces
        .iter()
        .map(|interface| {
            let addresses: Vec<String> =
                interface.addresses.iter().map(|net| net.addr().to_string()).collect();
            format!("{} with {}", interface.name, addresses.join(" and "))
        })
        .collect::<Vec<_>>();
    let shown = if shown.is_empty() { "none".to_owned() } else { shown.join(", ") };
    diagnostics.push(
        Diagnostic::new(
            "assumed-addresses",
            Severity::Note,
            None,
            format!("the interfaces of `{name}` are taken from Node and HostEndpoint objects: {shown}"),
        )
        .help("give what `ip -j addr` prints on the node with --node-addresses"),
    );
    interfaces
}

/// For each interface the host endpoint with the lowest name of those that match it, and the
/// wildcard; sorted by interface. A named one never matches by address.
pub fn resolve(
    contributors: &Contributors<'_>,
    hosts: Vec<(u32, Lists)>,
    interfaces: &[Interface],
    config: &FelixConfig,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<HostEndpoint> {
    let mut candidates: Vec<(&calico::HostEndpoint, Lists)> = hosts
        .into_iter()
        .filter_map(|(number, lists)| Some((contributors.get(number).err()?.host?, lists)))
        .collect();
    candidates.sort_by(|a, b| a.0.meta.name.cmp(&b.0.meta.name));
    let mut chosen: Vec<(&str, usize)> = Vec::new();
    for interface in interfaces.iter().filter(|interface| !config.excludes_interface(&interface.name)) {
        let best = candidates.iter().position(|(host, _)| governs(host, interface));
        chosen.extend(best.map(|at| (&*interface.name, at)));
    }
    let wildcard = candidates.iter().position(|(host, _)| &*host.interface == "*");
    chosen.extend(wildcard.map(|at| (WILDCARD_INTERFACE, at)));
    for (at, (host, _)) in candidates.iter().enumerate() {
        if !chosen.iter().any(|(_, other)| *other == at) {
            diagnostics.push(idle(host, &candidates, &chosen));
        }
    }
    let mut resolved: Vec<HostEndpoint> = chosen
        .into_iter()
        .map(|(interface, at)| endpoint(candidates[at].0, &candidates[at].1, interface))
        .collect();
    resolved.sort_by(|a, b| a.interface.cmp(&b.interface));
    resolved
}

fn governs(host: &calico::HostEndpoint, interface: &Interface) -> bool {
    match &*host.interface {
        "*" => false,
        "" => host
            .expected_ips
            .iter()
            .any(|wanted| interface.addresses.iter().any(|own| own.addr() == wanted.value)),
        name => name == &*interface.name,
    }
}

/// A host endpoint that has no effect on this node.
fn idle(
    host: &calico::HostEndpoint,
    all: &[(&calico::HostEndpoint, Lists)],
    chosen: &[(&str, usize)],
) -> Diagnostic {
    let name = &host.meta.name;
    let rival = chosen
        .iter()
        .find(|(interface, _)| {
            *interface == &*host.interface || (&*host.interface == "*" && *interface == WILDCARD_INTERFACE)
        })
        .map(|(_, at)| all[*at].0);
    match rival {
        Some(rival) => Diagnostic::warning(
            "host-endpoint-shadowed",
            host.meta.at,
            format!(
                "HostEndpoint `{name}` has no effect: `{}` comes first by name for the same interface",
                rival.meta.name
            ),
        )
        .related(rival.meta.at, "the one that takes effect"),
        None => Diagnostic::warning(
            "host-endpoint-without-interface",
            host.meta.at,
            format!("HostEndpoint `{name}` protects nothing: no interface of the node matches it"),
        ),
    }
}

fn endpoint(host: &calico::HostEndpoint, lists: &Lists, interface: &str) -> HostEndpoint {
    HostEndpoint {
        interface: interface.into(),
        name: host.meta.name.clone(),
        addresses: host.expected_ips.iter().map(|address| address.value).collect(),
        tiers: lists.normal.clone(),
        forward_tiers: lists.forward.clone(),
        pre_dnat_tiers: lists.pre_dnat.clone(),
        untracked_tiers: lists.untracked.clone(),
        profiles: host.profiles.iter().map(|profile| profile.value.clone()).collect(),
        dscp: annotations::dscp(&host.meta.annotations),
        at: host.meta.at,
    }
}
