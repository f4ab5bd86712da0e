//! SARIF 2.1.0, the form of code scanning (OASIS standard, 2020).
//!
//! What stands nowhere in the input and is about no subject concerns the run itself, so it is a notification of the
//! invocation and not a result; services that show results beside code take none without a place.

use super::{Document, Finding, Suppression, rules};
use crate::diagnostic::render::excerpt::Excerpt;
use crate::diagnostic::render::{SourceLines, printable};
use crate::diagnostic::{Confidence, Diagnostic, Location, Severity};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The whole log.
pub fn log(document: &Document<'_>) -> Value {
    let is_result = |finding: &&Finding| finding.said.at.is_some() || finding.subject.is_some();
    let results: Vec<&Finding> = document.findings.iter().filter(is_result).collect();
    let of_the_run =
        document.findings.iter().filter(|finding| !is_result(finding)).map(|finding| &finding.said);
    let rules: BTreeMap<&str, &Finding> =
        results.iter().rev().map(|finding| (finding.said.id, *finding)).collect();
    let index = |id: &str| rules.keys().position(|there| *there == id);
    let notifications: Vec<Value> =
        document.messages.iter().chain(of_the_run).map(|said| notification(said, document)).collect();
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "netpolc",
                "version": version,
                "semanticVersion": version,
                "rules": rules.values().map(|finding| rule(finding)).collect::<Vec<_>>(),
            }},
            // one category for each command, so that one upload does not close what another has found
            "automationDetails": {"id": format!("netpolc-{}/", document.command)},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": document.usable,
                "toolExecutionNotifications": notifications,
            }],
            "results": results.iter().map(|one| result(one, index(one.said.id), document)).collect::<Vec<_>>(),
            "properties": {"verdict": printable(&document.verdict)},
        }],
    })
}

fn rule(finding: &Finding) -> Value {
    let said = &finding.said;
    let rule = rules::of(said.id);
    json!({
        "id": said.id,
        "shortDescription": {"text": message(&rule.summary)},
        "fullDescription": {"text": message(&rule.text)},
        "help": {"text": message(&rule.text), "markdown": message(&rule.page)},
        "defaultConfiguration": {"level": level(said.severity)},
        "properties": {
            "tags": ["kubernetes", "network-policy"],
            "precision": precision(said.confidence),
            "problem.severity": problem(said.severity),
        },
    })
}

fn result(finding: &Finding, rule: Option<usize>, document: &Document<'_>) -> Value {
    let said = &finding.said;
    let mut lines = vec![printable(&said.message).into_owned()];
    lines.extend(finding.facts.iter().map(|(label, value)| format!("{label}: {}", printable(value))));
    lines.extend(said.help.iter().map(|help| format!("help: {}", printable(help))));
    let mut result = Map::new();
    let mut put = |key: &str, value: Value| drop(result.insert(key.to_owned(), value));
    put("ruleId", json!(said.id));
    put("ruleIndex", json!(rule));
    put("level", json!(level(said.severity)));
    put("message", json!({"text": message(&lines.join("\n"))}));
    put("locations", json!([place_of(finding, document)]));
    let related: Vec<Value> = said
        .related
        .iter()
        .enumerate()
        .map(|(id, one)| {
            let text = message(&printable(&one.message));
            json!({
                "id": id,
                "physicalLocation": physical(one.at, document.sources),
                "message": {"text": text},
            })
        })
        .collect();
    if !related.is_empty() {
        put("relatedLocations", json!(related));
    }
    let fingerprint = finding.fingerprint.to_string();
    // the second is the one that GitHub looks at
    put(
        "partialFingerprints",
        json!({"netpolcFinding/v1": fingerprint, "primaryLocationLineHash": format!("{fingerprint}:1")}),
    );
    if let Some(suppression) = &finding.suppressed {
        put("suppressions", json!([suppressed(suppression, document)]));
    }
    // notes are in no baseline
    if document.compared && said.severity > Severity::Note {
        let known = finding.suppressed == Some(Suppression::Known);
        put("baselineState", json!(if known { "unchanged" } else { "new" }));
    }
    let mut properties = json!({"confidence": said.confidence.name()});
    if let Some(fix) = &finding.fix {
        properties["fix"] = json!({"what": printable(&fix.what), "text": fix.text});
    }
    put("properties", properties);
    Value::Object(result)
}

fn suppressed(suppression: &Suppression, document: &Document<'_>) -> Value {
    match suppression {
        Suppression::Known => json!({"kind": "external", "status": "accepted"}),
        Suppression::Accepted { reason, at } => json!({
            "kind": "inSource",
            "status": "accepted",
            "justification": printable(reason),
            "location": {"physicalLocation": physical(*at, document.sources)},
        }),
    }
}

fn notification(said: &Diagnostic, document: &Document<'_>) -> Value {
    let mut notification = json!({
        "descriptor": {"id": said.id},
        "level": level(said.severity),
        "message": {"text": message(&printable(&said.message))},
    });
    if let Some(at) = said.at {
        notification["locations"] = json!([{"physicalLocation": physical(at, document.sources)}]);
    }
    notification
}

fn place_of(finding: &Finding, document: &Document<'_>) -> Value {
    let mut place = Map::new();
    if let Some(at) = finding.said.at {
        place.insert("physicalLocation".to_owned(), physical(at, document.sources));
    }
    if let Some(subject) = document.subject(finding) {
        let (name, kind) = (printable(&subject.name), printable(&subject.kind));
        let full = printable(&subject.identity);
        let logical = json!([{"name": name, "fullyQualifiedName": full, "kind": kind}]);
        place.insert("logicalLocations".to_owned(), logical);
    }
    Value::Object(place)
}

fn physical(at: Location, sources: &dyn SourceLines) -> Value {
    let mut region = json!({"startLine": at.line, "startColumn": at.column});
    if let Some(excerpt) = Excerpt::around(at, sources).filter(|excerpt| excerpt.column == at.column) {
        let length = excerpt.text[excerpt.span].trim_end_matches('\n').chars().count() as u32;
        region["endColumn"] = json!(at.column + length);
    }
    json!({"artifactLocation": {"uri": uri(sources.name(at.file))}, "region": region})
}

/// A path as a URI reference (RFC 3986): relative ones stay relative.
fn uri(path: &str) -> String {
    let relative = path.strip_prefix("./").unwrap_or(path);
    let mut uri = String::from(if relative.starts_with('/') { "file://" } else { "" });
    for byte in relative.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(byte.into())
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// Text of a message. Braces stand for arguments there, and `[text](target)` for a link, unless they are escaped
/// (SARIF 2.1.0, 3.11.5 and 3.11.6).
fn message(text: &str) -> String {
    let text = text.replace('{', "{{").replace('}', "}}");
    if text.contains("](") { text.replace('[', "\\[").replace(']', "\\]") } else { text }
}

fn level(severity: Severity) -> &'static str {
    severity.name()
}

/// The word for a severity among the properties that GitHub looks at.
fn problem(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "recommendation",
    }
}

fn precision(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "very-high",
        Confidence::Likely => "high",
        Confidence::Possible => "medium",
    }
}
