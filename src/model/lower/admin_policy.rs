//! AdminNetworkPolicy and BaselineAdminNetworkPolicy.

use super::cluster_policy::{one_field, peer_of, subject_of};
use super::meta;
use super::reader::Reader;
use crate::model::cluster_policy::{ClusterNetworkPolicy, ClusterProtocol, ClusterRule, Kind, PortMatch};
use crate::model::findings::{Door, Findings};
use crate::model::schema;
use crate::model::validate::metadata::{NameRule, metadata};
use crate::source::Object;

/// The order that Felix gives to a BaselineAdminNetworkPolicy
/// (`libcalico-go/lib/backend/k8s/conversion/conversion.go:399`, v3.31.7).
const BASELINE_ORDER: i64 = 1000;

/// Lowers one; `None` if it is malformed.
pub fn lower(
    object: &Object<'_>,
    baseline: bool,
    findings: &mut Findings<'_>,
) -> Option<ClusterNetworkPolicy> {
    let shape = if baseline {
        &schema::kubernetes::BASELINE_ADMIN_NETWORK_POLICY
    } else {
        &schema::kubernetes::ADMIN_NETWORK_POLICY
    };
    schema::check(object.root, shape, "", findings);
    if findings.is_fatal() {
        return None;
    }
    let root = Reader::new(object.root, Door::Kubernetes);
    metadata(&root.sub("metadata"), NameRule::Subdomain, findings);
    let meta = meta::read(object, false, Door::Kubernetes);
    if baseline && &*meta.name != "default" {
        let reason = "there is only one BaselineAdminNetworkPolicy, and its name is `default`";
        findings.schema_rule(root.sub("metadata").at_of("name"), reason);
    }
    let spec = root.sub("spec");
    let subject = spec.sub("subject");
    one_field(&subject, "`subject`", findings);
    Some(ClusterNetworkPolicy {
        kind: if baseline { Kind::Baseline } else { Kind::Admin },
        meta,
        tier: if baseline { "Baseline" } else { "Admin" }.into(),
        priority: if baseline { BASELINE_ORDER } else { spec.int("priority").unwrap_or(0) },
        subject: subject_of(&subject),
        ingress: spec.subs("ingress").map(|rule| rule_of(&rule, "from", findings)).collect(),
        egress: spec.subs("egress").map(|rule| rule_of(&rule, "to", findings)).collect(),
    })
}

fn rule_of(rule: &Reader<'_>, peers: &str, findings: &mut Findings<'_>) -> ClusterRule {
    let ports: Vec<_> = rule.subs("ports").map(|port| port_of(&port, findings)).collect();
    ClusterRule {
        name: rule.text("name"),
        action: rule.text("action"),
        peers: rule.subs(peers).map(|peer| peer_of(&peer, findings)).collect(),
        // an empty list is as none
        protocols: (!ports.is_empty()).then_some(ports),
        at: rule.at(),
    }
}

/// An entry of `ports`. Felix does not know `namedPort`, and reads such an entry as every port
/// (`libcalico-go/lib/backend/k8s/conversion/conversion.go:734`, v3.31.7).
fn port_of(port: &Reader<'_>, findings: &mut Findings<'_>) -> ClusterProtocol {
    one_field(port, "an entry of `ports`", findings);
    let protocol = |entry: &Reader<'_>| match entry.text("protocol") {
        text if text.is_empty() => "TCP".into(),
        text => text,
    };
    let entry = match (port.sub_if("portNumber"), port.sub_if("portRange")) {
        (Some(number), _) => Some((protocol(&number), PortMatch::Number(number.int("port").unwrap_or(0)))),
        (None, Some(range)) => {
            let (start, end) = (range.int("start").unwrap_or(0), range.int("end").unwrap_or(0));
            Some((protocol(&range), PortMatch::Range(start, end)))
        }
        (None, None) => {
            if port.has("namedPort") {
                let message =
                    "felix does not know `namedPort`, and reads this entry as every port of every protocol";
                findings.warn("named-port-ignored", port.at(), message);
            }
            None
        }
    };
    ClusterProtocol { port: entry, ..ClusterProtocol::default() }
}
