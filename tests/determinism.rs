//! The same objects give the same bytes, in whatever order they are written and however many threads
//! read them.

mod common;

use netpolc::emit::{self, Dialect};
use netpolc::felix;
use netpolc::model::{InvalidMode, collect, lower};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

const NAMESPACES: [&str; 3] = ["shop", "web", "kube-system"];
const KEYS: [&str; 3] = ["app", "role", "zone"];
const VALUES: [&str; 3] = ["a", "b", "c"];

fn one_of<T: Clone + std::fmt::Debug + 'static>(items: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(items)
}

fn labels() -> impl Strategy<Value = String> {
    proptest::collection::btree_map(one_of(&KEYS), one_of(&VALUES), 0..3).prop_map(|map| {
        let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        format!("{{{}}}", pairs.join(", "))
    })
}

fn selector() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (one_of(&KEYS), one_of(&VALUES)).prop_map(|(key, value)| format!("{key} == '{value}'")),
        one_of(&KEYS).prop_map(|key| format!("has({key})")),
        (one_of(&KEYS), one_of(&VALUES)).prop_map(|(key, value)| format!("{key} not in {{'{value}', 'x'}}")),
        Just("all()".to_owned()),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

fn rule() -> impl Strategy<Value = String> {
    let side = prop_oneof![
        Just(String::new()),
        selector().prop_map(|s| format!(", source: {{selector: \"{s}\"}}")),
        (1..250u8, 1..4usize).prop_map(|(net, count)| {
            let nets: Vec<String> = (0..count).map(|n| format!("10.{net}.{n}.0/24")).collect();
            format!(", source: {{nets: [{}]}}", nets.join(", "))
        }),
        (1..30u16)
            .prop_map(|port| format!(", protocol: TCP, destination: {{ports: [{port}, '80:90', http]}}")),
    ];
    (one_of(&["Allow", "Deny", "Log", "Pass"]), side)
        .prop_map(|(action, side)| format!("{{action: {action}{side}}}"))
}

fn policy(number: usize) -> impl Strategy<Value = String> {
    let rules = proptest::collection::vec(rule(), 0..3).prop_map(|rules| format!("[{}]", rules.join(", ")));
    let order = prop_oneof![Just(String::new()), (0..3u8).prop_map(|order| format!(", order: {order}"))];
    let kind =
        one_of(&["GlobalNetworkPolicy", "NetworkPolicy", "StagedGlobalNetworkPolicy", "StagedNetworkPolicy"]);
    let host = one_of(&[
        "",
        ", applyOnForward: true",
        ", applyOnForward: true, preDNAT: true",
        ", applyOnForward: true, doNotTrack: true",
    ]);
    (kind, one_of(&NAMESPACES), one_of(&["default", "secure"]), order, selector(), rules, host).prop_map(
        move |(kind, namespace, tier, order, selector, ingress, host)| {
            let global = kind.ends_with("GlobalNetworkPolicy");
            let (scope, host) = if global { (String::new(), host) } else { (format!(", namespace: {namespace}"), "") };
            format!(
                "apiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: p-{number}{scope}}}\n\
                 spec: {{tier: {tier}{order}, selector: \"{selector}\", types: [Ingress], ingress: {ingress}{host}}}\n"
            )
        },
    )
}

fn kubernetes_policy(number: usize) -> impl Strategy<Value = String> {
    let peer = prop_oneof![
        labels().prop_map(|labels| format!("{{podSelector: {{matchLabels: {labels}}}}}")),
        labels().prop_map(|labels| format!("{{namespaceSelector: {{matchLabels: {labels}}}}}")),
        (0..200u8)
            .prop_map(|net| format!("{{ipBlock: {{cidr: 10.{net}.0.0/16, except: [10.{net}.1.0/24]}}}}")),
    ];
    let peers = proptest::collection::vec(peer, 0..3);
    (one_of(&NAMESPACES), labels(), peers).prop_map(move |(namespace, labels, peers)| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: k-{number}, namespace: {namespace}}}\n\
             spec: {{podSelector: {{matchLabels: {labels}}}, ingress: [{{from: [{}], ports: [{{port: http}}, {{port: 80, protocol: UDP}}]}}]}}\n",
            peers.join(", ")
        )
    })
}

fn pod(number: usize) -> impl Strategy<Value = String> {
    (one_of(&NAMESPACES), labels(), 1..3u8).prop_map(move |(namespace, labels, node)| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: pod-{number}, namespace: {namespace}, labels: {labels}}}\n\
             spec: {{nodeName: node-{node}, containers: [{{name: c, image: i, ports: [{{name: http, containerPort: {}}}]}}]}}\n\
             status: {{phase: Running, podIPs: [{{ip: 10.244.0.{}}}]}}\n",
            8000 + number,
            number + 1
        )
    })
}

fn network_set(number: usize) -> impl Strategy<Value = String> {
    (labels(), 0..200u8).prop_map(move |(labels, net)| {
        format!(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {{name: set-{number}, labels: {labels}}}\n\
             spec: {{nets: [172.{net}.0.0/16, 172.{net}.3.0/24, 192.0.2.{number}]}}\n"
        )
    })
}

fn host_endpoint(number: usize) -> impl Strategy<Value = String> {
    (labels(), one_of(&["eth0", "eth1", "*"])).prop_map(move |(labels, interface)| {
        format!(
            "apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {{name: host-{number}, labels: {labels}}}\n\
             spec: {{node: node-1, interfaceName: \"{interface}\", expectedIPs: [10.0.0.1{number}]}}\n"
        )
    })
}

/// What every cluster has.
fn base() -> Vec<String> {
    let mut objects: Vec<String> = NAMESPACES
        .iter()
        .map(|name| {
            format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{app: a}}}}\n")
        })
        .collect();
    objects.extend([1, 2].map(|node| {
        format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: node-{node}, annotations: {{projectcalico.org/IPv4Address: 10.0.0.1{node}/24}}}}\n\
             status: {{addresses: [{{type: InternalIP, address: 10.0.0.1{node}}}, {{type: ExternalIP, address: 203.0.113.1{node}}}]}}\n"
        )
    }));
    objects.push(
        "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: secure}\nspec: {order: 50}\n"
            .to_owned(),
    );
    objects.push("apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: pods}\nspec: {cidr: 10.244.0.0/16, natOutgoing: true}\n".to_owned());
    objects
}

fn numbered<S: Strategy<Value = String> + 'static>(
    most: usize,
    object: fn(usize) -> S,
) -> BoxedStrategy<Vec<String>> {
    (0..=most).prop_flat_map(move |count| (0..count).map(object).collect::<Vec<_>>()).boxed()
}

/// A cluster, and the same in another order.
fn clusters() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    let objects = (
        numbered(8, pod),
        numbered(5, policy),
        numbered(4, kubernetes_policy),
        numbered(3, network_set),
        numbered(3, host_endpoint),
    );
    let all = objects.prop_map(|(a, b, c, d, e)| [base(), a, b, c, d, e].concat());
    all.prop_flat_map(|objects| (Just(objects.clone()), Just(objects).prop_shuffle()))
}

/// Everything that is emitted for both nodes.
fn compile(text: &str, threads: usize) -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("determinism-{}.yaml", NUMBER.fetch_add(1, Ordering::Relaxed));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    let read = source::read(&[Input::Path(path.clone())], &Options { threads }, lower);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(read.diagnostics, [], "{text}");
    let collected = collect(read.values, InvalidMode::Fail);
    assert!(!collected.fatal, "{:?}", collected.diagnostics);
    let cluster = Cluster::new(&collected.resources);
    let mut out = String::new();
    for node in ["node-1", "node-2"] {
        let view = cluster.view(&NodeRequest { node, interfaces: None }).view.expect("the node is there");
        let program = felix::render(&view);
        for rules in [&program.v4, &program.v6] {
            for dialect in [Dialect::Save, Dialect::Felix] {
                emit::write_rules(&mut out, rules, dialect, &mut |_, _| {});
            }
        }
        program.sets.iter().for_each(|set| emit::ipset::write_set(&mut out, set));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn order_and_threads_do_not_matter((objects, shuffled) in clusters()) {
        let text = |objects: &[String]| objects.join("---\n");
        let first = compile(&text(&objects), 1);
        prop_assert!(first.contains("*filter"));
        prop_assert_eq!(&first, &compile(&text(&objects), 2));
        prop_assert_eq!(&first, &compile(&text(&shuffled), 1));
        prop_assert_eq!(&first, &compile(&text(&shuffled), 2));
    }
}

/// The recorded clusters with their documents in reverse and in halves swapped.
#[test]
fn recorded_clusters_compile_to_the_same_in_any_order() {
    let folders = std::fs::read_dir(common::root().join("fixtures/golden")).unwrap();
    let mut count = 0;
    for folder in folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let text = std::fs::read_to_string(folder.join("cluster.yaml")).unwrap();
        let documents: Vec<String> = text.split("\n---\n").map(|document| format!("{document}\n")).collect();
        let reversed: Vec<String> = documents.iter().rev().cloned().collect();
        let compile = |documents: &[String], threads: usize| {
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("recorded-{threads}.yaml"));
            std::fs::write(&path, documents.join("---\n")).unwrap();
            let path = path.to_str().unwrap();
            let threads = threads.to_string();
            let arguments = ["compile", path, "--node", "node-1", "--invalid", "skip", "--jobs", &threads];
            common::run(&arguments).stdout
        };
        let first = compile(&documents, 1);
        assert!(first.contains("*filter"), "{}", folder.display());
        assert_eq!(first, compile(&reversed, 2), "{}", folder.display());
        count += 1;
    }
    assert!(count > 5, "only {count} clusters");
}
