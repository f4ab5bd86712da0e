//! Calico's NetworkPolicy and GlobalNetworkPolicy, and their staged kinds.
//!
//! `libcalico-go/lib/backend/syncersv1/updateprocessors/networkpolicyprocessor.go:55` and
//! `globalnetworkpolicyprocessor.go:51`, v3.32.1.

use super::draft::{Converted, Draft};
use super::rule;
use super::selectors::{NAMESPACE, NAMESPACE_PREFIX, SERVICE_ACCOUNT_PREFIX, Selectors, replace_all};
use crate::diagnostic::{Diagnostic, Spanned};
use crate::model::calico::{Direction, Policy, PolicyKind as Kind, StagedAction};
use crate::resolve::view::{PolicyId, PolicyKind};

/// Tier of a policy that names none.
pub const DEFAULT_TIER: &str = "default";

/// Converts one policy. A staged policy whose action is `Delete` is none.
pub fn convert(policy: &Policy, selectors: &mut Selectors) -> Converted {
    if policy.staged == Some(StagedAction::Delete) {
        return Converted::default();
    }
    let (kind, global) = match policy.kind {
        Kind::NetworkPolicy => (PolicyKind::NetworkPolicy, false),
        Kind::GlobalNetworkPolicy => (PolicyKind::GlobalNetworkPolicy, true),
        Kind::StagedNetworkPolicy => (PolicyKind::StagedNetworkPolicy, false),
        Kind::StagedGlobalNetworkPolicy => (PolicyKind::StagedGlobalNetworkPolicy, true),
    };
    let namespace = if global { "" } else { &*policy.meta.namespace };
    let mut diagnostics = Vec::new();
    let selector = if global {
        global_selector(policy, selectors, &mut diagnostics)
    } else {
        namespaced_selector(policy, selectors, &mut diagnostics)
    };
    let governs = |direction| {
        !policy.unknown_types_only && (policy.types.is_empty() || policy.types.contains(&direction))
    };
    let draft = Draft {
        id: PolicyId { kind, namespace: namespace.into(), name: policy.stored_name.clone() },
        tier: if policy.tier.is_empty() { DEFAULT_TIER.into() } else { policy.tier.clone() },
        order: policy.order.unwrap_or(f64::INFINITY),
        selector,
        ingress: governs(Direction::Ingress),
        egress: governs(Direction::Egress),
        untracked: global && policy.do_not_track,
        pre_dnat: global && policy.pre_dnat,
        apply_on_forward: global && policy.apply_on_forward,
        assume_needed: policy.assume_needed,
        unknown_hint: policy.unknown_hint,
        inbound: rule::rules(&policy.ingress, namespace, selectors, &mut diagnostics),
        outbound: rule::rules(&policy.egress, namespace, selectors, &mut diagnostics),
        selector_at: policy.selector.at,
        at: policy.meta.at,
    };
    Converted { draft: Some(draft), diagnostics }
}

fn namespaced_selector(
    policy: &Policy,
    selectors: &mut Selectors,
    diagnostics: &mut Vec<Diagnostic>,
) -> String {
    let selector = within_namespace(&policy.selector.value, &policy.meta.namespace);
    warn_if_dropped("serviceAccountSelector", &policy.service_account_selector, selectors, diagnostics);
    selectors.and_prefixed(selector, &policy.service_account_selector.value, SERVICE_ACCOUNT_PREFIX)
}

/// A namespaced policy selects within its namespace.
pub fn within_namespace(selector: &str, namespace: &str) -> String {
    let own = format!("{NAMESPACE} == '{namespace}'");
    if selector.is_empty() { own } else { format!("({selector}) && {own}") }
}

fn global_selector(policy: &Policy, selectors: &mut Selectors, diagnostics: &mut Vec<Diagnostic>) -> String {
    let namespace_selector = &policy.namespace_selector;
    warn_if_dropped("namespaceSelector", namespace_selector, selectors, diagnostics);
    let selector = within_namespaces(policy.selector.value.to_string(), &namespace_selector.value, selectors);
    let account_selector = &policy.service_account_selector;
    if account_selector.value.is_empty() {
        return selector;
    }
    warn_if_dropped("serviceAccountSelector", account_selector, selectors, diagnostics);
    let selector = selectors.and_prefixed(selector, &account_selector.value, SERVICE_ACCOUNT_PREFIX);
    replace_all(selector, "has(projectcalico.org/serviceaccount)")
}

/// A global policy with a namespaceSelector; `all()` then means every namespace, also where the
/// policy's own selector says it.
pub fn within_namespaces(selector: String, namespace_selector: &str, selectors: &mut Selectors) -> String {
    if namespace_selector.is_empty() {
        return selector;
    }
    let selector = selectors.and_prefixed(selector, namespace_selector, NAMESPACE_PREFIX);
    replace_all(selector, "has(projectcalico.org/namespace)")
}

/// Felix checks only the selector that results, so one that does not parse is lost on the way.
fn warn_if_dropped(
    field: &str,
    text: &Spanned<Box<str>>,
    selectors: &mut Selectors,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if let Some(error) = (!text.value.is_empty()).then(|| selectors.parse(&text.value)).and_then(Result::err)
    {
        diagnostics.push(
            Diagnostic::warning(
                "selector-dropped",
                text.at,
                format!(
                    "{field} `{}` does not parse, and felix applies the policy without it: {error}",
                    text.value.trim_end()
                ),
            )
            .help("the policy selects more than it says; correct the selector"),
        );
    }
}
