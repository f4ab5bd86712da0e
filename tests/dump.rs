//! Dumps are read without loss, and what is read means what was compiled.

mod common;

use common::{files, in_parallel, recorded, recorded_below, relative, root};
use netpolc::diagnostic::FileId;
use netpolc::dump::{self, Dump};
use netpolc::emit::{self, Dialect};
use netpolc::felix;
use netpolc::ir::{Action, Family, Matcher, Program, RuleSet};
use netpolc::model::{InvalidMode, collect, lower};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use netpolc::syntax::ip_addr;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const FILE: FileId = FileId(0);

fn parsed(text: &str) -> Dump<'_> {
    dump::parse(text, FILE).unwrap_or_else(|wrong| panic!("{wrong:#?}"))
}

fn printed(rules: &RuleSet, dialect: Dialect) -> String {
    let mut out = String::new();
    emit::write_rules(&mut out, rules, dialect, &mut |_, _| {});
    out
}

/// The first line that differs.
fn difference(wanted: &str, got: &str) -> String {
    let pairs = wanted.lines().zip(got.lines().chain(std::iter::repeat("(end)")));
    match pairs.zip(1..).find(|((one, other), _)| one != other) {
        Some(((one, other), line)) => format!("line {line}:\n  {one}\n  {other}"),
        None => "the end".to_owned(),
    }
}

/// Recorded rules, read and printed again; what differs.
fn reread(path: &Path, dialect: Dialect, family: Family) -> Option<String> {
    let text = fs::read_to_string(path).expect("a recorded file");
    let dump = parsed(&text);
    assert!(dump.text() == text, "{}: the text is not the same", path.display());
    let sets = dump.rule_sets().expect("no circles");
    let [rules] = &sets[..] else {
        return (!text.is_empty()).then(|| format!("{}: {} families", path.display(), sets.len()));
    };
    let unknown = unknown(rules);
    if !unknown.is_empty() {
        return Some(format!("{}: not understood: {unknown:#?}", path.display()));
    }
    let again = printed(rules, dialect);
    let decides = dialect == Dialect::Felix || text.lines().any(|line| line.contains("cali60"));
    if decides && rules.family != family {
        return Some(format!("{}: {:?}", path.display(), rules.family));
    }
    (again != text).then(|| format!("{}: {}", path.display(), difference(&text, &again)))
}

#[test]
fn recorded_rules_and_sets_are_read_and_printed_again() {
    let wrong: Vec<String> = in_parallel(&recorded(), |case| {
        let golden = case.join("golden");
        let mut wrong = Vec::new();
        for (dialect, word) in [(Dialect::Felix, "felix"), (Dialect::Save, "save")] {
            for (family, version) in [(Family::V4, "v4"), (Family::V6, "v6")] {
                wrong.extend(reread(&golden.join(format!("{word}.{version}.rules")), dialect, family));
            }
        }
        let text = fs::read_to_string(golden.join("ipsets.txt")).expect("a recorded file");
        let dump = dump::parse_sets(&text, FILE).unwrap_or_else(|wrong| panic!("{wrong:#?}"));
        assert!(dump.text() == text);
        let sets = dump.sets();
        assert_eq!(sets.other, [], "{}", case.display());
        let mut again = String::new();
        sets.known.iter().for_each(|set| emit::ipset::write_set(&mut again, set));
        if again != text {
            wrong.push(format!("{}: ipsets: {}", case.display(), difference(&text, &again)));
        }
        wrong
    })
    .concat();
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n"));
}

fn program(case: &Path) -> Program {
    let read = source::read(&[Input::Path(case.join("cluster.yaml"))], &Options::default(), |object| {
        lower(object, Default::default())
    });
    let collected = collect(read.values, InvalidMode::Skip, Default::default());
    let cluster = Cluster::new(&collected.resources);
    let addresses = fs::read_to_string(case.join("golden/ip-addr.json")).expect("a recorded file");
    let addresses = ip_addr::parse(&addresses).expect("addresses");
    felix::render(&cluster.view(&NodeRequest { node: "node-1", interfaces: Some(&addresses) }).view.unwrap())
}

#[test]
fn what_is_read_is_what_was_compiled() {
    for case in recorded_below(&root().join("fixtures/golden")) {
        let program = program(&case);
        for rules in [&program.v4, &program.v6] {
            let text = printed(rules, Dialect::Felix);
            let sets = parsed(&text).rule_sets().expect("no circles");
            let read = sets.iter().flat_map(|set| &set.tables).map(|table| (table.name, table));
            let mut read: BTreeMap<_, _> = read.collect();
            for table in &rules.tables {
                let empty = table.hooks.iter().chain(&table.chains).all(|chain| chain.rules.is_empty());
                let Some(own) = read.remove(&table.name) else {
                    assert!(empty, "{}: no table {:?}", case.display(), table.name);
                    continue;
                };
                assert!(own.hooks == table.hooks, "{}: {:?}", case.display(), table.name);
                assert!(own.chains == table.chains, "{}: {:?}", case.display(), table.name);
            }
            assert!(read.is_empty());
        }
    }
}

/// What is not understood, and how often it comes.
fn unknown(rules: &RuleSet) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let chains = rules.tables.iter().flat_map(|table| table.hooks.iter().chain(&table.chains));
    for rule in chains.flat_map(|chain| &chain.rules) {
        let matches = rule.matches.iter().filter_map(|one| match &one.on {
            Matcher::Other(text) => Some(format!("match {text}")),
            _ => None,
        });
        let action = match &rule.action {
            Some(Action::Other(text)) => Some(format!("target {text}")),
            _ => None,
        };
        for text in matches.chain(action) {
            *found.entry(text).or_default() += 1;
        }
    }
    found
}

/// Dumps of nodes with other software.
fn other_software() -> Vec<PathBuf> {
    let mut all = files("fixtures/dump");
    all.retain(|path| path.extension().is_some_and(|ending| ending == "rules"));
    all
}

fn assert_snapshot(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => root().join("snapshots/dump"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

#[test]
fn dumps_with_other_software_are_read_without_loss() {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for path in other_software() {
        let text = fs::read_to_string(&path).expect("a fixture");
        let dump = parsed(&text);
        assert!(dump.text() == text, "{}: the text is not the same", relative(&path));
        let mut what = String::new();
        for rules in dump.rule_sets().expect("no circles") {
            let chains = || rules.tables.iter().flat_map(|table| table.hooks.iter().chain(&table.chains));
            let count: usize = chains().map(|chain| chain.rules.len()).sum();
            let unknown = unknown(&rules);
            let total: usize = unknown.values().sum();
            writeln!(what, "{:?}: {count} rules, {total} times something unknown", rules.family).unwrap();
            unknown.iter().for_each(|(text, count)| writeln!(what, "  {count} {text}").unwrap());
            for chain in chains().filter(|chain| chain.policy != Default::default()) {
                writeln!(what, "  policy of {}: {}", chain.name, chain.policy.name()).unwrap();
            }
            // what was understood is printed so that it is understood again
            let text = printed(&rules, Dialect::Save);
            let again = parsed(&text).rule_sets().expect("no circles");
            for (one, other) in rules.tables.iter().zip(&again[0].tables) {
                assert_eq!(one.hooks, other.hooks, "{}", relative(&path));
                assert_eq!(one.chains, other.chains, "{}", relative(&path));
            }
        }
        let name = relative(&path);
        let stem = name.trim_start_matches("fixtures/dump/").split('.').next().unwrap_or_default();
        // whoever saved it, and with counters or without
        let first = known.entry(stem.to_owned()).or_insert_with(|| what.clone());
        assert_eq!(*first, what, "{name}");
    }
    known.iter().for_each(|(name, what)| assert_snapshot(name, what));
}

/// The rules of a dump without their counters, sorted: the order of chains is not always the same. Those of
/// the table `security` are left out, as they are left out of what is read.
fn rule_lines(text: &str) -> Vec<&str> {
    let tables = text.split("\n*").filter(|table| !table.starts_with("security"));
    let rules = tables.flat_map(str::lines).map(|line| match line.strip_prefix('[') {
        Some(counted) => counted.split_once("] ").map_or("", |(_, rule)| rule),
        None => line,
    });
    let mut rules: Vec<&str> = rules.filter(|line| line.starts_with("-A ")).collect();
    rules.sort_unstable();
    rules
}

/// What is read of a rule does not say where its comment stands, that a protocol is asked for twice, or that
/// a match or target was written in its older form: rules with that are printed in one spelling.
fn has_other_spelling(rule: &str) -> bool {
    let text = rule.find(" --comment ").unwrap_or(rule.len());
    rule[..text].contains(" -m conntrack ")
        || ["-m tcp -j ", "-m state ", "-j CT --notrack"].iter().any(|part| rule.contains(part))
}

#[test]
fn rules_of_other_software_are_printed_as_they_were_saved() {
    for path in other_software() {
        let text = fs::read_to_string(&path).expect("a fixture");
        let sets = parsed(&text).rule_sets().expect("no circles");
        let again: String = sets.iter().map(|rules| printed(rules, Dialect::Save)).collect();
        let (mut wanted, mut got) = (rule_lines(&text), rule_lines(&again));
        assert_eq!(wanted.len(), got.len(), "{}", relative(&path));
        if !path.to_string_lossy().contains("-own") {
            let other: Vec<&str> = wanted.iter().copied().filter(|rule| !got.contains(rule)).collect();
            assert!(other.iter().all(|rule| has_other_spelling(rule)), "{}: {other:#?}", relative(&path));
            wanted.retain(|rule| !other.contains(rule));
            got.retain(|rule| wanted.contains(rule));
        }
        assert!(wanted == got, "{}: {}", relative(&path), difference(&wanted.join("\n"), &got.join("\n")));
    }
}

#[test]
fn counters_and_policies_are_read() {
    let text = fs::read_to_string(root().join("fixtures/dump/firewalld.nft-counters.rules")).unwrap();
    let dump = parsed(&text);
    let entries = || dump.lines.iter().map(|line| &line.what);
    let most = Some(dump::Counters { packets: u64::MAX, bytes: 7 });
    assert!(entries().any(|entry| matches!(entry,
        dump::Entry::Chain { name: "INPUT", policy: Some(netpolc::ir::ChainPolicy::Drop), counters } if *counters == most)));
    let some = Some(dump::Counters { packets: 12, bytes: 3456 });
    assert!(entries().any(|entry| matches!(entry,
        dump::Entry::Rule { chain: "INPUT", counters, .. } if *counters == some)));
}

#[test]
fn sets_of_other_types_are_named_and_kept() {
    for name in ["ipsets", "ipsets-fail2ban", "ipsets-types"] {
        let text = fs::read_to_string(root().join(format!("fixtures/dump/{name}.txt"))).unwrap();
        let dump = dump::parse_sets(&text, FILE).unwrap();
        assert_eq!(dump.text(), text);
        let sets = dump.sets();
        let mut out = String::new();
        sets.known.iter().for_each(|set| emit::ipset::write_set(&mut out, set));
        for set in sets.other {
            writeln!(out, "{} {}, {} members: kept as text", set.name, set.kind, set.len).unwrap();
        }
        assert_snapshot(name, &out);
    }
}

#[test]
fn a_large_dump_is_read_in_linear_time() {
    let chains = 2_000;
    let mut text = String::from("*filter\n:INPUT ACCEPT [0:0]\n");
    (0..chains).for_each(|chain| writeln!(text, ":chain-{chain} - [0:0]").unwrap());
    for chain in 0..chains {
        for port in 1..=50 {
            writeln!(
                text,
                "-A chain-{chain} -p tcp -m comment --comment \"a rule\" -m tcp --dport {port} -j ACCEPT"
            )
            .unwrap();
        }
    }
    text.push_str("COMMIT\n");
    let started = std::time::Instant::now();
    let sets = parsed(&text).rule_sets().expect("no circles");
    assert_eq!(sets[0].tables[0].chains.len(), chains);
    assert!(started.elapsed().as_secs() < 20, "{:?} for 100,000 rules", started.elapsed());
}
