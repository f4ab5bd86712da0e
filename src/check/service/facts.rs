//! What the input says of services: their addresses and ports, what they lead to, and which ports
//! something listens on by itself.

use crate::model::Resources;
use crate::model::core::{EndpointPort, Service, TransportProtocol};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Where a service sends connections to.
#[derive(Debug, Clone, Copy)]
pub struct Backend<'r> {
    /// address of a pod or of something outside
    pub address: IpAddr,
    /// name of the port, that of the service's port
    pub name: &'r str,
    /// its protocol
    pub protocol: TransportProtocol,
    /// its number
    pub port: u16,
}

/// What the services of a cluster lead to, by namespace and name.
pub type Backends<'r> = FxHashMap<(&'r str, &'r str), Vec<Backend<'r>>>;

/// Reads EndpointSlices and Endpoints.
pub fn backends(resources: &Resources) -> Backends<'_> {
    let mut backends = Backends::default();
    for slice in &resources.endpoint_slices {
        let Some(name) = slice.meta.labels.get("kubernetes.io/service-name") else { continue };
        let addresses = slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.iter().copied());
        let own = backends.entry((&*slice.meta.namespace, name)).or_default();
        addresses.for_each(|address| own.extend(each_port(address, &slice.ports)));
    }
    for endpoints in &resources.endpoints {
        let own = backends.entry((&*endpoints.meta.namespace, &*endpoints.meta.name)).or_default();
        for subset in &endpoints.subsets {
            subset.addresses.iter().for_each(|address| own.extend(each_port(address.value, &subset.ports)));
        }
    }
    backends
}

fn each_port(address: IpAddr, ports: &[EndpointPort]) -> impl Iterator<Item = Backend<'_>> {
    ports.iter().filter_map(move |port| {
        Some(Backend { address, name: &port.name, protocol: port.protocol, port: port.port? })
    })
}

/// `namespace/name` of a service.
pub fn path(service: &Service) -> String {
    format!("{}/{}", service.meta.namespace, service.meta.name)
}

/// Whether clients outside of the cluster can reach it over nodes.
pub fn is_exposed(service: &Service) -> bool {
    matches!(&*service.kind, "NodePort" | "LoadBalancer")
}

/// Ports that something can be meant to listen on by itself, so that a rule with such a port need not
/// be meant for a service: those that pods, host endpoints and backends of services have, and what
/// kube-proxy answers health checks on.
pub fn listening_ports(resources: &Resources) -> BTreeSet<u16> {
    let pods = resources.pods.iter().flat_map(|pod| &pod.ports);
    let mut ports: BTreeSet<u16> = pods.flat_map(|port| [port.port, port.host_port]).collect();
    ports.extend(resources.host_endpoints.iter().flat_map(|host| &host.ports).map(|port| port.port));
    ports.extend(
        resources.services.iter().filter_map(|service| service.health_check_node_port).map(|p| p.value),
    );
    ports.extend(
        resources
            .services
            .iter()
            .flat_map(|service| &service.ports)
            .filter_map(|port| port.target_port.parse::<u16>().ok()),
    );
    let of_slices = resources.endpoint_slices.iter().flat_map(|slice| &slice.ports);
    let of_subsets = resources.endpoints.iter().flat_map(|endpoints| &endpoints.subsets);
    ports.extend(of_slices.chain(of_subsets.flat_map(|subset| &subset.ports)).filter_map(|port| port.port));
    ports.remove(&0);
    ports
}
