//! The stage as a whole.

use super::*;
use crate::diagnostic::{FileId, Location, Severity};

/// Everything of an object, as one line a node: offset aside, so that different cuts compare.
fn dump(object: &Object<'_>) -> String {
    fn add(out: &mut String, node: tree::Node<'_>) {
        let at = node.at();
        out.push_str(&format!("{}:{} {:?}", at.line, at.column, node.value()));
        if node.is_map() {
            for (key, value) in node.entries() {
                out.push_str(&format!("\n{}:{} {:?}=", key.at().line, key.at().column, key.text()));
                add(out, value);
            }
        }
        for item in node.items() {
            out.push_str("\n- ");
            add(out, item);
        }
    }
    let mut out = format!("{} {} {:?}\n", object.api_version, object.kind, object.duplicates);
    add(&mut out, object.root);
    out
}

fn text(name: &str, bytes: impl Into<Vec<u8>>) -> Input {
    Input::Text { name: name.into(), bytes: bytes.into() }
}

fn kinds(name: &str, bytes: impl Into<Vec<u8>>) -> (Vec<String>, Vec<String>) {
    let loaded = read(&[text(name, bytes)], &Options { threads: 1 }, |object| {
        format!("{}/{}", object.api_version, object.kind)
    });
    let said = loaded.diagnostics.iter().map(say).collect();
    (loaded.values, said)
}

fn say(diagnostic: &Diagnostic) -> String {
    let at = diagnostic.at.map_or("-".into(), |at| format!("{}:{}", at.line, at.column));
    format!("{:?} {} {at} {}", diagnostic.severity, diagnostic.id, diagnostic.message)
}

#[test]
fn documents_are_split_and_empty_ones_ignored() {
    let (values, said) = kinds("a.yaml", "---\n# nothing\n---\nkind: A\n---\n\n--- # b\nkind: B\n---\n");
    assert_eq!((values, said), (vec!["/A".into(), "/B".into()], vec![]));
}
