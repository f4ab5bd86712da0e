//! The policies that Felix accepts, ready to be asked whom they select.

use super::convert::draft::{Converted, Draft, ignored_policy};
use super::convert::selectors::Selectors;
use super::convert::{calico_policy, cluster_policy, kubernetes_policy};
use super::set_table::SetTable;
use super::validate;
use super::view::{self, PolicyId, Rule, TierIndex};
use crate::diagnostic::{Diagnostic, Location};
use crate::model::Resources;
use crate::syntax::selector::Selector;
use std::sync::{Arc, OnceLock};

/// A policy of the cluster; sets in its rules are indices into the cluster's `SetTable`.
#[derive(Debug)]
pub struct Policy {
    /// which
    pub id: PolicyId,
    /// tier name
    pub tier: Box<str>,
    /// place of its tier among all
    pub tier_index: TierIndex,
    /// order, infinite if none is given
    pub order: f64,
    /// whom it selects
    pub selector: Arc<Selector>,
    /// governs traffic to the endpoint
    pub ingress: bool,
    /// governs traffic from the endpoint
    pub egress: bool,
    /// doNotTrack
    pub untracked: bool,
    /// preDNAT
    pub pre_dnat: bool,
    /// applyOnForward
    pub apply_on_forward: bool,
    /// needed on every node
    pub assume_needed: bool,
    /// rules for traffic to the endpoint
    pub inbound: Vec<Rule>,
    /// rules for traffic from the endpoint
    pub outbound: Vec<Rule>,
    /// where it is written
    pub at: Location,
    /// as views have it
    shared: OnceLock<Arc<view::Policy>>,
}

impl Policy {
    /// The policy as every node's view has it.
    pub fn shared(&self) -> &Arc<view::Policy> {
        self.shared.get_or_init(|| {
            Arc::new(view::Policy {
                id: self.id.clone(),
                tier: self.tier.clone(),
                selector: self.selector.canonical().clone(),
                inbound: self.inbound.clone(),
                outbound: self.outbound.clone(),
                untracked: self.untracked,
                assume_needed: self.assume_needed,
                at: self.at,
            })
        })
    }
}

/// Converts all policies of a cluster, in no particular order, and enters their sets.
pub fn all(resources: &Resources, sets: &mut SetTable, diagnostics: &mut Vec<Diagnostic>) -> Vec<Policy> {
    let mut selectors = Selectors::default();
    let mut policies = Vec::new();
    let mut take = |converted: Converted, selectors: &mut Selectors| {
        diagnostics.extend(converted.diagnostics);
        let Some(draft) = converted.draft else { return };
        match validate::policy(&draft, resources.facts, selectors) {
            Ok(()) => policies.extend(accept(draft, sets, selectors)),
            Err(refusal) => diagnostics.push(refused(&draft, &refusal)),
        }
    };
    for policy in &resources.policies {
        let converted = calico_policy::convert(policy, &mut selectors);
        take(converted, &mut selectors);
    }
    for policy in &resources.network_policies {
        let converted = kubernetes_policy::convert(policy, &mut selectors);
        take(converted, &mut selectors);
    }
    for policy in &resources.cluster_policies {
        let converted = cluster_policy::convert(policy, &mut selectors);
        take(converted, &mut selectors);
    }
    policies
}

fn refused(draft: &Draft, refusal: &validate::Refusal) -> Diagnostic {
    if refusal.beyond_limits {
        let message = format!(
            "{} `{}` is beyond what netpolc reads: {}",
            draft.id.kind.name(),
            draft.id.path(),
            refusal.reason
        );
        return Diagnostic::error("selector-too-deep", refusal.at, message)
            .help("write the selector with fewer parentheses");
    }
    ignored_policy(draft.id.kind, &draft.id.path(), refusal.at, &refusal.reason)
}

fn accept(draft: Draft, sets: &mut SetTable, selectors: &mut Selectors) -> Option<Policy> {
    // the checks have parsed it
    let selector = selectors.parse(&draft.selector).ok()?;
    let mut rules = |drafts: Vec<_>| -> Vec<Rule> {
        drafts.into_iter().map(|draft| sets.rule(draft, selectors)).collect()
    };
    Some(Policy {
        selector,
        inbound: rules(draft.inbound),
        outbound: rules(draft.outbound),
        id: draft.id,
        tier: draft.tier,
        tier_index: TierIndex(0),
        order: draft.order,
        ingress: draft.ingress,
        egress: draft.egress,
        untracked: draft.untracked,
        pre_dnat: draft.pre_dnat,
        apply_on_forward: draft.apply_on_forward,
        assume_needed: draft.assume_needed,
        at: draft.at,
        shared: OnceLock::new(),
    })
}
