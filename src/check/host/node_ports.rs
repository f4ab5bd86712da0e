//! The policies of a host endpoint do not apply to node ports and load balancers. A connection to a
//! service is sent on to a pod, so for the node it is forwarded traffic. A host endpoint lets that
//! through untouched as long as it has no policy with `applyOnForward: true`, whatever its other
//! policies deny. Only the policies of the pods behind the service are left.
//!
//! To decide about node ports and load balancers, write policies with `preDNAT: true` and
//! `applyOnForward: true`: they see the port and the address that the client used. Deny at least
//! 30000 to 32767 for TCP and UDP.
//!
//! Nothing is said of a host endpoint that allows all that comes in to its host, that has `preDNAT`,
//! `doNotTrack` or `applyOnForward` policy for it, or that the `preDNAT` policies of the node's host
//! endpoint for all interfaces apply to; nor where the input has no such service. A host endpoint
//! that no policy selects is left to `host-endpoint-without-policy`.
//!
//! Decided at `felix/rules/endpoints.go:724`, v3.32.1.

use super::super::ClusterContext;
use super::super::rule_facts::{list, matches_everything, rules};
use super::hosts::{Host, groups, hosts, is_wildcard};
use super::pre_dnat_without_deny::is_pre_dnat;
use crate::diagnostic::Diagnostic;
use crate::model::calico::{Action, Direction};
use crate::model::core::Service;
use crate::resolve::policy::Policy;
use crate::resolve::view::Tier;
use rustc_hash::FxHashSet;

check!("node-ports-bypass-host-policy", Warning, Likely, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let exposed: Vec<String> = ctx.resources.services.iter().filter_map(exposed).collect();
    if exposed.is_empty() {
        return;
    }
    let hosts = hosts(ctx, |policy| policy.ingress);
    let covered: FxHashSet<&str> = hosts
        .iter()
        .filter(|host| is_wildcard(host.endpoint) && host.policies.iter().any(|policy| is_pre_dnat(policy)))
        .map(|host| &*host.endpoint.node)
        .collect();
    let bypassed = hosts.into_iter().filter(|host| {
        !host.policies.is_empty()
            && !covered.contains(&*host.endpoint.node)
            && !host
                .policies
                .iter()
                .any(|policy| policy.pre_dnat || policy.untracked || policy.apply_on_forward)
            && restricts(ctx.cluster.tiers(), host)
    });
    for group in groups(bypassed) {
        let Some(at) = group.at() else { continue };
        let message = format!(
            "no policy of {} applies to node ports and load balancers: connections to {} go past them",
            group.names(),
            list(exposed.iter().map(String::as_str)),
        );
        found.push(CHECK.finding(at, message).help(
            "write a policy with `preDNAT: true` and `applyOnForward: true` that denies them, and one with a lower order that allows what is to be open",
        ));
    }
}

/// A service that clients outside of the cluster can reach over nodes, and its node ports.
fn exposed(service: &Service) -> Option<String> {
    if !matches!(&*service.kind, "NodePort" | "LoadBalancer") || service.ports.is_empty() {
        return None;
    }
    let ports: Vec<String> =
        service.ports.iter().filter_map(|port| port.node_port).map(|port| port.to_string()).collect();
    let path = format!("{}/{}", service.meta.namespace, service.meta.name);
    Some(if ports.is_empty() { path } else { format!("{path}:{}", ports.join(",")) })
}

/// Whether the host endpoint keeps anything from its host: not where a rule allows everything before
/// any denies, and not where profiles may.
fn restricts(tiers: &[Tier], host: &Host<'_, '_>) -> bool {
    for policies in host.policies.chunk_by(|a, b| a.tier_index == b.tier_index) {
        match tier(tiers, policies) {
            Verdict::Allows => return false,
            Verdict::Denies => return true,
            Verdict::Passes => {}
        }
    }
    host.endpoint.profiles.is_empty()
}

enum Verdict {
    Allows,
    Denies,
    Passes,
}

/// What a tier does to traffic that no rule names.
fn tier(tiers: &[Tier], policies: &[&Policy]) -> Verdict {
    for rule in policies.iter().filter_map(|policy| rules(policy, Direction::Ingress)).flatten() {
        match rule.action {
            Action::Deny => return Verdict::Denies,
            Action::Allow if matches_everything(rule) => return Verdict::Allows,
            Action::Pass if matches_everything(rule) => return Verdict::Passes,
            Action::Allow | Action::Pass | Action::Log => {}
        }
    }
    let tier = policies.first().and_then(|policy| tiers.get(policy.tier_index.0 as usize));
    if tier.is_some_and(|tier| tier.default_pass) { Verdict::Passes } else { Verdict::Denies }
}
