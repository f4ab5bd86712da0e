//! The connections that a node cannot do without: to and from the API server, between the members
//! of etcd, and SSH.

use super::super::NodeContext;
use crate::diagnostic::Location;
use crate::model::calico::Direction;
use crate::model::core::TransportProtocol::Tcp;
use crate::resolve::view::Interface;
use std::net::IpAddr;

/// A connection that a node needs.
pub struct Need {
    /// seen from the node
    pub direction: Direction,
    /// TCP port
    pub port: u16,
    /// the other end, if it is known
    pub peer: Option<IpAddr>,
    /// what it is, for people
    pub what: String,
}

/// Where a parameter is set.
pub fn set_at(ctx: &NodeContext<'_>, parameter: &str) -> Option<Location> {
    ctx.view.config_places.iter().find(|(name, _)| *name == parameter).map(|(_, at)| *at)
}

/// What can be said of it from the input.
pub fn needs(ctx: &NodeContext<'_>) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut need = |direction, port, peer, what: String| needs.push(Need { direction, port, peer, what });
    let inbound_set = set_at(ctx, "FailsafeInboundHostPorts").is_some();
    if inbound_set {
        need(Direction::Ingress, 22, None, "SSH to the node (TCP port 22)".to_owned());
    }
    let servers = api_servers(ctx);
    let own = |address: &IpAddr| ctx.view.interfaces.iter().any(|interface| has(interface, *address));
    let others = ctx.resources.nodes.iter().any(|node| *node.meta.name != *ctx.view.node);
    if let Some((_, port)) = servers.iter().find(|(address, _)| own(address)) {
        if others {
            let what = format!("the API server on the node (TCP port {port})");
            need(Direction::Ingress, *port, None, what);
        }
    } else if let [(address, port)] = servers[..] {
        let what = format!("the API server (`{address}`, TCP port {port})");
        need(Direction::Egress, port, Some(address), what);
    } else if let Some((_, port)) = servers.first() {
        need(Direction::Egress, *port, None, format!("the API server (TCP port {port})"));
    }
    if inbound_set && runs_etcd(ctx) {
        need(Direction::Ingress, 2380, None, "etcd on the node (TCP port 2380)".to_owned());
    }
    needs
}

/// Addresses and port of the API server, as the Service `default/kubernetes` has them.
fn api_servers(ctx: &NodeContext<'_>) -> Vec<(IpAddr, u16)> {
    let slices = ctx.resources.endpoint_slices.iter().filter(|slice| {
        let service = slice.meta.labels.get("kubernetes.io/service-name");
        &*slice.meta.namespace == "default" && service == Some("kubernetes")
    });
    let mut servers = Vec::new();
    for slice in slices {
        let tcp = slice.ports.iter().filter(|port| port.protocol == Tcp).find_map(|port| port.port);
        let addresses = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
        servers
            .extend(tcp.into_iter().flat_map(|port| addresses.clone().map(move |address| (*address, port))));
    }
    servers
}

/// Whether the node and another one run members of one etcd, as kubeadm sets it up.
fn runs_etcd(ctx: &NodeContext<'_>) -> bool {
    let node = ctx.resources.nodes.iter().find(|node| *node.meta.name == *ctx.view.node);
    let roles = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];
    if !node.is_some_and(|node| roles.iter().any(|role| node.meta.labels.get(role).is_some())) {
        return false;
    }
    let members = ctx.resources.pods.iter().filter(|pod| {
        pod.host_network
            && &*pod.namespace == "kube-system"
            && pod.name.strip_prefix("etcd-") == Some(&*pod.node)
    });
    let mut nodes: Vec<&str> = members.map(|pod| &*pod.node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes.len() > 1 && nodes.contains(&&*ctx.view.node)
}

fn has(interface: &Interface, address: IpAddr) -> bool {
    interface.addresses.iter().any(|net| net.addr() == address)
}
