//! What a parser says when the text is not what it should be.

use super::tree::Tree;
use crate::diagnostic::{Diagnostic, Location, Severity};

/// The deepest nesting of mappings and sequences that is read. Manifests stay under 30; the limit
/// keeps the stack bounded, since the parsers here recurse.
pub const MAX_DEPTH: usize = 200;

/// A syntax error and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// byte offset in the text of the tree that was being built
    pub(super) offset: usize,
    /// the diagnostic's id
    pub(super) id: &'static str,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// The outcome of parsing; the fault is boxed because the parsers return this everywhere.
pub(super) type Parsed<T = ()> = Result<T, Box<Fault>>;

impl Fault {
    pub(super) fn new(offset: usize, id: &'static str, message: impl Into<String>) -> Box<Fault> {
        Box::new(Fault { offset, id, message: message.into(), help: None })
    }

    pub(super) fn help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help = Some(help.into());
        self
    }

    /// Nesting beyond [`MAX_DEPTH`].
    pub(super) fn too_deep(offset: usize) -> Box<Fault> {
        let message = format!("nested more than {MAX_DEPTH} levels deep");
        Fault::new(offset, "too-deep", message)
    }

    /// The diagnostic, placed by the tree whose text the fault is about.
    pub(super) fn place(self, tree: &Tree<'_>) -> Diagnostic {
        let at = tree.locate(u32::try_from(self.offset).unwrap_or(u32::MAX));
        self.diagnostic(Severity::Error, at)
    }

    /// The diagnostic at a place.
    pub(super) fn diagnostic(self, severity: Severity, at: Location) -> Diagnostic {
        let diagnostic = Diagnostic::new(self.id, severity, Some(at), self.message);
        match self.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}
