//! `netpolc verify`: manifests and dumps of a node → where they differ.

use super::args::{Invalid, VerifyArgs};
use super::load::{self, Sources};
use super::output::to_json;
use super::{messages, node_dump, report};
use crate::diagnostic::{order, render};
use crate::felix;
use crate::report::Document;
use crate::resolve::config::InsertMode;
use crate::resolve::view::Interface;
use crate::resolve::{Cluster, NodeRequest};
use crate::verify::{self, Agreement, Node};
use crate::version::CalicoVersion;
use std::io;

/// Runs the command; gives the exit status.
pub fn run(args: &VerifyArgs) -> io::Result<u8> {
    let interfaces = args.node_addresses.as_deref().map(load::interfaces).transpose()?;
    let sources = Sources::new(&args.paths, args.jobs, args.invalid.into(), true);
    let mut loaded = sources.load(args.calico_version);
    let mut said = loaded.all_diagnostics();
    let refused = args.invalid == Invalid::Fail && load::has_error(&said);
    if loaded.unusable || refused {
        return report::unusable(&args.report, "verify", &said, &loaded.files);
    }
    let baseline = report::read_baseline(&args.report, &mut loaded.files)?;
    let mut node = Node::default();
    let wrong = node_dump::read(&args.dump, args.ipsets.as_deref(), &mut loaded.files, &mut node)?;
    let cluster = Cluster::new(&loaded.collected.resources);
    said.extend_from_slice(cluster.diagnostics());
    let resolved = cluster.view(&NodeRequest { node: &args.node, interfaces: interfaces.as_deref() });
    said.extend(resolved.diagnostics);
    let stops = !wrong.is_empty() || baseline.is_err();
    said.extend(wrong);
    said.extend(baseline.as_ref().err().cloned());
    let refused = args.invalid == Invalid::Fail && load::has_error(&said);
    let view = resolved.view.filter(|_| !stops && !refused);
    let (Some(view), Ok(baseline)) = (view, baseline) else {
        return report::unusable(&args.report, "verify", &said, &loaded.files);
    };
    let inserts = view.config.chain_insert_mode == InsertMode::Insert;
    let found = verify::verify(&felix::render(&view), &node, inserts);
    let versions = match found.differences.is_empty() {
        true => Vec::new(),
        false => agreements(&sources, args, interfaces.as_deref(), &node),
    };
    messages::print(&said, &loaded.files)?;
    order(&mut said);
    let dump_of = verify::document::Of { node: &view.node, version: &loaded.version, versions: &versions };
    let mut document = verify::document::document(&dump_of, &found, said, &loaded.files);
    report::compare(&mut document, baseline.as_ref());
    report::write_baseline(&args.report, &mut document)?;
    report::write(&args.report, &document, || to_json(&json(&dump_of, &found, &document)))?;
    Ok(report::status(&args.report, &document))
}

/// The form for programs. Its schema is `docs/schema/verify.schema.json`.
fn json<'a>(
    dump_of: &verify::document::Of<'a>,
    found: &'a verify::Report,
    document: &'a Document<'_>,
) -> verify::json::Document<'a> {
    // the first findings are the differences; those after them are about the baseline
    let (of_differences, rest) = document.findings.split_at(found.differences.len());
    let known: Vec<bool> = of_differences.iter().map(|finding| finding.suppressed.is_some()).collect();
    let said = document.messages.iter().chain(rest.iter().map(|finding| &finding.said));
    let diagnostics = render::json::entries(said, document.sources);
    verify::json::document(dump_of, found, &known, diagnostics, document.sources)
}

/// How much of the dump is what each version would have programmed, for a dump that is not as it should be.
fn agreements(
    sources: &Sources,
    args: &VerifyArgs,
    interfaces: Option<&[Interface]>,
    node: &Node,
) -> Vec<Agreement> {
    let of = |version| {
        let collected = sources.collected(version);
        let cluster = Cluster::new(&collected.resources);
        let view = cluster.view(&NodeRequest { node: &args.node, interfaces }).view?;
        Some(verify::agreement(version, &felix::render(&view), node))
    };
    CalicoVersion::ALL.into_iter().filter_map(of).collect()
}
