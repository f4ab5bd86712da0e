//! JUnit XML: each subject is a test case, which fails if anything worse than a note is found about it.

use super::{Document, Finding, Subject, words};
use crate::diagnostic::render::printable;
use crate::diagnostic::{Diagnostic, Severity};
use std::fmt::Write;

/// The whole file.
pub fn junit(document: &Document<'_>) -> String {
    let cases = cases(document);
    let failed = cases.iter().filter(|case| !case.failures.is_empty()).count();
    let skipped = cases.iter().filter(|case| case.failures.is_empty() && !case.suppressed.is_empty()).count();
    let counts = format!(r#"tests="{}" failures="{failed}" errors="0" skipped="{skipped}""#, cases.len());
    let name = attribute(&words::heading(document));
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let total = format!(r#"tests="{}" failures="{failed}" errors="0""#, cases.len());
    let _ = writeln!(out, "<testsuites name=\"{name}\" {total}>\n  <testsuite name=\"{name}\" {counts}>");
    cases.iter().for_each(|case| case.write(&mut out, document));
    let mut text = document.verdict.clone();
    text.extend(document.suppressed_counts().words().map(|words| format!("\n{words}")));
    for message in &document.messages {
        text.push_str(&format!("\n{}", line(message, document)));
    }
    let _ = writeln!(out, "    <system-out>{}</system-out>", content(&text));
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// A test case: a subject, or what is about none.
struct Case<'d> {
    subject: Option<&'d Subject>,
    failures: Vec<&'d Finding>,
    notes: Vec<&'d Finding>,
    suppressed: Vec<&'d Finding>,
}

fn cases<'d>(document: &'d Document<'_>) -> Vec<Case<'d>> {
    let case = |subject| Case { subject, failures: Vec::new(), notes: Vec::new(), suppressed: Vec::new() };
    let mut cases: Vec<Case<'_>> = document.subjects.iter().map(|subject| case(Some(subject))).collect();
    let mut rest = case(None);
    for finding in &document.findings {
        let case = finding.subject.and_then(|index| cases.get_mut(index)).unwrap_or(&mut rest);
        match finding.suppressed {
            Some(_) => case.suppressed.push(finding),
            None if finding.said.severity > Severity::Note => case.failures.push(finding),
            None => case.notes.push(finding),
        }
    }
    if !(rest.failures.is_empty() && rest.notes.is_empty() && rest.suppressed.is_empty()) {
        cases.push(rest);
    }
    cases
}

impl Case<'_> {
    fn write(&self, out: &mut String, document: &Document<'_>) {
        let (kind, name) = match self.subject {
            Some(subject) => {
                (&*subject.kind, if subject.name.is_empty() { &subject.kind } else { &subject.name })
            }
            None => ("input", &"the input as a whole".to_owned()),
        };
        let _ = write!(out, r#"    <testcase classname="{}" name="{}""#, attribute(kind), attribute(name));
        if let Some(at) = self.subject.and_then(|subject| subject.at) {
            let _ =
                write!(out, r#" file="{}" line="{}""#, attribute(document.sources.name(at.file)), at.line);
        }
        let all = |findings: &[&Finding]| {
            let texts = findings.iter().map(|finding| text(finding, document));
            content(&texts.collect::<Vec<_>>().join("\n\n"))
        };
        out.push('>');
        if let Some(first) = self.failures.first() {
            let more = self.failures.len() - 1;
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            let message = format!("{}{more}", first.said.message);
            let (id, message) = (attribute(first.said.id), attribute(&message));
            let _ = write!(
                out,
                "\n      <failure type=\"{id}\" message=\"{message}\">{}</failure>\n    ",
                all(&self.failures)
            );
        } else if let Some(first) = self.suppressed.first() {
            let why = first.suppressed.as_ref().map_or("", |why| why.by());
            let message = format!("{} not counted: {}: {}", self.suppressed.len(), why, first.said.message);
            let _ = write!(out, "\n      <skipped message=\"{}\"/>\n    ", attribute(&message));
        }
        if !self.notes.is_empty() {
            let _ = write!(out, "\n      <system-out>{}</system-out>\n    ", all(&self.notes));
        }
        out.push_str("</testcase>\n");
    }
}

/// `file:line:column: severity[id]: message`.
fn line(said: &Diagnostic, document: &Document<'_>) -> String {
    let place = said.at.map(|at| format!("{}: ", words::place(at, document.sources))).unwrap_or_default();
    format!("{place}{}[{}]: {}", said.severity.name(), said.id, printable(&said.message))
}

/// A finding in full.
fn text(finding: &Finding, document: &Document<'_>) -> String {
    let said = &finding.said;
    let mut lines = vec![line(said, document)];
    lines.extend(finding.facts.iter().map(|(label, value)| format!("{label}: {}", printable(value))));
    lines.extend(said.help.iter().map(|help| format!("help: {}", printable(help))));
    let related = said.related.iter();
    lines.extend(
        related.map(|one| format!("{}: {}", words::place(one.at, document.sources), printable(&one.message))),
    );
    if let Some(fix) = &finding.fix {
        lines.push(format!("to mend it: {}", printable(&fix.what)));
        lines.extend(fix.text.lines().map(|line| format!("  {}", printable(line))));
    }
    lines.join("\n")
}

/// The value of an attribute: one line.
fn attribute(text: &str) -> String {
    content(&printable(text)).replace('"', "&quot;")
}

/// Text between tags. XML 1.0 has no way to write most control characters, and has no U+FFFE and U+FFFF.
fn content(text: &str) -> String {
    let allowed =
        |c: char| matches!(c, '\n' | '\t') || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    let text: String = text.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
