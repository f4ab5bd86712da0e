//! Every check has a page, a manifest in which it finds its mistake, and one in which it does not.
//!
//! After a change of a page: `NETPOLC_UPDATE=1 cargo test --test checks`, then read the difference.

mod common;

use common::{Run, in_parallel, root, run};
use netpolc::check::{CHECKS, Check, page};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const CLUSTER: &str = "fixtures/check/cluster.yaml";
const NODE: [&str; 4] = ["--node", "worker-1", "--node-addresses", "fixtures/check/ip-addr.json"];

/// Checks the cluster of the examples, and one manifest more.
fn check(manifest: &str) -> Run {
    run(&[&["check", CLUSTER, manifest], &NODE[..]].concat())
}

fn example(check: &Check, name: &str) -> String {
    format!("fixtures/check/{}/{name}.yaml", check.id)
}

fn marker(check: &Check) -> String {
    format!("{}[{}]", check.severity.name(), check.id)
}

#[test]
fn the_cluster_of_the_examples_is_without_fault() {
    let result = run(&[&["check", CLUSTER], &NODE[..]].concat());
    assert_eq!(result.status, Some(0), "{}{}", result.stdout, result.stderr);
    assert!(result.stdout.ends_with("nothing to report\n"), "{}", result.stdout);
}

#[test]
fn every_mistake_is_found_in_its_example() {
    let results = in_parallel(CHECKS, |one| check(&example(one, "bad")));
    for (one, result) in CHECKS.iter().zip(results) {
        assert!(result.stdout.contains(&marker(one)), "{}:\n{}{}", one.id, result.stdout, result.stderr);
        insta::with_settings!({
            snapshot_path => root().join("snapshots/check"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!(one.id, result.stdout) });
    }
}

#[test]
fn nothing_is_found_where_the_mistake_is_not_made() {
    let results = in_parallel(CHECKS, |one| check(&example(one, "good")));
    for (one, result) in CHECKS.iter().zip(results) {
        assert_eq!(result.status, Some(0), "{}:\n{}{}", one.id, result.stdout, result.stderr);
        assert!(!result.stdout.contains(&marker(one)), "{}:\n{}", one.id, result.stdout);
    }
}

#[test]
fn checks_are_sorted_and_have_one_id_each() {
    let ids: Vec<&str> = CHECKS.iter().map(|one| one.id).collect();
    let sorted: Vec<&str> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(ids, sorted);
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder is there");
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn nothing_is_left_of_checks_that_are_gone() {
    let ids = || CHECKS.iter().map(|one| one.id.to_owned());
    let mut folders: BTreeSet<String> = ids().collect();
    folders.extend(["cluster.yaml".to_owned(), "ip-addr.json".to_owned()]);
    assert_eq!(names("fixtures/check"), folders);
    assert_eq!(names("snapshots/check"), ids().map(|id| id + ".snap").collect());
    let pages = ids().map(|id| id + ".md").chain(["README.md".to_owned()]);
    assert_eq!(names("docs/checks"), pages.collect());
}

/// Compares a page with what it should be, or writes it.
fn page_is(path: &Path, wanted: &str) {
    if std::env::var_os("NETPOLC_UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        return fs::write(path, wanted).unwrap();
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(text, wanted, "{}: write it anew with NETPOLC_UPDATE=1", path.display());
}

#[test]
fn the_pages_are_those_of_the_sources() {
    let folder = root().join("docs/checks");
    for one in CHECKS {
        page_is(&folder.join(format!("{}.md", one.id)), &page::page(one));
    }
    let index = format!(
        "# Checks\n\nWhat `netpolc check` looks for beyond what a cluster itself would refuse or ignore. \
         This page and those it leads to are made from the sources.\n\n{}",
        page::index()
    );
    page_is(&folder.join("README.md"), &index);
}
