//! Calico's other kinds (`api/pkg/apis/projectcalico/v3/`, v3.32.1).

use super::metadata::METADATA;
use super::{
    Check, FULL, I32, List, STR, STRING_SET, STRINGS, Schema, U16, field, int, list, one_of, required, string,
};
use crate::model::validate::names;
use crate::syntax::cidr;

static ANY: Schema = Schema::Any;
static BOOL: Schema = Schema::Bool;
static NUMBER: Schema = Schema::Number;
static PROTOCOL: Schema = Schema::ByteOrString;

fn is_net(text: &str) -> bool {
    cidr::parse_or_address(text).is_some_and(|cidr| cidr.is_masked())
}
fn is_cidr_or_address(text: &str) -> bool {
    cidr::parse_or_address(text).is_some()
}
fn is_cidr(text: &str) -> bool {
    cidr::parse(text).is_some()
}
fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}
fn is_v4(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>().is_ok()
}
fn is_v6(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}
fn is_ignored_interface(text: &str) -> bool {
    text != "*"
        && (1..=15).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'*' | b'-'))
}

static NAME: Schema = string(
    Check::Any,
    Check::Test(names::is_subdomain_form, "name of lower-case letters, digits, `-` and `.`"),
);

static SET_NETS: Schema = Schema::List(List {
    item: &string(Check::Any, Check::Test(is_cidr_or_address, "CIDR or address")),
    min: 0,
    max: usize::MAX,
    set: true,
});

/// NetworkSet and GlobalNetworkSet.
pub static NETWORK_SET: Schema = Schema::Object(&[
    field("apiVersion", &STR),
    field("kind", &STR),
    field("metadata", &METADATA),
    field("spec", &Schema::Object(&[field("nets", &SET_NETS)])),
]);

/// Tier.
pub static TIER: Schema = Schema::Object(&[
    field("apiVersion", &STR),
    field("kind", &STR),
    field("metadata", &METADATA),
    field(
        "spec",
        &Schema::Object(&[field("order", &NUMBER), field("defaultAction", &one_of(&["Deny", "Pass"]))]),
    ),
    field("status", &ANY),
]);

static ENDPOINT_PORT: Schema = Schema::Object(&[
    required("name", &STR),
    required("protocol", &PROTOCOL),
    required("port", &int(U16, (1, 65_535), (1, 65_535))),
]);

/// HostEndpoint.
pub static HOST_ENDPOINT: Schema = object_with_spec![
    field(
        "node",
        &string(
            Check::MaxLen(253),
            Check::Test(names::is_subdomain_form, "name of lower-case letters, digits, `-` and `.`"),
        ),
    ),
    field(
        "interfaceName",
        &string(Check::MaxLen(15), Check::Test(names::is_interface, "name of an interface, nor `*`")),
    ),
    field(
        "expectedIPs",
        &Schema::List(List {
            item: &string(Check::Any, Check::Test(is_address, "IP address")),
            min: 0,
            max: usize::MAX,
            set: true,
        }),
    ),
    field("profiles", &Schema::List(List { item: &NAME, min: 0, max: usize::MAX, set: true })),
    field("ports", &list(&ENDPOINT_PORT)),
];

static MODE: Schema = one_of(&["Never", "Always", "CrossSubnet"]);

/// IPPool.
pub static IP_POOL: Schema = Schema::Object(&[
    field("apiVersion", &STR),
    field("kind", &STR),
    field("metadata", &METADATA),
    field(
        "spec",
        &Schema::Object(&[
            required("cidr", &string(Check::Test(is_cidr, "CIDR"), Check::Test(is_cidr, "CIDR"))),
            field("vxlanMode", &MODE),
            field("ipipMode", &MODE),
            field("natOutgoing", &BOOL),
            field("disabled", &BOOL),
            field("disableBGPExport", &BOOL),
            field("blockSize", &int(FULL, (0, 128), FULL)),
            field("nodeSelector", &STR),
            field("namespaceSelector", &STR),
            field(
                "allowedUses",
                &Schema::List(List {
                    item: &one_of(&["Workload", "Tunnel", "LoadBalancer"]),
                    min: 0,
                    max: 10,
                    set: true,
                }),
            ),
            field("assignmentMode", &one_of(&["Automatic", "Manual"])),
        ]),
    ),
    field("status", &ANY),
]);

static CIDR_BLOCK: Schema = Schema::Object(&[field(
    "cidr",
    &string(Check::Test(is_cidr, "CIDR"), Check::Test(is_net, "CIDR without host bits")),
)]);
static CIDR_BLOCKS: Schema = list(&CIDR_BLOCK);
static ENABLED: Schema = string(Check::OneOf(&["Enabled", "Disabled"]), Check::Any);
static PRIORITY: Schema = int(FULL, (1, 2_147_483_646), (1, 2_147_483_646));

/// BGPConfiguration.
pub static BGP_CONFIGURATION: Schema = object_with_spec![
    field(
        "logSeverityScreen",
        &string(
            Check::Fold(&["Trace", "Debug", "Info", "Warning", "Error", "Fatal"]),
            Check::OneOf(&["Trace", "Debug", "Info", "Warning", "Error", "Fatal"]),
        ),
    ),
    field("nodeToNodeMeshEnabled", &BOOL),
    field("asNumber", &Schema::AsNumber),
    field("serviceLoadBalancerIPs", &CIDR_BLOCKS),
    field("serviceExternalIPs", &CIDR_BLOCKS),
    field("serviceClusterIPs", &CIDR_BLOCKS),
    field("serviceLoadBalancerAggregation", &ENABLED),
    field("communities", &list(&Schema::Object(&[field("name", &NAME), field("value", &STR)]))),
    field(
        "prefixAdvertisements",
        &list(&Schema::Object(&[
            field(
                "cidr",
                &string(Check::Test(is_cidr, "CIDR"), Check::Test(is_net, "CIDR without host bits")),
            ),
            field("communities", &STRINGS),
        ])),
    ),
    field("listenPort", &int(U16, (1, 65_535), U16)),
    field(
        "nodeMeshPassword",
        &Schema::Object(&[field(
            "secretKeyRef",
            &Schema::Object(&[required("key", &STR), field("name", &STR), field("optional", &BOOL)]),
        )]),
    ),
    field("nodeMeshMaxRestartTime", &Schema::Duration),
    field("bindMode", &string(Check::OneOf(&["None", "NodeIP"]), Check::Any)),
    field(
        "ignoredInterfaces",
        &Schema::List(List {
            item: &string(Check::Any, Check::Test(is_ignored_interface, "name of an interface")),
            min: 0,
            max: usize::MAX,
            set: true,
        }),
    ),
    field("localWorkloadPeeringIPV4", &string(Check::Any, Check::Test(is_v4, "IPv4 address"))),
    field("localWorkloadPeeringIPV6", &string(Check::Any, Check::Test(is_v6, "IPv6 address"))),
    field("programClusterRoutes", &ENABLED),
    field("ipv4NormalRoutePriority", &PRIORITY),
    field("ipv6NormalRoutePriority", &PRIORITY),
];

/// ClusterInformation.
pub static CLUSTER_INFORMATION: Schema = object_with_spec![
    field("clusterGUID", &STR),
    field("clusterType", &STR),
    field("calicoVersion", &STR),
    field("datastoreReady", &BOOL),
    field("variant", &STR),
];

static SWITCH: Schema = one_of(&["Enabled", "Disabled"]);
static RECONCILER: Schema = Schema::Object(&[field("reconcilerPeriod", &Schema::Duration)]);

/// KubeControllersConfiguration. It programs no rule; but calicoctl decodes it as strictly as the others.
pub static KUBE_CONTROLLERS_CONFIGURATION: Schema = Schema::Object(&[
    field("apiVersion", &STR),
    field("kind", &STR),
    field("metadata", &METADATA),
    field(
        "spec",
        &Schema::Object(&[
            field("logSeverityScreen", &STR),
            field("healthChecks", &STR),
            field("etcdV3CompactionPeriod", &Schema::Duration),
            field("prometheusMetricsPort", &int(FULL, U16, FULL)),
            field("debugProfilePort", &int(I32, U16, FULL)),
            field(
                "controllers",
                &Schema::Object(&[
                    field(
                        "node",
                        &Schema::Object(&[
                            field("reconcilerPeriod", &Schema::Duration),
                            field("syncLabels", &SWITCH),
                            field(
                                "hostEndpoint",
                                &Schema::Object(&[
                                    field("autoCreate", &SWITCH),
                                    field("createDefaultHostEndpoint", &STR),
                                    field(
                                        "templates",
                                        &list(&Schema::Object(&[
                                            field("generateName", &STR),
                                            field("interfaceCIDRs", &STRING_SET),
                                            field("interfacePattern", &STR),
                                            field("nodeSelector", &STR),
                                            field("labels", &super::metadata::STRING_MAP),
                                        ])),
                                    ),
                                ]),
                            ),
                            field("leakGracePeriod", &Schema::Duration),
                        ]),
                    ),
                    field("policy", &RECONCILER),
                    field("workloadEndpoint", &RECONCILER),
                    field("serviceAccount", &RECONCILER),
                    field("namespace", &RECONCILER),
                    field("loadBalancer", &Schema::Object(&[field("assignIPs", &STR)])),
                    field("policyMigration", &Schema::Object(&[field("enabled", &STR)])),
                ]),
            ),
        ]),
    ),
    field("status", &ANY),
]);
