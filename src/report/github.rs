//! Annotations in the log of a GitHub Action: lines that its runner turns into notes beside the code.
//!
//! GitHub shows ten of each level for a step and drops the others, so no more are printed, and the last line says
//! how many there were.

use super::{Document, words};
use crate::diagnostic::render::printable;
use crate::diagnostic::{Diagnostic, Severity};
use std::fmt::Write;

/// How many annotations of a level GitHub shows for one step.
const SHOWN: usize = 10;

/// All that fits, worst first, and the verdict.
pub fn annotations(document: &Document<'_>) -> String {
    let mut out = String::new();
    let mut left = 0;
    let said = || document.open().map(|finding| &finding.said).chain(&document.messages);
    for (severity, _) in words::SEVERITIES {
        let of_level: Vec<_> = said().filter(|one| one.severity == severity).collect();
        left += of_level.len().saturating_sub(SHOWN);
        of_level.into_iter().take(SHOWN).for_each(|one| annotation(&mut out, one, document));
    }
    // with words of our own before it, it is no command whatever it says
    let _ = writeln!(out, "netpolc {}: {}", document.command, plain(&document.verdict));
    if let Some(words) = document.suppressed_counts().words() {
        let _ = writeln!(out, "{words}");
    }
    if left > 0 {
        let more = words::count(left, "more finding");
        let _ = writeln!(out, "{more} not shown: GitHub takes {SHOWN} annotations of each level from a step");
    }
    out
}

fn annotation(out: &mut String, one: &Diagnostic, document: &Document<'_>) {
    let level = match one.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let _ = write!(out, "::{level} ");
    if let Some(at) = one.at {
        let name = document.sources.name(at.file);
        let name = property(name.strip_prefix("./").unwrap_or(name));
        let _ = write!(out, "file={name},line={},col={},", at.line, at.column);
    }
    let help = one.help.iter().map(|help| format!("\nhelp: {}", printable(help)));
    let related = one.related.iter().map(|related| {
        format!("\n{}: {}", words::place(related.at, document.sources), printable(&related.message))
    });
    let text: String =
        std::iter::once(printable(&one.message).into_owned()).chain(help).chain(related).collect();
    let _ = writeln!(out, "title={}::{}", property(one.id), data(&text));
}

/// The text of a command, as the runner unescapes it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which ends at a comma or colon.
fn property(text: &str) -> String {
    data(&printable(text)).replace(':', "%3A").replace(',', "%2C")
}

/// A line that is no command. The runner looks for its old form anywhere in a line.
fn plain(text: &str) -> String {
    printable(text).replace("##[", "## [")
}
