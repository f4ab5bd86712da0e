//! What services offer, whichever node is asked: the addresses and ports at which they take packets, and where those go.

use super::Kind;
use super::endpoints::{Slices, Used};
use crate::kernel::packet::transport;
use crate::model::Resources;
use crate::model::core::Service;
use std::net::{IpAddr, SocketAddr};

/// A place at which a service takes packets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Door {
    /// why packets are taken there
    pub kind: Kind,
    /// the address; `None` for a node port, which every node has
    pub address: Option<IpAddr>,
    /// the port
    pub port: u16,
    /// its IP protocol
    pub protocol: u8,
    /// whether it is of IPv4
    pub v4: bool,
}

/// A service, and its doors, each with the endpoints behind it, on all nodes, in order.
#[derive(Debug, Clone)]
pub struct Offer<'r> {
    /// the service
    pub service: &'r Service,
    /// the doors
    pub doors: Vec<(Door, Vec<SocketAddr>)>,
}

/// What each service of a cluster offers.
pub fn offers(resources: &Resources) -> impl Iterator<Item = Offer<'_>> {
    let slices = Slices::new(resources, "");
    resources.services.iter().filter(|service| super::is_served(service)).map(move |service| {
        let mut doors = Vec::new();
        for port in &service.ports {
            let Some(protocol) = transport(port.protocol) else { continue };
            for v4 in [true, false] {
                let of_family = |ip: &IpAddr| ip.is_ipv4() == v4;
                let mut ips = service.cluster_ips.iter().map(|ip| ip.value.to_canonical());
                let Some(cluster_ip) = ips.find(of_family) else { continue };
                let endpoints = Used::of(&slices.endpoints(service, port, v4), true, false).cluster;
                let named = [
                    (Kind::ExternalIp, &service.external_ips),
                    (Kind::LoadBalancer, &service.load_balancer_ips),
                ];
                let named = named.into_iter().flat_map(|(kind, ips)| {
                    let ips = ips.iter().map(|ip| ip.value.to_canonical()).filter(of_family);
                    ips.map(move |ip| (kind, Some(ip), port.port))
                });
                let node_port = port.node_port.filter(|number| *number != 0);
                let node_port = node_port.map(|number| (Kind::NodePort, None, number));
                let all = [(Kind::ClusterIp, Some(cluster_ip), port.port)].into_iter();
                for (kind, address, port) in all.chain(named).chain(node_port) {
                    doors.push((Door { kind, address, port, protocol, v4 }, endpoints.clone()));
                }
            }
        }
        Offer { service, doors }
    })
}
