//! The policy kinds of Kubernetes (`k8s.io/api/networking/v1`, and
//! `policy.networking.k8s.io_clusternetworkpolicies.yaml`, v3.32.1).

use super::metadata::{METADATA, STRING_MAP};
use super::{Check, FULL, I32, List, STR, STRINGS, Schema, field, int, list, one_of, required, string};

static ANY: Schema = Schema::Any;

static LABEL_SELECTOR: Schema = Schema::Object(&[
    field("matchLabels", &STRING_MAP),
    field(
        "matchExpressions",
        &list(&Schema::Object(&[
            required("key", &STR),
            required("operator", &STR),
            field("values", &STRINGS),
        ])),
    ),
]);

static PEERS: Schema = list(&Schema::Object(&[
    field("podSelector", &LABEL_SELECTOR),
    field("namespaceSelector", &LABEL_SELECTOR),
    field("ipBlock", &Schema::Object(&[required("cidr", &STR), field("except", &STRINGS)])),
]));
static PORTS: Schema = list(&Schema::Object(&[
    field("protocol", &STR),
    field("port", &Schema::IntOrString),
    field("endPort", &int(I32, I32, FULL)),
]));
static INGRESS: Schema = list(&Schema::Object(&[field("ports", &PORTS), field("from", &PEERS)]));
static EGRESS: Schema = list(&Schema::Object(&[field("ports", &PORTS), field("to", &PEERS)]));

/// NetworkPolicy of Kubernetes.
pub static NETWORK_POLICY: Schema = Schema::Object(&[
    field("apiVersion", &STR),
    field("kind", &STR),
    field("metadata", &METADATA),
    field(
        "spec",
        &Schema::Object(&[
            field("podSelector", &LABEL_SELECTOR),
            field("ingress", &INGRESS),
            field("egress", &EGRESS),
            field("policyTypes", &STRINGS),
        ]),
    ),
    field("status", &ANY),
]);

/// StagedKubernetesNetworkPolicy of Calico: the same body, and what to do with it.
pub static STAGED_KUBERNETES_NETWORK_POLICY: Schema = object_with_spec![
    field("stagedAction", &one_of(&["Set", "Delete", "Learn", "Ignore"])),
    field("podSelector", &LABEL_SELECTOR),
    field("ingress", &INGRESS),
    field("egress", &EGRESS),
    field("policyTypes", &Schema::List(List { item: &STR, min: 1, max: 2, set: true })),
];

static NAMESPACED_PODS: Schema =
    Schema::Object(&[field("namespaceSelector", &LABEL_SELECTOR), required("podSelector", &LABEL_SELECTOR)]);
static SUBJECT: Schema =
    Schema::Object(&[field("namespaces", &LABEL_SELECTOR), field("pods", &NAMESPACED_PODS)]);

static PORT_NUMBER: Schema = int(I32, (1, 65_535), FULL);
static PORT_RANGE: Schema = Schema::Object(&[required("start", &PORT_NUMBER), required("end", &PORT_NUMBER)]);
static TRANSPORT: Schema = Schema::Object(&[field(
    "destinationPort",
    &Schema::Object(&[field("number", &PORT_NUMBER), field("range", &PORT_RANGE)]),
)]);
static PROTOCOLS: Schema = Schema::List(List {
    item: &Schema::Object(&[
        field("tcp", &TRANSPORT),
        field("udp", &TRANSPORT),
        field("sctp", &TRANSPORT),
        field("destinationNamedPort", &STR),
    ]),
    min: 1,
    max: 25,
    set: false,
});

static ACTION: Schema = one_of(&["Accept", "Deny", "Pass"]);
static RULE_NAME: Schema = string(Check::MaxLen(100), Check::Any);
static NETWORKS: Schema =
    Schema::List(List { item: &string(Check::MaxLen(43), Check::Any), min: 1, max: 25, set: true });
static FROM: Schema = Schema::List(List { item: &SUBJECT, min: 1, max: 25, set: false });
static TO: Schema = Schema::List(List {
    item: &Schema::Object(&[
        field("namespaces", &LABEL_SELECTOR),
        field("pods", &NAMESPACED_PODS),
        field("networks", &NETWORKS),
    ]),
    min: 1,
    max: 25,
    set: false,
});
static CLUSTER_INGRESS: Schema = Schema::List(List {
    item: &Schema::Object(&[
        field("name", &RULE_NAME),
        required("action", &ACTION),
        required("from", &FROM),
        field("protocols", &PROTOCOLS),
    ]),
    min: 0,
    max: 25,
    set: false,
});
static CLUSTER_EGRESS: Schema = Schema::List(List {
    item: &Schema::Object(&[
        field("name", &RULE_NAME),
        required("action", &ACTION),
        required("to", &TO),
        field("protocols", &PROTOCOLS),
    ]),
    min: 0,
    max: 25,
    set: false,
});

/// ClusterNetworkPolicy v1alpha2.
pub static CLUSTER_NETWORK_POLICY: Schema = Schema::Object(&[
    field("apiVersion", &STR),
    field("kind", &STR),
    field("metadata", &METADATA),
    required(
        "spec",
        &Schema::Object(&[
            required("tier", &one_of(&["Admin", "Baseline"])),
            required("priority", &int(I32, (0, 1000), FULL)),
            required("subject", &SUBJECT),
            field("ingress", &CLUSTER_INGRESS),
            field("egress", &CLUSTER_EGRESS),
        ]),
    ),
    field("status", &ANY),
]);

static ADMIN_ACTION: Schema = one_of(&["Allow", "Deny", "Pass"]);
static BASELINE_ACTION: Schema = one_of(&["Allow", "Deny"]);
static ADMIN_PORTS: Schema = Schema::List(List {
    item: &Schema::Object(&[
        field("portNumber", &Schema::Object(&[required("port", &PORT_NUMBER), field("protocol", &STR)])),
        field("namedPort", &STR),
        field(
            "portRange",
            &Schema::Object(&[
                required("start", &PORT_NUMBER),
                required("end", &PORT_NUMBER),
                field("protocol", &STR),
            ]),
        ),
    ]),
    min: 0,
    max: 100,
    set: false,
});
static BOTH_SELECTORS: Schema = Schema::Object(&[
    required("namespaceSelector", &LABEL_SELECTOR),
    required("podSelector", &LABEL_SELECTOR),
]);
static ADMIN_SUBJECT: Schema =
    Schema::Object(&[field("namespaces", &LABEL_SELECTOR), field("pods", &BOTH_SELECTORS)]);
static ADMIN_FROM: Schema = Schema::List(List { item: &ADMIN_SUBJECT, min: 1, max: 100, set: false });
static ADMIN_TO: Schema = Schema::List(List {
    item: &Schema::Object(&[
        field("namespaces", &LABEL_SELECTOR),
        field("pods", &BOTH_SELECTORS),
        field("nodes", &LABEL_SELECTOR),
        field("networks", &NETWORKS),
    ]),
    min: 1,
    max: 100,
    set: false,
});

/// `spec` of the kinds of v1alpha1, with the actions of one of them.
macro_rules! admin_policy {
    ($action:ident $(, $own:expr)*) => {
        Schema::Object(&[
            field("apiVersion", &STR),
            field("kind", &STR),
            field("metadata", &METADATA),
            required(
                "spec",
                &Schema::Object(&[
                    $($own,)*
                    required("subject", &ADMIN_SUBJECT),
                    field("ingress", &Schema::List(List {
                        item: &Schema::Object(&[
                            field("name", &RULE_NAME),
                            required("action", &$action),
                            required("from", &ADMIN_FROM),
                            field("ports", &ADMIN_PORTS),
                        ]),
                        min: 0,
                        max: 100,
                        set: false,
                    })),
                    field("egress", &Schema::List(List {
                        item: &Schema::Object(&[
                            field("name", &RULE_NAME),
                            required("action", &$action),
                            required("to", &ADMIN_TO),
                            field("ports", &ADMIN_PORTS),
                        ]),
                        min: 0,
                        max: 100,
                        set: false,
                    })),
                ]),
            ),
            field("status", &ANY),
        ])
    };
}

/// AdminNetworkPolicy v1alpha1
/// (`libcalico-go/config/crd/policy.networking.k8s.io_adminnetworkpolicies.yaml`, v3.31.7).
pub static ADMIN_NETWORK_POLICY: Schema =
    admin_policy!(ADMIN_ACTION, required("priority", &int(I32, (0, 1000), FULL)));

/// BaselineAdminNetworkPolicy v1alpha1
/// (`libcalico-go/config/crd/policy.networking.k8s.io_baselineadminnetworkpolicies.yaml`, v3.31.7).
pub static BASELINE_ADMIN_NETWORK_POLICY: Schema = admin_policy!(BASELINE_ACTION);
