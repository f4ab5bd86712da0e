//! Which policies apply to which local endpoint, in which of its lists.
//!
//! `felix/calc/active_rules_calculator.go:367`, `felix/calc/event_sequencer.go:1250` and
//! `felix/dataplane/linux/endpoint_mgr.go:1724`, v3.32.1.

use super::contributors::Contributors;
use super::convert::profile::Profiles;
use super::label_index::LabelIndex;
use super::policy::Policy;
use super::view::{PolicyGroup, PolicyIndex, TierPolicies};
use rustc_hash::FxHashMap;

/// The policies that matter on a node.
#[derive(Debug)]
pub struct Selected {
    /// active policies, as indices into the cluster's
    pub active: Vec<usize>,
    /// by contributor the policies that select it, in evaluation order
    pub by_endpoint: FxHashMap<u32, Vec<usize>>,
}

/// Finds the policies (in evaluation order) that select any of the local endpoints.
pub fn select<'r>(
    policies: &[Policy],
    local: &[u32],
    contributors: &Contributors<'r>,
    profiles: &Profiles<'r>,
) -> Selected {
    let mut index = LabelIndex::of_everything(local.len());
    for (place, number) in (0u32..).zip(local) {
        contributors.each_label(*number, profiles, &mut |key, value| index.add(place, key, value));
    }
    let mut selected = Selected { active: Vec::new(), by_endpoint: FxHashMap::default() };
    for (number, policy) in policies.iter().enumerate() {
        let endpoints = index.select(policy.selector.root());
        if policy.assume_needed || !endpoints.is_empty() {
            selected.active.push(number);
        }
        for place in endpoints.iter() {
            selected.by_endpoint.entry(local[place as usize]).or_default().push(number);
        }
    }
    selected
}

/// The lists of an endpoint that policies go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// everything else
    Normal,
    /// applyOnForward
    Forward,
    /// preDNAT; ingress only
    PreDnat,
    /// doNotTrack, which goes before preDNAT
    Untracked,
}

impl List {
    fn takes(self, policy: &Policy) -> bool {
        match self {
            List::Untracked => policy.untracked,
            List::PreDnat => !policy.untracked && policy.pre_dnat,
            List::Normal => !policy.untracked && !policy.pre_dnat,
            List::Forward => List::Normal.takes(policy) && policy.apply_on_forward,
        }
    }
}

/// One list of an endpoint: the tiers that have a policy in it, with their policies in groups.
/// `index_of` gives a policy's index in the view.
pub fn tiers(
    list: List,
    selecting: &[usize],
    policies: &[Policy],
    index_of: &dyn Fn(usize) -> PolicyIndex,
) -> Vec<TierPolicies> {
    let mut tiers: Vec<TierPolicies> = Vec::new();
    for &number in selecting {
        let policy = &policies[number];
        let egress = policy.egress && list != List::PreDnat;
        if !list.takes(policy) || !(policy.ingress || egress) {
            continue;
        }
        if tiers.last().is_none_or(|last| last.tier != policy.tier_index) {
            tiers.push(TierPolicies { tier: policy.tier_index, ingress: Vec::new(), egress: Vec::new() });
        }
        let Some(tier) = tiers.last_mut() else { continue };
        if policy.ingress {
            join(&mut tier.ingress, policy, index_of(number));
        }
        if egress {
            join(&mut tier.egress, policy, index_of(number));
        }
    }
    tiers
}

/// Adds a policy to the last group, or begins another where the selector changes.
fn join(groups: &mut Vec<PolicyGroup>, policy: &Policy, index: PolicyIndex) {
    let selector = policy.selector.canonical();
    match groups.last_mut() {
        Some(last) if last.selector == *selector => last.policies.push(index),
        _ => groups.push(PolicyGroup { selector: selector.clone(), policies: vec![index] }),
    }
}
