//! kube-proxy's configuration: on its own, or as the text that kubeadm puts into a ConfigMap.

use super::meta;
use super::reader::Reader;
use crate::diagnostic::{Location, Severity};
use crate::model::core::KubeProxy;
use crate::model::findings::{Door, Findings};
use crate::model::meta::Meta;
use crate::model::text::excerpt;
use crate::model::{Lowered, Resource};
use crate::source::tree::Value;
use crate::source::{self, Input, Object, Options};
use crate::syntax::cidr;
use crate::version::Facts;
use ipnet::IpNet;

/// Whether a ConfigMap is kube-proxy's.
pub fn is_its_config_map(object: &Object<'_>) -> bool {
    let text = |field: &str| object.root.path(&["metadata", field]).map(|node| node.text());
    text("name") == Some("kube-proxy") && text("namespace") == Some("kube-system")
}

/// Lowers the ConfigMap: the first of its texts that is a configuration. Without one it is passed over.
pub fn config_map(object: &Object<'_>, facts: &'static Facts) -> Lowered {
    let mut findings = Findings::new(facts, Door::Kubernetes, "ConfigMap");
    let meta = meta::read_leniently(object, true, &mut findings);
    let data = object.root.get("data").into_iter().flat_map(|data| data.entries());
    for (key, text) in data {
        let Value::Str(_) = text.value() else { continue };
        let input = Input::Text { name: key.text().to_owned(), bytes: text.text().as_bytes().to_vec() };
        let read = source::read(&[input], &Options { threads: 1 }, |inner| {
            let is_configuration = inner.kind == "KubeProxyConfiguration" && inner.root.is_map();
            // places in a text inside of a text are none that could be shown
            is_configuration.then(|| {
                let mut wrong = Vec::new();
                (fields(Reader::new(inner.root, Door::Kubernetes), meta.clone(), &mut wrong), wrong)
            })
        });
        let unreadable = read.diagnostics.iter().find(|own| own.severity == Severity::Error);
        if let Some(unreadable) = unreadable.filter(|_| text.text().contains("KubeProxyConfiguration")) {
            refuse(&mut findings, text.at(), &unreadable.message);
            continue;
        }
        if let Some((configuration, wrong)) = read.values.into_iter().flatten().next() {
            wrong.iter().for_each(|reason| refuse(&mut findings, text.at(), reason));
            return findings.finish(Some(Resource::KubeProxy(Box::new(configuration))));
        }
    }
    findings.finish(None)
}

/// Lowers a configuration that is an object of its own, as kubeadm takes it.
pub fn configuration(object: &Object<'_>, facts: &'static Facts) -> Lowered {
    let mut findings = Findings::new(facts, Door::Kubernetes, "KubeProxyConfiguration");
    let mut wrong = Vec::new();
    let root = Reader::new(object.root, Door::Kubernetes);
    let meta = Meta { at: object.root.at(), ..Meta::built_in("kube-proxy") };
    let configuration = fields(root, meta, &mut wrong);
    wrong.iter().for_each(|reason| refuse(&mut findings, object.root.at(), reason));
    findings.finish(Some(Resource::KubeProxy(Box::new(configuration))))
}

fn refuse(findings: &mut Findings<'_>, at: Location, reason: &str) {
    let message = format!("kube-proxy does not start with this configuration: {reason}");
    findings.warn("kube-proxy-configuration", at, message);
}

/// The fields, with the defaults of `pkg/proxy/apis/config/v1alpha1/defaults.go` of Kubernetes 1.34.
fn fields(root: Reader<'_>, meta: Meta, wrong: &mut Vec<String>) -> KubeProxy {
    let iptables = root.sub("iptables");
    let detect = root.sub("detectLocal");
    let mode = root.text("mode");
    if !matches!(&*mode, "" | "iptables" | "ipvs" | "nftables") {
        wrong.push(format!("`mode: {}` is none of `iptables`, `ipvs` and `nftables`", excerpt(&mode)));
    }
    let mut nets = |field: &str, texts: &mut dyn Iterator<Item = Box<str>>| -> Vec<IpNet> {
        let texts = texts.filter(|text| !text.is_empty());
        let net = |text: Box<str>| match cidr::parse(&text) {
            Some(cidr) => Some(cidr.net),
            // of the node's own addresses those that the Node object names (nftables' default since 1.33)
            None if field == "nodePortAddresses" && &*text == "primary" => None,
            None => {
                wrong.push(format!("`{}` in `{field}` is no CIDR", excerpt(&text)));
                None
            }
        };
        texts.filter_map(net).collect()
    };
    let cluster_cidr = root.text("clusterCIDR");
    let node_port_addresses = root.texts("nodePortAddresses");
    let primary_only = node_port_addresses.iter().any(|text| &*text.value == "primary");
    let detect_local = root.text("detectLocalMode");
    let local_interface = match &*detect_local {
        "BridgeInterface" => detect.text("bridgeInterface"),
        "InterfaceNamePrefix" => format!("{}+", detect.text("interfaceNamePrefix")).into(),
        _ => Box::default(),
    };
    KubeProxy {
        node_port_addresses: nets(
            "nodePortAddresses",
            &mut node_port_addresses.into_iter().map(|text| text.value),
        ),
        cluster_cidrs: nets("clusterCIDR", &mut cluster_cidr.split(',').map(|text| text.trim().into())),
        node_ports_on_primary: primary_only,
        meta,
        mode,
        detect_local,
        local_interface,
        masquerade_all: iptables.flag("masqueradeAll"),
        masquerade_bit: iptables.int("masqueradeBit").and_then(|bit| u8::try_from(bit).ok()).unwrap_or(14)
            & 31,
        localhost_node_ports: !iptables.has("localhostNodePorts") || iptables.flag("localhostNodePorts"),
        conntrack_is_liberal: root.sub("conntrack").flag("tcpBeLiberal"),
    }
}
