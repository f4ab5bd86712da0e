//! Active policies, their order, and which of them apply to an endpoint.
//!
//! `felix/calc/active_rules_calculator.go:306`, `felix/calc/policy_sorter.go:146`,
//! `felix/calc/event_sequencer.go:1263`, v3.32.1.

use super::bits::Bits;
use super::contributors::Contributors;
use super::convert::profile::{self, Profiles};
use super::label_index::LabelIndex;
use super::view::{
    Policy, PolicyGroup, PolicyIndex, Profile, Rule, RuleSide, Tier, TierIndex, TierPolicies,
    WorkloadEndpoint,
};
use crate::diagnostic::Location;
use crate::model::calico::{self, Action};
use crate::syntax::selector::Selector;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A policy that passed Felix's checks. Its rules refer to the cluster's sets.
#[derive(Debug)]
pub struct ClusterPolicy {
    pub policy: Policy,
    pub selector: Arc<Selector>,
    /// infinite if none is given
    pub order: f64,
    pub ingress: bool,
    pub egress: bool,
    pub pre_dnat: bool,
    pub apply_on_forward: bool,
}

/// Order of a Tier that is stored without (`libcalico-go/lib/backend/k8s/resources/tiers.go:47`, v3.32.1).
const TIER_ORDER: f64 = 1_000_000.0;

/// The policies that are active on a node.
pub struct LocalPolicies<'c> {
    policies: &'c [ClusterPolicy],
    /// indices into the cluster's policies, ascending: the order of the view's policies
    pub active: Vec<usize>,
    /// all tiers, in evaluation order
    pub tiers: Vec<Tier>,
    /// active policies in evaluation order: tier, index into `active`
    ordered: Vec<(TierIndex, PolicyIndex)>,
    /// by index into `active`: the local endpoints that it selects
    selected: Vec<Bits>,
}

/// The four lists of an endpoint.
#[derive(Debug, Default)]
pub struct Lists {
    pub normal: Vec<TierPolicies>,
    pub forward: Vec<TierPolicies>,
    pub pre_dnat: Vec<TierPolicies>,
    pub untracked: Vec<TierPolicies>,
}

impl<'c> LocalPolicies<'c> {
    /// Finds the policies that select any of the node's endpoints, which are given by their
    /// numbers among the contributors.
    pub fn new(
        policies: &'c [ClusterPolicy],
        tiers: &[calico::Tier],
        endpoints: Vec<u32>,
        contributors: &Contributors<'_>,
        profiles: &Profiles<'_>,
    ) -> Self {
        let mut index = LabelIndex::of_everything(endpoints.len());
        for (at, number) in (0u32..).zip(&endpoints) {
            contributors.each_label(*number, profiles, &mut |key, value| index.add(at, key, value));
        }
        let mut active = Vec::new();
        let mut selected = Vec::new();
        for (at, policy) in policies.iter().enumerate() {
            let bits = index.select(policy.selector.root());
            if policy.policy.assume_needed || !bits.is_empty() {
                active.push(at);
                selected.push(bits);
            }
        }
        let tiers = self::tiers(tiers, policies);
        let place: FxHashMap<&str, TierIndex> =
            (0u32..).zip(&tiers).map(|(at, tier)| (&*tier.name, TierIndex(at))).collect();
        let mut keyed: Vec<_> = (0u32..)
            .zip(&active)
            .map(|(at, policy)| {
                let policy = &policies[*policy];
                let id = &policy.policy.id;
                // compared as one text, as Felix does
                let tie = format!("{}/{}/{}", id.name, id.namespace, id.kind.name());
                (place[&*policy.policy.tier], policy.order, tie, PolicyIndex(at))
            })
            .collect();
        keyed.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then_with(|| a.2.cmp(&b.2)));
        let ordered = keyed.into_iter().map(|(tier, _, _, policy)| (tier, policy)).collect();
        LocalPolicies { policies, active, tiers, ordered, selected }
    }

    /// The normal policies of an endpoint, given by its place in the list that [`Self::new`] got.
    pub fn normal(&self, endpoint: usize) -> Vec<TierPolicies> {
        self.all(endpoint).normal
    }

    /// All policies of an endpoint, by list. A policy is in exactly one of normal, preDNAT and
    /// untracked, and perhaps in forward besides.
    pub fn all(&self, endpoint: usize) -> Lists {
        let mut lists = Lists::default();
        for (tier, index) in &self.ordered {
            if !self.selected[index.0 as usize].contains(endpoint as u32) {
                continue;
            }
            let policy = &self.policies[self.active[index.0 as usize]];
            let add = |list: &mut Vec<TierPolicies>, egress: bool| {
                add(list, *tier, *index, &policy.policy.selector, policy.ingress, egress && policy.egress);
            };
            if policy.policy.untracked {
                add(&mut lists.untracked, true);
            } else if policy.pre_dnat {
                add(&mut lists.pre_dnat, false);
            } else {
                if policy.apply_on_forward {
                    add(&mut lists.forward, true);
                }
                add(&mut lists.normal, true);
            }
        }
        lists
    }
}

/// Adds a policy to a list of tiers, to the group before it if that has the same selector.
fn add(
    list: &mut Vec<TierPolicies>,
    tier: TierIndex,
    policy: PolicyIndex,
    selector: &Arc<str>,
    ingress: bool,
    egress: bool,
) {
    if !ingress && !egress {
        return;
    }
    if list.last().is_none_or(|last| last.tier != tier) {
        list.push(TierPolicies { tier, ingress: Vec::new(), egress: Vec::new() });
    }
    let Some(last) = list.last_mut() else { return };
    let group = |groups: &mut Vec<PolicyGroup>| match groups.last_mut() {
        Some(group) if group.selector == *selector => group.policies.push(policy),
        _ => groups.push(PolicyGroup { selector: selector.clone(), policies: vec![policy] }),
    };
    if ingress {
        group(&mut last.ingress);
    }
    if egress {
        group(&mut last.egress);
    }
}

/// Tiers in evaluation order: those that exist, by order and name; then those that policies name
/// all the same, which deny at their end.
fn tiers(existing: &[calico::Tier], policies: &[ClusterPolicy]) -> Vec<Tier> {
    let mut existing: Vec<_> = existing.iter().collect();
    let order = |tier: &calico::Tier| tier.order.unwrap_or(TIER_ORDER);
    existing.sort_by(|a, b| order(a).total_cmp(&order(b)).then_with(|| a.meta.name.cmp(&b.meta.name)));
    let mut tiers: Vec<Tier> = existing
        .into_iter()
        .map(|tier| Tier { name: tier.meta.name.clone(), default_pass: tier.default_pass, exists: true })
        .collect();
    let mut missing: Vec<&str> = policies.iter().map(|policy| &*policy.policy.tier).collect();
    missing.sort_unstable();
    missing.dedup();
    missing.retain(|name| tiers.iter().all(|tier| &*tier.name != *name));
    tiers.extend(missing.into_iter().map(|name| Tier {
        name: name.into(),
        default_pass: false,
        exists: false,
    }));
    tiers
}

/// The profiles of local endpoints. One that is named but not there denies everything
/// (`felix/calc/active_rules_calculator.go:424`, v3.32.1).
pub fn profiles(
    workloads: &[WorkloadEndpoint],
    contributors: &Contributors<'_>,
    hosts: &[u32],
    known: &Profiles<'_>,
) -> Vec<Profile> {
    let mut named: BTreeMap<&str, Location> = BTreeMap::new();
    for workload in workloads {
        workload.profiles.iter().for_each(|name| {
            named.entry(name).or_insert(workload.at);
        });
    }
    for (_, host) in contributors.hosts().filter(|(number, _)| hosts.contains(number)) {
        host.profiles.iter().for_each(|name| {
            named.entry(&name.value).or_insert(name.at);
        });
    }
    named
        .into_iter()
        .map(|(name, asked_at)| {
            let profile = known.get(name);
            let at = profile.and_then(|profile| profile.at);
            let action = match profile {
                Some(profile) if profile.allows => Some(Action::Allow),
                Some(_) => None,
                None => Some(Action::Deny),
            };
            let rules: Vec<Rule> =
                action.map(|action| everything(action, at.unwrap_or(asked_at))).into_iter().collect();
            Profile { name: name.into(), inbound: rules.clone(), outbound: rules, at }
        })
        .collect()
}

fn everything(action: Action, at: Location) -> Rule {
    Rule {
        action,
        ip_version: None,
        protocol: None,
        not_protocol: None,
        icmp: None,
        not_icmp: None,
        source: RuleSide::default(),
        destination: RuleSide::default(),
        annotations: Vec::new(),
        at,
    }
}

/// Names of a pod's profiles, in the order in which its chains visit them.
pub fn of_pod(namespace: &str, account: &str) -> Vec<Box<str>> {
    let mut names = vec![profile::of_namespace(namespace)];
    if !account.is_empty() {
        names.push(profile::of_account(namespace, account));
    }
    names
}
