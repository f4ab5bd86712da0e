//! The tree of one object: a flat arena in preorder that borrows the input text.
//!
//! Scalars are kept as written and resolved when asked ([`Node::value`]), so a value that nobody
//! reads costs nothing but its slot. Every node knows its byte offset; [`Node::at`] turns it into
//! a [`Location`] through a line index that is built once per tree, when first needed.

use crate::diagnostic::{FileId, Location};
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
    lines: OnceCell<Vec<u32>>,
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
        }
    }

    /// Empties the tree and gives it another text; the allocations are kept.
    pub fn reset(&mut self, text: &'t str, file: FileId, line: u32, column: u32) {
        self.nodes.clear();
        self.scratch.clear();
        self.text = text;
        (self.file, self.line, self.column) = (file, line, column);
        self.lines = OnceCell::new();
    }

    /// The root, if anything was added.
    pub fn root(&self) -> Option<Node<'_>> {
        (!self.nodes.is_empty()).then_some(Node { tree: self, id: 0 })
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
        self.nodes.push(Raw {
            offset,
            start,
            len,
            end,
            shape: Shape::Scalar(style),
            unescaped: false,
        });
    }

    /// Adds a scalar whose text is not a slice of the input.
    pub fn scalar_owned(&mut self, style: Style, offset: u32, value: &str) {
        let end = self.nodes.len() as u32 + 1;
        let start = self.scratch.len() as u32;
        self.scratch.push_str(value);
        let len = value.len() as u32;
        self.nodes.push(Raw {
            offset,
            start,
            len,
            end,
            shape: Shape::Scalar(style),
            unescaped: true,
        });
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
        self.nodes.push(Raw {
            offset,
            start: 0,
            len: 0,
            end: 0,
            shape,
            unescaped: false,
        });
        id
    }

    /// Closes what [`Tree::open_seq`] or [`Tree::open_map`] opened.
    pub fn close(&mut self, id: u32) {
        self.nodes[id as usize].end = self.nodes.len() as u32;
    }

    /// The place of a byte offset in this tree's text.
    pub fn locate(&self, offset: u32) -> Location {
        let lines = self.lines.get_or_init(|| {
            std::iter::once(0)
                .chain(memchr::memchr_iter(b'\n', self.text.as_bytes()).map(|i| i as u32 + 1))
                .collect()
        });
        let offset = offset.min(self.text.len() as u32);
        let index = lines.partition_point(|&start| start <= offset) - 1;
        let start = lines[index] as usize;
        let mut end = offset as usize;
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text[start..end].chars().count() as u32;
        let column = if index == 0 {
            self.column + before
        } else {
            1 + before
        };
        Location {
            file: self.file,
            line: self.line + index as u32,
            column,
        }
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
        if raw.unescaped {
            &self.tree.scratch[range]
        } else {
            &self.tree.text[range]
        }
    }

    /// The string, if the value is one.
    pub fn as_str(self) -> Option<&'t str> {
        match self.value() {
            Value::Str(s) => Some(s),
            _ => None,
        }
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
        Entries(if self.is_map() {
            self.children()
        } else {
            self.none()
        })
    }

    /// The items of a sequence; none if it is no sequence.
    pub fn items(self) -> Children<'t> {
        if self.is_seq() {
            self.children()
        } else {
            self.none()
        }
    }

    /// The value of a key, the last one if it is written twice (as go-yaml and encoding/json do).
    pub fn get(self, key: &str) -> Option<Node<'t>> {
        self.entries()
            .filter(|(k, _)| k.text() == key)
            .last()
            .map(|(_, v)| v)
    }

    /// `get` through several keys.
    pub fn path(self, keys: &[&str]) -> Option<Node<'t>> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    fn children(self) -> Children<'t> {
        Children {
            tree: self.tree,
            next: self.id + 1,
            end: self.raw().end,
        }
    }

    fn none(self) -> Children<'t> {
        Children {
            tree: self.tree,
            next: 0,
            end: 0,
        }
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
        let node = Node {
            tree: self.tree,
            id: self.next,
        };
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
