//! One object → one resource, or why there is none.
//!
//! [`lower`] is pure and looks at one object only, so objects can be lowered in parallel; what
//! concerns several objects is in [`mod@super::collect`].

mod admin_policy;
mod calico_policy;
mod cluster_policy;
mod config;
mod core;
mod host_endpoint;
pub mod kinds;
mod kube_proxy;
mod meta;
mod network_policy;
mod network_set;
mod pod;
mod pool;
pub mod reader;
mod rule;
mod service;
mod tier;
mod tiered;
mod workload;

use super::findings::{Door, Findings};
use super::text::excerpt;
use super::{Acceptance, Lowered, Outcome, Resource, Subject};
use crate::diagnostic::Diagnostic;
use crate::source::Object;
use crate::version::Facts;
use kinds::{Kind, Known};

/// Lowers one object: decodes it as its door would, fills in defaults, validates it.
///
/// Bad input gives diagnostics and an [`Outcome`] that says what a cluster would make of it, whose Calico is
/// the one of `facts`.
pub fn lower(object: &Object<'_>, facts: &'static Facts) -> Lowered {
    let mut lowered = judge(object, facts);
    if !matches!(lowered.outcome, Outcome::Stored(_)) {
        lowered.subject = Some(Box::new(subject(object)));
    }
    lowered.acceptance = acceptance(object).map(Box::new);
    lowered
}

fn acceptance(object: &Object<'_>) -> Option<Acceptance> {
    let value = object.root.path(&["metadata", "annotations", Acceptance::KEY])?;
    Some(Acceptance { text: value.text().into(), at: value.at(), object: object.root.at() })
}

fn subject(object: &Object<'_>) -> Subject {
    let text =
        |field: &str| object.root.path(&["metadata", field]).map(|node| node.text()).unwrap_or_default();
    Subject {
        api_version: object.api_version.into(),
        kind: object.kind.into(),
        namespace: text("namespace").into(),
        name: text("name").into(),
        at: object.root.at(),
    }
}

fn judge(object: &Object<'_>, facts: &'static Facts) -> Lowered {
    if let Some(malformed) = frame(object, facts) {
        return malformed;
    }
    match kinds::classify(object.api_version, object.kind, facts) {
        Known::Kind(Kind::ConfigMap, _) if !kube_proxy::is_its_config_map(object) => passed_over(),
        Known::Kind(kind, door) => one(object, kind, door, facts),
        Known::PassedOver => passed_over(),
        Known::Unreadable { message, help } => {
            let at = object.root.get("apiVersion").unwrap_or(object.root).at();
            let diagnostic = Diagnostic::error("unsupported-kind", at, message).help(help);
            Lowered {
                outcome: Outcome::Malformed,
                diagnostics: vec![diagnostic],
                subject: None,
                acceptance: None,
            }
        }
        Known::OfOtherVersion { message, help } => {
            let at = object.root.get("kind").unwrap_or(object.root).at();
            let diagnostic = Diagnostic::error("unsupported-kind", at, message).help(help);
            Lowered {
                outcome: Outcome::RefusedBySchema,
                diagnostics: vec![diagnostic],
                subject: None,
                acceptance: None,
            }
        }
        Known::Unknown { near } => {
            let at = object.root.get("kind").unwrap_or(object.root).at();
            let message = format!(
                "`{}` is no kind of `{}` that a cluster knows",
                excerpt(object.kind),
                excerpt(object.api_version)
            );
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "check `kind` and `apiVersion`".to_owned(),
            };
            let diagnostic = Diagnostic::error("unknown-kind", at, message).help(help);
            Lowered {
                outcome: Outcome::Malformed,
                diagnostics: vec![diagnostic],
                subject: None,
                acceptance: None,
            }
        }
    }
}

fn passed_over() -> Lowered {
    Lowered { outcome: Outcome::PassedOver, diagnostics: Vec::new(), subject: None, acceptance: None }
}

/// What every object must have.
fn frame(object: &Object<'_>, facts: &'static Facts) -> Option<Lowered> {
    let root = object.root;
    let mut findings = Findings::new(facts, Door::Kubernetes, object.kind);
    if !root.is_map() {
        findings.malformed(
            root.at(),
            "this is no Kubernetes object: a mapping with `apiVersion` and `kind` was expected",
        );
    } else if object.api_version.is_empty() {
        let message = match object.kind {
            "" => "this is no Kubernetes object: it has neither `apiVersion` nor `kind`".to_owned(),
            kind => format!("`apiVersion` is missing: this {} has none", excerpt(kind)),
        };
        findings.malformed(root.at(), message);
    } else if object.kind.is_empty() {
        findings.malformed(root.at(), "`kind` is missing: this object has none");
    } else {
        return None;
    }
    Some(findings.finish(None))
}

fn one(object: &Object<'_>, kind: Kind, door: Door, facts: &'static Facts) -> Lowered {
    match kind {
        // a cluster has hundreds of thousands of these: they have ways of their own
        Kind::Pod => return pod::lower(object, facts),
        Kind::EndpointSlice => return service::endpoint_slice(object, facts),
        Kind::ConfigMap => return kube_proxy::config_map(object, facts),
        Kind::KubeProxyConfiguration => return kube_proxy::configuration(object, facts),
        _ => {}
    }
    let mut findings = Findings::new(facts, door, object.kind);
    duplicates(object, kind, &mut findings);
    let resource = resource(object, kind, &mut findings);
    let resource = resource.filter(|_| !findings.is_fatal());
    findings.finish(resource)
}

/// A key that is written twice: calicoctl and the API server's strict validation refuse it, and
/// where nobody looks the last one wins.
fn duplicates(object: &Object<'_>, kind: Kind, findings: &mut Findings<'_>) {
    let strict = match findings.door() {
        Door::Calicoctl => true,
        Door::Kubernetes => {
            matches!(kind, Kind::NetworkPolicy | Kind::ClusterNetworkPolicy | Kind::AdminNetworkPolicy { .. })
        }
        Door::Crd => false,
    };
    for duplicate in object.duplicates {
        let key = excerpt(duplicate.key);
        let note = if strict {
            findings.turn_away("duplicate-key", duplicate.second, &format!("`{key}` is written twice"))
        } else {
            let message = format!("`{key}` is written twice: the last one wins");
            findings.warn("duplicate-key", duplicate.second, message)
        };
        note.related(duplicate.first, "first written here").help("keep one of them");
    }
}

fn resource(object: &Object<'_>, kind: Kind, findings: &mut Findings<'_>) -> Option<Resource> {
    if !meta::has_name(object.root, findings) {
        return None;
    }
    Some(match kind {
        Kind::Pod | Kind::EndpointSlice | Kind::ConfigMap | Kind::KubeProxyConfiguration => return None,
        Kind::Namespace => Resource::Namespace(Box::new(core::namespace(object, findings))),
        Kind::ServiceAccount => Resource::ServiceAccount(Box::new(core::service_account(object, findings))),
        Kind::Node => Resource::Node(Box::new(core::node(object, findings))),
        Kind::Service => Resource::Service(Box::new(service::service(object, findings))),
        Kind::Endpoints => Resource::Endpoints(Box::new(service::endpoints(object, findings))),
        Kind::Controller => workload::controller(object, findings),
        Kind::NetworkPolicy => {
            Resource::NetworkPolicy(Box::new(network_policy::network_policy(object, findings)?))
        }
        Kind::StagedNetworkPolicyOfKubernetes => {
            Resource::NetworkPolicy(Box::new(network_policy::staged(object, findings)?))
        }
        Kind::ClusterNetworkPolicy => {
            Resource::ClusterNetworkPolicy(Box::new(cluster_policy::lower(object, findings)?))
        }
        Kind::AdminNetworkPolicy { baseline } => {
            Resource::ClusterNetworkPolicy(Box::new(admin_policy::lower(object, baseline, findings)?))
        }
        Kind::Policy(kind) => Resource::Policy(Box::new(calico_policy::lower(object, kind, findings)?)),
        Kind::Tier => Resource::Tier(Box::new(tier::lower(object, findings)?)),
        Kind::NetworkSet { global } => {
            Resource::NetworkSet(Box::new(network_set::lower(object, global, findings)?))
        }
        Kind::HostEndpoint => Resource::HostEndpoint(Box::new(host_endpoint::lower(object, findings)?)),
        Kind::Profile => return config::profile(object, findings),
        Kind::IpPool => Resource::IpPool(Box::new(pool::lower(object, findings)?)),
        Kind::FelixConfiguration => Resource::FelixConfiguration(Box::new(config::felix(object, findings)?)),
        Kind::BgpConfiguration => Resource::BgpConfiguration(Box::new(config::bgp(object, findings)?)),
        Kind::ClusterInformation => {
            Resource::ClusterInformation(Box::new(config::cluster_information(object, findings)?))
        }
        Kind::KubeControllersConfiguration => {
            config::kube_controllers(object, findings);
            return None;
        }
    })
}
