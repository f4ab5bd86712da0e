//! Members of sets. Each distinct set is worked out once, whatever the number of nodes.

use super::address;
use super::bits::Bits;
use super::config::FelixConfig;
use super::contributors::{Contributors, NamedPort};
use super::convert::profile::Profiles;
use super::label_index::LabelIndex;
use super::set_table::SetTable;
use super::view::{IpSet, NetMembers, PortMember, SetIndex, SetMeaning, SetMembers};
use crate::emit::text;
use crate::model::Resources;
use crate::model::core::{EndpointSlice, TransportProtocol};
use crate::syntax::selector::{self, Selector};
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// Endpoints that Istio's ambient mode covers (`felix/calc/istio_calculator.go:34`, v3.32.1).
const ISTIO: &str = "pcns.istio.io/dataplane-mode == 'ambient' && istio.io/dataplane-mode != 'none' \
                     || istio.io/dataplane-mode == 'ambient'";

/// Label of an EndpointSlice that names its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The sets of a cluster and what is needed to fill them.
#[derive(Debug)]
pub struct Members<'r> {
    sets: SetTable,
    /// slices by `namespace/service`
    slices: FxHashMap<String, Vec<&'r EndpointSlice>>,
    index: OnceLock<LabelIndex<'r>>,
    ports: OnceLock<FxHashMap<Box<str>, Vec<NamedPort>>>,
}

impl<'r> Members<'r> {
    /// Takes the sets of all policies.
    pub fn new(sets: SetTable, resources: &'r Resources) -> Self {
        let mut slices: FxHashMap<String, Vec<&EndpointSlice>> = FxHashMap::default();
        for slice in &resources.endpoint_slices {
            let service = slice.meta.labels.get(SERVICE_NAME).unwrap_or("");
            slices.entry(format!("{}/{service}", slice.meta.namespace)).or_default().push(slice);
        }
        Members { sets, slices, index: OnceLock::new(), ports: OnceLock::new() }
    }

    /// A set with its members.
    pub fn set(
        &self,
        index: SetIndex,
        contributors: &Contributors<'r>,
        profiles: &Profiles<'r>,
        config: &FelixConfig,
    ) -> IpSet {
        let definition = self.sets.get(index);
        let variant =
            usize::from(config.keep_covered_members) * 2 + usize::from(config.workload_source_spoofing);
        let members =
            definition.members[variant].get_or_init(|| match (&definition.meaning, &definition.selector) {
                (SetMeaning::Selector(_), Some(selector)) => {
                    let selected = self.selected(selector, contributors, profiles, config);
                    SetMembers::Nets(Arc::new(NetMembers {
                        v4: contributors.v4.members(&selected, config.keep_covered_members),
                        v6: contributors.v6.members(&selected, config.keep_covered_members),
                    }))
                }
                (SetMeaning::NamedPort { protocol, port, .. }, Some(selector)) => {
                    let selected = self.selected(selector, contributors, profiles, config);
                    SetMembers::Ports(self.named_port(port, protocol, &selected, contributors))
                }
                (SetMeaning::Service(path), _) => SetMembers::Ports(self.service(path)),
                (SetMeaning::ServiceAddresses(path), _) => {
                    SetMembers::Nets(Arc::new(self.service_addresses(path)))
                }
                (SetMeaning::Selector(_) | SetMeaning::NamedPort { .. }, None) => {
                    SetMembers::Nets(Arc::default())
                }
            });
        IpSet { id: definition.id(), meaning: definition.meaning.clone(), members: members.clone() }
    }

    /// Addresses of the pods that Istio's ambient mode covers.
    pub fn istio(
        &self,
        contributors: &Contributors<'r>,
        profiles: &Profiles<'r>,
        config: &FelixConfig,
    ) -> Vec<IpAddr> {
        let selector = selector::parse(ISTIO).expect("a constant");
        let selected = self.selected(&selector, contributors, profiles, config);
        let pods = selected.iter().filter(|number| contributors.get(*number).is_ok());
        pods.flat_map(|number| contributors.addresses(number)).collect()
    }

    fn selected(
        &self,
        selector: &Selector,
        contributors: &Contributors<'r>,
        profiles: &Profiles<'r>,
        config: &FelixConfig,
    ) -> Bits {
        let index = self.index.get_or_init(|| self.build_index(contributors, profiles));
        let mut selected = index.select(selector.root());
        if !config.workload_source_spoofing && !contributors.spoofing.is_empty() {
            let mut left_out = Bits::none(contributors.len());
            contributors.spoofing.iter().for_each(|number| left_out.insert(*number));
            selected.subtract(&left_out);
        }
        selected
    }

    /// An index of the labels that any set's selector mentions.
    fn build_index(&self, contributors: &Contributors<'r>, profiles: &Profiles<'r>) -> LabelIndex<'r> {
        let istio = selector::parse(ISTIO).expect("a constant");
        let mut keys: BTreeSet<&str> = BTreeSet::new();
        istio.root().each_label(&mut |key| {
            keys.insert(key);
        });
        for set in self.sets.iter().filter_map(|set| set.selector.as_ref()) {
            set.root().each_label(&mut |key| {
                keys.insert(key);
            });
        }
        let mut index = LabelIndex::of_keys(keys.iter().copied(), contributors.len());
        contributors.index(&mut index, profiles);
        index
    }

    /// Ports of this name of the endpoints selected; sorted by text, IPv4 first.
    fn named_port(
        &self,
        name: &str,
        protocol: &str,
        selected: &Bits,
        contributors: &Contributors<'r>,
    ) -> Vec<PortMember> {
        let ports = self.ports.get_or_init(|| {
            let names = self.sets.iter().filter_map(|set| match &set.meaning {
                SetMeaning::NamedPort { port, .. } => Some(&**port),
                _ => None,
            });
            contributors.named_ports(names)
        });
        let wanted = |port: &&NamedPort| {
            (protocol == "any" || protocol == word(port.protocol)) && selected.contains(port.contributor)
        };
        let found = ports.get(name).map_or(&[][..], Vec::as_slice).iter().filter(wanted);
        let mut v4: Vec<(u32, &NamedPort)> = Vec::new();
        let mut v6: Vec<(u32, &NamedPort)> = Vec::new();
        for port in found {
            v4.extend(contributors.v4.of(port.contributor).iter().map(|rank| (*rank, port)));
            v6.extend(contributors.v6.of(port.contributor).iter().map(|rank| (*rank, port)));
        }
        // ranks are in the order of the addresses' texts
        let by_text = |list: &mut Vec<(u32, &NamedPort)>| {
            list.sort_by(|a, b| {
                let tail = |port: &NamedPort| format!("{}:{}", word(port.protocol), port.port);
                a.0.cmp(&b.0).then_with(|| tail(a.1).cmp(&tail(b.1)))
            });
        };
        by_text(&mut v4);
        by_text(&mut v6);
        let member = |address: IpAddr, port: &NamedPort| PortMember {
            address,
            protocol: port.protocol,
            port: port.port,
        };
        let mut members: Vec<PortMember> = Vec::with_capacity(v4.len() + v6.len());
        members.extend(v4.iter().map(|(rank, port)| member(contributors.v4.net(*rank).addr().into(), port)));
        members.extend(v6.iter().map(|(rank, port)| member(contributors.v6.net(*rank).addr().into(), port)));
        members.dedup();
        members
    }

    /// Every address with every port of a service's slices, ready or not
    /// (`felix/serviceindex/serviceindex.go:186`, v3.32.1).
    fn service(&self, path: &str) -> Vec<PortMember> {
        let mut members = Vec::new();
        for slice in self.slices.get(path).into_iter().flatten() {
            for address in slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses) {
                members.extend(slice.ports.iter().filter_map(|port| {
                    Some(PortMember {
                        address: address.to_canonical(),
                        protocol: port.protocol,
                        port: port.port?,
                    })
                }));
            }
        }
        members.sort_by_cached_key(|member| {
            (
                member.address.is_ipv6(),
                address_text(member.address),
                format!("{}:{}", word(member.protocol), member.port),
            )
        });
        members.dedup();
        members
    }

    fn service_addresses(&self, path: &str) -> NetMembers {
        let mut members = NetMembers::default();
        for slice in self.slices.get(path).into_iter().flatten() {
            for address in slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses) {
                match address::normal(IpNet::from(*address)) {
                    IpNet::V4(net) => members.v4.push(net),
                    IpNet::V6(net) => members.v6.push(net),
                }
            }
        }
        members.v4.sort_by_cached_key(|net| address_text(net.addr().into()));
        members.v4.dedup();
        members.v6.sort_by_cached_key(|net| address_text(net.addr().into()));
        members.v6.dedup();
        members
    }
}

fn address_text(address: IpAddr) -> String {
    let mut out = String::new();
    text::address(&mut out, address);
    out
}

fn word(protocol: TransportProtocol) -> &'static str {
    match protocol {
        TransportProtocol::Udp => "udp",
        TransportProtocol::Sctp => "sctp",
        TransportProtocol::Tcp | TransportProtocol::Other => "tcp",
    }
}
