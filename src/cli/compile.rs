//! `netpolc compile`: manifests → the rules and sets of a node.

use super::args::{CompileArgs, DialectArg, Emit, Format, Invalid, Stage};
use super::load::{self, Loaded};
use super::messages;
use super::output::{Output, to_json, write_file};
use super::{BAD_INPUT, DONE, FINDINGS};
use crate::diagnostic::{Diagnostic, Severity, render};
use crate::emit::{self, Dialect};
use crate::felix;
use crate::ir::{Program, RuleSet};
use crate::optimize;
use crate::resolve::view::{Interface, NodeView};
use crate::resolve::{Cluster, NodeRequest};
use std::io;
use std::mem::ManuallyDrop;

/// Bytes of text that are collected before they are written.
const CHUNK: usize = 1 << 20;

/// Runs the command; gives the exit status.
pub fn run(args: &CompileArgs) -> io::Result<u8> {
    let interfaces = args.node_addresses.as_deref().map(load::interfaces).transpose()?;
    // given back as a whole when the program ends, and not one string after another
    let loaded =
        ManuallyDrop::new(load::load(&args.paths, args.jobs, args.invalid.into(), args.calico_version));
    let mut said = loaded.all_diagnostics();
    let refused = args.invalid == Invalid::Fail && load::has_error(&said);
    let mut status = if loaded.unusable || refused { BAD_INPUT } else { DONE };
    if status == DONE {
        status = compile(args, &loaded, interfaces.as_deref(), &mut said)?;
    }
    if status == BAD_INPUT && args.format == Format::Json {
        // there is no program to print, but a reader of JSON still gets to know why
        let document = render::json::document(&said, &loaded.files);
        Output::Stdout.write("", |out| out.write_all(&to_json(&document)?))?;
    }
    messages::print(&said, &loaded.files)?;
    let findings = said.iter().any(|diagnostic| diagnostic.severity >= Severity::Warning);
    Ok(if status == DONE && findings { FINDINGS } else { status })
}

/// Compiles the nodes asked for and adds to `said` what there is to say.
fn compile(
    args: &CompileArgs,
    loaded: &Loaded,
    interfaces: Option<&[Interface]>,
    said: &mut Vec<Diagnostic>,
) -> io::Result<u8> {
    if args.dump_stage == Some(Stage::Model) {
        Output::Stdout.write("", |out| writeln!(out, "{:#?}", loaded.collected.resources))?;
        return Ok(DONE);
    }
    let cluster = ManuallyDrop::new(Cluster::new(&loaded.collected.resources));
    said.extend_from_slice(cluster.diagnostics());
    let nodes: Vec<String> = match &args.node {
        Some(node) => vec![node.clone()],
        None => cluster.node_names().map(str::to_owned).collect(),
    };
    if nodes.is_empty() {
        let message = "the input has no Node and no pod on a node, so there is nothing to compile for";
        said.push(Diagnostic::new("no-nodes", Severity::Error, None, message));
        return Ok(BAD_INPUT);
    }
    for node in &nodes {
        let output = match &args.out {
            Some(folder) if args.all_nodes => Output::Folder(folder.join(node)),
            Some(folder) => Output::Folder(folder.clone()),
            None => Output::Stdout,
        };
        let resolved = cluster.view(&NodeRequest { node, interfaces });
        said.extend(resolved.diagnostics);
        let Some(view) = resolved.view else { return Ok(BAD_INPUT) };
        if args.invalid == Invalid::Fail && load::has_error(said) {
            return Ok(BAD_INPUT);
        }
        write(args, loaded, &view, said, &output)?;
    }
    Ok(DONE)
}

/// Renders one node and writes what was asked for.
fn write(
    args: &CompileArgs,
    loaded: &Loaded,
    view: &NodeView,
    said: &[Diagnostic],
    output: &Output,
) -> io::Result<()> {
    if args.dump_stage == Some(Stage::Resolve) {
        return output.write("", |out| writeln!(out, "{view:#?}"));
    }
    let mut program = felix::render(view);
    if args.optimize > 0 {
        program = optimized(args, view, program)?;
    }
    if args.dump_stage == Some(Stage::Ir) {
        return output.write("", |out| writeln!(out, "{program:#?}"));
    }
    match args.format {
        Format::Text => write_text(args, loaded, &program, output),
        Format::Json => {
            let diagnostics = render::json::entries(said, &loaded.files);
            let mut families = Vec::new();
            families.extend(wants(args, Emit::Iptables).then_some(&program.v4));
            families.extend(wants(args, Emit::Ip6tables).then_some(&program.v6));
            let document = emit::json::Document {
                node: &view.node,
                calico_version: loaded.version.version.name(),
                families: &families,
                sets: if wants(args, Emit::Ipsets) { &program.sets } else { &[] },
                diagnostics: &diagnostics,
                file_name: &|file| loaded.files.name(file).to_owned(),
            };
            output.write("compile.json", |out| out.write_all(&to_json(&document)?))
        }
    }
}

/// Makes the rules fewer, and writes what was saved and compared where that was asked for.
fn optimized(args: &CompileArgs, view: &NodeView, program: Program) -> io::Result<Program> {
    let private = felix::private_marks(view);
    let optimized = optimize::optimize(&program, args.optimize, private);
    if let Some(path) = &args.saved {
        let report = optimize::report::report(&view.node, args.optimize, &program, &optimized, private);
        let text = match args.format {
            Format::Text => report.text().into_bytes(),
            Format::Json => to_json(&report)?,
        };
        write_file(path, &text)?;
    }
    if let Some(path) = &args.proof {
        write_file(path, &to_json(&optimize::proof_file::document(&view.node, &optimized))?)?;
    }
    let summary = optimize::report::summary(&program, &optimized.program);
    anstream::eprintln!("{}, optimized: {summary}", view.node);
    Ok(optimized.program)
}

/// Parts in a fixed order; on standard output several parts are told apart by a comment line.
fn write_text(args: &CompileArgs, loaded: &Loaded, program: &Program, output: &Output) -> io::Result<()> {
    let (dialect, word) = match args.dialect {
        DialectArg::Felix => (Dialect::Felix, "felix"),
        DialectArg::Save => (Dialect::Save, "save"),
    };
    let titled = args.emit == Emit::All && matches!(output, Output::Stdout);
    let rules = |rules: &RuleSet, title: &str, version: &str| -> io::Result<()> {
        let mut text = String::new();
        if titled {
            text.push_str(title);
        }
        emit::write_rules(&mut text, rules, dialect, &mut |out, rule| {
            if args.explain_origin {
                emit::origin::comment(out, &rule.origin, &|file| loaded.files.name(file).to_owned());
            }
        });
        output.write(&format!("{word}.{version}.rules"), |out| out.write_all(text.as_bytes()))
    };
    if titled {
        let version = loaded.version.phrase();
        Output::Stdout.write("", |out| writeln!(out, "# {version}"))?;
    }
    if wants(args, Emit::Iptables) {
        rules(&program.v4, "# iptables\n", "v4")?;
    }
    if wants(args, Emit::Ip6tables) {
        rules(&program.v6, "# ip6tables\n", "v6")?;
    }
    if wants(args, Emit::Ipsets) {
        output.write("ipsets.txt", |out| {
            if titled {
                out.write_all(b"# ipsets\n")?;
            }
            // sets can have millions of members: never all of them as text at once
            let mut text = String::with_capacity(2 * CHUNK);
            for set in &program.sets {
                emit::ipset::write_set(&mut text, set);
                if text.len() >= CHUNK {
                    out.write_all(text.as_bytes())?;
                    text.clear();
                }
            }
            out.write_all(text.as_bytes())
        })?;
    }
    Ok(())
}

/// Whether a part was asked for.
fn wants(args: &CompileArgs, part: Emit) -> bool {
    args.emit == part || args.emit == Emit::All
}
