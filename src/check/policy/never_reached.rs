//! No packet reaches a rule, because the rules before it in the same policy take all that it matches. The
//! first rule of a policy that matches decides, so a narrow rule after a wide one never does. Where the
//! wide rule does something else, the narrow one is usually the exception that was meant.
//!
//! Put the narrow rule before the wide one. A rule that only repeats what a wider one before it does is
//! told as a note: it can go.
//!
//! Packets are compared exactly: networks, selectors with their members in this input, ports, protocols.
//! A rule that matches nothing at all is not told here.
//!
//! Decided at `felix/rules/policy.go:113`, v3.32.1, which renders the rules in order.

use super::super::ClusterContext;
use super::super::reach::{RuleId, is_ordinary};
use super::direction;
use crate::diagnostic::{Confidence, Diagnostic, Location, Severity};
use crate::model::calico::Action;
use crate::resolve::view::Rule;
use std::collections::BTreeMap;

check!("rule-never-reached", Warning, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let Some(reach) = ctx.reach() else { return };
    for (number, policy) in
        ctx.cluster.policies().iter().enumerate().filter(|(_, policy)| is_ordinary(policy))
    {
        for (direction, _, rules) in direction::of(policy) {
            // a rule of Kubernetes is several here, all written in one place
            let mut by_place: BTreeMap<Location, Vec<RuleId>> = BTreeMap::new();
            for (place, rule) in rules.iter().enumerate() {
                by_place.entry(rule.at).or_default().push((number, direction, place));
            }
            for (at, ids) in by_place {
                let known: Vec<_> = ids.iter().filter_map(|id| Some((*id, reach.rule(*id)?))).collect();
                let reached = known.is_empty() || known.iter().any(|(_, rule)| rule.alone);
                let matches = known.iter().any(|(_, rule)| rule.matches);
                // what a rule written in one place takes from itself is no other rule
                let takers: Vec<&Rule> = known
                    .iter()
                    .flat_map(|(_, rule)| &rule.takers)
                    .filter_map(|taker| rules.get(taker.2))
                    .filter(|taker| taker.at != at)
                    .collect();
                if !reached && matches && !takers.is_empty() {
                    found.push(tell(at, rules[ids[0].2].action, &takers));
                }
            }
        }
    }
}

fn tell(at: Location, action: Action, takers: &[&Rule]) -> Diagnostic {
    let repeats = takers.iter().all(|taker| taker.action == action);
    let message = "no packet reaches this rule: the rules before it take all that it matches";
    let mut finding = CHECK.finding(at, message);
    if repeats {
        finding.severity = Severity::Note;
        finding.confidence = Confidence::Certain;
        finding = finding.help("it repeats what is decided already, and can go");
    } else {
        finding = finding.help("put it before them if it is an exception, or remove it");
    }
    let mut places: Vec<Location> = takers.iter().map(|taker| taker.at).collect();
    places.sort_unstable();
    places.dedup();
    places
        .into_iter()
        .fold(finding, |finding, place| finding.related(place, "this rule takes packets that it matches"))
}
