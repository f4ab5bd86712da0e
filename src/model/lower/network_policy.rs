//! NetworkPolicy of Kubernetes, and StagedKubernetesNetworkPolicy.

use super::reader::{Reader, as_int};
use super::{calico_policy, meta};
use crate::model::calico::StagedAction;
use crate::model::findings::{Door, Findings};
use crate::model::network_policy::{
    IntOrString, IpBlock, LabelExpression, LabelSelector, NetworkPolicy, NetworkPolicyRule, Operator, Peer,
    PolicyPort,
};
use crate::model::schema;
use crate::model::text::scalar_text;
use crate::model::validate::metadata::{NameRule, metadata};
use crate::model::validate::network_policy;
use crate::source::Object;
use crate::source::tree::{Node, Value};

/// Lowers a NetworkPolicy; `None` if it is malformed.
pub fn network_policy(object: &Object<'_>, findings: &mut Findings<'_>) -> Option<NetworkPolicy> {
    schema::check(object.root, &schema::kubernetes::NETWORK_POLICY, "", findings);
    if findings.is_fatal() {
        return None;
    }
    let root = Reader::new(object.root, Door::Kubernetes);
    metadata(&root.sub("metadata"), NameRule::Subdomain, findings);
    let spec = root.sub("spec");
    let mut policy = body(object, &spec, Door::Kubernetes);
    network_policy::check(&policy, &spec, findings);
    // the API server fills in absent types (`SetDefaults_NetworkPolicy`,
    // `k8s.io/kubernetes/pkg/apis/networking/v1/defaults.go`)
    if !policy.ingress_type && !policy.egress_type {
        policy.ingress_type = true;
        policy.egress_type = !policy.egress.is_empty();
    }
    Some(policy)
}

/// Lowers a StagedKubernetesNetworkPolicy; `None` if it is malformed.
pub fn staged(object: &Object<'_>, findings: &mut Findings<'_>) -> Option<NetworkPolicy> {
    schema::check(object.root, &schema::kubernetes::STAGED_KUBERNETES_NETWORK_POLICY, "", findings);
    if findings.is_fatal() {
        return None;
    }
    let door = findings.door();
    let root = Reader::new(object.root, door);
    metadata(&root.sub("metadata"), NameRule::Subdomain, findings);
    let spec = root.sub("spec");
    let mut policy = body(object, &spec, door);
    let action = calico_policy::staged_action(&spec);
    policy.staged = Some(action);
    let empty = policy.ingress.is_empty()
        && policy.egress.is_empty()
        && policy.pod_selector.match_labels.is_empty()
        && policy.pod_selector.match_expressions.is_empty()
        && !policy.ingress_type
        && !policy.egress_type;
    if door == Door::Calicoctl && action == StagedAction::Delete && !empty {
        findings
            .turn_away(
                "bad-staged-delete",
                spec.at_of("stagedAction"),
                "`stagedAction: Delete` goes with no other field",
            )
            .help("remove the other fields of `spec`");
    }
    Some(policy)
}

fn body(object: &Object<'_>, spec: &Reader<'_>, door: Door) -> NetworkPolicy {
    let types = spec.texts("policyTypes");
    let has = |wanted: &str| types.iter().any(|t| &*t.value == wanted);
    NetworkPolicy {
        meta: meta::read(object, true, door),
        staged: None,
        pod_selector: label_selector(&spec.sub("podSelector")),
        ingress_type: has("Ingress"),
        egress_type: has("Egress"),
        written: calico_policy::written(spec, "policyTypes"),
        ingress: spec.subs("ingress").map(|rule| rule_of(&rule, "from")).collect(),
        egress: spec.subs("egress").map(|rule| rule_of(&rule, "to")).collect(),
    }
}

fn rule_of(rule: &Reader<'_>, peers: &str) -> NetworkPolicyRule {
    NetworkPolicyRule {
        peers: rule.subs(peers).map(|peer| peer_of(&peer)).collect(),
        ports: rule.subs("ports").map(|port| port_of(&port)).collect(),
        at: rule.at(),
    }
}

fn peer_of(peer: &Reader<'_>) -> Peer {
    let selector = |field: &str| peer.sub_if(field).map(|selector| label_selector(&selector));
    Peer {
        pod_selector: selector("podSelector"),
        namespace_selector: selector("namespaceSelector"),
        ip_block: peer
            .sub_if("ipBlock")
            .map(|block| IpBlock { cidr: block.spanned("cidr"), except: block.texts("except") }),
        at: peer.at(),
    }
}

fn port_of(port: &Reader<'_>) -> PolicyPort {
    PolicyPort {
        protocol: port.text("protocol"),
        port: port.get("port").map(int_or_string),
        end_port: port.int("endPort"),
        at: port.at(),
    }
}

fn int_or_string(node: Node<'_>) -> IntOrString {
    match node.value() {
        Value::Str(text) => IntOrString::String(text.into()),
        _ => as_int(node).map_or_else(|| IntOrString::String(node.text().into()), IntOrString::Int),
    }
}

/// A label selector that the schema has vouched for.
pub fn label_selector(selector: &Reader<'_>) -> LabelSelector {
    let labels = selector.get("matchLabels");
    LabelSelector {
        match_labels: labels
            .into_iter()
            .flat_map(|node| node.entries())
            .map(|(key, value)| (key.text().into(), scalar_text(value).into()))
            .collect(),
        match_expressions: selector
            .subs("matchExpressions")
            .map(|expression| LabelExpression {
                key: expression.text("key"),
                operator: match &*expression.text("operator") {
                    "NotIn" => Operator::NotIn,
                    "Exists" => Operator::Exists,
                    "DoesNotExist" => Operator::DoesNotExist,
                    _ => Operator::In,
                },
                values: expression.texts("values").into_iter().map(|value| value.value).collect(),
            })
            .collect(),
    }
}
