//! Felix's effective configuration: every parameter that changes what is rendered.
//!
//! Defaults and meanings: `felix/config/config_params.go`, v3.32.1. `param` says how each parameter
//! is read, `sources` where its value comes from.

pub mod param;
pub mod sources;
pub mod value;

use crate::version::{CalicoVersion, Facts, NftablesMode};
use ipnet::IpNet;
use std::net::IpAddr;

/// What `insert` and `append` mean for the hook rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum InsertMode {
    Insert,
    Append,
}

/// ACCEPT or RETURN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum AllowAction {
    Accept,
    Return,
}

/// DROP or REJECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DenyAction {
    Drop,
    Reject,
}

/// DefaultEndpointToHostAction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum HostAction {
    Drop,
    Return,
    Accept,
}

/// ServiceLoopPrevention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LoopPrevention {
    Drop,
    Reject,
    Disabled,
}

/// An entry of the failsafe lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailsafePort {
    /// `tcp`, `udp`, `sctp`
    pub protocol: Box<str>,
    /// restricts the rule to an address range
    pub net: Option<IpNet>,
    /// port
    pub port: u16,
}

/// The effective configuration. One field per parameter of the same name in camel case.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct FelixConfig {
    pub interface_prefix: Vec<Box<str>>,
    pub interface_exclude: Vec<InterfacePattern>,
    pub chain_insert_mode: InsertMode,
    pub default_endpoint_to_host_action: HostAction,
    pub iptables_filter_allow_action: AllowAction,
    pub iptables_mangle_allow_action: AllowAction,
    pub iptables_filter_deny_action: DenyAction,
    pub log_prefix: Box<str>,
    /// "" for none, e.g. `10/minute`
    pub log_action_rate_limit: Box<str>,
    pub log_action_rate_limit_burst: u16,
    pub vxlan_port: u16,
    pub vxlan_enabled: Option<bool>,
    pub ip_in_ip_enabled: Option<bool>,
    pub floating_ips: bool,
    pub allow_vxlan_packets_from_workloads: bool,
    pub allow_ipip_packets_from_workloads: bool,
    pub service_loop_prevention: LoopPrevention,
    /// WorkloadSourceSpoofing is `Any`
    pub workload_source_spoofing: bool,
    pub iptables_mark_mask: u32,
    pub disable_conntrack_invalid_check: bool,
    pub failsafe_inbound: Vec<FailsafePort>,
    pub failsafe_outbound: Vec<FailsafePort>,
    /// FlowLogsGoldmaneServer is set
    pub flow_logs_goldmane: bool,
    /// FlowLogsLocalReporter is `Enabled`
    pub flow_logs_local: bool,
    pub kube_node_port_ranges: Vec<(u16, u16)>,
    pub nat_port_range: Option<(u16, u16)>,
    pub nat_outgoing_address: Option<std::net::IpAddr>,
    /// NATOutgoingExclusions is `IPPoolsAndHostIPs`
    pub nat_excludes_hosts: bool,
    pub iptables_nat_outgoing_interface_filter: Box<str>,
    pub external_nodes_cidr_list: Vec<IpNet>,
    pub ipv6_support: bool,
    pub max_ipset_size: i64,
    pub istio_ambient: bool,
    pub istio_dscp_mark: u8,
    pub wireguard_enabled: bool,
    pub wireguard_enabled_v6: bool,
    pub wireguard_listening_port: u16,
    pub wireguard_listening_port_v6: u16,
    pub wireguard_host_encryption: bool,
    pub wireguard_interface: Box<str>,
    pub wireguard_interface_v6: Box<str>,
    /// ClusterType of ClusterInformation
    pub cluster_type: Box<str>,
    /// a host name or an address
    pub metadata_addr: Box<str>,
    pub metadata_port: u16,
    /// members of a set that others cover are kept, which NFTablesMode decides
    pub keep_covered_members: bool,
    /// how NFTablesMode is read
    pub nftables_mode: NftablesMode,
    /// `MASQFullyRandom` of FeatureDetectOverride
    pub masq_fully_random: bool,
    /// `SNATFullyRandom` of FeatureDetectOverride
    pub snat_fully_random: bool,
    /// `NFLogSize` of FeatureDetectOverride
    pub nflog_size: bool,
}

impl Default for FelixConfig {
    fn default() -> Self {
        FelixConfig::of(CalicoVersion::LATEST.facts())
    }
}

impl FelixConfig {
    /// The defaults of a version.
    pub fn of(facts: &Facts) -> Self {
        let tcp = |port| FailsafePort { protocol: "tcp".into(), net: None, port };
        let udp = |port| FailsafePort { protocol: "udp".into(), net: None, port };
        FelixConfig {
            interface_prefix: vec!["cali".into()],
            interface_exclude: vec![InterfacePattern::Name("kube-ipvs0".into())],
            chain_insert_mode: InsertMode::Insert,
            default_endpoint_to_host_action: HostAction::Drop,
            iptables_filter_allow_action: AllowAction::Accept,
            iptables_mangle_allow_action: AllowAction::Accept,
            iptables_filter_deny_action: DenyAction::Drop,
            log_prefix: "calico-packet".into(),
            log_action_rate_limit: "".into(),
            log_action_rate_limit_burst: 5,
            vxlan_port: 4789,
            vxlan_enabled: None,
            ip_in_ip_enabled: None,
            floating_ips: false,
            allow_vxlan_packets_from_workloads: false,
            allow_ipip_packets_from_workloads: false,
            service_loop_prevention: LoopPrevention::Drop,
            workload_source_spoofing: false,
            iptables_mark_mask: 0xffff_0000,
            disable_conntrack_invalid_check: false,
            failsafe_inbound: [
                tcp(22),
                udp(68),
                tcp(179),
                tcp(2379),
                tcp(2380),
                tcp(5473),
                tcp(6443),
                tcp(6666),
                tcp(6667),
            ]
            .into(),
            failsafe_outbound: [
                udp(53),
                udp(67),
                tcp(179),
                tcp(2379),
                tcp(2380),
                tcp(5473),
                tcp(6443),
                tcp(6666),
                tcp(6667),
            ]
            .into(),
            flow_logs_goldmane: false,
            flow_logs_local: false,
            kube_node_port_ranges: vec![(30000, 32767)],
            nat_port_range: None,
            nat_outgoing_address: None,
            nat_excludes_hosts: false,
            iptables_nat_outgoing_interface_filter: "".into(),
            external_nodes_cidr_list: Vec::new(),
            ipv6_support: true,
            max_ipset_size: 1_048_576,
            istio_ambient: false,
            istio_dscp_mark: 23,
            wireguard_enabled: false,
            wireguard_enabled_v6: false,
            wireguard_listening_port: 51820,
            wireguard_listening_port_v6: 51821,
            wireguard_host_encryption: false,
            wireguard_interface: "wireguard.cali".into(),
            wireguard_interface_v6: "wg-v6.cali".into(),
            cluster_type: "".into(),
            metadata_addr: "127.0.0.1".into(),
            metadata_port: 8775,
            keep_covered_members: !facts.nftables_mode.auto,
            nftables_mode: facts.nftables_mode,
            masq_fully_random: true,
            snat_fully_random: true,
            nflog_size: true,
        }
    }
}

impl FelixConfig {
    /// Flow logs are on: NFLOG rules are rendered.
    pub fn flow_logs(&self) -> bool {
        self.flow_logs_goldmane || self.flow_logs_local
    }

    /// The OpenStack special cases are on (`felix/config/config_params.go:692`, v3.32.1).
    pub fn openstack(&self) -> bool {
        self.cluster_type.to_lowercase().contains("openstack")
            || (!self.metadata_addr.is_empty() && &*self.metadata_addr != "127.0.0.1")
            || (self.metadata_port != 0 && self.metadata_port != 8775)
            || self.interface_prefix.iter().any(|prefix| &**prefix == "tap")
    }

    /// The address of OpenStack's metadata service, if it is given as one.
    pub fn metadata_address(&self) -> Option<IpAddr> {
        self.metadata_addr.parse().ok()
    }

    /// Whether Felix passes over an interface of this name when it looks for the node's own
    /// addresses and host endpoints.
    pub fn excludes_interface(&self, name: &str) -> bool {
        let workload = self.interface_prefix.iter().any(|prefix| name.starts_with(&**prefix));
        workload || self.interface_exclude.iter().any(|pattern| pattern.matches(name))
    }
}

/// An entry of InterfaceExclude.
#[derive(Debug, Clone)]
pub enum InterfacePattern {
    /// a name
    Name(Box<str>),
    /// a regular expression, which is written between slashes
    Regex(regex_lite::Regex),
}

impl InterfacePattern {
    fn matches(&self, name: &str) -> bool {
        match self {
            InterfacePattern::Name(own) => &**own == name,
            InterfacePattern::Regex(regex) => regex.is_match(name),
        }
    }
}

impl PartialEq for InterfacePattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (InterfacePattern::Name(a), InterfacePattern::Name(b)) => a == b,
            (InterfacePattern::Regex(a), InterfacePattern::Regex(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}

/// Reads InterfaceExclude: names, or regular expressions between slashes, separated by commas
/// (`felix/config/param_types.go:358`, v3.32.1).
fn interface_exclude(raw: &str) -> Result<Vec<InterfacePattern>, String> {
    raw.split(',')
        .map(|item| match item.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            Some(pattern) if !pattern.is_empty() => regex_lite::Regex::new(pattern)
                .map(InterfacePattern::Regex)
                .map_err(|error| format!("`{pattern}` is no regular expression: {error}")),
            _ => value::interface_names(item).map(|_| InterfacePattern::Name(item.into())),
        })
        .collect()
}
