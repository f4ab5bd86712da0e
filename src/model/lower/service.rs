//! Service, Endpoints and EndpointSlice.

use super::reader::{Reader, as_int};
use super::{meta, pod};
use crate::diagnostic::Spanned;
use crate::model::core::{
    EndpointPort, EndpointSlice, EndpointSubset, Endpoints, Service, ServicePort, SliceEndpoint,
    TransportProtocol,
};
use crate::model::findings::{Door, Findings};
use crate::model::text::{excerpt, scalar_text};
use crate::model::{Lowered, Resource};
use crate::source::Object;
use crate::source::tree::{Node, Value};
use crate::syntax::cidr;
use crate::version::Facts;
use std::net::IpAddr;

/// Lowers a Service.
pub fn service(object: &Object<'_>, findings: &mut Findings<'_>) -> Service {
    let root = Reader::new(object.root, Door::Kubernetes);
    let spec = root.sub("spec");
    let mut cluster_ips = spec.texts("clusterIPs");
    if cluster_ips.is_empty() {
        cluster_ips.push(spec.spanned("clusterIP"));
    }
    cluster_ips.retain(|ip| !ip.value.is_empty() && &*ip.value != "None");
    let load_balancer =
        root.sub("status").sub("loadBalancer").subs("ingress").filter(|i| &*i.text("ipMode") != "Proxy");
    let mut load_balancer: Vec<_> = load_balancer.map(|ingress| ingress.spanned("ip")).collect();
    load_balancer.push(spec.spanned("loadBalancerIP"));
    load_balancer.retain(|ip| !ip.value.is_empty());
    let mut load_balancer_ips: Vec<Spanned<IpAddr>> = Vec::new();
    for ip in addresses(load_balancer, "status.loadBalancer", findings) {
        if !load_balancer_ips.contains(&ip) {
            load_balancer_ips.push(ip);
        }
    }
    let kind = spec.text("type");
    let meta = meta::read_leniently(object, true, findings);
    Service {
        client_affinity: &*spec.text("sessionAffinity") == "ClientIP",
        of_another_proxy: meta.labels.get("service.kubernetes.io/service-proxy-name").is_some(),
        meta,
        kind: if kind.is_empty() { "ClusterIP".into() } else { kind },
        selector: spec
            .get("selector")
            .map(|node| meta::string_map(node, "spec.selector", findings))
            .unwrap_or_default(),
        cluster_ips: addresses(cluster_ips, "clusterIPs", findings),
        external_ips: addresses(spec.texts("externalIPs"), "externalIPs", findings),
        load_balancer_ips,
        load_balancer_source_ranges: source_ranges(&spec, findings),
        external_local: &*spec.text("externalTrafficPolicy") == "Local",
        internal_local: &*spec.text("internalTrafficPolicy") == "Local",
        health_check_node_port: port(&spec, "healthCheckNodePort", findings)
            .map(|port| Spanned::new(port, spec.at_of("healthCheckNodePort"))),
        ports: spec.subs("ports").map(|port| service_port(&port, findings)).collect(),
    }
}

fn source_ranges(spec: &Reader<'_>, findings: &mut Findings<'_>) -> Vec<Spanned<ipnet::IpNet>> {
    let mut ranges = Vec::new();
    for text in spec.texts("loadBalancerSourceRanges") {
        // kube-proxy trims the ranges
        match cidr::parse(text.value.trim()) {
            Some(cidr) => ranges.push(Spanned::new(cidr.net, text.at)),
            None => {
                let reason = format!("`{}` in `loadBalancerSourceRanges` is no CIDR", excerpt(&text.value));
                findings.turn_away("bad-net", text.at, &reason);
            }
        }
    }
    ranges
}

fn service_port(reader: &Reader<'_>, findings: &mut Findings<'_>) -> ServicePort {
    let number = port(reader, "port", findings);
    if number.is_none() {
        findings.turn_away("missing-field", reader.at(), "an entry of `ports` needs a `port`");
    }
    ServicePort {
        name: reader.text("name"),
        protocol: reader.get("protocol").map_or(TransportProtocol::Tcp, pod::protocol),
        port: number.unwrap_or(0),
        target_port: reader.text("targetPort"),
        node_port: port(reader, "nodePort", findings),
        at: reader.at(),
    }
}

/// A port number; 0 means none, as to the API server.
fn port(reader: &Reader<'_>, field: &str, findings: &mut Findings<'_>) -> Option<u16> {
    let node = reader.get(field)?;
    match as_int(node).map(u16::try_from) {
        Some(Ok(0)) => None,
        Some(Ok(port)) => Some(port),
        _ => {
            let reason = format!("`{field}: {}` is no port number", excerpt(node.text()));
            findings.turn_away("bad-port", node.at(), &reason);
            None
        }
    }
}

fn addresses(
    texts: Vec<Spanned<Box<str>>>,
    field: &str,
    findings: &mut Findings<'_>,
) -> Vec<Spanned<IpAddr>> {
    let mut addresses = Vec::with_capacity(texts.len());
    for text in texts {
        match text.value.parse() {
            Ok(address) => addresses.push(Spanned::new(address, text.at)),
            Err(_) => {
                let reason = format!("`{}` in `{field}` is no IP address", excerpt(&text.value));
                findings.turn_away("bad-address", text.at, &reason);
            }
        }
    }
    addresses
}

/// Lowers Endpoints.
pub fn endpoints(object: &Object<'_>, findings: &mut Findings<'_>) -> Endpoints {
    let root = Reader::new(object.root, Door::Kubernetes);
    let mut subsets = Vec::new();
    for subset in root.subs("subsets") {
        // `notReadyAddresses` get no traffic
        let texts = subset.subs("addresses").map(|address| address.spanned("ip")).collect();
        let node = |own: Reader<'_>| Some((own.text("ip").parse().ok()?, own.text("nodeName")));
        subsets.push(EndpointSubset {
            nodes: subset.subs("addresses").filter_map(node).collect(),
            addresses: addresses(texts, "subsets.addresses", findings),
            ports: subset.items("ports").filter_map(|port| endpoint_port(port, findings)).collect(),
        });
    }
    Endpoints { meta: meta::read_leniently(object, true, findings), subsets }
}

fn endpoint_port(node: Node<'_>, findings: &mut Findings<'_>) -> Option<EndpointPort> {
    let mut lowered = EndpointPort { name: Box::default(), port: None, protocol: TransportProtocol::Tcp };
    for (key, value) in node.entries() {
        match key.text() {
            "name" => lowered.name = scalar_text(value).into(),
            "protocol" if !value.is_null() => lowered.protocol = pod::protocol(value),
            "port" if !value.is_null() => match as_int(value).map(u16::try_from) {
                Some(Ok(port)) => lowered.port = Some(port),
                _ => {
                    let reason = format!("`port: {}` is no port number", excerpt(value.text()));
                    findings.turn_away("bad-port", value.at(), &reason);
                }
            },
            _ => {}
        }
    }
    node.is_map().then_some(lowered)
}

/// Lowers an EndpointSlice, in one pass over its endpoints.
pub fn endpoint_slice(object: &Object<'_>, facts: &'static Facts) -> Lowered {
    let mut findings = Findings::new(facts, Door::Kubernetes, "EndpointSlice");
    if !meta::has_name(object.root, &mut findings) {
        return findings.finish(None);
    }
    let mut slice = EndpointSlice {
        meta: meta::read_leniently(object, true, &mut findings),
        endpoints: Vec::new(),
        ports: Vec::new(),
    };
    for (key, value) in object.root.entries() {
        match key.text() {
            "endpoints" => slice.endpoints = value.items().map(slice_endpoint).collect(),
            "ports" => {
                slice.ports = value.items().filter_map(|port| endpoint_port(port, &mut findings)).collect()
            }
            _ => {}
        }
    }
    let resource = (!findings.is_fatal()).then_some(Resource::EndpointSlice(Box::new(slice)));
    findings.finish(resource)
}

fn slice_endpoint(node: Node<'_>) -> SliceEndpoint {
    let (mut ready, mut serving, mut terminating) = (None, None, false);
    let mut endpoint = SliceEndpoint {
        addresses: Vec::new(),
        node: Box::default(),
        ready: true,
        serving: true,
        terminating: false,
        for_nodes: Vec::new(),
        for_zones: Vec::new(),
    };
    for (key, value) in node.entries() {
        match key.text() {
            // an address of type FQDN is none that a set could hold: Felix skips it
            "addresses" => {
                endpoint.addresses = value.items().filter_map(|item| item.text().parse().ok()).collect()
            }
            "nodeName" if !value.is_null() => endpoint.node = value.text().into(),
            "hints" => {
                let names = |field: &str| -> Vec<Box<str>> {
                    let hinted = value.get(field).into_iter().flat_map(Node::items);
                    hinted.filter_map(|one| Some(one.get("name")?.text().into())).collect()
                };
                (endpoint.for_nodes, endpoint.for_zones) = (names("forNodes"), names("forZones"));
            }
            "conditions" => {
                for (condition, value) in value.entries() {
                    let is = match value.value() {
                        Value::Bool(is) => Some(is),
                        _ => None,
                    };
                    match condition.text() {
                        "ready" => ready = is,
                        "serving" => serving = is,
                        "terminating" => terminating = is.unwrap_or(false),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    endpoint.ready = ready.unwrap_or(true);
    endpoint.serving = serving.unwrap_or(endpoint.ready);
    endpoint.terminating = terminating;
    endpoint
}
