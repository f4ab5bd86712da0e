//! A policy is in a tier that does not exist. Felix applies it all the same: after the policies of all
//! tiers that exist, and what it does not allow is denied there, whatever the tier was to do. calicoctl
//! and Calico's API server refuse to create such a policy; kubectl stores it.
//!
//! Add the Tier, or correct `spec.tier`.
//!
//! Nothing is said of staged policies, which have no effect.
//!
//! Decided at `felix/calc/policy_sorter.go:146` and `felix/calc/policy_resolver.go:229`, v3.32.1.

use super::super::ClusterContext;
use crate::diagnostic::Diagnostic;
use crate::model::suggest;

check!("policy-in-missing-tier", Warning, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let tiers = ctx.cluster.tiers();
    for policy in ctx.cluster.policies().iter().filter(|policy| !policy.id.kind.is_staged()) {
        if tiers.get(policy.tier_index.0 as usize).is_none_or(|tier| tier.exists) {
            continue;
        }
        let message = format!(
            "{} `{}` is in tier `{}`, which does not exist: felix applies it after all tiers, and denies what it does not allow",
            policy.id.kind.name(),
            policy.id.path(),
            policy.tier
        );
        let existing = tiers.iter().filter(|tier| tier.exists).map(|tier| &*tier.name);
        found.push(CHECK.finding(policy.at, message).help(match suggest(&policy.tier, existing) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add a Tier `{}`, or correct `spec.tier`", policy.tier),
        }));
    }
}
