//! What can go, or went → a report's document.

use super::{Optimized, report};
use crate::diagnostic::{Diagnostic, order};
use crate::report::{Block, Document, Finding, Section, Subject, fingerprint};

/// Puts everything into a document. `written`: whether files have been changed.
pub fn document(done: &Optimized, written: bool) -> Document<'_> {
    let subjects: Vec<Subject> = done
        .outcomes
        .iter()
        .map(|own| Subject {
            kind: own.kind.to_string(),
            name: own.path.clone(),
            identity: format!("{} {}", own.kind, own.path),
            at: Some(own.at),
            state: report::sizes(own),
        })
        .collect();
    let findings = done.outcomes.iter().enumerate().flat_map(|(index, own)| {
        own.said.iter().map(move |(at, what)| {
            Finding::new(Diagnostic::warning("superfluous", *at, what.clone()), Some(index))
        })
    });
    let mut findings: Vec<Finding> = findings.collect();
    fingerprint::assign(&mut findings, &subjects, &done.files);
    let verdict = match (findings.len(), written) {
        (0, _) => "Nothing can go.".to_owned(),
        (1, false) => "1 thing can go, and nothing changes for any packet.".to_owned(),
        (1, true) => "1 thing went, and nothing changes for any packet.".to_owned(),
        (count, false) => format!("{count} things can go, and nothing changes for any packet."),
        (count, true) => format!("{count} things went, and nothing changes for any packet."),
    };
    let mut sections = Vec::new();
    if !subjects.is_empty() {
        let head = ["object", "before → after"].map(str::to_owned).to_vec();
        let rows = subjects.iter().map(|own| vec![own.title(), own.state.clone()]).collect();
        let blocks = vec![Block::Table { head, rows }, Block::Text(report::proof(done))];
        sections.push(Section { title: "What is saved, and proved".to_owned(), blocks });
    }
    let mut messages = done.diagnostics.clone();
    order(&mut messages);
    let nodes = done.nodes.iter().map(|own| own.node.clone()).collect();
    Document {
        nodes,
        verdict,
        subjects,
        findings,
        messages,
        sections,
        ..Document::new("optimize", &done.files)
    }
}
