//! Two policies have the same order and disagree about the same packets of the same endpoint, so that
//! their names decide. Calico asks policies of one order, and policies without order, by name, then by
//! namespace, then by kind; a rename changes what is allowed.
//!
//! Give the policy that is to win a lower `order`.
//!
//! Policies of Kubernetes only allow, and cannot disagree with each other; all of them have order 1000,
//! which Calico policies of that order meet.
//!
//! Decided at `felix/calc/policy_sorter.go:388`, v3.32.1.

use super::super::ClusterContext;
use super::direction;
use crate::diagnostic::Diagnostic;
use crate::resolve::view::Rule;

check!("equal-order-by-name", Warning, Likely, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let Some(reach) = ctx.reach() else { return };
    let policies = ctx.cluster.policies();
    let rule = |(number, direction, place): (usize, _, usize)| -> Option<&Rule> {
        direction::of(&policies[number]).into_iter().find(|(own, ..)| *own == direction)?.2.get(place)
    };
    for clash in reach.clashes.values() {
        let (first, second) = (clash.first, clash.second);
        let (Some(winner), Some(loser)) = (rule(first), rule(second)) else { continue };
        let (own, other) = (&policies[second.0], &policies[first.0]);
        let order = match own.order {
            order if order.is_finite() => format!("the same order, {order}"),
            _ => "no order".to_owned(),
        };
        let message = format!(
            "{} `{}` and {} `{}` have {order}, and disagree: the latter wins because of its name",
            own.id.kind.name(),
            own.id.path(),
            other.id.kind.name(),
            other.id.path()
        );
        found.push(
            CHECK
                .finding(loser.at, message)
                .related(winner.at, "this rule decides the packets that both match")
                .help("give the policy that is to win a lower order"),
        );
    }
}
