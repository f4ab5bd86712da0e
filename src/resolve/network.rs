//! Facts of the network at large: pools, hosts, tunnels, services, the mesh.

use super::address;
use super::config::FelixConfig;
use super::convert::draft::ignored;
use super::node_facts::NodeFacts;
use super::view::{Network, Pool};
use crate::diagnostic::Diagnostic;
use crate::model::Resources;
use crate::model::calico::{BgpConfiguration, IpPool};
use crate::syntax::cidr;
use ipnet::IpNet;
use std::collections::BTreeMap;

/// Collects them for one node. `istio_members` stays empty.
pub fn network(
    resources: &Resources,
    nodes: &[NodeFacts<'_>],
    node: &str,
    config: &FelixConfig,
    diagnostics: &mut Vec<Diagnostic>,
) -> Network {
    let pools = pools(&resources.pools);
    let on = |mode: &str| matches!(mode, "Always" | "CrossSubnet");
    let vxlan =
        |v4: bool| pools.values().any(|pool| on(&pool.vxlan_mode) && pool.cidr.value.addr().is_ipv4() == v4);
    let own = nodes.iter().find(|facts| &*facts.node.meta.name == node);
    let hosts_from = resources.facts.hosts_from;
    let mut hosts: Vec<_> = nodes.iter().flat_map(|facts| facts.hosts(hosts_from)).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let others = nodes.iter().filter(|facts| &*facts.node.meta.name != node);
    let mut vxlan_hosts: Vec<_> = others.flat_map(NodeFacts::vxlan_hosts).collect();
    vxlan_hosts.sort_unstable();
    vxlan_hosts.dedup();
    Network {
        hosts,
        vxlan_hosts,
        ipip: config.ip_in_ip_enabled.unwrap_or_else(|| pools.values().any(|pool| on(&pool.ipip_mode))),
        vxlan_v4: config.vxlan_enabled.unwrap_or_else(|| vxlan(true)),
        vxlan_v6: vxlan(false),
        ipip_tunnel_address: own.and_then(|facts| facts.ipip_tunnel(pod_cidr_mode(resources))),
        vxlan_tunnel_v4: own.and_then(|facts| facts.vxlan_tunnel(4)),
        vxlan_tunnel_v6: own.and_then(|facts| facts.vxlan_tunnel(6)),
        service_cidrs: service_cidrs(&resources.bgp_configurations, diagnostics),
        istio_members: Vec::new(),
        pools: pools
            .iter()
            .map(|(cidr, pool)| Pool {
                cidr: *cidr,
                nat_outgoing: pool.nat_outgoing,
                load_balancer_only: matches!(&*pool.allowed_uses, [only] if &**only == "LoadBalancer"),
                at: pool.meta.at,
            })
            .collect(),
    }
}

/// Pools by CIDR; of several with one CIDR, the first by name
/// (`libcalico-go/lib/backend/syncersv1/updateprocessors/conflictresolvingcacheproc.go:148`, v3.32.1).
fn pools(pools: &[IpPool]) -> BTreeMap<IpNet, &IpPool> {
    let mut by_cidr: BTreeMap<IpNet, &IpPool> = BTreeMap::new();
    for pool in pools {
        let kept = by_cidr.entry(address::normal(pool.cidr.value)).or_insert(pool);
        if pool.meta.name < kept.meta.name {
            *kept = pool;
        }
    }
    by_cidr
}

/// Whether addresses come from the nodes' pod CIDRs (`libcalico-go/lib/apiconfig/apiconfig.go:78`).
fn pod_cidr_mode(resources: &Resources) -> bool {
    let variables = resources.calico_node.iter().flat_map(|node| &node.env);
    let value = variables
        .filter(|(name, _)| &*name.value == "USE_POD_CIDR")
        .filter_map(|(_, v)| v.as_ref())
        .next_back();
    value.is_some_and(|value| matches!(&*value.value, "1" | "t" | "T" | "true" | "TRUE" | "True"))
}

/// CIDRs of services; a single wrong one and Felix ignores the whole object
/// (`api/pkg/apis/projectcalico/v3/bgpconfig.go:181` and `felix/calc/event_sequencer.go:1067`, v3.32.1).
fn service_cidrs(configurations: &[BgpConfiguration], diagnostics: &mut Vec<Diagnostic>) -> Vec<IpNet> {
    let Some(configuration) = configurations.iter().find(|c| &*c.meta.name == "default") else {
        return Vec::new();
    };
    let texts = [
        &configuration.service_cluster_ips,
        &configuration.service_external_ips,
        &configuration.service_load_balancer_ips,
    ];
    let mut cidrs = Vec::new();
    for text in texts.into_iter().flatten().filter(|text| !text.is_empty()) {
        match cidr::parse_or_address(text).filter(cidr::Cidr::is_masked) {
            Some(cidr) => cidrs.push(address::normal(cidr.net)),
            None => {
                let reason = format!("`{text}` is no CIDR without host bits");
                diagnostics.push(ignored("BGPConfiguration", "default", configuration.meta.at, &reason));
                return Vec::new();
            }
        }
    }
    cidrs
}
