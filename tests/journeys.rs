//! Services as kube-proxy makes them, and the way from node to node: questions, and what a user sees.

mod common;

use common::{Run, root, run};

/// A story: its name, the manifests beside the nodes', and the question.
type Story = (&'static str, &'static str, &'static [&'static str]);

const SERVICES: [Story; 17] = [
    ("affinity", "affinity", &["--from", "pod:shop/client", "--to", "service:shop/cart"]),
    (
        "local-policy-with-a-pod",
        "local-policy",
        &["--from", "192.0.2.9", "--to", "198.51.100.20", "--port", "80"],
    ),
    (
        "local-policy-without-a-pod",
        "local-policy",
        &["--from", "192.0.2.9", "--to", "198.51.100.21", "--port", "80"],
    ),
    (
        "local-policy-from-a-pod",
        "local-policy",
        &["--from", "pod:shop/client", "--to", "198.51.100.21", "--port", "80"],
    ),
    (
        "local-policy-from-the-node",
        "local-policy",
        &["--from", "node", "--to", "198.51.100.21", "--port", "80"],
    ),
    (
        "local-policy-of-a-cluster-ip",
        "local-policy",
        &["--from", "pod:shop/client", "--to", "service:shop/agent"],
    ),
    ("health-check", "local-policy", &["--from", "192.0.2.9", "--to", "203.0.113.11", "--port", "31200"]),
    (
        "source-ranges-from-outside",
        "source-ranges",
        &["--from", "192.0.2.0/24", "--to", "198.51.100.22", "--port", "80"],
    ),
    (
        "source-ranges-from-a-pod",
        "source-ranges",
        &["--from", "pod:shop/client", "--to", "198.51.100.22", "--port", "80"],
    ),
    (
        "source-ranges-from-the-node",
        "source-ranges",
        &["--from", "node", "--to", "198.51.100.22", "--port", "80"],
    ),
    (
        "source-ranges-by-node-port",
        "source-ranges",
        &["--from", "192.0.2.99", "--to", "203.0.113.11", "--port", "30082"],
    ),
    ("no-endpoints", "no-endpoints", &["--from", "pod:shop/client", "--to", "service:shop/nobody"]),
    (
        "no-endpoints-by-node-port",
        "no-endpoints",
        &["--from", "192.0.2.9", "--to", "203.0.113.11", "--port", "30083"],
    ),
    ("by-hand", "by-hand", &["--from", "pod:shop/client", "--to", "service:shop/database"]),
    (
        "node-port-addresses",
        "node-port-addresses",
        &["--from", "interface:eth1", "--to", "node", "--port", "30084"],
    ),
    (
        "node-port-addresses-inside",
        "node-port-addresses",
        &["--from", "10.0.0.99", "--to", "10.0.0.11", "--port", "30084"],
    ),
    ("ipvs", "ipvs", &["--from", "pod:shop/client", "--to", "service:shop/old"]),
];

const HINTS: [Story; 3] = [
    ("hints-for-zones", "hints", &["--from", "pod:shop/client", "--to", "service:shop/near"]),
    ("hints-missing", "hints", &["--from", "pod:shop/client", "--to", "service:shop/any"]),
    ("endpoint-that-ends", "hints", &["--from", "pod:shop/client", "--to", "service:shop/ending"]),
];

const TO_SERVER: &[&str] = &["--from", "pod:shop/client", "--to", "pod:shop/server", "--proto", "tcp"];

const TUNNELS: [Story; 4] = [
    ("vxlan", "", TO_SERVER),
    ("vxlan-blocked-by-untracked-policy", "untracked-deny", TO_SERVER),
    ("vxlan-from-an-unknown-node", "node-without-tunnel", TO_SERVER),
    ("wireguard", "wireguard", TO_SERVER),
];

fn assert_story(name: &str, arguments: &[&str]) {
    let Run { status, stdout, stderr } = run(arguments);
    let (status, command) = (status.unwrap_or(-1), arguments.join(" "));
    insta::with_settings!({
        snapshot_path => root().join("snapshots/journeys"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, format!("$ netpolc {command}\nexit status {status}\n{stderr}\n{stdout}")) });
}

#[test]
fn services_are_what_kube_proxy_makes_of_them() {
    for (name, file, question) in SERVICES.iter().chain(&HINTS) {
        let file = format!("fixtures/trace/services/{file}.yaml");
        let nodes = ["trace", "fixtures/trace/services/nodes.yaml", &file, "--node", "node-1"];
        let addresses = ["--node-addresses", "fixtures/trace/services/node-1.json"];
        assert_story(name, &[&nodes[..], &addresses, question].concat());
    }
}

#[test]
fn what_carries_packets_between_nodes_meets_rules_as_well() {
    for (name, file, question) in TUNNELS {
        let file = format!("fixtures/trace/tunnels/{file}.yaml");
        let mut arguments = vec!["trace", "fixtures/trace/tunnels/vxlan.yaml"];
        if !file.ends_with("/.yaml") {
            arguments.push(&file);
        }
        arguments.extend(["--node", "node-1"]);
        assert_story(name, &[&arguments[..], question].concat());
    }
}

#[test]
fn a_load_balancer_reaches_a_worker_of_another_zone_in_ip_in_ip() {
    let cluster =
        ["trace", "fixtures/iks/cluster", "fixtures/trace/worker-in-dal12.yaml", "--node", "10.176.48.67"];
    let addresses = ["--node-addresses", "fixtures/iks/node/10.176.48.67/ip-addr.json"];
    let question = ["--from", "internet", "--to", "service:shop/web", "--port", "80"];
    assert_story("ip-in-ip-to-another-zone", &[&cluster[..], &addresses, &question].concat());
}
