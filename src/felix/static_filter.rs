//! The filter table's entry chains.

use super::context::{Context, jump};
use super::names;
use super::sets;
use super::static_mangle::HOST_ENDPOINT_ACCEPTED;
use crate::ir::{
    Action, Address, Chain, ConntrackStates, Match, Matcher, Origin, Protocol, Rule, SetLookup, Side,
};
use crate::resolve::config::{HostAction, LoopPrevention};
use std::sync::Arc;

const IPIP: u8 = 4;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

fn number(protocol: u8) -> Match {
    Match::is(Matcher::Protocol(Protocol::Number(protocol)))
}

fn name(protocol: &str) -> Match {
    Match::is(Matcher::Protocol(Protocol::Name(protocol.into())))
}

fn port(side: Side, port: u16) -> Match {
    Match::is(Matcher::Ports(side, vec![(port, port)]))
}

fn local(side: Side) -> Match {
    Match::is(Matcher::LocalAddress { side, limit_iface_out: false })
}

/// `cali-INPUT` (`felix/rules/static.go:250`, v3.32.1).
pub fn input(ctx: &Context) -> Arc<Chain> {
    let accepted = Match::mark_set(ctx.marks.accept);
    let mut rules = tunnels_in(ctx);
    if ctx.ipvs() {
        rules.push(Rule::new(vec![], Action::clear_mark(ctx.marks.endpoint), Origin::Static));
        rules.push(Rule::new(vec![], jump(names::FORWARD_CHECK), Origin::Static));
        let forwarded = Match::mark_not_clear(ctx.marks.endpoint);
        rules.push(Rule::new(vec![forwarded], Action::Return, Origin::Static));
    }
    rules.extend(
        ctx.workloads_in()
            .map(|from| Rule::new(vec![from], Action::Goto(names::WORKLOAD_TO_HOST.into()), Origin::Static)),
    );
    rules.push(Rule::new(vec![accepted.clone()], ctx.filter_allow(), Origin::Static));
    rules.push(Rule::new(vec![], Action::clear_mark(ctx.marks.all()), Origin::Static));
    rules.push(Rule::new(vec![], jump(names::FROM_HOST_ENDPOINT), Origin::Static));
    rules.push(Rule::new(vec![accepted], ctx.filter_allow(), Origin::Static).comment(HOST_ENDPOINT_ACCEPTED));
    ctx.chain("cali-INPUT", rules)
}

/// Encapsulated traffic from other nodes is let in, from elsewhere it is not.
fn tunnels_in(ctx: &Context) -> Vec<Rule> {
    let (network, config) = (&ctx.view.network, ctx.config());
    let vxlan = || vec![number(UDP), port(Side::Destination, config.vxlan_port)];
    let from_hosts = |id| ctx.in_static_set(id, SetLookup::Source);
    let mut rules = Vec::new();
    let mut add = |matches: Vec<Match>, action, origin, comment: String| {
        rules.push(Rule::new(matches, action, Origin::Config(origin)).comment(comment));
    };
    if ctx.is_v4() && network.ipip {
        let matches = vec![number(IPIP), from_hosts(sets::ALL_HOSTS), local(Side::Destination)];
        add(matches, ctx.filter_allow(), "IpInIpEnabled", "Allow IPIP packets from Calico hosts".into());
        let comment = format!("{} IPIP packets from non-Calico hosts", ctx.deny_word());
        add(vec![number(IPIP)], ctx.deny(), "IpInIpEnabled", comment);
    }
    let vxlan_on = if ctx.is_v4() { network.vxlan_v4 } else { network.vxlan_v6 };
    if vxlan_on {
        let mut matches = vxlan();
        matches.extend([from_hosts(sets::ALL_VXLAN), local(Side::Destination)]);
        let version = if ctx.is_v4() { "IPv4" } else { "IPv6" };
        let comment = format!("Allow {version} VXLAN packets from allowed hosts");
        add(matches, ctx.filter_allow(), "VXLANEnabled", comment);
        let mut matches = vxlan();
        matches.push(local(Side::Destination));
        // IPv4 is dropped whatever the deny action (`felix/rules/static.go:284`, v3.32.1)
        let (action, word) = if ctx.is_v4() { (Action::Drop, "Drop") } else { (ctx.deny(), ctx.deny_word()) };
        let comment = format!("{word} {version} VXLAN packets from non-allowed hosts");
        add(matches, action, "VXLANEnabled", comment);
    }
    if let Some((listening, version)) = wireguard(ctx) {
        let matches = vec![number(UDP), port(Side::Destination, listening), local(Side::Destination)];
        let comment = format!("Allow incoming {version} Wireguard packets");
        add(matches, ctx.filter_allow(), "WireguardEnabled", comment);
    }
    rules
}

fn wireguard(ctx: &Context) -> Option<(u16, &'static str)> {
    let config = ctx.config();
    if ctx.is_v4() {
        config.wireguard_enabled.then_some((config.wireguard_listening_port, "IPv4"))
    } else {
        config.wireguard_enabled_v6.then_some((config.wireguard_listening_port_v6, "IPv6"))
    }
}

/// `cali-wl-to-host` (`felix/rules/static.go:401`, v3.32.1).
pub fn workload_to_host(ctx: &Context) -> Arc<Chain> {
    let config = ctx.config();
    let mut rules = Vec::new();
    if !ctx.is_v4() {
        // listener queries and reports, router solicitation, neighbour discovery
        for kind in [130, 131, 132, 133, 135, 136] {
            let matches = vec![number(ICMPV6), Match::is(Matcher::Icmp(kind, None))];
            rules.push(Rule::new(matches, ctx.filter_allow(), Origin::Static));
        }
    }
    if config.openstack() {
        rules.extend(openstack(ctx));
    }
    rules.push(Rule::new(vec![], jump(names::FROM_WORKLOAD_DISPATCH), Origin::Static));
    let action = match config.default_endpoint_to_host_action {
        HostAction::Drop => Action::Drop,
        HostAction::Return => Action::Return,
        HostAction::Accept => Action::Accept,
    };
    rules.push(
        Rule::new(vec![], action, Origin::Config("DefaultEndpointToHostAction"))
            .comment("Configured DefaultEndpointToHostAction"),
    );
    ctx.chain(names::WORKLOAD_TO_HOST, rules)
}

/// OpenStack's metadata service, DHCP and DNS (`felix/rules/static.go:408`, v3.32.1).
fn openstack(ctx: &Context) -> Vec<Rule> {
    let config = ctx.config();
    let mut rules = Vec::new();
    let mut allow =
        |matches| rules.push(Rule::new(matches, ctx.filter_allow(), Origin::Config("MetadataAddr")));
    if let Some(address) = config.metadata_address().filter(|_| ctx.is_v4()) {
        let to = Match::is(Matcher::Address(Side::Destination, vec![Address::Host(address)]));
        allow(vec![name("tcp"), to, port(Side::Destination, config.metadata_port)]);
    }
    let (client, server) = if ctx.is_v4() { (68, 67) } else { (546, 547) };
    allow(vec![name("udp"), port(Side::Source, client), port(Side::Destination, server)]);
    allow(vec![name("udp"), port(Side::Destination, 53)]);
    rules
}

/// `cali-FORWARD` (`felix/rules/static.go:609`, v3.32.1).
pub fn forward(ctx: &Context) -> Arc<Chain> {
    let accept = ctx.marks.accept;
    let mut rules = vec![
        Rule::new(vec![], Action::clear_mark(ctx.marks.all() & !accept), Origin::Static),
        Rule::new(vec![Match::mark_clear(accept)], jump(names::FROM_HOST_FORWARD), Origin::Static),
    ];
    for (from, to) in ctx.workloads_in().zip(ctx.workloads_out()) {
        rules.push(Rule::new(vec![from], jump(names::FROM_WORKLOAD_DISPATCH), Origin::Static));
        rules.push(Rule::new(vec![to], jump(names::TO_WORKLOAD_DISPATCH), Origin::Static));
    }
    rules.push(Rule::new(vec![], jump(names::TO_HOST_FORWARD), Origin::Static));
    rules.push(Rule::new(vec![], jump(names::CIDR_BLOCK), Origin::Static));
    ctx.chain("cali-FORWARD", rules)
}

/// The rules that Felix appends to the kernel's FORWARD chain (`felix/rules/static.go:675`, v3.32.1).
pub fn forward_appends(ctx: &Context) -> Vec<Rule> {
    let accept = ctx.marks.accept;
    vec![
        Rule::new(vec![Match::mark_set(accept)], ctx.filter_allow(), Origin::Static)
            .comment("Policy explicitly accepted packet."),
        // tells mangle POSTROUTING that this packet was forwarded
        Rule::new(vec![], Action::set_mark(accept), Origin::Static),
    ]
}

/// `cali-OUTPUT` (`felix/rules/static.go:705`, v3.32.1).
pub fn output(ctx: &Context) -> Arc<Chain> {
    let accepted = Match::mark_set(ctx.marks.accept);
    let mut rules = vec![Rule::new(vec![accepted.clone()], ctx.filter_allow(), Origin::Static)];
    if ctx.ipvs() {
        let forwarded = Match::mark_not_clear(ctx.marks.endpoint);
        let action = Action::Goto(names::FORWARD_ENDPOINT_MARK.into());
        rules.push(Rule::new(vec![forwarded], action, Origin::Static));
    }
    rules.extend(ctx.workloads_out().map(|to| Rule::new(vec![to], Action::Return, Origin::Static)));
    rules.extend(tunnels_out(ctx));
    rules.push(Rule::new(vec![], Action::clear_mark(ctx.marks.all()), Origin::Static));
    // translated traffic meets host endpoint policy in mangle, once its route is known again
    let not_translated = Match::not(Matcher::Conntrack(ConntrackStates::DNAT));
    rules.push(Rule::new(vec![not_translated], jump(names::TO_HOST_ENDPOINT), Origin::Static));
    rules.push(Rule::new(vec![accepted], ctx.filter_allow(), Origin::Static).comment(HOST_ENDPOINT_ACCEPTED));
    ctx.chain("cali-OUTPUT", rules)
}

fn tunnels_out(ctx: &Context) -> Vec<Rule> {
    let (network, config) = (&ctx.view.network, ctx.config());
    let to_hosts = |id| ctx.in_static_set(id, SetLookup::Destination);
    let mut rules = Vec::new();
    let mut add = |matches: Vec<Match>, origin, comment: String| {
        rules.push(Rule::new(matches, ctx.filter_allow(), Origin::Config(origin)).comment(comment));
    };
    if ctx.is_v4() && network.ipip {
        let matches = vec![number(IPIP), to_hosts(sets::ALL_HOSTS), local(Side::Source)];
        add(matches, "IpInIpEnabled", "Allow IPIP packets to other Calico hosts".into());
    }
    let vxlan_on = if ctx.is_v4() { network.vxlan_v4 } else { network.vxlan_v6 };
    if vxlan_on {
        let version = if ctx.is_v4() { "IPv4" } else { "IPv6" };
        let matches = vec![
            number(UDP),
            port(Side::Destination, config.vxlan_port),
            local(Side::Source),
            to_hosts(sets::ALL_VXLAN),
        ];
        add(matches, "VXLANEnabled", format!("Allow {version} VXLAN packets to other allowed hosts"));
    }
    if let Some((listening, version)) = wireguard(ctx) {
        let matches = vec![number(UDP), port(Side::Destination, listening), local(Side::Source)];
        add(matches, "WireguardEnabled", format!("Allow outgoing {version} Wireguard packets"));
    }
    rules
}

/// `cali-cidr-block`: service addresses that nobody translated must not loop between node and
/// router (`felix/rules/nat.go:162`, v3.32.1). Sorted by text.
pub fn cidr_block(ctx: &Context) -> Arc<Chain> {
    let action = match ctx.config().service_loop_prevention {
        LoopPrevention::Drop => Some(Action::Drop),
        LoopPrevention::Reject => Some(Action::Reject(crate::ir::RejectWith::PortUnreachable)),
        LoopPrevention::Disabled => None,
    };
    let mut cidrs: Vec<_> =
        ctx.view.network.service_cidrs.iter().filter(|c| c.addr().is_ipv4() == ctx.is_v4()).collect();
    cidrs.sort_by_cached_key(ToString::to_string);
    let rules = action.map_or_else(Vec::new, |action| {
        cidrs
            .into_iter()
            .map(|cidr| {
                let to = Match::is(Matcher::Address(Side::Destination, vec![Address::Net(*cidr)]));
                Rule::new(vec![to], action.clone(), Origin::Config("ServiceLoopPrevention"))
            })
            .collect()
    });
    ctx.chain(names::CIDR_BLOCK, rules)
}
