//! `netpolc compile`: manifests → the rules and sets of a node.

use super::args::{CompileArgs, DialectArg, Emit, Format, Invalid, Stage};
use super::load::{self, Loaded};
use super::messages;
use super::output::{Output, naming};
use super::{BAD_INPUT, DONE, FINDINGS};
use crate::diagnostic::{Diagnostic, Severity};
use crate::emit::{self, Dialect};
use crate::felix;
use crate::ir::{IpSet, Program, RuleSet};
use crate::resolve::view::Interface;
use crate::resolve::{Cluster, NodeRequest};
use crate::syntax::ip_addr;
use std::io;

/// The version whose rules are rendered.
const CALICO_VERSION: &str = "v3.32.1";

/// Runs the command; gives the exit status.
pub fn run(args: &CompileArgs) -> io::Result<u8> {
    let interfaces = match &args.node_addresses {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| naming(path, "read", error))?;
            let parsed = ip_addr::parse(&text);
            Some(parsed.map_err(|error| io::Error::other(format!("`{}`: {error}", path.display())))?)
        }
        None => None,
    };
    let loaded = load::load(&args.paths, args.jobs, args.invalid == Invalid::Skip);
    if args.dump_stage == Some(Stage::Model) && !loaded.unusable {
        Output::Stdout.write("", format!("{:#?}\n", loaded.resources).as_bytes())?;
        return finish(&loaded, Vec::new(), args.format);
    }
    if loaded.unusable {
        return finish(&loaded, Vec::new(), args.format);
    }
    let cluster = Cluster::new(&loaded.resources);
    let mut diagnostics = cluster.diagnostics().to_vec();
    let nodes: Vec<String> = match &args.node {
        Some(node) => vec![node.clone()],
        None => cluster.node_names().map(str::to_owned).collect(),
    };
    if nodes.is_empty() {
        diagnostics.push(Diagnostic::new(
            "no-nodes",
            Severity::Error,
            None,
            "the input has no Node and no pod on a node, so there is nothing to compile for",
        ));
    }
    for node in &nodes {
        let output = match &args.out {
            Some(folder) if args.all_nodes => Output::Folder(folder.clone()).below(node),
            Some(folder) => Output::Folder(folder.clone()),
            None => Output::Stdout,
        };
        let found =
            compile_node(args, &loaded, &cluster, node, interfaces.as_deref(), &output, &diagnostics)?;
        diagnostics.extend(found);
    }
    finish(&loaded, diagnostics, args.format)
}

/// Compiles and writes one node; gives what there is to say about it.
fn compile_node(
    args: &CompileArgs,
    loaded: &Loaded,
    cluster: &Cluster,
    node: &str,
    interfaces: Option<&[Interface]>,
    output: &Output,
    diagnostics: &[Diagnostic],
) -> io::Result<Vec<Diagnostic>> {
    let resolved = cluster.view(&NodeRequest { node, interfaces });
    let fatal = |list: &[Diagnostic]| list.iter().any(|d| d.severity == Severity::Error);
    if args.invalid == Invalid::Fail && (fatal(&resolved.diagnostics) || fatal(diagnostics)) {
        return Ok(resolved.diagnostics);
    }
    let Some(view) = &resolved.view else { return Ok(resolved.diagnostics) };
    if args.dump_stage == Some(Stage::Resolve) {
        output.write("", format!("{view:#?}\n").as_bytes())?;
        return Ok(resolved.diagnostics);
    }
    let program = felix::render(view);
    if args.dump_stage == Some(Stage::Ir) {
        output.write("", format!("{program:#?}\n").as_bytes())?;
        return Ok(resolved.diagnostics);
    }
    match args.format {
        Format::Text => write_text(args, loaded, &program, output)?,
        Format::Json => {
            let all: Vec<_> =
                loaded.diagnostics.iter().chain(diagnostics).chain(&resolved.diagnostics).collect();
            let document = emit::json::Document {
                node,
                calico_version: CALICO_VERSION,
                program: &program,
                diagnostics: &messages::json(&all, &loaded.files),
                file_name: &|file| loaded.files.name(file).to_owned(),
            };
            let mut text = serde_json::to_vec_pretty(&document).map_err(io::Error::other)?;
            text.push(b'\n');
            output.write("compile.json", &text)?;
        }
    }
    Ok(resolved.diagnostics)
}

/// Parts in a fixed order; on standard output several parts are told apart by a comment line.
fn write_text(args: &CompileArgs, loaded: &Loaded, program: &Program, output: &Output) -> io::Result<()> {
    let (dialect, word) = match args.dialect {
        DialectArg::Felix => (Dialect::Felix, "felix"),
        DialectArg::Save => (Dialect::Save, "save"),
    };
    let titled = args.emit == Emit::All && matches!(output, Output::Stdout);
    let rules = |rules: Option<&RuleSet>, title: &str, version: &str| -> io::Result<()> {
        let mut text = String::new();
        if titled {
            text.push_str(title);
        }
        if let Some(rules) = rules {
            emit::write_rules(&mut text, rules, dialect, &mut |out, rule| {
                if args.explain_origin {
                    emit::origin::comment(out, &rule.origin, &|file| loaded.files.name(file).to_owned());
                }
            });
        }
        output.write(&format!("{word}.{version}.rules"), text.as_bytes())
    };
    if matches!(args.emit, Emit::Iptables | Emit::All) {
        rules(Some(&program.v4), "# iptables\n", "v4")?;
    }
    if matches!(args.emit, Emit::Ip6tables | Emit::All) {
        rules(program.v6.as_ref(), "# ip6tables\n", "v6")?;
    }
    if matches!(args.emit, Emit::Ipsets | Emit::All) {
        let mut text = String::with_capacity(sets_size(&program.sets));
        if titled {
            text.push_str("# ipsets\n");
        }
        for set in &program.sets {
            emit::ipset::write_set(&mut text, set);
        }
        output.write("ipsets.txt", text.as_bytes())?;
    }
    Ok(())
}

/// About how many bytes the sets take as text.
fn sets_size(sets: &[IpSet]) -> usize {
    sets.iter().map(|set| 100 + set.len() * 52).sum()
}

/// Tells what there is to tell, and gives the exit status.
fn finish(loaded: &Loaded, more: Vec<Diagnostic>, format: Format) -> io::Result<u8> {
    let mut all: Vec<Diagnostic> = loaded.diagnostics.clone();
    all.extend(more);
    messages::print(&all, &loaded.files, format == Format::Json)?;
    let errors = all.iter().any(|d| d.severity == Severity::Error);
    let warnings = all.iter().any(|d| d.severity == Severity::Warning);
    Ok(match (loaded.unusable || (errors && !loaded.skipping), errors || warnings) {
        (true, _) => BAD_INPUT,
        (false, true) => FINDINGS,
        (false, false) => DONE,
    })
}
