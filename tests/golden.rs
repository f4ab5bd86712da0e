//! Against what Felix really programmed, byte for byte.
//!
//! `fixtures/golden` has a few recorded clusters of our own, `fixtures/golden-versions` some of older versions
//! of Calico. A larger collection that is kept
//! outside the repository is used where it is found: beside it, or where `NETPOLC_SHARED` says.

mod common;

use common::{Run, in_parallel, netpolc, recorded_below, root};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Clusters that Felix itself would not reproduce: in IPVS mode with room for two endpoint marks,
/// which of six pods get them depends on the order of a Go map
/// (`felix/dataplane/linux/endpoint_mgr.go:764`, v3.32.1).
const UNREPEATABLE: [&str; 1] = ["synthetic/dataplane-5"];

/// Recorded file, and the arguments that print it.
const FILES: [(&str, &[&str]); 5] = [
    ("felix.v4.rules", &["--emit", "iptables", "--dialect", "felix"]),
    ("felix.v6.rules", &["--emit", "ip6tables", "--dialect", "felix"]),
    ("save.v4.rules", &["--emit", "iptables", "--dialect", "save"]),
    ("save.v6.rules", &["--emit", "ip6tables", "--dialect", "save"]),
    ("ipsets.txt", &["--emit", "ipsets"]),
];

/// Compiles a recorded cluster; gives what differs.
fn differences(case: &Path) -> Vec<String> {
    let golden = case.join("golden");
    let node = fs::read_to_string(case.join("node")).unwrap_or_else(|_| "node-1".to_owned());
    // that of a cluster of the newest version is not said
    let version = fs::read_to_string(case.join("calico-version")).ok();
    let version = version.as_ref().map(|version| ["--calico-version", version.trim()]);
    let mut differences = Vec::new();
    for (name, arguments) in FILES {
        let wanted = fs::read_to_string(golden.join(name)).expect("a recorded file");
        let result = Run::of(
            netpolc()
                .arg("compile")
                .arg(case.join("cluster.yaml"))
                .args(["--node", node.trim(), "--invalid", "skip", "--node-addresses"])
                .arg(golden.join("ip-addr.json"))
                .args(version.iter().flatten())
                .args(arguments),
        );
        if !matches!(result.status, Some(0 | 1)) {
            differences.push(format!("{}: {name}: {:?}: {}", case.display(), result.status, result.stderr));
        } else if let Some(line) = first_difference(&wanted, &result.stdout) {
            differences.push(format!("{}: {name}: {line}", case.display()));
        }
    }
    differences
}

/// The first line that differs, both ways.
fn first_difference(wanted: &str, got: &str) -> Option<String> {
    if wanted == got {
        return None;
    }
    let (mut wanted, mut got) = (wanted.lines(), got.lines());
    for number in 1.. {
        match (wanted.next(), got.next()) {
            (None, None) => break,
            (one, other) if one == other => {}
            (one, other) => {
                let end = "(end)";
                let (one, other) = (one.unwrap_or(end), other.unwrap_or(end));
                return Some(format!("line {number}\n  felix:   {one}\n  netpolc: {other}"));
            }
        }
    }
    Some("line endings".to_owned())
}

fn assert_all_same(cases: &[PathBuf]) {
    let all: Vec<_> = in_parallel(cases, |case| differences(case)).into_iter().flatten().collect();
    assert!(all.is_empty(), "{} files differ:\n{}", all.len(), all.join("\n"));
}

/// Prints past the test harness, which shows what a passing test prints only when asked.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[test]
fn the_recorded_clusters_of_this_repository_are_reproduced() {
    let cases = recorded_below(&root().join("fixtures/golden"));
    assert!(cases.len() >= 6, "only {} cases", cases.len());
    assert_all_same(&cases);
    let older = recorded_below(&root().join("fixtures/golden-versions"));
    assert!(older.len() >= 4, "only {} cases of older versions", older.len());
    assert_all_same(&older);
}

#[test]
fn the_whole_collection_is_reproduced_where_it_is_present() {
    let shared = std::env::var_os("NETPOLC_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let collection = shared.join("golden");
    if !collection.is_dir() {
        say(&format!("SKIPPED: no collection of recorded clusters at {}", collection.display()));
        return;
    }
    let first = fs::read_to_string(collection.join("first.txt")).expect("first.txt");
    let first: Vec<_> = first.lines().map(|case| collection.join(case)).collect();
    assert_all_same(&first);

    let mut all = recorded_below(&collection);
    all.extend(recorded_below(&shared.join("golden-versions")));
    let results = in_parallel(&all, |case| differences(case));
    let differ: Vec<_> =
        all.iter().zip(&results).filter(|(_, differences)| !differences.is_empty()).collect();
    say(&format!("{} of {} recorded clusters are reproduced", all.len() - differ.len(), all.len()));
    let unexplained: Vec<String> = differ
        .iter()
        .filter(|(case, _)| !UNREPEATABLE.iter().any(|name| case.ends_with(name)))
        .flat_map(|(_, differences)| (*differences).clone())
        .collect();
    assert!(unexplained.is_empty(), "{} files differ:\n{}", unexplained.len(), unexplained.join("\n"));
}
