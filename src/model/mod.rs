//! Objects → typed resources.
//!
//! The types here are what a cluster stores: fields by their API names, defaults filled in where
//! the API server or calicoctl fills them in (`projectcalico.org/v3` is defaulted and validated as
//! calicoctl does; `crd.projectcalico.org/v1` is taken as stored). Every kind is lowered from its
//! tree by hand, so that an unknown field is named with its place.

pub mod calico;
pub mod cluster_policy;
mod collect;
pub mod core;
mod findings;
mod identity;
pub mod labels;
mod lower;
pub mod meta;
pub mod network_policy;
mod schema;
#[cfg(test)]
mod tests;
mod text;
pub mod validate;

pub use collect::{Collected, Counts, Fate, InvalidMode, TurnedAway, collect};
pub use identity::{Identified, Subject, subjects};
pub use lower::lower;
pub(crate) use schema::suggest;

use crate::diagnostic::{Diagnostic, Location};
use crate::version::Facts;

/// Everything a cluster stores that matters to policy, in input order.
///
/// Where the input has one object twice, the later text has already replaced the earlier.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// what holds in the version of Calico that reads them
    pub facts: &'static Facts,
    /// `v1` Namespace
    pub namespaces: Vec<core::Namespace>,
    /// `v1` ServiceAccount
    pub service_accounts: Vec<core::ServiceAccount>,
    /// `v1` Node
    pub nodes: Vec<core::Node>,
    /// `v1` Pod
    pub pods: Vec<Box<core::Pod>>,
    /// `v1` Service
    pub services: Vec<core::Service>,
    /// `v1` Endpoints
    pub endpoints: Vec<core::Endpoints>,
    /// `discovery.k8s.io/v1` EndpointSlice
    pub endpoint_slices: Vec<core::EndpointSlice>,
    /// the `calico-node` DaemonSet's environment, if there is one
    pub calico_node: Option<core::CalicoNode>,
    /// kube-proxy's configuration, if there is one
    pub kube_proxy: Option<core::KubeProxy>,
    /// workload controllers whose pods are not in the input
    pub controllers: Vec<core::Controller>,
    /// `networking.k8s.io/v1` NetworkPolicy and StagedKubernetesNetworkPolicy
    pub network_policies: Vec<network_policy::NetworkPolicy>,
    /// `policy.networking.k8s.io/v1alpha2` ClusterNetworkPolicy
    pub cluster_policies: Vec<cluster_policy::ClusterNetworkPolicy>,
    /// Calico NetworkPolicy, GlobalNetworkPolicy and their staged kinds
    pub policies: Vec<calico::Policy>,
    /// Calico Tier
    pub tiers: Vec<calico::Tier>,
    /// Calico NetworkSet and GlobalNetworkSet
    pub network_sets: Vec<calico::NetworkSet>,
    /// Calico HostEndpoint
    pub host_endpoints: Vec<calico::HostEndpoint>,
    /// Calico Profile
    pub profiles: Vec<calico::Profile>,
    /// Calico IPPool
    pub pools: Vec<calico::IpPool>,
    /// Calico FelixConfiguration
    pub felix_configurations: Vec<calico::FelixConfiguration>,
    /// Calico BGPConfiguration
    pub bgp_configurations: Vec<calico::BgpConfiguration>,
    /// Calico ClusterInformation
    pub cluster_informations: Vec<calico::ClusterInformation>,
}

/// Which of its two front doors a Calico object came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// `projectcalico.org/v3`: calicoctl or the aggregated API; validated and defaulted
    V3,
    /// `crd.projectcalico.org/v1`: stored by kubectl with the schema's own defaults only
    Crd,
}

impl Api {
    /// The `apiVersion` of the door.
    pub fn api_version(self) -> &'static str {
        match self {
            Api::V3 => "projectcalico.org/v3",
            Api::Crd => "crd.projectcalico.org/v1",
        }
    }
}

/// What became of one object.
#[derive(Debug)]
pub struct Lowered {
    /// the resource, or why there is none
    pub outcome: Outcome,
    /// everything there is to say about it
    pub diagnostics: Vec<Diagnostic>,
    /// the object, where it became no resource
    pub subject: Option<Box<Subject>>,
    /// what an annotation accepts about it
    pub acceptance: Option<Box<Acceptance>>,
}

/// An annotation that accepts findings about its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// its value as written
    pub text: Box<str>,
    /// where the value is
    pub at: Location,
    /// where the object begins
    pub object: Location,
}

impl Acceptance {
    /// The annotation's key. Its value is one `ID: reason` on each line.
    pub const KEY: &'static str = "netpolc.dev/accept";
}

/// The fate of one object on its way into a cluster.
#[derive(Debug)]
pub enum Outcome {
    /// stored
    Stored(Resource),
    /// the API server's schema refuses it
    RefusedBySchema,
    /// calicoctl (or the aggregated API) rejects it
    RejectedByCalicoctl,
    /// stored, but it stops every Felix of the cluster from ever getting in sync
    NeverInSync,
    /// malformed beyond that: a required field is missing or of a wrong type
    Malformed,
    /// a kind that has nothing to do with policy: counted and passed over
    PassedOver,
}

/// One typed resource. Boxed, because kinds differ much in size, and there are very many of a small one.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Resource {
    Namespace(Box<core::Namespace>),
    ServiceAccount(Box<core::ServiceAccount>),
    Node(Box<core::Node>),
    Pod(Box<core::Pod>),
    Service(Box<core::Service>),
    Endpoints(Box<core::Endpoints>),
    EndpointSlice(Box<core::EndpointSlice>),
    CalicoNode(Box<core::CalicoNode>),
    KubeProxy(Box<core::KubeProxy>),
    Controller(Box<core::Controller>),
    NetworkPolicy(Box<network_policy::NetworkPolicy>),
    ClusterNetworkPolicy(Box<cluster_policy::ClusterNetworkPolicy>),
    Policy(Box<calico::Policy>),
    Tier(Box<calico::Tier>),
    NetworkSet(Box<calico::NetworkSet>),
    HostEndpoint(Box<calico::HostEndpoint>),
    Profile(Box<calico::Profile>),
    IpPool(Box<calico::IpPool>),
    FelixConfiguration(Box<calico::FelixConfiguration>),
    BgpConfiguration(Box<calico::BgpConfiguration>),
    ClusterInformation(Box<calico::ClusterInformation>),
}
