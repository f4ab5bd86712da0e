//! A cluster, seen from one node.

use super::active::Active;
use super::cluster::Cluster;
use super::config::FelixConfig;
use super::config::sources::{self, Effective};
use super::convert::{annotations, draft};
use super::local_endpoints::LocalEndpoints;
use super::members::Variant;
use super::view::NodeView;
use super::{NodeRequest, Resolved};
use super::{endpoint_policies, host_interfaces, network};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::core::Pod;
use crate::model::suggest;
use std::net::IpAddr;

impl Cluster<'_> {
    /// What the agent of one node knows.
    pub fn view(&self, request: &NodeRequest<'_>) -> Resolved {
        let mut diagnostics = Vec::new();
        if !self.has_node(request.node) {
            return Resolved { view: None, diagnostics: vec![self.unknown_node(request.node)] };
        }
        let facts = self.nodes.iter().find(|facts| &*facts.node.meta.name == request.node);
        let labels = facts.map(|facts| &facts.node.meta.labels);
        let Effective { config, places: config_places, diagnostics: more } =
            sources::effective(self.resources, request.node, labels);
        diagnostics.extend(more);
        let variant =
            Variant { spoofing: config.workload_source_spoofing, keep_covered: config.keep_covered_members };
        let ignored = self.ignored_for_spoofing(&config, &mut diagnostics);
        let mut pods: Vec<u32> = self.contributors.by_node.get(request.node).cloned().unwrap_or_default();
        pods.retain(|number| ignored.binary_search(number).is_err());
        let hosts: Vec<_> =
            self.contributors.hosts().filter(|(_, host)| &*host.node == request.node).collect();
        let local: Vec<u32> = pods.iter().copied().chain(hosts.iter().map(|(number, _)| *number)).collect();
        let selected = match &self.everywhere {
            Some(everywhere) => everywhere.of(&local),
            None => endpoint_policies::select(&self.policies, &local, &self.contributors, &self.profiles),
        };
        self.note_pods_without_address(request.node, &mut diagnostics);

        let interfaces = match request.interfaces {
            Some(interfaces) => interfaces.to_vec(),
            None => host_interfaces::assume(request.node, facts, &hosts, &mut diagnostics),
        };
        let applied = host_interfaces::resolve(&hosts, &interfaces, &config, &mut diagnostics);
        let profiles = self.active_profiles(&pods, &hosts, &mut diagnostics);
        let Active { policies, sets, places } = self.active(&selected.active, variant);
        let endpoints = LocalEndpoints { cluster: self, selected: &selected, places: &places };
        let mut network =
            network::network(self.resources, &self.nodes, request.node, &config, &mut diagnostics);
        if config.istio_ambient {
            network.istio_members = self.istio_members(variant);
        }
        let view = NodeView {
            facts: self.resources.facts,
            node: request.node.into(),
            interfaces,
            workloads: endpoints.workloads(&pods),
            host_endpoints: endpoints.host_endpoints(applied),
            policies,
            profiles,
            sets,
            network,
            tiers: self.tiers.clone(),
            config,
            config_places,
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
    fn ignored_for_spoofing(&self, config: &FelixConfig, diagnostics: &mut Vec<Diagnostic>) -> &[u32] {
        if config.workload_source_spoofing {
            return &[];
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
        ignored
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

    fn istio_members(&self, variant: Variant) -> Vec<IpAddr> {
        let nets = self.members.nets(&self.istio, &self.contributors, variant);
        let v4 = nets.v4.iter().map(|net| IpAddr::V4(net.addr()));
        let mut members: Vec<IpAddr> = v4.chain(nets.v6.iter().map(|net| IpAddr::V6(net.addr()))).collect();
        members.sort_unstable();
        members.dedup();
        members
    }
}
