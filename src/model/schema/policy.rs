//! Calico's policies and their rules (`policy_common.go`, `globalnetworkpolicy.go`, `networkpolicy.go`
//! and their staged kinds in `api/pkg/apis/projectcalico/v3/`, v3.32.1).

use super::metadata::STRING_MAP;
use super::{
    Check, FULL, List, STR, STRING_SET, STRINGS, Schema, field, int, list, one_of, required, string,
};
use crate::model::validate::names::is_subdomain_form;

static BOOL: Schema = Schema::Bool;
static NUMBER: Schema = Schema::Number;
static PROTOCOL: Schema = Schema::ByteOrString;
static PORT: Schema = Schema::Port;
static PORTS: Schema = list(&PORT);
static NAME: Schema =
    string(Check::Any, Check::Test(is_subdomain_form, "name of lower-case letters, digits, `-` and `.`"));
/// `policy_common.go`: `action`.
static ACTION: Schema = one_of(&["Allow", "Deny", "Log", "Pass"]);
static DIRECTION: Schema = one_of(&["Ingress", "Egress"]);
static TYPES: Schema = Schema::List(List { item: &DIRECTION, min: 1, max: 2, set: true });
static HINTS: Schema = list(&one_of(&["AssumeNeededOnEveryNode"]));
static STAGED_ACTION: Schema = one_of(&["Set", "Delete", "Learn", "Ignore"]);
static IP_VERSION: Schema = Schema::IpVersion;

static ICMP: Schema = Schema::Object(&[
    field("type", &int(FULL, (0, 254), (0, 254))),
    field("code", &int(FULL, (0, 255), (0, 255))),
]);

static SERVICES: Schema = Schema::Object(&[field("name", &NAME), field("namespace", &NAME)]);
static SERVICE_ACCOUNTS: Schema = Schema::Object(&[field("names", &STRING_SET), field("selector", &STR)]);

static ENTITY: Schema = Schema::Object(&[
    field("nets", &STRING_SET),
    field("selector", &STR),
    field("namespaceSelector", &STR),
    field("services", &SERVICES),
    field("ports", &PORTS),
    field("notNets", &STRINGS),
    field("notSelector", &STR),
    field("notPorts", &PORTS),
    field("serviceAccounts", &SERVICE_ACCOUNTS),
]);

static HTTP_TEXT: Schema = string(Check::MaxLen(1024), Check::Any);
static HTTP_PATH: Schema = Schema::Object(&[field("exact", &HTTP_TEXT), field("prefix", &HTTP_TEXT)]);
static HTTP: Schema = Schema::Object(&[
    field("methods", &Schema::List(List { item: &STR, min: 0, max: 20, set: false })),
    field("paths", &Schema::List(List { item: &HTTP_PATH, min: 0, max: 20, set: false })),
]);

static RULE: Schema = Schema::Object(&[
    required("action", &ACTION),
    field("ipVersion", &IP_VERSION),
    field("protocol", &PROTOCOL),
    field("icmp", &ICMP),
    field("notProtocol", &PROTOCOL),
    field("notICMP", &ICMP),
    field("source", &ENTITY),
    field("destination", &ENTITY),
    field("http", &HTTP),
    field("metadata", &Schema::Object(&[field("annotations", &STRING_MAP)])),
]);
/// A list of rules.
pub static RULES: Schema = list(&RULE);

/// A policy of the whole cluster; a staged one says first what becomes of it.
macro_rules! global_policy {
    ($($first:expr)?) => {
        object_with_spec![
            $($first,)?
            field("tier", &NAME),
            field("order", &NUMBER),
            field("ingress", &RULES),
            field("egress", &RULES),
            field("selector", &STR),
            field("types", &TYPES),
            field("doNotTrack", &BOOL),
            field("preDNAT", &BOOL),
            field("applyOnForward", &BOOL),
            field("serviceAccountSelector", &STR),
            field("namespaceSelector", &STR),
            field("performanceHints", &HINTS),
        ]
    };
}

/// A policy of a namespace; a staged one says first what becomes of it.
macro_rules! namespaced_policy {
    ($($first:expr)?) => {
        object_with_spec![
            $($first,)?
            field("tier", &NAME),
            field("order", &NUMBER),
            field("ingress", &RULES),
            field("egress", &RULES),
            field("selector", &STR),
            field("types", &TYPES),
            field("serviceAccountSelector", &STR),
            field("performanceHints", &HINTS),
        ]
    };
}

/// GlobalNetworkPolicy.
pub static GLOBAL_NETWORK_POLICY: Schema = global_policy![];

/// NetworkPolicy of Calico.
pub static NETWORK_POLICY: Schema = namespaced_policy![];

/// StagedGlobalNetworkPolicy.
pub static STAGED_GLOBAL_NETWORK_POLICY: Schema = global_policy![field("stagedAction", &STAGED_ACTION)];

/// StagedNetworkPolicy.
pub static STAGED_NETWORK_POLICY: Schema = namespaced_policy![field("stagedAction", &STAGED_ACTION)];
