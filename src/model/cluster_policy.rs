//! `policy.networking.k8s.io`: ClusterNetworkPolicy of v1alpha2, and the kinds that it came after,
//! AdminNetworkPolicy and BaselineAdminNetworkPolicy of v1alpha1.

use super::meta::Meta;
use super::network_policy::LabelSelector;
use crate::diagnostic::{Location, Spanned};

/// Which of the kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ClusterNetworkPolicy
    Cluster,
    /// AdminNetworkPolicy
    Admin,
    /// BaselineAdminNetworkPolicy
    Baseline,
}

impl Kind {
    /// The kind's name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cluster => "ClusterNetworkPolicy",
            Kind::Admin => "AdminNetworkPolicy",
            Kind::Baseline => "BaselineAdminNetworkPolicy",
        }
    }

    /// The API that has it.
    pub fn api_version(self) -> &'static str {
        match self {
            Kind::Cluster => "policy.networking.k8s.io/v1alpha2",
            Kind::Admin | Kind::Baseline => "policy.networking.k8s.io/v1alpha1",
        }
    }
}

/// A policy for the whole cluster, as stored.
#[derive(Debug, Clone)]
pub struct ClusterNetworkPolicy {
    /// which kind
    pub kind: Kind,
    /// metadata
    pub meta: Meta,
    /// `spec.tier` as written, `Admin` or `Baseline`; what the kind says where there is no such field
    pub tier: Box<str>,
    /// `spec.priority`; of a BaselineAdminNetworkPolicy the order that Felix gives it
    pub priority: i64,
    /// `spec.subject`
    pub subject: Subject,
    /// `spec.ingress`
    pub ingress: Vec<ClusterRule>,
    /// `spec.egress`
    pub egress: Vec<ClusterRule>,
}

/// Whom a policy or a peer selects.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// `namespaces`: all pods of the namespaces
    pub namespaces: Option<LabelSelector>,
    /// `pods`: namespace selector and pod selector
    pub pods: Option<(LabelSelector, LabelSelector)>,
}

/// An ingress or egress rule.
#[derive(Debug, Clone)]
pub struct ClusterRule {
    /// `name`, "" if absent
    pub name: Box<str>,
    /// `action` as written: `Accept` (`Allow` in v1alpha1), `Deny`, `Pass`
    pub action: Box<str>,
    /// `from` or `to`
    pub peers: Vec<ClusterPeer>,
    /// `protocols`, or `ports` of v1alpha1; `None` means every protocol
    pub protocols: Option<Vec<ClusterProtocol>>,
    /// where the rule begins
    pub at: Location,
}

/// A peer. One with none of the fields set is a peer of a kind that Calico does not know.
#[derive(Debug, Clone)]
pub struct ClusterPeer {
    /// `namespaces` or `pods`
    pub subject: Subject,
    /// `networks` (egress only), as written
    pub networks: Option<Vec<Spanned<Box<str>>>>,
    /// where the peer begins
    pub at: Location,
}

/// An entry of `protocols`: exactly one of its fields is set in a valid policy. An entry of `ports` of v1alpha1
/// is what it means: with no field set, every port.
#[derive(Debug, Clone, Default)]
pub struct ClusterProtocol {
    /// the protocol, as text, and the port of an entry of v1alpha1
    pub port: Option<(Box<str>, PortMatch)>,
    /// `tcp`
    pub tcp: Option<PortMatch>,
    /// `udp`
    pub udp: Option<PortMatch>,
    /// `sctp`
    pub sctp: Option<PortMatch>,
    /// `destinationNamedPort`, "" if absent
    pub destination_named_port: Box<str>,
}

/// `destinationPort` of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortMatch {
    /// absent: every port
    Any,
    /// `number`
    Number(i64),
    /// `range` (start, end)
    Range(i64, i64),
}
