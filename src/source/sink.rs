//! Trees → objects: lists are opened, and what is no object is reported.

use super::Object;
use super::part::Output;
use super::tree::{Node, Value};
use crate::diagnostic::Diagnostic;

/// What a list says about items that do not say it themselves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ListHead<'h> {
    pub(super) api_version: &'h str,
    /// the kind of the items: the list's without `List`
    pub(super) kind: &'h str,
}

impl<'h> ListHead<'h> {
    /// From a list's own `apiVersion` and `kind`; a plain `List` says nothing.
    pub(super) fn new(api_version: &'h str, kind: &'h str) -> Self {
        match kind.strip_suffix("List") {
            None | Some("") => ListHead::default(),
            Some(kind) => ListHead { api_version, kind },
        }
    }
}

/// Whether a mapping of this kind with `items` is a list.
pub(super) fn is_list(kind: &str) -> bool {
    kind.is_empty() || kind.ends_with("List")
}

/// Hands objects to the function that lowers them, and collects what it gives.
pub(super) struct Sink<'f, T, F> {
    lower: &'f F,
    values: Vec<T>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// documents seen
    pub(super) documents: usize,
    /// whether an object came without `kind` or `apiVersion`
    lacking: bool,
}

impl<'f, T, F: Fn(&Object<'_>) -> T> Sink<'f, T, F> {
    pub(super) fn new(lower: &'f F) -> Self {
        Sink { lower, values: Vec::new(), diagnostics: Vec::new(), documents: 0, lacking: false }
    }

    /// What was collected.
    pub(super) fn output(self, end: Option<usize>) -> Output<T> {
        let Sink { values, diagnostics, documents, lacking, .. } = self;
        Output { values, diagnostics, documents, lacking, end }
    }

    /// Takes the root of a document. Null, which a document of comments is, holds nothing.
    pub(super) fn document(&mut self, root: Node<'_>) {
        self.documents += 1;
        if root.is_seq() {
            for item in root.items() {
                self.item(item, ListHead::default());
            }
        } else if !root.is_null() {
            self.item(root, ListHead::default());
        }
    }

    /// Takes an object, or a list of objects, that stands in a list.
    pub(super) fn item(&mut self, node: Node<'_>, list: ListHead<'_>) {
        if !node.is_map() {
            let what = match node.value() {
                Value::Null => "nothing",
                Value::Seq => "a list",
                Value::Str(_) => "text",
                _ => "a number or truth value",
            };
            let message = format!("expected an object, found {what}");
            let help = "an object is a mapping with `apiVersion` and `kind`";
            self.diagnostics.push(Diagnostic::error("not-an-object", node.at(), message).help(help));
            return;
        }
        let text = |key| node.get(key).and_then(Node::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if let Some(items) = items(node, kind) {
            self.list_duplicates(node, items);
            for item in items.items() {
                self.item(item, ListHead::new(api_version, kind));
            }
            return;
        }
        self.lacking |= api_version.is_empty() || kind.is_empty();
        let or = |own, list| if str::is_empty(own) { list } else { own };
        let duplicates = node.duplicates();
        let object = Object {
            root: node,
            api_version: or(api_version, list.api_version),
            kind: or(kind, list.kind),
            duplicates: &duplicates,
        };
        self.values.push((self.lower)(&object));
    }

    /// Reports keys that a list itself has twice: nobody could say which of them counts.
    fn list_duplicates(&mut self, list: Node<'_>, items: Node<'_>) {
        for (first, second) in list.duplicate_nodes().filter(|pair| !items.covers(pair.1)) {
            let message = format!("`{}` stands twice in this list", second.text());
            let diagnostic = Diagnostic::error("duplicate-key", second.at(), message);
            self.diagnostics.push(diagnostic.related(first.at(), "it is written here first"));
        }
    }
}

/// The items of a list; `None` if the mapping is no list.
fn items<'t>(node: Node<'t>, kind: &str) -> Option<Node<'t>> {
    if !is_list(kind) {
        return None;
    }
    let items = node.get("items")?;
    (items.is_seq() || items.is_null()).then_some(items)
}
