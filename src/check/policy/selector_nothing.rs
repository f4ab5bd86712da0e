//! A rule's selector selects nothing, so that the rule matches no packet. A selector in a rule stands
//! for the addresses of the pods, host endpoints and network sets that it selects. An Allow rule with
//! no addresses allows nothing, and a Deny rule denies nothing.
//!
//! Correct the selector; mind that a selector without `namespaceSelector` looks only into the
//! namespace of the policy.
//!
//! Nothing is said where the selector asks for a label that no pod has, as one that clients are to be
//! given does, and where the input may only lack what is to be selected: where it has no pods in the
//! namespaces that the selector is about, where a controller makes pods that fit, or a pod that fits
//! has no address, where a Namespace or ServiceAccount whose labels matter is not in the input, and,
//! for selectors that may be about network sets, where there are none.
//!
//! Decided at `felix/labelindex/named_port_index.go:819` and `felix/calc/rule_scanner.go:369`,
//! v3.32.1.

use super::super::ClusterContext;
use super::direction;
use super::subject;
use crate::diagnostic::Diagnostic;
use crate::resolve::view::{Rule, RuleSide, SetIndex};
use rustc_hash::FxHashMap;

check!("rule-selector-selects-nothing", Note, Possible, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let any_set = !ctx.resources.network_sets.is_empty();
    // a set is judged once, however many rules refer to it
    let mut judged: FxHashMap<SetIndex, Option<String>> = FxHashMap::default();
    for policy in ctx.cluster.policies() {
        let rules = direction::of(policy).into_iter().filter(|(_, governs, _)| *governs);
        for rule in rules.flat_map(|(.., rules)| rules) {
            for set in sets(rule) {
                let hint = judged.entry(set).or_insert_with(|| judge(ctx, set, any_set));
                let Some(hint) = hint else { continue };
                let side = if of(&rule.source).any(|own| own == set) { "source" } else { "destination" };
                let message =
                    format!("the {side} of this rule selects nothing, so the rule matches no packet");
                found.push(CHECK.finding(rule.at, message).help(if hint.is_empty() {
                    "correct the selector, or remove the rule".to_owned()
                } else {
                    hint.clone()
                }));
            }
        }
    }
}

fn sets(rule: &Rule) -> impl Iterator<Item = SetIndex> {
    of(&rule.source).chain(of(&rule.destination))
}

/// Sets that an address must be in; those of named ports have the selector in them.
fn of(side: &RuleSide) -> impl Iterator<Item = SetIndex> {
    let ports = if side.ports.is_empty() { side.named_ports.first() } else { None };
    side.sets.iter().chain(ports).copied()
}

/// What there is to say of a set's selector if it surely selects nothing.
fn judge(ctx: &ClusterContext<'_, '_>, set: SetIndex, any_set: bool) -> Option<String> {
    let selector = ctx.cluster.set_selector(set)?;
    if !ctx.everyone.select(selector).is_empty() {
        return None;
    }
    let nothing = subject::nothing(ctx, selector)?;
    if let Some(pod) = nothing.on_host {
        return Some(format!(
            "only pods on the host's network fit, like `{}/{}`, and no selector selects these; \
             name the addresses of their nodes in `nets` or `ipBlock`",
            pod.namespace, pod.name
        ));
    }
    let told = nothing.is_likely_wrong() || nothing.uses_known_labels;
    (told && (nothing.namespaced || any_set)).then(|| nothing.hint())
}
