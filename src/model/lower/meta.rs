//! `metadata`.

use super::reader::{self, Reader};
use crate::model::findings::{Door, Findings};
use crate::model::labels::{Labels, Packer};
use crate::model::meta::Meta;
use crate::model::text::excerpt;
use crate::source::Object;
use crate::source::tree::{Node, Value};

/// Whether an object has a name; reports it if not.
pub fn has_name(root: Node<'_>, findings: &mut Findings<'_>) -> bool {
    let Some(metadata) = root.get("metadata").filter(|node| !node.is_null()) else {
        findings.malformed(root.at(), "`metadata` is missing: this object has no name");
        return false;
    };
    if !metadata.is_map() {
        findings.malformed(metadata.at(), "`metadata` must be a mapping");
        return false;
    }
    match metadata.get("name") {
        Some(name) if matches!(name.value(), Value::Seq | Value::Map) => {
            findings.malformed(name.at(), "`metadata.name` must be a string");
            false
        }
        Some(name) if !name.text().is_empty() && !name.is_null() => true,
        Some(name) => {
            findings.malformed(name.at(), "`metadata.name` is empty");
            false
        }
        None => {
            let note = findings.malformed(metadata.at(), "`metadata.name` is missing");
            if metadata.get("generateName").is_some() {
                note.help(
                    "the API server makes a name from `generateName` at creation: write that name here",
                );
            }
            false
        }
    }
}

/// Reads metadata that a schema has vouched for.
pub fn read(object: &Object<'_>, namespaced: bool, door: Door) -> Meta {
    let metadata = Reader::new(object.root, door).sub("metadata");
    let namespace = metadata.text("namespace");
    Meta {
        name: metadata.text("name"),
        namespace: match namespaced {
            true if namespace.is_empty() => "default".into(),
            true => namespace,
            false => Box::default(),
        },
        labels: metadata.labels("labels"),
        annotations: metadata.labels("annotations"),
        from_cluster: metadata.has("uid") || metadata.has("resourceVersion"),
        at: object.root.at(),
    }
}

/// Reads metadata of a kind without a schema: only what is used is looked at.
pub fn read_leniently(object: &Object<'_>, namespaced: bool, findings: &mut Findings<'_>) -> Meta {
    let mut meta = Meta {
        name: Box::default(),
        namespace: if namespaced { "default".into() } else { Box::default() },
        labels: Labels::default(),
        annotations: Labels::default(),
        from_cluster: false,
        at: object.root.at(),
    };
    for (key, value) in object.root.get("metadata").into_iter().flat_map(|node| node.entries()) {
        match key.text() {
            "name" => meta.name = name_text(value, "name", findings),
            "namespace" if namespaced && !value.is_null() && !value.text().is_empty() => {
                meta.namespace = name_text(value, "namespace", findings);
            }
            "labels" => meta.labels = string_map(value, "metadata.labels", findings),
            "annotations" => meta.annotations = string_map(value, "metadata.annotations", findings),
            "uid" | "resourceVersion" => meta.from_cluster |= !value.is_null(),
            _ => {}
        }
    }
    meta
}

fn name_text(node: Node<'_>, field: &str, findings: &mut Findings<'_>) -> Box<str> {
    match node.value() {
        Value::Str(text) => text.into(),
        _ => {
            let reason = format!("`metadata.{field}` must be a string, and is `{}`", excerpt(node.text()));
            findings.turn_away("wrong-type", node.at(), &reason).help("put it in quotes");
            Box::default()
        }
    }
}

/// A mapping of strings; anything else is reported, as the API server does.
pub fn string_map(node: Node<'_>, field: &str, findings: &mut Findings<'_>) -> Labels {
    match node.value() {
        Value::Null => return Labels::default(),
        Value::Map => {}
        _ => {
            findings.turn_away("wrong-type", node.at(), &format!("`{field}` must be a mapping"));
            return Labels::default();
        }
    }
    let mut packer = Packer::default();
    for (key, value) in node.entries() {
        match value.value() {
            Value::Str(text) => packer.push(key.text(), text),
            Value::Null => packer.push(key.text(), ""),
            _ => {
                let reason = format!(
                    "`{field}` has the value `{}` for `{}`, which is no string",
                    excerpt(value.text()),
                    excerpt(key.text())
                );
                findings.turn_away("wrong-type", value.at(), &reason).help("put it in quotes");
            }
        }
    }
    if node.duplicates().is_empty() { packer.finish() } else { reader::labels(node) }
}
