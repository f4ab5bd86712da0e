//! Annotations that accept findings about the object that carries them.
//!
//! `netpolc.dev/accept` has one acceptance on each line: `ID: reason`. An acceptance that does nothing is itself
//! a finding: somebody believes in it.

use super::{Finding, Subject, Suppression, rules};
use crate::diagnostic::{Diagnostic, Location};
use crate::model::Acceptance;

/// One line of an annotation.
struct Line<'a> {
    id: &'a str,
    reason: &'a str,
    at: Location,
}

/// Marks what is accepted. Gives a finding for each acceptance that does nothing; `all` says whether everything was
/// looked for, so that nothing found means that there is nothing.
pub fn apply(
    acceptances: &[Acceptance],
    findings: &mut [Finding],
    subjects: &[Subject],
    all: bool,
) -> Vec<Finding> {
    let mut idle = Vec::new();
    for acceptance in acceptances {
        let subject = subjects.iter().position(|subject| subject.at == Some(acceptance.object));
        for line in lines(acceptance) {
            let problem = match problem(&line) {
                Some(problem) => Some(problem),
                None => {
                    let about =
                        |finding: &&mut Finding| finding.subject == subject && finding.said.id == line.id;
                    let mut accepted = false;
                    for finding in findings.iter_mut().filter(|_| subject.is_some()).filter(about) {
                        let reason = line.reason.to_owned();
                        finding.suppressed.get_or_insert(Suppression::Accepted { reason, at: line.at });
                        accepted = true;
                    }
                    (!accepted && all).then(|| {
                        let message =
                            format!("`{}` is accepted here, and is not found in this object", line.id);
                        Diagnostic::warning("acceptance-of-nothing", line.at, message).help("take it away")
                    })
                }
            };
            idle.extend(problem.map(|said| Finding::new(said, subject)));
        }
    }
    idle
}

fn lines(acceptance: &Acceptance) -> impl Iterator<Item = Line<'_>> {
    let at = acceptance.at;
    acceptance.text.lines().map(str::trim).filter(|line| !line.is_empty()).map(move |line| {
        let (id, reason) = line.split_once(':').unwrap_or((line, ""));
        Line { id: id.trim(), reason: reason.trim(), at }
    })
}

/// What is wrong with an acceptance by itself.
fn problem(line: &Line<'_>) -> Option<Diagnostic> {
    let Line { id, reason, at } = *line;
    if !rules::may_be_accepted(id) {
        let message = format!("`{id}` is accepted here, and is no finding about objects that netpolc knows");
        let help = "write the word that stands in brackets where the finding is shown";
        return Some(Diagnostic::warning("acceptance-of-unknown-id", at, message).help(help));
    }
    reason.is_empty().then(|| {
        let message = format!("`{id}` is accepted here without a reason, so it is not");
        let help = format!("say why: `{}: \"{id}: reason\"`", Acceptance::KEY);
        Diagnostic::warning("acceptance-without-reason", at, message).help(help)
    })
}
