//! Objects that can be edited: their trees, every part with its place, without the text.

use crate::diagnostic::Location;
use crate::source::Object as Source;
use crate::source::tree::{Node, Value};
use serde_json::json;

/// What an object is, as far as its lists are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// rules with `source` and `destination`
    Calico,
    /// rules with `from` or `to`, and `ports`
    Kubernetes,
    /// rules with `to`, whose peers have `networks`
    Cluster,
    /// `nets`
    NetworkSet,
}

impl Shape {
    /// The shape of a kind; `None` for what holds no rules or networks.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let calico = matches!(api_version, "projectcalico.org/v3" | "crd.projectcalico.org/v1");
        match kind {
            "NetworkPolicy" if api_version == "networking.k8s.io/v1" => Some(Shape::Kubernetes),
            "ClusterNetworkPolicy" => Some(Shape::Cluster),
            _ if !calico => None,
            "StagedKubernetesNetworkPolicy" => Some(Shape::Kubernetes),
            "NetworkPolicy" | "GlobalNetworkPolicy" | "StagedNetworkPolicy" | "StagedGlobalNetworkPolicy" => {
                Some(Shape::Calico)
            }
            "NetworkSet" | "GlobalNetworkSet" => Some(Shape::NetworkSet),
            _ => None,
        }
    }
}

/// An object that can be edited.
#[derive(Debug, Clone)]
pub struct Object {
    /// what it is
    pub shape: Shape,
    /// `apiVersion`, its own or its list's
    pub api_version: Box<str>,
    /// `kind`, the same
    pub kind: Box<str>,
    /// a key is there twice
    pub has_duplicates: bool,
    /// its tree
    pub root: Part,
}

/// A part of an object and where it is written. Equality looks at the value only.
#[derive(Debug, Clone)]
pub struct Part {
    /// where it is written; for what an alias stands for, where the alias is
    pub at: Location,
    /// its value
    pub what: What,
}

/// The value of a part.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// `null`
    Null,
    /// a boolean
    Bool(bool),
    /// an integer
    Int(i64),
    /// any other number
    Float(f64),
    /// a text
    Text(Box<str>),
    /// a list
    List(Vec<Part>),
    /// a mapping, in input order
    Map(Vec<Entry>),
}

/// An entry of a mapping. Equality ignores its place.
#[derive(Debug, Clone)]
pub struct Entry {
    /// the key
    pub key: Box<str>,
    /// where the key is written
    pub at: Location,
    /// the value
    pub value: Part,
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value
    }
}

/// A step from a part to one inside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// the value of a key, of the last one if it is there twice
    Key(&'static str),
    /// an item of a list
    Item(usize),
}

/// The way from an object's root to a part.
pub type Path = Vec<Step>;

impl Object {
    /// Takes an object out of its document; `None` if there is nothing in it to edit.
    pub fn take(object: &Source<'_>) -> Option<Self> {
        Some(Object {
            shape: Shape::of(object.api_version, object.kind)?,
            api_version: object.api_version.into(),
            kind: object.kind.into(),
            has_duplicates: !object.duplicates.is_empty(),
            root: Part::new(object.root),
        })
    }

    /// The object as JSON, with its kind, also where only its list says that.
    pub fn to_json(&self, root: &Part) -> serde_json::Value {
        let mut value = root.to_json();
        value["apiVersion"] = json!(self.api_version);
        value["kind"] = json!(self.kind);
        value
    }

    /// Namespace and name, as messages put them together.
    pub fn path(&self) -> String {
        let text = |key| self.root.find(&[Step::Key("metadata"), Step::Key(key)]).and_then(Part::text);
        let name = text("name").unwrap_or_default();
        text("namespace").map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
    }
}

impl Part {
    fn new(node: Node<'_>) -> Self {
        let what = match node.value() {
            Value::Null => What::Null,
            Value::Bool(value) => What::Bool(value),
            Value::Int(value) => What::Int(value),
            Value::Float(value) => What::Float(value),
            Value::Str(text) => What::Text(text.into()),
            Value::Seq => What::List(node.items().map(Part::new).collect()),
            Value::Map => What::Map(
                node.entries()
                    .map(|(key, value)| Entry {
                        key: key.text().into(),
                        at: key.at(),
                        value: Part::new(value),
                    })
                    .collect(),
            ),
        };
        Part { at: node.at(), what }
    }

    /// The value of a key, of the last one if it is there twice.
    pub fn get(&self, key: &str) -> Option<&Part> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().rfind(|entry| &*entry.key == key)
    }

    /// The entries of a mapping; none if it is no mapping.
    pub fn entries(&self) -> &[Entry] {
        match &self.what {
            What::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none if it is no list.
    pub fn items(&self) -> &[Part] {
        match &self.what {
            What::List(items) => items,
            _ => &[],
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.what {
            What::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The part at the end of a way.
    pub fn find(&self, path: &[Step]) -> Option<&Part> {
        path.iter().try_fold(self, |part, step| match step {
            Step::Key(key) => part.get(key),
            Step::Item(index) => part.items().get(*index),
        })
    }

    fn find_mut(&mut self, path: &[Step]) -> Option<&mut Part> {
        path.iter().try_fold(self, |part, step| match (step, &mut part.what) {
            (Step::Key(key), What::Map(entries)) => {
                entries.iter_mut().rfind(|entry| &*entry.key == *key).map(|entry| &mut entry.value)
            }
            (Step::Item(index), What::List(items)) => items.get_mut(*index),
            _ => None,
        })
    }

    fn to_json(&self) -> serde_json::Value {
        match &self.what {
            What::Null => json!(null),
            What::Bool(value) => json!(value),
            What::Int(value) => json!(value),
            What::Float(value) => json!(value),
            What::Text(text) => json!(text),
            What::List(items) => items.iter().map(Part::to_json).collect(),
            What::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_json()));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }
}

/// A step of an edit. Ways are those of the object before any edit.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// an item of the list at this way goes
    Remove(Path, usize),
    /// the scalar at this way gets another value
    Replace(Path, What),
    /// the mapping at this way gets an entry behind another
    Insert {
        /// the mapping
        map: Path,
        /// the key of the entry before
        after: &'static str,
        /// the new key
        key: &'static str,
        /// the new value
        value: i64,
    },
}

/// A tree with edits applied.
pub fn edited<'e>(root: &Part, edits: impl Iterator<Item = &'e Edit> + Clone) -> Part {
    let mut root = root.clone();
    for edit in edits.clone() {
        match edit {
            Edit::Remove(..) => {}
            Edit::Replace(path, value) => {
                if let Some(part) = root.find_mut(path) {
                    part.what = value.clone();
                }
            }
            Edit::Insert { map, after, key, value } => {
                let Some(Part { at, what: What::Map(entries) }) = root.find_mut(map) else { continue };
                let place = entries.iter().rposition(|entry| &*entry.key == *after).map_or(0, |it| it + 1);
                let value = Part { at: *at, what: What::Int(*value) };
                entries.insert(place, Entry { key: (*key).into(), at: *at, value });
            }
        }
    }
    let mut removed: Vec<(&Path, usize)> = edits
        .filter_map(|edit| match edit {
            Edit::Remove(path, index) => Some((path, *index)),
            _ => None,
        })
        .collect();
    // inner lists before outer ones, and in a list the last items first: no way changes before it is used
    removed.sort_by(|a, b| (b.0.len(), &b.0, b.1).cmp(&(a.0.len(), &a.0, a.1)));
    let mut at = 0;
    while let Some((path, _)) = removed.get(at) {
        let run = removed[at..].iter().take_while(|(other, _)| other == path).count();
        let gone: std::collections::HashSet<usize> =
            removed[at..at + run].iter().map(|(_, index)| *index).collect();
        if let Some(Part { what: What::List(items), .. }) = root.find_mut(path) {
            let mut index = 0;
            items.retain(|_| {
                index += 1;
                !gone.contains(&(index - 1))
            });
        }
        at += run;
    }
    root
}
