//! Members of sets.
//!
//! `felix/labelindex/named_port_index.go:819` and `felix/serviceindex/serviceindex.go:196`, v3.32.1.

use super::bits::Bits;
use super::contributor_scan::PortIndex;
use super::contributors::{Contributors, NamedPort};
use super::label_index::LabelIndex;
use super::set_table::{SetDefinition, SetTable};
use super::view::{IpSet, NetMembers, PortMember, PortMembers, SetMeaning, SetMembers};
use crate::model::Resources;
use crate::model::core::{EndpointSlice, TransportProtocol};
use crate::syntax::selector::Selector;
use ipnet::IpNet;
use rustc_hash::{FxHashMap, FxHashSet};
use std::net::IpAddr;
use std::sync::Arc;

/// An index that wants the label keys of all sets and of `more` selectors.
pub fn wanted_labels<'r>(sets: &SetTable, more: &[&Selector]) -> LabelIndex<'r> {
    let mut keys = FxHashSet::default();
    let selectors = sets.iter().filter_map(|set| set.selector.as_deref()).chain(more.iter().copied());
    selectors.for_each(|selector| {
        selector.root().each_label(&mut |key| {
            keys.insert(key);
        });
    });
    LabelIndex::of_keys(keys)
}

/// An index that wants the port names of all sets.
pub fn wanted_ports(sets: &SetTable) -> PortIndex {
    let names = sets.iter().filter_map(|set| match &set.meaning {
        SetMeaning::NamedPort { port, .. } => Some(port.clone()),
        _ => None,
    });
    names.map(|name| (name, Vec::new())).collect()
}

/// What of Felix's configuration changes the members of sets.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// pods that may send from other addresses than their own are taken into account
    pub spoofing: bool,
    /// members that others cover stay
    pub keep_covered: bool,
}

impl Variant {
    fn index(self) -> usize {
        usize::from(self.spoofing) * 2 + usize::from(self.keep_covered)
    }
}

/// Everything that members are made from.
#[derive(Debug)]
pub struct MemberIndex<'r> {
    labels: LabelIndex<'r>,
    ports: PortIndex,
    services: FxHashMap<Box<str>, Vec<&'r EndpointSlice>>,
}

impl<'r> MemberIndex<'r> {
    /// Indexes labels and ports that a scan has found, and the services that sets refer to.
    pub fn new(resources: &'r Resources, sets: &SetTable, labels: LabelIndex<'r>, ports: PortIndex) -> Self {
        let mut services: FxHashMap<Box<str>, Vec<&EndpointSlice>> = sets
            .iter()
            .filter_map(|set| match &set.meaning {
                SetMeaning::Service(path) | SetMeaning::ServiceAddresses(path) => {
                    Some((path.clone(), Vec::new()))
                }
                _ => None,
            })
            .collect();
        if !services.is_empty() {
            for slice in &resources.endpoint_slices {
                let service = slice.meta.labels.get("kubernetes.io/service-name").unwrap_or_default();
                let path = format!("{}/{service}", slice.meta.namespace);
                if let Some(slices) = services.get_mut(&*path) {
                    slices.push(slice);
                }
            }
        }
        MemberIndex { labels, ports, services }
    }

    /// A set with its members; worked out once.
    pub fn of<'s>(
        &self,
        set: &'s SetDefinition,
        contributors: &Contributors<'r>,
        variant: Variant,
    ) -> &'s Arc<IpSet> {
        set.sets[variant.index()].get_or_init(|| {
            let members = self.members(set, contributors, variant);
            Arc::new(IpSet { index: set.index, id: set.id(), meaning: set.meaning.clone(), members })
        })
    }

    fn members(&self, set: &SetDefinition, contributors: &Contributors<'r>, variant: Variant) -> SetMembers {
        match (&set.meaning, set.selector.as_deref()) {
            (SetMeaning::Selector(_), Some(selector)) => {
                SetMembers::Nets(Arc::new(self.nets(selector, contributors, variant)))
            }
            (SetMeaning::NamedPort { protocol, port, .. }, Some(selector)) => {
                let ports = self.named_port(selector, protocol, port, contributors, variant);
                SetMembers::Ports(PortMembers::new(ports))
            }
            (SetMeaning::Service(path), _) => SetMembers::Ports(PortMembers::new(self.service_ports(path))),
            (SetMeaning::ServiceAddresses(path), _) => {
                SetMembers::Nets(Arc::new(self.service_addresses(path)))
            }
            // a set of either kind has a selector from its beginning
            (SetMeaning::Selector(_) | SetMeaning::NamedPort { .. }, None) => {
                SetMembers::Ports(PortMembers::default())
            }
        }
    }

    fn select(&self, selector: &Selector, contributors: &Contributors<'r>, variant: Variant) -> Bits {
        let mut selected = self.labels.select(selector.root());
        if !variant.spoofing && !contributors.spoofing.is_empty() {
            let mut ignored = Bits::none(contributors.len());
            contributors.spoofing.iter().for_each(|number| ignored.insert(*number));
            selected.subtract(&ignored);
        }
        selected
    }

    /// The networks that a selector selects.
    pub fn nets(&self, selector: &Selector, contributors: &Contributors<'r>, variant: Variant) -> NetMembers {
        let selected = self.select(selector, contributors, variant);
        NetMembers {
            v4: contributors.v4.members(&selected, variant.keep_covered),
            v6: contributors.v6.members(&selected, variant.keep_covered),
        }
    }

    /// Who declares a port that some set is about; repetitions included.
    pub fn declaring(&self, name: &str, protocol: &str) -> impl Iterator<Item = u32> {
        let ports = self.ports.get(name).into_iter().flatten();
        let matching =
            ports.filter(move |port| protocol == "any" || protocol == protocol_name(port.protocol));
        matching.map(|port| port.contributor)
    }

    /// IPv4 members before IPv6 ones, each family in text order.
    fn named_port(
        &self,
        selector: &Selector,
        protocol: &str,
        name: &str,
        contributors: &Contributors<'r>,
        variant: Variant,
    ) -> Vec<PortMember> {
        let selected = self.select(selector, contributors, variant);
        let ports = self.ports.get(name).map_or(&[][..], Vec::as_slice);
        let matching = |port: &&NamedPort| {
            selected.contains(port.contributor)
                && (protocol == "any" || protocol == protocol_name(port.protocol))
        };
        let mut members: Vec<_> = Vec::new();
        for port in ports.iter().filter(matching) {
            let tail = (protocol_name(port.protocol), number_key(port.port));
            let mut add = |rank: u32, address: IpAddr| {
                let member = PortMember { address, protocol: port.protocol, port: port.port };
                members.push(((address.is_ipv6(), rank, tail), member));
            };
            for &rank in contributors.v4.of(port.contributor) {
                add(rank, contributors.v4.net(rank).addr().into());
            }
            for &rank in contributors.v6.of(port.contributor) {
                add(rank, contributors.v6.net(rank).addr().into());
            }
        }
        members.sort_unstable_by_key(|(key, _)| *key);
        members.dedup_by_key(|(key, _)| *key);
        members.into_iter().map(|(_, member)| member).collect()
    }

    /// Every address of a service with every port, IPv4 first; readiness does not matter to Felix.
    fn service_ports(&self, path: &str) -> Vec<PortMember> {
        let mut members: Vec<_> = Vec::new();
        for slice in self.services.get(path).into_iter().flatten() {
            for endpoint in &slice.endpoints {
                for port in &slice.ports {
                    let Some(number) = port.port else { continue };
                    let protocol = match port.protocol {
                        TransportProtocol::Other => TransportProtocol::Tcp,
                        known => known,
                    };
                    for address in &endpoint.addresses {
                        let address = address.to_canonical();
                        let text = format!("{},{}:{number}", text(address.into()), protocol_name(protocol));
                        members.push((
                            (address.is_ipv6(), text),
                            PortMember { address, protocol, port: number },
                        ));
                    }
                }
            }
        }
        members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        members.dedup_by(|(a, _), (b, _)| a == b);
        members.into_iter().map(|(_, member)| member).collect()
    }

    fn service_addresses(&self, path: &str) -> NetMembers {
        let slices = self.services.get(path).into_iter().flatten();
        let mut nets: Vec<IpNet> = slices
            .flat_map(|slice| &slice.endpoints)
            .flat_map(|endpoint| &endpoint.addresses)
            .map(|address| IpNet::from(address.to_canonical()))
            .collect();
        nets.sort_by_cached_key(|net| text(*net));
        nets.dedup();
        let mut members = NetMembers::default();
        for net in nets {
            match net {
                IpNet::V4(net) => members.v4.push(net),
                IpNet::V6(net) => members.v6.push(net),
            }
        }
        members
    }
}

fn text(net: IpNet) -> String {
    let mut text = String::new();
    crate::emit::text::address(&mut text, net.addr());
    text
}

fn protocol_name(protocol: TransportProtocol) -> &'static str {
    match protocol {
        TransportProtocol::Udp => "udp",
        TransportProtocol::Sctp => "sctp",
        TransportProtocol::Tcp | TransportProtocol::Other => "tcp",
    }
}

/// Orders numbers as their decimal texts.
fn number_key(number: u16) -> u32 {
    let digits = number.checked_ilog10().unwrap_or(0);
    // the digits, moved to the left, and after them how many there are
    (0..=digits).fold(0, |key, place| {
        let digit = u32::from(number) / 10u32.pow(digits - place) % 10 + 1;
        key | digit << (4 * (4 - place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_order_as_their_texts(a in any::<u16>(), b in any::<u16>()) {
            prop_assert_eq!(number_key(a).cmp(&number_key(b)), a.to_string().cmp(&b.to_string()));
        }
    }
}
