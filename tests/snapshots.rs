//! What a user sees: for every fixture, the rules or the messages. `snapshots/` mirrors `fixtures/`.
//!
//! After a change: `INSTA_UPDATE=always cargo test --test snapshots`, then read the difference.

mod common;

use common::{Run, files, in_parallel, relative, run};
use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;

/// A node with a pod and no policy: its rules are in all the others as well.
const BASE: &str = "fixtures/compile/no-policy.yaml";
/// The node of all of them, and its addresses.
const NODE: [&str; 4] = ["--node", "worker-1", "--node-addresses", "fixtures/compile/node/ip-addr.json"];

/// Compiles one part of what the manifests give for the node.
fn compile(paths: &[&str], part: &str, more: &[&str]) -> Run {
    run(&[&["compile"], paths, &NODE, &["--emit", part], more].concat())
}

fn assert_snapshot(folder: &str, name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => common::root().join("snapshots").join(folder),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).expect("a fixture's name is UTF-8")
}

/// A line of a dump, the heading of its table, and the comment that follows it.
struct Line<'d> {
    table: &'d str,
    text: &'d str,
    comment: Option<&'d str>,
}

fn lines(dump: &str) -> Vec<Line<'_>> {
    let mut table = "";
    let mut lines: Vec<Line> = Vec::new();
    for text in dump.lines() {
        if text.starts_with('*') {
            table = text;
        } else if text.starts_with("# ") {
            lines.last_mut().expect("a comment follows its rule").comment = Some(text);
        } else {
            lines.push(Line { table, text, comment: None });
        }
    }
    lines
}

/// What one dump has beyond another, under the headings of its tables.
fn beyond(dump: &str, base: &str) -> String {
    let base: HashSet<_> = lines(base).into_iter().map(|line| (line.table, line.text)).collect();
    let mut out = String::new();
    let mut heading = "";
    for line in lines(dump) {
        if base.contains(&(line.table, line.text)) {
            continue;
        }
        if line.table != heading {
            heading = line.table;
            writeln!(out, "{heading}").unwrap();
        }
        for text in [Some(line.text), line.comment].into_iter().flatten() {
            writeln!(out, "{text}").unwrap();
        }
    }
    out
}

#[test]
fn a_node_without_policies_has_the_rules_that_are_always_there() {
    let mut text = String::new();
    for part in ["iptables", "ip6tables", "ipsets"] {
        let result = compile(&[BASE], part, &[]);
        assert_eq!(result.status, Some(0), "{}", result.stderr);
        if part == "iptables" {
            writeln!(text, "{}", result.stderr).unwrap();
        }
        write!(text, "# {part}\n{}", result.stdout).unwrap();
    }
    assert_snapshot("compile", "no-policy", &text);
}

#[test]
fn every_story_compiles_to_its_rules() {
    let base = |part| compile(&[BASE], part, &["--explain-origin"]).stdout;
    let (base4, base6, base_sets) = (base("iptables"), base("ip6tables"), base("ipsets"));
    let stories: Vec<_> =
        files("fixtures/compile").into_iter().filter(|path| relative(path) != BASE).collect();
    let texts = in_parallel(&stories, |path| {
        let mut text = String::new();
        let mut part = |part: &str, base: &str| {
            let result = compile(&[&relative(path)], part, &["--explain-origin"]);
            if text.is_empty() {
                write!(text, "exit status {}\n{}\n", result.status.unwrap_or(-1), result.stderr).unwrap();
            }
            write!(text, "# {part}\n{}", beyond(&result.stdout, base)).unwrap();
        };
        part("iptables", &base4);
        if stem(path).starts_with("dual-stack") {
            part("ip6tables", &base6);
        }
        part("ipsets", &base_sets);
        text
    });
    for (path, text) in stories.iter().zip(texts) {
        assert_snapshot("compile", stem(path), &text);
    }
}

#[test]
fn every_mistake_gets_its_message() {
    let mistakes = files("fixtures/input");
    let texts = in_parallel(&mistakes, |path| {
        // with a node to compile for, so that the mistake is all there is to say
        let result = compile(&[BASE, &relative(path)], "iptables", &[]);
        if result.status == Some(2) {
            assert_eq!(result.stdout, "", "{}: rules in spite of an error", path.display());
        }
        let what = if result.stdout.is_empty() { "no rules" } else { "rules" };
        format!("exit status {}, {what}\n{}", result.status.unwrap_or(-1), result.stderr)
    });
    for (path, text) in mistakes.iter().zip(texts) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a fixture's name is UTF-8");
        assert_snapshot("input", name, &text);
    }
}

#[test]
fn the_sample_cluster_compiles() {
    for worker in ["10.176.48.67", "10.176.48.78"] {
        let addresses = format!("fixtures/iks/node/{worker}/ip-addr.json");
        let result =
            run(&["compile", "fixtures/iks/cluster", "--node", worker, "--node-addresses", &addresses]);
        let text =
            format!("exit status {}\n{}\n{}", result.status.unwrap_or(-1), result.stderr, result.stdout);
        assert_snapshot("iks", worker, &text);
    }
}

#[test]
fn every_snapshot_has_its_fixture() {
    for folder in ["compile", "input", "optimize"] {
        let fixtures: HashSet<_> = files(&format!("fixtures/{folder}"))
            .iter()
            .flat_map(|path| [path.file_name(), path.file_stem()])
            .flatten()
            .map(|name| name.to_os_string())
            .collect();
        for snapshot in files(&format!("snapshots/{folder}")) {
            let name = snapshot.file_stem().expect("a snapshot has a name");
            assert!(fixtures.contains(name), "{} shows what is not there any more", relative(&snapshot));
        }
    }
}
