//! One pass over all pods, host endpoints and network sets.
//!
//! A pod's memory is cold, so it is looked at once: its addresses, labels, ports and node are
//! taken on the way, under the number of its turn, and renumbered when all are known.

use super::contributors::{Contributors, NamedPort, Other};
use super::convert::annotations;
use super::convert::draft::ignored;
use super::convert::pod::{self, Fate};
use super::convert::profile::{self, Profiles};
use super::label_index::LabelIndex;
use super::ranked::Ranked;
use super::validate;
use crate::diagnostic::Diagnostic;
use crate::model::Resources;
use crate::model::calico::Protocol;
use crate::model::core::{Pod, TransportProtocol};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rustc_hash::{FxHashMap, FxHashSet};
use std::net::IpAddr;

/// Contributors by the ports they name.
pub type PortIndex = FxHashMap<Box<str>, Vec<NamedPort>>;

/// The contributors of a cluster, and their labels and ports.
pub struct Scanned<'r> {
    /// who they are
    pub contributors: Contributors<'r>,
    /// their labels, those with a wanted key
    pub labels: LabelIndex<'r>,
    /// their ports, those with a wanted name
    pub ports: PortIndex,
}

/// Finds all contributors. `labels` and `ports` say which label keys and port names are wanted.
/// Says which objects come to nothing.
pub fn scan<'r>(
    resources: &'r Resources,
    profiles: &Profiles<'r>,
    labels: LabelIndex<'r>,
    ports: PortIndex,
    diagnostics: &mut Vec<Diagnostic>,
) -> Scanned<'r> {
    let mut scan = Scan { labels, ports, ..Scan::default() };
    let mut addresses = Vec::new();
    for pod in &resources.pods {
        match pod::classify(pod, &mut addresses) {
            Fate::Foreign => {
                scan.foreign_nodes.insert(&pod.node);
            }
            Fate::WithoutAddress => scan.without_address.push(pod),
            Fate::Unreadable(reason) => {
                diagnostics.push(lost(pod, "ignored-by-calico", "calico cannot read", &reason))
            }
            Fate::Refused(reason) => {
                diagnostics.push(lost(pod, "ignored-by-felix", "felix ignores", &reason))
            }
            Fate::Endpoint => scan.pod(pod, &addresses),
        }
    }
    scan.renumber(profiles);
    let others = scan.others(resources, profiles, diagnostics);
    let Scan { mut labels, ports, pods, entries, by_node, spoofing, without_address, foreign_nodes, .. } =
        scan;
    let count = pods.len() + others.len();
    labels.set_limit(count);
    let (v4, v6) = (Ranked::new(count, &entries.v4), Ranked::new(count, &entries.v6));
    let contributors =
        Contributors { pods, others, v4, v6, spoofing, by_node, without_address, foreign_nodes };
    Scanned { contributors, labels, ports }
}

fn lost(pod: &Pod, id: &'static str, who: &str, reason: &str) -> Diagnostic {
    let message =
        format!("{who} pod `{}/{}`, so it gets no rules and is in no set: {reason}", pod.namespace, pod.name);
    Diagnostic::warning(id, pod.at, message)
}

/// Networks by contributor, before they are ranked.
#[derive(Default)]
struct Entries {
    v4: Vec<(u32, Ipv4Net)>,
    v6: Vec<(u32, Ipv6Net)>,
}

impl Entries {
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

#[derive(Default)]
struct Scan<'r> {
    labels: LabelIndex<'r>,
    ports: PortIndex,
    pods: Vec<&'r Pod>,
    /// the group of each pod
    group_of: Vec<u32>,
    groups: Vec<Group<'r>>,
    known: FxHashMap<(&'r str, &'r str), u32>,
    entries: Entries,
    by_node: FxHashMap<&'r str, Vec<u32>>,
    spoofing: Vec<u32>,
    without_address: Vec<&'r Pod>,
    foreign_nodes: FxHashSet<&'r str>,
}

/// Pods of one namespace and service account.
struct Group<'r> {
    namespace: &'r str,
    account: &'r str,
    size: u32,
}

impl<'r> Scan<'r> {
    fn pod(&mut self, pod: &'r Pod, addresses: &[IpAddr]) {
        let number = self.pods.len() as u32;
        addresses.iter().for_each(|address| self.entries.net(number, IpNet::from(*address)));
        for (key, value) in pod.labels.iter() {
            if pod::is_own(pod, key) {
                self.labels.add(number, key, value);
            }
        }
        if !self.ports.is_empty() {
            for port in pod::named_ports(pod) {
                if let Some(list) = self.ports.get_mut(&*port.name) {
                    list.push(NamedPort { contributor: number, protocol: port.protocol, port: port.port });
                }
            }
        }
        self.by_node.entry(&pod.node).or_default().push(number);
        if may_spoof(pod) {
            self.spoofing.push(number);
        }
        let group = self.group(pod);
        self.group_of.push(group);
        self.pods.push(pod);
    }

    fn group(&mut self, pod: &'r Pod) -> u32 {
        let (namespace, account) = (&*pod.namespace, &*pod.service_account);
        let next = self.groups.len() as u32;
        let group = *self.known.entry((namespace, account)).or_insert(next);
        if group == next {
            self.groups.push(Group { namespace, account, size: 0 });
        }
        self.groups[group as usize].size += 1;
        group
    }

    /// Puts the pods of a group next to each other, and adds the labels they have in common.
    fn renumber(&mut self, profiles: &Profiles<'r>) {
        let mut next = Vec::with_capacity(self.groups.len());
        let mut first = 0;
        for group in &self.groups {
            next.push(first);
            let end = first + group.size;
            let mut add = |key: &str, value: &'r str| self.labels.add_range(first, end, key, value);
            pod::each_added_label(group.namespace, group.account, &mut add);
            let names =
                [profile::of_namespace(group.namespace), profile::of_account(group.namespace, group.account)];
            for profile in names.iter().filter_map(|name| profiles.get(name)) {
                profile.labels.iter().for_each(|(key, value)| add(key, value));
            }
            first = end;
        }
        let places: Vec<u32> = self
            .group_of
            .iter()
            .map(|group| {
                let place = next[*group as usize];
                next[*group as usize] += 1;
                place
            })
            .collect();
        let turns = std::mem::take(&mut self.pods);
        self.pods.clone_from(&turns);
        for (place, pod) in places.iter().zip(turns) {
            self.pods[*place as usize] = pod;
        }
        let renumber = |number: &mut u32| *number = places[*number as usize];
        self.labels.each_point(&renumber);
        self.entries.v4.iter_mut().for_each(|(number, _)| renumber(number));
        self.entries.v6.iter_mut().for_each(|(number, _)| renumber(number));
        self.ports.values_mut().flatten().for_each(|port| renumber(&mut port.contributor));
        self.by_node.values_mut().flatten().for_each(renumber);
        self.spoofing.iter_mut().for_each(renumber);
        self.spoofing.sort_unstable();
    }

    /// Host endpoints and network sets; their numbers follow the pods'.
    fn others(
        &mut self,
        resources: &'r Resources,
        profiles: &Profiles<'r>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<Other<'r>> {
        let mut others: Vec<Other<'r>> = Vec::new();
        let first = self.pods.len() as u32;
        let mut add = |other: Other<'r>, labels: &mut LabelIndex<'r>| {
            let number = first + others.len() as u32;
            other.each_label(profiles, &mut |key, value| labels.add(number, key, value));
            others.push(other);
            number
        };
        for host in &resources.host_endpoints {
            if let Err(refusal) = validate::host_endpoint(host) {
                diagnostics.push(ignored("HostEndpoint", &host.meta.name, refusal.at, &refusal.reason));
                continue;
            }
            let profiles = host.profiles.iter().map(|profile| profile.value.clone()).collect();
            let other = Other { labels: &host.meta.labels, namespace: None, profiles, host: Some(host) };
            let contributor = add(other, &mut self.labels);
            for address in &host.expected_ips {
                self.entries.net(contributor, IpNet::from(address.value));
            }
            for port in &host.ports {
                if let Some(list) = self.ports.get_mut(&*port.name) {
                    list.push(NamedPort {
                        contributor,
                        protocol: host_protocol(&port.protocol),
                        port: port.port,
                    });
                }
            }
        }
        for set in &resources.network_sets {
            let namespace = (!set.global).then_some(&*set.meta.namespace);
            let profiles = namespace.map(profile::of_namespace).into_iter().collect();
            let other = Other { labels: &set.meta.labels, namespace, profiles, host: None };
            let contributor = add(other, &mut self.labels);
            set.nets.iter().for_each(|net| self.entries.net(contributor, net.value));
        }
        others
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
        && annotations::source_prefixes(&pod.annotations).is_ok_and(|prefixes| !prefixes.is_empty())
}
