//! A policy changes nothing: for every endpoint that it selects, policies before it have decided all that
//! its rules match, and its tier denies the rest without it as well.
//!
//! Remove it, or give it a lower `order` if it is to come before the others.
//!
//! A policy without rules is not told here: it is there to make its tier deny. Neither is one of which a
//! rule matches nothing in this input.
//!
//! Decided at `felix/calc/policy_sorter.go:388` and `felix/rules/endpoints.go:619`, v3.32.1.

use super::super::ClusterContext;
use super::super::reach::is_ordinary;
use super::direction;
use crate::diagnostic::Diagnostic;
use crate::model::calico::Action;

check!("policy-changes-nothing", Note, Likely, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let Some(reach) = ctx.reach() else { return };
    for (number, policy) in
        ctx.cluster.policies().iter().enumerate().filter(|(_, policy)| is_ordinary(policy))
    {
        if !reach.is_dispensable(number) {
            continue;
        }
        let governed = direction::of(policy).into_iter().filter(|(_, governs, _)| *governs);
        let mut rules = governed.flat_map(|(direction, _, rules)| {
            rules.iter().enumerate().map(move |(place, rule)| ((number, direction, place), rule))
        });
        let mut any = false;
        let idle = rules.all(|(id, rule)| {
            any = true;
            let known = reach.rule(id);
            // a rule that only logs is there for the log
            rule.action != Action::Log && known.is_some_and(|known| known.matches && !known.ever)
        });
        if any && idle {
            let message = format!(
                "{} `{}` changes nothing: other policies have decided all that it matches, for every endpoint that it selects",
                policy.id.kind.name(),
                policy.id.path()
            );
            found.push(CHECK.finding(policy.at, message).help("remove it, or give it a lower order"));
        }
    }
}
