//! Diagnostics → standard error.

use crate::diagnostic::render::{self, SourceLines};
use crate::diagnostic::{Diagnostic, Summary, order};
use std::io::{self, IsTerminal, Write};

/// Tells everything on standard error, in reading order, under the lines that it speaks of, and
/// sums it up. Says nothing if there is nothing.
pub fn print(diagnostics: &[Diagnostic], sources: &dyn SourceLines) -> io::Result<()> {
    if diagnostics.is_empty() {
        return Ok(());
    }
    let mut all = diagnostics.to_vec();
    order(&mut all);
    let styled = io::stderr().is_terminal();
    let mut text = render::full(&all, sources, styled);
    text.push_str(&format!("{}\n", Summary::of(&all)));
    let mut stderr = anstream::stderr().lock();
    stderr.write_all(text.as_bytes())?;
    stderr.flush()
}
