//! Differences → a report's document: what changes for packets as findings, and objects and rules to read on.

use super::text::{self, shown};
use super::words::counted;
use super::{Change, Difference, End, Kind, sentence};
use crate::diagnostic::render::SourceLines;
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::report::{Block, Document, Finding, Section, Subject, fingerprint};

/// Puts everything into a document. The first findings are the changes, in their order.
pub fn document<'a>(
    difference: &Difference,
    messages: Vec<Diagnostic>,
    sources: &'a dyn SourceLines,
) -> Document<'a> {
    let mut subjects: Vec<Subject> = Vec::new();
    let mut findings = Vec::new();
    for change in &difference.changes {
        let subject = subject(change);
        let index = subjects.iter().position(|there| *there == subject).unwrap_or_else(|| {
            subjects.push(subject);
            subjects.len() - 1
        });
        let mut finding = Finding::new(said(difference, change), Some(index));
        finding.facts = text::facts(change, sources);
        findings.push(finding);
    }
    if subjects.is_empty() {
        // a test report with no test in it looks as if nothing had been done
        let name = counted("node", &difference.nodes);
        let state = "nothing changes".to_owned();
        subjects.push(Subject { kind: "packets of".into(), identity: name.clone(), name, at: None, state });
    }
    fingerprint::assign(&mut findings, &subjects, sources);
    Document {
        verdict: as_sentence(&difference.sentence()),
        subjects,
        findings,
        messages,
        sections: sections(difference, sources),
        ..Document::new("diff", sources)
    }
}

/// With a capital letter and a full stop.
fn as_sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

/// What a change does, at the line that decides now. What decided before stands beside it.
fn said(difference: &Difference, change: &Change) -> Diagnostic {
    let witness = &change.witness;
    let decided = |answer: &super::Answer| answer.rule.as_ref().and_then(|rule| rule.at);
    let (before, after) = (decided(&witness.before), decided(&witness.after));
    let selected = change.selected.first().map(|policy| policy.at);
    let service = change.service.as_ref().map(|service| service.at);
    // what is reviewed is the new text; a line that is gone cannot be shown there
    let opened = change.opened_by().and_then(|rule| rule.at);
    let places = [selected, opened, after, service, before].into_iter().flatten();
    let at = places.into_iter().find(|at| difference.is_after(*at));
    let (id, severity) = match change.kind {
        Kind::Widened => ("packets-widened", Severity::Warning),
        Kind::Narrowed if !change.selected.is_empty() => ("packets-narrowed-by-selection", Severity::Warning),
        Kind::Narrowed => ("packets-narrowed", Severity::Warning),
        Kind::Came | Kind::Went | Kind::Otherwise => ("packets-changed", Severity::Note),
    };
    let said = Diagnostic::new(id, severity, at, sentence::change(change));
    match before.filter(|before| Some(*before) != at) {
        Some(before) => said.related(before, format!("before, {}", witness.before.fate)),
        None => said,
    }
}

/// Whose packets they are. The identity has all of them, the name only as many as one likes to read.
fn subject(change: &Change) -> Subject {
    let identity = |end: &End| match end {
        End::Pod { node, name, .. } => format!("pod {name} on {node}"),
        End::Interface { node, name } => format!("interface {name} of {node}"),
        End::Node { node } => format!("node {node}"),
    };
    let mut identity = change.ends.iter().map(identity).collect::<Vec<_>>().join(", ");
    let (kind, name, at) = match &change.service {
        Some(service) => {
            identity = format!("{service}: {identity}");
            ("Service", service.name.clone(), Some(service.at))
        }
        None => ("packets of", sentence::subject(change), None),
    };
    Subject { kind: kind.to_owned(), name, identity, at, state: change.kind.name().to_owned() }
}

fn sections(difference: &Difference, sources: &dyn SourceLines) -> Vec<Section> {
    let mut sections = Vec::new();
    for (title, objects) in text::objects(difference) {
        let blocks = objects.iter().flat_map(|object| {
            let (heading, fields) = text::object(object, sources);
            [Some(Block::Text(heading)), lines(fields)].into_iter().flatten()
        });
        let title = format!("Changed {title} ({})", objects.len());
        sections.push(Section { title, blocks: blocks.collect() });
    }
    for (nodes, rules) in text::rules(difference) {
        let blocks = rules.iter().flat_map(|rule| {
            let (heading, own) = text::rule(rule);
            [Some(Block::Text(heading)), lines(shown(own))].into_iter().flatten()
        });
        let title = format!("Changed rules and sets of {} ({})", counted("node", nodes), rules.len());
        sections.push(Section { title, blocks: blocks.collect() });
    }
    if let Some((names, rows)) = text::versions(difference) {
        let row = |first: String, rest: [&str; 2]| [vec![first], rest.map(str::to_owned).to_vec()].concat();
        let rows = rows.into_iter().map(|(question, answers)| row(question, answers)).collect();
        let title = format!("Calico {}", names.join(" and "));
        let head = row("what differs".to_owned(), names);
        sections.push(Section { title, blocks: vec![Block::Table { head, rows }] });
    }
    sections
}

fn lines(lines: Vec<String>) -> Option<Block> {
    (!lines.is_empty()).then_some(Block::Lines(lines))
}

impl Difference {
    /// Whether a place is one of the state that is compared to.
    fn is_after(&self, at: Location) -> bool {
        at.file.0 as usize >= self.files_before
    }
}
