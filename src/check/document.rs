//! What was found → a report's document.

use super::Report;
use super::outcome::{self, Object, Outcome};
use crate::diagnostic::render::SourceLines;
use crate::diagnostic::{Summary, compare};
use crate::model::Acceptance;
use crate::report::{Document, Finding, Subject, accept, fingerprint};
use crate::version::Found;

/// Puts everything into a document. `all`: every node was looked at. The verdict and the last lines are for
/// [`conclude`], once it is known what counts.
pub fn document<'a>(
    report: &Report,
    acceptances: &[Acceptance],
    all: bool,
    sources: &'a dyn SourceLines,
) -> Document<'a> {
    let subjects: Vec<Subject> = report.objects.iter().map(subject).collect();
    let finding = |said: &crate::diagnostic::Diagnostic| {
        Finding::new(said.clone(), said.at.and_then(|at| outcome::containing(&report.objects, at)))
    };
    let mut findings: Vec<Finding> = report.diagnostics.iter().map(finding).collect();
    let all = all && !findings.iter().any(|finding| finding.said.id == super::run::ORDER_NOT_CHECKED);
    let idle = accept::apply(acceptances, &mut findings, &subjects, all);
    findings.extend(idle);
    findings.sort_by(|a, b| compare(&a.said, &b.said));
    fingerprint::assign(&mut findings, &subjects, sources);
    Document { subjects, findings, ..Document::new("check", sources) }
}

/// Says what it comes to.
pub fn conclude(document: &mut Document<'_>, objects: &[Object], version: &Found) {
    let summary = Summary::of(document.open().map(|finding| &finding.said));
    let counts = counts(objects, version);
    document.verdict = match summary.is_empty() {
        true => format!("Nothing to report; {counts}."),
        false => format!("Found {summary}; {counts}."),
    };
    document.closing = vec![counts, summary.to_string()];
}

fn subject(object: &Object) -> Subject {
    let of = &object.subject;
    let name = match &*of.namespace {
        "" => of.name.to_string(),
        namespace => format!("{namespace}/{}", of.name),
    };
    let kind = if of.kind.is_empty() { "object without a kind".to_owned() } else { of.kind.to_string() };
    let group = of.api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let identity = format!("{}.{group} {name}", of.kind);
    Subject { kind, name, identity, at: Some(of.at), state: object.outcome.phrase().to_owned() }
}

/// `57 objects under Calico v3.32: 55 programmed, 2 ignored by Felix`.
fn counts(objects: &[Object], version: &Found) -> String {
    let mut parts = Vec::new();
    for outcome in Outcome::ALL {
        let count = objects.iter().filter(|object| object.outcome == outcome).count();
        if count > 0 {
            parts.push(format!("{count} {}", outcome.phrase()));
        }
    }
    let plural = if objects.len() == 1 { "" } else { "s" };
    format!("{} object{plural} {}: {}", objects.len(), version.phrase(), parts.join(", "))
}
