//! A cluster, seen from one node.

use super::cluster::Cluster;
use super::config::{FelixConfig, sources};
use super::contributors::Contributors;
use super::convert::profile::{self, DEFAULT_ALLOW};
use super::convert::{annotations, draft, pod};
use super::endpoint_policies::{self, List, Selected};
use super::host_interfaces::{self, Applied};
use super::members::Variant;
use super::network;
use super::policy::Policy as ClusterPolicy;
use super::view::{
    HostEndpoint, IpSet, NodeView, Policy, PolicyIndex, Profile, Rule, RuleSide, SetIndex, TierPolicies,
    WorkloadEndpoint,
};
use super::{NodeRequest, Resolved};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::calico::Action;
use crate::model::core::Pod;
use crate::model::suggest;
use rustc_hash::FxHashMap;
use std::net::IpAddr;

impl<'r> Cluster<'r> {
    /// What the agent of one node knows.
    pub fn view(&self, request: &NodeRequest<'_>) -> Resolved {
        let mut diagnostics = Vec::new();
        if !self.has_node(request.node) {
            return Resolved { view: None, diagnostics: vec![self.unknown_node(request.node)] };
        }
        let facts = self.nodes.iter().find(|facts| &*facts.node.meta.name == request.node);
        let labels = facts.map(|facts| &facts.node.meta.labels);
        let (config, more) = sources::effective(self.resources, request.node, labels);
        diagnostics.extend(more);
        let variant =
            Variant { spoofing: config.workload_source_spoofing, keep_covered: config.keep_covered_members };
        let ignored = self.ignored_for_spoofing(&config, &mut diagnostics);

        let mut pods: Vec<u32> = self.contributors.by_node.get(request.node).cloned().unwrap_or_default();
        pods.retain(|number| !ignored.contains(number));
        let hosts: Vec<_> =
            self.contributors.hosts().filter(|(_, host)| &*host.node == request.node).collect();
        let local: Vec<u32> = pods.iter().copied().chain(hosts.iter().map(|(number, _)| *number)).collect();
        let selected = endpoint_policies::select(&self.policies, &local, &self.contributors, &self.profiles);
        self.note_pods_without_address(request.node, &mut diagnostics);

        let interfaces = match request.interfaces {
            Some(interfaces) => interfaces.to_vec(),
            None => host_interfaces::assume(request.node, facts, &hosts, &mut diagnostics),
        };
        let applied = host_interfaces::resolve(&hosts, &interfaces, &config, &mut diagnostics);
        let profile_names = self.profile_names(&pods, &hosts);
        let (policies, sets, places) = self.active(&selected.active, variant);
        let builder = Builder { cluster: self, selected: &selected, local: &local, places: &places };
        let mut network =
            network::network(self.resources, &self.nodes, request.node, &config, &mut diagnostics);
        if config.istio_ambient {
            network.istio_members = self.istio_members(variant);
        }
        let view = NodeView {
            node: request.node.into(),
            interfaces,
            workloads: builder.workloads(&pods),
            host_endpoints: builder.host_endpoints(applied),
            policies,
            profiles: profile_names.iter().map(|name| self.active_profile(name, &mut diagnostics)).collect(),
            sets,
            network,
            tiers: self.tiers.clone(),
            config,
        };
        Resolved { view: Some(view), diagnostics }
    }

    fn unknown_node(&self, name: &str) -> Diagnostic {
        let names: Vec<&str> = self.node_names().collect();
        let message = format!("there is no node `{name}`: neither a Node of that name nor a pod on it");
        let listed = || {
            let shown: Vec<String> = names.iter().take(10).map(|name| format!("`{name}`")).collect();
            let more =
                if names.len() > 10 { format!(" and {} more", names.len() - 10) } else { String::new() };
            format!("{}{more}", shown.join(", "))
        };
        let help = match suggest(name, names.iter().copied()) {
            _ if names.is_empty() => "the input names no node at all".to_owned(),
            Some(near) => format!("did you mean `{near}`? the nodes are {}", listed()),
            None => format!("the nodes are {}", listed()),
        };
        Diagnostic::new("unknown-node", Severity::Error, None, message).help(help)
    }

    /// Pods that may send from other addresses than their own exist for Felix only where its
    /// configuration allows that (`felix/calc/validation_filter.go:101`, v3.32.1).
    fn ignored_for_spoofing(&self, config: &FelixConfig, diagnostics: &mut Vec<Diagnostic>) -> Vec<u32> {
        if config.workload_source_spoofing {
            return Vec::new();
        }
        let ignored = &self.contributors.spoofing;
        for pod in ignored.iter().filter_map(|number| self.contributors.get(*number).ok()) {
            let reason =
                format!("it has `{}`, and WorkloadSourceSpoofing is not `Any`", annotations::SOURCE_PREFIXES);
            let path = format!("{}/{}", pod.namespace, pod.name);
            diagnostics.push(draft::ignored("pod", &path, pod.at, &reason).help(
                "set `workloadSourceSpoofing: Any` in the FelixConfiguration, or remove the annotation",
            ));
        }
        ignored.clone()
    }

    fn note_pods_without_address(&self, node: &str, diagnostics: &mut Vec<Diagnostic>) {
        let local = self.contributors.without_address.iter().filter(|pod| &*pod.node == node);
        let (count, first) = local.fold((0, None), |(count, first): (usize, Option<&Pod>), pod| {
            (count + 1, Some(first.filter(|first| first.at <= pod.at).unwrap_or(pod)))
        });
        let Some(first) = first else { return };
        let path = format!("`{}/{}`", first.namespace, first.name);
        let message = match count {
            1 => format!("pod {path} has no address, so felix has no rules for it"),
            _ => format!(
                "{count} pods on this node have no address, so felix has no rules for them; the first is {path}"
            ),
        };
        diagnostics.push(
            Diagnostic::note("pods-without-address", first.at, message)
                .help("addresses are in `status.podIPs` of a pod that runs; it is no longer used by a pod that has finished"),
        );
    }

    /// Profiles that local endpoints name, sorted.
    fn profile_names(
        &self,
        pods: &[u32],
        hosts: &[(u32, &'r crate::model::calico::HostEndpoint)],
    ) -> Vec<Box<str>> {
        let pods = pods.iter().filter_map(|number| self.contributors.get(*number).ok());
        let of_hosts = hosts.iter().flat_map(|(_, host)| host.profiles.iter().map(|p| p.value.clone()));
        let mut names: Vec<Box<str>> = pods.flat_map(pod_profiles).chain(of_hosts).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// A missing profile denies everything (`felix/calc/active_rules_calculator.go:424`, v3.32.1).
    fn active_profile(&self, name: &str, diagnostics: &mut Vec<Diagnostic>) -> Profile {
        let Some(known) = self.profiles.get(name) else {
            let deny = || vec![plain_rule(Action::Deny, crate::model::meta::Meta::built_in(name).at)];
            diagnostics.push(missing_profile(name));
            return Profile { name: name.into(), inbound: deny(), outbound: deny(), at: None };
        };
        let at = known.at.unwrap_or(crate::model::meta::Meta::built_in(name).at);
        let rules = || if known.allows { vec![plain_rule(Action::Allow, at)] } else { Vec::new() };
        Profile { name: name.into(), inbound: rules(), outbound: rules(), at: known.at }
    }

    /// Active policies by id, the sets they refer to by id, and each policy's place.
    fn active(
        &self,
        active: &[usize],
        variant: Variant,
    ) -> (Vec<Policy>, Vec<IpSet>, FxHashMap<usize, PolicyIndex>) {
        let mut order: Vec<usize> = active.to_vec();
        order.sort_by(|a, b| self.policies[*a].id.cmp(&self.policies[*b].id));
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
        let mut sets: Vec<(SetIndex, IpSet)> = used
            .into_iter()
            .map(|index| {
                let definition = self.sets.get(index);
                let members = self.members.of(definition, &self.contributors, variant).clone();
                (index, IpSet { id: definition.id(), meaning: definition.meaning.clone(), members })
            })
            .collect();
        sets.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
        let index_of: FxHashMap<SetIndex, SetIndex> =
            sets.iter().map(|(index, _)| *index).zip((0..).map(SetIndex)).collect();
        let policies = order.iter().map(|number| active_policy(&self.policies[*number], &index_of)).collect();
        (policies, sets.into_iter().map(|(_, set)| set).collect(), places)
    }

    fn istio_members(&self, variant: Variant) -> Vec<IpAddr> {
        let nets = self.members.nets(&self.istio, &self.contributors, variant);
        let v4 = nets.v4.iter().map(|net| IpAddr::V4(net.addr()));
        let mut members: Vec<IpAddr> = v4.chain(nets.v6.iter().map(|net| IpAddr::V6(net.addr()))).collect();
        members.sort_unstable();
        members.dedup();
        members
    }
}

/// Profiles of a pod, in the order that its labels and rules are looked up in.
fn pod_profiles(pod: &Pod) -> Vec<Box<str>> {
    let mut names = vec![profile::of_namespace(&pod.namespace)];
    if !pod.service_account.is_empty() {
        names.push(profile::of_account(&pod.namespace, &pod.service_account));
    }
    names
}

fn missing_profile(name: &str) -> Diagnostic {
    let message = if let Some(namespace) = name.strip_prefix("kns.") {
        format!("there is no namespace `{namespace}`, so its pods drop what no policy decides")
    } else if let Some((namespace, account)) = name.strip_prefix("ksa.").and_then(|rest| rest.split_once('.'))
    {
        format!(
            "there is no service account `{account}` in namespace `{namespace}`: its profile denies everything"
        )
    } else {
        format!("there is no profile `{name}`, so its endpoints drop what no policy decides")
    };
    Diagnostic::new("missing-profile", Severity::Warning, None, message)
        .help(format!("add it to the input; felix puts a profile that denies in place of `{name}`, and `{DEFAULT_ALLOW}` always exists"))
}

fn plain_rule(action: Action, at: crate::diagnostic::Location) -> Rule {
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

fn each_set(rule: &Rule, visit: &mut dyn FnMut(SetIndex)) {
    for side in [&rule.source, &rule.destination] {
        let lists = [&side.sets, &side.not_sets, &side.named_ports, &side.not_named_ports, &side.services];
        lists.into_iter().flatten().for_each(|set| visit(*set));
    }
}

fn active_policy(policy: &ClusterPolicy, index_of: &FxHashMap<SetIndex, SetIndex>) -> Policy {
    let rules = |rules: &[Rule]| -> Vec<Rule> {
        let mut rules = rules.to_vec();
        for rule in &mut rules {
            for side in [&mut rule.source, &mut rule.destination] {
                let lists = [
                    &mut side.sets,
                    &mut side.not_sets,
                    &mut side.named_ports,
                    &mut side.not_named_ports,
                    &mut side.services,
                ];
                lists.into_iter().flatten().for_each(|set| *set = index_of[set]);
            }
        }
        rules
    };
    Policy {
        id: policy.id.clone(),
        tier: policy.tier.clone(),
        selector: policy.selector.canonical().clone(),
        inbound: rules(&policy.inbound),
        outbound: rules(&policy.outbound),
        untracked: policy.untracked,
        assume_needed: policy.assume_needed,
        at: policy.at,
    }
}

/// Makes the view's endpoints.
struct Builder<'b, 'r> {
    cluster: &'b Cluster<'r>,
    selected: &'b Selected,
    local: &'b [u32],
    places: &'b FxHashMap<usize, PolicyIndex>,
}

impl Builder<'_, '_> {
    fn list(&self, list: List, number: u32) -> Vec<TierPolicies> {
        let place = self.local.iter().position(|local| *local == number);
        let selecting = place.map_or(&[][..], |place| &self.selected.by_endpoint[place]);
        endpoint_policies::tiers(list, selecting, &self.cluster.policies, &|policy| self.places[&policy])
    }

    /// One for each interface name; where two pods have the same, the first by name is rendered
    /// (`felix/dataplane/linux/endpoint_mgr.go:764`, v3.32.1).
    fn workloads(&self, pods: &[u32]) -> Vec<WorkloadEndpoint> {
        let contributors: &Contributors<'_> = &self.cluster.contributors;
        let mut endpoints: Vec<WorkloadEndpoint> = pods
            .iter()
            .filter_map(|number| Some((*number, contributors.get(*number).ok()?)))
            .map(|(number, pod)| self.workload(number, pod))
            .collect();
        let path = |endpoint: &WorkloadEndpoint| format!("{}/{}", endpoint.namespace, endpoint.pod);
        endpoints.sort_by(|a, b| a.interface.cmp(&b.interface).then_with(|| path(a).cmp(&path(b))));
        endpoints.dedup_by(|later, first| later.interface == first.interface);
        endpoints
    }

    fn workload(&self, number: u32, pod: &Pod) -> WorkloadEndpoint {
        let addresses = self.cluster.contributors.addresses(number);
        let annotations = &pod.annotations;
        WorkloadEndpoint {
            interface: pod::interface_name(self.cluster.interface_prefix, &pod.namespace, &pod.name),
            namespace: pod.namespace.clone(),
            pod: pod.name.clone(),
            tiers: self.list(List::Normal, number),
            profiles: pod_profiles(pod),
            // pods whose annotations cannot be read are no endpoints
            allowed_source_prefixes: annotations::source_prefixes(annotations).unwrap_or_default(),
            floating_ips: annotations::floating_ips(annotations, &addresses).unwrap_or_default(),
            qos: annotations::qos(annotations),
            dscp: annotations::dscp(annotations),
            addresses,
            at: pod.at,
        }
    }

    fn host_endpoints(&self, applied: Vec<Applied<'_>>) -> Vec<HostEndpoint> {
        applied
            .into_iter()
            .map(|Applied { interface, number, endpoint }| {
                let mut addresses: Vec<IpAddr> =
                    endpoint.expected_ips.iter().map(|address| address.value.to_canonical()).collect();
                addresses.sort_by_key(IpAddr::is_ipv6);
                HostEndpoint {
                    interface,
                    name: endpoint.meta.name.clone(),
                    addresses,
                    tiers: self.list(List::Normal, number),
                    forward_tiers: self.list(List::Forward, number),
                    pre_dnat_tiers: self.list(List::PreDnat, number),
                    untracked_tiers: self.list(List::Untracked, number),
                    profiles: endpoint.profiles.iter().map(|profile| profile.value.clone()).collect(),
                    dscp: annotations::dscp(&endpoint.meta.annotations),
                    at: endpoint.meta.at,
                }
            })
            .collect()
    }
}
