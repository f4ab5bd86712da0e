//! Pods → workload endpoints.
//!
//! `libcalico-go/lib/backend/k8s/conversion/conversion.go:138` and `:209`,
//! `workload_endpoint_default.go:77`, v3.32.1.

use super::annotations;
use super::selectors::{NAMESPACE, NAMESPACE_PREFIX, ORCHESTRATOR, SERVICE_ACCOUNT, SERVICE_ACCOUNT_PREFIX};
use crate::model::core::{ContainerPort, Pod, TransportProtocol};
use crate::resolve::address;
use sha1::{Digest, Sha1};
use std::net::IpAddr;

/// What Calico makes of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// an endpoint; its addresses are in the list, IPv4 before IPv6
    Endpoint,
    /// none of Calico's business: on the host's network, or on no node
    Foreign,
    /// on a node, but without address: not started yet, or finished
    WithoutAddress,
    /// not understood; Felix never hears of it
    Unreadable(String),
    /// fails Felix's own checks
    Refused(String),
}

/// Puts the pod's addresses into `addresses` and says what the pod is.
pub fn classify(pod: &Pod, addresses: &mut Vec<IpAddr>) -> Fate {
    addresses.clear();
    if pod.host_network || pod.node.is_empty() {
        return Fate::Foreign;
    }
    if let Err(text) = read_addresses(pod, addresses) {
        return Fate::Unreadable(format!("`{text}` is no address"));
    }
    if is_finished(pod) {
        addresses.clear();
    }
    if !pod.annotations.is_empty() {
        let odd = annotations::floating_ips(&pod.annotations, addresses).map(drop);
        if let Err(reason) = odd.and_then(|()| annotations::source_prefixes(&pod.annotations).map(drop)) {
            return Fate::Unreadable(reason);
        }
    }
    if addresses.is_empty() {
        return Fate::WithoutAddress;
    }
    if let Some(port) = named_ports(pod).find(|port| !is_port_name(&port.name)) {
        return Fate::Refused(format!("`{}` is no name of a port", port.name));
    }
    // stable: within a family the order is the pod's
    addresses.sort_by_key(|address| address.is_ipv6());
    Fate::Endpoint
}

fn read_addresses<'p>(pod: &'p Pod, addresses: &mut Vec<IpAddr>) -> Result<(), &'p str> {
    let annotation = |key: &str| pod.annotations.get(key).filter(|text| !text.is_empty());
    let mut read = |text: &'p str| {
        let address = match text.parse::<IpAddr>() {
            Ok(address) => address.to_canonical(),
            Err(_) => address::parse_cidr_or_ip(text).ok_or(text)?.addr(),
        };
        addresses.push(address);
        Ok(())
    };
    if !pod.status_ips.is_empty() {
        return pod.status_ips.iter().try_for_each(|text| read(text));
    }
    let keys = ["cni.projectcalico.org/podIPs", "cni.projectcalico.org/podIP", "vpc.amazonaws.com/pod-ips"];
    let Some((key, text)) = keys.iter().find_map(|key| Some((*key, annotation(key)?))) else { return Ok(()) };
    if key == "cni.projectcalico.org/podIP" {
        return read(text);
    }
    text.split(',').try_for_each(read)
}

/// Whether the pod has given its address back.
fn is_finished(pod: &Pod) -> bool {
    let emptied = |key: &str| pod.annotations.get(key) == Some("");
    (pod.deleting && (emptied("cni.projectcalico.org/podIP") || emptied("vpc.amazonaws.com/pod-ips")))
        || matches!(&*pod.phase, "Succeeded" | "Failed" | "Completed")
}

/// The ports that rules can name.
pub fn named_ports(pod: &Pod) -> impl Iterator<Item = &ContainerPort> {
    pod.ports
        .iter()
        .filter(|port| port.port != 0 && !port.name.is_empty() && port.protocol != TransportProtocol::Other)
}

/// `libcalico-go/lib/validator/v1/validator.go:43`, v3.32.1.
pub fn is_port_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    (1..=128).contains(&name.len()) && name.bytes().all(plain)
}

/// The name of the pod's interface on the host.
pub fn interface_name(prefix: &str, namespace: &str, name: &str) -> Box<str> {
    let mut hash = Sha1::new();
    for part in [namespace, ".", name] {
        hash.update(part.as_bytes());
    }
    let mut text = prefix.to_owned();
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let nibbles = hash.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    text.extend(nibbles.take(11).map(digit));
    text.into()
}

/// The pod's own labels: what it carries, without labels that would pass for inherited ones, and
/// with those that Calico adds.
pub fn each_own_label<'p>(pod: &'p Pod, visit: &mut dyn FnMut(&str, &'p str)) {
    for (key, value) in pod.labels.iter() {
        if is_own(pod, key) {
            visit(key, value);
        }
    }
    each_added_label(&pod.namespace, &pod.service_account, visit);
}

/// Whether a label that the pod carries is one that Felix gets to see.
pub fn is_own(pod: &Pod, key: &str) -> bool {
    !(key.starts_with(NAMESPACE_PREFIX)
        || key.starts_with(SERVICE_ACCOUNT_PREFIX)
        || key == NAMESPACE
        || key == ORCHESTRATOR
        || (key == SERVICE_ACCOUNT && !pod.service_account.is_empty()))
}

/// The labels that Calico adds to a pod.
pub fn each_added_label<'p>(namespace: &'p str, account: &'p str, visit: &mut dyn FnMut(&str, &'p str)) {
    visit(NAMESPACE, namespace);
    visit(ORCHESTRATOR, "k8s");
    if !account.is_empty() {
        visit(SERVICE_ACCOUNT, account);
    }
}
