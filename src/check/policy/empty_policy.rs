//! A policy without rules denies by being there. A policy that governs a direction makes its tier
//! deny all traffic of the selected endpoints that no policy of the tier allows. Where a manifest says
//! nothing about the directions, they are filled in: a Kubernetes NetworkPolicy always governs
//! ingress, also if it has only `egress` rules, and a Calico policy without any rules governs ingress.
//!
//! If everything is to be denied, say so: write `policyTypes` (in Calico's policies `types`), or an
//! empty list (`ingress: []`). If the policy is about the other direction only, name that one.
//!
//! Nothing is said where the manifest names directions or has the list, even if it is empty; of a
//! Kubernetes policy that consists of an empty `podSelector`, the old way to deny by default; where
//! other policies of the tier allow or pass something in that direction for all of the same endpoints,
//! so that this one changes nothing; where the tier's default action is `Pass`; and of staged,
//! untracked and pre-DNAT policies. Policies of `crd.projectcalico.org/v1` are the matter of
//! `no-types-by-kubectl`.
//!
//! Decided at `felix/rules/endpoints.go:690`; the directions at `api/pkg/defaults/networkpolicy.go:61`,
//! v3.32.1, and in `SetDefaults_NetworkPolicy` of Kubernetes (`pkg/apis/networking/v1/defaults.go`).

use super::super::ClusterContext;
use super::direction::{self, denies_the_rest};
use crate::diagnostic::Diagnostic;
use crate::model::Api;
use crate::model::calico::{Action, Direction, PolicyKind as Kind, Written};
use crate::model::network_policy::NetworkPolicy;
use crate::resolve::policy::Policy;
use crate::resolve::query::Selection;
use crate::resolve::view::{PolicyId, PolicyKind, TierIndex};
use rustc_hash::FxHashMap;

check!("empty-policy-denies", Warning, Likely, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let silent = silent(ctx);
    let mut decided: FxHashMap<(TierIndex, Direction), Selection<'_, '_>> = FxHashMap::default();
    for policy in ctx.cluster.policies() {
        let Some(written) = silent.get(&policy.id).filter(|_| denies_the_rest(ctx, policy)) else { continue };
        for (direction, governs, rules) in direction::of(policy) {
            let (own, other) = match direction {
                Direction::Ingress => (written.ingress, written.egress),
                Direction::Egress => (written.egress, written.ingress),
            };
            if !governs || !rules.is_empty() || own {
                continue;
            }
            let decided = decided
                .entry((policy.tier_index, direction))
                .or_insert_with(|| decided_by_others(ctx, policy.tier_index, direction));
            let mut left = ctx.selected(policy);
            let any = !left.has_no_endpoint();
            left.subtract(decided);
            if !any || !left.has_no_endpoint() {
                found.push(finding(policy, direction, other));
            }
        }
    }
}

/// The policies whose manifest names no directions.
fn silent(ctx: &ClusterContext<'_, '_>) -> FxHashMap<PolicyId, Written> {
    let id =
        |kind, namespace: &str, name: &str| PolicyId { kind, namespace: namespace.into(), name: name.into() };
    let calico = ctx.resources.policies.iter().filter_map(|policy| {
        let kind = match policy.kind {
            Kind::NetworkPolicy => PolicyKind::NetworkPolicy,
            Kind::GlobalNetworkPolicy => PolicyKind::GlobalNetworkPolicy,
            Kind::StagedNetworkPolicy | Kind::StagedGlobalNetworkPolicy => return None,
        };
        (policy.api == Api::V3).then(|| (id(kind, &policy.meta.namespace, &policy.meta.name), policy.written))
    });
    let kubernetes = ctx
        .resources
        .network_policies
        .iter()
        .filter(|policy| policy.staged.is_none() && !is_default_deny(policy))
        .map(|policy| {
            let meta = &policy.meta;
            (id(PolicyKind::KubernetesNetworkPolicy, &meta.namespace, &meta.name), policy.written)
        });
    calico.chain(kubernetes).filter(|(_, written)| !written.types).collect()
}

/// Nothing but an empty pod selector: so short a policy can only be meant to deny.
fn is_default_deny(policy: &NetworkPolicy) -> bool {
    let selector = &policy.pod_selector;
    !policy.written.ingress
        && !policy.written.egress
        && selector.match_labels.is_empty()
        && selector.match_expressions.is_empty()
}

/// Whom the policies of a tier select that allow or pass something.
fn decided_by_others<'c, 'r>(
    ctx: &ClusterContext<'c, 'r>,
    tier: TierIndex,
    direction: Direction,
) -> Selection<'c, 'r> {
    let mut all: Option<Selection<'c, 'r>> = None;
    for policy in ctx.cluster.policies() {
        let decides = direction::of(policy).into_iter().any(|(own, governs, rules)| {
            let decides = |action| matches!(action, Action::Allow | Action::Pass);
            own == direction && governs && rules.iter().any(|rule| decides(rule.action))
        });
        if decides && policy.tier_index == tier && denies_the_rest(ctx, policy) {
            let selected = ctx.selected(policy);
            match &mut all {
                Some(all) => all.unite(&selected),
                None => all = Some(selected),
            }
        }
    }
    all.unwrap_or_else(|| ctx.everyone.nobody())
}

fn finding(policy: &Policy, direction: Direction, other_is_written: bool) -> Diagnostic {
    let (kind, path) = (policy.id.kind.name(), policy.id.path());
    let (types, lower) = match policy.id.kind {
        PolicyKind::KubernetesNetworkPolicy => ("policyTypes", direction::word(direction).to_lowercase()),
        _ => ("types", direction::word(direction).to_lowercase()),
    };
    let what = direction::preposition(direction);
    let message = format!(
        "{kind} `{path}` has no {lower} rules, and by being there denies all traffic {what} what it selects"
    );
    let other = match direction {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    };
    CHECK.finding(policy.at, message).help(if other_is_written {
        format!(
            "write `{types}: [{}]` if it is about {} only, or `{lower}: []` if it is to deny",
            direction::word(other),
            direction::word(other).to_lowercase()
        )
    } else {
        format!("write `{types}: [{}]` if it is to deny, or add the rules", direction::word(direction))
    })
}
