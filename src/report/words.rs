//! What several forms share: places, counts, and the user's words in a message.

use super::{Document, Finding};
use crate::diagnostic::render::{SourceLines, printable};
use crate::diagnostic::{Location, Severity};

/// `file:line:column`, safe to print.
pub fn place(at: Location, sources: &dyn SourceLines) -> String {
    format!("{}:{}:{}", printable(sources.name(at.file)), at.line, at.column)
}

/// `1 finding`, `2 findings`.
pub fn count(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

/// A message cut at its backticks: whether a piece is the user's words, and the piece.
///
/// A user's word may have a backtick in it. Then other pieces than those are taken for code, so no form may
/// rely on this for anything but looks.
pub fn pieces(message: &str) -> impl Iterator<Item = (bool, &str)> {
    let last = message.matches('`').count();
    // the last of an odd number opens nothing
    let pieces =
        message.split('`').enumerate().map(move |(index, piece)| (index % 2 == 1 && index < last, piece));
    pieces.filter(|(_, piece)| !piece.is_empty())
}

/// Whether the facts with a label are sentences, in which only the user's words are code.
pub fn is_sentence(label: &str) -> bool {
    label == "because"
}

/// What a line of a patch says: `went`, `came`, or `stays`.
pub fn sign(line: &str) -> &'static str {
    match line.as_bytes() {
        [b'-', ..] => "went",
        [b'+', ..] => "came",
        _ => "stays",
    }
}

/// Severities, worst first, with the word for several.
pub const SEVERITIES: [(Severity, &str); 3] =
    [(Severity::Error, "errors"), (Severity::Warning, "warnings"), (Severity::Note, "notes")];

/// Findings by subject, in the order of their first finding; what is about none comes last.
pub fn by_subject<'d>(findings: impl Iterator<Item = &'d Finding>) -> Vec<(Option<usize>, Vec<&'d Finding>)> {
    let mut groups: indexmap::IndexMap<Option<usize>, Vec<&Finding>> = indexmap::IndexMap::new();
    for finding in findings {
        groups.entry(finding.subject).or_default().push(finding);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(subject, _)| subject.is_none());
    groups
}

/// The title of a group: its subject, or what stands for none.
pub fn title(document: &Document<'_>, subject: Option<usize>) -> String {
    match subject.and_then(|index| document.subjects.get(index)) {
        Some(subject) => printable(&subject.title()).into_owned(),
        None => "the input as a whole".to_owned(),
    }
}

/// `netpolc check`, and the nodes it is about, if they are few.
pub fn heading(document: &Document<'_>) -> String {
    match &*document.nodes {
        [] => format!("netpolc {}", document.command),
        [node] => format!("netpolc {}, node {}", document.command, printable(node)),
        nodes => format!("netpolc {}, {} nodes", document.command, nodes.len()),
    }
}
