//! A policy is stored without `types`, so that it governs both directions, and denies what it has no
//! rules for. calicoctl and Calico's API server fill in absent `types` from the rules: only ingress
//! rules mean `[Ingress]`. kubectl stores a policy of `crd.projectcalico.org/v1` as it is, and Felix
//! takes a policy without `types` for one that governs ingress and egress. A policy that allows some
//! ingress then cuts all connections that its endpoints open.
//!
//! Write `types`, or write the policy for `projectcalico.org/v3` and apply it with calicoctl or through
//! Calico's API server.
//!
//! Nothing is said where the policy has rules for both directions, where the tier's default action is
//! `Pass`, and of staged, untracked and pre-DNAT policies.
//!
//! Decided at `felix/calc/policy_sorter.go:197`; the filling in at
//! `api/pkg/defaults/networkpolicy.go:61`, v3.32.1.

use super::super::ClusterContext;
use super::direction::{self, denies_the_rest};
use crate::diagnostic::Diagnostic;
use crate::model::Api;
use crate::resolve::view::PolicyKind;
use rustc_hash::FxHashSet;

check!("no-types-by-kubectl", Warning, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let without =
        ctx.resources.policies.iter().filter(|policy| policy.api == Api::Crd && policy.types.is_empty());
    let without: FxHashSet<_> = without.map(|policy| policy.meta.at).collect();
    for policy in ctx.cluster.policies() {
        let calico = matches!(policy.id.kind, PolicyKind::NetworkPolicy | PolicyKind::GlobalNetworkPolicy);
        if !calico || !without.contains(&policy.at) || !denies_the_rest(ctx, policy) {
            continue;
        }
        let denied = match (policy.inbound.is_empty(), policy.outbound.is_empty()) {
            (false, false) => continue,
            (true, true) => "all traffic to and from".to_owned(),
            (ingress, _) => {
                let [(inward, ..), (outward, ..)] = direction::of(policy);
                let direction = if ingress { inward } else { outward };
                format!("all traffic {}", direction::preposition(direction))
            }
        };
        let message = format!(
            "{} `{}` is stored without `types`, so it governs both directions and denies {denied} what it selects",
            policy.id.kind.name(),
            policy.id.path()
        );
        found.push(CHECK.finding(policy.at, message).help(
            "write `types`, which kubectl does not fill in, or apply the policy as `projectcalico.org/v3`",
        ));
    }
}
