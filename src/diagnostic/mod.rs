//! One type for everything the tool has to say about its input.
//!
//! A [`Diagnostic`] has an id (stable, kebab-case), a severity, a message, the place it speaks
//! of, and optionally a help line and further places. Messages are one line, lower case, without a
//! full stop, with the user's own words in backticks.
//!
//! Stages collect diagnostics in whatever order they find them; [`order()`] sorts them and drops
//! repetitions before [`render`] turns them into text or JSON.

mod order;
pub mod render;
mod summary;

pub use order::{compare, order};
pub use summary::Summary;

/// Index of an input file in [`crate::source::Files`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A place in the input: file, and 1-based line and column.
///
/// The column counts Unicode code points, as editors and SARIF (`unicodeCodePoints`) do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// the file
    pub file: FileId,
    /// 1-based line
    pub line: u32,
    /// 1-based column in code points
    pub column: u32,
}

/// A value and where it was written. Equality and hashing look at the value only.
#[derive(Debug, Clone, Copy)]
pub struct Spanned<T> {
    /// the value
    pub value: T,
    /// where it stands in the input
    pub at: Location,
}

impl<T> Spanned<T> {
    /// Pairs a value with its place.
    pub fn new(value: T, at: Location) -> Self {
        Spanned { value, at }
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}
impl<T: Eq> Eq for Spanned<T> {}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// worth knowing; nothing is wrong
    Note,
    /// the input works, but probably not as meant
    Warning,
    /// the object, or the whole input, cannot be used
    Error,
}

/// How sure it is that what a diagnostic says is what happens, or is not what was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// it may well be meant, or depend on what the input does not say
    Possible,
    /// it is rarely meant
    Likely,
    /// a fact
    Certain,
}

/// A further place that explains a diagnostic ("first defined here").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// where
    pub at: Location,
    /// what is there
    pub message: String,
}

/// One thing to tell the user. See the module header for the style of its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// stable identifier, kebab-case
    pub id: &'static str,
    /// how bad
    pub severity: Severity,
    /// how sure it is
    pub confidence: Confidence,
    /// what is wrong
    pub message: String,
    /// the place; `None` only where no input line is to blame (a missing node, say)
    pub at: Option<Location>,
    /// what to do about it
    pub help: Option<String>,
    /// further places
    pub related: Vec<Related>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(id: &'static str, at: Location, message: impl Into<String>) -> Self {
        Self::new(id, Severity::Error, Some(at), message)
    }

    /// A warning at a place.
    pub fn warning(id: &'static str, at: Location, message: impl Into<String>) -> Self {
        Self::new(id, Severity::Warning, Some(at), message)
    }

    /// A note at a place.
    pub fn note(id: &'static str, at: Location, message: impl Into<String>) -> Self {
        Self::new(id, Severity::Note, Some(at), message)
    }

    /// Any diagnostic.
    pub fn new(
        id: &'static str,
        severity: Severity,
        at: Option<Location>,
        message: impl Into<String>,
    ) -> Self {
        let confidence = Confidence::Certain;
        Diagnostic { id, severity, confidence, message: message.into(), at, help: None, related: Vec::new() }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a further place.
    #[must_use]
    pub fn related(mut self, at: Location, message: impl Into<String>) -> Self {
        self.related.push(Related { at, message: message.into() });
        self
    }
}
