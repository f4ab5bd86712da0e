//! The reader against `serde_json`.

use super::*;
use crate::diagnostic::FileId;
use crate::fuzz;
use crate::source::tree::{Node, Value};
use proptest::prelude::*;
use serde_json::Value as Json;

fn parse(text: &str) -> Result<Tree<'_>, Box<Fault>> {
    let mut tree = Tree::new(text, FileId(0), 1, 1);
    let mut reader = Reader::new(text, 0);
    reader.value(&mut tree, 0)?;
    match reader.peek() {
        None => Ok(tree),
        Some(_) => Err(reader.unexpected("the end")),
    }
}

/// The tree as `serde_json` would have it: the last of equal keys wins.
fn json(node: Node<'_>) -> Json {
    match node.value() {
        Value::Null => Json::Null,
        Value::Bool(value) => value.into(),
        // integers beyond i64 are floats here, unsigned there
        Value::Int(_) | Value::Float(_) => serde_json::from_str(node.text()).unwrap(),
        Value::Str(text) => text.into(),
        Value::Seq => node.items().map(json).collect(),
        Value::Map => node.entries().map(|(key, value)| (key.text().to_owned(), json(value))).collect(),
    }
}

fn same(text: &str) {
    match (parse(text), serde_json::from_str::<Json>(text)) {
        (Ok(tree), Ok(expected)) => {
            let root = tree.root().unwrap();
            assert_eq!(json(root), expected, "of {text:?}");
        }
        (Err(_), Err(_)) => {}
        (ours, theirs) => panic!("{text:?}: {:?} but serde_json {theirs:?}", ours.map(|_| ())),
    }
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[ -~ä€😀\n\t\u{1}]{0,10}".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::vec(("[a-c\"\\\\é]{0,3}", inner), 0..5)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

#[test]
fn random_values_read_as_serde_json_reads_them() {
    fuzz::run(value(), |value| {
        same(&value.to_string());
        same(&serde_json::to_string_pretty(&value).unwrap());
    });
}

#[test]
fn damaged_values_are_refused_exactly_where_serde_json_refuses_them() {
    let damage =
        (value(), any::<prop::sample::Index>(), "[\\[\\]{}:,\"\\\\0-9eE.+\\-ntu \n]{0,2}", 0usize..3);
    fuzz::run(damage, |(value, at, insert, remove)| {
        let mut chars: Vec<char> = value.to_string().chars().collect();
        let at = at.index(chars.len());
        let end = (at + remove).min(chars.len());
        chars.splice(at..end, insert.chars());
        same(&chars.into_iter().collect::<String>());
    });
}

#[test]
fn keys_that_stand_twice_are_noted() {
    let tree = |text| parse(text).unwrap();
    let twice = |text| {
        let mut tree = tree(text);
        let root = tree.finish().unwrap();
        let place = |duplicate: super::super::tree::DuplicateKey<'_>| {
            (duplicate.key.to_owned(), duplicate.first.column, duplicate.second.column)
        };
        root.duplicates().into_iter().map(place).collect::<Vec<_>>()
    };
    assert_eq!(twice(r#"{"b":1,"a":2,"c":3}"#), []);
    assert_eq!(twice(r#"{"":1,"":2}"#), [(String::new(), 2, 7)]);
    assert_eq!(twice(r#"{"a":1,"\u0061":2}"#), [("a".to_owned(), 2, 8)]);
    assert_eq!(
        twice(r#"{"a":{"x":1,"x":2},"b":1,"a":3,"a":4}"#),
        [("x".to_owned(), 7, 13), ("a".to_owned(), 2, 26), ("a".to_owned(), 2, 32)]
    );
    let tree = tree(r#"{"a":1,"a":2}"#);
    assert_eq!(tree.root().unwrap().get("a").map(Node::value), Some(Value::Int(2)));
}

#[test]
fn faults_have_exact_places_and_words() {
    for (text, offset, words) in [
        ("", 0, "the text ends where a value should follow"),
        ("{\"a\": 1,}", 8, "expected a key in double quotes, found `}`"),
        ("[1, 2,]", 6, "expected a value, found `]`"),
        ("{\"a\" 1}", 5, "expected `:` after the key, found `1`"),
        ("{\"a\": NaN}", 6, "expected a value, found `N`"),
        ("[1 2]", 3, "expected `,` or `]`, found `2`"),
        ("[1", 2, "the text ends where `,` or `]` should follow"),
        ("{'a': 1}", 1, "expected a key in double quotes, found `\\'`"),
        ("[\"abc", 1, "this string is not closed"),
        ("[\"abc\\", 1, "this string is not closed"),
        ("[\"a\nb\"]", 3, "control character U+000A in a string"),
        ("[\"a\0b\"]", 3, "control character U+0000 in a string"),
        ("[\"\\q\"]", 2, "unknown escape in a string"),
        ("[\"\\u12g4\"]", 2, "`\\u` needs four hexadecimal digits"),
        ("[\"\\ud800\"]", 2, "half of a surrogate pair in a string"),
        ("[\"\\udc00\"]", 2, "half of a surrogate pair in a string"),
        ("[01]", 1, "a number cannot begin with `0`"),
        ("[-]", 2, "expected a digit after `-`"),
        ("[1.]", 3, "expected a digit after the decimal point"),
        ("[1e+]", 4, "expected a digit in the exponent"),
        ("[1e400]", 1, "this number is out of range"),
        ("tru", 0, "expected a value, found `t`"),
        ("[1] x", 4, "expected the end, found `x`"),
    ] {
        let fault = parse(text).map(|_| ()).unwrap_err();
        assert_eq!((fault.offset, fault.message.as_str()), (offset, words), "{text:?}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert!(parse(&nested(MAX_DEPTH)).is_ok());
    for text in [nested(MAX_DEPTH + 1), "[".repeat(100_000), "{\"a\":".repeat(100_000)] {
        assert_eq!(parse(&text).map(|_| ()).unwrap_err().id, "too-deep");
    }
}
