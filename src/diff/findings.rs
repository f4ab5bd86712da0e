//! Changes for packets as findings, each at the line that decides.

use super::{Change, Difference, Kind, sentence};
use crate::diagnostic::Diagnostic;

/// One finding for each change of which a place in the manifests can be named.
pub fn findings(difference: &Difference) -> Vec<Diagnostic> {
    difference.changes.iter().filter_map(finding).collect()
}

fn finding(change: &Change) -> Option<Diagnostic> {
    let message = sentence::change(change);
    let (before, after) = (&change.witness.before, &change.witness.after);
    let at = |answer: &super::Answer| answer.rule.as_ref().and_then(|rule| rule.at);
    // what decides now is what was written; if that is no line, the one that decided before
    let selected = change.selected.first().map(|policy| policy.at);
    let (place, other) = (selected.or(at(after)).or(at(before))?, at(before));
    let mut finding = match change.kind {
        Kind::Widened => Diagnostic::warning("packets-widened", place, message),
        Kind::Narrowed if !change.selected.is_empty() => {
            Diagnostic::warning("packets-narrowed-by-selection", place, message)
        }
        Kind::Narrowed => Diagnostic::warning("packets-narrowed", place, message),
        Kind::Came | Kind::Went | Kind::Otherwise => Diagnostic::note("packets-changed", place, message),
    };
    if let Some(other) = other.filter(|other| *other != place) {
        finding = finding.related(other, format!("before, {}", before.fate));
    }
    Some(finding)
}
