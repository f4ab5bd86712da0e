//! The policies, sets and profiles that are active on a node.
//!
//! `felix/calc/active_rules_calculator.go:367` and `:424`, v3.32.1.

use super::cluster::Cluster;
use super::convert::profile::{self, DEFAULT_ALLOW};
use super::members::Variant;
use super::view::{IpSet, NodeView, Policy, PolicyIndex, Profile, Rule, RuleSide, SetIndex};
use crate::diagnostic::{Diagnostic, Location};
use crate::model::calico::{Action, HostEndpoint};
use crate::model::core::Pod;
use crate::model::meta::Meta;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Active policies and their sets, both sorted by id.
pub struct Active {
    /// the policies
    pub policies: Vec<Arc<Policy>>,
    /// the sets that they refer to
    pub sets: Vec<Arc<IpSet>>,
    /// where each of the cluster's policies is in `policies`
    pub places: FxHashMap<usize, PolicyIndex>,
}

impl<'r> Cluster<'r> {
    /// Profiles that local endpoints name, sorted by name.
    pub(super) fn active_profiles(
        &self,
        pods: &[u32],
        hosts: &[(u32, &'r HostEndpoint)],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<Profile> {
        // each with the first place that names it
        let mut named: BTreeMap<Box<str>, Location> = BTreeMap::new();
        let mut add = |name: Box<str>, at: Location| {
            let first = named.entry(name).or_insert(at);
            *first = at.min(*first);
        };
        for pod in pods.iter().filter_map(|number| self.contributors.get(*number).ok()) {
            pod_profiles(pod).into_iter().for_each(|name| add(name, pod.at));
        }
        for profile in hosts.iter().flat_map(|(_, host)| &host.profiles) {
            add(profile.value.clone(), profile.at);
        }
        named.into_iter().map(|(name, at)| self.active_profile(name, at, diagnostics)).collect()
    }

    /// A missing profile denies everything.
    fn active_profile(
        &self,
        name: Box<str>,
        named_at: Location,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Profile {
        let nowhere = Meta::built_in(&name).at;
        let Some(known) = self.profiles.get(&name) else {
            diagnostics.push(missing_profile(&name, named_at));
            let deny = || vec![plain_rule(Action::Deny, nowhere)];
            return Profile { name, inbound: deny(), outbound: deny(), at: None };
        };
        let at = known.at.unwrap_or(nowhere);
        let rules = || if known.allows { vec![plain_rule(Action::Allow, at)] } else { Vec::new() };
        Profile { name, inbound: rules(), outbound: rules(), at: known.at }
    }

    /// What a node knows, as if endpoints of it had these policies and no others, by their numbers in
    /// [`Cluster::policies`].
    pub fn with_policies(&self, view: &NodeView, policies: &[usize]) -> NodeView {
        let config = &view.config;
        let variant =
            Variant { spoofing: config.workload_source_spoofing, keep_covered: config.keep_covered_members };
        let Active { policies, sets, .. } = self.active(policies, variant);
        NodeView { policies, sets, ..view.clone() }
    }

    /// What is active of the cluster's policies, given those that are.
    pub(super) fn active(&self, active: &[usize], variant: Variant) -> Active {
        let mut order: Vec<usize> = active.to_vec();
        order.sort_unstable_by_key(|policy| self.by_id[*policy]);
        let places = order.iter().copied().zip((0..).map(PolicyIndex)).collect();
        let mut used: Vec<SetIndex> = Vec::new();
        for policy in order.iter().map(|number| &self.policies[*number]) {
            policy
                .inbound
                .iter()
                .chain(&policy.outbound)
                .for_each(|rule| each_set(rule, &mut |set| used.push(set)));
        }
        used.sort_unstable();
        used.dedup();
        let set = |index| self.members.of(self.sets.get(index), &self.contributors, variant).clone();
        // ids are hashes, so that their beginnings decide, and most need not be looked up again
        let mut sets: Vec<(u128, Arc<IpSet>)> =
            used.into_iter().map(set).map(|set: Arc<IpSet>| (beginning(&set.id), set)).collect();
        sets.sort_unstable_by(|(first, a), (second, b)| first.cmp(second).then_with(|| a.id.cmp(&b.id)));
        let sets = sets.into_iter().map(|(_, set)| set).collect();
        let policies = order.iter().map(|number| self.policies[*number].shared().clone()).collect();
        Active { policies, sets, places }
    }
}

/// The first 16 bytes of a text, as a number that is in the order of the texts.
fn beginning(text: &str) -> u128 {
    let mut bytes = [0; 16];
    let length = text.len().min(bytes.len());
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    u128::from_be_bytes(bytes)
}

/// Profiles of a pod, in the order that its labels and rules are looked up in.
pub fn pod_profiles(pod: &Pod) -> Vec<Box<str>> {
    let mut names = vec![profile::of_namespace(&pod.namespace)];
    if !pod.service_account.is_empty() {
        names.push(profile::of_account(&pod.namespace, &pod.service_account));
    }
    names
}

/// A pod's namespace comes before its service account, and a namespace that exists lets everything
/// pass, so a missing service account shows in the rules without having an effect.
fn missing_profile(name: &str, at: Location) -> Diagnostic {
    if let Some((namespace, account)) = name.strip_prefix("ksa.").and_then(|rest| rest.split_once('.')) {
        let message = format!(
            "there is no service account `{account}` in namespace `{namespace}`, so the rules of its profile deny everything"
        );
        return Diagnostic::note("missing-profile", at, message)
            .help("add the ServiceAccount to the input, to get the rules that a cluster with it has");
    }
    let (what, help) = match name.strip_prefix("kns.") {
        Some(namespace) => (format!("namespace `{namespace}`"), "add the Namespace to the input".to_owned()),
        None => (
            format!("profile `{name}`"),
            format!("`{DEFAULT_ALLOW}` always exists; others come from namespaces and service accounts"),
        ),
    };
    let message = format!("there is no {what}, so felix drops what no policy decides");
    Diagnostic::warning("missing-profile", at, message).help(help)
}

fn plain_rule(action: Action, at: Location) -> Rule {
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

/// Gives the sets of a rule their new numbers.
pub fn renumber(rule: &mut Rule, numbers: &[SetIndex]) {
    for side in [&mut rule.source, &mut rule.destination] {
        let lists = [
            &mut side.sets,
            &mut side.not_sets,
            &mut side.named_ports,
            &mut side.not_named_ports,
            &mut side.services,
        ];
        lists.into_iter().flatten().for_each(|set| *set = numbers[set.0 as usize]);
    }
}

/// Calls `visit` with every set that a rule refers to.
pub fn each_set(rule: &Rule, visit: &mut dyn FnMut(SetIndex)) {
    for side in [&rule.source, &rule.destination] {
        let lists = [&side.sets, &side.not_sets, &side.named_ports, &side.not_named_ports, &side.services];
        lists.into_iter().flatten().for_each(|set| visit(*set));
    }
}
