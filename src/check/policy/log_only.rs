//! A policy that only logs denies all the same. A policy that selects an endpoint makes the end of its
//! tier deny what no policy of the tier allowed, and a `Log` rule allows nothing: it writes a line and
//! goes on. A policy with nothing but `Log` rules thus logs what it then drops.
//!
//! To log without an effect, put the rule into a policy that also decides, or end the policy with
//! `action: Pass`, or with `action: Allow` where nothing else is to restrict the endpoints.
//!
//! Nothing is said where another policy of the same tier that allows or passes something selects all
//! of the same endpoints, or where the tier's default action is `Pass`.
//!
//! Decided at `felix/rules/endpoints.go:619`, v3.32.1.

use super::super::ClusterContext;
use super::direction::{self, denies_the_rest};
use crate::diagnostic::Diagnostic;
use crate::model::calico::{Action, Direction};
use crate::resolve::policy::Policy;

check!("log-only-denies", Warning, Likely, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let policies = ctx.cluster.policies();
    for policy in policies.iter().filter(|policy| denies_the_rest(ctx, policy)) {
        for (direction, governs, rules) in direction::of(policy) {
            let log_only = !rules.is_empty() && rules.iter().all(|rule| rule.action == Action::Log);
            if !governs || !log_only || decided_elsewhere(ctx, policy, direction) {
                continue;
            }
            let word = direction::preposition(direction);
            let message = format!(
                "{} `{}` only logs, and by being there denies all traffic {word} what it selects",
                policy.id.kind.name(),
                policy.id.path()
            );
            found.push(CHECK.finding(rules[0].at, message).help(
                "add a rule with `action: Pass` at the end if the policy is to log and to decide nothing",
            ));
        }
    }
}

/// Whether for everything that the policy selects another policy of its tier allows or passes
/// something in this direction.
fn decided_elsewhere(ctx: &ClusterContext<'_, '_>, policy: &Policy, direction: Direction) -> bool {
    let mut left = ctx.selected(policy);
    for other in ctx.cluster.policies() {
        let decides = direction::of(other).into_iter().any(|(own, governs, rules)| {
            own == direction
                && governs
                && rules.iter().any(|rule| matches!(rule.action, Action::Allow | Action::Pass))
        });
        if other.tier_index == policy.tier_index && denies_the_rest(ctx, other) && decides {
            left.subtract(&ctx.selected(other));
        }
    }
    left.is_empty()
}
