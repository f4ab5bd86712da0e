//! Everything that can be a member of a set: the pods of all nodes, host endpoints and network
//! sets, as numbers with labels, addresses and named ports.
//!
//! Pods come first, those of one namespace and service account next to each other, so that the
//! labels they inherit are ranges of numbers.

use super::convert::draft::ignored;
use super::convert::pod::{self, Fate};
use super::convert::profile::{self, Profiles};
use super::convert::selectors::NAMESPACE;
use super::label_index::LabelIndex;
use super::ranked::Ranked;
use super::validate;
use crate::diagnostic::Diagnostic;
use crate::model::Resources;
use crate::model::calico::{HostEndpoint, Protocol};
use crate::model::core::{Pod, TransportProtocol};
use crate::model::labels::Labels;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rustc_hash::FxHashMap;
use std::net::IpAddr;

/// The contributors of a cluster.
#[derive(Debug)]
pub struct Contributors<'r> {
    /// pods that Felix hears of; their numbers are their indices
    pub pods: Vec<&'r Pod>,
    groups: Vec<Group<'r>>,
    /// host endpoints and network sets, numbered after the pods
    pub others: Vec<Other<'r>>,
    /// members that they stand for
    pub v4: Ranked<Ipv4Net>,
    /// members that they stand for
    pub v6: Ranked<Ipv6Net>,
    /// pods that may send from addresses of others: Felix ignores them unless it allows that
    pub spoofing: Vec<u32>,
    /// numbers of the pods of each node
    pub by_node: FxHashMap<&'r str, Vec<u32>>,
    /// pods that have no address
    pub without_address: Vec<&'r Pod>,
}

/// Pods of one namespace and service account.
#[derive(Debug)]
struct Group<'r> {
    namespace: &'r str,
    account: &'r str,
    first: u32,
    end: u32,
}

/// A host endpoint or a network set.
#[derive(Debug)]
pub struct Other<'r> {
    labels: &'r Labels,
    /// namespace of a NetworkSet
    namespace: Option<&'r str>,
    profiles: Vec<Box<str>>,
    /// the host endpoint, if it is one
    pub host: Option<&'r HostEndpoint>,
}

/// A port that has a name.
#[derive(Debug, Clone, Copy)]
pub struct NamedPort {
    /// who has it
    pub contributor: u32,
    /// its protocol
    pub protocol: TransportProtocol,
    /// its number
    pub port: u16,
}

/// Networks by contributor, before they are ranked.
#[derive(Default)]
struct Entries {
    v4: Vec<(u32, Ipv4Net)>,
    v6: Vec<(u32, Ipv6Net)>,
}

impl Entries {
    fn host(&mut self, contributor: u32, address: IpAddr) {
        self.net(contributor, IpNet::from(address.to_canonical()));
    }

    /// The kernel's sets cannot hold a range of all addresses, so it is two halves
    /// (`felix/labelindex/named_port_index.go:394`, v3.32.1).
    fn net(&mut self, contributor: u32, net: IpNet) {
        match super::address::normal(net) {
            IpNet::V4(net) if net.prefix_len() == 0 => {
                self.v4.extend(net.subnets(1).into_iter().flatten().map(|half| (contributor, half)));
            }
            IpNet::V6(net) if net.prefix_len() == 0 => {
                self.v6.extend(net.subnets(1).into_iter().flatten().map(|half| (contributor, half)));
            }
            IpNet::V4(net) => self.v4.push((contributor, net)),
            IpNet::V6(net) => self.v6.push((contributor, net)),
        }
    }
}

impl<'r> Contributors<'r> {
    /// Finds the contributors of a cluster, and says which objects come to nothing.
    pub fn new(resources: &'r Resources, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut grouping = Grouping::default();
        let mut found: Vec<(u32, &Pod)> = Vec::with_capacity(resources.pods.len());
        let mut entries = Entries::default();
        let mut without_address = Vec::new();
        let mut addresses = Vec::new();
        for pod in &resources.pods {
            match pod::classify(pod, &mut addresses) {
                Fate::Foreign => continue,
                Fate::WithoutAddress => without_address.push(pod),
                Fate::Unreadable(reason) => {
                    diagnostics.push(lost(pod, "ignored-by-calico", "calico cannot read", &reason));
                }
                Fate::Refused(reason) => {
                    diagnostics.push(lost(pod, "ignored-by-felix", "felix ignores", &reason));
                }
                Fate::Endpoint => {
                    let number = found.len() as u32;
                    addresses.iter().for_each(|address| entries.host(number, *address));
                    found.push((grouping.group(pod), pod));
                }
            }
        }
        let (mut groups, places) = grouping.arrange(&found);
        let mut pods: Vec<&Pod> = found.iter().map(|(_, pod)| *pod).collect();
        for (place, (_, pod)) in places.iter().zip(&found) {
            pods[*place as usize] = pod;
        }
        entries.v4.iter_mut().for_each(|(number, _)| *number = places[*number as usize]);
        entries.v6.iter_mut().for_each(|(number, _)| *number = places[*number as usize]);
        groups.retain(|group| group.first != group.end);
        let others = others(resources, pods.len() as u32, &mut entries, diagnostics);
        let mut by_node: FxHashMap<&str, Vec<u32>> = FxHashMap::default();
        for (number, pod) in pods.iter().enumerate() {
            by_node.entry(&pod.node).or_default().push(number as u32);
        }
        let spoofing =
            (0u32..).zip(&pods).filter(|(_, pod)| may_spoof(pod)).map(|(number, _)| number).collect();
        let count = pods.len() + others.len();
        let (v4, v6) = (Ranked::new(count, &entries.v4), Ranked::new(count, &entries.v6));
        Contributors { pods, groups, others, v4, v6, spoofing, by_node, without_address }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pods.len() + self.others.len()
    }

    /// The pod of a number, or what else it is.
    pub fn get(&self, number: u32) -> Result<&'r Pod, &Other<'r>> {
        let number = number as usize;
        match self.pods.get(number) {
            Some(pod) => Ok(pod),
            None => Err(&self.others[number - self.pods.len()]),
        }
    }

    /// Host endpoints and their numbers.
    pub fn hosts(&self) -> impl Iterator<Item = (u32, &'r HostEndpoint)> + '_ {
        let first = self.pods.len() as u32;
        (first..).zip(&self.others).filter_map(|(number, other)| Some((number, other.host?)))
    }

    /// Addresses of a pod, IPv4 before IPv6.
    pub fn addresses(&self, number: u32) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        if let Ok(pod) = self.get(number) {
            pod::classify(pod, &mut addresses);
        }
        addresses
    }

    /// Calls `visit` with every label that selectors see on a contributor, its own before those
    /// it inherits, each key once.
    pub fn each_label(&self, number: u32, profiles: &Profiles<'r>, visit: &mut dyn FnMut(&str, &'r str)) {
        match self.get(number) {
            Ok(pod) => {
                // own labels of pods and inherited ones have different prefixes
                pod::each_own_label(pod, visit);
                let names = [
                    profile::of_namespace(&pod.namespace),
                    profile::of_account(&pod.namespace, &pod.service_account),
                ];
                for profile in names.iter().filter_map(|name| profiles.get(name)) {
                    profile.labels.iter().for_each(|(key, value)| visit(key, value));
                }
            }
            Err(other) => other.each_label(profiles, visit),
        }
    }

    /// Fills an index with the labels of all contributors.
    pub fn index(&self, index: &mut LabelIndex<'r>, profiles: &Profiles<'r>) {
        for (number, pod) in (0u32..).zip(&self.pods) {
            for (key, value) in pod.labels.iter() {
                if index.wants(key) && pod::is_own(pod, key) {
                    index.add(number, key, value);
                }
            }
        }
        for group in &self.groups {
            let mut add = |key: &str, value: &'r str| index.add_range(group.first, group.end, key, value);
            pod::each_added_label(group.namespace, group.account, &mut add);
            let names =
                [profile::of_namespace(group.namespace), profile::of_account(group.namespace, group.account)];
            for profile in names.iter().filter_map(|name| profiles.get(name)) {
                profile.labels.iter().for_each(|(key, value)| add(key, value));
            }
        }
        for (number, other) in (self.pods.len() as u32..).zip(&self.others) {
            other.each_label(profiles, &mut |key, value| index.add(number, key, value));
        }
    }

    /// Who has the named ports that are asked for.
    pub fn named_ports<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> FxHashMap<Box<str>, Vec<NamedPort>> {
        let mut found: FxHashMap<Box<str>, Vec<NamedPort>> =
            names.into_iter().map(|name| (name.into(), Vec::new())).collect();
        if found.is_empty() {
            return found;
        }
        for (contributor, pod) in (0u32..).zip(&self.pods) {
            for port in pod::named_ports(pod) {
                if let Some(list) = found.get_mut(&*port.name) {
                    list.push(NamedPort { contributor, protocol: port.protocol, port: port.port });
                }
            }
        }
        for (contributor, host) in self.hosts() {
            for port in &host.ports {
                if let Some(list) = found.get_mut(&*port.name) {
                    list.push(NamedPort {
                        contributor,
                        protocol: host_protocol(&port.protocol),
                        port: port.port,
                    });
                }
            }
        }
        found
    }
}

/// Felix has checked that it is one of the three.
fn host_protocol(protocol: &Protocol) -> TransportProtocol {
    match protocol {
        Protocol::Name(name) if name.eq_ignore_ascii_case("udp") => TransportProtocol::Udp,
        Protocol::Name(name) if name.eq_ignore_ascii_case("sctp") => TransportProtocol::Sctp,
        _ => TransportProtocol::Tcp,
    }
}

fn may_spoof(pod: &Pod) -> bool {
    !pod.annotations.is_empty()
        && super::convert::annotations::source_prefixes(&pod.annotations)
            .is_ok_and(|prefixes| !prefixes.is_empty())
}

fn lost(pod: &Pod, id: &'static str, who: &str, reason: &str) -> Diagnostic {
    let message =
        format!("{who} pod `{}/{}`, so it gets no rules and is in no set: {reason}", pod.namespace, pod.name);
    Diagnostic::warning(id, pod.at, message)
}

impl<'r> Other<'r> {
    fn each_label(&self, profiles: &Profiles<'r>, visit: &mut dyn FnMut(&str, &'r str)) {
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in self.labels.iter() {
            if self.namespace.is_none() || key != NAMESPACE {
                visit(key, value);
                seen.push(key);
            }
        }
        if let Some(namespace) = self.namespace {
            visit(NAMESPACE, namespace);
            seen.push(NAMESPACE);
        }
        for profile in self.profiles.iter().filter_map(|name| profiles.get(name)) {
            for (key, value) in &profile.labels {
                if !seen.contains(&&**key) {
                    visit(key, value);
                    seen.push(key);
                }
            }
        }
    }
}

fn others<'r>(
    resources: &'r Resources,
    pods: u32,
    entries: &mut Entries,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Other<'r>> {
    let mut others = Vec::new();
    for host in &resources.host_endpoints {
        if let Err(refusal) = validate::host_endpoint(host) {
            diagnostics.push(ignored("HostEndpoint", &host.meta.name, refusal.at, &refusal.reason));
            continue;
        }
        let number = pods + others.len() as u32;
        host.expected_ips.iter().for_each(|address| entries.host(number, address.value));
        let profiles = host.profiles.iter().map(|profile| profile.value.clone()).collect();
        others.push(Other { labels: &host.meta.labels, namespace: None, profiles, host: Some(host) });
    }
    for set in &resources.network_sets {
        let number = pods + others.len() as u32;
        set.nets.iter().for_each(|net| entries.net(number, net.value));
        let namespace = (!set.global).then_some(&*set.meta.namespace);
        let profiles = namespace.map(profile::of_namespace).into_iter().collect();
        others.push(Other { labels: &set.meta.labels, namespace, profiles, host: None });
    }
    others
}

/// Sorts pods into groups of one namespace and service account.
#[derive(Default)]
struct Grouping<'r> {
    groups: Vec<Group<'r>>,
    known: FxHashMap<(&'r str, &'r str), u32>,
}

impl<'r> Grouping<'r> {
    fn group(&mut self, pod: &'r Pod) -> u32 {
        let (namespace, account) = (&*pod.namespace, &*pod.service_account);
        let next = self.groups.len() as u32;
        let group = *self.known.entry((namespace, account)).or_insert(next);
        if group == next {
            self.groups.push(Group { namespace, account, first: 0, end: 0 });
        }
        self.groups[group as usize].end += 1;
        group
    }

    /// Gives every group a range of numbers, and every pod its number.
    fn arrange(mut self, found: &[(u32, &Pod)]) -> (Vec<Group<'r>>, Vec<u32>) {
        let mut start = 0;
        for group in &mut self.groups {
            let size = group.end;
            (group.first, group.end) = (start, start + size);
            start += size;
        }
        let mut next: Vec<u32> = self.groups.iter().map(|group| group.first).collect();
        let places = found
            .iter()
            .map(|(group, _)| {
                let place = next[*group as usize];
                next[*group as usize] += 1;
                place
            })
            .collect();
        (self.groups, places)
    }
}
