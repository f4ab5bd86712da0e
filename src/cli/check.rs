//! `netpolc check`: manifests → what becomes of each object, and what is wrong.

use super::args::{CheckArgs, Format};
use super::load::{self, Loaded};
use super::output::{Output, to_json};
use super::{BAD_INPUT, DONE, FINDINGS, messages};
use crate::check::outcome::{Object, Outcome};
use crate::check::{self, Report, Request, page};
use crate::diagnostic::render;
use crate::diagnostic::render::json::{Entry, Place};
use crate::diagnostic::{Confidence, Diagnostic, Severity, Summary, order};
use crate::model::{Fate, InvalidMode, suggest};
use crate::version::Found;
use serde::Serialize;
use std::io::{self, IsTerminal};

/// Runs the command; gives the exit status.
pub fn run(args: &CheckArgs) -> io::Result<u8> {
    if args.list {
        Output::Stdout.write("", |out| out.write_all(page::index().as_bytes()))?;
        return Ok(DONE);
    }
    if let Some(id) = &args.explain {
        return explain(id);
    }
    let interfaces = args.node_addresses.as_deref().map(load::interfaces).transpose()?;
    let loaded = load::load(&args.paths, args.jobs, InvalidMode::Fail, args.calico_version);
    if loaded.unusable {
        return unusable(args, &loaded);
    }
    let request = Request { node: args.node.as_deref(), interfaces: interfaces.as_deref() };
    let mut report = check::run(&loaded.collected, &request);
    report.diagnostics.extend(loaded.diagnostics.iter().cloned());
    order(&mut report.diagnostics);
    let (severity, confidence) = (Severity::from(args.min_severity), Confidence::from(args.min_confidence));
    report.diagnostics.retain(|said| said.severity >= severity && said.confidence >= confidence);
    match args.format {
        Format::Text => write_text(&report, &loaded)?,
        Format::Json => write_json(&report, &loaded)?,
    }
    let malformed = loaded.collected.turned_away.iter().any(|object| object.fate == Fate::Malformed);
    let found = report.diagnostics.iter().any(|said| said.severity >= Severity::Warning);
    Ok(match (malformed || report.unknown_node, found) {
        (true, _) => BAD_INPUT,
        (_, true) => FINDINGS,
        _ => DONE,
    })
}

/// Prints the page of a check.
fn explain(id: &str) -> io::Result<u8> {
    let Some(check) = check::find(id) else {
        let ids = check::CHECKS.iter().map(|check| check.id);
        let hint = match suggest(id, ids) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`netpolc check --list` lists them".to_owned(),
        };
        return Err(io::Error::other(format!("there is no check `{id}`; {hint}")));
    };
    Output::Stdout.write("", |out| out.write_all(page::page(check).as_bytes()))?;
    Ok(DONE)
}

/// Input that cannot be used: what `compile` would say.
fn unusable(args: &CheckArgs, loaded: &Loaded) -> io::Result<u8> {
    let said = loaded.all_diagnostics();
    if args.format == Format::Json {
        let document = render::json::document(&said, &loaded.files);
        Output::Stdout.write("", |out| out.write_all(&to_json(&document)?))?;
    }
    messages::print(&said, &loaded.files)?;
    Ok(BAD_INPUT)
}

fn write_text(report: &Report, loaded: &Loaded) -> io::Result<()> {
    let styled = io::stdout().is_terminal();
    let mut text = render::full(&report.diagnostics, &loaded.files, styled);
    text.push_str(&format!(
        "{}\n{}\n",
        counts(&report.objects, &loaded.version),
        Summary::of(&report.diagnostics)
    ));
    let mut stdout = anstream::stdout().lock();
    io::Write::write_all(&mut stdout, text.as_bytes())?;
    io::Write::flush(&mut stdout)
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

/// The form for programs. Its schema is `docs/schema/check.schema.json`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    calico_version: &'static str,
    summary: Summary,
    objects: Vec<ObjectEntry<'a>>,
    diagnostics: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct ObjectEntry<'a> {
    api_version: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    name: &'a str,
    #[serde(flatten)]
    at: Place<'a>,
    outcome: &'static str,
}

fn write_json(report: &Report, loaded: &Loaded) -> io::Result<()> {
    let entries = report.objects.iter().map(|object| ObjectEntry {
        api_version: &object.subject.api_version,
        kind: &object.subject.kind,
        namespace: &object.subject.namespace,
        name: &object.subject.name,
        at: Place::new(object.subject.at, &loaded.files),
        outcome: object.outcome.name(),
    });
    let document = Document {
        schema: "netpolc.check/1",
        calico_version: loaded.version.version.name(),
        summary: Summary::of(&report.diagnostics),
        objects: entries.collect(),
        diagnostics: render::json::entries(&report.diagnostics as &[Diagnostic], &loaded.files),
    };
    Output::Stdout.write("", |out| out.write_all(&to_json(&document)?))
}
