//! The form for a terminal: each finding under the lines that it speaks of, and a summary.

use super::{Document, Finding, Subject};
use crate::diagnostic::render::{self, SourceLines, printable};
use std::fmt::Write;

/// The findings that count, an empty line after each, and the last lines. `styled` puts in ANSI colours.
pub fn text(document: &Document<'_>, styled: bool) -> String {
    let mut out = String::new();
    for finding in document.open() {
        // what has a place and no facts is all said by the lines there
        let by_facts = !finding.facts.is_empty() || finding.said.at.is_none();
        match document.subject(finding).filter(|_| by_facts) {
            Some(subject) => facts(&mut out, finding, subject, document.sources),
            None => {
                out.push_str(&render::full(std::slice::from_ref(&finding.said), document.sources, styled));
            }
        }
        if let Some(fix) = &finding.fix {
            // the empty line that ends a finding comes after what mends it
            out.pop();
            let _ = writeln!(out, "  to mend it: {}", printable(&fix.what));
            fix.text.lines().for_each(|line| out.push_str(&format!("    {}\n", printable(line))));
            out.push('\n');
        }
    }
    for line in &document.closing {
        out.push_str(&format!("{}\n", printable(line)));
    }
    if let Some(words) = document.suppressed_counts().words() {
        out.push_str(&format!("{words}\n"));
    }
    out
}

/// A finding that no lines of a manifest can show: what it is about, and what there is to know.
fn facts(out: &mut String, finding: &Finding, subject: &Subject, sources: &dyn SourceLines) {
    let said = &finding.said;
    let _ = writeln!(out, "{}[{}]: {}", printable(&subject.title()), said.id, printable(&said.message));
    for (label, value) in &finding.facts {
        let _ = writeln!(out, "  {label:<8} {}", printable(value));
    }
    // where facts do not name a place already
    let placed = finding.facts.iter().any(|(label, _)| matches!(*label, "at" | "for"));
    if let Some(at) = said.at.filter(|_| !placed) {
        let _ = writeln!(
            out,
            "  {:<8} {}:{}:{}",
            "written",
            printable(sources.name(at.file)),
            at.line,
            at.column
        );
    }
    if let Some(help) = said.help.as_ref().filter(|_| finding.fix.is_none()) {
        let _ = writeln!(out, "  {:<8} {}", "help", printable(help));
    }
    out.push('\n');
}
