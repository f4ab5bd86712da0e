//! Which addresses are those of services, and of nothing else.

use crate::model::Resources;
use crate::model::core::Service;
use crate::resolve::address::{parse_cidr_or_ip, parse_ip};
use crate::syntax::cidr;
use ipnet::IpNet;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::OnceCell;
use std::net::IpAddr;

/// What a network of a rule names.
#[derive(Debug, Clone, Copy)]
pub enum Named<'r> {
    /// a service's cluster IP
    ClusterIp(&'r Service),
    /// an entry of its `externalIPs`
    ExternalIp(&'r Service),
    /// an address of its load balancer
    LoadBalancer(&'r Service),
    /// cluster IPs of services, and nothing else
    ClusterIps,
}

impl<'r> Named<'r> {
    /// The service, if it is one.
    pub fn service(&self) -> Option<&'r Service> {
        match self {
            Named::ClusterIp(service) | Named::ExternalIp(service) | Named::LoadBalancer(service) => {
                Some(service)
            }
            Named::ClusterIps => None,
        }
    }

    /// What the address is to the service.
    pub fn word(&self) -> &'static str {
        match self {
            Named::ClusterIp(_) | Named::ClusterIps => "cluster IP",
            Named::ExternalIp(_) => "external IP",
            Named::LoadBalancer(_) => "load balancer's address",
        }
    }
}

/// The addresses of services.
pub struct Addresses<'r> {
    resources: &'r Resources,
    by_address: FxHashMap<IpAddr, Named<'r>>,
    cluster_cidrs: Vec<IpNet>,
    dns_may_be_local: OnceCell<bool>,
}

impl<'r> Addresses<'r> {
    /// Reads services, nodes and the BGP configuration.
    pub fn new(resources: &'r Resources) -> Self {
        let mut nodes: FxHashSet<IpAddr> = FxHashSet::default();
        for node in &resources.nodes {
            nodes.extend(node.addresses.iter().filter_map(|address| parse_ip(&address.address)));
            let annotations = ["projectcalico.org/IPv4Address", "projectcalico.org/IPv6Address"];
            let texts = annotations.into_iter().filter_map(|key| node.meta.annotations.get(key));
            nodes.extend(texts.filter_map(cidr::parse_or_address).map(|cidr| cidr.address));
        }
        nodes.extend(resources.host_endpoints.iter().flat_map(|host| &host.expected_ips).map(|ip| ip.value));
        let mut by_address: FxHashMap<IpAddr, Named> = FxHashMap::default();
        for service in &resources.services {
            let of = |addresses: &'r [crate::diagnostic::Spanned<IpAddr>], named: Named<'r>| {
                addresses.iter().map(move |address| (address.value, named))
            };
            let outside = of(&service.external_ips, Named::ExternalIp(service))
                .chain(of(&service.load_balancer_ips, Named::LoadBalancer(service)));
            let cluster = of(&service.cluster_ips, Named::ClusterIp(service));
            for (address, named) in cluster.chain(outside) {
                if !nodes.contains(&address) {
                    by_address.entry(address.to_canonical()).or_insert(named);
                }
            }
        }
        let bgp = resources.bgp_configurations.iter().filter(|bgp| &*bgp.meta.name == "default");
        let cluster_cidrs =
            bgp.flat_map(|bgp| &bgp.service_cluster_ips).filter_map(|text| parse_cidr_or_ip(text)).collect();
        Addresses { resources, by_address, cluster_cidrs, dns_may_be_local: OnceCell::new() }
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty() && self.cluster_cidrs.is_empty()
    }

    /// What a network names, if it has addresses of services only.
    pub fn named(&self, net: &IpNet) -> Option<Named<'r>> {
        let host = net.prefix_len() == net.max_prefix_len();
        let of_service = self.by_address.get(&net.addr()).copied().filter(|_| host);
        of_service
            .or_else(|| self.cluster_cidrs.iter().any(|cidr| cidr.contains(net)).then_some(Named::ClusterIps))
    }

    /// Whether the network could have the cluster IP of DNS: it has one of a service on port 53, or
    /// no such service is known.
    pub fn may_hold_dns(&self, net: &IpNet) -> bool {
        let services = self.resources.services.iter();
        let mut dns = services.filter(|service| service.ports.iter().any(|port| port.port == 53)).peekable();
        dns.peek().is_none() || dns.flat_map(|service| &service.cluster_ips).any(|ip| net.contains(&ip.value))
    }

    /// Whether a DNS cache on the nodes may answer for the cluster IP of DNS, so that kube-proxy does
    /// not replace it: one is there, or nothing of `kube-system` is in the input.
    pub fn dns_may_be_local(&self) -> bool {
        *self.dns_may_be_local.get_or_init(|| {
            let pods = self.resources.pods.iter().map(|pod| (&*pod.namespace, &*pod.name));
            let controllers =
                self.resources.controllers.iter().map(|own| (&*own.meta.namespace, &*own.meta.name));
            let system = pods.chain(controllers).filter(|(namespace, _)| *namespace == "kube-system");
            let names: Vec<&str> = system.map(|(_, name)| name).collect();
            let is_cache = |name: &&str| name.contains("node-local-dns") || name.contains("nodelocaldns");
            names.is_empty() || names.iter().any(is_cache)
        })
    }
}
