//! Calico's selectors: what they may look like, their canonical text, and what they select.
//!
//! The grammar is `grammar/selector.ebnf`. The canonical text is the input of Felix's hashes, so it
//! is exact to the byte (`libcalico-go/lib/selector/parser/ast.go:404`, v3.32.1).

mod parse;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha224};
use std::fmt;
use std::sync::Arc;

/// Deepest nesting of parentheses in a selector. Felix has no such limit; ours keeps hostile
/// input from exhausting the stack, and no selector that people write comes near it.
pub const MAX_DEPTH: usize = 256;

/// Levels of parentheses that conversions put around a user's selector, at most.
const DERIVED_DEPTH: usize = 16;

/// A parsed selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    root: Node,
    canonical: Arc<str>,
}

/// A node of a selector's syntax tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// `label == "value"`
    Equals(Box<str>, Box<str>),
    /// `label != "value"`; true where the label is absent
    NotEquals(Box<str>, Box<str>),
    /// `label contains "value"`
    Contains(Box<str>, Box<str>),
    /// `label starts with "value"`
    StartsWith(Box<str>, Box<str>),
    /// `label ends with "value"`
    EndsWith(Box<str>, Box<str>),
    /// `label in {"a", "b"}`; values sorted, without repetition
    In(Box<str>, Vec<Box<str>>),
    /// `label not in {"a", "b"}`; true where the label is absent
    NotIn(Box<str>, Vec<Box<str>>),
    /// `has(label)`
    Has(Box<str>),
    /// `all()`, and the empty text
    All,
    /// `global()`; true if it is ever evaluated, as in Felix
    Global,
    /// `!operand`
    Not(Box<Node>),
    /// two or more operands
    And(Vec<Node>),
    /// two or more operands
    Or(Vec<Node>),
}

/// Why a text is no selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    /// byte offset in the text, at most its length
    pub offset: usize,
    /// the text is a selector to Felix, but beyond [`MAX_DEPTH`]
    pub too_deep: bool,
    message: String,
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SelectorError {}

/// Parses a selector. Empty text, and text of blanks only, means `all()`.
///
/// # Errors
///
/// Says what was expected at the first place where the text cannot go on.
pub fn parse(text: &str) -> Result<Selector, SelectorError> {
    parse::parse(text, MAX_DEPTH).map(Selector::new)
}

/// Parses a selector that was put together from others that [`parse()`] has accepted.
pub(crate) fn parse_derived(text: &str) -> Result<Selector, SelectorError> {
    parse::parse(text, MAX_DEPTH + DERIVED_DEPTH).map(Selector::new)
}

impl Selector {
    fn new(root: Node) -> Self {
        let mut text = String::new();
        root.write(&mut text);
        Selector { root, canonical: text.into() }
    }

    /// The syntax tree.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The canonical text.
    pub fn canonical(&self) -> &Arc<str> {
        &self.canonical
    }

    /// The id of the set of everything this selector selects.
    pub fn id(&self) -> String {
        unique_id("s", &self.canonical)
    }

    /// The same selector with `prefix` before every label.
    #[must_use]
    pub fn with_prefix(&self, prefix: &str) -> Selector {
        let mut root = self.root.clone();
        root.prefix_labels(prefix);
        Selector::new(root)
    }

    /// Whether it selects something with these labels.
    pub fn evaluate<'l>(&self, label: &dyn Fn(&str) -> Option<&'l str>) -> bool {
        self.root.evaluate(label)
    }
}

impl Node {
    /// Whether it holds for something with these labels.
    pub fn evaluate<'l>(&self, label: &dyn Fn(&str) -> Option<&'l str>) -> bool {
        match self {
            Node::Equals(key, value) => label(key) == Some(value),
            Node::NotEquals(key, value) => label(key) != Some(value),
            Node::Contains(key, part) => label(key).is_some_and(|value| value.contains(&**part)),
            Node::StartsWith(key, part) => label(key).is_some_and(|value| value.starts_with(&**part)),
            Node::EndsWith(key, part) => label(key).is_some_and(|value| value.ends_with(&**part)),
            Node::In(key, values) => label(key).is_some_and(|value| contains(values, value)),
            Node::NotIn(key, values) => !label(key).is_some_and(|value| contains(values, value)),
            Node::Has(key) => label(key).is_some(),
            Node::All | Node::Global => true,
            Node::Not(operand) => !operand.evaluate(label),
            Node::And(operands) => operands.iter().all(|operand| operand.evaluate(label)),
            Node::Or(operands) => operands.iter().any(|operand| operand.evaluate(label)),
        }
    }

    /// Calls `visit` with every label that the selector mentions, repetitions included.
    pub fn each_label<'n>(&'n self, visit: &mut dyn FnMut(&'n str)) {
        match self {
            Node::Equals(key, _)
            | Node::NotEquals(key, _)
            | Node::Contains(key, _)
            | Node::StartsWith(key, _)
            | Node::EndsWith(key, _)
            | Node::In(key, _)
            | Node::NotIn(key, _)
            | Node::Has(key) => visit(key),
            Node::All | Node::Global => {}
            Node::Not(operand) => operand.each_label(visit),
            Node::And(operands) | Node::Or(operands) => {
                operands.iter().for_each(|operand| operand.each_label(visit));
            }
        }
    }

    fn prefix_labels(&mut self, prefix: &str) {
        match self {
            Node::Equals(key, _)
            | Node::NotEquals(key, _)
            | Node::Contains(key, _)
            | Node::StartsWith(key, _)
            | Node::EndsWith(key, _)
            | Node::In(key, _)
            | Node::NotIn(key, _)
            | Node::Has(key) => *key = format!("{prefix}{key}").into(),
            Node::All | Node::Global => {}
            Node::Not(operand) => operand.prefix_labels(prefix),
            Node::And(operands) | Node::Or(operands) => {
                operands.iter_mut().for_each(|operand| operand.prefix_labels(prefix));
            }
        }
    }

    /// Appends the canonical text.
    fn write(&self, out: &mut String) {
        match self {
            Node::Equals(key, value) => write_operation(out, key, " == ", value),
            Node::NotEquals(key, value) => write_operation(out, key, " != ", value),
            Node::Contains(key, value) => write_operation(out, key, " contains ", value),
            Node::StartsWith(key, value) => write_operation(out, key, " starts with ", value),
            Node::EndsWith(key, value) => write_operation(out, key, " ends with ", value),
            Node::In(key, values) => write_set(out, key, " in {", values),
            Node::NotIn(key, values) => write_set(out, key, " not in {", values),
            Node::Has(key) => out.extend(["has(", key, ")"]),
            Node::All => out.push_str("all()"),
            Node::Global => out.push_str("global()"),
            Node::Not(operand) => {
                out.push('!');
                operand.write(out);
            }
            Node::And(operands) => write_group(out, operands, " && "),
            Node::Or(operands) => write_group(out, operands, " || "),
        }
    }
}

fn contains(values: &[Box<str>], value: &str) -> bool {
    values.binary_search_by(|own| (**own).cmp(value)).is_ok()
}

/// A value cannot hold both quotes, because it was written between one of them.
fn write_value(out: &mut String, value: &str) {
    let quote = if value.contains('"') { "'" } else { "\"" };
    out.extend([quote, value, quote]);
}

fn write_operation(out: &mut String, key: &str, operator: &str, value: &str) {
    out.extend([key, operator]);
    write_value(out, value);
}

fn write_set(out: &mut String, key: &str, operator: &str, values: &[Box<str>]) {
    out.extend([key, operator]);
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_value(out, value);
    }
    out.push('}');
}

fn write_group(out: &mut String, operands: &[Node], operator: &str) {
    out.push('(');
    for (index, operand) in operands.iter().enumerate() {
        if index > 0 {
            out.push_str(operator);
        }
        operand.write(out);
    }
    out.push(')');
}

/// `prefix:` and the base64url of the SHA-224 of `prefix:content`
/// (`libcalico-go/lib/hash/unique_id.go:27`, v3.32.1).
pub fn unique_id(prefix: &str, content: &str) -> String {
    let mut hash = Sha224::new();
    for part in [prefix, ":", content] {
        hash.update(part.as_bytes());
    }
    let mut id = format!("{prefix}:");
    URL_SAFE_NO_PAD.encode_string(hash.finalize(), &mut id);
    id
}
