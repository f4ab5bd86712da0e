//! `policy.networking.k8s.io/v1alpha2` ClusterNetworkPolicy.

use super::meta::Meta;
use super::network_policy::LabelSelector;
use crate::diagnostic::{Location, Spanned};

/// A ClusterNetworkPolicy as stored.
#[derive(Debug, Clone)]
pub struct ClusterNetworkPolicy {
    /// metadata
    pub meta: Meta,
    /// `spec.tier` as written: `Admin` or `Baseline`
    pub tier: Box<str>,
    /// `spec.priority`
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
    /// `action` as written: `Accept`, `Deny`, `Pass`
    pub action: Box<str>,
    /// `from` or `to`
    pub peers: Vec<ClusterPeer>,
    /// `protocols`; `None` means every protocol
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

/// An entry of `protocols`: exactly one of its fields is set in a valid policy.
#[derive(Debug, Clone, Default)]
pub struct ClusterProtocol {
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
