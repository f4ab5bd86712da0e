//! `netpolc diff`: two states of a cluster → what changes.

use super::args::{DiffArgs, FailOn, Format, Invalid};
use super::load::{self, Loaded};
use super::output::{Output, to_json};
use super::{BAD_INPUT, DONE, FINDINGS, messages, revision};
use crate::diagnostic::{Diagnostic, Severity, render};
use crate::diff::objects::{self, Noted};
use crate::diff::{self, Difference, Kind, State};
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
    let files = std::mem::take(&mut after.loaded.files);
    let digests: Vec<u64> = files.digests().collect();
    let (old, new) = digests.split_at(of_before);
    let clusters = [&before, &after].map(|side| Cluster::new(&side.loaded.collected.resources));
    let mut said = before.loaded.all_diagnostics();
    said.extend_from_slice(clusters[0].diagnostics());
    // of what was, only what keeps it from being used
    said.retain(|one| one.severity == Severity::Error);
    said.extend(after.loaded.all_diagnostics());
    said.extend_from_slice(clusters[1].diagnostics());
    let refused = args.invalid == Invalid::Fail && load::has_error(&said);
    let unusable = [&before, &after].iter().any(|side| side.loaded.unusable);
    if unusable || refused {
        return bad(args, &said, &files);
    }
    let [old_cluster, new_cluster] = &clusters;
    if let Some(node) = &args.node {
        let known = |cluster: &Cluster<'_>| cluster.node_names().any(|name| name == node);
        if !known(old_cluster) && !known(new_cluster) {
            said.extend(
                new_cluster.view(&crate::resolve::NodeRequest { node, interfaces: None }).diagnostics,
            );
            return bad(args, &said, &files);
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
    match args.format {
        Format::Text => {
            let text = diff::text::text(&difference, &files);
            Output::Stdout.write("", |out| out.write_all(text.as_bytes()))?;
        }
        Format::Json => {
            let findings = diff::findings::findings(&difference);
            let document = diff::json::document(
                &difference,
                render::json::entries(&findings, &files),
                render::json::entries(&said, &files),
                &files,
            );
            Output::Stdout.write("", |out| out.write_all(&to_json(&document)?))?;
        }
    }
    messages::print(&said, &files)?;
    let fails = match args.fail_on {
        None | Some(FailOn::Any) => !difference.is_empty(),
        Some(FailOn::Widened) => difference.has(Kind::Widened),
        Some(FailOn::Narrowed) => difference.has(Kind::Narrowed),
    };
    Ok(if fails { FINDINGS } else { DONE })
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
        "the rules of more than {} nodes differ, so of {count} only rules were compared, not what they do with packets",
        diff::NODES
    );
    let note = Diagnostic::new("nodes-not-walked", Severity::Note, None, message)
        .help("compare one node with `--node`");
    (count > 0).then_some(note)
}

/// Input that cannot be used: says why.
fn bad(args: &DiffArgs, said: &[Diagnostic], files: &Files) -> io::Result<u8> {
    if args.format == Format::Json {
        let document = render::json::document(said, files);
        Output::Stdout.write("", |out| out.write_all(&to_json(&document)?))?;
    }
    messages::print(said, files)?;
    Ok(BAD_INPUT)
}
