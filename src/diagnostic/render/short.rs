//! One line each, in the form that editors and `grep -n` users know.

use super::{SourceLines, printable};
use crate::diagnostic::Diagnostic;
use std::fmt::Write;

/// `file:line:column: severity[id]: message`, one line for each diagnostic, with a final line
/// break. Help and further places are left out.
pub fn short(diagnostics: &[Diagnostic], sources: &dyn SourceLines) -> String {
    let mut out = String::new();
    for d in diagnostics {
        if let Some(at) = d.at {
            let name = printable(sources.name(at.file));
            write!(out, "{name}:{}:{}: ", at.line, at.column).unwrap_or_default();
        }
        writeln!(out, "{}[{}]: {}", d.severity.name(), d.id, printable(&d.message)).unwrap_or_default();
    }
    out
}
