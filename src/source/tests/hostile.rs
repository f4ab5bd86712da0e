//! Input made to hurt: a clear error, in bounded time and memory.

use super::*;
use crate::fuzz;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Reads a text and gives the only thing said about it; fails if that takes long.
fn only(name: &str, bytes: impl Into<Vec<u8>>) -> String {
    let start = Instant::now();
    let (values, said) = kinds(name, bytes);
    assert!(start.elapsed() < Duration::from_secs(20), "{name} took {:?}", start.elapsed());
    assert_eq!(values, [""; 0], "{name}");
    assert_eq!(said.len(), 1, "{name}: {said:?}");
    said.into_iter().next().unwrap_or_default()
}

#[test]
fn deep_nesting() {
    let block: String = (0..3000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    for (name, bytes) in [
        ("brackets", "[".repeat(100_000)),
        ("closed brackets", "[".repeat(100_000) + &"]".repeat(100_000)),
        ("braces", "{a: ".repeat(100_000)),
        ("keys", "{\"a\":".repeat(100_000)),
        ("dashes", "- ".repeat(50_000)),
        ("dashes and a value", "- ".repeat(50_000) + "a"),
        ("block mappings", block),
        ("questions", "? ".repeat(50_000)),
    ] {
        let said = only(name, bytes);
        assert!(said.contains("too-deep") && said.contains("200 levels"), "{name}: {said}");
    }
}

#[test]
fn the_deepest_nesting_that_is_read_is_the_same_in_every_syntax() {
    let flow = |n: usize, open: &str, close: &str| open.repeat(n) + "1" + &close.repeat(n);
    let block = |n: usize| {
        (0..n).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>() + &" ".repeat(n) + "1\n"
    };
    for (n, fits) in [(MAX_DEPTH, true), (MAX_DEPTH + 1, false)] {
        for text in [flow(n, "{\"a\":", "}"), flow(n, "{a: ", "}"), block(n), format!("# \t\n{}", block(n))] {
            let (values, said) = kinds("in", text.as_str());
            assert_eq!((values.len(), said.len()), if fits { (1, 0) } else { (0, 1) }, "{n} {text:.20}");
        }
    }
}

#[test]
fn alias_bombs() {
    let laughs: String =
        (1..10).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "))).collect();
    let said = only("billion laughs", format!("a0: &a0 lol\n{laughs}"));
    assert!(said.contains("alias-limit"), "{said}");
    let wide = format!("a: &a [{}]\nb:\n{}", "x, ".repeat(20_000), "- *a\n".repeat(5_000));
    assert!(only("quadratic", wide).contains("alias-limit"));
    let merges: String = (1..40).map(|n| format!("a{n}: &a{n} {{<<: [*a{0}, *a{0}]}}\n", n - 1)).collect();
    assert!(only("merges", format!("a0: &a0 {{x: y}}\n{merges}")).contains("alias-limit"));
    let nest = |n: usize, inner: &str| "[".repeat(n) + inner + &"]".repeat(n);
    let deep = format!("a: &a {}\nb: {}\n", nest(150, "x"), nest(100, "*a"));
    assert!(only("deep aliases", deep).contains("too-deep"));
    // modest use of aliases is fine
    let (values, said) = kinds("in", format!("a: &a {{x: y}}\nb: [{}]\n", "*a, ".repeat(90)));
    assert_eq!((values.len(), said), (1, vec![]));
}

#[test]
fn binary_and_cut_files() {
    for (bytes, said) in [
        (b"kind: A\0\n".to_vec(), "Error yaml-syntax 1:8 YAML cannot contain the control character U+0000"),
        (b"\0\0\0\0".to_vec(), "Error yaml-syntax 1:1 YAML cannot contain the control character U+0000"),
        (b"kind: A\nx: \xFF\n".to_vec(), "Error encoding 2:4 byte 0xFF is not UTF-8"),
        (b"\xFF\xFEk\0".to_vec(), "Error encoding 1:1 this file is UTF-16"),
        (b"{\"kind\": \"A\", \"x\": \"cut".to_vec(), "Error json-syntax 1:20 this string is not closed"),
        (
            b"{\"kind\": \"A\",\n \"x\": [1,".to_vec(),
            "Error json-syntax 2:10 the text ends where a value should follow",
        ),
        (b"kind: A\nx: \"cut\ny: z\n".to_vec(), "Error yaml-syntax 2:4 this quoted string is not closed"),
    ] {
        assert_eq!(only("in", bytes), said);
    }
}

#[test]
fn large_and_odd_documents_take_linear_time() {
    let key = "k".repeat(2_000_000);
    assert!(only("one key", format!("{key}: x\n")).contains("yaml-syntax"));
    for text in [
        format!("kind: A\nx: {}\n", "y".repeat(20_000_000)),
        format!("kind: A\nx: \"{}\"\n", "\\n".repeat(5_000_000)),
        format!("kind: A\n{}", "\n# c\n".repeat(2_000_000)),
        format!("kind: A\nx: |\n{}", "  line\n\n".repeat(2_000_000)),
        (0..200_000).map(|n| format!("k{}: 1\n", n % 100_000)).collect(),
        "---\n".repeat(1_000_000) + "kind: A\n",
        "...\n".repeat(300_000) + "---\nkind: A\n",
        format!("kind: A\nx:\n{}", "- a: [1, 2\n  ]\n".repeat(50_000)),
    ] {
        let start = Instant::now();
        let (values, _) = kinds("in", text.as_str());
        assert_eq!(values.len(), 1, "{text:.30}");
        assert!(start.elapsed() < Duration::from_secs(20), "{text:.30} took {:?}", start.elapsed());
    }
}

/// Reads a text on one thread and on several: the same, and all places inside of the text.
fn survives(bytes: &[u8]) {
    let lines = bytes.split(|&b| b == b'\n').count() as u32;
    for name in ["in", "in.json"] {
        let loaded = read(&[text(name, bytes)], &Options { threads: 1 }, dump);
        for diagnostic in &loaded.diagnostics {
            let Some(at) = diagnostic.at else {
                assert!(crate::source::packed::is_packed(bytes), "{bytes:?}");
                continue;
            };
            assert!(at.line >= 1 && at.line <= lines && at.column >= 1, "{at:?} of {bytes:?}");
        }
    }
}

#[test]
fn any_bytes_end_in_objects_or_diagnostics() {
    fuzz::run(prop::collection::vec(any::<u8>(), 0..80), |bytes| survives(&bytes));
}

#[test]
fn any_text_ends_in_objects_or_diagnostics() {
    let pieces = prop::collection::vec(
        prop::sample::select(vec![
            "kind: A\n",
            "items:\n",
            "- ",
            "  ",
            "\n",
            "---",
            "...",
            "{",
            "}",
            "[",
            "]",
            "\"",
            "'",
            "|",
            ">",
            ": ",
            ",",
            "#",
            "&a ",
            "*a",
            "<<: ",
            "!!int ",
            "!",
            "%YAML",
            "{{",
            "$X",
            "é",
            "\u{feff}",
            "\t",
            "\r\n",
            "\\",
            "1",
            "x",
            "? ",
            "~",
        ]),
        0..24,
    );
    fuzz::run(pieces, |pieces| survives(pieces.concat().as_bytes()));
}
