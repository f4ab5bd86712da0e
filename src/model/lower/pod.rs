//! Pod, in one pass over its entries: a cluster has hundreds of thousands.

use super::meta::{self, string_map};
use super::reader::{as_int, labels};
use crate::model::core::{ContainerPort, Pod, TransportProtocol};
use crate::model::findings::{Door, Findings};
use crate::model::labels::Labels;
use crate::model::text::excerpt;
use crate::model::{Lowered, Resource};
use crate::source::Object;
use crate::source::tree::{Node, Value};
use crate::version::Facts;

/// Lowers a Pod. What Calico does not read is not looked at.
pub fn lower(object: &Object<'_>, facts: &'static Facts) -> Lowered {
    let mut findings = Findings::new(facts, Door::Kubernetes, "Pod");
    let mut pod = Pod {
        name: Box::default(),
        namespace: "default".into(),
        labels: Labels::default(),
        node: Box::default(),
        service_account: Box::default(),
        host_network: false,
        deleting: false,
        phase: Box::default(),
        status_ips: Vec::new(),
        ports: Vec::new(),
        annotations: Labels::default(),
        at: object.root.at(),
    };
    let mut named = false;
    for (key, value) in object.root.entries() {
        match key.text() {
            "metadata" => named = metadata(value, &mut pod, &mut findings),
            "spec" => spec(value, &mut pod, &mut findings),
            "status" => status(value, &mut pod, &mut findings),
            _ => {}
        }
    }
    if !named && !findings.is_fatal() {
        meta::has_name(object.root, &mut findings);
    }
    if pod.service_account.is_empty() {
        // as admission does (`plugin/pkg/admission/serviceaccount/admission.go` of Kubernetes)
        pod.service_account = "default".into();
    }
    let resource = (!findings.is_fatal()).then_some(Resource::Pod(Box::new(pod)));
    findings.finish(resource)
}

/// Reads the metadata; tells whether there is a name.
fn metadata(node: Node<'_>, pod: &mut Pod, findings: &mut Findings<'_>) -> bool {
    for (key, value) in node.entries() {
        match key.text() {
            "name" => pod.name = text(value, "metadata.name", findings),
            "namespace" if !value.text().is_empty() => {
                pod.namespace = text(value, "metadata.namespace", findings)
            }
            "labels" => pod.labels = string_map(value, "metadata.labels", findings),
            "annotations" => pod.annotations = annotations(value, findings),
            "deletionTimestamp" => pod.deleting = !value.is_null(),
            _ => {}
        }
    }
    !pod.name.is_empty()
}

/// Keeps the annotations that Calico reads.
fn annotations(node: Node<'_>, findings: &mut Findings<'_>) -> Labels {
    let read = |key: &str| {
        key.starts_with("cni.projectcalico.org/")
            || key.starts_with("qos.projectcalico.org/")
            || key == "vpc.amazonaws.com/pod-ips"
    };
    if !node.entries().any(|(key, _)| read(key.text())) {
        return Labels::default();
    }
    let all = string_map(node, "metadata.annotations", findings);
    Labels::new(all.iter().filter(|(key, _)| read(key)))
}

fn spec(node: Node<'_>, pod: &mut Pod, findings: &mut Findings<'_>) {
    let mut init = None;
    for (key, value) in node.entries() {
        match key.text() {
            "nodeName" => pod.node = text(value, "spec.nodeName", findings),
            "serviceAccountName" => pod.service_account = text(value, "spec.serviceAccountName", findings),
            "serviceAccount" if pod.service_account.is_empty() => {
                pod.service_account = text(value, "spec.serviceAccount", findings);
            }
            "hostNetwork" => pod.host_network = value.value() == Value::Bool(true),
            "containers" => ports(value, &mut pod.ports, findings),
            "initContainers" => init = Some(value),
            _ => {}
        }
    }
    // wherever they are written, init containers come last
    if let Some(init) = init {
        ports(init, &mut pod.ports, findings);
    }
}

fn ports(containers: Node<'_>, into: &mut Vec<ContainerPort>, findings: &mut Findings<'_>) {
    for container in containers.items() {
        let Some((_, list)) = container.entries().find(|(key, _)| key.text() == "ports") else {
            continue;
        };
        into.extend(list.items().filter_map(|port| port_of(port, findings)));
    }
}

fn port_of(node: Node<'_>, findings: &mut Findings<'_>) -> Option<ContainerPort> {
    let mut port = ContainerPort {
        name: Box::default(),
        port: 0,
        host_port: 0,
        host_ip: None,
        protocol: TransportProtocol::Tcp,
    };
    for (key, value) in node.entries() {
        match key.text() {
            "name" => port.name = text(value, "ports.name", findings),
            "containerPort" => port.port = port_number(value, "containerPort", findings),
            "hostPort" => port.host_port = port_number(value, "hostPort", findings),
            // empty is as good as absent
            "hostIP" => port.host_ip = value.text().parse().ok(),
            "protocol" => port.protocol = protocol(value),
            _ => {}
        }
    }
    node.is_map().then_some(port)
}

fn port_number(node: Node<'_>, field: &str, findings: &mut Findings<'_>) -> u16 {
    match as_int(node).and_then(|n| u16::try_from(n).ok()) {
        Some(port) => port,
        None if node.is_null() => 0,
        None => {
            let reason = format!("`{field}: {}` is no port number", excerpt(node.text()));
            findings.turn_away("bad-port", node.at(), &reason);
            0
        }
    }
}

/// A protocol of a pod or Service; absent means TCP.
pub fn protocol(node: Node<'_>) -> TransportProtocol {
    match node.text() {
        "" | "TCP" => TransportProtocol::Tcp,
        "UDP" => TransportProtocol::Udp,
        "SCTP" => TransportProtocol::Sctp,
        _ => TransportProtocol::Other,
    }
}

fn status(node: Node<'_>, pod: &mut Pod, findings: &mut Findings<'_>) {
    let mut single = Box::default();
    for (key, value) in node.entries() {
        match key.text() {
            "phase" => pod.phase = text(value, "status.phase", findings),
            "podIP" => single = text(value, "status.podIP", findings),
            "podIPs" => {
                pod.status_ips = value
                    .items()
                    .filter_map(|item| item.get("ip"))
                    .map(|ip| text(ip, "status.podIPs.ip", findings))
                    .collect();
            }
            _ => {}
        }
    }
    if pod.status_ips.is_empty() && !single.is_empty() {
        pod.status_ips.push(single);
    }
}

fn text(node: Node<'_>, field: &str, findings: &mut Findings<'_>) -> Box<str> {
    match node.value() {
        Value::Str(text) => text.into(),
        Value::Null => Box::default(),
        _ => {
            let reason = format!("`{field}` must be a string, and is `{}`", excerpt(node.text()));
            findings.turn_away("wrong-type", node.at(), &reason).help("put it in quotes");
            Box::default()
        }
    }
}

/// The labels of a pod template, which is a pod without a name.
pub fn template_labels(template: Option<Node<'_>>) -> Labels {
    template.and_then(|t| t.path(&["metadata", "labels"])).map(labels).unwrap_or_default()
}
