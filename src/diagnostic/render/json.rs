//! The form for programs. Its schema is `docs/schema/diagnostics.schema.json`.
//!
//! Texts are exact here, not escaped for a terminal: a program wants the user's words as they are.

use super::SourceLines;
use crate::diagnostic::{Diagnostic, Location, Related, Summary};
use serde::Serialize;

/// Name and version of the form.
pub const SCHEMA: &str = "netpolc.diagnostics/1";

/// The whole document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    summary: Summary,
    diagnostics: Vec<Entry<'a>>,
}

/// One diagnostic, as it also stands in the JSON of commands that carry diagnostics along.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    id: &'static str,
    severity: &'static str,
    confidence: &'static str,
    message: &'a str,
    #[serde(flatten)]
    at: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<RelatedEntry<'a>>,
}

/// A place in the input: `file`, and 1-based `line` and `column` (in code points).
#[derive(Debug, Serialize)]
pub struct Place<'a> {
    file: &'a str,
    line: u32,
    column: u32,
}

impl<'a> Place<'a> {
    /// Names the file of a location.
    pub fn new(at: Location, sources: &'a dyn SourceLines) -> Self {
        Place { file: sources.name(at.file), line: at.line, column: at.column }
    }
}

#[derive(Debug, Serialize)]
struct RelatedEntry<'a> {
    #[serde(flatten)]
    at: Place<'a>,
    message: &'a str,
}

impl<'a> Entry<'a> {
    /// One diagnostic.
    pub fn new(d: &'a Diagnostic, sources: &'a dyn SourceLines) -> Self {
        let related = |r: &'a Related| RelatedEntry { at: Place::new(r.at, sources), message: &r.message };
        Entry {
            id: d.id,
            severity: d.severity.name(),
            confidence: d.confidence.name(),
            message: &d.message,
            at: d.at.map(|at| Place::new(at, sources)),
            help: d.help.as_deref(),
            related: d.related.iter().map(related).collect(),
        }
    }
}

/// The diagnostics as entries, in the same order.
pub fn entries<'a>(
    diagnostics: impl IntoIterator<Item = &'a Diagnostic>,
    sources: &'a dyn SourceLines,
) -> Vec<Entry<'a>> {
    diagnostics.into_iter().map(|one| Entry::new(one, sources)).collect()
}

/// A document of its own: schema, counts, diagnostics.
pub fn document<'a>(diagnostics: &'a [Diagnostic], sources: &'a dyn SourceLines) -> Document<'a> {
    Document { schema: SCHEMA, summary: Summary::of(diagnostics), diagnostics: entries(diagnostics, sources) }
}
