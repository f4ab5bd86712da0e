//! Facts of the network at large: pools, tunnels, addresses of nodes, services' ranges.

use super::address;
use super::config::FelixConfig;
use super::view::{Network, Pool};
use crate::model::Resources;
use crate::model::calico::IpPool;
use crate::model::core::Node;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

// Annotations in which Calico keeps addresses of nodes
// (`libcalico-go/lib/backend/k8s/resources/node.go:39`, v3.32.1).
const BGP_V4: &str = "projectcalico.org/IPv4Address";
const BGP_V6: &str = "projectcalico.org/IPv6Address";
const IPIP_TUNNEL: &str = "projectcalico.org/IPv4IPIPTunnelAddr";
const VXLAN_TUNNEL_V4: &str = "projectcalico.org/IPv4VXLANTunnelAddr";
const VXLAN_TUNNEL_V6: &str = "projectcalico.org/IPv6VXLANTunnelAddr";

/// Collects them for a node. `istio` is asked only where the answer matters.
pub fn facts(
    resources: &Resources,
    node: &str,
    config: &FelixConfig,
    istio: impl FnOnce() -> Vec<IpAddr>,
) -> Network {
    let pools = pools(resources);
    let has = |mode: fn(&IpPool) -> &str, v4: bool| {
        pools.iter().any(|pool| {
            let mode = mode(pool);
            pool.cidr.value.addr().is_ipv4() == v4 && !mode.is_empty() && !mode.eq_ignore_ascii_case("Never")
        })
    };
    // IPIP counts pools of either family (`felix/calc/encapsulation_resolver.go:212`, v3.32.1)
    let ipip_pool = has(|pool| &pool.ipip_mode, true) || has(|pool| &pool.ipip_mode, false);
    let own = resources.nodes.iter().find(|own| &*own.meta.name == node);
    let tunnel = |key: &str, v4: bool| {
        let text = own?.meta.annotations.get(key)?;
        address::parse_ip(text).filter(|address| address.is_ipv4() == v4)
    };
    Network {
        hosts: resources.nodes.iter().flat_map(bgp_addresses).collect(),
        vxlan_hosts: resources
            .nodes
            .iter()
            .filter(|other| &*other.meta.name != node)
            .flat_map(vxlan_hosts)
            .collect(),
        ipip: config.ip_in_ip_enabled.unwrap_or(ipip_pool),
        vxlan_v4: config.vxlan_enabled.unwrap_or_else(|| has(|pool| &pool.vxlan_mode, true)),
        vxlan_v6: has(|pool| &pool.vxlan_mode, false),
        ipip_tunnel_address: tunnel(IPIP_TUNNEL, true),
        vxlan_tunnel_v4: tunnel(VXLAN_TUNNEL_V4, true),
        vxlan_tunnel_v6: tunnel(VXLAN_TUNNEL_V6, false),
        service_cidrs: service_cidrs(resources),
        istio_members: if config.istio_ambient { istio() } else { Vec::new() },
        pools: pools
            .iter()
            .map(|pool| Pool {
                cidr: pool.cidr.value,
                nat_outgoing: pool.nat_outgoing,
                load_balancer_only: matches!(&pool.allowed_uses[..], [only] if &**only == "LoadBalancer"),
                at: pool.meta.at,
            })
            .collect(),
    }
}

/// Pools by CIDR; of several with one CIDR the lowest name counts
/// (`libcalico-go/lib/backend/syncersv1/updateprocessors/conflictresolvingcacheproc.go:148`, v3.32.1).
fn pools(resources: &Resources) -> Vec<&IpPool> {
    let mut by_cidr: BTreeMap<IpNet, &IpPool> = BTreeMap::new();
    for pool in &resources.pools {
        let entry = by_cidr.entry(address::normal(pool.cidr.value)).or_insert(pool);
        if pool.meta.name < entry.meta.name {
            *entry = pool;
        }
    }
    by_cidr.into_values().collect()
}

/// The addresses that Calico itself gave the node.
fn bgp_addresses(node: &Node) -> impl Iterator<Item = IpAddr> {
    [(BGP_V4, true), (BGP_V6, false)].into_iter().filter_map(|(key, v4)| annotated(node, key, v4))
}

/// An address in an annotation, with or without its length.
fn annotated(node: &Node, key: &str, v4: bool) -> Option<IpAddr> {
    let text = node.meta.annotations.get(key)?;
    let bare = text.split_once('/').map_or(text, |(address, _)| address);
    address::parse_cidr_or_ip(text)?;
    address::parse_ip(bare).filter(|address| address.is_ipv4() == v4)
}

/// The node's addresses in each family in which it also has a VXLAN tunnel address
/// (`felix/calc/vxlan_resolver.go:261`, v3.32.1).
fn vxlan_hosts(node: &Node) -> impl Iterator<Item = IpAddr> {
    [(BGP_V4, VXLAN_TUNNEL_V4, true), (BGP_V6, VXLAN_TUNNEL_V6, false)].into_iter().filter_map(
        |(host, tunnel, v4)| {
            let tunnel = node.meta.annotations.get(tunnel)?;
            address::parse_ip(tunnel).filter(|address| address.is_ipv4() == v4)?;
            annotated(node, host, v4)
        },
    )
}

/// Ranges of services, from the BGPConfiguration `default`.
fn service_cidrs(resources: &Resources) -> Vec<IpNet> {
    let default = resources.bgp_configurations.iter().filter(|c| &*c.meta.name == "default");
    default
        .flat_map(|c| [&c.service_cluster_ips, &c.service_external_ips, &c.service_load_balancer_ips])
        .flatten()
        .filter_map(|text| address::parse_cidr_or_ip(text))
        .collect()
}
