//! What a Node object says about addresses.
//!
//! `libcalico-go/lib/backend/k8s/resources/node.go:201` and
//! `libcalico-go/lib/backend/syncersv1/updateprocessors/felixnodeprocessor.go:47`, v3.32.1.

use super::address;
use crate::model::core::Node;
use crate::syntax::cidr::{self, Cidr};
use crate::version::HostsFrom;
use ipnet::IpNet;
use std::net::IpAddr;

/// Addresses of a node, as Calico has them.
#[derive(Debug)]
pub struct NodeFacts<'r> {
    /// the object
    pub node: &'r Node,
    /// addresses of the annotations that BGP's setup writes, IPv4 before IPv6
    bgp: Vec<Cidr>,
    /// those of them that are written with a length
    annotated: Vec<IpAddr>,
    /// those of them that VXLAN packets come from
    vxlan_hosts: Vec<IpAddr>,
    /// addresses inside of the cluster's network, with their lengths if known
    pub internal: Vec<IpNet>,
    /// addresses outside of it
    pub external: Vec<IpNet>,
}

impl<'r> NodeFacts<'r> {
    /// Reads a Node. `pod_cidr_mode`: addresses come from the node's pod CIDR (host-local IPAM).
    pub fn new(node: &'r Node) -> Self {
        let own = |key: &str, version: u8| {
            let text = annotation(node, key)?;
            let cidr = cidr::parse_or_address(text).filter(|cidr| cidr.version() == version)?;
            Some((cidr, text.contains('/')))
        };
        let own = [own("IPv4Address", 4), own("IPv6Address", 6)].into_iter().flatten();
        let annotated = own.clone().filter(|(_, with_length)| *with_length).map(|(cidr, _)| cidr.address);
        let has_tunnel = |(cidr, _): &(Cidr, bool)| vxlan_tunnel(node, cidr.version()).is_some();
        let vxlan_hosts = own.clone().filter(has_tunnel).map(|(cidr, _)| cidr.address).collect();
        let annotated = annotated.collect();
        let bgp: Vec<Cidr> = own.map(|(cidr, _)| cidr).collect();
        let of_kind = |kind: &str| -> Vec<IpNet> {
            let of_kind = node.addresses.iter().filter(|address| &*address.kind == kind);
            of_kind.filter_map(|address| address::parse_ip(&address.address)).map(IpNet::from).collect()
        };
        let mut internal: Vec<IpNet> = bgp.iter().map(with_host_bits).collect();
        let (inside, external) = (of_kind("InternalIP"), of_kind("ExternalIP"));
        internal.retain(|net| !external.iter().any(|outside| outside.addr() == net.addr()));
        for net in inside {
            if !internal.iter().any(|known| known.addr() == net.addr()) {
                internal.push(net);
            }
        }
        NodeFacts { node, bgp, annotated, vxlan_hosts, internal, external }
    }

    /// The address that Calico knows the node by, in one family, with its length if that is known.
    pub fn calico_net(&self, v4: bool) -> Option<IpNet> {
        let bgp = self.bgp.iter().map(with_host_bits);
        bgp.chain(self.internal.iter().copied()).find(|net| net.addr().is_ipv4() == v4)
    }

    /// Members of `all-hosts-net`: an annotation without a length is none
    /// (`felix/calc/dataplane_passthru.go:128`, v3.32.1); or one address in any case, and of IPv4
    /// (`libcalico-go/lib/backend/syncersv1/updateprocessors/felixnodeprocessor.go:73`, v3.30.7).
    pub fn hosts(&self, from: HostsFrom) -> Vec<IpAddr> {
        match from {
            HostsFrom::Annotations => self.annotated.clone(),
            HostsFrom::AnyAddress => {
                let v4 = |address: &IpAddr| address.is_ipv4();
                let annotated = self.bgp.iter().map(|cidr| cidr.address).find(v4);
                let of_kind = |kind: &str| {
                    let own = self.node.addresses.iter().filter(|address| &*address.kind == kind);
                    own.filter_map(|address| address::parse_ip(&address.address)).find(v4)
                };
                let any = annotated.or_else(|| of_kind("InternalIP")).or_else(|| of_kind("ExternalIP"));
                any.into_iter().collect()
            }
        }
    }

    /// The address that VXLAN packets of this node come from, if it has a tunnel of the family
    /// (`felix/calc/vxlan_resolver.go:261`, v3.32.1).
    pub fn vxlan_hosts(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.vxlan_hosts.iter().copied()
    }

    /// The node's VXLAN tunnel address of a family.
    pub fn vxlan_tunnel(&self, version: u8) -> Option<IpAddr> {
        vxlan_tunnel(self.node, version)
    }

    /// The node's IPIP tunnel address. With host-local IPAM it is the first address of the pod
    /// CIDR and one, whatever the annotation says.
    pub fn ipip_tunnel(&self, pod_cidr_mode: bool) -> Option<IpAddr> {
        match self.node.pod_cidrs.first().filter(|_| pod_cidr_mode) {
            Some(IpNet::V4(net)) => {
                let [a, b, c, d] = net.addr().octets();
                Some(IpAddr::from([a, b, c, d.wrapping_add(1)]))
            }
            Some(IpNet::V6(_)) => None,
            None => tunnel(self.node, "IPv4IPIPTunnelAddr", 4),
        }
    }
}

fn annotation<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.meta.annotations.get(&format!("projectcalico.org/{key}"))
}

fn vxlan_tunnel(node: &Node, version: u8) -> Option<IpAddr> {
    tunnel(node, if version == 4 { "IPv4VXLANTunnelAddr" } else { "IPv6VXLANTunnelAddr" }, version)
}

fn tunnel(node: &Node, key: &str, version: u8) -> Option<IpAddr> {
    let address = address::parse_ip(annotation(node, key)?);
    address.filter(|address| address.is_ipv4() == (version == 4))
}

fn with_host_bits(cidr: &Cidr) -> IpNet {
    IpNet::new(cidr.address, cidr.net.prefix_len()).unwrap_or(cidr.net)
}
