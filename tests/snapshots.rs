//! What a user sees: for every fixture, the rules or the messages. `snapshots/` mirrors `fixtures/`.
//!
//! After a change: `INSTA_UPDATE=always cargo test --test snapshots`, then read the difference.

mod common;

use common::{files, in_parallel, relative, run};
use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;

/// A node without pods and policies: its rules are in all the others as well.
const EMPTY: &str = "fixtures/compile/empty-node.yaml";
const NODE: &str = "worker-1";

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

/// Lines of a dump, each with the table it is in and with the comment line that follows it.
fn units(dump: &str) -> Vec<(&str, String)> {
    let mut table = "";
    let mut units: Vec<(&str, String)> = Vec::new();
    for line in dump.lines() {
        if line.starts_with('*') {
            table = line;
        } else if line.starts_with("# ") {
            let (_, unit) = units.last_mut().expect("a comment follows its rule");
            write!(unit, "\n{line}").unwrap();
        } else {
            units.push((table, line.to_owned()));
        }
    }
    units
}

/// What one dump has beyond another, under the headings of its tables.
fn beyond(dump: &str, base: &str) -> String {
    let base: HashSet<_> = units(base).into_iter().collect();
    let mut out = String::new();
    let mut heading = "";
    for unit in units(dump) {
        if !base.contains(&unit) {
            if unit.0 != heading {
                heading = unit.0;
                writeln!(out, "{heading}").unwrap();
            }
            writeln!(out, "{}", unit.1).unwrap();
        }
    }
    out
}

#[test]
fn an_empty_node_has_the_rules_that_are_always_there() {
    let mut text = String::new();
    for part in ["iptables", "ip6tables", "ipsets"] {
        let result = run(&["compile", EMPTY, "--node", NODE, "--emit", part]);
        assert_eq!(result.status, Some(0), "{}", result.stderr);
        if part == "iptables" {
            writeln!(text, "{}", result.stderr).unwrap();
        }
        write!(text, "# {part}\n{}", result.stdout).unwrap();
    }
    assert_snapshot("compile", "empty-node", &text);
}

#[test]
fn every_story_compiles_to_its_rules() {
    let base = |part| run(&["compile", EMPTY, "--node", NODE, "--emit", part, "--explain-origin"]).stdout;
    let (base4, base6, base_sets) = (base("iptables"), base("ip6tables"), base("ipsets"));
    let stories: Vec<_> =
        files("fixtures/compile").into_iter().filter(|path| relative(path) != EMPTY).collect();
    let texts = in_parallel(&stories, |path| {
        let mut text = String::new();
        let mut part = |part: &str, base: &str| {
            let arguments = ["compile", &relative(path), "--node", NODE, "--emit", part, "--explain-origin"];
            let result = run(&arguments);
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
        let result = run(&["compile", EMPTY, &relative(path), "--node", NODE, "--emit", "iptables"]);
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
