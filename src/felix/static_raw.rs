//! The raw table: spoofed sources, untracked policy, VXLAN out of conntrack.

use super::context::{Context, jump};
use super::names;
use crate::ir::{Action, Chain, Match, Matcher, Origin, Protocol, Rule, Side};
use std::sync::Arc;

/// `cali-PREROUTING` (`felix/rules/static.go:1336`, v3.32.1).
pub fn prerouting(ctx: &Context) -> Arc<Chain> {
    let from_workload = ctx.marks.scratch0;
    let mut rules = vec![Rule::new(vec![], Action::clear_mark(ctx.marks.all()), Origin::Static)];
    let config = ctx.config();
    if (config.wireguard_enabled || config.wireguard_enabled_v6) && config.wireguard_host_encryption {
        let action = jump(names::WIREGUARD_INCOMING_MARK);
        rules.push(Rule::new(vec![], action, Origin::Config("WireguardHostEncryptionEnabled")));
    }
    rules.extend(vxlan_untracked(ctx));
    rules.extend(
        ctx.workloads_in().map(|from| Rule::new(vec![from], Action::set_mark(from_workload), Origin::Static)),
    );
    let marked = Match::mark_set(from_workload);
    rules.push(Rule::new(vec![marked.clone()], jump(names::RPF_SKIP), Origin::Static));
    if config.openstack() && ctx.is_v4() {
        rules.push(dhcp_without_address());
    }
    rules.push(Rule::new(vec![marked, Match::is(Matcher::ReversePathFails)], ctx.deny(), Origin::Static));
    let not_marked = Match::mark_clear(from_workload);
    rules.push(Rule::new(vec![not_marked], jump(names::FROM_HOST_ENDPOINT), Origin::Static));
    rules.push(Rule::new(vec![Match::mark_set(ctx.marks.accept)], Action::Accept, Origin::Static));
    ctx.chain("cali-PREROUTING", rules)
}

/// OpenStack: a DHCP request from a workload that has no address yet
/// (`felix/rules/static.go:1409`, v3.32.1).
fn dhcp_without_address() -> Rule {
    let unspecified = crate::ir::Address::Host(std::net::Ipv4Addr::UNSPECIFIED.into());
    let matches = vec![
        Match::is(Matcher::Protocol(Protocol::Name("udp".into()))),
        Match::is(Matcher::Address(Side::Source, vec![unspecified])),
        Match::is(Matcher::Ports(Side::Source, vec![(68, 68)])),
        Match::is(Matcher::Ports(Side::Destination, vec![(67, 67)])),
    ];
    Rule::new(matches, Action::Accept, Origin::Config("InterfacePrefix"))
}

/// `cali-OUTPUT` (`felix/rules/static.go:1490`, v3.32.1).
pub fn output(ctx: &Context) -> Arc<Chain> {
    let mut rules = vec![
        Rule::new(vec![], Action::clear_mark(ctx.marks.all()), Origin::Static),
        Rule::new(vec![], jump(names::TO_HOST_ENDPOINT), Origin::Static),
    ];
    rules.extend(vxlan_untracked(ctx));
    rules.push(Rule::new(vec![Match::mark_set(ctx.marks.accept)], Action::Accept, Origin::Static));
    ctx.chain("cali-OUTPUT", rules)
}

/// VXLAN's two directions use different ports, so conntrack could never pair them.
fn vxlan_untracked(ctx: &Context) -> Option<Rule> {
    let network = &ctx.view.network;
    let on = if ctx.is_v4() { network.vxlan_v4 } else { network.vxlan_v6 };
    on.then(|| {
        let matches = vec![
            Match::is(Matcher::Protocol(Protocol::Name("udp".into()))),
            Match::is(Matcher::Port(Side::Destination, ctx.config().vxlan_port, ctx.config().vxlan_port)),
        ];
        Rule::new(matches, Action::NoTrack, Origin::Config("VXLANEnabled"))
    })
}

/// `cali-rpf-skip`: sources that a pod is allowed to use besides its own addresses
/// (`felix/dataplane/linux/endpoint_mgr.go:1141`, v3.32.1). Felix's order is that of a Go map;
/// here it is by interface.
pub fn rpf_skip(ctx: &Context) -> Arc<Chain> {
    let mut rules = Vec::new();
    for workload in &ctx.view.workloads {
        for prefix in &workload.allowed_source_prefixes {
            if prefix.addr().is_ipv4() == ctx.is_v4() {
                let matches = vec![
                    Match::is(Matcher::InInterface((&*workload.interface).into())),
                    Match::is(Matcher::Address(Side::Source, vec![crate::ir::Address::Net(*prefix)])),
                ];
                rules.push(Rule::new(matches, Action::Accept, Origin::Endpoint(workload.at)));
            }
        }
    }
    ctx.chain(names::RPF_SKIP, rules)
}

/// `cali-wireguard-incoming-mark` (`felix/rules/static.go:1459`, v3.32.1).
pub fn wireguard_incoming_mark(ctx: &Context) -> Arc<Chain> {
    let config = ctx.config();
    let fixed =
        ["lo", &*config.wireguard_interface, &*config.wireguard_interface_v6].map(Arc::from).into_iter();
    let mut rules: Vec<Rule> = fixed
        .chain(ctx.workload_patterns())
        .map(|name| Rule::new(vec![Match::is(Matcher::InInterface(name))], Action::Return, Origin::Static))
        .collect();
    rules.push(Rule::new(vec![], Action::set_mark(ctx.marks.wireguard), Origin::Static));
    ctx.chain(names::WIREGUARD_INCOMING_MARK, rules)
}
