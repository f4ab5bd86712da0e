//! A policy has rules for a direction that its types leave out, so that they have no effect. Felix
//! makes a chain of them, and nothing ever jumps to it: traffic in that direction is neither allowed
//! nor denied by this policy.
//!
//! Add the direction to `types` (in Kubernetes' policies `policyTypes`), or remove the rules. With the
//! direction added, the policy also denies what it does not allow there.
//!
//! Decided at `felix/calc/policy_sorter.go:201`, and for Kubernetes' policies at
//! `libcalico-go/lib/backend/k8s/conversion/conversion.go:328`, v3.32.1.

use super::super::ClusterContext;
use super::direction;
use crate::diagnostic::Diagnostic;
use crate::resolve::view::PolicyKind as Kind;

check!("rules-without-their-type", Warning, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    for policy in ctx.cluster.policies() {
        for (direction, governs, rules) in direction::of(policy) {
            let Some(first) = rules.first().filter(|_| !governs) else { continue };
            let word = direction::word(direction);
            let types = match policy.id.kind {
                Kind::KubernetesNetworkPolicy | Kind::StagedKubernetesNetworkPolicy => "policyTypes",
                _ => "types",
            };
            let message = format!(
                "the {} rules of {} `{}` have no effect: it does not have `{word}` among its `{types}`",
                word.to_lowercase(),
                policy.id.kind.name(),
                policy.id.path()
            );
            let help = format!("add `{word}` to `{types}`, or remove the rules");
            found.push(CHECK.finding(first.at, message).help(help).related(policy.at, "the policy"));
        }
    }
}
