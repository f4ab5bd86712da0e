//! Typed access to the fields of a mapping whose shape the schema has already vouched for.

use crate::diagnostic::{Location, Spanned};
use crate::model::findings::Door;
use crate::model::labels::{Labels, Packer};
use crate::model::text::scalar_text;
use crate::source::tree::{Node, Value};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// A mapping, or nothing where one was left out. Reading from nothing gives nothing.
#[derive(Clone, Copy)]
pub struct Reader<'t> {
    node: Option<Node<'t>>,
    /// where the mapping is, or where it would belong
    at: Location,
    /// Go's decoder takes the names of fields in any case
    fold: bool,
}

impl<'t> Reader<'t> {
    /// Reads from `node`.
    pub fn new(node: Node<'t>, door: Door) -> Self {
        Reader { node: Some(node), at: node.at(), fold: door == Door::Calicoctl }
    }

    /// The mapping itself.
    pub fn node(&self) -> Option<Node<'t>> {
        self.node
    }

    /// Where the mapping is, or where it would belong.
    pub fn at(&self) -> Location {
        self.at
    }

    /// The value of a field, unless absent or null.
    pub fn get(&self, name: &str) -> Option<Node<'t>> {
        let node = self.node?;
        let exact = node.get(name);
        let found = match exact {
            None if self.fold => {
                node.entries().filter(|(k, _)| k.text().eq_ignore_ascii_case(name)).last().map(|(_, v)| v)
            }
            found => found,
        };
        found.filter(|value| !value.is_null())
    }

    /// Whether a field has a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A mapping inside.
    pub fn sub(&self, name: &str) -> Reader<'t> {
        match self.get(name) {
            Some(node) => Reader { node: Some(node), at: node.at(), fold: self.fold },
            None => Reader { node: None, at: self.at, fold: self.fold },
        }
    }

    /// A mapping inside, if it is there.
    pub fn sub_if(&self, name: &str) -> Option<Reader<'t>> {
        self.get(name).map(|node| self.over(node))
    }

    /// Another mapping, read by the same rules.
    pub fn over(&self, node: Node<'t>) -> Reader<'t> {
        Reader { node: Some(node), at: node.at(), fold: self.fold }
    }

    /// The place of a field's value, or of the mapping if it is absent.
    pub fn at_of(&self, name: &str) -> Location {
        self.get(name).map_or(self.at, |node| node.at())
    }

    /// A text, "" if absent.
    pub fn text(&self, name: &str) -> Box<str> {
        self.get(name).map(|node| scalar_text(node).into()).unwrap_or_default()
    }

    /// A text and its place.
    pub fn spanned(&self, name: &str) -> Spanned<Box<str>> {
        Spanned::new(self.text(name), self.at_of(name))
    }

    /// A boolean, false if absent.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|node| node.value() == Value::Bool(true))
    }

    /// An integer.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(as_int)
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)?.value() {
            Value::Int(n) => Some(n as f64),
            Value::Float(x) => Some(x),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn items(&self, name: &str) -> impl Iterator<Item = Node<'t>> + use<'t> {
        self.get(name).into_iter().flat_map(Node::items)
    }

    /// The mappings of a list.
    pub fn subs(&self, name: &str) -> impl Iterator<Item = Reader<'t>> + use<'t> {
        let fold = self.fold;
        self.items(name).map(move |node| Reader { node: Some(node), at: node.at(), fold })
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str) -> Vec<Spanned<Box<str>>> {
        self.items(name).map(|node| Spanned::new(scalar_text(node).into(), node.at())).collect()
    }

    /// A mapping of texts.
    pub fn labels(&self, name: &str) -> Labels {
        match self.get(name) {
            Some(node) => labels(node),
            None => Labels::default(),
        }
    }
}

/// An integer, also where it is written with a fraction of zero.
pub fn as_int(node: Node<'_>) -> Option<i64> {
    match node.value() {
        Value::Int(n) => Some(n),
        Value::Float(x) if x.fract() == 0.0 && x.abs() < 9e18 => Some(x as i64),
        _ => None,
    }
}

/// The pairs of a mapping as texts; of a key written twice the last value.
pub fn labels(node: Node<'_>) -> Labels {
    if node.duplicates().is_empty() {
        let mut packer = Packer::default();
        for (key, value) in node.entries() {
            packer.push(key.text(), &scalar_text(value));
        }
        return packer.finish();
    }
    let mut last: IndexMap<&str, Node<'_>, FxBuildHasher> = IndexMap::default();
    last.extend(node.entries().map(|(key, value)| (key.text(), value)));
    let mut packer = Packer::default();
    for (key, value) in last {
        packer.push(key, &scalar_text(value));
    }
    packer.finish()
}
