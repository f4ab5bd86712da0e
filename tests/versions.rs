//! Versions of Calico: that one place knows them, that its page is up to date, and that they are found.
//!
//! After a change of the table: `UPDATE_PAGES=1 cargo test --test versions`, then read the difference.

mod common;

use common::{Run, root, run};
use netpolc::version::{CalicoVersion, page};
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

/// Code without its comments and without the modules of its tests.
fn code(text: &str) -> String {
    let own = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    own.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_code_outside_the_one_place_asks_for_a_version() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    assert!(files.len() > 100, "only {} files", files.len());
    let inside = root().join("src/version");
    let mut asked = Vec::new();
    let mut inside_asks = 0;
    for path in files.iter().filter(|path| path.extension().is_some_and(|it| it == "rs")) {
        if path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let code = code(&fs::read_to_string(path).expect("a source file"));
        // names of versions, and the older way to tell them apart
        let names = CalicoVersion::ALL.iter().flat_map(|version| {
            let name = version.name();
            [format!("V{}", name[1..].replace('.', "_")), format!("\"{name}"), format!("{name}.")]
        });
        let found: Vec<String> = names.filter(|name| code.contains(&**name)).collect();
        if path.starts_with(&inside) {
            inside_asks += found.len();
        } else if !found.is_empty() {
            asked.push(format!("{}: {}", path.display(), found.join(", ")));
        }
    }
    assert!(inside_asks > 3, "the search finds nothing where there is much to find");
    assert!(asked.is_empty(), "ask `Facts` instead:\n{}", asked.join("\n"));
}

#[test]
fn versions_cannot_be_ordered_outside_of_the_one_place() {
    // deriving an order would let any code tell older from newer
    let text = fs::read_to_string(root().join("src/version/mod.rs")).expect("a source file");
    let (before, _) = text.split_once("pub struct CalicoVersion(u8);").expect("the type, its number private");
    let derives = before.rsplit("#[derive(").next().expect("its derives");
    assert!(!derives.contains("Ord"), "{derives}");
    assert!(!text.contains("Ord for CalicoVersion"));
}

#[test]
fn the_page_of_versions_is_what_the_table_says() {
    let path = root().join("docs/versions.md");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(&path, page::page()).expect("the page is written");
    }
    let page = fs::read_to_string(&path).expect("docs/versions.md");
    assert!(page == page::page(), "docs/versions.md is old: run `UPDATE_PAGES=1 cargo test --test versions`");
}

fn compile(arguments: &[&str]) -> Run {
    run(&[&["compile", "--node", "node-1", "--format", "json"], arguments].concat())
}

fn version(run: &Run) -> String {
    let document: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    document["calico_version"].as_str().expect("a version").to_owned()
}

#[test]
fn the_version_is_found_in_the_manifests() {
    let found = |name: &str, more: &[&str]| {
        let file = format!("fixtures/versions/{name}.yaml");
        compile(&[&[&*file], more].concat())
    };
    let image = found("image", &[]);
    assert_eq!((image.status, version(&image)), (Some(0), "v3.31".to_owned()), "{}", image.stderr);
    assert_eq!(version(&found("cluster-information", &[])), "v3.30");
    assert_eq!(version(&found("image", &["--calico-version", "v3.30.2"])), "v3.30");
    let both = found("contradiction", &[]);
    assert_eq!(version(&both), "v3.31");
    assert!(both.stderr.contains("warning[calico-versions-differ]"), "{}", both.stderr);
    let unknown = found("unknown", &[]);
    assert_eq!((unknown.status, version(&unknown)), (Some(1), "v3.30".to_owned()));
    assert!(unknown.stderr.contains("warning[unknown-calico-version]"), "{}", unknown.stderr);
    let nonsense = found("image", &["--calico-version", "v3.29"]);
    assert_eq!(nonsense.status, Some(2));
    assert!(nonsense.stderr.contains("the rules of Calico v3.29 are not known"), "{}", nonsense.stderr);
}

#[test]
fn every_report_says_the_version() {
    let file = "fixtures/versions/image.yaml";
    let says = "under Calico v3.31 (by the image of calico-node)";
    let reports: [&[&str]; 4] = [
        &["compile", file, "--node", "node-1"],
        &["check", file],
        &["explain", "cali-INPUT", file],
        &["trace", file, "--node", "node-1", "--from", "internet", "--to", "node:node-1"],
    ];
    for arguments in reports {
        let result = run(arguments);
        let said = format!("{}{}", result.stdout, result.stderr);
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}

#[test]
fn standard_input_can_be_read_for_the_version_that_it_tells() {
    let file = fs::File::open(root().join("fixtures/versions/image.yaml")).expect("a fixture");
    let mut command = common::netpolc();
    command.args(["compile", "-", "--node", "node-1", "--format", "json"]).stdin(file);
    assert_eq!(version(&Run::of(&mut command)), "v3.31");
}

#[test]
fn the_kinds_for_administrators_of_older_versions_are_compiled() {
    let old = run(&[
        "compile",
        "fixtures/versions/admin-policies.yaml",
        "--node",
        "node-1",
        "--calico-version",
        "v3.31",
        "--emit",
        "iptables",
        "--explain-origin",
    ]);
    insta::with_settings!({
        snapshot_path => root().join("snapshots/versions"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        // each rule with the comment that tells where it comes from
        let lines: Vec<&str> = old.stdout.lines().collect();
        let of_policy = |rule: &str| rule.starts_with("-A cali-pi-") || rule.starts_with("-A cali-po-");
        let rules = lines.windows(2).filter(|pair| of_policy(pair[0])).flatten();
        let rules = rules.copied().collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!("admin-policies", format!("{rules}\n---\n{}", old.stderr))
    });
    let new = run(&["compile", "fixtures/versions/admin-policies.yaml", "--node", "node-1"]);
    assert_eq!(new.status, Some(2));
    assert!(new.stderr.contains("Calico v3.32 does not read `AdminNetworkPolicy`"), "{}", new.stderr);
}

/// A recorded cluster of an older version, with its dumps.
const OLD: &str = "fixtures/golden-versions/v3.31.7/tiers-1";

fn verify(version: &str) -> Run {
    let [cluster, rules, sets, addresses] =
        ["cluster.yaml", "golden/save.v4.rules", "golden/ipsets.txt", "golden/ip-addr.json"]
            .map(|file| format!("{OLD}/{file}"));
    run(&[
        "verify",
        &cluster,
        "--node",
        "node-1",
        "--dump",
        &rules,
        "--ipsets",
        &sets,
        "--node-addresses",
        &addresses,
        "--invalid",
        "skip",
        "--calico-version",
        version,
    ])
}

#[test]
fn verify_tells_which_version_a_dump_can_come_from() {
    let right = verify("v3.31");
    assert_eq!(right.status, Some(0), "{}", right.stdout);
    let wrong = verify("v3.32");
    assert_eq!(wrong.status, Some(1));
    let verdict = wrong.stdout.lines().find(|line| line.contains("can come from")).expect("a verdict");
    assert!(verdict.starts_with("the dump can come from Calico v3.31: "), "{verdict}");
}

#[test]
fn explain_tells_under_which_version_a_name_is_one() {
    let cluster = format!("{OLD}/cluster.yaml");
    let rules = fs::read_to_string(root().join(OLD).join("golden/save.v4.rules")).expect("a recording");
    let of_policy = |line: &&str| line.starts_with("-A cali-pi-") && line.contains("--comment \"Policy ");
    let line = rules.lines().find(of_policy).expect("a policy's rule");
    let hash = line.split_once("cali:").and_then(|(_, rest)| rest.split('"').next()).expect("its hash");
    let nothing = run(&["explain", hash, &cluster]);
    assert_eq!(nothing.status, Some(1), "{}", nothing.stdout);
    assert!(nothing.stderr.contains("but under v3.30 and v3.31"), "{}", nothing.stderr);
    let found = run(&["explain", hash, &cluster, "--calico-version", "v3.31"]);
    assert_eq!(found.status, Some(0), "{}", found.stderr);
    let set = run(&["explain", "cali40all-ipam-pools"]);
    assert!(set.stdout.contains("versions  v3.30\n"), "{}", set.stdout);
}
