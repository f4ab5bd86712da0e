//! Diagnostics → text for people ([`full()`], [`short()`]) and for programs ([`json`]).
//!
//! Every form takes what it is given in that order; sort with [`super::order()`] first. Texts for
//! people may end up on a terminal, and both messages and source lines carry words of the input,
//! so whatever a terminal might act on is escaped (see [`printable`]).

pub(crate) mod excerpt;
mod full;
pub mod json;
mod short;
#[cfg(test)]
mod tests;

pub use full::full;
pub use short::short;

use super::{Confidence, FileId, Location, Severity};
use std::borrow::Cow;
use std::fmt::Write;

/// What the renderers need of the input.
pub trait SourceLines {
    /// What to call a file in messages: its path as the user gave it, or `<stdin>`.
    fn name(&self, file: FileId) -> &str;

    /// A line (1-based) without its line break; `None` past the end, if it cannot be had any more,
    /// or if it is too long to be handed out whole. Bytes that are not UTF-8 come as U+FFFD.
    fn line(&self, file: FileId, line: u32) -> Option<String>;

    /// Of a line that [`SourceLines::line`] does not give, what stands at most `radius` code points
    /// before and after a place, and the 1-based column at which that begins.
    fn stretch(&self, at: Location, radius: u32) -> Option<(String, u32)> {
        let _ = (at, radius);
        None
    }
}

impl Severity {
    /// `error`, `warning` or `note`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

impl Confidence {
    /// `certain`, `likely` or `possible`.
    pub fn name(self) -> &'static str {
        match self {
            Confidence::Certain => "certain",
            Confidence::Likely => "likely",
            Confidence::Possible => "possible",
        }
    }
}

/// Makes text safe to print: control characters (line breaks and tabs among them), and the
/// characters that reorder or hide text on a screen, become `\n`, `\t` or `\u{1b}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unprintable(c) => write!(out, "\\u{{{:x}}}", c as u32).unwrap_or_default(),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// C0, DEL and C1 controls; line and paragraph separators; directional marks, embeddings, overrides
/// and isolates; and characters without a width, which make two different names look the same.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
