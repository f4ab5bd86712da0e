//! A rule allows what policies before it have denied for every endpoint concerned, so that it allows
//! nothing. Tiers are asked in order, and in a tier policies by their `order`, the lowest first; the
//! first rule that allows or denies is the last word. An allow cannot take back a deny that comes before
//! it, and it is not asked where an earlier tier has denied what no policy of it passed on.
//!
//! Give the policy a lower `order` than the one that denies, move it to an earlier tier, or let the earlier
//! policy `Pass` what this one is to decide.
//!
//! Packets are compared exactly, for all endpoints of the input that the policy selects.
//!
//! Decided at `felix/calc/policy_sorter.go:388` and `felix/rules/endpoints.go:619`, v3.32.1.

use super::super::ClusterContext;
use super::super::reach::is_ordinary;
use super::direction;
use crate::diagnostic::Diagnostic;
use crate::model::calico::Action;

check!("allow-undone-by-earlier-policy", Warning, Likely, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let Some(reach) = ctx.reach() else { return };
    let policies = ctx.cluster.policies();
    for (number, policy) in policies.iter().enumerate().filter(|(_, policy)| is_ordinary(policy)) {
        for (direction, governs, rules) in direction::of(policy) {
            for (place, rule) in rules.iter().enumerate().filter(|_| governs) {
                let Some(known) = reach.rule((number, direction, place)) else { continue };
                let asked = known.alone && known.matches && (!known.takers.is_empty() || known.tier_denies);
                if rule.action != Action::Allow || known.ever || !asked {
                    continue;
                }
                let takers = known.takers.iter().filter_map(|(other, direction, place)| {
                    let rules =
                        direction::of(&policies[*other]).into_iter().find(|(own, ..)| own == direction)?.2;
                    Some((&policies[*other], rules.get(*place)?))
                });
                let takers: Vec<_> = takers.collect();
                if takers.iter().any(|(_, taker)| taker.action != Action::Deny) {
                    continue;
                }
                let reason = match &*takers {
                    [] => "an earlier tier denies it at its end".to_owned(),
                    [(other, _), ..] => {
                        format!("{} `{}` denies it before", other.id.kind.name(), other.id.path())
                    }
                };
                let finding = CHECK.finding(rule.at, format!("this rule allows nothing: {reason}")).help(
                    "give this policy a lower order, or let the earlier one pass what this one is to decide",
                );
                found.push(takers.iter().fold(finding, |finding, (_, taker)| {
                    finding.related(taker.at, "this rule denies packets that it allows")
                }));
            }
        }
    }
}
