//! Services of a cluster and a node → kube-proxy's rules, beside Felix's.
//!
//! What kube-proxy of Kubernetes 1.34 writes in its iptables mode, rule by rule, so that whoever walks a
//! node's tables finds service addresses there as a packet would. Facts: `pkg/proxy/iptables/proxier.go`,
//! `pkg/proxy/topology.go` and `pkg/proxy/serviceport.go` of Kubernetes.
//!
//! | file | what |
//! |---|---|
//! | `settings` | mode, node port addresses, which sources are pods: given, or assumed |
//! | `endpoints` | which endpoints a node uses for a port of a service |
//! | `service` | the rules of one port of a service |
//! | `offer` | what services offer, whichever node is asked |
//! | `rules` | the rules that are always there, and where Felix's stand among them |
//! | `names` | names of chains |

mod endpoints;
mod names;
mod offer;
mod rules;
mod service;
mod settings;

pub use endpoints::Slices;
pub use offer::{Door, Offer, offers};
pub use rules::add;
pub use settings::{Local, Mode, OTHER_MODE, Settings};

use crate::diagnostic::Location;
use crate::model::core::Service;
use std::fmt;

/// Why kube-proxy takes a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    ClusterIp,
    ExternalIp,
    LoadBalancer,
    NodePort,
}

impl Kind {
    /// What to call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::ClusterIp => "cluster IP",
            Kind::ExternalIp => "external IP",
            Kind::LoadBalancer => "load balancer",
            Kind::NodePort => "node port",
        }
    }
}

/// Whether kube-proxy has anything to do with a service.
pub fn is_served(service: &Service) -> bool {
    &*service.kind != "ExternalName" && !service.of_another_proxy
}

/// The port of a service that a rule was written for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRule {
    /// `namespace/name`
    pub service: Box<str>,
    /// why it takes packets, for the rules that do
    pub takes: Option<Kind>,
    /// later connections of a client go where its first went
    pub client_affinity: bool,
    /// where the port is written
    pub at: Location,
}

impl fmt::Display for ServiceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.takes {
            Some(kind) => write!(f, "{} of Service {}", kind.name(), self.service),
            None => write!(f, "Service {}", self.service),
        }
    }
}
