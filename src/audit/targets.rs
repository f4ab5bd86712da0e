//! What can be reached: service addresses, node ports, ports of hosts.

use crate::diagnostic::Location;
use crate::ir::Family;
use crate::kernel::packet::{TCP, number, transport};
use crate::kube_proxy::{Slices, is_served};
use crate::model::core::{Pod, Service};
use crate::resolve::Cluster;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The node ports that a cluster gives out, if nobody says otherwise (`--service-node-port-range` of kube-apiserver).
pub const NODE_PORTS: (u16, u16) = (30000, 32767);

/// Why somebody may address it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    LoadBalancer,
    ExternalIp,
    NodePort,
    HealthCheck,
    HostPort,
    HostNetwork,
    /// all ports that node ports are given out of
    NodePortRange,
    /// whatever a process of the node may listen on
    Host,
    /// a service whose endpoints are written by hand and lie outside of the cluster
    OutsideService,
    /// such an endpoint itself
    OutsideEndpoint,
    /// the internet, for pods
    Internet,
    /// pods that no policy selects for ingress
    OpenPods,
}

impl Kind {
    /// All of them, in the order in which they are told.
    pub const ALL: [Kind; 12] = [
        Kind::LoadBalancer,
        Kind::ExternalIp,
        Kind::NodePort,
        Kind::HealthCheck,
        Kind::HostPort,
        Kind::HostNetwork,
        Kind::NodePortRange,
        Kind::Host,
        Kind::OutsideService,
        Kind::OutsideEndpoint,
        Kind::Internet,
        Kind::OpenPods,
    ];

    /// What to call one.
    pub fn name(self) -> &'static str {
        match self {
            Kind::LoadBalancer => "load balancer",
            Kind::ExternalIp => "external IP",
            Kind::NodePort => "node port",
            Kind::HealthCheck => "health check port",
            Kind::HostPort => "host port",
            Kind::HostNetwork => "port in the host network",
            Kind::NodePortRange => "node port range",
            Kind::Host => "ports of the node itself",
            Kind::OutsideService => "service for endpoints outside",
            Kind::OutsideEndpoint => "endpoint outside",
            Kind::Internet => "the internet",
            Kind::OpenPods => "pods without an ingress policy",
        }
    }

    /// What expectations and JSON call all of them.
    pub fn word(self) -> &'static str {
        match self {
            Kind::LoadBalancer => "loadbalancers",
            Kind::ExternalIp => "externalips",
            Kind::NodePort => "nodeports",
            Kind::HealthCheck => "healthchecks",
            Kind::HostPort => "hostports",
            Kind::HostNetwork => "hostnetwork",
            Kind::NodePortRange => "nodeportrange",
            Kind::Host => "hosts",
            Kind::OutsideService => "outsideservices",
            Kind::OutsideEndpoint => "outsideendpoints",
            Kind::Internet => "internet",
            Kind::OpenPods => "openpods",
        }
    }

    /// Whether packets are sent on to something else than the address that they were sent to.
    pub fn is_translated(self) -> bool {
        matches!(
            self,
            Kind::LoadBalancer | Kind::ExternalIp | Kind::NodePort | Kind::HostPort | Kind::OutsideService
        )
    }

    /// Whether it is many addresses or ports rather than one thing.
    pub fn is_range(self) -> bool {
        matches!(self, Kind::NodePortRange | Kind::Host | Kind::Internet | Kind::OpenPods)
    }

    /// Whether it lies outside of the cluster, so that it is asked who of the cluster gets there.
    pub fn is_outside(self) -> bool {
        matches!(self, Kind::OutsideService | Kind::OutsideEndpoint | Kind::Internet)
    }
}

/// Something that can be addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// why
    pub kind: Kind,
    /// the service or pod, `namespace/name`; "" for ranges
    pub of: Box<str>,
    /// the name of its port, "" if it has none
    pub port_name: Box<str>,
    /// IP protocol; 0 for ranges, which are of TCP and UDP
    pub protocol: u8,
    /// first and last port
    pub ports: (u16, u16),
    /// its address; `None` for those of the node
    pub address: Option<IpAddr>,
    /// the only node that has it
    pub node: Option<Box<str>>,
    /// where it is written; `None` for ranges
    pub at: Option<Location>,
}

impl Target {
    /// `tcp 80`, `tcp and udp 30000-32767`
    pub fn port_in_words(&self) -> String {
        let (first, last) = self.ports;
        let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
        match self.protocol {
            0 => format!("tcp and udp {ports}"),
            protocol => format!("{} {ports}", crate::trace::words::protocol(protocol.into())),
        }
    }

    /// `load balancer 203.0.113.4 tcp 80`, `node port tcp 30080`
    pub fn name(&self) -> String {
        let address = self.address.map_or(String::new(), |address| format!("{address} "));
        match self.kind {
            Kind::Host | Kind::Internet | Kind::OpenPods => self.kind.name().to_owned(),
            kind => format!("{} {address}{}", kind.name(), self.port_in_words()),
        }
    }

    /// Whether it has an address of a family.
    pub fn has(&self, family: Family) -> bool {
        self.address.is_none_or(|address| address.is_ipv4() == (family == Family::V4))
    }

    /// Whether a node has it.
    pub fn is_on(&self, node: &str) -> bool {
        self.node.as_deref().is_none_or(|own| own == node)
    }
}

/// Everything that a cluster says can be addressed, services first, in the order of the input; then the ranges.
pub fn all(cluster: &Cluster<'_>) -> Vec<Target> {
    let resources = cluster.resources();
    let mut targets: Vec<Target> = resources.services.iter().flat_map(of_service).collect();
    targets.extend(outside(cluster));
    targets.extend(resources.pods.iter().filter(|pod| runs(pod)).flat_map(|pod| of_pod(pod)));
    let of_all = (0, u16::MAX);
    for (kind, ports) in [
        (Kind::NodePortRange, NODE_PORTS),
        (Kind::Host, of_all),
        (Kind::OpenPods, of_all),
        (Kind::Internet, of_all),
    ] {
        let (of, port_name, protocol, address, node, at) =
            (Box::default(), Box::default(), 0, None, None, None);
        targets.push(Target { kind, of, port_name, protocol, ports, address, node, at });
    }
    targets
}

fn of_service(service: &Service) -> Vec<Target> {
    if !is_served(service) || service.cluster_ips.is_empty() {
        return Vec::new();
    }
    let of: Box<str> = format!("{}/{}", service.meta.namespace, service.meta.name).into();
    let mut targets = Vec::new();
    for port in &service.ports {
        let Some(protocol) = transport(port.protocol) else { continue };
        let mut add = |kind: Kind, address: Option<IpAddr>, number: u16| {
            targets.push(Target {
                kind,
                of: of.clone(),
                port_name: port.name.clone(),
                protocol,
                ports: (number, number),
                address,
                node: None,
                at: Some(port.at),
            });
        };
        let mut seen: Vec<IpAddr> = Vec::new();
        for (kind, list) in
            [(Kind::LoadBalancer, &service.load_balancer_ips), (Kind::ExternalIp, &service.external_ips)]
        {
            for address in list.iter().map(|address| address.value.to_canonical()) {
                if !seen.contains(&address) {
                    seen.push(address);
                    add(kind, Some(address), port.port);
                }
            }
        }
        if let Some(number) = port.node_port.filter(|number| *number != 0) {
            add(Kind::NodePort, None, number);
        }
    }
    if let Some(port) = &service.health_check_node_port {
        let (ports, port_name) = ((port.value, port.value), Box::default());
        let (kind, protocol, at) = (Kind::HealthCheck, TCP, Some(port.at));
        targets.push(Target { kind, of, port_name, protocol, ports, address: None, node: None, at });
    }
    targets
}

/// Services without selector, and their endpoints that belong to nothing of the cluster.
fn outside(cluster: &Cluster<'_>) -> Vec<Target> {
    let resources = cluster.resources();
    let slices = Slices::new(resources, "");
    let inside: BTreeSet<IpAddr> = cluster
        .pods()
        .iter()
        .flat_map(|pod| &pod.status_ips)
        .filter_map(|text| text.parse().ok())
        .chain(cluster.node_names().flat_map(|name| cluster.node_addresses(name)))
        .collect();
    let mut targets: Vec<Target> = Vec::new();
    let by_hand = |service: &&Service| service.selector.is_empty() && is_served(service);
    for service in resources.services.iter().filter(by_hand) {
        for port in &service.ports {
            let Some(protocol) = transport(port.protocol) else { continue };
            let endpoints = [true, false].into_iter().flat_map(|v4| slices.endpoints(service, port, v4));
            let endpoints: Vec<_> =
                endpoints.map(|own| own.at).filter(|at| !inside.contains(&at.ip())).collect();
            if endpoints.is_empty() {
                continue;
            }
            let mut add = |kind: Kind, address: IpAddr, number: u16| {
                let target = Target {
                    kind,
                    of: format!("{}/{}", service.meta.namespace, service.meta.name).into(),
                    port_name: port.name.clone(),
                    protocol,
                    ports: (number, number),
                    address: Some(address),
                    node: None,
                    at: Some(port.at),
                };
                if !targets.contains(&target) {
                    targets.push(target);
                }
            };
            let own = service.cluster_ips.iter().map(|address| address.value.to_canonical());
            own.for_each(|address| add(Kind::OutsideService, address, port.port));
            endpoints.iter().for_each(|at| add(Kind::OutsideEndpoint, at.ip(), at.port()));
        }
    }
    targets
}

fn runs(pod: &Pod) -> bool {
    !pod.node.is_empty() && !matches!(&*pod.phase, "Succeeded" | "Failed")
}

fn of_pod(pod: &Pod) -> Vec<Target> {
    let target = |kind: Kind, number: u16, port: &crate::model::core::ContainerPort| {
        let protocol = transport(port.protocol)?;
        let address = port.host_ip.filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_canonical());
        Some(Target {
            kind,
            of: format!("{}/{}", pod.namespace, pod.name).into(),
            port_name: port.name.clone(),
            protocol,
            ports: (number, number),
            address,
            node: Some(pod.node.clone()),
            at: Some(pod.at),
        })
    };
    let ports = pod.ports.iter().filter_map(|port| match (pod.host_network, port.host_port) {
        (true, _) if port.port != 0 => target(Kind::HostNetwork, port.port, port),
        (false, number) if number != 0 => target(Kind::HostPort, number, port),
        _ => None,
    });
    ports.collect()
}

/// `loadBalancerSourceRanges` of the service that a target is of.
pub fn source_ranges(cluster: &Cluster<'_>, target: &Target) -> Vec<IpNet> {
    let is_it =
        |service: &&Service| *format!("{}/{}", service.meta.namespace, service.meta.name) == *target.of;
    let service = cluster.resources().services.iter().find(is_it);
    service.map_or_else(Vec::new, |own| own.load_balancer_source_ranges.iter().map(|net| net.value).collect())
}

/// The ports of a family that a target takes on a node, as address, protocol and port; its own addresses are `local`.
pub fn keys(target: &Target, family: Family, local: &[u128]) -> Vec<(u128, u8, u16)> {
    let key = |address: u128| (address, target.protocol, target.ports.0);
    match target.address {
        Some(address) if target.has(family) => vec![key(number(address))],
        Some(_) => Vec::new(),
        None => local.iter().map(|address| key(*address)).collect(),
    }
}
