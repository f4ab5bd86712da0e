//! `networking.k8s.io/v1` NetworkPolicy, and Calico's StagedKubernetesNetworkPolicy, which has the same body.

use super::calico::{StagedAction, Written};
use super::meta::Meta;
use crate::diagnostic::{Location, Spanned};

/// A Kubernetes NetworkPolicy as stored.
#[derive(Debug, Clone)]
pub struct NetworkPolicy {
    /// metadata
    pub meta: Meta,
    /// `Some` for a StagedKubernetesNetworkPolicy
    pub staged: Option<StagedAction>,
    /// `spec.podSelector`
    pub pod_selector: LabelSelector,
    /// `spec.policyTypes` contains `Ingress`
    pub ingress_type: bool,
    /// `spec.policyTypes` contains `Egress`
    pub egress_type: bool,
    /// which of the fields that decide the directions the manifest has
    pub written: Written,
    /// `spec.ingress`
    pub ingress: Vec<NetworkPolicyRule>,
    /// `spec.egress`
    pub egress: Vec<NetworkPolicyRule>,
}

/// An ingress or egress rule: any of the peers, on any of the ports; none means all.
#[derive(Debug, Clone)]
pub struct NetworkPolicyRule {
    /// `from` or `to`
    pub peers: Vec<Peer>,
    /// `ports`
    pub ports: Vec<PolicyPort>,
    /// where the rule begins
    pub at: Location,
}

/// A peer of a rule.
#[derive(Debug, Clone)]
pub struct Peer {
    /// `podSelector`
    pub pod_selector: Option<LabelSelector>,
    /// `namespaceSelector`
    pub namespace_selector: Option<LabelSelector>,
    /// `ipBlock`
    pub ip_block: Option<IpBlock>,
    /// where the peer begins
    pub at: Location,
}

/// `ipBlock`, texts as written: an unparsable one has a meaning of its own to Calico.
#[derive(Debug, Clone)]
pub struct IpBlock {
    /// `cidr`
    pub cidr: Spanned<Box<str>>,
    /// `except`
    pub except: Vec<Spanned<Box<str>>>,
}

/// A port of a rule.
#[derive(Debug, Clone)]
pub struct PolicyPort {
    /// `protocol` as written; "" if absent, which means TCP
    pub protocol: Box<str>,
    /// `port`: a number or a name
    pub port: Option<IntOrString>,
    /// `endPort`
    pub end_port: Option<i64>,
    /// where the entry begins
    pub at: Location,
}

/// Kubernetes' `IntOrString`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntOrString {
    /// a number
    Int(i64),
    /// a text
    String(Box<str>),
}

/// Kubernetes' label selector.
#[derive(Debug, Clone, Default)]
pub struct LabelSelector {
    /// `matchLabels`, in input order
    pub match_labels: Vec<(Box<str>, Box<str>)>,
    /// `matchExpressions`
    pub match_expressions: Vec<LabelExpression>,
}

/// An entry of `matchExpressions`.
#[derive(Debug, Clone)]
pub struct LabelExpression {
    /// `key`
    pub key: Box<str>,
    /// `operator`
    pub operator: Operator,
    /// `values`
    pub values: Vec<Box<str>>,
}

/// Operators of `matchExpressions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}
