//! The ipsets: Felix's own, and those that rules refer to.

use super::names;
use crate::ir::{Family, IpSet, Members};
use crate::resolve::view::{NetMembers, NodeView, SetMembers};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::IpAddr;
use std::sync::Arc;

// Ids of Felix's own sets (`felix/rules/rule_defs.go`, v3.32.1).
pub const MASQ_POOLS: &str = "masq-ipam-pools";
pub const THIS_HOST: &str = "this-host";
pub const DSCP_SOURCES: &str = "dscp-src-net";
pub const ALL_HOSTS: &str = "all-hosts-net";
pub const ALL_VXLAN: &str = "all-vxlan-net";
pub const ISTIO: &str = "all-istio-weps";

/// All sets of both families (of IPv4 only, where IPv6 is off), sorted by name.
pub fn all(view: &NodeView) -> Vec<IpSet> {
    let families = if view.config.ipv6_support { &[Family::V4, Family::V6][..] } else { &[Family::V4] };
    let mut sets = Vec::new();
    for &family in families {
        own(view, family, &mut sets);
        sets.extend(view.sets.iter().map(|set| IpSet {
            name: names::set(family, &set.id).into(),
            family,
            max_elements: view.config.max_ipset_size as u64,
            members: match &set.members {
                SetMembers::Nets(nets) => Members::Nets(nets.clone()),
                SetMembers::Ports(ports) if family == Family::V4 => Members::Ports(ports.v4.clone()),
                SetMembers::Ports(ports) => Members::Ports(ports.v6.clone()),
            },
            meaning: Some(set.meaning.clone()),
        }));
    }
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    sets
}

/// The sets that Felix has whatever the policies are.
fn own(view: &NodeView, family: Family, sets: &mut Vec<IpSet>) {
    let (network, config) = (&view.network, &view.config);
    let v4 = family == Family::V4;
    let mut add = |id, members| {
        sets.push(IpSet {
            name: names::set(family, id).into(),
            family,
            max_elements: config.max_ipset_size as u64,
            members,
            meaning: None,
        });
    };
    let pools = network.pools.iter();
    let facts = view.facts;
    let all = pools.clone().filter(|pool| facts.load_balancer_pools || !pool.load_balancer_only);
    add(facts.all_pools, nets(all.map(|pool| pool.cidr), family));
    add(MASQ_POOLS, nets(pools.filter(|pool| pool.nat_outgoing).map(|pool| pool.cidr), family));
    add(THIS_HOST, addresses(this_host(view), family));
    if facts.dscp {
        let workloads = view.workloads.iter().map(|w| (w.dscp, &w.addresses));
        let hosts = view.host_endpoints.iter().map(|h| (h.dscp, &h.addresses));
        let marked = workloads.chain(hosts).filter(|(dscp, _)| dscp.is_some());
        add(DSCP_SOURCES, nets(marked.flat_map(|(_, addresses)| addresses).map(|a| IpNet::from(*a)), family));
    }
    // IPIP is IPv4 only; the set is also needed where NAT spares the hosts
    // (`felix/dataplane/linux/int_dataplane.go:1187`, `:1405`, v3.32.1)
    let external = config.external_nodes_cidr_list.iter().copied();
    if (v4 && network.ipip) || config.nat_excludes_hosts {
        let hosts = network.hosts.iter().map(|address| IpNet::from(*address));
        add(ALL_HOSTS, nets(hosts.chain(external.clone().filter(|_| v4)), family));
    }
    if if v4 { network.vxlan_v4 } else { network.vxlan_v6 } {
        let hosts = network.vxlan_hosts.iter().map(|address| IpNet::from(*address));
        add(ALL_VXLAN, nets(hosts.chain(external), family));
    }
    if config.istio_ambient {
        add(ISTIO, addresses(network.istio_members.iter().copied(), family));
    }
}

/// The node's own addresses: those of its interfaces that Felix does not pass over, and the loopback's
/// (`felix/ifacemonitor/iface_monitor.go:382`, v3.32.1: the destinations of local routes, among
/// them `127.0.0.0` of the route `127.0.0.0/8`).
fn this_host(view: &NodeView) -> impl Iterator<Item = IpAddr> {
    let loopback = ["127.0.0.0", "127.0.0.1", "::1"].map(|text| text.parse().expect("an address"));
    let own = view.interfaces.iter().filter(|interface| !view.config.excludes_interface(&interface.name));
    loopback.into_iter().chain(own.flat_map(|interface| &interface.addresses).map(IpNet::addr))
}

fn addresses(all: impl Iterator<Item = IpAddr>, family: Family) -> Members {
    let mut list: Vec<IpAddr> = all.filter(|address| address.is_ipv4() == (family == Family::V4)).collect();
    list.sort_by_cached_key(ToString::to_string);
    list.dedup();
    Members::Addresses(list)
}

/// `hash:net` members sorted by their text; a range of all addresses is two halves, because the
/// kernel's sets cannot hold it.
fn nets(all: impl Iterator<Item = IpNet>, family: Family) -> Members {
    let mut members = NetMembers::default();
    for net in all {
        match (net.trunc(), family) {
            (IpNet::V4(net), Family::V4) => halves_v4(net, &mut members.v4),
            (IpNet::V6(net), Family::V6) => halves_v6(net, &mut members.v6),
            _ => {}
        }
    }
    let text = |address: IpAddr, length: u8, full: u8| {
        if length == full { address.to_string() } else { format!("{address}/{length}") }
    };
    members.v4.sort_by_cached_key(|net| text(net.addr().into(), net.prefix_len(), 32));
    members.v4.dedup();
    members.v6.sort_by_cached_key(|net| text(net.addr().into(), net.prefix_len(), 128));
    members.v6.dedup();
    Members::Nets(Arc::new(members))
}

fn halves_v4(net: Ipv4Net, out: &mut Vec<Ipv4Net>) {
    if net.prefix_len() == 0 {
        out.extend(net.subnets(1).into_iter().flatten());
    } else {
        out.push(net);
    }
}

fn halves_v6(net: Ipv6Net, out: &mut Vec<Ipv6Net>) {
    if net.prefix_len() == 0 {
        out.extend(net.subnets(1).into_iter().flatten());
    } else {
        out.push(net);
    }
}
