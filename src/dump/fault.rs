//! What is wrong with a line.

use super::line::Word;
use crate::diagnostic::{Diagnostic, FileId, Location};

/// The id of all that is wrong with the text of a dump.
pub(super) const SYNTAX: &str = "dump-syntax";

/// What is wrong, and where in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// offset in the line, in bytes
    pub at: usize,
    /// what is wrong
    pub message: String,
    /// what to do about it
    pub help: Option<&'static str>,
}

impl Fault {
    pub fn new(at: usize, message: impl Into<String>) -> Self {
        Fault { at, message: message.into(), help: None }
    }

    /// Nothing that could be its value follows an option.
    pub fn no_value(option: &Word<'_>) -> Self {
        Fault::new(option.end, format!("a value should follow `{}`", head(&option.text)))
    }

    pub fn help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }

    /// For the person who gave the dump. `number` is the line's, from 1.
    pub fn diagnostic(self, file: FileId, number: u32, line: &str) -> Diagnostic {
        let column = line.get(..self.at).map_or(0, |before| before.chars().count()) as u32 + 1;
        let mut diagnostic = Diagnostic::error(SYNTAX, Location { file, line: number, column }, self.message);
        diagnostic.help = self.help.map(str::to_owned);
        diagnostic
    }
}

/// The beginning of a text, so that a message stays one readable line.
pub(super) fn head(text: &str) -> &str {
    match text.char_indices().nth(40) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
