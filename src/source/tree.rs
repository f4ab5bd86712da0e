//! The tree of one object: a flat arena in preorder that borrows the input text.
//!
//! Scalars are kept as written and resolved when asked ([`Node::value`]), so a value that nobody
//! reads costs nothing but its slot. Every node knows its byte offset; [`Node::at`] turns it into
//! a [`Location`] through a line index that is built once per tree, when first needed.

use super::lines::Lines;
use crate::diagnostic::{FileId, Location};
use std::borrow::Cow;
use std::cell::OnceCell;

/// What a node is, after the YAML 1.1 (go-yaml v2) or JSON scalar rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'t> {
    /// `null`, `~`, nothing
    Null,
    /// a boolean (`yes`, `On`, … included, as go-yaml v2 resolves them)
    Bool(bool),
    /// an integer that fits 64 bits signed
    Int(i64),
    /// a number with a fraction or exponent, or an integer beyond `i64`
    Float(f64),
    /// a string (quoted, block, or plain that resolves to nothing else)
    Str(&'t str),
    /// a sequence
    Seq,
    /// a mapping
    Map,
}

/// How a scalar was written, which decides how it resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// YAML plain: resolves by the go-yaml v2 table
    Plain,
    /// quoted, block or `!!str`: always a string
    Text,
    /// a JSON number, `true`, `false` or `null`
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Scalar(Style),
    Seq,
    Map,
}

#[derive(Debug, Clone, Copy)]
struct Raw {
    /// byte offset of the node in `Tree::text`
    offset: u32,
    /// scalars: start of the text, in `Tree::text` or (if `unescaped`) in `Tree::scratch`
    start: u32,
    /// scalars: length of the text in bytes
    len: u32,
    /// index of the first node after this subtree
    end: u32,
    shape: Shape,
    unescaped: bool,
}

/// The nodes of one object. Built by the parsers in this folder, read through [`Node`].
#[derive(Debug)]
pub struct Tree<'t> {
    nodes: Vec<Raw>,
    text: &'t str,
    /// texts that are not a slice of the input: with escapes, folded, joined
    scratch: String,
    file: FileId,
    /// line and column (1-based) of the first byte of `text`
    line: u32,
    column: u32,
    lines: OnceCell<Lines>,
    /// pairs of key nodes: a key of a mapping, and one behind it that says the same
    duplicates: Vec<(u32, u32)>,
}

/// A key that a mapping has more than once. [`Node::get`] takes the last one, as go-yaml and encoding/json
/// do where they are not strict; calicoctl refuses the object, kubectl warns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateKey<'t> {
    /// the key
    pub key: &'t str,
    /// where it is written first
    pub first: Location,
    /// where it is written again
    pub second: Location,
}

impl<'t> Tree<'t> {
    /// An empty tree over `text`, which starts at `line` and `column` (1-based) of `file`.
    pub fn new(text: &'t str, file: FileId, line: u32, column: u32) -> Self {
        Tree {
            nodes: Vec::new(),
            text,
            scratch: String::new(),
            file,
            line,
            column,
            lines: OnceCell::new(),
            duplicates: Vec::new(),
        }
    }

    /// Empties the tree; the text, its line index and the allocations are kept.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.scratch.clear();
        self.duplicates.clear();
    }

    /// Empties the tree and gives it another text; the allocations are kept.
    pub fn reset(&mut self, text: &'t str, file: FileId, line: u32, column: u32) {
        self.clear();
        self.text = text;
        (self.file, self.line, self.column) = (file, line, column);
        self.lines = OnceCell::new();
    }

    /// The root, if anything was added.
    pub fn root(&self) -> Option<Node<'_>> {
        (!self.nodes.is_empty()).then_some(Node { tree: self, id: 0 })
    }

    /// The root of a tree to which nothing will be added.
    pub(super) fn finish(&mut self) -> Option<Node<'_>> {
        self.duplicates.sort_unstable_by_key(|pair| pair.1);
        self.root()
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds a scalar whose text is `text[start..start + len]`.
    pub fn scalar(&mut self, style: Style, offset: u32, start: u32, len: u32) {
        let end = self.nodes.len() as u32 + 1;
        self.nodes.push(Raw { offset, start, len, end, shape: Shape::Scalar(style), unescaped: false });
    }

    /// Adds a scalar whose text is not a slice of the input.
    pub fn scalar_owned(&mut self, style: Style, offset: u32, value: &str) {
        let end = self.nodes.len() as u32 + 1;
        let start = self.scratch.len() as u32;
        self.scratch.push_str(value);
        let len = value.len() as u32;
        self.nodes.push(Raw { offset, start, len, end, shape: Shape::Scalar(style), unescaped: true });
    }

    /// Opens a sequence; its items follow until [`Tree::close`] gets the returned id.
    pub fn open_seq(&mut self, offset: u32) -> u32 {
        self.open(offset, Shape::Seq)
    }

    /// Opens a mapping; keys and values follow in turn until [`Tree::close`].
    pub fn open_map(&mut self, offset: u32) -> u32 {
        self.open(offset, Shape::Map)
    }

    fn open(&mut self, offset: u32, shape: Shape) -> u32 {
        let id = self.nodes.len() as u32;
        self.nodes.push(Raw { offset, start: 0, len: 0, end: 0, shape, unescaped: false });
        id
    }

    /// Closes what [`Tree::open_seq`] or [`Tree::open_map`] opened.
    pub fn close(&mut self, id: u32) {
        self.nodes[id as usize].end = self.nodes.len() as u32;
    }

    /// Every scalar in preorder: style, byte offset and content.
    pub(super) fn scalars(&self) -> impl Iterator<Item = (Style, u32, &str)> {
        self.nodes.iter().enumerate().filter_map(|(id, raw)| match raw.shape {
            Shape::Scalar(style) => Some((style, raw.offset, self.text_of(id as u32))),
            Shape::Seq | Shape::Map => None,
        })
    }

    /// Whether the text at `offset` is this content.
    pub(super) fn is_slice(&self, offset: u32, content: &str) -> bool {
        self.text[offset as usize..].starts_with(content)
    }

    /// Notes the keys that a mapping, already closed, has twice.
    ///
    /// The parsers call this only for mappings whose keys are not in strictly rising order, which
    /// is how machines print them.
    pub(super) fn find_duplicates(&mut self, map: u32) {
        let mut keys = Vec::new();
        let (mut id, end) = (map + 1, self.nodes[map as usize].end);
        while id < end {
            keys.push(id);
            id = self.nodes[self.nodes[id as usize].end as usize].end;
        }
        // stable, so equal keys stay in input order
        keys.sort_by(|&a, &b| self.text_of(a).cmp(self.text_of(b)));
        let mut pairs = Vec::new();
        for run in keys.chunk_by(|&a, &b| self.text_of(a) == self.text_of(b)) {
            pairs.extend(run[1..].iter().map(|&again| (run[0], again)));
        }
        self.duplicates.append(&mut pairs);
    }

    fn text_of(&self, id: u32) -> &str {
        Node { tree: self, id }.text()
    }

    /// The place of a byte offset in this tree's text.
    pub fn locate(&self, offset: u32) -> Location {
        let lines = self.lines.get_or_init(|| Lines::new(self.text));
        let (line, column) = lines.locate(self.text, offset as usize);
        let column = if line == 0 { self.column + column } else { 1 + column };
        Location { file: self.file, line: self.line + line, column }
    }
}

/// A node of a [`Tree`].
#[derive(Clone, Copy)]
pub struct Node<'t> {
    tree: &'t Tree<'t>,
    id: u32,
}

impl<'t> Node<'t> {
    fn raw(self) -> &'t Raw {
        &self.tree.nodes[self.id as usize]
    }

    /// Where the node is written.
    pub fn at(self) -> Location {
        self.tree.locate(self.raw().offset)
    }

    /// The node's byte offset in the text of its tree.
    pub fn offset(self) -> u32 {
        self.raw().offset
    }

    /// The node's value, scalars resolved by the rules of their [`Style`].
    pub fn value(self) -> Value<'t> {
        match self.raw().shape {
            Shape::Seq => Value::Seq,
            Shape::Map => Value::Map,
            Shape::Scalar(Style::Text) => Value::Str(self.text()),
            Shape::Scalar(Style::Plain) => super::scalar::resolve(self.text()),
            Shape::Scalar(Style::Json) => super::scalar::resolve_json(self.text()),
        }
    }

    /// The text of a scalar as written (escapes done, quotes gone); "" for collections.
    pub fn text(self) -> &'t str {
        let raw = self.raw();
        let range = raw.start as usize..(raw.start + raw.len) as usize;
        if raw.unescaped { &self.tree.scratch[range] } else { &self.tree.text[range] }
    }

    /// The string, if the value is one.
    pub fn as_str(self) -> Option<&'t str> {
        match self.value() {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The string that a field of type string gets from this scalar, as `sigs.k8s.io/yaml` makes
    /// it (`80` → "80", `yes` → "true", `010` → "8"); `None` for null and collections.
    pub fn as_go_string(self) -> Option<Cow<'t, str>> {
        match self.raw().shape {
            Shape::Scalar(style) => super::scalar::as_go_string(self.text(), style),
            Shape::Seq | Shape::Map => None,
        }
    }

    /// How the scalar was written; `None` for collections.
    pub fn style(self) -> Option<Style> {
        match self.raw().shape {
            Shape::Scalar(style) => Some(style),
            Shape::Seq | Shape::Map => None,
        }
    }

    /// The keys that mappings at and under this node have twice, in input order.
    pub fn duplicates(self) -> Vec<DuplicateKey<'t>> {
        let pair = |(first, second): (Node<'t>, Node<'t>)| DuplicateKey {
            key: first.text(),
            first: first.at(),
            second: second.at(),
        };
        self.duplicate_nodes().map(pair).collect()
    }

    /// The pairs of key nodes behind [`Node::duplicates`].
    pub(super) fn duplicate_nodes(self) -> impl Iterator<Item = (Node<'t>, Node<'t>)> {
        let (within, tree) = (self.id..self.raw().end, self.tree);
        let from = tree.duplicates.partition_point(|pair| pair.1 < within.start);
        let pairs = tree.duplicates[from..].iter().take_while(move |pair| pair.1 < within.end);
        let node = |id| Node { tree, id };
        pairs.map(move |&(first, second)| (node(first), node(second)))
    }

    /// Whether `other` is this node or under it; both are of one tree.
    pub(super) fn covers(self, other: Node<'_>) -> bool {
        (self.id..self.raw().end).contains(&other.id)
    }

    /// Whether the value is null.
    pub fn is_null(self) -> bool {
        self.value() == Value::Null
    }

    /// Whether this is a mapping.
    pub fn is_map(self) -> bool {
        self.raw().shape == Shape::Map
    }

    /// Whether this is a sequence.
    pub fn is_seq(self) -> bool {
        self.raw().shape == Shape::Seq
    }

    /// The entries of a mapping in input order, duplicates included; none if it is no mapping.
    pub fn entries(self) -> Entries<'t> {
        Entries(if self.is_map() { self.children() } else { self.none() })
    }

    /// The items of a sequence; none if it is no sequence.
    pub fn items(self) -> Children<'t> {
        if self.is_seq() { self.children() } else { self.none() }
    }

    /// The value of a key, the last one if it is written twice (as go-yaml and encoding/json do).
    pub fn get(self, key: &str) -> Option<Node<'t>> {
        self.entries().filter(|(k, _)| k.text() == key).last().map(|(_, v)| v)
    }

    /// `get` through several keys.
    pub fn path(self, keys: &[&str]) -> Option<Node<'t>> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    fn children(self) -> Children<'t> {
        Children { tree: self.tree, next: self.id + 1, end: self.raw().end }
    }

    fn none(self) -> Children<'t> {
        Children { tree: self.tree, next: 0, end: 0 }
    }
}

/// Iterator over the children of a node.
#[derive(Clone)]
pub struct Children<'t> {
    tree: &'t Tree<'t>,
    next: u32,
    end: u32,
}

impl<'t> Iterator for Children<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        if self.next >= self.end {
            return None;
        }
        let node = Node { tree: self.tree, id: self.next };
        self.next = node.raw().end;
        Some(node)
    }
}

/// Iterator over the `(key, value)` pairs of a mapping.
#[derive(Clone)]
pub struct Entries<'t>(Children<'t>);

impl<'t> Iterator for Entries<'t> {
    type Item = (Node<'t>, Node<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }
}
