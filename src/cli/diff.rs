//! `netpolc diff`: two states of a cluster → what changes.

use super::args::{DiffArgs, FailOn, Invalid};
use super::load::{self, Loaded};
use super::output::to_json;
use super::{DONE, FINDINGS, messages, report, revision};
use crate::diagnostic::{Diagnostic, Severity, order, render};
use crate::diff::objects::{self, Noted};
use crate::diff::{self, Difference, Kind, State};
use crate::report::Document;
use crate::resolve::Cluster;
use crate::source::Files;
use crate::version::CalicoVersion;
use std::io;

/// Runs the command; gives the exit status.
pub fn run(args: &DiffArgs) -> io::Result<u8> {
    let new = args.new.as_ref().unwrap_or(&args.old);
    if args.old.as_os_str() == "-" && args.new.is_none() {
        let message = "standard input can be read once: for two versions of Calico name a file or folder";
        return Err(io::Error::other(message));
    }
    if args.old.as_os_str() == "-" && new.as_os_str() == "-" {
        return Err(io::Error::other("`-` is given twice, and standard input can be read once"));
    }
    let interfaces = args.node_addresses.as_deref().map(load::interfaces).transpose()?;
    let versions = args.calico_version.map(|(old, new)| (Some(old), Some(new))).unwrap_or_default();
    let mut before = read(args, &args.old, versions.0, Files::default())?;
    let of_before = before.loaded.files.len();
    let mut after = read(args, new, versions.1, std::mem::take(&mut before.loaded.files))?;
    let mut files = std::mem::take(&mut after.loaded.files);
    let digests: Vec<u64> = files.digests().collect();
    let baseline = report::read_baseline(&args.report, &mut files)?;
    let (old, new) = digests.split_at(of_before);
    let clusters = [&before, &after].map(|side| Cluster::new(&side.loaded.collected.resources));
    let mut said = before.loaded.all_diagnostics();
    said.extend_from_slice(clusters[0].diagnostics());
    // of what was, only what keeps it from being used
    said.retain(|one| one.severity == Severity::Error);
    said.extend(after.loaded.all_diagnostics());
    said.extend_from_slice(clusters[1].diagnostics());
    said.extend(baseline.as_ref().err().cloned());
    let refused = args.invalid == Invalid::Fail && load::has_error(&said);
    let unusable = [&before, &after].iter().any(|side| side.loaded.unusable);
    let baseline = match baseline {
        Ok(baseline) if !unusable && !refused => baseline,
        _ => return report::unusable(&args.report, "diff", &said, &files),
    };
    let [old_cluster, new_cluster] = &clusters;
    if let Some(node) = &args.node {
        let known = |cluster: &Cluster<'_>| cluster.node_names().any(|name| name == node);
        if !known(old_cluster) && !known(new_cluster) {
            said.extend(
                new_cluster.view(&crate::resolve::NodeRequest { node, interfaces: None }).diagnostics,
            );
            return report::unusable(&args.report, "diff", &said, &files);
        }
    }
    let old = State { cluster: old_cluster, noted: &before.noted, digests: old.to_vec() };
    let new = State { cluster: new_cluster, noted: &after.noted, digests: new.to_vec() };
    let mut difference = diff::compare(&old, &new, args.node.as_deref(), interfaces.as_deref());
    let facts = [&before, &after].map(|side| side.loaded.collected.resources.facts);
    difference.versions = Some(facts.map(|facts| facts.version));
    difference.facts = facts[0].differing(facts[1]).collect();
    said.extend(notes(&difference));
    // what there is to note about single objects is for `check` to say
    said.retain(|one| one.severity > Severity::Note || one.at.is_none());
    messages::print(&said, &files)?;
    order(&mut said);
    let mut document = diff::document::document(&difference, said, &files);
    document.nodes = args.node.iter().cloned().collect();
    report::compare(&mut document, baseline.as_ref());
    report::write_baseline(&args.report, &mut document)?;
    report::write_own(
        &args.report,
        &document,
        || text(&difference, &document),
        || to_json(&json(&difference, &document)),
    )?;
    Ok(status(args, &difference, &document))
}

/// The form for a terminal. What is in a baseline is counted.
fn text(difference: &Difference, document: &Document<'_>) -> String {
    let mut text = diff::text::text(difference, document.sources);
    let (_, of_baseline) = document.findings.split_at(difference.changes.len());
    let stale: Vec<Diagnostic> = of_baseline.iter().map(|finding| finding.said.clone()).collect();
    if !stale.is_empty() {
        text.push_str(&format!("\n{}", render::full(&stale, document.sources, false)));
    }
    if let Some(words) = document.suppressed_counts().words() {
        text.push_str(&format!("\n{words}\n"));
    }
    text
}

/// The form for programs. Its schema is `docs/schema/diff.schema.json`.
fn json<'a>(difference: &'a Difference, document: &'a Document<'_>) -> diff::json::Document<'a> {
    // the first findings are the changes; those after them are about the baseline
    let (of_changes, rest) = document.findings.split_at(difference.changes.len());
    let known: Vec<bool> = of_changes.iter().map(|finding| finding.suppressed.is_some()).collect();
    let findings = render::json::entries(of_changes.iter().map(|finding| &finding.said), document.sources);
    let said = document.messages.iter().chain(rest.iter().map(|finding| &finding.said));
    let diagnostics = render::json::entries(said, document.sources);
    diff::json::document(difference, &known, findings, diagnostics, document.sources)
}

/// The exit status that was asked for.
fn status(args: &DiffArgs, difference: &Difference, document: &Document<'_>) -> u8 {
    let only_new = args.report.only_new() || args.fail_on == Some(FailOn::New);
    let has = |kind: Kind| {
        let mut changes = difference.changes.iter().zip(&document.findings);
        changes.any(|(change, finding)| change.kind == kind && report::counts(finding, only_new))
    };
    let fails = match args.fail_on {
        Some(FailOn::Widened) => has(Kind::Widened),
        Some(FailOn::Narrowed) => has(Kind::Narrowed),
        // notes are in no baseline
        _ if only_new => has(Kind::Widened) || has(Kind::Narrowed),
        _ => !difference.is_empty(),
    };
    if fails { FINDINGS } else { DONE }
}

struct Read {
    loaded: Loaded,
    noted: Vec<Noted>,
}

fn read(
    args: &DiffArgs,
    word: &std::path::Path,
    version: Option<CalicoVersion>,
    files: Files,
) -> io::Result<Read> {
    let inputs = revision::inputs(word)?;
    let (loaded, noted) =
        load::load_after(files, &inputs, args.jobs, args.invalid.into(), version, objects::note);
    Ok(Read { loaded, noted })
}

fn notes(difference: &Difference) -> Option<Diagnostic> {
    let count = difference.not_walked.len();
    let message = format!(
        "more than {} nodes differ, so of {count} it was not compared what they do with packets",
        diff::NODES
    );
    let note = Diagnostic::new("nodes-not-walked", Severity::Note, None, message)
        .help("compare one node with `--node`");
    (count > 0).then_some(note)
}
