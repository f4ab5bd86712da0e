//! The same diagnostics through every form, and input that tries to break out of it.

use super::{SourceLines, full, json, printable, short};
use crate::diagnostic::{Diagnostic, FileId, Location, Severity, order};
use proptest::prelude::*;

struct Lines(Vec<(&'static str, String)>);

impl SourceLines for Lines {
    fn name(&self, file: FileId) -> &str {
        self.0[file.0 as usize].0
    }
    fn line(&self, file: FileId, line: u32) -> Option<String> {
        self.0[file.0 as usize].1.lines().nth((line as usize).checked_sub(1)?).map(str::to_owned)
    }
}

fn at(file: u32, line: u32, column: u32) -> Location {
    Location { file: FileId(file), line, column }
}

const POLICY: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: db
spec:
  podSelectr: {}
  policyTypes: [Ingress]
";
const OTHER: &str = "kind: NetworkPolicy\nmetadata: {name: db} # first\n";

fn lines() -> Lines {
    Lines(vec![("policies/db.yaml", POLICY.into()), ("policies/other.yaml", OTHER.into())])
}

fn sample() -> Vec<Diagnostic> {
    let mut all = vec![
        Diagnostic::new("unknown-node", Severity::Error, None, "there is no node `w1`")
            .help("nodes of the input: `w2`, `w3`"),
        Diagnostic::warning(
            "defined-twice",
            at(0, 4, 9),
            "`NetworkPolicy` `db` is written twice; the last one counts",
        )
        .related(at(1, 2, 18), "first defined here"),
        Diagnostic::error("unknown-field", at(0, 6, 3), "unknown field `podSelectr`")
            .help("did you mean `podSelector`?"),
    ];
    order(&mut all);
    all
}

#[test]
fn full_shows_the_line_and_the_help() {
    insta::assert_snapshot!(full(&sample(), &lines(), false), @r#"
    warning[defined-twice]: `NetworkPolicy` `db` is written twice; the last one counts
     --> policies/db.yaml:4:9
      |
    2 | kind: NetworkPolicy
    3 | metadata:
    4 |   name: db
      |         ^^
    5 | spec:
    6 |   podSelectr: {}
      |
    note: first defined here
     --> policies/other.yaml:2:18
      |
    1 | kind: NetworkPolicy
    2 | metadata: {name: db} # first
      |                  --

    error[unknown-field]: unknown field `podSelectr`
     --> policies/db.yaml:6:3
      |
    4 |   name: db
    5 | spec:
    6 |   podSelectr: {}
      |   ^^^^^^^^^^
    7 |   policyTypes: [Ingress]
      |
      = help: did you mean `podSelector`?

    error[unknown-node]: there is no node `w1`
     |
     = help: nodes of the input: `w2`, `w3`
    "#);
}

#[test]
fn full_is_plain_unless_told() {
    assert!(!full(&sample(), &lines(), false).contains('\x1b'));
    assert!(full(&sample(), &lines(), true).contains("\x1b["));
}

#[test]
fn short_is_one_line_each() {
    insta::assert_snapshot!(short(&sample(), &lines()), @r#"
    policies/db.yaml:4:9: warning[defined-twice]: `NetworkPolicy` `db` is written twice; the last one counts
    policies/db.yaml:6:3: error[unknown-field]: unknown field `podSelectr`
    error[unknown-node]: there is no node `w1`
    "#);
}

#[test]
fn json_names_files_and_leaves_out_what_is_not_there() {
    let text = serde_json::to_string_pretty(&json::document(&sample(), &lines())).unwrap();
    insta::assert_snapshot!(text, @r#"
    {
      "schema": "netpolc.diagnostics/1",
      "summary": {
        "errors": 2,
        "warnings": 1,
        "notes": 0
      },
      "diagnostics": [
        {
          "id": "defined-twice",
          "severity": "warning",
          "confidence": "certain",
          "message": "`NetworkPolicy` `db` is written twice; the last one counts",
          "file": "policies/db.yaml",
          "line": 4,
          "column": 9,
          "related": [
            {
              "file": "policies/other.yaml",
              "line": 2,
              "column": 18,
              "message": "first defined here"
            }
          ]
        },
        {
          "id": "unknown-field",
          "severity": "error",
          "confidence": "certain",
          "message": "unknown field `podSelectr`",
          "file": "policies/db.yaml",
          "line": 6,
          "column": 3,
          "help": "did you mean `podSelector`?"
        },
        {
          "id": "unknown-node",
          "severity": "error",
          "confidence": "certain",
          "message": "there is no node `w1`",
          "help": "nodes of the input: `w2`, `w3`"
        }
      ]
    }
    "#);
}

#[test]
fn long_lines_are_cut_around_the_place_and_keep_their_column() {
    let line = format!("{{\"items\":[{}{{\"kid\":\"Pod\"}}]}}", "{\"kind\":\"Pod\"},".repeat(5_000));
    let column = line.find("kid").unwrap() as u32;
    let sources = Lines(vec![("dump.json", line)]);
    let text =
        full(&[Diagnostic::error("unknown-field", at(0, 1, column), "unknown field `kid`")], &sources, false);
    insta::assert_snapshot!(text, @r#"
    error[unknown-field]: unknown field `kid`
     --> dump.json:1:75012
      |
     ::: 
    1 | …:"Pod"},{"kind":"Pod"},{"kind":"Pod"},{"kid":"Pod"}]}
      |                                         ^^^^^
    "#);
}

/// A line that is handed out in stretches only.
struct Endless;

impl SourceLines for Endless {
    fn name(&self, _: FileId) -> &str {
        "dump.json"
    }
    fn line(&self, _: FileId, _: u32) -> Option<String> {
        None
    }
    fn stretch(&self, at: Location, radius: u32) -> Option<(String, u32)> {
        let first = at.column.saturating_sub(radius).max(1);
        let text = (first..at.column + radius).map(|column| if column == at.column { 'X' } else { '-' });
        Some((text.collect(), first))
    }
}

#[test]
fn a_line_that_is_too_long_is_asked_for_in_part() {
    for column in [1, 7, 5_000_000] {
        let text = full(&[Diagnostic::error("e", at(0, 1, column), "m")], &Endless, false);
        assert!(text.contains(&format!("dump.json:1:{column}")), "{text}");
        let lines: Vec<_> = text.lines().collect();
        let drawn = lines.iter().position(|line| line.starts_with("1 |")).expect("the line is drawn");
        let place = |line: &str, c| line.chars().position(|x| x == c);
        assert_eq!(place(lines[drawn], 'X'), place(lines[drawn + 1], '^'), "{text}");
    }
}

#[test]
fn words_of_the_input_cannot_steer_the_terminal() {
    let evil = "\x1b]0;owned\x07\u{9b}2J\u{202e}txt\r\nerror: forged";
    let sources = Lines(vec![("a\x1b[2J.yaml", format!("name: {}", evil.replace('\n', "")))]);
    let diagnostics = [Diagnostic::error("e", at(0, 1, 7), format!("unknown `{evil}`"))
        .help(evil)
        .related(at(0, 1, 1), evil)];
    for text in [full(&diagnostics, &sources, false), short(&diagnostics, &sources)] {
        let bad = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
        assert_eq!(text.chars().find(bad), None, "in {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("error: forged")), "{text}");
    }
}

#[test]
fn printable_leaves_ordinary_text_alone() {
    assert_eq!(printable("größe `端口` ok"), "größe `端口` ok");
    assert_eq!(printable("a\tb\nc\u{0}"), "a\\tb\\nc\\u{0}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_place_in_any_text_can_be_shown(text in "(\\PC|[\t\r\u{1b}\u{9b}é端\n]){0,60}", line in 0u32..8, column in 0u32..70) {
        let sources = Lines(vec![("a.yaml", text)]);
        let shown = full(&[Diagnostic::error("e", at(0, line, column), "m")], &sources, true);
        let heading = format!("a.yaml:{line}:{column}");
        prop_assert!(shown.contains(&heading), "{}", shown);
    }
}
