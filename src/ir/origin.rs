//! Where a rule comes from.

use crate::diagnostic::Location;
use crate::kube_proxy::ServiceRule;
use crate::model::calico::Direction;
use crate::resolve::view::PolicyId;
use std::sync::Arc;

/// What a rule was rendered for.
#[derive(Debug, Clone)]
pub enum Origin {
    /// Felix always renders it
    Static,
    /// a configuration parameter asks for it
    Config(&'static str),
    /// an endpoint: the pod or host endpoint at this place
    Endpoint(Location),
    /// a policy, as a whole or one rule of it
    Policy(Arc<PolicyRule>),
    /// a profile, and where what it stands for is written (a namespace, a service account)
    Profile(Arc<str>, Option<Location>),
    /// another object: an IPPool, a BGPConfiguration
    Object(Location),
    /// a port of a service, by kube-proxy
    Service(Arc<ServiceRule>),
    /// nothing in the manifests: it was read from a dump, at this place
    Dump(Location),
}

/// A rule of a policy, or the policy as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRule {
    /// which policy
    pub policy: PolicyId,
    /// direction and 0-based index of the rule in the manifest's list; `None` for the policy as a whole
    pub rule: Option<(Direction, usize)>,
    /// where the rule, or the policy, is written
    pub at: Location,
}

impl Origin {
    /// The place in the manifests or the dump, if there is one.
    pub fn at(&self) -> Option<Location> {
        match self {
            Origin::Static | Origin::Config(_) => None,
            Origin::Endpoint(at) | Origin::Object(at) | Origin::Dump(at) => Some(*at),
            Origin::Policy(rule) => Some(rule.at),
            Origin::Profile(_, at) => *at,
            Origin::Service(rule) => Some(rule.at),
        }
    }
}
