//! A document → its form, where it belongs; and what of it counts.

use super::args::{ReportArgs, ReportFormat};
use super::output::{naming, to_json, write_file};
use super::{BAD_INPUT, DONE, FINDINGS, messages};
use crate::diagnostic::{Diagnostic, Severity, Summary, order, render};
use crate::report::baseline::{self, Baseline};
use crate::report::{Document, Finding, Suppression, fingerprint};
use crate::report::{github, html, junit, markdown, sarif, text};
use crate::source::Files;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Why a finding does not count, in JSON.
#[derive(Serialize)]
pub struct Why<'a> {
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> From<&'a Suppression> for Why<'a> {
    fn from(suppression: &'a Suppression) -> Self {
        let reason = match suppression {
            Suppression::Known => None,
            Suppression::Accepted { reason, .. } => Some(&**reason),
        };
        Why { by: suppression.by(), reason }
    }
}

/// Reads the baseline, if one is given; gives what is wrong with it.
pub fn read_baseline(
    args: &ReportArgs,
    files: &mut Files,
) -> io::Result<Result<Option<Baseline>, Diagnostic>> {
    let Some(path) = &args.baseline else { return Ok(Ok(None)) };
    let text = std::fs::read_to_string(path).map_err(|error| naming(path, "read", error))?;
    let file = files.register(path, &text);
    Ok(Baseline::parse(&text, file).map(Some))
}

/// Marks what is known, and adds what is known no more.
pub fn compare(document: &mut Document<'_>, baseline: Option<&Baseline>) {
    let Some(baseline) = baseline else { return };
    document.compared = true;
    let stale = baseline.apply(&mut document.findings);
    document.findings.extend(stale.into_iter().map(|said| Finding::new(said, None)));
    fingerprint::assign(&mut document.findings, &document.subjects, document.sources);
}

/// Writes the baseline, if that is asked for: everything is known from now on.
pub fn write_baseline(args: &ReportArgs, document: &mut Document<'_>) -> io::Result<()> {
    let Some(path) = &args.write_baseline else { return Ok(()) };
    let text = baseline::write(&document.findings, &document.subjects);
    write_file(path, text.as_bytes())?;
    document.compared = true;
    let open = document.findings.iter_mut().filter(|finding| finding.suppressed.is_none());
    for finding in open.filter(|finding| finding.said.severity > Severity::Note) {
        finding.suppressed = Some(Suppression::Known);
    }
    Ok(())
}

/// The exit status that the findings ask for.
pub fn status(args: &ReportArgs, document: &Document<'_>) -> u8 {
    let counts = |finding: &Finding| counts(finding, args.only_new());
    let found = document.findings.iter().any(|one| one.said.severity > Severity::Note && counts(one));
    if found { FINDINGS } else { DONE }
}

/// Whether a finding is neither accepted nor, where `only_new` asks for that, in the baseline.
pub fn counts(finding: &Finding, only_new: bool) -> bool {
    match finding.suppressed {
        None => true,
        Some(Suppression::Known) => !only_new,
        Some(Suppression::Accepted { .. }) => false,
    }
}

/// Writes a document in its form. `json` makes the command's own.
pub fn write(
    args: &ReportArgs,
    document: &Document<'_>,
    json: impl FnOnce() -> io::Result<Vec<u8>>,
) -> io::Result<()> {
    let styled = args.output.is_none() && io::stdout().is_terminal();
    write_own(args, document, || text::text(document, styled), json)
}

/// The same for a command that has a text of its own as well.
pub fn write_own(
    args: &ReportArgs,
    document: &Document<'_>,
    text: impl FnOnce() -> String,
    json: impl FnOnce() -> io::Result<Vec<u8>>,
) -> io::Result<()> {
    let bytes = formed(args.format, document, text, json)?;
    match &args.output {
        Some(path) => write_file(path, &bytes),
        None if args.format == ReportFormat::Text => {
            let mut stdout = anstream::stdout().lock();
            stdout.write_all(&bytes)?;
            stdout.flush()
        }
        None => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(&bytes)?;
            stdout.flush()
        }
    }
}

/// A document in a form, of which two are the command's own.
pub fn formed(
    format: ReportFormat,
    document: &Document<'_>,
    text: impl FnOnce() -> String,
    json: impl FnOnce() -> io::Result<Vec<u8>>,
) -> io::Result<Vec<u8>> {
    Ok(match format {
        ReportFormat::Text => text().into_bytes(),
        ReportFormat::Json => json()?,
        ReportFormat::Sarif => to_json(&sarif::log(document))?,
        ReportFormat::Markdown => markdown::markdown(document).into_bytes(),
        ReportFormat::Github => github::annotations(document).into_bytes(),
        ReportFormat::Junit => junit::junit(document).into_bytes(),
        ReportFormat::Html => html::page(document).into_bytes(),
    })
}

/// What there is to say about input that cannot be used, in reading order.
pub fn about_unusable<'a>(command: &'static str, said: &[Diagnostic], files: &'a Files) -> Document<'a> {
    let summary = Summary::of(said);
    let mut document = Document {
        verdict: format!("The input cannot be used: {summary}."),
        findings: said.iter().map(|one| Finding::new(one.clone(), None)).collect(),
        closing: vec![summary.to_string()],
        usable: false,
        ..Document::new(command, files)
    };
    fingerprint::assign(&mut document.findings, &document.subjects, files);
    document
}

/// Input that cannot be used: says why, on standard error and in the form that was asked for.
pub fn unusable(
    args: &ReportArgs,
    command: &'static str,
    said: &[Diagnostic],
    files: &Files,
) -> io::Result<u8> {
    let mut said = said.to_vec();
    order(&mut said);
    let document = about_unusable(command, &said, files);
    // on standard output, the form for a terminal would say it a second time
    if args.format != ReportFormat::Text || args.output.is_some() {
        write(args, &document, || to_json(&render::json::document(&said, files)))?;
    }
    messages::print(&said, files)?;
    Ok(BAD_INPUT)
}
