//! Tunnels between nodes: which one packets to a pod of another node take, and the packets that carry them.

use crate::felix;
use crate::ir::Family;
use crate::kernel::packet::UDP;
use crate::model::calico::IpPool;
use crate::resolve::Cluster;
use crate::resolve::view::NodeView;
use ipnet::IpNet;
use std::net::IpAddr;

/// The interface of IP-in-IP.
pub const IPIP: &str = "tunl0";
/// The interfaces of VXLAN over IPv4 and over IPv6.
pub const VXLAN: [&str; 2] = ["vxlan.calico", "vxlan-v6.calico"];

/// The protocol number of IPv4 in another packet.
const IP_IN_IP: u8 = 4;
/// The ports that the kernel chooses VXLAN's source ports from (`udp_flow_src_port`, the default of
/// `ip_local_port_range`).
const VXLAN_SOURCES: (u16, u16) = (32768, 60999);

/// What the tunnels of a node depend on.
pub struct Tunnels<'c> {
    cluster: &'c Cluster<'c>,
    view: &'c NodeView,
    wireguard: [bool; 2],
}

impl<'c> Tunnels<'c> {
    /// Of a node.
    pub fn new(cluster: &'c Cluster<'c>, view: &'c NodeView) -> Self {
        let config = &view.config;
        Tunnels { cluster, view, wireguard: [config.wireguard_enabled, config.wireguard_enabled_v6] }
    }

    /// The interface of the tunnel that packets to a pod of another node take; `None` if they take none. WireGuard
    /// counts before the pool's mode, once both nodes have a key.
    pub fn to(&self, node: &str, pod: IpAddr) -> Option<&'c str> {
        let config = &self.view.config;
        let v6 = usize::from(pod.is_ipv6());
        if self.wireguard[v6] && [&self.view.node, node].iter().all(|node| self.has_key(node, v6 == 1)) {
            return Some(if v6 == 1 { &config.wireguard_interface_v6 } else { &config.wireguard_interface });
        }
        let pools = &self.cluster.resources().pools;
        let fitting = pools.iter().filter(|pool| pool.cidr.value.contains(&pod));
        let pool = fitting.max_by_key(|pool| pool.cidr.value.prefix_len())?;
        self.of_pool(pool, node, v6)
    }

    fn of_pool(&self, pool: &IpPool, node: &str, v6: usize) -> Option<&'static str> {
        let crosses = || match [&*self.view.node, node].map(|node| self.cluster.node_net(node, v6 == 0)) {
            [Some(own), Some(other)] => !own.contains(&other.addr()),
            // without addresses there is nothing to compare
            _ => false,
        };
        let takes = |mode: &str| mode == "Always" || (mode == "CrossSubnet" && crosses());
        if v6 == 0 && takes(&pool.ipip_mode) {
            Some(IPIP)
        } else if takes(&pool.vxlan_mode) {
            Some(VXLAN[v6])
        } else {
            None
        }
    }

    fn has_key(&self, node: &str, v6: bool) -> bool {
        let nodes = &self.cluster.resources().nodes;
        let key = if v6 {
            "projectcalico.org/WireguardPublicKeyV6"
        } else {
            "projectcalico.org/WireguardPublicKey"
        };
        nodes.iter().any(|own| *own.meta.name == *node && own.meta.annotations.get(key).is_some())
    }
}

/// How packets are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Tunnel {
    IpInIp,
    Vxlan,
    WireGuard,
}

impl Tunnel {
    /// The tunnel behind an interface of a node, and the family of the packets that carry.
    pub fn behind(interface: &str, view: &NodeView) -> Option<(Tunnel, Family)> {
        let config = &view.config;
        match interface {
            IPIP => Some((Tunnel::IpInIp, Family::V4)),
            name if name == VXLAN[0] => Some((Tunnel::Vxlan, Family::V4)),
            name if name == VXLAN[1] => Some((Tunnel::Vxlan, Family::V6)),
            name if config.wireguard_enabled && *name == *config.wireguard_interface => {
                Some((Tunnel::WireGuard, Family::V4))
            }
            name if config.wireguard_enabled_v6 && *name == *config.wireguard_interface_v6 => {
                Some((Tunnel::WireGuard, Family::V6))
            }
            _ => None,
        }
    }

    /// What to call it.
    pub fn name(self) -> &'static str {
        match self {
            Tunnel::IpInIp => "IP-in-IP",
            Tunnel::Vxlan => "VXLAN",
            Tunnel::WireGuard => "WireGuard",
        }
    }

    /// The interface on which packets that were carried come in on a node.
    pub fn interface(self, family: Family, view: &NodeView) -> String {
        match (self, family) {
            (Tunnel::IpInIp, _) => IPIP.to_owned(),
            (Tunnel::Vxlan, Family::V4) => VXLAN[0].to_owned(),
            (Tunnel::Vxlan, Family::V6) => VXLAN[1].to_owned(),
            (Tunnel::WireGuard, Family::V4) => view.config.wireguard_interface.to_string(),
            (Tunnel::WireGuard, Family::V6) => view.config.wireguard_interface_v6.to_string(),
        }
    }

    /// IP protocol, source ports and destination port of the packets that carry, sent by one node to another.
    pub fn outer(self, family: Family, from: &NodeView, to: &NodeView) -> Outer {
        let listening = |view: &NodeView| match family {
            Family::V4 => view.config.wireguard_listening_port,
            Family::V6 => view.config.wireguard_listening_port_v6,
        };
        match self {
            Tunnel::IpInIp => Outer { protocol: IP_IN_IP, source_ports: None, port: None },
            Tunnel::Vxlan => {
                Outer { protocol: UDP, source_ports: Some(VXLAN_SOURCES), port: Some(from.config.vxlan_port) }
            }
            Tunnel::WireGuard => Outer {
                protocol: UDP,
                source_ports: Some((listening(from), listening(from))),
                port: Some(listening(to)),
            },
        }
    }

    /// The mark of a packet that carries another. IP-in-IP and VXLAN keep the other's, within a namespace
    /// (`skb_scrub_packet`, `net/core/skbuff.c`); WireGuard gives it its own.
    pub fn mark_outside(self, inner: u32, view: &NodeView) -> u32 {
        match self {
            Tunnel::IpInIp | Tunnel::Vxlan => inner,
            Tunnel::WireGuard => felix::wireguard_mark(view),
        }
    }

    /// The mark of a packet that was carried, the same way round; WireGuard clears it.
    pub fn mark_inside(self, outer: u32) -> u32 {
        match self {
            Tunnel::IpInIp | Tunnel::Vxlan => outer,
            Tunnel::WireGuard => 0,
        }
    }
}

/// What packets that carry others look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outer {
    /// IP protocol
    pub protocol: u8,
    /// source ports, first and last
    pub source_ports: Option<(u16, u16)>,
    /// destination port
    pub port: Option<u16>,
}

/// The address that a node's tunnels have outside.
pub fn end(cluster: &Cluster<'_>, node: &str, family: Family) -> Option<IpAddr> {
    cluster.node_net(node, family == Family::V4).map(|net: IpNet| net.addr())
}
