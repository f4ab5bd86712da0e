//! A policy selects no endpoint, so that it has no effect. Felix programs a policy on the nodes of
//! the endpoints that its selector selects; with none, it is nowhere. Usually a label or its value is
//! misspelt, or the labels are those of a Deployment and not of its pods. Pods on the host's network
//! are no endpoints of Calico: no policy selects them, whatever their labels.
//!
//! It is a warning where a pod has a label so like the wanted one that it was probably meant, and where
//! pods on the host's network fit. Otherwise it is a note: the endpoints may only not be there yet.
//!
//! Correct the selector. To protect processes on the host's network, write a GlobalNetworkPolicy for
//! host endpoints.
//!
//! Nothing is said where the selector asks for a label that no pod has, as that of a policy for
//! quarantine does, and where the input may only lack the endpoints: where it has no pods in the
//! namespaces that the policy is about, where a controller (a Deployment, say) makes pods that fit, or
//! a pod that fits has no address, where a Namespace or ServiceAccount whose labels matter is not in
//! the input, and, for policies that may be about host endpoints, where there are none.
//!
//! Decided at `felix/calc/active_rules_calculator.go:367`, v3.32.1.

use super::super::ClusterContext;
use super::subject::{self, Nothing};
use crate::diagnostic::{Confidence, Diagnostic, Severity};
use crate::resolve::policy::Policy;

check!("policy-selects-nothing", Warning, Likely, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let any_host = !ctx.resources.host_endpoints.is_empty();
    for policy in ctx.cluster.policies() {
        // untracked and pre-DNAT policies are about host endpoints, whatever the selector says
        if policy.untracked || policy.pre_dnat || !ctx.selected(policy).has_no_endpoint() {
            continue;
        }
        let Some(nothing) = subject::nothing(ctx, &policy.selector) else { continue };
        let sure = nothing.namespaced || nothing.on_host.is_some() || any_host;
        if sure && (nothing.is_likely_wrong() || nothing.uses_known_labels) {
            found.push(finding(policy, &nothing));
        }
    }
}

fn finding(policy: &Policy, nothing: &Nothing<'_, '_>) -> Diagnostic {
    let (kind, path) = (policy.id.kind.name(), policy.id.path());
    if let Some(pod) = nothing.on_host {
        let message =
            format!("{kind} `{path}` selects only pods on the host's network, which no policy applies to");
        return CHECK
            .finding(policy.at, message)
            .help("protect such pods with host endpoints and a GlobalNetworkPolicy that selects those")
            .related(pod.at, format!("pod `{}/{}` is on the host's network", pod.namespace, pod.name));
    }
    let whom = if nothing.namespaced { "no pod" } else { "no pod and no host endpoint" };
    let message = format!("{kind} `{path}` selects {whom}, so it has no effect");
    let hint = nothing.hint();
    let mut finding = CHECK.finding(policy.at, message).help(if hint.is_empty() {
        "correct the selector, or remove the policy".to_owned()
    } else {
        hint
    });
    if !nothing.is_likely_wrong() {
        (finding.severity, finding.confidence) = (Severity::Note, Confidence::Possible);
    }
    finding
}
