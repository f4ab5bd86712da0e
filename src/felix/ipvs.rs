//! Chains for kube-proxy's IPVS mode, where forwarded service traffic passes INPUT and OUTPUT.

use super::blocks::split_ports;
use super::context::{Context, jump};
use super::endpoint_mark::EndpointMarks;
use super::names;
use super::sets;
use super::static_mangle::established;
use crate::ir::{Action, Chain, Match, Matcher, Origin, Protocol, Rule, SetLookup, Side};
use std::sync::Arc;

/// `cali-forward-check` (`felix/rules/static.go:68`, v3.32.1): packets to a service get the mark of
/// the endpoint they came from.
pub fn forward_check(ctx: &Context) -> Arc<Chain> {
    let this_host = || ctx.in_static_set(sets::THIS_HOST, SetLookup::Destination);
    let mut rules = vec![Rule::new(vec![established()], Action::Return, Origin::Static)];
    for ports in split_ports(&ctx.config().kube_node_port_ranges) {
        for protocol in ["tcp", "udp"] {
            let matches = vec![
                Match::is(Matcher::Protocol(Protocol::Name(protocol.into()))),
                Match::is(Matcher::Ports(Side::Destination, ports.to_vec())),
                this_host(),
            ];
            let action = Action::Goto(names::SET_ENDPOINT_MARK.into());
            rules.push(
                Rule::new(matches, action, Origin::Config("KubeNodePortRanges"))
                    .comment("To kubernetes NodePort service"),
            );
        }
    }
    let elsewhere = Match { negated: true, ..this_host() };
    rules.push(
        Rule::new(vec![elsewhere], jump(names::SET_ENDPOINT_MARK), Origin::Static)
            .comment("To kubernetes service"),
    );
    ctx.chain(names::FORWARD_CHECK, rules)
}

/// `cali-forward-endpoint-mark` (`felix/rules/static.go:140`, v3.32.1).
pub fn forward_endpoint_mark(ctx: &Context) -> Arc<Chain> {
    let marks = &ctx.marks;
    let from_calico = Match::not_mark(marks.non_calico_endpoint(), marks.endpoint);
    let mut rules = vec![Rule::new(vec![from_calico], jump(names::FROM_ENDPOINT_MARK), Origin::Static)];
    rules.extend(
        ctx.workloads_out().map(|to| Rule::new(vec![to], jump(names::TO_WORKLOAD_DISPATCH), Origin::Static)),
    );
    rules.push(Rule::new(vec![], jump(names::TO_HOST_FORWARD), Origin::Static));
    rules.push(Rule::new(vec![], Action::clear_mark(marks.endpoint), Origin::Static));
    rules.push(
        Rule::new(vec![Match::mark_set(marks.accept)], ctx.filter_allow(), Origin::Static)
            .comment("Policy explicitly accepted packet."),
    );
    ctx.chain(names::FORWARD_ENDPOINT_MARK, rules)
}

/// `cali-from-endpoint-mark` (`felix/rules/dispatch.go:430`, v3.32.1): from the mark back to the
/// chains of the endpoint that the packet came from.
pub fn from_endpoint_mark(ctx: &Context, marks: &EndpointMarks) -> Arc<Chain> {
    let workloads = ctx.view.workloads.iter().map(|w| (names::FROM_WORKLOAD, &*w.interface, w.at));
    let hosts = ctx.named_host_endpoints().map(|h| (names::FROM_HOST_FW, &*h.interface, h.at));
    let mut rules: Vec<Rule> = workloads
        .chain(hosts)
        .filter_map(|(prefix, interface, at)| {
            let from = Match::mark(marks.of(interface)?, ctx.marks.endpoint);
            let action = Action::Goto(names::chain(prefix, interface).into());
            Some(Rule::new(vec![from], action, Origin::Endpoint(at)))
        })
        .collect();
    rules.push(Rule::new(vec![], ctx.deny(), Origin::Static).comment("Unknown interface"));
    ctx.chain(names::FROM_ENDPOINT_MARK, rules)
}

/// `cali-sm-<interface>`, one for each endpoint that has a mark.
pub fn set_marks(ctx: &Context, marks: &EndpointMarks) -> Vec<Arc<Chain>> {
    let workloads = ctx.view.workloads.iter().map(|w| (&*w.interface, w.at));
    let hosts = ctx.view.host_endpoints.iter().map(|h| (&*h.interface, h.at));
    workloads
        .chain(hosts)
        .map(|(interface, at)| {
            let rules = marks
                .of(interface)
                .map(|mark| {
                    let action = Action::set_masked_mark(mark, ctx.marks.endpoint);
                    Rule::new(vec![], action, Origin::Endpoint(at))
                })
                .into_iter()
                .collect();
            ctx.chain(&names::chain(names::SET_MARK, interface), rules)
        })
        .collect()
}
