//! What the sample cluster lets through, and the batch form against a real kernel.

mod common;

use common::{Run, root, run};
use std::path::{Path, PathBuf};

const NODE: [&str; 4] =
    ["--node", "10.176.48.67", "--node-addresses", "fixtures/iks/node/10.176.48.67/ip-addr.json"];

fn trace(more: &[&str]) -> Run {
    run(&[&["trace", "fixtures/iks/cluster"], &NODE[..], more].concat())
}

/// Questions about the sample cluster, and what a user sees.
const STORIES: [(&str, &[&str]); 8] = [
    ("node-port-is-closed", &["--from", "internet", "--to", "node", "--port", "30080"]),
    ("load-balancer-is-open", &["--from", "internet", "--to", "service:shop/web", "--port", "80"]),
    ("ssh-is-a-failsafe", &["--from", "8.8.8.8", "--to", "node", "--port", "22"]),
    ("kubelet-from-the-internet", &["--from", "internet", "--to", "198.51.100.11", "--port", "10250"]),
    (
        "database-through-a-service",
        &["--from", "pod:shop/api-5d4b7c6f8d-2m6vt", "--to", "service:shop/mysqldb"],
    ),
    ("pod-to-the-internet", &["--from", "pod:shop/api-5d4b7c6f8d-2m6vt", "--to", "8.8.8.8", "--port", "443"]),
    ("pod-to-pod", &["--from", "shop/web-6c8f9d7b54-4xkzq", "--to", "shop/api-5d4b7c6f8d-2m6vt"]),
    ("node-to-the-api-server", &["--from", "node", "--to", "service:default/kubernetes"]),
];

fn assert_snapshot(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => root().join("snapshots/trace"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

/// A command, and what it left.
fn assert_run(name: &str, command: &str, result: &Run) {
    let Run { status, stdout, stderr } = result;
    let status = status.unwrap_or(-1);
    assert_snapshot(name, &format!("$ netpolc {command}\nexit status {status}\n{stderr}\n{stdout}"));
}

#[test]
fn questions_about_the_sample_cluster() {
    for (name, question) in STORIES {
        let result = trace(question);
        assert_run(name, &format!("trace … {}", question.join(" ")), &result);
    }
}

/// Questions about saved rules, with manifests and without.
#[test]
fn questions_about_dumps() {
    let addresses = "fixtures/trace/ip-addr.json";
    let dump = |name: &str| format!("fixtures/dump/{name}.legacy.rules");
    let (proxy, docker, gateway) = (dump("kubeproxy"), dump("docker"), dump("gateway"));
    let stories: [(&str, &[&str]); 10] = [
        (
            "dump-one-of-several-addresses",
            &["--dump", &gateway, "--from", "internet", "--to", "node", "--port", "80"],
        ),
        (
            "dump-range-of-ports",
            &["--dump", &gateway, "--from", "internet", "--to", "node", "--port", "9005"],
        ),
        ("dump-limits", &["--dump", &gateway, "--from", "internet", "--to", "node", "--port", "22"]),
        (
            "dump-redirect",
            &[
                "--dump",
                &gateway,
                "--from",
                "172.17.0.9",
                "--to",
                "8.8.8.8",
                "--proto",
                "udp",
                "--port",
                "53",
            ],
        ),
        (
            "dump-redirect-at-random",
            &["--dump", &gateway, "--from", "172.17.0.9", "--to", "8.8.8.8", "--port", "3128"],
        ),
        (
            "dump-connection-mark",
            &["--dump", &gateway, "--from", "172.17.0.200", "--to", "8.8.8.8", "--port", "80"],
        ),
        (
            "dump-network-for-network",
            &["--dump", &gateway, "--from", "internet", "--to", "203.0.113.36", "--port", "443"],
        ),
        (
            "dump-of-kube-proxy",
            &["--dump", &proxy, "--from", "10.0.0.5", "--to", "172.21.0.10", "--port", "80"],
        ),
        ("dump-of-docker", &["--dump", &docker, "--from", "internet", "--to", "node", "--port", "8080"]),
        (
            "dump-with-manifests",
            &[
                "fixtures/iks/cluster",
                "--node",
                "10.176.48.67",
                "--dump",
                "fixtures/verify/by-hand.rules",
                "--from",
                "192.0.2.9",
                "--to",
                "198.51.100.11",
                "--port",
                "22",
            ],
        ),
    ];
    for (name, question) in stories {
        let own = "fixtures/iks/node/10.176.48.67/ip-addr.json";
        let addresses = if name == "dump-with-manifests" { own } else { addresses };
        let routes: &[&str] = match question.contains(&&*gateway) {
            true => &["--node-routes", "fixtures/trace/ip-route.json"],
            false => &[],
        };
        let result = run(&[&["trace"], question, &["--node-addresses", addresses], routes].concat());
        assert_run(name, &format!("trace {} …", question.join(" ")), &result);
    }
    let result = run(&["trace", "--dump", &docker, "--from", "internet", "--to", "node"]);
    assert_eq!((result.status, &*result.stdout), (Some(2), ""));
    assert!(result.stderr.contains("--node-addresses"), "{}", result.stderr);
    let result = run(&[
        "trace",
        "--dump",
        "fixtures/input/cut.json",
        "--from",
        "internet",
        "--to",
        "node",
        "--node-addresses",
        addresses,
    ]);
    assert_eq!((result.status, &*result.stdout), (Some(2), ""));
    assert!(result.stderr.contains("error["), "{}", result.stderr);
}

#[test]
fn what_cannot_be_asked_is_said() {
    let cases: [(&[&str], &str); 6] = [
        (
            &["--from", "pod:shop/web-6c8f9d7b54-4xkzz", "--to", "node"],
            "did you mean `shop/web-6c8f9d7b54-4xkzq`?",
        ),
        (&["--from", "service:shop/web", "--to", "node"], "nothing comes from a service"),
        (&["--from", "nowhere", "--to", "node"], "`nowhere` is no end"),
        (&["--from", "internet", "--to", "node", "--proto", "x"], "`x` is no protocol"),
        (&["--from", "internet"], "--to"),
        (&["--from", "10.0.0.1", "--to", "2001:db8::1"], "no address family in common"),
    ];
    for (question, message) in cases {
        let result = trace(question);
        assert_eq!((result.status, &*result.stdout), (Some(2), ""), "{question:?}");
        assert!(result.stderr.contains(message), "{question:?}: {}", result.stderr);
    }
}

/// Recorded clusters with what the kernel did with packets.
fn recorded() -> Vec<PathBuf> {
    let beside = root().join("../shared");
    let golden = std::env::var_os("NETPOLC_SHARED").map_or(beside, PathBuf::from).join("golden");
    let kinds = std::fs::read_dir(golden).into_iter().flatten().map(|entry| entry.unwrap().path());
    let cases = kinds
        .filter(|path| path.is_dir())
        .flat_map(|kind| std::fs::read_dir(kind).unwrap().map(|entry| entry.unwrap().path()));
    let mut cases: Vec<PathBuf> = cases.filter(|case| case.join("verdicts.tsv").exists()).collect();
    // its endpoint marks depend on the order of a map in Felix
    cases.retain(|case| !case.ends_with("synthetic/dataplane-5"));
    cases.sort();
    cases
}

fn file(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("a path is UTF-8").to_owned()
}

#[test]
fn every_packet_of_the_recorded_clusters_meets_its_fate() {
    let cases = recorded();
    if cases.is_empty() {
        eprintln!("SKIPPED: the recorded clusters are not here; NETPOLC_SHARED says where they are");
        return;
    }
    let wrong: Vec<String> = common::in_parallel(&cases, |case| {
        let rows = std::fs::read_to_string(case.join("verdicts.tsv")).unwrap();
        let first = |line: &str, count: usize| line.split('\t').take(count).collect::<Vec<_>>().join("\t");
        let questions: Vec<String> = rows.lines().map(|line| first(line, 8)).collect();
        let name = case.file_name().unwrap().to_str().unwrap();
        let packets = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("packets-{name}.tsv"));
        std::fs::write(&packets, questions.join("\n") + "\n").unwrap();
        let node = std::fs::read_to_string(case.join("node")).unwrap_or_else(|_| "node-1".to_owned());
        let golden = case.join("golden");
        let result = run(&[
            "trace",
            &file(case, "cluster.yaml"),
            "--node",
            node.trim(),
            "--invalid",
            "skip",
            "--node-addresses",
            &file(&golden, "ip-addr.json"),
            "--node-routes",
            &file(&golden, "ip-route.json"),
            "--node-routes",
            &file(&golden, "ip-route6.json"),
            "--packets",
            packets.to_str().unwrap(),
        ]);
        let differ =
            rows.lines().zip(result.stdout.lines()).filter(|(row, answer)| first(row, 10) != **answer);
        let same = rows.lines().count() == result.stdout.lines().count();
        let shown: Vec<String> = differ.take(3).map(|(row, answer)| format!("{row}\n{answer}")).collect();
        if same && shown.is_empty() {
            String::new()
        } else {
            format!("{name}: {}\n{}", shown.join("\n"), result.stderr)
        }
    });
    let wrong: Vec<String> = wrong.into_iter().filter(|text| !text.is_empty()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let header = "family\tin_iface\tsrc\tdst\tproto\tsport_or_type\tdport_or_code\tct";
    let cases = [
        ("", "`:1: the first line must name the columns"),
        ("ipv4\teth0\t1.1.1.1\t2.2.2.2\ttcp\t1\t2\tnew\tx", ":2: 9 columns instead of 8"),
        ("ipv4\teth0\t1.1.1.1\t::1\ttcp\t1\t2\tnew", ":2: `::1` is no address of this family"),
        ("ipv4\teth0\t1.1.1.1\t2.2.2.2\ttcp\t1\t70000\tnew", ":2: `70000` is no port"),
        ("ipv4\teth0\t1.1.1.1\t2.2.2.2\ttcp\t1\t2\told", ":2: `old` is none of"),
    ];
    for (number, (row, message)) in cases.iter().enumerate() {
        let path = folder.join(format!("row-{number}.tsv"));
        let text = if row.is_empty() { "x\n".to_owned() } else { format!("{header}\n{row}\n") };
        std::fs::write(&path, text).unwrap();
        let result = trace(&["--packets", path.to_str().unwrap()]);
        assert_eq!((result.status, &*result.stdout), (Some(2), ""), "{row}");
        let message = message.trim_start_matches('`');
        assert!(result.stderr.contains(message), "{row}: {}", result.stderr);
    }
}
