//! Reading in parts against reading as a whole.

use super::*;
use crate::fuzz;
use crate::source::find::Contents;
use crate::source::sink::ListHead;
use crate::source::stream::{Outcome, Sizes};
use crate::source::tests::{dump, say, text};
use crate::source::{Files, Loaded, Options, Run, read};
use proptest::prelude::*;

/// Items of about 300 bytes, enough for some parts.
const ITEMS: usize = 4000;

fn yaml_item(n: usize) -> String {
    let filler = "x".repeat(150 + n % 100);
    format!(
        "- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: pod-{n}\n    labels: {{app: a{n}}}\n  # comment\n  spec:\n    note: \"{filler}\"\n    list:\n    - a\n    - b\n"
    )
}

fn json_item(n: usize) -> serde_json::Value {
    serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("pod-{n}")},
        "spec": {"note": "é".repeat(100 + n % 50), "list": [{"a": 1}, {"b": [2]}]}})
}

fn yaml_items(item: impl Fn(usize) -> String) -> String {
    (0..ITEMS).map(item).collect()
}

/// What reading gives, and whether parts were enough.
fn check(name: &str, input: &str, in_parts: bool) {
    assert!(input.len() > 2 * LARGE, "{name}: {} bytes are not large", input.len());
    let json = name.ends_with(".json");
    let whole = Part {
        text: input,
        at: lines::start_of(FileId(0)),
        work: Work::Documents { ranges: std::iter::once(0..input.len()).collect(), json },
    };
    let expected = whole.lower(ListHead::default(), &dump);
    let said: Vec<_> = expected.diagnostics.iter().map(say).collect();
    for threads in [1, 3] {
        let loaded = read(&[text(name, input)], &Options { threads }, dump);
        let other: Vec<_> = loaded.diagnostics.iter().map(say).collect();
        assert_eq!((&other, loaded.documents), (&said, expected.documents), "{name}");
        assert_eq!(loaded.values.len(), expected.values.len(), "{name}");
        for (ours, theirs) in loaded.values.iter().zip(&expected.values) {
            assert_eq!(ours, theirs, "{name}");
        }
    }
    let verified = Large::new(input, json).is_some_and(|large| {
        let parts = large.parts(&whole, PART);
        let outputs: Vec<_> = parts.iter().map(|part| part.lower(ListHead::default(), &dump)).collect();
        large.verify(&whole, &parts, &outputs).is_some() && parts.len() > 2
    });
    assert_eq!(verified, in_parts, "{name}");
    for serial in [true, false] {
        let (streamed, loaded) = in_windows(input, json, serial, Sizes::default());
        assert_eq!(streamed, in_parts, "{name} in windows");
        if streamed {
            let other: Vec<_> = loaded.diagnostics.iter().map(say).collect();
            assert_eq!((&other, loaded.documents), (&said, expected.documents), "{name} in windows");
            assert!(loaded.values == expected.values, "{name} in windows");
        } else {
            assert_eq!((loaded.values.len(), loaded.diagnostics.len(), loaded.documents), (0, 0, 0));
        }
    }
}

/// What reading in windows gives, and whether they were enough.
fn in_windows(input: &str, json: bool, serial: bool, sizes: Sizes) -> (bool, Loaded<String>) {
    let loaded =
        Loaded { files: Files::default(), values: Vec::new(), diagnostics: Vec::new(), documents: 0 };
    let mut run = Run { lower: &dump, serial, sizes, loaded };
    let contents = Contents::Bytes(input.as_bytes().into());
    let done = match run.stream(FileId(0), &contents, json).unwrap() {
        Outcome::Done { packed, digest, .. } => {
            assert_eq!((packed, digest), (false, crate::source::digest::Digest::of(input.as_bytes())));
            true
        }
        Outcome::Whole { bytes, .. } => {
            assert_eq!(bytes, input.as_bytes());
            false
        }
    };
    (done, run.loaded)
}

#[test]
fn lists_as_machines_print_them_are_read_in_parts() {
    let items = yaml_items(yaml_item);
    let indented: String = items.lines().map(|line| format!("  {line}\n")).collect();
    let lines: Vec<_> = (0..ITEMS).map(|n| json_item(n).to_string()).collect();
    let values: Vec<_> = (0..ITEMS).map(json_item).collect();
    let list = serde_json::json!({"apiVersion": "v1", "items": values, "kind": "List", "metadata": {}});
    check("kind behind", &format!("apiVersion: v1\nitems:\n{items}kind: List\nmetadata:\n  a: b\n"), true);
    check("kind before", &format!("kind: PodList\n# c\nitems:\n{items}"), true);
    check("indented", &format!("kind: List\nitems:\n{indented}\n# end\n"), true);
    check("bare", &items, true);
    check("no kind", &format!("items:\n{items}"), true);
    check("pretty.json", &serde_json::to_string_pretty(&list).unwrap(), true);
    check("compact.json", &list.to_string(), true);
    check("lines in a list", &format!("{{\"kind\":\"List\",\"items\":[\n{}\n]}}\n", lines.join(",\n")), true);
    check("json lines", &lines.join("\n"), true);
    check("json stream", &lines.join(""), true);
    check("bare.json", &format!("[{}]", lines.join(", ")), true);
}

#[test]
fn items_without_kind_take_the_list_s_wherever_it_stands() {
    let items = yaml_items(yaml_item).replace("- apiVersion: v1\n  kind: Pod\n", "- ");
    let items = items.replace("-   metadata", "- metadata");
    check("typed, behind", &format!("apiVersion: v1\nitems:\n{items}kind: PodList\n"), true);
    check("typed, before", &format!("apiVersion: v1\nkind: PodList\nitems:\n{items}"), true);
    let values: Vec<_> = (0..ITEMS).map(|n| serde_json::json!({"spec": json_item(n)})).collect();
    let list = serde_json::json!({"apiVersion": "v1", "items": values, "kind": "PodList"});
    check("typed.json", &list.to_string(), true);
}

#[test]
fn odd_items_go_through_the_reference_within_their_part() {
    let odd = |n: usize| match n % 500 {
        7 => format!("- kind: &k A{n}\n  x: *k\n  note: two\n    lines\n"),
        8 => "-\n  kind: B\n".to_owned(),
        9 => "- kind: C\n  x: [1,\n    2]\n  t: a\tb\n".to_owned(),
        10 => "- kind: List\n  items:\n  - kind: D\n".to_owned(),
        _ => yaml_item(n),
    };
    check("odd", &format!("kind: List\nitems:\n{}", yaml_items(odd)), true);
    let crlf = format!("kind: List\nitems:\n{}", yaml_items(yaml_item)).replace('\n', "\r\n");
    check("crlf", &crlf, true);
}

#[test]
fn what_is_not_what_it_seems_is_read_as_a_whole() {
    let items = yaml_items(yaml_item);
    check("no list", &format!("items:\n{items}kind: Thing\n"), false);
    check("twice", &format!("kind: List\nitems:\n{items}kind: List\n"), false);
    check("items twice", &format!("kind: List\nitems:\n{items}items: []\n"), false);
    let anchor = |n| {
        if n == 0 {
            "- &a {kind: A}\n".into()
        } else if n == ITEMS - 1 {
            "- *a\n".into()
        } else {
            yaml_item(n)
        }
    };
    check("alias across items", &format!("kind: List\nitems:\n{}", yaml_items(anchor)), false);
    let quoted = |n| {
        if n == 3000 { "- kind: \"A\n- B\"\n".into() } else { yaml_item(n) }
    };
    check("quote across items", &format!("kind: List\nitems:\n{}", yaml_items(quoted)), false);
    let broken = |n| {
        if n == 3000 { "- kind: [\n".into() } else { yaml_item(n) }
    };
    check("broken", &format!("kind: List\nitems:\n{}", yaml_items(broken)), false);
    let template = |n| {
        if n == 3000 { "- kind: {{ .x }}\n".into() } else { yaml_item(n) }
    };
    check("template", &format!("kind: List\nitems:\n{}", yaml_items(template)), false);
    check("tail", &format!("kind: List\nitems:\n{items} x: y\n"), false);

    let lines: Vec<_> = (0..ITEMS).map(|n| json_item(n).to_string()).collect();
    let cut = lines.join(",\n");
    check("cut.json", &format!("{{\"items\":[\n{}", &cut[..cut.len() - 40]), false);
    check("no list.json", &format!("{{\"items\":[\n{cut}\n],\"kind\":\"Thing\"}}"), false);
    check("more behind.json", &format!("{{\"items\":[\n{cut}\n]}}\n{{\"kind\":\"A\"}}"), false);
    check("comma.json", &format!("[\n{cut},\n]"), false);
    // the seeming border is inside of every item
    let inner: Vec<_> = (0..ITEMS)
        .map(|n| {
            format!(
                "{{\"kind\":\"A\",\"x\":[{{\"kind\":\"{}\"}},{{\"kind\":\"c\"}}]}}",
                "b".repeat(300 + n % 7)
            )
        })
        .collect();
    check("wrong guess.json", &format!("[{}]", inner.join(",")), false);
}

/// If parts of any size pass for a list, they give what the whole gives.
fn sound(input: &str, size: usize, json: bool) {
    let Some(large) = Large::new(input, json) else { return };
    let whole = Part {
        text: input,
        at: lines::start_of(FileId(0)),
        work: Work::Documents { ranges: std::iter::once(0..input.len()).collect(), json },
    };
    let parts = large.parts(&whole, size);
    let lower = |head| parts.iter().map(|part| part.lower(head, &dump)).collect::<Vec<_>>();
    let (windows, in_windows) = in_windows(input, json, true, Sizes { window: 3 * size + 20, part: size });
    if windows {
        let expected = whole.lower(ListHead::default(), &dump);
        assert_eq!(in_windows.values, expected.values, "of {input:?}, {size} in windows");
        assert_eq!(in_windows.diagnostics, expected.diagnostics, "of {input:?}, {size} in windows");
        assert_eq!(in_windows.documents, expected.documents, "of {input:?}, {size} in windows");
    }
    let Some(head) = large.verify(&whole, &parts, &lower(ListHead::default())) else { return };
    let outputs = lower(head.of_items());
    let expected = whole.lower(ListHead::default(), &dump);
    let values: Vec<_> = outputs.iter().flat_map(|output| &output.values).collect();
    let said: Vec<_> = outputs.iter().flat_map(|output| &output.diagnostics).collect();
    assert_eq!(values, expected.values.iter().collect::<Vec<_>>(), "of {input:?}, {size}");
    assert_eq!(said, expected.diagnostics.iter().collect::<Vec<_>>(), "of {input:?}, {size}");
}

#[test]
fn parts_of_yaml_that_pass_are_the_whole() {
    let pieces = vec![
        "- kind: A\n",
        "- a: b\n",
        "  c: d\n",
        "- ",
        "  - ",
        "-\n",
        "\n",
        "# c\n",
        "kind: List\n",
        "kind: PodList\n",
        "items:\n",
        "  x: |\n    - y\n",
        "  x: \"y\n- z\"\n",
        "  'y\n- z'\n",
        "- &a {b: c}\n",
        "- *a\n",
        "    more\n",
        " ",
        "x: y\n",
        "- [a,\n- b]\n",
        "- {a: b}\n",
        "- kind: List\n  items:\n  - kind: C\n",
        "\t",
        "- 5\n",
        "\r\n",
    ];
    let head = prop::sample::select(vec![
        "items:\n- kind: A\n",
        "kind: List\nitems:\n  - a: b\n",
        "- kind: A\n",
        "items:\n",
    ]);
    let text = (head, prop::collection::vec(prop::sample::select(pieces), 0..12), 1usize..40);
    fuzz::run(text, |(head, pieces, size)| sound(&(head.to_owned() + &pieces.concat()), size, false));
}

#[test]
fn parts_of_json_that_pass_are_the_whole() {
    let pieces = vec![
        "{\"kind\":\"A\"}",
        ",",
        ",\n",
        "{\"a\":[",
        "]}",
        "{\"kind\":\"A\",\"x\":[{\"kind\":1},{\"kind\":2}]}",
        "]",
        "}",
        "\"kind\":\"List\"",
        "\"kind\":\"PodList\"",
        " ",
        "\n",
        "5",
        "{\"s\":\",{\\\"kind\\\"\"}",
        "[",
        "null",
        "{\"kind\":\"List\",\"items\":[{}]}",
    ];
    let head = prop::sample::select(vec![
        "{\"items\":[{\"kind\":\"A\"},",
        "{\"kind\":\"PodList\",\"items\":[{\"a\":1},\n{\"a\":2}",
        "[{\"kind\":\"A\"},{\"kind\":\"B\"}",
        "{\"kind\":\"A\"}\n{\"kind\":\"B\"}",
        "{\"kind\":\"A\"}{\"kind\":\"B\"}",
    ]);
    let tail = prop::sample::select(vec!["", "]", "]}", "],\"kind\":\"List\"}", "],\"kind\":\"PodList\"}"]);
    let text =
        (head, prop::collection::vec(prop::sample::select(pieces), 0..10), tail, 1usize..40, any::<bool>());
    fuzz::run(text, |(head, pieces, tail, size, json)| {
        sound(&(head.to_owned() + &pieces.concat() + tail), size, json);
    });
}
