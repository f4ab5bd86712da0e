//! A Calico policy as a whole (`validateNetworkPolicySpec`, `validateGlobalNetworkPolicySpec` and the
//! staged kinds, `libcalico-go/lib/validator/v3/validator.go:1801-2170`, v3.32.1).

use super::selector;
use crate::model::calico::{Direction, Policy, PolicyKind, Rule, StagedAction};
use crate::model::findings::Findings;
use crate::model::lower::reader::Reader;

/// Whether the kind has no namespace.
fn is_global(kind: PolicyKind) -> bool {
    matches!(kind, PolicyKind::GlobalNetworkPolicy | PolicyKind::StagedGlobalNetworkPolicy)
}

/// Everything calicoctl asks of a policy but of its rules one by one. `spec` reads `spec`.
pub fn by_calicoctl(policy: &Policy, spec: &Reader<'_>, findings: &mut Findings<'_>) {
    selector::check(&policy.selector, "selector", findings);
    selector::check(&policy.service_account_selector, "serviceAccountSelector", findings);
    selector::check(&policy.namespace_selector, "namespaceSelector", findings);
    let hints = spec.texts("performanceHints");
    if let Some(second) = hints.get(1) {
        findings.turn_away("repeated-item", second.at, "`performanceHints` has one entry twice");
    }
    if policy.staged == Some(StagedAction::Delete) {
        deletion(policy, spec, findings);
        return;
    }
    selector::no_global(&policy.selector, findings);
    selector::no_global(&policy.service_account_selector, findings);
    selector::no_global(&policy.namespace_selector, findings);
    if let [first, second, ..] = policy.types.as_slice()
        && first == second
    {
        let reason = format!("`types` has `{first:?}` twice");
        findings.turn_away("repeated-item", spec.at_of("types"), &reason);
    }
    directions(policy, findings);
    if is_global(policy.kind) {
        host_fields(policy, spec, |at, reason| {
            findings.turn_away("bad-host-policy", at, reason);
        });
    }
}

/// The rules about GlobalNetworkPolicy that are part of the custom resource definitions.
pub fn by_schema(policy: &Policy, spec: &Reader<'_>, findings: &mut Findings<'_>) {
    if is_global(policy.kind) {
        host_fields(policy, spec, |at, reason| {
            findings.schema_rule(at, reason);
        });
    }
}

/// `doNotTrack`, `preDNAT` and `applyOnForward` among themselves.
fn host_fields(
    policy: &Policy,
    spec: &Reader<'_>,
    mut report: impl FnMut(crate::diagnostic::Location, &str),
) {
    if policy.do_not_track && policy.pre_dnat {
        report(spec.at_of("preDNAT"), "`preDNAT` and `doNotTrack` exclude each other");
    }
    if policy.pre_dnat && !policy.egress.is_empty() {
        report(
            spec.at_of("egress"),
            "a `preDNAT` policy has no `egress` rules: it sees packets on their way in only",
        );
    }
    if policy.pre_dnat && policy.types.contains(&Direction::Egress) {
        report(spec.at_of("types"), "a `preDNAT` policy cannot have the type `Egress`");
    }
    if !policy.apply_on_forward && (policy.pre_dnat || policy.do_not_track) {
        let field = if policy.pre_dnat { "preDNAT" } else { "doNotTrack" };
        report(spec.at_of(field), &format!("`{field}: true` needs `applyOnForward: true`"));
    }
}

/// What belongs to one direction only.
fn directions(policy: &Policy, findings: &mut Findings<'_>) {
    let all = [("ingress", &policy.ingress), ("egress", &policy.egress)];
    for (direction, rules) in all {
        let ingress = direction == "ingress";
        for rule in rules {
            let (own, other) =
                if ingress { (&rule.source, &rule.destination) } else { (&rule.destination, &rule.source) };
            if let Some(services) = &other.services {
                let wrong = if ingress { "destination" } else { "source" };
                let reason = format!("`services` cannot stand in the `{wrong}` of an {direction} rule");
                findings.turn_away("bad-service-match", services.at, &reason);
            }
            if let Some(services) = &own.services
                && is_global(policy.kind)
                && services.namespace.is_empty()
            {
                findings
                    .turn_away(
                        "bad-service-match",
                        services.at,
                        "`services` of a global policy needs a `namespace`",
                    )
                    .help("add `namespace:` beside `name:`");
            }
            if let Some(at) = rule.http.filter(|_| !ingress) {
                findings.turn_away("bad-http-match", at, "`http` cannot stand in an egress rule");
            }
        }
    }
}

/// A staged deletion carries nothing but its tier.
fn deletion(policy: &Policy, spec: &Reader<'_>, findings: &mut Findings<'_>) {
    let is_empty = |rules: &[Rule]| rules.is_empty();
    let rest = !policy.selector.value.is_empty()
        || !policy.namespace_selector.value.is_empty()
        || !policy.service_account_selector.value.is_empty()
        || policy.order.is_some()
        || !is_empty(&policy.ingress)
        || !is_empty(&policy.egress)
        || policy.do_not_track
        || policy.pre_dnat
        || policy.apply_on_forward
        || policy.assume_needed;
    if rest {
        findings
            .turn_away(
                "bad-staged-delete",
                spec.at_of("stagedAction"),
                "`stagedAction: Delete` goes with `tier` and nothing else",
            )
            .help("remove the other fields of `spec`");
    }
}
