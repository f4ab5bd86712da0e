//! Objects before and after: which came, went, were renamed or changed, and in which fields.

use crate::diagnostic::Location;
use crate::source::Object;
use crate::source::tree::{Node, Value as Scalar};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What the API server keeps in an object for itself.
const BOOKKEEPING: [&str; 6] =
    ["resourceVersion", "uid", "generation", "managedFields", "creationTimestamp", "selfLink"];
/// Where kubectl keeps a copy of the object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Fields of one object that are told, at most.
const FIELDS: usize = 20;

/// An object as it stands in the manifests, without what says nothing: formatting, order of keys, bookkeeping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// kind and group, namespace, name
    key: Key,
    /// its content
    content: Box<str>,
    at: Location,
}

/// Kind and group, namespace, name.
type Key = (Box<str>, Box<str>, Box<str>);

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// it was not there before
    Added,
    /// it is not there any more
    Removed,
    /// it has another name, and is the same otherwise; the old name
    Renamed(String),
    /// the same in another order
    Reordered,
    /// these fields, one a line: path, what was there, what is there
    Changed(Vec<String>),
}

/// An object that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectChange {
    /// its kind
    pub kind: String,
    /// `namespace/name`, or the name
    pub name: String,
    /// what became of it
    pub what: What,
    /// where it is written now; where it was written, if it is gone
    pub at: Location,
}

impl ObjectChange {
    /// The kind and the name: ``NetworkPolicy `shop/web` ``.
    pub fn called(&self) -> String {
        format!("{} `{}`", self.kind, self.name)
    }

    /// Whether it is a policy.
    pub fn is_policy(&self) -> bool {
        self.kind.ends_with("NetworkPolicy")
    }
}

/// Notes an object.
pub fn note(object: &Object<'_>) -> Noted {
    let metadata = |field: &str| {
        let text = object.root.path(&["metadata", field]).and_then(Node::as_go_string);
        text.map_or(Box::default(), |text| Box::from(&*text))
    };
    let kind = match object.api_version.split_once('/') {
        // the two doors of Calico lead to the same object
        Some(("crd.projectcalico.org", _)) => format!("{}.projectcalico.org", object.kind),
        Some((group, _)) => format!("{}.{group}", object.kind),
        None => object.kind.to_owned(),
    };
    let mut content = tree(object.root);
    if let Some(metadata) = content.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !BOOKKEEPING.contains(&key.as_str()));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove(LAST_APPLIED);
        }
    }
    Noted {
        key: (kind.into(), metadata("namespace"), metadata("name")),
        content: content.to_string().into(),
        at: object.root.at(),
    }
}

/// The depth is bounded by what the readers take.
fn tree(node: Node<'_>) -> Value {
    match node.value() {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => value.into(),
        Scalar::Int(value) => value.into(),
        Scalar::Float(value) => serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number),
        Scalar::Str(text) => text.into(),
        Scalar::Seq => node.items().map(tree).collect(),
        Scalar::Map => {
            let mut entries: Vec<(String, Value)> =
                node.entries().map(|(key, value)| (key.text().to_owned(), tree(value))).collect();
            // stable: of a key that is there twice the last counts
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(entries.into_iter().collect())
        }
    }
}

/// What became of every object that is not what it was, by kind, namespace and name.
pub fn compare(before: &[Noted], after: &[Noted]) -> Vec<ObjectChange> {
    // of an object that is there twice the later text counts
    let by_key = |all: &[Noted]| -> BTreeMap<Key, Noted> {
        all.iter().map(|noted| (noted.key.clone(), noted.clone())).collect()
    };
    let (mut old, mut new) = (by_key(before), by_key(after));
    old.retain(|key, own| match new.get(key) {
        Some(there) if there.content == own.content => {
            new.remove(key);
            false
        }
        _ => true,
    });
    let mut changes = Vec::new();
    let gone: Vec<Key> = old.keys().filter(|key| !new.contains_key(*key)).cloned().collect();
    let mut came: Vec<Key> = new.keys().filter(|key| !old.contains_key(*key)).cloned().collect();
    for key in gone {
        let content = nameless(&old[&key]);
        let same = |other: &Key| other.0 == key.0 && other.1 == key.1 && nameless(&new[other]) == content;
        match came.iter().position(same) {
            Some(at) => {
                let other = came.remove(at);
                changes.push(change(&new[&other], What::Renamed(path(&key))));
            }
            None => changes.push(change(&old[&key], What::Removed)),
        }
    }
    changes.extend(came.iter().map(|key| change(&new[key], What::Added)));
    for (key, own) in &old {
        if let Some(there) = new.get(key) {
            changes.push(change(there, changed(&own.content, &there.content)));
        }
    }
    changes.sort_by(|one, other| (&one.kind, &one.name).cmp(&(&other.kind, &other.name)));
    changes
}

fn path((_, namespace, name): &Key) -> String {
    if namespace.is_empty() { name.to_string() } else { format!("{namespace}/{name}") }
}

fn change(noted: &Noted, what: What) -> ObjectChange {
    let kind = noted.key.0.split('.').next().unwrap_or_default().to_owned();
    ObjectChange { kind, name: path(&noted.key), what, at: noted.at }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn nameless(noted: &Noted) -> Value {
    let mut content = parsed(&noted.content);
    if let Some(metadata) = content.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("name");
    }
    content
}

fn changed(old: &str, new: &str) -> What {
    let (old, new) = (parsed(old), parsed(new));
    if sorted(&old) == sorted(&new) {
        return What::Reordered;
    }
    let mut fields = Vec::new();
    differences("", &old, &new, &mut fields);
    let more = fields.len().saturating_sub(FIELDS);
    fields.truncate(FIELDS);
    if more > 0 {
        fields.push(format!("and {more} more"));
    }
    What::Changed(fields)
}

/// With the items of all lists in one order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_key(Value::to_string);
            items.into()
        }
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        other => other.clone(),
    }
}

fn differences(path: &str, old: &Value, new: &Value, out: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(one), Value::Object(other)) => in_maps(path, one, other, out),
        (Value::Array(one), Value::Array(other)) => in_lists(path, one, other, out),
        _ if old != new => out.push(format!("{path}: {} → {}", short(old), short(new))),
        _ => {}
    }
}

fn in_maps(path: &str, old: &Map<String, Value>, new: &Map<String, Value>, out: &mut Vec<String>) {
    let under = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for (key, own) in old {
        match new.get(key) {
            Some(there) => differences(&under(key), own, there, out),
            None => out.push(format!("- {}: {}", under(key), short(own))),
        }
    }
    for (key, there) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        out.push(format!("+ {}: {}", under(key), short(there)));
    }
}

/// Items that stand for each other, one by one; the others came or went.
fn in_lists(path: &str, old: &[Value], new: &[Value], out: &mut Vec<String>) {
    use similar::DiffOp;
    let texts = |items: &[Value]| items.iter().map(Value::to_string).collect::<Vec<_>>();
    let (one, other) = (texts(old), texts(new));
    for op in similar::capture_diff_slices(similar::Algorithm::Myers, &one, &other) {
        let mut gone = |at: usize| out.push(format!("- {path}[{at}]: {}", short(&old[at])));
        match op {
            DiffOp::Equal { .. } => {}
            DiffOp::Delete { old_index, old_len, .. } => (old_index..old_index + old_len).for_each(gone),
            DiffOp::Insert { new_index, new_len, .. } => {
                let came = new_index..new_index + new_len;
                out.extend(came.map(|at| format!("+ {path}[{at}]: {}", short(&new[at]))));
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } if old_len == new_len => {
                for place in 0..old_len {
                    let under = format!("{path}[{}]", new_index + place);
                    differences(&under, &old[old_index + place], &new[new_index + place], out);
                }
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                (old_index..old_index + old_len).for_each(&mut gone);
                let came = new_index..new_index + new_len;
                out.extend(came.map(|at| format!("+ {path}[{at}]: {}", short(&new[at]))));
            }
        }
    }
}

/// A value in one line, cut where it is long.
fn short(value: &Value) -> String {
    const LONGEST: usize = 120;
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
