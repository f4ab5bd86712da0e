//! ClusterNetworkPolicy.

use super::meta;
use super::network_policy::label_selector;
use super::reader::Reader;
use crate::model::cluster_policy::{
    ClusterNetworkPolicy, ClusterPeer, ClusterProtocol, ClusterRule, Kind, PortMatch, Subject,
};
use crate::model::findings::{Door, Findings};
use crate::model::schema;
use crate::model::text::excerpt;
use crate::model::validate::metadata::{NameRule, metadata};
use crate::source::Object;
use crate::syntax::cidr;

/// Lowers a ClusterNetworkPolicy; `None` if it is malformed.
pub fn lower(object: &Object<'_>, findings: &mut Findings<'_>) -> Option<ClusterNetworkPolicy> {
    schema::check(object.root, &schema::kubernetes::CLUSTER_NETWORK_POLICY, "", findings);
    if findings.is_fatal() {
        return None;
    }
    let root = Reader::new(object.root, Door::Kubernetes);
    metadata(&root.sub("metadata"), NameRule::Subdomain, findings);
    let spec = root.sub("spec");
    let subject = spec.sub("subject");
    one_field(&subject, "`subject`", findings);
    Some(ClusterNetworkPolicy {
        kind: Kind::Cluster,
        meta: meta::read(object, false, Door::Kubernetes),
        tier: spec.text("tier"),
        priority: spec.int("priority").unwrap_or(0),
        subject: subject_of(&subject),
        ingress: spec.subs("ingress").map(|rule| rule_of(&rule, "from", findings)).collect(),
        egress: spec.subs("egress").map(|rule| rule_of(&rule, "to", findings)).collect(),
    })
}

/// `minProperties: 1`, `maxProperties: 1`.
pub(super) fn one_field(reader: &Reader<'_>, what: &str, findings: &mut Findings<'_>) {
    let fields = reader.node().map_or(0, |node| node.entries().filter(|(_, value)| !value.is_null()).count());
    if fields != 1 {
        let reason = format!("{what} needs exactly one field, and has {fields}");
        findings.turn_away("wrong-value", reader.at(), &reason);
    }
}

fn rule_of(rule: &Reader<'_>, peers: &str, findings: &mut Findings<'_>) -> ClusterRule {
    ClusterRule {
        name: rule.text("name"),
        action: rule.text("action"),
        peers: rule.subs(peers).map(|peer| peer_of(&peer, findings)).collect(),
        protocols: rule
            .has("protocols")
            .then(|| rule.subs("protocols").map(|protocol| protocol_of(&protocol, findings)).collect()),
        at: rule.at(),
    }
}

pub(super) fn peer_of(peer: &Reader<'_>, findings: &mut Findings<'_>) -> ClusterPeer {
    one_field(peer, "a peer", findings);
    let networks = peer.has("networks").then(|| peer.texts("networks"));
    for network in networks.iter().flatten() {
        if cidr::parse(&network.value).is_none() {
            let reason = format!("`{}` in `networks` is no CIDR", excerpt(&network.value));
            findings.schema_rule(network.at, &reason);
        }
    }
    ClusterPeer { subject: subject_of(peer), networks, at: peer.at() }
}

pub(super) fn subject_of(reader: &Reader<'_>) -> Subject {
    Subject {
        namespaces: reader.sub_if("namespaces").map(|selector| label_selector(&selector)),
        pods: reader.sub_if("pods").map(|pods| {
            (label_selector(&pods.sub("namespaceSelector")), label_selector(&pods.sub("podSelector")))
        }),
    }
}

fn protocol_of(protocol: &Reader<'_>, findings: &mut Findings<'_>) -> ClusterProtocol {
    one_field(protocol, "an entry of `protocols`", findings);
    let mut transport = |field: &str| {
        let transport = protocol.sub_if(field)?;
        one_field(&transport, &format!("`{field}`"), findings);
        Some(port_of(&transport, findings))
    };
    ClusterProtocol {
        port: None,
        tcp: transport("tcp"),
        udp: transport("udp"),
        sctp: transport("sctp"),
        destination_named_port: protocol.text("destinationNamedPort"),
    }
}

fn port_of(transport: &Reader<'_>, findings: &mut Findings<'_>) -> PortMatch {
    let Some(port) = transport.sub_if("destinationPort") else {
        return PortMatch::Any;
    };
    one_field(&port, "`destinationPort`", findings);
    match (port.int("number"), port.sub_if("range")) {
        (Some(number), _) => PortMatch::Number(number),
        (None, Some(range)) => {
            let (start, end) = (range.int("start").unwrap_or(0), range.int("end").unwrap_or(0));
            if start >= end {
                findings.schema_rule(range.at(), "the `start` of a range must be below its `end`");
            }
            PortMatch::Range(start, end)
        }
        (None, None) => PortMatch::Any,
    }
}
