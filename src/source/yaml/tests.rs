//! The fast path against the reference, and the reference against go-yaml's rules.

use super::*;
use crate::diagnostic::FileId;
use crate::fuzz;
use crate::source::tree::{Node, Value};
use proptest::prelude::*;

/// One line a node: place, style, text, children.
fn dump(tree: &Tree<'_>) -> String {
    fn add(out: &mut String, node: Node<'_>, depth: usize) {
        let what = match node.style() {
            Some(style) => format!("{style:?} {:?}", node.text()),
            None => format!("{:?}", node.value()),
        };
        out.push_str(&format!("{:depth$}{} {what}\n", "", node.offset()));
        for (key, value) in node.entries() {
            add(out, key, depth + 1);
            add(out, value, depth + 1);
        }
        node.items().for_each(|item| add(out, item, depth + 1));
    }
    let mut out = String::new();
    if let Some(root) = tree.root() {
        add(&mut out, root, 0);
    }
    out
}

/// What the fast path makes of a text; nothing if it gives up.
fn fast(text: &str) -> Option<String> {
    let mut tree = Tree::new(text, FileId(0), 1, 1);
    Fast::new(text, 0, &mut tree).and_then(Fast::document).ok()?;
    let twice = tree.finish().map(|root| format!("{:?}", root.duplicates()));
    Some(dump(&tree) + &twice.unwrap_or_default())
}

/// What the reference makes of it.
fn slow(text: &str) -> Result<String, String> {
    let mut tree = Tree::new(text, FileId(0), 1, 1);
    reference(text, 0..text.len(), &mut tree)
        .map_err(|fault| format!("{} at {}", fault.message, fault.offset))?;
    let twice = tree.finish().map(|root| format!("{:?}", root.duplicates()));
    Ok(dump(&tree) + &twice.unwrap_or_default())
}

/// Whatever the fast path accepts is what the reference reads; says whether it accepted.
fn agree(text: &str) -> bool {
    let Some(fast) = fast(text) else { return false };
    assert_eq!(Ok(fast), slow(text), "of {text:?}");
    true
}

#[test]
fn what_machines_print_is_read_on_the_fast_path() {
    for text in [
        "a: b\n",
        "a: b",
        "apiVersion: v1\nitems:\n- a: 1\n  b: \"x\\ty\"\n- c: 'it''s'\nkind: List\n",
        "a:\n  - b\n  -   c: d\n      e: f\n  - - g\n    - h\n",
        "a: {}\nb: []\nc: [1, \"two\", 'three', x.y/z:80]\nd: {e: f, g: [h]}\n",
        "a: # comment\n  b: c # another\n\n# third\n  d: e#f\n",
        "a: |\n  one\n   two\n\n  three\nb: |-\n  x\nc: |+\n  y\n\n\nd: e\n",
        "- a\n- -1\n- 10.0.0.0/8\n- http://x:80/y\n",
        "\"quoted key\": 1\n'single': \"\\u00fcber\"\n",
        "a: \"\"\nb: ''\n",
        "a:   b   \nc: d e  f\n",
        "ключ: значение\n",
        "a: b\na: c\n",
        "# nothing\n\n",
        "",
    ] {
        let expected = !text.starts_with("ключ");
        assert_eq!(agree(text), expected, "{text:?}");
    }
}

#[test]
fn what_it_does_not_know_it_leaves() {
    for text in [
        "a: &x b\nc: *x\n",
        "a: !!str 1\n",
        "a: b\n  c\n",
        "a:\n",
        "a: >\n  b\n",
        "a:\tb\n",
        "a: b\r\n",
        "? a\n: b\n",
        "yes: 1\n",
        "1: 1\n",
        "~: 1\n",
        "a: [b,\n c]\n",
        "a: {b}\n",
        "a: {b: }\n",
        "a: [,]\n",
        "a: b: c\n",
        "a: 'b' c\n",
        "- a\nb: c\n",
        "a:\n- b\n c\n",
        "  a: b\nc: d\n",
        "<<: x\n",
        "a: \"b\n  c\"\n",
        "a: |2\n   b\n",
        "a: |\nb: c\n",
        "%YAML 1.1\n",
        "a: @b\n",
        "a: -\n",
        "a: - b\n",
        "[a]: b\n",
        "a: |\n  b",
        "a: [b: c]\n",
        "a: {\"b\":1}\n",
        "a : b\n",
    ] {
        assert_eq!(fast(text), None, "{text:?}");
    }
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9./-]{1,12}",
        "[ -~]{0,12}",
        "[ -~äß€😀\n\t]{0,12}",
        Just("null".to_owned()),
        Just("010".to_owned()),
        Just("yes".to_owned()),
    ]
}

/// A value to print.
#[derive(Debug, Clone)]
enum Printed {
    Plain(String),
    Double(String),
    Single(String),
    Literal(Vec<String>, &'static str),
    Flow(Vec<(String, String)>),
    Seq(Vec<Printed>, bool),
    Map(Vec<(String, Printed)>),
}

fn printed() -> impl Strategy<Value = Printed> {
    let line = "[ -~äß]{0,10}";
    let leaf = prop_oneof![
        scalar().prop_map(Printed::Plain),
        scalar().prop_map(Printed::Double),
        scalar().prop_map(Printed::Single),
        (prop::collection::vec(line, 1..4), prop_oneof![Just("|"), Just("|-"), Just("|+"), Just(">")])
            .prop_map(|(lines, header)| Printed::Literal(lines, header)),
        prop::collection::vec((scalar(), scalar()), 0..3).prop_map(Printed::Flow),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 1..4), any::<bool>())
                .prop_map(|(items, indented)| Printed::Seq(items, indented)),
            prop::collection::vec((scalar(), inner), 1..4).prop_map(Printed::Map),
        ]
    })
}

/// Prints a value behind `key:` or `-`, which stand at `indent` on the line.
fn print(out: &mut String, value: &Printed, indent: usize, in_seq: bool) {
    let double = |s: &str| format!("{s:?}").replace("\\u{", "\\x{");
    match value {
        Printed::Plain(s) => out.push_str(&format!(" {s}\n")),
        Printed::Double(s) => out.push_str(&format!(" {}\n", double(s))),
        Printed::Single(s) => out.push_str(&format!(" '{}'\n", s.replace('\'', "''"))),
        Printed::Literal(lines, header) => {
            out.push_str(&format!(" {header}\n"));
            lines.iter().for_each(|line| out.push_str(&format!("{:1$}{line}\n", "", indent + 2)));
        }
        Printed::Flow(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("{}: {v}", double(k))).collect();
            out.push_str(&format!(" {{{}}}\n", pairs.join(", ")));
        }
        Printed::Seq(items, indented) => {
            out.push('\n');
            let indent = if *indented || in_seq { indent + 2 } else { indent };
            for item in items {
                out.push_str(&format!("{:indent$}-", ""));
                print(out, item, indent, true);
            }
        }
        Printed::Map(entries) => {
            let indent = indent + 2;
            for (n, (key, value)) in entries.iter().enumerate() {
                if n == 0 && in_seq {
                    out.push(' ');
                } else {
                    out.push_str(&format!("{}{:indent$}", if n == 0 { "\n" } else { "" }, ""));
                }
                out.push_str(&format!("{key}:"));
                print(out, value, indent, false);
            }
        }
    }
}

#[test]
fn fast_path_reads_printed_documents_as_the_reference_does() {
    fuzz::run(printed(), |value| {
        let mut text = "k:".to_owned();
        print(&mut text, &value, 0, false);
        agree(&text);
    });
}

#[test]
fn fast_path_reads_any_text_as_the_reference_does() {
    fuzz::run("[ab:\\- \n#'\"|{}\\[\\],0.\\\\&*!?>%~]{0,40}", |text| {
        agree(&text);
    });
}

/// The value as compact JSON, the last of equal keys first lost: what a consumer sees.
fn json(node: Node<'_>) -> serde_json::Value {
    match node.value() {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Float(value) => value.into(),
        Value::Str(text) => text.into(),
        Value::Seq => node.items().map(json).collect(),
        Value::Map => node.entries().map(|(key, value)| (key.text().to_owned(), json(value))).collect(),
    }
}

fn read(text: &str) -> Result<String, String> {
    let mut tree = Tree::new(text, FileId(0), 1, 1);
    document(text, 0..text.len(), &mut tree)
        .map_err(|fault| format!("{}: {} at {}", fault.id, fault.message, fault.offset))?;
    Ok(tree.root().map(|root| json(root).to_string()).unwrap_or_default())
}

#[test]
fn aliases_are_repeated() {
    for (text, expected) in [
        ("a: &x [1, {b: c}]\nd: *x\n", r#"{"a":[1,{"b":"c"}],"d":[1,{"b":"c"}]}"#),
        ("a: &x 1\nb: &x 2\nc: *x\n", r#"{"a":1,"b":2,"c":2}"#),
        ("&k a: b\n*k : c\n", r#"{"a":"c"}"#),
        ("a: &x\nb: *x\n", r#"{"a":null,"b":null}"#),
        ("a: &x {b: &y 1}\nc: [*x, *y]\n", r#"{"a":{"b":1},"c":[{"b":1},1]}"#),
    ] {
        assert_eq!(read(text).as_deref(), Ok(expected), "{text:?}");
    }
    assert_eq!(read("a: *x\n").unwrap_err(), "yaml-syntax: `*x` has no anchor in this document at 3");
    assert_eq!(read("a: &x [*x]\n").unwrap_err(), "yaml-syntax: `*x` stands inside what it repeats at 7");
}

#[test]
fn merge_keys_merge_in_their_place_as_go_yaml_v2_merges() {
    let base = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\n";
    for (text, expected) in [
        ("z: {<<: *x, d: 5}\n", r#"{"a":1,"b":2,"d":5}"#),
        ("z: {<<: *x, a: 9}\n", r#"{"a":9,"b":2}"#),
        // a merge behind a key overrides it
        ("z: {a: 9, <<: *x}\n", r#"{"a":1,"b":2}"#),
        // of a list, earlier ones win
        ("z: {<<: [*x, *y]}\n", r#"{"b":2,"c":4,"a":1}"#),
        ("z: {<<: {q: 1}}\n", r#"{"q":1}"#),
        ("z: {'<<': *x}\n", r#"{"<<":{"a":1,"b":2}}"#),
    ] {
        let all: serde_json::Value = serde_json::from_str(&read(&format!("{base}{text}")).unwrap()).unwrap();
        assert_eq!(all["z"], serde_json::from_str::<serde_json::Value>(expected).unwrap(), "{text}");
    }
    for text in ["a: {<<: 1}\n", "x: &x [1]\na: {<<: *x}\n", "a: {<<: [[{b: c}]]}\n"] {
        assert!(read(text).unwrap_err().contains("needs a mapping"), "{text}");
    }
}

#[test]
fn tags_are_read_as_go_yaml_reads_them() {
    for (text, expected) in [
        ("!!str 5", "\"5\""),
        ("!!int '5'", "5"),
        ("!!int 0x10", "16"),
        ("!!float 2", "2"),
        ("!!bool 'yes'", "true"),
        ("!!null ''", "null"),
        ("!!str", "\"\""),
        ("!!binary aGk=", "\"hi\""),
        ("!!binary |\n  aG\n  k=\n", "\"hi\""),
        ("!custom 5", "\"5\""),
        ("! 5", "\"5\""),
        ("!!timestamp 2020-01-01", "\"2020-01-01\""),
        ("!!map {a: b}", r#"{"a":"b"}"#),
        ("!!set {a: b}", r#"{"a":"b"}"#),
        ("!Ref [a]", r#"["a"]"#),
        ("!!int 18446744073709551615", "1.8446744073709552e+19"),
    ] {
        let read = read(&format!("k: {text}\n")).unwrap();
        assert_eq!(read, format!("{{\"k\":{expected}}}"), "{text}");
    }
    for (text, words) in [
        ("!!int abc", "`abc` is not a `!!int`"),
        ("!!int 1.5", "`1.5` is not a `!!int`"),
        ("!!int 1.0", "is not a"),
        ("!!float x", "is not a `!!float`"),
        ("!!bool 1", "is not a `!!bool`"),
        ("!!null x", "is not a `!!null`"),
        ("!!binary '*'", "not followed by base64"),
    ] {
        assert!(read(&format!("k: {text}\n")).unwrap_err().contains(words), "{text}");
    }
}

#[test]
fn keys_become_strings() {
    for (text, expected) in [
        ("yes: 1", "true"),
        ("010: 1", "8"),
        ("1.50: 1", "1.5"),
        ("'010': 1", "010"),
        ("2020-01-01: 1", "2020-01-01"),
        (".inf: 1", ".inf"),
        ("? a\n: 1", "a"),
        ("!!int '7': 1", "7"),
    ] {
        assert_eq!(read(text).unwrap(), format!("{{\"{expected}\":1}}"), "{text}");
    }
    for (text, words) in [
        ("~: 1", "cannot be null"),
        (": 1", "cannot be null"),
        ("[a]: 1", "cannot be a list"),
        ("{a: b}: 1", "cannot be a mapping"),
        ("? {a: b}\n: 1", "cannot be a mapping"),
    ] {
        assert!(read(text).unwrap_err().contains(words), "{text}: {:?}", read(text));
    }
}

#[test]
fn reference_places_nodes_where_they_are_written() {
    let places = |text: &str| slow(text).unwrap();
    assert_eq!(
        places("k: !!x |-\n  a\nl: # c | d\n- 'b'\n"),
        "0 Map\n 0 Plain \"k\"\n 7 Text \"a\"\n 14 Plain \"l\"\n 25 Seq\n  27 Text \"b\"\n[]"
    );
    // an alias is where it is asked for, what is inside is where it is written
    assert_eq!(
        places("a: &x [b]\nc: *x\n"),
        "0 Map\n 0 Plain \"a\"\n 6 Seq\n  7 Plain \"b\"\n 10 Plain \"c\"\n 13 Seq\n  7 Plain \"b\"\n[]"
    );
}

#[test]
fn keys_that_stand_twice_are_noted_on_both_paths() {
    let text = "b: 1\na: {x: 1, x: 2}\nb: 2\n";
    assert!(agree(text));
    let mut tree = Tree::new(text, FileId(0), 1, 1);
    document(text, 0..text.len(), &mut tree).unwrap();
    let places: Vec<_> = tree.finish().unwrap().duplicates().iter().map(|d| (d.key, d.second.line)).collect();
    assert_eq!(places, [("x", 2), ("b", 3)]);
}

#[test]
fn faults_have_places_and_plain_words() {
    for (text, fault) in [
        ("a: 'x\nb: c\n", "this quoted string is not closed at 3"),
        ("a: [1, 2\n", "this `[` is not closed at 3"),
        ("a:\n\tb: c\n", "a tab cannot indent YAML at 3"),
        ("a: b\n\tc: d\n", "a tab cannot indent YAML at 5"),
        ("a: b: c\n", "a `:` cannot stand here at 4"),
        ("a: 1\n b: 2\n", "a `:` cannot stand here at 7"),
        ("a:\n  - b\n c: d\n", "expected a key here at 10"),
        ("a: {b: c]\n", "`{` is closed by `]` at 3"),
        ("a: @b\n", "unexpected `@` at 3"),
        ("k: \"\\q\"\n", "found unknown escape character at 3"),
    ] {
        let said = read(text).unwrap_err();
        assert_eq!(said, format!("yaml-syntax: {fault}"), "{text:?}");
    }
}

#[test]
fn characters_that_yaml_excludes_are_refused() {
    for (text, offset) in
        [("a: \0\n", 3), ("a: b\u{1b}[0m\n", 4), ("a: \u{7f}", 3), ("é: \u{80}", 4), ("\u{ffff}", 0)]
    {
        assert_eq!(unprintable(text).map(|fault| fault.offset), Some(offset), "{text:?}");
    }
    for text in ["a: b\tc\r\n", "é\u{85}😀\u{a0}"] {
        assert_eq!(unprintable(text), None, "{text:?}");
    }
}

/// Every document of the measured clusters: those of this repository, and the whole collection
/// where it is present (beside the repository, or where `NETPOLC_SHARED` says).
#[test]
fn fast_path_reads_the_measured_clusters_as_the_reference_does() {
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("NETPOLC_SHARED")
        .map_or_else(|| repository.join("../shared"), std::path::PathBuf::from);
    let roots = [repository.join("fixtures"), shared.join("golden")];
    let folders = |path: &std::path::Path| {
        let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    };
    let (mut documents, mut accepted) = (0, 0);
    let present = roots.iter().filter(|root| root.is_dir());
    for case in present.flat_map(|root| folders(root)).flat_map(|group| folders(&group)) {
        let Ok(text) = std::fs::read_to_string(case.join("cluster.yaml")) else { continue };
        for range in super::super::split::Splitter::new(&text) {
            documents += 1;
            accepted += usize::from(agree(&text[range]));
        }
    }
    eprintln!("{accepted} of {documents} documents took the fast path");
    assert!(documents > 100, "only {documents} documents were found");
}
