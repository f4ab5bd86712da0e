//! The fast path against the reference, and the reference against go-yaml's rules.

use super::*;
use crate::diagnostic::FileId;
use crate::source::fuzz;
use crate::source::tree::Node;
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
