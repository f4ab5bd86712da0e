//! Differences → a report's document.

use super::versions::{self, Agreement};
use super::{Difference, Kind, Report};
use crate::diagnostic::render::SourceLines;
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::emit::origin;
use crate::report::{Document, Finding, Subject, fingerprint};
use crate::version::Found;

/// Whose dump it is.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    /// the node
    pub node: &'a str,
    /// the version of Calico whose rules it should have
    pub version: &'a Found,
    /// how much of it other versions would have programmed; empty if that was not asked
    pub versions: &'a [Agreement],
}

/// Puts everything into a document; findings are the differences, in their order.
pub fn document<'a>(
    of: &Of<'_>,
    report: &Report,
    messages: Vec<Diagnostic>,
    sources: &'a dyn SourceLines,
) -> Document<'a> {
    let Of { node, version, versions } = *of;
    let under = version.phrase();
    let mut subjects: Vec<Subject> = Vec::new();
    let mut findings = Vec::new();
    for one in &report.differences {
        let subject = subject(node, one);
        let index = subjects.iter().rposition(|there| *there == subject).unwrap_or_else(|| {
            subjects.push(subject);
            subjects.len() - 1
        });
        let mut finding = Finding::new(said(one), Some(index));
        finding.facts = facts(one, sources);
        findings.push(finding);
    }
    fingerprint::assign(&mut findings, &subjects, sources);
    let compared = format!("{} and {}", count(report.chains, "chain"), count(report.sets, "set"));
    let verdict = match report.differences.len() {
        0 => format!("The node {node} has what its manifests ask for {under}: compared {compared}."),
        n => format!(
            "The node {node} differs from its manifests {under}: {} in {compared}.",
            count(n, "difference")
        ),
    };
    let mut closing =
        vec![format!("{} {under}; compared {compared}", count(report.differences.len(), "difference"))];
    closing.extend(versions::verdict(versions));
    if !report.not_compared.is_empty() {
        closing.push(format!("not compared, because there is no dump: {}", report.not_compared.join(", ")));
    }
    if subjects.is_empty() {
        let state = "as it should be".to_owned();
        subjects.push(Subject {
            kind: "node".into(),
            name: node.into(),
            identity: node.into(),
            at: None,
            state,
        });
    }
    let nodes = vec![node.to_owned()];
    Document { nodes, verdict, subjects, findings, messages, closing, ..Document::new("verify", sources) }
}

fn count(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

fn subject(node: &str, one: &Difference) -> Subject {
    let family = one.family.name();
    let (kind, name) = match one.table {
        Some(table) if one.name.is_empty() => (format!("{family} table"), table.name().to_owned()),
        Some(table) => (format!("{family} {} chain", table.name()), one.name.clone()),
        None => ("set".to_owned(), one.name.clone()),
    };
    let identity = format!("{node} {kind} {name}");
    Subject {
        kind,
        name,
        identity,
        at: one.origin.as_ref().and_then(|from| from.at()),
        state: "different".into(),
    }
}

fn said(one: &Difference) -> Diagnostic {
    let severity = match one.kind {
        // what is left over has no effect by itself
        Kind::ExtraChain | Kind::ExtraSet => Severity::Warning,
        _ => Severity::Error,
    };
    // the manifest is what people review; the dump is beside it
    let manifest = one.origin.as_ref().and_then(|from| from.at());
    let mut said = Diagnostic::new(one.kind.name(), severity, manifest.or(one.found_at), &*one.what);
    if let (Some(_), Some(found)) = (manifest, one.found_at) {
        said = said.related(found, "found here");
    }
    said
}

fn facts(one: &Difference, sources: &dyn SourceLines) -> Vec<(&'static str, String)> {
    let place = |at: Location| format!("{}:{}", sources.name(at.file), at.line);
    let mut facts = Vec::new();
    let mut fact = |label, text: Option<String>| facts.extend(text.map(|text| (label, text)));
    fact("wanted", one.wanted.clone());
    fact("found", one.found.clone());
    fact("at", one.found_at.map(place));
    fact(
        "for",
        one.origin.as_ref().map(|from| {
            let at = from.at().map(|at| format!(" ({})", place(at))).unwrap_or_default();
            format!("{}{at}", origin::phrase(from))
        }),
    );
    fact("for", one.meaning.clone());
    fact("hashes", one.hashes.clone());
    for (label, members) in [("missing", &one.missing), ("extra", &one.extra)] {
        if members.count > 0 {
            let more = members.count - members.first.len();
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            fact(label, Some(format!("{}{more}", members.first.join(", "))));
        }
    }
    facts
}
