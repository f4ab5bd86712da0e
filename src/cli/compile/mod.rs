//! `netpolc compile`: manifests → the rules and sets of a node, or of many.

mod archive;
mod cache;
mod fleet;
mod piece;

use super::args::{CompileArgs, DialectArg, Emit, Format, Invalid, Stage};
use super::load::{self, Loaded};
use super::messages;
use super::output::{Output, to_json, write_file};
use super::{BAD_INPUT, DONE, FINDINGS};
use crate::diagnostic::{Diagnostic, Severity, render};
use crate::emit::{self, Dialect};
use crate::felix;
use crate::ir::{Family, Program, Rule, RuleSet};
use crate::optimize;
use crate::resolve::view::{Interface, NodeView};
use crate::resolve::{Cluster, NodeRequest};
use std::io;
use std::mem::ManuallyDrop;

/// Bytes of text that are collected before they are written.
const CHUNK: usize = 1 << 20;

/// So many nodes cost less than preparing for many.
const FEW: usize = 10;

/// The file of the sets.
const SETS_FILE: &str = "ipsets.txt";

/// Runs the command; gives the exit status.
pub fn run(args: &CompileArgs) -> io::Result<u8> {
    if args.cache.is_some() && args.format == Format::Json {
        return Err(io::Error::other("`--cache` keeps rules as text: leave out `--format json`"));
    }
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
    let mut cluster = Cluster::new(&loaded.collected.resources);
    said.extend_from_slice(cluster.diagnostics());
    let archive = args.out.as_deref().and_then(archive::Form::of);
    if args.all_nodes || archive.is_some() || args.cache.is_some() {
        let nodes: Vec<&str> = match &args.node {
            Some(node) => vec![node],
            None => cluster.node_names().collect(),
        };
        if nodes.is_empty() {
            let message = "the input has no Node and no pod on a node, so there is nothing to compile for";
            said.push(Diagnostic::new("no-nodes", Severity::Error, None, message));
            return Ok(BAD_INPUT);
        }
        let own = args.shard.map_or(nodes.clone(), |shard| shard.of(&nodes));
        if own.len() > FEW {
            cluster = cluster.for_many_nodes();
        }
        let cluster = ManuallyDrop::new(cluster);
        return fleet::Fleet { args, loaded, cluster: &cluster, interfaces, archive }.compile(&own, said);
    }
    let cluster = ManuallyDrop::new(cluster);
    let Some(node) = &args.node else { return Ok(BAD_INPUT) };
    let output = args.out.clone().map_or(Output::Stdout, Output::Folder);
    let resolved = cluster.view(&NodeRequest { node, interfaces });
    said.extend(resolved.diagnostics);
    let Some(view) = resolved.view else { return Ok(BAD_INPUT) };
    if args.invalid == Invalid::Fail && load::has_error(said) {
        return Ok(BAD_INPUT);
    }
    write(args, loaded, &view, said, &output)?;
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
        let (fewer, summary) = optimized(args, view, program)?;
        anstream::eprintln!("{summary}");
        program = fewer;
    }
    if args.dump_stage == Some(Stage::Ir) {
        return output.write("", |out| writeln!(out, "{program:#?}"));
    }
    match args.format {
        Format::Text => write_text(args, loaded, &program, output),
        Format::Json => {
            output.write("compile.json", |out| out.write_all(&json(args, loaded, view, &program, said)?))
        }
    }
}

/// Everything as one document.
fn json(
    args: &CompileArgs,
    loaded: &Loaded,
    view: &NodeView,
    program: &Program,
    said: &[Diagnostic],
) -> io::Result<Vec<u8>> {
    let diagnostics = render::json::entries(said, &loaded.files);
    let mut families = Vec::new();
    families.extend(wants(args, Emit::Iptables).then_some(&program.v4));
    families.extend(wants(args, Emit::Ip6tables).then_some(&program.v6));
    to_json(&emit::json::Document {
        node: &view.node,
        calico_version: loaded.version.version.name(),
        families: &families,
        sets: if wants(args, Emit::Ipsets) { &program.sets } else { &[] },
        diagnostics: &diagnostics,
        file_name: &|file| loaded.files.name(file).to_owned(),
    })
}

/// Makes the rules fewer, and writes what was saved and compared where that was asked for.
fn optimized(args: &CompileArgs, view: &NodeView, program: Program) -> io::Result<(Program, String)> {
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
    Ok((optimized.program, format!("{}, optimized: {summary}", view.node)))
}

/// The rules of one family as text.
fn rules_text(args: &CompileArgs, loaded: &Loaded, rules: &RuleSet) -> String {
    let mut text = String::new();
    emit::write_rules(&mut text, rules, dialect(args), &mut |out, rule| origin(args, loaded, out, rule));
    text
}

/// Where a rule comes from, if that is wanted.
fn origin(args: &CompileArgs, loaded: &Loaded, out: &mut String, rule: &Rule) {
    if args.explain_origin {
        emit::origin::comment(out, &rule.origin, &|file| loaded.files.name(file).to_owned());
    }
}

fn dialect(args: &CompileArgs) -> Dialect {
    match args.dialect {
        DialectArg::Felix => Dialect::Felix,
        DialectArg::Save => Dialect::Save,
    }
}

/// The file of the rules of one family.
fn rules_file(args: &CompileArgs, family: Family) -> String {
    let word = match dialect(args) {
        Dialect::Felix => "felix",
        Dialect::Save => "save",
    };
    let version = match family {
        Family::V4 => "v4",
        Family::V6 => "v6",
    };
    format!("{word}.{version}.rules")
}

/// Parts in a fixed order; on standard output several parts are told apart by a comment line.
fn write_text(args: &CompileArgs, loaded: &Loaded, program: &Program, output: &Output) -> io::Result<()> {
    let titled = args.emit == Emit::All && matches!(output, Output::Stdout);
    let rules = |rules: &RuleSet, title: &str| -> io::Result<()> {
        let text = rules_text(args, loaded, rules);
        output.write(&rules_file(args, rules.family), |out| {
            if titled {
                out.write_all(title.as_bytes())?;
            }
            out.write_all(text.as_bytes())
        })
    };
    if titled {
        let version = loaded.version.phrase();
        Output::Stdout.write("", |out| writeln!(out, "# {version}"))?;
    }
    if wants(args, Emit::Iptables) {
        rules(&program.v4, "# iptables\n")?;
    }
    if wants(args, Emit::Ip6tables) {
        rules(&program.v6, "# ip6tables\n")?;
    }
    if wants(args, Emit::Ipsets) {
        output.write(SETS_FILE, |out| {
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
