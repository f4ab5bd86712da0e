//! `netpolc check`: manifests → what becomes of each object, and what is wrong.

use super::args::CheckArgs;
use super::load;
use super::output::{Output, to_json};
use super::report::{self, Why};
use super::{BAD_INPUT, DONE};
use crate::check::outcome::Object;
use crate::check::{self, Request, page};
use crate::diagnostic::render;
use crate::diagnostic::render::json::{Entry, Place};
use crate::diagnostic::{Confidence, Severity, Summary, order};
use crate::model::{Fate, InvalidMode, suggest};
use crate::report::Document as Report;
use crate::version::CalicoVersion;
use serde::Serialize;
use std::io;

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
    let mut loaded = load::load(&args.paths, args.jobs, InvalidMode::Fail, args.calico_version);
    let baseline = match report::read_baseline(&args.report, &mut loaded.files)? {
        Ok(baseline) if !loaded.unusable => baseline,
        read => {
            let said = [loaded.all_diagnostics(), read.err().into_iter().collect()].concat();
            return report::unusable(&args.report, "check", &said, &loaded.files);
        }
    };
    let request = Request { node: args.node.as_deref(), interfaces: interfaces.as_deref() };
    let mut found = check::run(&loaded.collected, &request);
    found.diagnostics.extend(loaded.diagnostics.iter().cloned());
    order(&mut found.diagnostics);
    let acceptances = &loaded.collected.acceptances;
    let mut document = check::document::document(&found, acceptances, args.node.is_none(), &loaded.files);
    document.nodes = args.node.iter().cloned().collect();
    report::compare(&mut document, baseline.as_ref());
    let (severity, confidence) = (Severity::from(args.min_severity), Confidence::from(args.min_confidence));
    document.findings.retain(|one| one.said.severity >= severity && one.said.confidence >= confidence);
    report::write_baseline(&args.report, &mut document)?;
    check::document::conclude(&mut document, &found.objects, &loaded.version);
    report::write(&args.report, &document, || {
        to_json(&json(loaded.version.version, &found.objects, &document))
    })?;
    let malformed = loaded.collected.turned_away.iter().any(|object| object.fate == Fate::Malformed);
    Ok(if malformed || found.unknown_node { BAD_INPUT } else { report::status(&args.report, &document) })
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

/// The form for programs. Its schema is `docs/schema/check.schema.json`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    calico_version: &'static str,
    summary: Summary,
    objects: Vec<ObjectEntry<'a>>,
    diagnostics: Vec<Entry<'a>>,
    /// what does not count; absent if there is nothing of that kind
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressed: Vec<SuppressedEntry<'a>>,
}

#[derive(Serialize)]
struct SuppressedEntry<'a> {
    #[serde(flatten)]
    why: Why<'a>,
    diagnostic: Entry<'a>,
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

fn json<'a>(version: CalicoVersion, objects: &'a [Object], document: &'a Report<'_>) -> Document<'a> {
    let entries = objects.iter().map(|object| ObjectEntry {
        api_version: &object.subject.api_version,
        kind: &object.subject.kind,
        namespace: &object.subject.namespace,
        name: &object.subject.name,
        at: Place::new(object.subject.at, document.sources),
        outcome: object.outcome.name(),
    });
    let open = || document.open().map(|finding| &finding.said);
    let suppressed = document.suppressed().map(|(finding, why)| SuppressedEntry {
        why: why.into(),
        diagnostic: Entry::new(&finding.said, document.sources),
    });
    Document {
        schema: "netpolc.check/1",
        calico_version: version.name(),
        summary: Summary::of(open()),
        objects: entries.collect(),
        diagnostics: render::json::entries(open(), document.sources),
        suppressed: suppressed.collect(),
    }
}
