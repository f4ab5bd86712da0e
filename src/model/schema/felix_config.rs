//! FelixConfiguration: the Go type, the schema's condition and calicoctl's tag of every field
//! (`api/pkg/apis/projectcalico/v3/felixconfig.go` and
//! `libcalico-go/config/crd/crd.projectcalico.org_felixconfigurations.yaml`, v3.32.1).
//!
//! The tags `regexp` are not checked: Go's regular expressions are a language of their own, and no
//! field that has one reaches a rule.

use super::metadata::{METADATA, STRING_MAP};
use super::{
    Check, FULL, I32, INT, STR, STRINGS, Schema, U16, U32, field, int, list, one_of, required, string,
};
use crate::model::validate::names;
use crate::syntax::cidr;

static BOOL: Schema = Schema::Bool;
static DURATION: Schema = Schema::Duration;
static PORT: Schema = Schema::Port;
static PORTS: Schema = list(&PORT);
static DSCP: Schema = Schema::ByteOrString;
static CIDRS: Schema = list(&string(Check::Any, Check::Test(is_cidr_or_address, "CIDR or address")));
static FILTERS: Schema = list(&string(
    Check::Any,
    Check::Test(names::is_interface_filter, "name of an interface, with or without `+`"),
));
static PROTO_PORTS: Schema = list(&Schema::Object(&[
    field("protocol", &STR),
    required("port", &int(U16, FULL, FULL)),
    field("net", &STR),
]));
static TABLE_RANGE: Schema = Schema::Object(&[required("min", &INT), required("max", &INT)]);
static TABLE_RANGES: Schema = list(&TABLE_RANGE);
static HEALTH_TIMEOUTS: Schema =
    list(&Schema::Object(&[required("name", &STR), required("timeout", &DURATION)]));
static CONNTRACK_TIMEOUTS: Schema = Schema::Object(&[
    field("creationGracePeriod", &STR),
    field("tcpSynSent", &STR),
    field("tcpEstablished", &STR),
    field("tcpFinsSeen", &STR),
    field("tcpResetSeen", &STR),
    field("udpTimeout", &STR),
    field("genericTimeout", &STR),
    field("icmpTimeout", &STR),
]);
static ALLOW_ACTION: Schema = string(Check::Fold(&["Accept", "Return"]), Check::OneOf(&["Accept", "Return"]));
static CHECKED_SWITCH: Schema = one_of(&["Enabled", "Disabled"]);
static DENY_ACTION: Schema = string(Check::Fold(&["Drop", "Reject"]), Check::OneOf(&["Drop", "Reject"]));
static INTERFACE: Schema = string(Check::Any, Check::Test(names::is_interface, "name of an interface"));
static LOG_LEVEL: Schema = string(
    Check::Fold(&["Trace", "Debug", "Info", "Warning", "Error", "Fatal"]),
    Check::OneOf(&["Trace", "Debug", "Info", "Warning", "Error", "Fatal"]),
);
static MAGLEV: Schema = int(FULL, FULL, (1, 3000));
static MARK_MASK: Schema = int(U32, I32, FULL);
static MINUS_ONE_UP: Schema = int(FULL, FULL, (-1, i64::MAX));
static NONZERO_PORT: Schema = int(FULL, FULL, (1, 65535));
static PORT_NUMBER: Schema = int(FULL, FULL, (0, 65535));
static PRIORITY: Schema = int(FULL, FULL, (1, 2147483646));
static SWITCH: Schema = string(Check::OneOf(&["Enabled", "Disabled"]), Check::Any);

/// FelixConfiguration.
pub static FELIX_CONFIGURATION: Schema = Schema::Object(&[
    field("apiVersion", &STR),
    field("kind", &STR),
    field("metadata", &METADATA),
    field("spec", &SPEC),
]);

static SPEC: Schema = Schema::Object(&[
    field("nodeSelector", &string(Check::MaxLen(1024), Check::Any)),
    field("useInternalDataplaneDriver", &BOOL),
    field("dataplaneDriver", &STR),
    field("dataplaneWatchdogTimeout", &DURATION),
    field("ipv6Support", &BOOL),
    field("routeRefreshInterval", &DURATION),
    field("interfaceRefreshInterval", &DURATION),
    field("iptablesRefreshInterval", &DURATION),
    field("iptablesPostWriteCheckInterval", &DURATION),
    field("iptablesLockProbeInterval", &DURATION),
    field(
        "featureDetectOverride",
        &string(
            Check::Test(is_switch_list, "list of `name=true` and `name=false`"),
            Check::Test(is_key_value_list, "list of `key=value`"),
        ),
    ),
    field(
        "featureGates",
        &string(
            Check::Test(is_gate_list, "list of `name=value`"),
            Check::Test(is_key_value_list, "list of `key=value`"),
        ),
    ),
    field("ipsetsRefreshInterval", &DURATION),
    field("maxIpsetSize", &INT),
    field(
        "iptablesBackend",
        &string(Check::OneOf(&["Legacy", "NFT", "Auto"]), Check::OneOf(&["Auto", "NFT", "Legacy"])),
    ),
    field("xdpRefreshInterval", &DURATION),
    field("netlinkTimeout", &DURATION),
    field("metadataAddr", &STR),
    field("metadataPort", &INT),
    field("openstackRegion", &STR),
    field("interfacePrefix", &STR),
    field("interfaceExclude", &STR),
    field("chainInsertMode", &string(Check::Fold(&["Insert", "Append"]), Check::Any)),
    field(
        "defaultEndpointToHostAction",
        &string(Check::Fold(&["Drop", "Accept", "Return"]), Check::OneOf(&["Drop", "Accept", "Return"])),
    ),
    field("iptablesFilterAllowAction", &ALLOW_ACTION),
    field("iptablesMangleAllowAction", &ALLOW_ACTION),
    field("iptablesFilterDenyAction", &DENY_ACTION),
    field(
        "logPrefix",
        &string(
            Check::Test(is_log_prefix, "prefix of letters, digits, `%`, `:`, `/`, `_`, `-` and spaces"),
            Check::Any,
        ),
    ),
    field("logActionRateLimit", &string(Check::Test(is_log_rate, "rate such as `10/minute`"), Check::Any)),
    field("logActionRateLimitBurst", &int(FULL, (0, 9999), FULL)),
    field("logFilePath", &STR),
    field("logSeverityFile", &LOG_LEVEL),
    field("logSeverityScreen", &LOG_LEVEL),
    field("logSeveritySys", &LOG_LEVEL),
    field("logDebugFilenameRegex", &STR),
    field("ipipEnabled", &BOOL),
    field("ipipMTU", &INT),
    field("vxlanEnabled", &BOOL),
    field("vxlanMTU", &INT),
    field("vxlanMTUV6", &INT),
    field("vxlanPort", &INT),
    field("vxlanVNI", &INT),
    field("allowVXLANPacketsFromWorkloads", &BOOL),
    field("allowIPIPPacketsFromWorkloads", &BOOL),
    field("reportingInterval", &DURATION),
    field("reportingTTL", &DURATION),
    field("endpointReportingEnabled", &BOOL),
    field("endpointReportingDelay", &DURATION),
    field("endpointStatusPathPrefix", &STR),
    field("iptablesMarkMask", &MARK_MASK),
    field("disableConntrackInvalidCheck", &BOOL),
    field("healthEnabled", &BOOL),
    field("healthHost", &STR),
    field("healthPort", &INT),
    field("healthTimeoutOverrides", &HEALTH_TIMEOUTS),
    field("prometheusMetricsEnabled", &BOOL),
    field(
        "prometheusMetricsHost",
        &string(Check::Any, Check::Test(names::is_prometheus_host, "host name or address")),
    ),
    field("prometheusMetricsPort", &INT),
    field("prometheusGoMetricsEnabled", &BOOL),
    field("prometheusProcessMetricsEnabled", &BOOL),
    field("prometheusWireGuardMetricsEnabled", &BOOL),
    field("prometheusMetricsCAFile", &STR),
    field("prometheusMetricsCertFile", &STR),
    field("prometheusMetricsKeyFile", &STR),
    field(
        "prometheusMetricsClientAuth",
        &string(
            Check::Any,
            Check::OneOf(&[
                "RequireAndVerifyClientCert",
                "RequireAnyClientCert",
                "VerifyClientCertIfGiven",
                "NoClientCert",
            ]),
        ),
    ),
    field("failsafeInboundHostPorts", &PROTO_PORTS),
    field("failsafeOutboundHostPorts", &PROTO_PORTS),
    field("kubeNodePortRanges", &PORTS),
    field("policySyncPathPrefix", &STR),
    field("usageReportingEnabled", &BOOL),
    field("usageReportingInitialDelay", &DURATION),
    field("usageReportingInterval", &DURATION),
    field("natPortRange", &PORT),
    field("natOutgoingAddress", &STR),
    field("natOutgoingExclusions", &one_of(&["IPPoolsOnly", "IPPoolsAndHostIPs"])),
    field("deviceRouteSourceAddress", &STR),
    field("deviceRouteSourceAddressIPv6", &STR),
    field("deviceRouteProtocol", &INT),
    field("removeExternalRoutes", &BOOL),
    field("programClusterRoutes", &SWITCH),
    field("ipForwarding", &SWITCH),
    field("externalNodesList", &STRINGS),
    field("debugMemoryProfilePath", &STR),
    field("debugDisableLogDropping", &BOOL),
    field("debugSimulateCalcGraphHangAfter", &DURATION),
    field("debugSimulateDataplaneHangAfter", &DURATION),
    field("debugSimulateDataplaneApplyDelay", &DURATION),
    field("debugHost", &STR),
    field("debugPort", &PORT_NUMBER),
    field(
        "iptablesNATOutgoingInterfaceFilter",
        &string(
            Check::Any,
            Check::Test(names::is_interface_filter, "name of an interface, with or without `+`"),
        ),
    ),
    field("sidecarAccelerationEnabled", &BOOL),
    field("xdpEnabled", &BOOL),
    field("genericXDPEnabled", &BOOL),
    field("nftablesMode", &string(Check::OneOf(&["Disabled", "Enabled", "Auto"]), Check::Any)),
    field("nftablesRefreshInterval", &DURATION),
    field("nftablesFilterAllowAction", &ALLOW_ACTION),
    field("nftablesMangleAllowAction", &ALLOW_ACTION),
    field("nftablesFilterDenyAction", &DENY_ACTION),
    field("nftablesMarkMask", &MARK_MASK),
    field("bpfEnabled", &BOOL),
    field("bpfDisableUnprivileged", &BOOL),
    field("bpfJITHardening", &one_of(&["Auto", "Strict"])),
    field(
        "bpfLogLevel",
        &string(Check::Fold(&["Off", "Info", "Debug"]), Check::OneOf(&["Debug", "Info", "Off"])),
    ),
    field("bpfConntrackLogLevel", &one_of(&["Off", "Debug"])),
    field("bpfConntrackMode", &one_of(&["Auto", "Userspace", "BPFProgram"])),
    field("bpfConntrackTimeouts", &CONNTRACK_TIMEOUTS),
    field("bpfLogFilters", &STRING_MAP),
    field("bpfCTLBLogFilter", &STR),
    field("bpfDataIfacePattern", &STR),
    field("bpfL3IfacePattern", &STR),
    field("bpfConnectTimeLoadBalancingEnabled", &BOOL),
    field("bpfConnectTimeLoadBalancing", &one_of(&["TCP", "Enabled", "Disabled"])),
    field("bpfHostNetworkedNATWithoutCTLB", &CHECKED_SWITCH),
    field(
        "bpfExternalServiceMode",
        &string(Check::Fold(&["Tunnel", "DSR"]), Check::OneOf(&["Tunnel", "DSR"])),
    ),
    field("bpfDSROptoutCIDRs", &CIDRS),
    field("bpfExtToServiceConnmark", &int(FULL, FULL, (0, 4294967295))),
    field("bpfKubeProxyIptablesCleanupEnabled", &BOOL),
    field("bpfKubeProxyMinSyncPeriod", &DURATION),
    field("bpfKubeProxyHealthzPort", &PORT_NUMBER),
    field("bpfPSNATPorts", &PORT),
    field("bpfMapSizeNATFrontend", &INT),
    field("bpfMapSizeNATBackend", &INT),
    field("bpfMapSizeNATAffinity", &INT),
    field("bpfMapSizeRoute", &INT),
    field("bpfMapSizeConntrack", &INT),
    field("bpfMapSizePerCpuConntrack", &INT),
    field("bpfMapSizeConntrackScaling", &string(Check::Fold(&["Disabled", "DoubleIfFull"]), Check::Any)),
    field("bpfMapSizeConntrackCleanupQueue", &int(FULL, (1, i64::MAX), (1, i64::MAX))),
    field("bpfMapSizeIPSets", &INT),
    field("bpfMapSizeIfState", &INT),
    field("bpfHostConntrackBypass", &BOOL),
    field("bpfEnforceRPF", &string(Check::Fold(&["Disabled", "Strict", "Loose"]), Check::Any)),
    field("bpfPolicyDebugEnabled", &BOOL),
    field("bpfForceTrackPacketsFromIfaces", &FILTERS),
    field("bpfDisableGROForIfaces", &STR),
    field("bpfExcludeCIDRsFromNAT", &CIDRS),
    field("bpfExportBufferSizeMB", &INT),
    field("istioAmbientMode", &SWITCH),
    field("istioDSCPMark", &DSCP),
    field("cgroupV2Path", &STR),
    field("flowLogsPolicyEvaluationMode", &string(Check::OneOf(&["None", "Continuous"]), Check::Any)),
    field("bpfRedirectToPeer", &SWITCH),
    field("bpfAttachType", &one_of(&["TC", "TCX"])),
    field("flowLogsFlushInterval", &DURATION),
    field("flowLogsCollectorDebugTrace", &BOOL),
    field("flowLogsGoldmaneServer", &STR),
    field("flowLogsLocalReporter", &string(Check::OneOf(&["Disabled", "Enabled"]), Check::Any)),
    field("bpfProfiling", &SWITCH),
    field("routeSource", &string(Check::Fold(&["WorkloadIPs", "CalicoIPAM"]), Check::Any)),
    field("routeTableRanges", &TABLE_RANGES),
    field("routeTableRange", &TABLE_RANGE),
    field("routeSyncDisabled", &BOOL),
    field("ipv4NormalRoutePriority", &PRIORITY),
    field("ipv4ElevatedRoutePriority", &PRIORITY),
    field("ipv6NormalRoutePriority", &PRIORITY),
    field("ipv6ElevatedRoutePriority", &PRIORITY),
    field("liveMigrationRouteConvergenceTime", &DURATION),
    field("wireguardEnabled", &BOOL),
    field("wireguardEnabledV6", &BOOL),
    field("wireguardThreadingEnabled", &BOOL),
    field("wireguardListeningPort", &NONZERO_PORT),
    field("wireguardListeningPortV6", &NONZERO_PORT),
    field("wireguardRoutingRulePriority", &int(FULL, FULL, (1, 32765))),
    field("wireguardInterfaceName", &INTERFACE),
    field("wireguardInterfaceNameV6", &INTERFACE),
    field("wireguardMTU", &INT),
    field("wireguardMTUV6", &INT),
    field("wireguardHostEncryptionEnabled", &BOOL),
    field("wireguardKeepAlive", &DURATION),
    field("awsSrcDstCheck", &one_of(&["DoNothing", "Enable", "Disable"])),
    field(
        "serviceLoopPrevention",
        &string(Check::Fold(&["Drop", "Reject", "Disabled"]), Check::OneOf(&["Drop", "Reject", "Disabled"])),
    ),
    field(
        "workloadSourceSpoofing",
        &string(Check::Fold(&["Disabled", "Any"]), Check::OneOf(&["Disabled", "Any"])),
    ),
    field("mtuIfacePattern", &STR),
    field("floatingIPs", &SWITCH),
    field("windowsManageFirewallRules", &CHECKED_SWITCH),
    field("goGCThreshold", &MINUS_ONE_UP),
    field("goMemoryLimitMB", &MINUS_ONE_UP),
    field("goMaxProcs", &MINUS_ONE_UP),
    field("requireMTUFile", &BOOL),
    field("bpfMaglevMaxEndpointsPerService", &MAGLEV),
    field("bpfMaglevMaxServices", &MAGLEV),
]);

/// The API name of a field of `spec`, which Go's decoder takes in any case.
pub fn field_name(written: &str, fold: bool) -> Option<&'static str> {
    let Schema::Object(fields) = &SPEC else {
        return None;
    };
    let exact = fields.iter().find(|field| field.name == written);
    exact
        .or_else(|| fields.iter().find(|field| fold && field.name.eq_ignore_ascii_case(written)))
        .map(|field| field.name)
}

fn is_cidr_or_address(text: &str) -> bool {
    cidr::parse_or_address(text).is_some()
}

/// `name=true,name=false`, with empty items only at the end.
fn is_switch_list(text: &str) -> bool {
    is_list(text, |value| value == "true" || value == "false")
}

fn is_gate_list(text: &str) -> bool {
    is_list(text, |value| !value.is_empty())
}

fn is_list(text: &str, value_ok: impl Fn(&str) -> bool) -> bool {
    let name_ok = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    text.is_empty()
        || text
            .strip_suffix(',')
            .unwrap_or(text)
            .split(',')
            .all(|item| item.split_once('=').is_some_and(|(name, value)| name_ok(name) && value_ok(value)))
}

/// calicoctl's own reading of the same lists: looser names, any value.
fn is_key_value_list(text: &str) -> bool {
    text.trim().is_empty()
        || text.split(',').filter(|item| !item.is_empty()).all(|item| {
            item.trim_start().split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            })
        })
}

/// One to 9999 per unit of time.
fn is_log_rate(text: &str) -> bool {
    text.split_once('/').is_some_and(|(number, unit)| {
        (1..=4).contains(&number.len())
            && !number.starts_with('0')
            && number.bytes().all(|b| b.is_ascii_digit())
            && matches!(unit, "second" | "minute" | "hour" | "day")
    })
}

fn is_log_prefix(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'%' | b':' | b' ' | b'/' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_switches() {
        for text in ["", "a=true", "a=true,b-c=false,", "SNATFullyRandom=false"] {
            assert!(is_switch_list(text), "{text}");
        }
        for text in ["a", "a=yes", ",a=true", "a=true,,b=true"] {
            assert!(!is_switch_list(text), "{text}");
        }
        assert!(is_key_value_list(" a=b=c,,") && !is_key_value_list("a-b=c"));
    }

    #[test]
    fn rates_and_prefixes() {
        assert!(is_log_rate("10/minute") && is_log_rate("9999/day"));
        for text in ["0/minute", "10000/day", "10", "10/week", "/day"] {
            assert!(!is_log_rate(text), "{text}");
        }
        assert!(is_log_prefix("fw %t %k %n") && !is_log_prefix("a\"b"));
    }
}
