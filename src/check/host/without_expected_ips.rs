//! A rule matches host endpoints by a selector, but has no addresses of them. A selector in a rule
//! stands for the addresses of what it selects. Of a host endpoint Felix takes those in
//! `expectedIPs`, and no others: the addresses of the interface that `interfaceName` names are not
//! looked up.
//!
//! Write the node's addresses into `expectedIPs`, beside `interfaceName`.
//!
//! Nothing is said of a selector that selects pods or network sets as well, since it may be meant for
//! those.
//!
//! Decided at `felix/labelindex/named_port_index.go:364`, v3.32.1.

use super::super::ClusterContext;
use super::super::rule_facts::governed;
use super::hosts::names;
use crate::diagnostic::Diagnostic;
use crate::model::calico::HostEndpoint;
use crate::resolve::view::{RuleSide, SetIndex};
use rustc_hash::FxHashMap;

check!("host-endpoint-without-expected-ips", Warning, Likely, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    if ctx.resources.host_endpoints.iter().all(has_addresses) {
        return;
    }
    let mut known = FxHashMap::default();
    for policy in ctx.cluster.policies().iter().filter(|policy| !policy.id.kind.is_staged()) {
        for rule in governed(policy).flat_map(|(_, rules)| rules) {
            for (word, side) in [("source", &rule.source), ("destination", &rule.destination)] {
                for set in sets(side) {
                    let lacking = known.entry(set).or_insert_with(|| lacking(ctx, set));
                    let Some(lacking) = lacking else { continue };
                    let message = format!("the {word} of this rule lacks addresses: {lacking}");
                    found.push(
                        CHECK.finding(rule.at, message).help(
                            "write the addresses of the nodes into `expectedIPs` of their host endpoints",
                        ),
                    );
                }
            }
        }
    }
}

fn has_addresses(endpoint: &HostEndpoint) -> bool {
    !endpoint.expected_ips.is_empty()
}

fn sets(side: &RuleSide) -> impl Iterator<Item = SetIndex> {
    let lists = [&side.sets, &side.not_sets, &side.named_ports, &side.not_named_ports];
    lists.into_iter().flatten().copied()
}

/// What a set lacks whose selector is for host endpoints.
fn lacking(ctx: &ClusterContext<'_, '_>, set: SetIndex) -> Option<String> {
    let selected = ctx.everyone.select(ctx.cluster.set_selector(set)?);
    if selected.pods().next().is_some() || selected.network_sets() > 0 {
        return None;
    }
    let without: Vec<&HostEndpoint> =
        selected.host_endpoints().filter(|endpoint| !has_addresses(endpoint)).collect();
    let verb = if without.len() == 1 { "has" } else { "have" };
    (!without.is_empty()).then(|| format!("{} {verb} no `expectedIPs`", names(&without)))
}
