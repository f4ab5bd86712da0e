//! Ports of Kubernetes policies → ports of rules, grouped by protocol.
//!
//! `libcalico-go/lib/backend/k8s/conversion/conversion.go:495` and `:572`, v3.32.1.

use crate::model::calico::{Port, Protocol};
use std::collections::BTreeMap;

/// Ports by protocol, protocols in the order of their names; `None` for the protocol is no
/// restriction at all, `None` for the ports is every port.
#[derive(Debug, Default)]
pub struct PortsByProtocol {
    groups: BTreeMap<Option<Box<str>>, Option<Vec<Port>>>,
}

impl PortsByProtocol {
    /// No restriction of protocol or port, which leaves nothing else to say.
    pub fn anything() -> Self {
        PortsByProtocol { groups: BTreeMap::from([(None, None)]) }
    }

    /// Adds one item; an item without port stands for every port of its protocol and swallows
    /// the others.
    pub fn add(&mut self, protocol: Option<&str>, port: Option<Port>) {
        let group = self.groups.entry(protocol.map(canonical_name)).or_insert_with(|| Some(Vec::new()));
        match (group, port) {
            (group, None) => *group = None,
            (Some(ports), Some(port)) => ports.push(port),
            (None, Some(_)) => {}
        }
    }

    /// The groups: protocol (in lower case) and ports.
    pub fn into_groups(self) -> impl Iterator<Item = (Option<Protocol>, Vec<Port>)> {
        self.groups.into_iter().map(|(protocol, ports)| {
            let protocol = protocol.map(|name| Protocol::Name(name.to_lowercase().into()));
            (protocol, simplify(ports.unwrap_or_default()))
        })
    }
}

/// The spelling that decides the order of protocols
/// (`api/pkg/lib/numorstring/protocol.go:69`, v3.32.1).
fn canonical_name(name: &str) -> Box<str> {
    ["UDP", "TCP", "ICMP", "ICMPv6", "SCTP", "UDPLite"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .unwrap_or(name)
        .into()
}

/// Joins numeric ports to sorted ranges, after the named ones; a list with at most one numeric
/// port stays as it is. Ranges count by their ports, so `80:81` is two.
fn simplify(ports: Vec<Port>) -> Vec<Port> {
    let mut named = Vec::new();
    let mut ranges = Vec::new();
    for port in &ports {
        match port {
            Port::Name(_) => named.push(port.clone()),
            Port::Range(first, last) => ranges.push((*first, *last)),
        }
    }
    let count: usize = ranges.iter().map(|(first, last)| usize::from(last.saturating_sub(*first)) + 1).sum();
    if ports.len() <= 1 || count <= 1 {
        return ports;
    }
    ranges.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some((_, end)) if u32::from(first) <= u32::from(*end) + 1 => *end = (*end).max(last),
            _ => joined.push((first, last)),
        }
    }
    named.extend(joined.into_iter().map(|(first, last)| Port::Range(first, last)));
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(text: &str) -> Port {
        match text.split_once(':') {
            Some((first, last)) => Port::Range(first.parse().unwrap(), last.parse().unwrap()),
            None => text.parse().map_or_else(|_| Port::Name(text.into()), |port| Port::Range(port, port)),
        }
    }

    fn simplified(ports: &[&str]) -> Vec<String> {
        simplify(ports.iter().map(|text| port(text)).collect())
            .iter()
            .map(|port| match port {
                Port::Range(first, last) if first == last => first.to_string(),
                Port::Range(first, last) => format!("{first}:{last}"),
                Port::Name(name) => name.to_string(),
            })
            .collect()
    }

    #[test]
    fn adjacent_numeric_ports_join_behind_the_named_ones() {
        assert_eq!(simplified(&["9090", "80", "foo", "82", "81", "81"]), ["foo", "80:82", "9090"]);
        assert_eq!(simplified(&["80", "foo"]), ["80", "foo"]);
        assert_eq!(simplified(&["80:81", "foo"]), ["foo", "80:81"]);
        assert_eq!(simplified(&["80:81"]), ["80:81"]);
        assert_eq!(simplified(&["65535", "65534", "1:9", "3:4"]), ["1:9", "65534:65535"]);
    }

    #[test]
    fn an_item_without_port_swallows_the_ports_of_its_protocol() {
        let mut ports = PortsByProtocol::default();
        ports.add(Some("udp"), Some(port("53")));
        ports.add(Some("TCP"), Some(port("80")));
        ports.add(Some("TCP"), None);
        ports.add(Some("TCP"), Some(port("81")));
        ports.add(Some("SCTP"), Some(port("9")));
        let groups: Vec<_> = ports.into_groups().collect();
        let name = |name: &str| Some(Protocol::Name(name.into()));
        assert_eq!(
            groups,
            [(name("sctp"), vec![port("9")]), (name("tcp"), vec![]), (name("udp"), vec![port("53")])]
        );
    }
}
