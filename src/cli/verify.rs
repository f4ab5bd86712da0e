//! `netpolc verify`: manifests and dumps of a node → where they differ.

use super::args::{Format, Invalid, VerifyArgs};
use super::load::{self, Loaded, Sources};
use super::output::{Output, to_json};
use super::{BAD_INPUT, DONE, FINDINGS, messages, node_dump};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::render;
use crate::felix;
use crate::resolve::config::InsertMode;
use crate::resolve::view::Interface;
use crate::resolve::{Cluster, NodeRequest};
use crate::upgrade;
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
        return unusable(args, &loaded, &said);
    }
    let mut node = Node::default();
    let wrong = node_dump::read(&args.dump, args.ipsets.as_deref(), &mut loaded.files, &mut node)?;
    let cluster = Cluster::new(&loaded.collected.resources);
    said.extend_from_slice(cluster.diagnostics());
    let resolved = cluster.view(&NodeRequest { node: &args.node, interfaces: interfaces.as_deref() });
    said.extend(resolved.diagnostics);
    let stops = !wrong.is_empty();
    said.extend(wrong);
    let refused = args.invalid == Invalid::Fail && load::has_error(&said);
    let view = resolved.view.filter(|_| !stops && !refused);
    let Some(view) = view else { return unusable(args, &loaded, &said) };
    let inserts = view.config.chain_insert_mode == InsertMode::Insert;
    let report = verify::verify(&felix::render(&view), &node, inserts);
    let versions = match report.differences.is_empty() {
        true => Vec::new(),
        false => agreements(&sources, args, interfaces.as_deref(), &node),
    };
    messages::print(&said, &loaded.files)?;
    match args.format {
        Format::Text => {
            let text = verify::text::text(&report, &loaded.version, &versions, &loaded.files);
            Output::Stdout.write("", |out| out.write_all(text.as_bytes()))?;
        }
        Format::Json => {
            let diagnostics = render::json::entries(&said, &loaded.files);
            let document = verify::json::document(
                &view.node,
                loaded.version.version,
                &versions,
                &report,
                diagnostics,
                &loaded.files,
            );
            Output::Stdout.write("", |out| out.write_all(&to_json(&document)?))?;
        }
    }
    Ok(if report.differences.is_empty() { DONE } else { FINDINGS })
}

/// How much of the dump is what each version would have programmed, for a dump that is not as it should be.
fn agreements(
    sources: &Sources,
    args: &VerifyArgs,
    interfaces: Option<&[Interface]>,
    node: &Node,
) -> Vec<Agreement> {
    let under = |version| upgrade::under(&sources.collected(version), &args.node, interfaces);
    let programs = CalicoVersion::ALL.into_iter().filter_map(under);
    programs.map(|under| verify::agreement(under.version, &under.program, node)).collect()
}

/// Input that cannot be used: says why.
fn unusable(args: &VerifyArgs, loaded: &Loaded, said: &[Diagnostic]) -> io::Result<u8> {
    if args.format == Format::Json {
        let document = render::json::document(said, &loaded.files);
        Output::Stdout.write("", |out| out.write_all(&to_json(&document)?))?;
    }
    messages::print(said, &loaded.files)?;
    Ok(BAD_INPUT)
}
