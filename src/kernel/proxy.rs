//! kube-proxy in its iptables mode, as a node's clients see it: which destinations it rewrites, and to what.
//!
//! Facts: `pkg/proxy/iptables/proxier.go` and `pkg/proxy/topology.go` of Kubernetes 1.31. kube-proxy's chains come after
//! Calico's in the nat table.

use super::packet::transport;
use crate::diagnostic::Location;
use crate::model::Resources;
use crate::model::core::{EndpointSlice, Service, ServicePort};
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::net::IpAddr;

/// Why kube-proxy takes a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    ClusterIp,
    ExternalIp,
    LoadBalancer,
    NodePort,
}

impl Kind {
    /// What to call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::ClusterIp => "cluster IP",
            Kind::ExternalIp => "external IP",
            Kind::LoadBalancer => "load balancer",
            Kind::NodePort => "node port",
        }
    }
}

/// A pod, or another address, behind a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// its address
    pub address: IpAddr,
    /// its port
    pub port: u16,
    /// the node that it is on, "" if it is not known
    pub node: Box<str>,
}

/// Packets that kube-proxy takes, and what becomes of them.
#[derive(Debug, Clone)]
pub struct Entry {
    /// the service, `namespace/name`
    pub service: String,
    /// where the service's port is written
    pub at: Location,
    /// why it takes them
    pub kind: Kind,
    /// the destination; `None` for every address of the node
    pub address: Option<IpAddr>,
    /// IP protocol
    pub protocol: u8,
    /// destination port
    pub port: u16,
    /// sources that may use it, all if empty; packets from others are discarded
    pub sources: Vec<IpNet>,
    /// where they go, one of these; packets that do not come from the node or its pods
    pub backends: Vec<Backend>,
    /// the same for packets from the node and its pods, who see through an external address
    pub from_inside: Vec<Backend>,
    /// without any backend packets are discarded in silence, because the backends on this node are asked
    /// for; otherwise they are rejected
    pub local_only: bool,
    /// the source becomes the node's own address, for packets that do not come from the node or its pods
    pub masquerades: bool,
}

/// Everything that kube-proxy takes on a node.
pub fn entries(resources: &Resources, node: &str) -> Vec<Entry> {
    let mut slices: FxHashMap<(&str, &str), Vec<&EndpointSlice>> = FxHashMap::default();
    for slice in &resources.endpoint_slices {
        if let Some(service) = slice.meta.labels.get("kubernetes.io/service-name") {
            slices.entry((&slice.meta.namespace, service)).or_default().push(slice);
        }
    }
    let mut entries = Vec::new();
    for service in &resources.services {
        let path = (&*service.meta.namespace, &*service.meta.name);
        let own = slices.get(&path).map_or(&[][..], Vec::as_slice);
        for port in &service.ports {
            let Some(protocol) = transport(port.protocol) else { continue };
            let backends =
                if own.is_empty() { mirrored(resources, service, port) } else { of_slices(own, port) };
            add(service, port, protocol, &backends, node, &mut entries);
        }
    }
    entries
}

/// Endpoints that are ready; where none is, those that still serve while they end.
fn of_slices(slices: &[&EndpointSlice], port: &ServicePort) -> Vec<Backend> {
    let mut ready = Vec::new();
    let mut serving = Vec::new();
    for slice in slices {
        let ports = slice.ports.iter().filter(|own| own.name == port.name && own.protocol == port.protocol);
        for number in ports.filter_map(|own| own.port) {
            for endpoint in &slice.endpoints {
                let list = if endpoint.ready {
                    &mut ready
                } else if endpoint.serving && endpoint.terminating {
                    &mut serving
                } else {
                    continue;
                };
                list.extend(endpoint.addresses.iter().map(|address| Backend {
                    address: address.to_canonical(),
                    port: number,
                    node: endpoint.node.clone(),
                }));
            }
        }
    }
    sorted(if ready.is_empty() { serving } else { ready })
}

/// The Endpoints of a service without slices, which the control plane copies into one.
fn mirrored(resources: &Resources, service: &Service, port: &ServicePort) -> Vec<Backend> {
    let own = resources.endpoints.iter().find(|endpoints| {
        endpoints.meta.namespace == service.meta.namespace && endpoints.meta.name == service.meta.name
    });
    let mut backends = Vec::new();
    for subset in own.into_iter().flat_map(|endpoints| &endpoints.subsets) {
        let ports = subset.ports.iter().filter(|own| own.name == port.name && own.protocol == port.protocol);
        for number in ports.filter_map(|own| own.port) {
            backends.extend(subset.addresses.iter().map(|address| Backend {
                address: address.value.to_canonical(),
                port: number,
                node: Box::default(),
            }));
        }
    }
    sorted(backends)
}

fn sorted(mut backends: Vec<Backend>) -> Vec<Backend> {
    backends.sort_by_key(|backend| (backend.address, backend.port));
    backends.dedup();
    backends
}

fn add(
    service: &Service,
    port: &ServicePort,
    protocol: u8,
    backends: &[Backend],
    node: &str,
    entries: &mut Vec<Entry>,
) {
    let local = |only: bool| -> Vec<Backend> {
        backends.iter().filter(|backend| !only || &*backend.node == node).cloned().collect()
    };
    let of_family = |backends: Vec<Backend>, address: Option<IpAddr>| -> Vec<Backend> {
        let same = |backend: &Backend| address.is_none_or(|own| own.is_ipv4() == backend.address.is_ipv4());
        backends.into_iter().filter(same).collect()
    };
    let entry = |kind: Kind, address: Option<IpAddr>, number: u16| {
        let only = match kind {
            Kind::ClusterIp => service.internal_local,
            _ => service.external_local,
        };
        // behind an external address, the node and its pods see all backends, wherever they are
        let inside = if kind == Kind::ClusterIp { local(only) } else { local(false) };
        Entry {
            service: format!("{}/{}", service.meta.namespace, service.meta.name),
            at: port.at,
            kind,
            address,
            protocol,
            port: number,
            sources: match kind {
                Kind::LoadBalancer => {
                    service.load_balancer_source_ranges.iter().map(|net| net.value).collect()
                }
                _ => Vec::new(),
            },
            backends: of_family(local(only), address),
            from_inside: of_family(inside, address),
            local_only: only,
            masquerades: kind != Kind::ClusterIp && !only,
        }
    };
    let addresses = [
        (Kind::ClusterIp, &service.cluster_ips),
        (Kind::ExternalIp, &service.external_ips),
        (Kind::LoadBalancer, &service.load_balancer_ips),
    ];
    for (kind, list) in addresses {
        entries.extend(list.iter().map(|address| entry(kind, Some(address.value.to_canonical()), port.port)));
    }
    if let Some(number) = port.node_port.filter(|number| *number != 0) {
        entries.push(entry(Kind::NodePort, None, number));
    }
}
