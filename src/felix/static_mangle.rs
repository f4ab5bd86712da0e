//! The mangle table: preDNAT policy on the way in; DSCP, and host endpoint policy for translated
//! traffic, on the way out.

use super::context::{Context, jump};
use super::names;
use super::sets;
use crate::ir::{
    Action, Address, Chain, ConntrackStates, Match, Matcher, Origin, Protocol, Rule, SetLookup, Side,
};
use std::sync::Arc;

/// The comment of rules that end a host endpoint's turn.
pub const HOST_ENDPOINT_ACCEPTED: &str = "Host endpoint policy accepted packet.";

/// Conntrack knows the connection.
pub fn established() -> Match {
    Match::is(Matcher::Conntrack(ConntrackStates::RELATED.or(ConntrackStates::ESTABLISHED)))
}

/// `cali-PREROUTING` (`felix/rules/static.go:1008`, v3.32.1).
pub fn prerouting(ctx: &Context) -> Arc<Chain> {
    let accepted = Match::mark_set(ctx.marks.accept);
    let rules = vec![
        Rule::new(vec![established()], ctx.mangle_allow(), Origin::Static),
        Rule::new(vec![accepted.clone()], ctx.mangle_allow(), Origin::Static),
        Rule::new(vec![], jump(names::FROM_HOST_ENDPOINT), Origin::Static),
        Rule::new(vec![accepted], ctx.mangle_allow(), Origin::Static).comment(HOST_ENDPOINT_ACCEPTED),
    ];
    ctx.chain("cali-PREROUTING", rules)
}

/// `cali-POSTROUTING` (`felix/rules/static.go:1061`, v3.32.1).
pub fn postrouting(ctx: &Context) -> Arc<Chain> {
    let mut rules = Vec::new();
    if ctx.config().istio_ambient {
        rules.extend(ctx.workloads_out().map(|to| {
            let matches = vec![
                Match::is(Matcher::Protocol(Protocol::Name("tcp".into()))),
                Match::is(Matcher::Conntrack(ConntrackStates::NEW)),
                to,
                ctx.in_static_set(sets::ISTIO, SetLookup::Destination),
                ctx.in_static_set(sets::ISTIO, SetLookup::Source),
            ];
            let action = Action::Dscp(ctx.config().istio_dscp_mark);
            Rule::new(matches, action, Origin::Config("IstioAmbientMode"))
        }));
    }
    if ctx.view.facts.dscp {
        let outside = |id| Match { negated: true, ..ctx.in_static_set(id, SetLookup::Destination) };
        let leaves_cluster = vec![
            ctx.in_static_set(sets::DSCP_SOURCES, SetLookup::Source),
            outside(ctx.view.facts.all_pools),
            outside(sets::THIS_HOST),
        ];
        rules.push(
            Rule::new(leaves_cluster, jump(names::EGRESS_DSCP), Origin::Static)
                .comment("set dscp for traffic leaving cluster."),
        );
    }
    let accepted = Match::mark_set(ctx.marks.accept);
    rules.push(Rule::new(vec![accepted.clone()], Action::Return, Origin::Static));
    if ctx.ipvs() {
        let from_endpoint = Match::mark_not_clear(ctx.marks.endpoint);
        rules.push(Rule::new(vec![from_endpoint], Action::Return, Origin::Static));
    }
    rules.push(Rule::new(vec![], Action::clear_mark(ctx.marks.all()), Origin::Static));
    let translated = Match::is(Matcher::Conntrack(ConntrackStates::DNAT));
    rules.push(Rule::new(vec![translated], jump(names::TO_HOST_ENDPOINT), Origin::Static));
    rules.push(Rule::new(vec![accepted], Action::Return, Origin::Static).comment(HOST_ENDPOINT_ACCEPTED));
    ctx.chain("cali-POSTROUTING", rules)
}

/// `cali-egress-dscp`: one rule for each endpoint with a DSCP annotation, sorted by the text of
/// its addresses (`felix/dataplane/linux/dscp_mgr.go:141`, v3.32.1).
pub fn egress_dscp(ctx: &Context) -> Arc<Chain> {
    let workloads = ctx.view.workloads.iter().map(|w| (&w.addresses, w.dscp, w.at));
    let hosts = ctx.view.host_endpoints.iter().map(|h| (&h.addresses, h.dscp, h.at));
    let mut marked: Vec<_> = workloads
        .chain(hosts)
        .filter_map(|(addresses, dscp, at)| {
            let family: Vec<_> = addresses.iter().filter(|a| a.is_ipv4() == ctx.is_v4()).copied().collect();
            let text = family.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            (!family.is_empty()).then_some((text, family, dscp?, at))
        })
        .collect();
    marked.sort_by(|a, b| a.0.cmp(&b.0));
    let rules = marked
        .into_iter()
        .map(|(_, addresses, value, at)| {
            let ranges = addresses.into_iter().map(Address::Host).collect();
            let from = Match::is(Matcher::Address(Side::Source, ranges));
            Rule::new(vec![from], Action::Dscp(value), Origin::Endpoint(at))
        })
        .collect();
    ctx.chain(names::EGRESS_DSCP, rules)
}
