//! The endpoints of a node, with the policies that apply to them.

use super::active::pod_profiles;
use super::cluster::Cluster;
use super::convert::{annotations, pod};
use super::endpoint_policies::{self, List, Selected};
use super::host_interfaces::Applied;
use super::view::{HostEndpoint, PolicyIndex, TierPolicies, WorkloadEndpoint};
use crate::model::core::Pod;
use rustc_hash::FxHashMap;
use std::net::IpAddr;

/// Makes the view's endpoints.
pub struct LocalEndpoints<'b, 'r> {
    /// the cluster
    pub cluster: &'b Cluster<'r>,
    /// which policies select which local endpoint
    pub selected: &'b Selected,
    /// where each of the cluster's policies is in the view
    pub places: &'b FxHashMap<usize, PolicyIndex>,
}

impl LocalEndpoints<'_, '_> {
    fn list(&self, list: List, number: u32) -> Vec<TierPolicies> {
        let selecting = self.selected.by_endpoint.get(&number).map_or(&[][..], Vec::as_slice);
        endpoint_policies::tiers(list, selecting, &self.cluster.policies, &|policy| self.places[&policy])
    }

    /// One for each interface name; where two pods have the same, the first by name is rendered
    /// (`felix/dataplane/linux/endpoint_mgr.go:764`, v3.32.1).
    pub fn workloads(&self, pods: &[u32]) -> Vec<WorkloadEndpoint> {
        let contributors = &self.cluster.contributors;
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

    /// One for each interface that a host endpoint applies to.
    pub fn host_endpoints(&self, applied: Vec<Applied<'_>>) -> Vec<HostEndpoint> {
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
