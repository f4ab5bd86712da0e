//! A policy is named after a tier that it is not in. Before Calico v3.32 the name of a policy in
//! a tier other than `default` had to begin with the name of the tier and a dot. Now a name is only a name, and `spec.tier` alone decides;
//! without it the policy is in the tier `default`. A policy `security.web` without `tier` is applied
//! with the policies of the tier `default`.
//!
//! Write `tier`, or give the policy a name without that of the tier.
//!
//! Decided at `libcalico-go/lib/backend/syncersv1/updateprocessors/globalnetworkpolicyprocessor.go:74`
//! and `networkpolicyprocessor.go:77`, v3.32.1; that names have changed is told at
//! `kube-controllers/pkg/controllers/networkpolicy/policy_name_migrator.go:27`.

use super::super::ClusterContext;
use crate::diagnostic::Diagnostic;
use crate::resolve::view::PolicyKind as Kind;
use rustc_hash::FxHashSet;

check!("name-of-another-tier", Note, Possible, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let tiers = ctx.cluster.tiers().iter().filter(|tier| tier.exists);
    let tiers: FxHashSet<&str> = tiers.map(|tier| &*tier.name).collect();
    for policy in ctx.cluster.policies() {
        let calico = matches!(
            policy.id.kind,
            Kind::NetworkPolicy
                | Kind::GlobalNetworkPolicy
                | Kind::StagedNetworkPolicy
                | Kind::StagedGlobalNetworkPolicy
        );
        let named = policy.id.name.split_once('.').map(|(prefix, _)| prefix);
        let Some(named) = named.filter(|named| calico && *named != &*policy.tier && tiers.contains(named))
        else {
            continue;
        };
        let message = format!(
            "{} `{}` is in tier `{}`, although its name begins like one of tier `{named}`",
            policy.id.kind.name(),
            policy.id.path(),
            policy.tier
        );
        let help = format!("write `tier: {named}` if it belongs there; otherwise give it another name");
        found.push(CHECK.finding(policy.at, message).help(help));
    }
}
