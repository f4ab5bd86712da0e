//! What is the same for every node of a cluster, and the step from there to one node.

use super::config::sources;
use super::contributors::Contributors;
use super::convert::draft::{Converted, Draft, ignored_policy};
use super::convert::profile::Profiles;
use super::convert::selectors::Selectors;
use super::convert::{calico_policy, cluster_policy, kubernetes_policy};
use super::members::Members;
use super::policies::{self, ClusterPolicy, LocalPolicies};
use super::set_table::SetTable;
use super::view::{Interface, IpSet, NodeView, Policy, Rule, RuleSide, SetIndex};
use super::{endpoints, hosts, network, validate};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Resources;
use crate::model::core::Node;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// A cluster, ready to be looked at from any of its nodes.
#[derive(Debug)]
pub struct Cluster<'r> {
    resources: &'r Resources,
    profiles: Profiles<'r>,
    contributors: Contributors<'r>,
    /// sorted by id
    policies: Vec<ClusterPolicy>,
    members: Members<'r>,
    diagnostics: Vec<Diagnostic>,
}

/// Which node to look from.
#[derive(Debug, Clone, Copy)]
pub struct NodeRequest<'a> {
    /// its name
    pub node: &'a str,
    /// its interfaces, if known
    pub interfaces: Option<&'a [Interface]>,
}

/// What one node knows.
#[derive(Debug)]
pub struct Resolved {
    /// the view; `None` if there is no such node
    pub view: Option<NodeView>,
    /// what there is to say about this node
    pub diagnostics: Vec<Diagnostic>,
}

impl<'r> Cluster<'r> {
    /// Converts everything that does not depend on the node.
    pub fn new(resources: &'r Resources) -> Self {
        let mut diagnostics = Vec::new();
        let profiles = Profiles::new(resources, &mut diagnostics);
        let contributors = Contributors::new(resources, &mut diagnostics);
        let mut selectors = Selectors::default();
        let mut sets = SetTable::default();
        let mut policies = Vec::new();
        for converted in conversions(resources, &mut selectors) {
            diagnostics.extend(converted.diagnostics);
            let Some(draft) = converted.draft else { continue };
            match accept(draft, &mut selectors, &mut sets) {
                Ok(policy) => policies.push(policy),
                Err(refused) => diagnostics.push(refused),
            }
        }
        policies.sort_by(|a, b| a.policy.id.cmp(&b.policy.id));
        let members = Members::new(sets, resources);
        Cluster { resources, profiles, contributors, policies, members, diagnostics }
    }

    /// What there is to say whatever the node.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Names of all nodes, sorted: those that have a Node object, and those that pods run on.
    pub fn node_names(&self) -> impl Iterator<Item = &'r str> {
        let mut names: BTreeSet<&str> = self.resources.nodes.iter().map(|node| &*node.meta.name).collect();
        names.extend(self.contributors.by_node.keys().copied());
        names.into_iter()
    }

    /// What one node knows.
    pub fn view(&self, request: &NodeRequest<'_>) -> Resolved {
        let node = self.resources.nodes.iter().find(|node| &*node.meta.name == request.node);
        let local_hosts = self.contributors.hosts().any(|(_, host)| &*host.node == request.node);
        if node.is_none() && !local_hosts && !self.contributors.by_node.contains_key(request.node) {
            return Resolved { view: None, diagnostics: vec![self.unknown(request.node)] };
        }
        let (view, diagnostics) = self.known(request, node);
        Resolved { view: Some(view), diagnostics }
    }

    fn unknown(&self, node: &str) -> Diagnostic {
        let names: Vec<&str> = self.node_names().collect();
        let message = format!("there is no node `{node}` in the input");
        let help = match names.as_slice() {
            [] => "the input has no Node and no pod on a node".to_owned(),
            names => {
                let shown =
                    names.iter().take(8).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let more = names.len().saturating_sub(8);
                if more > 0 {
                    format!("nodes are {shown} and {more} more")
                } else {
                    format!("nodes are {shown}")
                }
            }
        };
        Diagnostic::new("unknown-node", Severity::Error, None, message).help(help)
    }

    fn known(&self, request: &NodeRequest<'_>, node: Option<&Node>) -> (NodeView, Vec<Diagnostic>) {
        let labels = node.map(|node| &node.meta.labels);
        let (config, mut diagnostics) = sources::effective(self.resources, request.node, labels);
        let prefix = endpoints::interface_prefix(self.resources);
        let pods = endpoints::local(&self.contributors, request.node, &config, &mut diagnostics);
        let host_numbers: Vec<u32> = self
            .contributors
            .hosts()
            .filter(|(_, host)| &*host.node == request.node)
            .map(|(number, _)| number)
            .collect();
        let interfaces = match request.interfaces {
            Some(interfaces) => interfaces.to_vec(),
            None => hosts::assumed_interfaces(self.resources, request.node, node, &mut diagnostics),
        };
        let local = LocalPolicies::new(
            &self.policies,
            &self.resources.tiers,
            pods.iter().chain(&host_numbers).copied().collect(),
            &self.contributors,
            &self.profiles,
        );
        let mut workloads: Vec<_> = pods
            .iter()
            .enumerate()
            .map(|(at, number)| endpoints::workload(&self.contributors, *number, &prefix, local.normal(at)))
            .collect();
        workloads.sort_by(|a, b| a.interface.cmp(&b.interface));
        workloads.dedup_by(|a, b| a.interface == b.interface);
        let hosts_local: Vec<_> = host_numbers
            .iter()
            .enumerate()
            .map(|(at, number)| (*number, local.all(pods.len() + at)))
            .collect();
        let host_endpoints =
            hosts::resolve(&self.contributors, hosts_local, &interfaces, &config, &mut diagnostics);
        let profiles = policies::profiles(&workloads, &self.contributors, &host_numbers, &self.profiles);
        let mut policies: Vec<Policy> =
            local.active.iter().map(|index| self.policies[*index].policy.clone()).collect();
        let sets = self.renumber(&mut policies, &config);
        let network = network::facts(self.resources, request.node, &config, || {
            self.members.istio(&self.contributors, &self.profiles, &config)
        });
        let view = NodeView {
            node: request.node.into(),
            config,
            interfaces,
            workloads,
            host_endpoints,
            policies,
            profiles,
            sets,
            network,
            tiers: local.tiers,
        };
        (view, diagnostics)
    }

    /// The sets that the policies refer to, with their members, sorted by id; the policies' rules
    /// are changed to refer to them.
    fn renumber(&self, policies: &mut [Policy], config: &super::config::FelixConfig) -> Vec<IpSet> {
        let mut used: Vec<SetIndex> = Vec::new();
        each_set(policies, &mut |set| used.push(*set));
        used.sort_unstable();
        used.dedup();
        let mut sets: Vec<(SetIndex, IpSet)> = used
            .into_iter()
            .map(|index| (index, self.members.set(index, &self.contributors, &self.profiles, config)))
            .collect();
        sets.sort_by(|a, b| a.1.id.cmp(&b.1.id));
        let new: FxHashMap<SetIndex, SetIndex> =
            (0u32..).zip(&sets).map(|(at, (old, _))| (*old, SetIndex(at))).collect();
        each_set(policies, &mut |set| *set = new[set]);
        sets.into_iter().map(|(_, set)| set).collect()
    }
}

fn each_set(policies: &mut [Policy], visit: &mut dyn FnMut(&mut SetIndex)) {
    let mut rule = |rule: &mut Rule| {
        for side in [&mut rule.source, &mut rule.destination] {
            let RuleSide { sets, not_sets, named_ports, not_named_ports, services, .. } = side;
            for list in [sets, not_sets, named_ports, not_named_ports, services] {
                list.iter_mut().for_each(&mut *visit);
            }
        }
    };
    for policy in policies {
        policy.inbound.iter_mut().chain(&mut policy.outbound).for_each(&mut rule);
    }
}

/// Every policy of the cluster in the form that Felix is given, one after the other.
fn conversions<'a>(resources: &'a Resources, selectors: &'a mut Selectors) -> Vec<Converted> {
    let mut converted = Vec::new();
    converted.extend(resources.network_policies.iter().map(|p| kubernetes_policy::convert(p, selectors)));
    converted.extend(resources.cluster_policies.iter().map(|p| cluster_policy::convert(p, selectors)));
    converted.extend(resources.policies.iter().map(|p| calico_policy::convert(p, selectors)));
    converted
}

/// Felix's checks, then sets for selectors.
fn accept(draft: Draft, selectors: &mut Selectors, sets: &mut SetTable) -> Result<ClusterPolicy, Diagnostic> {
    let path = draft.id.path();
    let refusal = |refusal: validate::Refusal| {
        if refusal.beyond_limits {
            let message =
                format!("{} `{path}` is beyond our limits: {}", draft.id.kind.name(), refusal.reason);
            Diagnostic::error("selector-too-deep", refusal.at, message)
        } else {
            ignored_policy(draft.id.kind, &path, refusal.at, &refusal.reason)
        }
    };
    validate::policy(&draft, selectors).map_err(refusal)?;
    let selector = selectors.parse(&draft.selector).expect("validated a moment ago");
    let mut rules = |list: Vec<_>| list.into_iter().map(|rule| sets.rule(rule, selectors)).collect();
    let policy = Policy {
        id: draft.id,
        tier: draft.tier,
        selector: selector.canonical().clone(),
        inbound: rules(draft.inbound),
        outbound: rules(draft.outbound),
        untracked: draft.untracked,
        assume_needed: draft.assume_needed,
        at: draft.at,
    };
    Ok(ClusterPolicy {
        policy,
        selector,
        order: draft.order,
        ingress: draft.ingress,
        egress: draft.egress,
        pre_dnat: draft.pre_dnat,
        apply_on_forward: draft.apply_on_forward,
    })
}
