//! What of a view its rules are made of, as a digest: the same for views that give the same rules.
//!
//! Places are no part of it, so that a line more at the top of a file changes nothing. Every field is named here, and
//! either counts or is passed over on purpose.

use super::view::{
    HostEndpoint, IpSet, Network, NodeView, Policy, Pool, Profile, Rule, RuleSide, SetIndex, SetMembers,
    Tier, WorkloadEndpoint,
};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// A digest.
pub type Content = [u8; 32];

/// Felix's ids of a view's sets.
type Ids<'v> = FxHashMap<SetIndex, &'v str>;

/// Digests of what views share, made once.
#[derive(Debug, Default)]
pub struct Contents {
    /// by address, which the value keeps where it is
    policies: Mutex<FxHashMap<usize, (Arc<Policy>, Content)>>,
    sets: Mutex<FxHashMap<usize, (Arc<IpSet>, Content)>>,
}

impl Contents {
    /// The digest of a view. `members`: whether the members of sets count.
    pub fn of(&self, view: &NodeView, members: bool) -> Content {
        let NodeView {
            facts,
            node,
            config,
            config_places: _,
            interfaces,
            workloads,
            host_endpoints,
            policies,
            profiles,
            sets,
            network,
            tiers,
        } = view;
        // numbers of sets are the cluster's, and change with any policy; ids are what rules have
        let ids: Ids = sets.iter().map(|set| (set.index, &*set.id)).collect();
        let mut digest = Digesting::default();
        facts.version.name().hash(&mut digest);
        node.hash(&mut digest);
        format!("{config:?}").hash(&mut digest);
        for interface in interfaces {
            (&interface.name, &interface.addresses).hash(&mut digest);
        }
        workloads.iter().for_each(|workload| workload_endpoint(workload, &mut digest));
        "host endpoints".hash(&mut digest);
        host_endpoints.iter().for_each(|endpoint| host_endpoint(endpoint, &mut digest));
        "profiles".hash(&mut digest);
        for Profile { name, inbound, outbound, at: _ } in profiles {
            name.hash(&mut digest);
            rules(inbound, &ids, &mut digest);
            rules(outbound, &ids, &mut digest);
        }
        for Tier { name, default_pass, exists } in tiers {
            (name, default_pass, exists).hash(&mut digest);
        }
        network_at_large(network, &mut digest);
        for own in policies {
            digest.write(&known(&self.policies, own, |own, digest| policy(own, &ids, digest)));
        }
        for own in sets {
            if members {
                digest.write(&known(&self.sets, own, set));
            }
            own.id.hash(&mut digest);
        }
        digest.end()
    }
}

/// The digest of something shared.
fn known<T>(
    all: &Mutex<FxHashMap<usize, (Arc<T>, Content)>>,
    one: &Arc<T>,
    of: impl Fn(&T, &mut Digesting),
) -> Content {
    let key = Arc::as_ptr(one).addr();
    let lock = || all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, content)) = lock().get(&key) {
        return *content;
    }
    let mut digest = Digesting::default();
    of(one, &mut digest);
    let content = digest.end();
    lock().insert(key, (one.clone(), content));
    content
}

fn policy(policy: &Policy, ids: &Ids, digest: &mut Digesting) {
    let Policy { id, tier, selector, inbound, outbound, untracked, assume_needed, at: _ } = policy;
    (id, tier, selector, untracked, assume_needed).hash(digest);
    rules(inbound, ids, digest);
    rules(outbound, ids, digest);
}

fn rules(rules: &[Rule], ids: &Ids, digest: &mut Digesting) {
    rules.len().hash(digest);
    for rule in rules {
        let Rule {
            action,
            ip_version,
            protocol,
            not_protocol,
            icmp,
            not_icmp,
            source,
            destination,
            annotations,
            at: _,
        } = rule;
        (action, ip_version, protocol, not_protocol).hash(digest);
        (icmp, not_icmp, annotations).hash(digest);
        side(source, ids, digest);
        side(destination, ids, digest);
    }
}

fn side(side: &RuleSide, ids: &Ids, digest: &mut Digesting) {
    let RuleSide { nets, not_nets, sets, not_sets, ports, not_ports, named_ports, not_named_ports, services } =
        side;
    (nets, not_nets, ports, not_ports).hash(digest);
    for list in [sets, not_sets, named_ports, not_named_ports, services] {
        list.len().hash(digest);
        list.iter().for_each(|set| ids.get(set).hash(digest));
    }
}

fn set(set: &IpSet, digest: &mut Digesting) {
    let IpSet { index: _, id, meaning, members } = set;
    (id, meaning).hash(digest);
    match members {
        SetMembers::Nets(nets) => (&nets.v4, &nets.v6).hash(digest),
        SetMembers::Ports(ports) => ports.hash(digest),
    }
}

fn workload_endpoint(endpoint: &WorkloadEndpoint, digest: &mut Digesting) {
    let WorkloadEndpoint {
        interface,
        namespace,
        pod,
        addresses,
        tiers,
        profiles,
        allowed_source_prefixes,
        floating_ips,
        qos,
        dscp,
        at: _,
    } = endpoint;
    (interface, namespace, pod, addresses, tiers, profiles).hash(digest);
    (allowed_source_prefixes, floating_ips, qos, dscp).hash(digest);
}

fn host_endpoint(endpoint: &HostEndpoint, digest: &mut Digesting) {
    let HostEndpoint {
        interface,
        name,
        addresses,
        tiers,
        forward_tiers,
        pre_dnat_tiers,
        untracked_tiers,
        profiles,
        dscp,
        at: _,
    } = endpoint;
    (interface, name, addresses, profiles, dscp).hash(digest);
    (tiers, forward_tiers, pre_dnat_tiers, untracked_tiers).hash(digest);
}

fn network_at_large(network: &Network, digest: &mut Digesting) {
    let Network {
        pools,
        hosts,
        vxlan_hosts,
        ipip,
        vxlan_v4,
        vxlan_v6,
        ipip_tunnel_address,
        vxlan_tunnel_v4,
        vxlan_tunnel_v6,
        service_cidrs,
        istio_members,
    } = network;
    for Pool { cidr, nat_outgoing, load_balancer_only, at: _ } in pools {
        (cidr, nat_outgoing, load_balancer_only).hash(digest);
    }
    (hosts, vxlan_hosts, ipip, vxlan_v4, vxlan_v6).hash(digest);
    (ipip_tunnel_address, vxlan_tunnel_v4, vxlan_tunnel_v6).hash(digest);
    (service_cidrs, istio_members).hash(digest);
}

/// Feeds what is hashed to SHA-256, some kilobytes at a time.
#[derive(Default)]
struct Digesting {
    digest: Sha256,
    waiting: Vec<u8>,
}

impl Digesting {
    fn end(mut self) -> Content {
        self.digest.update(&self.waiting);
        self.digest.finalize().into()
    }
}

impl Hasher for Digesting {
    fn write(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= 16 << 10 {
            self.digest.update(&self.waiting);
            self.waiting.clear();
        }
    }

    fn finish(&self) -> u64 {
        unreachable!("nobody asks for less than the whole digest")
    }
}
