//! The nat table: floating addresses, masquerade for traffic that leaves the pools.

use super::context::{Context, jump};
use super::names;
use super::sets;
use crate::diagnostic::Location;
use crate::ir::{
    Action, Address, Chain, Match, Matcher, Origin, Protocol, Rule, SetLookup, Side, Translation,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// `cali-PREROUTING` (`felix/rules/static.go:872`, v3.32.1).
pub fn prerouting(ctx: &Context) -> Arc<Chain> {
    let mut rules = vec![Rule::new(vec![], jump(names::FLOATING_DNAT), Origin::Static)];
    let config = ctx.config();
    if let Some(address) = config.metadata_address().filter(|_| config.openstack() && ctx.is_v4()) {
        let metadata = std::net::Ipv4Addr::new(169, 254, 169, 254);
        let matches = vec![
            Match::is(Matcher::Protocol(Protocol::Name("tcp".into()))),
            Match::is(Matcher::Ports(Side::Destination, vec![(80, 80)])),
            Match::is(Matcher::Address(Side::Destination, vec![Address::Net(IpAddr::from(metadata).into())])),
        ];
        let port = Some(config.metadata_port).filter(|port| *port != 0);
        let to = Translation::to(address).ports(port.map(|port| (port, port)));
        rules.push(Rule::new(matches, Action::Dnat(to.into()), Origin::Config("MetadataAddr")));
    }
    ctx.chain("cali-PREROUTING", rules)
}

/// `cali-OUTPUT` (`felix/rules/static.go:982`, v3.32.1).
pub fn output(ctx: &Context) -> Arc<Chain> {
    ctx.chain("cali-OUTPUT", vec![Rule::new(vec![], jump(names::FLOATING_DNAT), Origin::Static)])
}

/// `cali-POSTROUTING` (`felix/rules/static.go:900`, v3.32.1): besides the jumps, a packet that
/// goes into a tunnel with another of the node's addresses gets the tunnel's.
pub fn postrouting(ctx: &Context) -> Arc<Chain> {
    let network = &ctx.view.network;
    let config = ctx.config();
    let tunnels = if ctx.is_v4() {
        vec![
            ("tunl0", network.ipip && network.ipip_tunnel_address.is_some()),
            ("vxlan.calico", network.vxlan_v4 && network.vxlan_tunnel_v4.is_some()),
            (&*config.wireguard_interface, config.wireguard_enabled),
        ]
    } else {
        vec![
            ("vxlan-v6.calico", network.vxlan_v6 && network.vxlan_tunnel_v6.is_some()),
            (&*config.wireguard_interface_v6, config.wireguard_enabled_v6),
        ]
    };
    let mut rules = vec![
        Rule::new(vec![], jump(names::FLOATING_SNAT), Origin::Static),
        Rule::new(vec![], jump(names::NAT_OUTGOING), Origin::Static),
    ];
    let local = |limit_iface_out| Matcher::LocalAddress { side: Side::Source, limit_iface_out };
    for (tunnel, _) in tunnels.into_iter().filter(|(_, on)| *on) {
        let matches = vec![
            Match::is(Matcher::OutInterface(tunnel.into())),
            Match::not(local(true)),
            Match::is(local(false)),
        ];
        rules.push(Rule::new(matches, masquerade(ctx, None), Origin::Static));
    }
    ctx.chain("cali-POSTROUTING", rules)
}

fn masquerade(ctx: &Context, ports: Option<(u16, u16)>) -> Action {
    let to = Translation::default().ports(ports).random_fully(ctx.config().masq_fully_random);
    Action::Masquerade(to.into())
}

/// `cali-nat-outgoing` (`felix/rules/nat.go:55`, v3.32.1).
pub fn nat_outgoing(ctx: &Context) -> Arc<Chain> {
    let mut pools =
        ctx.view.network.pools.iter().filter(|p| p.nat_outgoing && p.cidr.addr().is_ipv4() == ctx.is_v4());
    let Some(origin) = pools.next().map(|pool| Origin::Object(pool.at)) else {
        return ctx.chain(names::NAT_OUTGOING, Vec::new());
    };
    let config = ctx.config();
    let translate = |ports| match config.nat_outgoing_address {
        Some(address) => {
            let to = Translation::to(address).ports(ports).random_fully(config.snat_fully_random);
            Action::Snat(to.into())
        }
        None => masquerade(ctx, ports),
    };
    let rule = |protocol: Option<&str>, action: Action| {
        let outside = |id| Match { negated: true, ..ctx.in_static_set(id, SetLookup::Destination) };
        let mut matches =
            vec![ctx.in_static_set(sets::MASQ_POOLS, SetLookup::Source), outside(ctx.view.facts.all_pools)];
        if config.nat_excludes_hosts {
            matches.push(outside(sets::ALL_HOSTS));
        }
        matches.extend(protocol.map(|name| Match::is(Matcher::Protocol(Protocol::Name(name.into())))));
        let filter = &*config.iptables_nat_outgoing_interface_filter;
        if !filter.is_empty() {
            matches.push(Match::is(Matcher::OutInterface(filter.into())));
        }
        Rule::new(matches, action, origin.clone())
    };
    let mut rules = Vec::new();
    if let Some(range) = config.nat_port_range {
        for protocol in ["tcp", "udp"] {
            rules.push(rule(Some(protocol), translate(Some(range))));
            rules.push(rule(Some(protocol), Action::Return));
        }
    }
    rules.push(rule(None, translate(None)));
    ctx.chain(names::NAT_OUTGOING, rules)
}

/// `cali-fip-dnat` and `cali-fip-snat`: pods' floating addresses. Where one external address is
/// given to several pods the textually lowest internal one gets it, and the other way round for
/// the source (`felix/dataplane/linux/floating_ip_mgr.go:126`, v3.32.1).
pub fn floating(ctx: &Context) -> [Arc<Chain>; 2] {
    let mut inward: BTreeMap<String, (IpAddr, IpAddr, Location)> = BTreeMap::new();
    if ctx.config().floating_ips {
        for workload in &ctx.view.workloads {
            for &(external, internal) in &workload.floating_ips {
                if external.is_ipv4() != ctx.is_v4() {
                    continue;
                }
                let entry = inward.entry(external.to_string()).or_insert((external, internal, workload.at));
                if internal.to_string() < entry.1.to_string() {
                    *entry = (external, internal, workload.at);
                }
            }
        }
    }
    let mut outward: BTreeMap<String, (IpAddr, IpAddr, Location)> = BTreeMap::new();
    for &(external, internal, at) in inward.values() {
        // externals come in text order, so the first one is the lowest
        outward.entry(internal.to_string()).or_insert((external, internal, at));
    }
    let to = |side, address| Match::is(Matcher::Address(side, vec![Address::Host(address)]));
    let dnat = inward.values().map(|&(external, internal, at)| {
        let action = Action::Dnat(Translation::to(internal).into());
        Rule::new(vec![to(Side::Destination, external)], action, Origin::Endpoint(at))
    });
    let random_fully = ctx.config().snat_fully_random;
    let snat = outward.values().map(|&(external, internal, at)| {
        let matches = vec![to(Side::Destination, internal), to(Side::Source, internal)];
        let action = Action::Snat(Translation::to(external).random_fully(random_fully).into());
        Rule::new(matches, action, Origin::Endpoint(at))
    });
    [ctx.chain(names::FLOATING_DNAT, dnat.collect()), ctx.chain(names::FLOATING_SNAT, snat.collect())]
}
