//! How kube-proxy is set up, as far as packets notice.

use crate::diagnostic::{Diagnostic, Severity};
use crate::felix;
use crate::model::Resources;
use crate::model::core::KubeProxy;
use crate::resolve::view::NodeView;
use ipnet::IpNet;
use std::net::IpAddr;

/// How it carries out its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Mode {
    Iptables,
    Ipvs,
    Nftables,
}

impl Mode {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Iptables => "iptables",
            Mode::Ipvs => "IPVS",
            Mode::Nftables => "nftables",
        }
    }
}

/// By what kube-proxy tells packets of the cluster's pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// it does not
    Unknown,
    /// by their source
    Nets(Vec<IpNet>),
    /// by the interface that they come in on
    Interface(Box<str>),
}

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// how it works
    pub mode: Mode,
    /// addresses of the node that node ports are open on; `None` for all of them
    pub node_port_addresses: Option<Vec<IpNet>>,
    /// which packets come from pods
    pub local: Local,
    /// whatever goes to a cluster IP gets the node's address for a source
    pub masquerade_all: bool,
    /// the bit of the mark for packets whose source is to be rewritten
    pub mark: u32,
    /// node ports are open on 127.0.0.1
    pub localhost_node_ports: bool,
    /// packets that conntrack can make nothing of are forwarded
    pub forwards_invalid: bool,
    /// the node's own address of each family, by which it is told from others
    pub node_addresses: Vec<IpAddr>,
    given: bool,
}

/// The identifier of what [`Settings::other_mode`] says.
pub const OTHER_MODE: &str = "kube-proxy-mode";

impl Settings {
    /// Reads the configuration, or assumes kube-proxy's defaults. An interface of kube-proxy in IPVS mode on
    /// the node counts more than what is written.
    pub fn new(resources: &Resources, view: &NodeView) -> Self {
        let node = resources.nodes.iter().find(|node| *node.meta.name == *view.node);
        let pod_cidrs = node.map_or(&[][..], |node| &node.pod_cidrs);
        let internal = node.into_iter().flat_map(|node| &node.addresses).filter(|a| &*a.kind == "InternalIP");
        let mut settings = Settings {
            mode: Mode::Iptables,
            node_port_addresses: None,
            local: assumed_pods(resources, view),
            masquerade_all: false,
            mark: 1 << 14,
            localhost_node_ports: true,
            forwards_invalid: false,
            node_addresses: internal.filter_map(|own| own.address.parse().ok()).collect(),
            given: resources.kube_proxy.is_some(),
        };
        if let Some(own) = &resources.kube_proxy {
            settings.take(own, pod_cidrs);
        }
        if felix::is_ipvs(view) {
            settings.mode = Mode::Ipvs;
        }
        settings
    }

    fn take(&mut self, own: &KubeProxy, pod_cidrs: &[IpNet]) {
        self.mode = match &*own.mode {
            "ipvs" => Mode::Ipvs,
            "nftables" => Mode::Nftables,
            _ => Mode::Iptables,
        };
        self.node_port_addresses = match (own.node_ports_on_primary, &*own.node_port_addresses) {
            (true, _) => Some(self.node_addresses.iter().map(|address| IpNet::from(*address)).collect()),
            // the nets of one family say nothing of the other
            (false, []) => None,
            (false, nets) => Some(nets.to_vec()),
        };
        let nets = |nets: &[IpNet]| match nets {
            [] => Local::Unknown,
            nets => Local::Nets(nets.to_vec()),
        };
        self.local = match &*own.detect_local {
            "NodeCIDR" => nets(pod_cidrs),
            "BridgeInterface" | "InterfaceNamePrefix" => match &*own.local_interface {
                "" | "+" => Local::Unknown,
                name => Local::Interface(name.into()),
            },
            _ => nets(&own.cluster_cidrs),
        };
        self.masquerade_all = own.masquerade_all;
        self.mark = 1 << own.masquerade_bit;
        self.localhost_node_ports = own.localhost_node_ports;
        self.forwards_invalid = own.conntrack_is_liberal;
    }

    /// Says so if it works in a mode that is not known here.
    pub fn other_mode(&self, node: &str) -> Option<String> {
        let mode = self.mode.name();
        (self.mode != Mode::Iptables).then(|| {
            format!(
                "kube-proxy works in {mode} mode on node `{node}`, whose rules are not known here: packets to services \
                 are followed as if nothing translated them"
            )
        })
    }

    /// Says what was assumed, and what of this kube-proxy is not known here.
    pub fn told(&self, node: &str) -> Option<Diagnostic> {
        if let Some(message) = self.other_mode(node) {
            return Some(
                Diagnostic::new(OTHER_MODE, Severity::Warning, None, message).help(
                    "what is said of addresses and node ports of services does not hold there; host endpoints, ports \
                     of nodes and traffic to pods themselves do not depend on kube-proxy",
                ),
            );
        }
        if self.given {
            return None;
        }
        let pods = match &self.local {
            Local::Unknown => "pods that it cannot tell from others".to_owned(),
            Local::Nets(nets) => {
                let nets: Vec<String> = nets.iter().map(|net| format!("`{net}`")).collect();
                format!("pods in {}", nets.join(", "))
            }
            Local::Interface(name) => format!("pods behind `{name}`"),
        };
        let message = format!(
            "kube-proxy's configuration is not given; assumed iptables mode, node ports on all addresses of a node \
             (`nodePortAddresses`), and {pods}"
        );
        Some(
            Diagnostic::new("assumed-kube-proxy", Severity::Note, None, message)
                .help("add its ConfigMap `kube-system/kube-proxy` to the manifests"),
        )
    }
}

/// Pods are in the pools, or else behind the interfaces that Calico makes.
fn assumed_pods(resources: &Resources, view: &NodeView) -> Local {
    let pools = resources.pools.iter().map(|pool| pool.cidr.value);
    let nets: Vec<IpNet> = pools.collect();
    match (&*nets, &*view.config.interface_prefix) {
        ([], [prefix, ..]) => Local::Interface(format!("{prefix}+").into()),
        ([], []) => Local::Unknown,
        _ => Local::Nets(nets),
    }
}
