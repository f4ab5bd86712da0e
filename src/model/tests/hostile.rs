//! Input that is wrong everywhere: nothing panics, and what is said stays bounded.

use super::lower_all;
use crate::model::{InvalidMode, Outcome, collect, lower};
use crate::source::{self, Input, Options};
use proptest::prelude::*;

const KINDS: [(&str, &str); 26] = [
    ("v1", "Pod"),
    ("v1", "Namespace"),
    ("v1", "ServiceAccount"),
    ("v1", "Node"),
    ("v1", "Service"),
    ("v1", "Endpoints"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy"),
    ("projectcalico.org/v3", "NetworkPolicy"),
    ("projectcalico.org/v3", "GlobalNetworkPolicy"),
    ("projectcalico.org/v3", "StagedKubernetesNetworkPolicy"),
    ("projectcalico.org/v3", "StagedGlobalNetworkPolicy"),
    ("projectcalico.org/v3", "Tier"),
    ("projectcalico.org/v3", "GlobalNetworkSet"),
    ("projectcalico.org/v3", "HostEndpoint"),
    ("projectcalico.org/v3", "IPPool"),
    ("projectcalico.org/v3", "FelixConfiguration"),
    ("projectcalico.org/v3", "BGPConfiguration"),
    ("projectcalico.org/v3", "KubeControllersConfiguration"),
    ("crd.projectcalico.org/v1", "GlobalNetworkPolicy"),
    ("crd.projectcalico.org/v1", "HostEndpoint"),
    ("crd.projectcalico.org/v1", "IPPool"),
    ("crd.projectcalico.org/v1", "FelixConfiguration"),
];

/// Keys that mean something to some kind, so that the draw gets past the first check.
const KEYS: [&str; 40] = [
    "spec",
    "metadata",
    "status",
    "ingress",
    "egress",
    "source",
    "destination",
    "ports",
    "nets",
    "selector",
    "types",
    "protocol",
    "action",
    "icmp",
    "type",
    "code",
    "services",
    "name",
    "namespace",
    "labels",
    "annotations",
    "cidr",
    "node",
    "interfaceName",
    "expectedIPs",
    "podSelector",
    "from",
    "to",
    "ipBlock",
    "except",
    "port",
    "endPort",
    "tier",
    "priority",
    "subject",
    "namespaces",
    "pods",
    "protocols",
    "containers",
    "order",
];

fn value() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        (0_i64..70_000).prop_map(Into::into),
        prop::sample::select(vec![
            "Allow",
            "TCP",
            "10.0.0.0/8",
            "fd00::/8",
            "all()",
            "a =",
            "80:90",
            "",
            "<x>",
            "Ingress"
        ])
        .prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
    ];
    scalar.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((prop::sample::select(KEYS.to_vec()), inner), 0..6).prop_map(|pairs| pairs
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_tree_of_any_kind_has_a_fate(kind in prop::sample::select(KINDS.to_vec()), metadata in value(), spec in value(), status in value(), named in any::<bool>()) {
        let metadata = if named { serde_json::json!({"name": "n", "labels": metadata}) } else { metadata };
        let text = serde_json::json!({
            "apiVersion": kind.0, "kind": kind.1, "metadata": metadata, "spec": spec, "status": status,
            "subsets": status, "endpoints": spec, "ports": status,
        }).to_string();
        let input = Input::Text { name: "t.json".to_owned(), bytes: text.into_bytes() };
        let loaded = source::read(&[input], &Options { threads: 1 }, |object| lower(object, Default::default()));
        let collected = collect(loaded.values, InvalidMode::Fail, Default::default());
        let errors = collected.diagnostics.iter().any(|d| d.severity == crate::diagnostic::Severity::Error);
        prop_assert_eq!(collected.fatal, errors, "{:?}", collected.diagnostics);
        prop_assert!(collected.diagnostics.len() <= 42);
    }
}

#[test]
fn thousands_of_mistakes_in_one_object_are_counted_not_listed() {
    let rules = "{action: Nope},".repeat(5000);
    let text = format!(
        "{{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {{name: p}}, spec: {{ingress: [{rules}]}}}}"
    );
    let lowered = lower_all(&text).remove(0);
    assert!(matches!(lowered.outcome, Outcome::RejectedByCalicoctl));
    assert_eq!(lowered.diagnostics.len(), 41);
    assert_eq!(lowered.diagnostics[40].message, "and 4960 more findings about this GlobalNetworkPolicy");
}

#[test]
fn an_object_that_is_deep_where_nobody_looks() {
    let deep = format!("{}x{}", "[".repeat(40), "]".repeat(40));
    let text = format!("{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{volumes: {deep}}}}}");
    assert!(matches!(lower_all(&text)[0].outcome, Outcome::Stored(_)));
    let text = format!(
        "{{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {{name: p}}, spec: {{order: {deep}}}}}"
    );
    assert!(matches!(lower_all(&text)[0].outcome, Outcome::RejectedByCalicoctl));
}
