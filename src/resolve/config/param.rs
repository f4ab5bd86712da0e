//! The parameters that change what is rendered: how each is read, and what `none` and a text that
//! cannot be read mean for it (`felix/config/config_params.go`, v3.32.1).

use super::value::{self, boolean, one_of};
use super::{AllowAction, DenyAction, FelixConfig, HostAction, InsertMode, LoopPrevention};

/// Sets a field of the configuration from a text.
type Apply = fn(&mut FelixConfig, &str) -> Result<(), String>;

/// One parameter.
pub struct Param {
    /// its name, as documentation and environment variables spell it
    pub name: &'static str,
    /// reads a text into the configuration
    pub apply: Apply,
    /// sets it to the zero value, which the text `none` asks for; absent where Felix refuses that
    pub zero: Option<fn(&mut FelixConfig)>,
    /// Felix exits when it cannot read the value, rather than falling back to the default
    pub required: bool,
}

/// Falls back to the default when unreadable, accepts `none`.
const fn lenient(name: &'static str, zero: fn(&mut FelixConfig), apply: Apply) -> Param {
    Param { name, apply, zero: Some(zero), required: false }
}

/// Makes Felix exit when unreadable or `none`.
const fn strict(name: &'static str, apply: Apply) -> Param {
    Param { name, apply, zero: None, required: true }
}

/// All of them, by name.
pub const PARAMS: &[Param] = &[
    lenient(
        "AllowIPIPPacketsFromWorkloads",
        |c| c.allow_ipip_packets_from_workloads = false,
        |c, raw| boolean(raw).map(|v| c.allow_ipip_packets_from_workloads = v),
    ),
    lenient(
        "AllowVXLANPacketsFromWorkloads",
        |c| c.allow_vxlan_packets_from_workloads = false,
        |c, raw| boolean(raw).map(|v| c.allow_vxlan_packets_from_workloads = v),
    ),
    strict("ChainInsertMode", |c, raw| {
        let modes = [InsertMode::Insert, InsertMode::Append];
        one_of(raw, &["insert", "append"]).map(|i| c.chain_insert_mode = modes[i])
    }),
    lenient(
        "ClusterType",
        |c| c.cluster_type = "".into(),
        |c, raw| {
            c.cluster_type = raw.into();
            Ok(())
        },
    ),
    strict("DefaultEndpointToHostAction", |c, raw| {
        let actions = [HostAction::Drop, HostAction::Return, HostAction::Accept];
        one_of(raw, &["DROP", "RETURN", "ACCEPT"]).map(|i| c.default_endpoint_to_host_action = actions[i])
    }),
    lenient(
        "DisableConntrackInvalidCheck",
        |c| c.disable_conntrack_invalid_check = false,
        |c, raw| boolean(raw).map(|v| c.disable_conntrack_invalid_check = v),
    ),
    Param {
        name: "ExternalNodesCIDRList",
        apply: |c, raw| value::cidrs(raw).map(|v| c.external_nodes_cidr_list = v),
        zero: Some(|c| c.external_nodes_cidr_list = Vec::new()),
        required: true,
    },
    Param {
        name: "FailsafeInboundHostPorts",
        apply: |c, raw| value::failsafe_ports(raw).map(|v| c.failsafe_inbound = v),
        zero: Some(|c| c.failsafe_inbound = Vec::new()),
        required: true,
    },
    Param {
        name: "FailsafeOutboundHostPorts",
        apply: |c, raw| value::failsafe_ports(raw).map(|v| c.failsafe_outbound = v),
        zero: Some(|c| c.failsafe_outbound = Vec::new()),
        required: true,
    },
    lenient("FeatureDetectOverride", |_| {}, features),
    lenient(
        "FloatingIPs",
        |c| c.floating_ips = false,
        |c, raw| one_of(raw, &["Enabled", "Disabled"]).map(|i| c.floating_ips = i == 0),
    ),
    lenient(
        "FlowLogsGoldmaneServer",
        |c| c.flow_logs_goldmane = false,
        |c, raw| {
            c.flow_logs_goldmane = !raw.is_empty();
            Ok(())
        },
    ),
    lenient(
        "FlowLogsLocalReporter",
        |c| c.flow_logs_local = false,
        |c, raw| one_of(raw, &["Enabled", "Disabled"]).map(|i| c.flow_logs_local = i == 0),
    ),
    lenient(
        "InterfaceExclude",
        |c| c.interface_exclude = Vec::new(),
        |c, raw| super::interface_exclude(raw).map(|v| c.interface_exclude = v),
    ),
    strict("InterfacePrefix", |c, raw| value::interface_names(raw).map(|v| c.interface_prefix = v)),
    lenient(
        "IpInIpEnabled",
        |c| c.ip_in_ip_enabled = None,
        |c, raw| boolean(raw).map(|v| c.ip_in_ip_enabled = Some(v)),
    ),
    strict("IptablesFilterAllowAction", |c, raw| allow(raw).map(|v| c.iptables_filter_allow_action = v)),
    strict("IptablesFilterDenyAction", |c, raw| {
        let actions = [DenyAction::Drop, DenyAction::Reject];
        one_of(raw, &["DROP", "REJECT"]).map(|i| c.iptables_filter_deny_action = actions[i])
    }),
    strict("IptablesMangleAllowAction", |c, raw| allow(raw).map(|v| c.iptables_mangle_allow_action = v)),
    strict("IptablesMarkMask", |c, raw| value::mark_mask(raw).map(|v| c.iptables_mark_mask = v)),
    lenient(
        "IptablesNATOutgoingInterfaceFilter",
        |c| c.iptables_nat_outgoing_interface_filter = "".into(),
        |c, raw| value::interface_pattern(raw).map(|v| c.iptables_nat_outgoing_interface_filter = v),
    ),
    lenient("Ipv6Support", |c| c.ipv6_support = false, |c, raw| boolean(raw).map(|v| c.ipv6_support = v)),
    lenient(
        "IstioAmbientMode",
        |c| c.istio_ambient = false,
        |c, raw| one_of(raw, &["Disabled", "Enabled"]).map(|i| c.istio_ambient = i == 1),
    ),
    lenient(
        "IstioDSCPMark",
        |c| c.istio_dscp_mark = 0,
        |c, raw| value::dscp(raw).map(|v| c.istio_dscp_mark = v),
    ),
    lenient(
        "KubeNodePortRanges",
        |c| c.kube_node_port_ranges = Vec::new(),
        |c, raw| value::port_ranges(raw).map(|v| c.kube_node_port_ranges = v),
    ),
    lenient(
        "LogActionRateLimit",
        |c| c.log_action_rate_limit = "".into(),
        |c, raw| value::log_rate(raw).map(|v| c.log_action_rate_limit = v),
    ),
    // the bounds are written `0,9999`, which Felix reads as "from 0 or from 9999", not as a range
    // (`felix/config/config_params.go:343` and `:1063`, v3.32.1); 16 bits of the value are used
    lenient(
        "LogActionRateLimitBurst",
        |c| c.log_action_rate_limit_burst = 0,
        |c, raw| value::integer(raw, 0, i64::MAX).map(|v| c.log_action_rate_limit_burst = v as u16),
    ),
    lenient(
        "LogPrefix",
        |c| c.log_prefix = "".into(),
        |c, raw| {
            if raw.contains('\n') {
                return Err("expected a single line".into());
            }
            c.log_prefix = raw.into();
            Ok(())
        },
    ),
    Param {
        name: "MaxIpsetSize",
        apply: |c, raw| value::integer(raw, i64::MIN, i64::MAX).map(|v| c.max_ipset_size = v),
        zero: None,
        required: false,
    },
    Param {
        name: "MetadataAddr",
        apply: |c, raw| {
            if raw.is_empty() || !raw.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) {
                return Err("expected a host name".into());
            }
            c.metadata_addr = raw.into();
            Ok(())
        },
        zero: Some(|c| c.metadata_addr = "".into()),
        required: true,
    },
    Param {
        name: "MetadataPort",
        apply: |c, raw| value::integer(raw, 0, 65535).map(|v| c.metadata_port = v as u16),
        zero: Some(|c| c.metadata_port = 0),
        required: true,
    },
    lenient(
        "NATOutgoingAddress",
        |c| c.nat_outgoing_address = None,
        |c, raw| value::ipv4(raw).map(|v| c.nat_outgoing_address = Some(v)),
    ),
    lenient(
        "NATOutgoingExclusions",
        |c| c.nat_excludes_hosts = false,
        |c, raw| one_of(raw, &["IPPoolsOnly", "IPPoolsAndHostIPs"]).map(|i| c.nat_excludes_hosts = i == 1),
    ),
    lenient(
        "NATPortRange",
        |c| c.nat_port_range = None,
        |c, raw| {
            // a range that ends at 0 is no range (`felix/rules/nat.go:98`, v3.32.1)
            value::port_range(raw).map(|v| c.nat_port_range = Some(v).filter(|(_, last)| *last > 0))
        },
    ),
    lenient(
        "NFTablesMode",
        |c| c.keep_covered_members = !c.nftables_mode.unless_disabled,
        |c, raw| {
            let modes: &[&str] = &["Enabled", "Disabled", "Auto"];
            let known = if c.nftables_mode.auto { modes } else { &modes[..2] };
            one_of(raw, known).map(|i| c.keep_covered_members = i == 1)
        },
    ),
    lenient(
        "ServiceLoopPrevention",
        |c| c.service_loop_prevention = LoopPrevention::Disabled,
        |c, raw| {
            let actions = [LoopPrevention::Drop, LoopPrevention::Reject, LoopPrevention::Disabled];
            one_of(raw, &["Drop", "Reject", "Disabled"]).map(|i| c.service_loop_prevention = actions[i])
        },
    ),
    lenient(
        "VXLANEnabled",
        |c| c.vxlan_enabled = None,
        |c, raw| boolean(raw).map(|v| c.vxlan_enabled = Some(v)),
    ),
    lenient(
        "VXLANPort",
        |c| c.vxlan_port = 0,
        |c, raw| value::integer(raw, i64::MIN, i64::MAX).map(|v| c.vxlan_port = v as u16),
    ),
    lenient(
        "WireguardEnabled",
        |c| c.wireguard_enabled = false,
        |c, raw| boolean(raw).map(|v| c.wireguard_enabled = v),
    ),
    lenient(
        "WireguardEnabledV6",
        |c| c.wireguard_enabled_v6 = false,
        |c, raw| boolean(raw).map(|v| c.wireguard_enabled_v6 = v),
    ),
    lenient(
        "WireguardHostEncryptionEnabled",
        |c| c.wireguard_host_encryption = false,
        |c, raw| boolean(raw).map(|v| c.wireguard_host_encryption = v),
    ),
    Param {
        name: "WireguardInterfaceName",
        apply: |c, raw| value::interface_pattern(raw).map(|v| c.wireguard_interface = v),
        zero: None,
        required: false,
    },
    Param {
        name: "WireguardInterfaceNameV6",
        apply: |c, raw| value::interface_pattern(raw).map(|v| c.wireguard_interface_v6 = v),
        zero: None,
        required: false,
    },
    lenient(
        "WireguardListeningPort",
        |c| c.wireguard_listening_port = 0,
        |c, raw| value::integer(raw, i64::MIN, i64::MAX).map(|v| c.wireguard_listening_port = v as u16),
    ),
    lenient(
        "WireguardListeningPortV6",
        |c| c.wireguard_listening_port_v6 = 0,
        |c, raw| value::integer(raw, i64::MIN, i64::MAX).map(|v| c.wireguard_listening_port_v6 = v as u16),
    ),
    lenient(
        "WorkloadSourceSpoofing",
        |c| c.workload_source_spoofing = false,
        |c, raw| one_of(raw, &["Disabled", "Any"]).map(|i| c.workload_source_spoofing = i == 1),
    ),
];

fn allow(raw: &str) -> Result<AllowAction, String> {
    one_of(raw, &["ACCEPT", "RETURN"]).map(|i| [AllowAction::Accept, AllowAction::Return][i])
}

/// `key=value` pairs that override what Felix finds out about iptables and the kernel. Values that
/// are no booleans, and unknown keys, are passed over (`felix/environment/feature_detect_linux.go:146`,
/// v3.32.1).
fn features(config: &mut FelixConfig, raw: &str) -> Result<(), String> {
    let mut pairs = Vec::new();
    for item in raw.split(',').filter(|item| !item.trim().is_empty()) {
        pairs.push(
            item.trim_start().split_once('=').ok_or_else(|| format!("`{item}` is no `key=value` pair"))?,
        );
    }
    for (key, value) in pairs {
        let on = match value {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => true,
            "0" | "f" | "F" | "FALSE" | "false" | "False" => false,
            _ => continue,
        };
        match key {
            "MASQFullyRandom" => config.masq_fully_random = on,
            "SNATFullyRandom" => config.snat_fully_random = on,
            "NFLogSize" => config.nflog_size = on,
            _ => {}
        }
    }
    Ok(())
}
