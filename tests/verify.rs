//! What a node has against what it should have: dumps of the sample cluster's worker, sound and damaged.
//!
//! After a change: `INSTA_UPDATE=always cargo test --test verify`, then read the difference.

mod common;

use common::{Run, in_parallel, root, run};
use std::path::Path;

const NODE: [&str; 6] = [
    "verify",
    "fixtures/iks/cluster",
    "--node",
    "10.176.48.67",
    "--node-addresses",
    "fixtures/iks/node/10.176.48.67/ip-addr.json",
];

fn verify(arguments: &[&str]) -> Run {
    run(&[&NODE[..], arguments].concat())
}

fn assert_snapshot(name: &str, result: &Run) {
    insta::with_settings!({
        snapshot_path => root().join("snapshots/verify"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, format!("exit status {}\n{}", result.status.unwrap_or(-1), result.stdout))
    });
}

#[test]
fn a_node_that_is_as_it_should_be_exits_with_0() {
    let result = verify(&["--dump", "fixtures/verify/same.rules", "--ipsets", "fixtures/verify/same.ipsets"]);
    assert_eq!(result.status, Some(0), "{}{}", result.stdout, result.stderr);
    assert_snapshot("same", &result);
}

#[test]
fn what_was_changed_by_hand_is_named() {
    assert_snapshot("by-hand", &verify(&["--dump", "fixtures/verify/by-hand.rules"]));
}

#[test]
fn what_felix_made_of_other_objects_is_named() {
    let dumps =
        ["--dump", "fixtures/verify/other-objects.rules", "--ipsets", "fixtures/verify/other-members.ipsets"];
    assert_snapshot("other-objects", &verify(&dumps));
}

#[test]
fn a_node_without_calico_lacks_everything() {
    let result = verify(&["--dump", "fixtures/dump/kubeproxy.legacy.rules"]);
    assert_eq!(result.status, Some(1));
    assert!(result.stdout.contains("IPv4 table mangle[missing-table]"), "{}", result.stdout);
    assert!(result.stdout.contains("IPv4 filter chain cali-INPUT[missing-chain]"), "{}", result.stdout);
    // kube-proxy's rules are the first only because Calico's are not there
    assert!(!result.stdout.contains("foreign-rule-first"), "{}", result.stdout);
}

#[test]
fn dumps_that_cannot_be_used_exit_with_2() {
    for (file, message) in [
        ("fixtures/verify/same.ipsets", "error[dump-syntax]: expected `*table`"),
        ("fixtures/compile/log-rule.yaml", "error[dump-syntax]"),
        ("fixtures/verify/no-such-file", "cannot read `fixtures/verify/no-such-file`"),
        ("/dev/null", "error[dump-empty]: there is not one table in the dump"),
    ] {
        let result = verify(&["--dump", file]);
        assert_eq!(result.status, Some(2), "{file}: {}", result.stdout);
        assert!(result.stderr.contains(message), "{file}: {}", result.stderr);
        assert_eq!(result.stdout, "", "{file}");
    }
    let twice = verify(&["--dump", "fixtures/verify/same.rules", "--dump", "fixtures/verify/same.rules"]);
    assert_eq!(twice.status, Some(2));
    assert!(twice.stderr.contains("error[dump-repeated]"), "{}", twice.stderr);
    let json = verify(&["--dump", "fixtures/verify/same.ipsets", "--format", "json"]);
    assert!(json.stdout.contains("netpolc.diagnostics/1"), "{}", json.stdout);
}

#[test]
fn recorded_clusters_have_what_they_should_have() {
    let mut cases: Vec<_> = std::fs::read_dir(root().join("fixtures/golden"))
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    let wrong = in_parallel(&cases, |case| {
        let path = |name: &str| case.join(name).display().to_string();
        let of = |rules: &str, version: &str| path(&format!("golden/{rules}.{version}.rules"));
        let verify = |rules: &str| {
            run(&[
                "verify",
                &path("cluster.yaml"),
                "--node",
                "node-1",
                "--invalid",
                "skip",
                "--node-addresses",
                &path("golden/ip-addr.json"),
                "--dump",
                &of(rules, "v4"),
                "--dump",
                &of(rules, "v6"),
                "--ipsets",
                &path("golden/ipsets.txt"),
            ])
        };
        let results = ["save", "felix"].map(verify);
        let bad = results.into_iter().filter(|result| result.status != Some(0));
        bad.map(|result| format!("{}: {}{}", Path::display(case), result.stdout, result.stderr))
            .collect::<Vec<_>>()
    })
    .concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
