//! The stage as a whole.

mod files;
mod hostile;
mod packed;

use super::*;
use crate::diagnostic::{FileId, Location};

/// Everything of an object, as one line a node: offset aside, so that different cuts compare.
pub(super) fn dump(object: &Object<'_>) -> String {
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

pub(super) fn text(name: &str, bytes: impl Into<Vec<u8>>) -> Input {
    Input::Text { name: name.into(), bytes: bytes.into() }
}

fn kinds(name: &str, bytes: impl Into<Vec<u8>>) -> (Vec<String>, Vec<String>) {
    let loaded = read(&[text(name, bytes)], &Options { threads: 1 }, |object| {
        format!("{}/{}", object.api_version, object.kind)
    });
    let said = loaded.diagnostics.iter().map(say).collect();
    (loaded.values, said)
}

pub(super) fn say(diagnostic: &Diagnostic) -> String {
    let at = diagnostic.at.map_or("-".into(), |at| format!("{}:{}", at.line, at.column));
    format!("{:?} {} {at} {}", diagnostic.severity, diagnostic.id, diagnostic.message)
}

#[test]
fn documents_are_split_and_empty_ones_ignored() {
    let (values, said) = kinds("a.yaml", "---\n# nothing\n---\nkind: A\n---\n\n--- # b\nkind: B\n---\n");
    assert_eq!((values, said), (vec!["/A".into(), "/B".into()], vec![]));
}

#[test]
fn text_that_kubectl_and_calicoctl_drop_is_reported() {
    let lost = "text on the same line as `---` is lost";
    let (values, said) = kinds("a.yaml", "kind: A\n--- {kind: X}\nkind: B\n");
    assert_eq!(values, ["/A", "/B"]);
    assert_eq!(said, [format!("Warning document-marker 2:4 {lost}")]);
    // before the first line break nobody cuts
    assert_eq!(kinds("a.yaml", "--- {kind: X}\n").0, ["/X"]);
    let (values, said) = kinds("a.yaml", "kind: A\n...\nkind: X\n---\nkind: B\n...\n# nothing\n");
    assert_eq!(values, ["/A", "/B"]);
    assert_eq!(said, ["Warning document-marker 2:1 text behind the end mark `...` is lost"]);
    let (values, said) = kinds("a.yaml", "kind: A\n... x\n--- y\nkind: B\n");
    assert_eq!(values, ["/A", "/B"]);
    let behind = "Warning document-marker 2:1 text behind the end mark `...` is lost".to_owned();
    assert_eq!(said, [behind, format!("Warning document-marker 3:4 {lost}")]);
    assert_eq!(
        kinds("a.yaml", "%YAML 1.1\n# c\n---\nkind: A\n---\nkind: B\n"),
        (vec!["/A".into(), "/B".into()], vec![])
    );
}

#[test]
fn lists_are_opened() {
    for (text, expected) in [
        ("kind: List\nitems:\n- kind: A\n- kind: B\n", "/A /B"),
        (
            "apiVersion: v1\nkind: PodList\nitems:\n- {metadata: {}}\n- {kind: B, apiVersion: x/v1}\n",
            "v1/Pod x/v1/B",
        ),
        ("items: [{kind: A}]\n", "/A"),
        ("- kind: A\n- kind: B\n", "/A /B"),
        (
            "kind: List\nitems:\n- kind: AList\n  apiVersion: q\n  items:\n  - {}\n  - kind: C\n- kind: B\n",
            "q/A q/C /B",
        ),
        ("kind: List\nitems: []\n", ""),
        ("kind: List\nitems: null\n", ""),
        ("kind: Thing\nitems: [{kind: A}]\n", "/Thing"),
        ("kind: ThingList\n", "/ThingList"),
        ("kind: ThingList\nitems: {a: b}\n", "/ThingList"),
        ("{\"kind\": \"List\", \"items\": [{\"kind\": \"A\"}, {\"kind\": \"B\"}]}", "/A /B"),
        ("[{\"kind\": \"A\"}]", "/A"),
        ("{\"kind\": \"A\"}\n{\"kind\": \"B\"}{\"kind\":\"C\"}[{\"kind\":\"D\"}]", "/A /B /C /D"),
        ("{kind: A, spec: [x,\n  y]} # flow\n", "/A"),
        ("{\"kind\": \"A\",} # what only YAML allows\n", "/A"),
        ("kind: A\n---\n{\"kind\": \"B\"}\n---\nkind: C\n", "/A /B /C"),
        ("# only a comment\n", ""),
        ("~\n---\nnull\n", ""),
        ("\u{feff}kind: A\r\nspec:\r\n  a: |\r\n    b\r\n---\r\nkind: B\r\n", "/A /B"),
    ] {
        let (values, said) = kinds("in", text);
        assert_eq!((values.join(" "), said), (expected.to_owned(), vec![]), "{text:?}");
    }
}

#[test]
fn what_is_no_object_is_reported_and_the_rest_is_read() {
    let (values, said) = kinds("in", "kind: A\n---\nhello\n---\n- kind: B\n- 5\n- ~\n- []\n---\nkind: C\n");
    assert_eq!(values, ["/A", "/B", "/C"]);
    assert_eq!(
        said,
        [
            "Error not-an-object 3:1 expected an object, found text",
            "Error not-an-object 6:3 expected an object, found a number or truth value",
            "Error not-an-object 7:3 expected an object, found nothing",
            "Error not-an-object 8:3 expected an object, found a list",
        ]
    );
}

#[test]
fn a_malformed_document_gives_no_object_and_hides_no_other() {
    let (values, said) = kinds(
        "in",
        "kind: A\nx: 'y\n---\nkind: B\n---\nkind: List\nitems:\n- kind: C\n- kind: [\n---\n{\"kind\": \"A\" 2}\n",
    );
    assert_eq!(values, ["/B"]);
    assert_eq!(
        said,
        [
            "Error yaml-syntax 2:4 this quoted string is not closed",
            "Error yaml-syntax 9:9 this `[` is not closed",
            "Error json-syntax 11:14 expected `,` or `}`, found `2`",
        ]
    );
    let (values, said) = kinds("in.json", "{\"kind\": \"A\",}");
    assert_eq!(values, [""; 0]);
    assert_eq!(said, ["Error json-syntax 1:14 expected a key in double quotes, found `}`"]);
    let (_, said) = kinds("in.JSON", "kind: A\n");
    assert_eq!(said, ["Error json-syntax 1:1 expected a value, found `k`"]);
}

#[test]
fn keys_of_a_list_that_stand_twice_are_reported_here_and_those_of_objects_left_to_lowering() {
    let text = "kind: List\nkind: List\nitems:\n- kind: A\n  kind: B\n  kind: C\n";
    let loaded = read(&[self::text("in", text)], &Options::default(), |object| {
        let places = |d: &tree::DuplicateKey<'_>| format!("{} {} {}", d.key, d.first.line, d.second.line);
        object.duplicates.iter().map(places).collect::<Vec<_>>()
    });
    assert_eq!(loaded.values, [["kind 4 5", "kind 4 6"]]);
    let [said] = &loaded.diagnostics[..] else { panic!("{:?}", loaded.diagnostics) };
    assert_eq!(say(said), "Error duplicate-key 2:1 `kind` stands twice in this list");
    assert_eq!(said.related[0].at, Location { file: FileId(0), line: 1, column: 1 });
}

#[test]
fn templates_are_named_as_such() {
    let braces = |shown: &str| format!("`{shown}` is template text, so this is not a manifest yet");
    let placeholder = |shown: &str| format!("`{shown}` is a placeholder, so this is not YAML yet");
    for (text, place, message) in [
        ("kind: A\nname: {{ .Values.x }}\n", "2:7", braces("{{ .Values.x }}")),
        ("kind: A\nname: app-{{ .x }}\n", "2:11", braces("{{ .x }}")),
        ("{{- if .Values.on }}\nkind: A\n{{- end }}\n", "1:1", braces("{{- if .Values.on }}")),
        (
            "kind: A\nlabels:\n  {{- include \"x\" . | nindent 4 }}\n",
            "3:3",
            braces("{{- include \"x\" . | nindent 4 }}"),
        ),
        ("# {{ fine }}\nkind: A\n{{ range .x }}\n- a\n", "3:1", braces("{{ range .x }}")),
        ("kind: A\n${EXTRA}\nspec: {}\n", "2:1", placeholder("${EXTRA}")),
        ("kind: A\n$EXTRA_KEY\nspec: {}\n", "2:1", placeholder("$EXTRA_KEY")),
        ("kind: A\n<your-labels>\nspec: {}\n", "2:1", placeholder("<your-labels>")),
        ("kind: A\n{% if x %}\nspec: {}\n", "2:1", placeholder("{% if x %}")),
        ("{\"kind\": {{ .x }}}\n", "1:10", braces("{{ .x }}")),
    ] {
        let (values, said) = kinds("in", text);
        assert_eq!(values, [""; 0], "{text}");
        assert_eq!(said, [format!("Error template {place} {message}")], "{text}");
    }
    // where it is quoted, or does not hurt, it may be meant
    for text in [
        "kind: A\nexpr: \"{{ $labels.x }}\"\nother: |\n  {{ .y }}\n",
        "kind: A\nname: ${NAME}\nother: <none>\nmore: $HOME\n",
    ] {
        assert_eq!(kinds("in", text), (vec!["/A".into()], vec![]), "{text}");
    }
}
