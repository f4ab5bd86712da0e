//! The grammar files of dumps and their readers agree: on what the grammar makes, on that with something
//! changed, and on what real nodes and a real Felix have printed.

mod common;

use common::ebnf::{Grammar, Terminal};
use common::{Numbers, files, recorded};
use netpolc::diagnostic::FileId;
use netpolc::dump::{self, Dump};
use netpolc::emit::{self, Dialect};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

const FILE: FileId = FileId(0);

static RULES: LazyLock<Grammar> =
    LazyLock::new(|| Grammar::new(include_str!("../grammar/iptables-save.ebnf"), TERMINALS));
static SETS: LazyLock<Grammar> =
    LazyLock::new(|| Grammar::new(include_str!("../grammar/ipset-save.ebnf"), TERMINALS));

static LINES_OF_RULES: LazyLock<BTreeSet<String>> = LazyLock::new(|| real_lines("", ".rules"));
static LINES_OF_SETS: LazyLock<BTreeSet<String>> = LazyLock::new(|| real_lines("ipset", ".txt"));

/// What the grammars say in words.
const TERMINALS: &[Terminal] = &[
    Terminal {
        name: "blank",
        ends: |text, at| run(text, at, is_blank),
        make: |numbers, out| blank(numbers, out),
    },
    Terminal { name: "gap", ends: gap, make: |numbers, out| blank(numbers, out) },
    Terminal {
        name: "char",
        ends: |text, at| one(text, at, |_| true),
        make: |numbers, out| letter(numbers, out, ""),
    },
    Terminal {
        name: "visible",
        ends: |text, at| one(text, at, |c| !is_blank(c)),
        make: |numbers, out| letter(numbers, out, " \t"),
    },
    Terminal {
        name: "plain",
        ends: |text, at| one(text, at, |c| !is_blank(c) && c != '"'),
        make: |numbers, out| letter(numbers, out, " \t\""),
    },
    Terminal {
        name: "inner",
        ends: |text, at| one(text, at, |c| c != '"' && c != '\\'),
        make: |numbers, out| letter(numbers, out, "\"\\"),
    },
    Terminal {
        name: "digit",
        ends: |text, at| one(text, at, |c| c.is_ascii_digit()),
        make: |numbers, out| below(numbers, out, 10),
    },
    Terminal {
        name: "number",
        ends: |text, at| digits(text, at, u64::MAX),
        make: |numbers, out| out.push_str(numbers.pick(&["0", "7", "00012", "18446744073709551615"])),
    },
    Terminal {
        name: "byte",
        ends: |text, at| digits(text, at, 255),
        make: |numbers, out| below(numbers, out, 256),
    },
    Terminal {
        name: "port",
        ends: |text, at| digits(text, at, 65_535),
        make: |numbers, out| below(numbers, out, 65_536),
    },
    Terminal {
        name: "length4",
        ends: |text, at| digits(text, at, 32),
        make: |numbers, out| below(numbers, out, 33),
    },
    Terminal {
        name: "length6",
        ends: |text, at| digits(text, at, 128),
        make: |numbers, out| below(numbers, out, 129),
    },
    Terminal {
        name: "host4",
        ends: address::<Ipv4Addr>,
        make: |numbers, out| {
            out.push_str(numbers.pick(&["10.0.0.1", "0.0.0.0", "255.255.240.0", "255.0.255.0"]))
        },
    },
    Terminal {
        name: "host6",
        ends: address::<Ipv6Addr>,
        make: |numbers, out| out.push_str(numbers.pick(&["fd00::1", "::", "ffff:ffff::", "::ffff:10.0.0.1"])),
    },
];

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

fn one(text: &str, at: usize, is: fn(char) -> bool) -> Vec<usize> {
    text[at..].chars().next().filter(|c| is(*c)).map(|c| at + c.len_utf8()).into_iter().collect()
}

/// All characters from an offset on that are so; one at least.
fn run(text: &str, at: usize, is: fn(char) -> bool) -> Vec<usize> {
    let rest = text[at..].trim_start_matches(is).len();
    [text.len() - rest].into_iter().filter(|end| *end > at).collect()
}

fn gap(text: &str, at: usize) -> Vec<usize> {
    match run(text, at, is_blank) {
        none if none.is_empty() && (at == text.len() || text[..at].ends_with('"')) => vec![at],
        blanks => blanks,
    }
}

fn digits(text: &str, at: usize, largest: u64) -> Vec<usize> {
    let length = text[at..].bytes().take_while(u8::is_ascii_digit).count();
    let small = |end: &usize| text[at..*end].parse::<u64>().is_ok_and(|number| number <= largest);
    (at + 1..=at + length).filter(small).collect()
}

fn address<A: std::str::FromStr>(text: &str, at: usize) -> Vec<usize> {
    let possible = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b'.' | b':');
    let length = text[at..].bytes().take_while(possible).count();
    (at + 1..=at + length).filter(|end| text[at..*end].parse::<A>().is_ok()).collect()
}

fn blank(numbers: &mut Numbers, out: &mut String) {
    out.push_str(numbers.pick(&[" ", " ", " ", "\t", "  "]));
}

fn letter(numbers: &mut Numbers, out: &mut String, but: &str) {
    let letters: Vec<char> = "aB7-_+:.,!/#[\\\"' \té".chars().filter(|c| !but.contains(*c)).collect();
    out.push(numbers.pick(&letters));
}

fn below(numbers: &mut Numbers, out: &mut String, end: usize) {
    write!(out, "{}", numbers.below(end)).unwrap();
}

/// A dump in which a line can stand: in a table, with its chain declared.
fn around_rule(line: &str) -> String {
    let appends = |word: &str| {
        let from = line.find(word)? + word.len();
        line[from..].split(is_blank).find(|word| !word.is_empty())
    };
    match line.trim_start_matches(is_blank).chars().next() {
        Some('*') => format!("{line}\nCOMMIT\n"),
        Some(':') => format!("*mangle\n{line}\nCOMMIT\n"),
        Some('C') => format!("*mangle\n{line}\n"),
        Some('-' | '[') => match appends("-A").or_else(|| appends("--append")) {
            Some(chain) => format!("*mangle\n:{chain} - [0:0]\n{line}\nCOMMIT\n"),
            None => format!("*mangle\n{line}\nCOMMIT\n"),
        },
        _ => format!("{line}\n"),
    }
}

fn reads_rule(line: &str) -> bool {
    dump::parse(&around_rule(line), FILE).is_ok()
}

/// A dump of sets in which a line can stand: with its set made.
fn around_set(line: &str) -> String {
    let set = line.strip_prefix("add").and_then(|rest| rest.split(is_blank).find(|word| !word.is_empty()));
    match set {
        Some(set) => format!("create {set} hash:ip\n{line}\n"),
        None => format!("{line}\n"),
    }
}

fn reads_set(line: &str) -> bool {
    dump::parse_sets(&around_set(line), FILE).is_ok()
}

fn sentences(grammar: &Grammar, rule: &str, count: usize) -> Vec<String> {
    let mut numbers = Numbers::new(1);
    (0..count).map(|_| grammar.sentence(rule, &mut numbers)).collect()
}

/// Pieces that are put into a line, or in place of a part of it.
const PIECES: [&str; 26] = [
    "",
    "",
    "",
    " ",
    "\t",
    "\"",
    "\\",
    "!",
    " ! ",
    "-",
    "--",
    "-s ",
    " -p ",
    " -m ",
    " -j ",
    " -g x",
    "--dport ",
    "--comment ",
    ",",
    "/",
    ":",
    "[",
    "]",
    "1",
    "é",
    "add ",
];

/// A line with something changed.
fn changed(line: &str, numbers: &mut Numbers) -> String {
    let mut text = line.to_owned();
    for _ in 0..=numbers.below(2) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let start = numbers.below(places.len());
        let end = (start + [0, 1, 1, 4][numbers.below(4)]).min(places.len() - 1);
        text.replace_range(places[start]..places[end], numbers.pick(&PIECES));
    }
    text
}

/// Lines of dumps of real nodes and of a real Felix: one of each kind, where digits and hashes differ.
fn real_lines(beginning: &str, ending: &str) -> BTreeSet<String> {
    let own = files("fixtures/dump").into_iter();
    let of_felix = recorded().into_iter().flat_map(|case| {
        let entries = fs::read_dir(case.join("golden")).expect("a recorded case");
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    });
    let mut kinds: BTreeSet<String> = BTreeSet::new();
    let mut lines = BTreeSet::new();
    for path in own.chain(of_felix) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.ends_with(ending) || !name.starts_with(beginning) {
            continue;
        }
        for line in fs::read_to_string(&path).expect("a text").lines() {
            let letters = |word: &str| match word.len() > 12 || word.contains(|c: char| c.is_ascii_digit()) {
                true => word.replace(|c: char| c.is_ascii_alphanumeric(), "x"),
                false => word.to_owned(),
            };
            let kind: Vec<String> = line.split(' ').map(letters).collect();
            if kinds.insert(kind.join(" ").replace("xx", "x").replace("xx", "x").replace("xx", "x")) {
                lines.insert(line.to_owned());
            }
        }
    }
    lines
}

fn printed(dump: &Dump<'_>) -> Option<String> {
    let mut out = String::new();
    for rules in dump.rule_sets().ok()? {
        emit::write_rules(&mut out, &rules, Dialect::Save, &mut |_, _| {});
    }
    Some(out)
}

#[test]
fn rules_that_the_grammar_makes_are_read_and_printed() {
    for (kind, count) in [("rule", 3_000), ("line", 1_000)] {
        let mut longest = 0;
        for line in sentences(&RULES, kind, count) {
            let text = around_rule(&line);
            let dump = dump::parse(&text, FILE).unwrap_or_else(|wrong| panic!("{line:?}: {wrong:?}"));
            assert_eq!(dump.text(), text);
            // a rule that calls its own chain is no rule
            let Some(once) = printed(&dump) else { continue };
            let again =
                dump::parse(&once, FILE).unwrap_or_else(|wrong| panic!("{line:?}: {once}: {wrong:?}"));
            assert_eq!(printed(&again).as_ref(), Some(&once), "{line:?}");
            longest = longest.max(line.len());
        }
        assert!(longest > 100, "the sentences are too simple: {longest}");
    }
}

#[test]
fn sets_that_the_grammar_makes_are_read_and_printed() {
    for line in sentences(&SETS, "line", 5_000) {
        let text = around_set(&line);
        let dump = dump::parse_sets(&text, FILE).unwrap_or_else(|wrong| panic!("{line:?}: {wrong:?}"));
        assert_eq!(dump.text(), text);
    }
}

/// Gives how many of the lines are read.
fn agree(lines: &[String], grammar: &Grammar, reads: fn(&str) -> bool) -> usize {
    let mut read = 0;
    for line in lines {
        assert_eq!(grammar.derives("line", line), reads(line), "{line:?}");
        read += usize::from(reads(line));
    }
    read
}

#[test]
fn changed_lines_are_read_where_the_grammar_makes_them() {
    let mut numbers = Numbers::new(1);
    for (grammar, kind, real, reads) in [
        (&RULES, "rule", &*LINES_OF_RULES, reads_rule as fn(&str) -> bool),
        (&SETS, "line", &*LINES_OF_SETS, reads_set),
    ] {
        let mut lines = sentences(grammar, kind, 1_000);
        lines.extend(real.iter().cloned());
        let changed: Vec<String> =
            lines.iter().flat_map(|line| [line, line]).map(|line| changed(line, &mut numbers)).collect();
        let read = agree(&changed, grammar, reads);
        assert!(read > 500 && changed.len() - read > 500, "{read} of {} are read", changed.len());
    }
}

#[test]
fn all_that_was_ever_printed_is_in_the_grammar() {
    for (grammar, real) in [(&RULES, &*LINES_OF_RULES), (&SETS, &*LINES_OF_SETS)] {
        assert!(real.len() > 20, "only {} lines", real.len());
        for line in real {
            assert!(grammar.derives("line", line), "{line:?}");
        }
    }
}

#[test]
fn sets_become_data_where_the_grammar_says_so() {
    let mut numbers = Numbers::new(1);
    let known = |text: &str| {
        let sets = dump::parse_sets(text, FILE).unwrap_or_else(|wrong| panic!("{text:?}: {wrong:?}")).sets();
        assert_eq!(sets.known.len() + sets.other.len(), 1);
        !sets.known.is_empty()
    };
    let mut count = [0, 0];
    for (kind, rule) in [("hash:ip", "hash-ip"), ("hash:net", "hash-net"), ("hash:ip,port", "hash-ip-port")] {
        for (number, family) in ["4", "6"].iter().zip(["inet", "inet6"]).cycle().take(3_000) {
            let rule = format!("{rule}{number}");
            let mut member = SETS.sentence(&rule, &mut numbers);
            if numbers.below(2) == 0 {
                member = changed(&member, &mut numbers);
            }
            if !SETS.derives("member", &member) {
                continue;
            }
            let is = SETS.derives(&rule, &member);
            assert_eq!(
                known(&format!("create s {kind} family {family}\nadd s {member}\n")),
                is,
                "{kind} {member:?}"
            );
            count[usize::from(is)] += 1;
        }
        for mut options in sentences(&SETS, "options", 1_000) {
            if numbers.below(2) == 0 {
                options = changed(&options, &mut numbers);
            }
            let options = options.trim_start_matches(is_blank);
            assert_eq!(
                known(&format!("create s {kind} {options}\n")),
                SETS.derives("options", options),
                "{options:?}"
            );
        }
    }
    assert!(count.iter().all(|count| *count > 1_000), "{count:?}");
}
