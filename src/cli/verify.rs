//! `netpolc verify`: manifests and dumps of a node → where they differ.

use super::args::{Format, Invalid, VerifyArgs};
use super::load::{self, Loaded};
use super::output::{Output, naming, to_json};
use super::{BAD_INPUT, DONE, FINDINGS, messages};
use crate::diagnostic::render;
use crate::diagnostic::{Diagnostic, Location};
use crate::dump::{self, ReadSets};
use crate::felix;
use crate::ir::{Family, RuleSet};
use crate::resolve::config::InsertMode;
use crate::resolve::{Cluster, NodeRequest};
use crate::verify::{self, Node};
use std::io;
use std::path::Path;

/// Runs the command; gives the exit status.
pub fn run(args: &VerifyArgs) -> io::Result<u8> {
    let interfaces = args.node_addresses.as_deref().map(load::interfaces).transpose()?;
    let mut loaded = load::load(&args.paths, args.jobs, args.invalid.into());
    let mut said = loaded.all_diagnostics();
    let refused = args.invalid == Invalid::Fail && load::has_error(&said);
    if loaded.unusable || refused {
        return unusable(args, &loaded, &said);
    }
    let mut node = Node::default();
    let mut wrong = Vec::new();
    for path in &args.dump {
        wrong.extend(rules(path, &mut loaded, &mut node)?);
    }
    if let Some(path) = &args.ipsets {
        match sets(path, &mut loaded)? {
            Ok(read) => node.sets = Some(read),
            Err(found) => wrong.extend(found),
        }
    }
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
    messages::print(&said, &loaded.files)?;
    match args.format {
        Format::Text => {
            let text = verify::text::text(&report, &loaded.files);
            Output::Stdout.write("", |out| out.write_all(text.as_bytes()))?;
        }
        Format::Json => {
            let diagnostics = render::json::entries(&said, &loaded.files);
            let document = verify::json::document(&view.node, &report, diagnostics, &loaded.files);
            Output::Stdout.write("", |out| out.write_all(&to_json(&document)?))?;
        }
    }
    Ok(if report.differences.is_empty() { DONE } else { FINDINGS })
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

fn read(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path).map_err(|error| naming(path, "read", error))
}

/// Reads rules into `node`; gives what is wrong with them.
fn rules(path: &Path, loaded: &mut Loaded, node: &mut Node) -> io::Result<Vec<Diagnostic>> {
    let text = read(path)?;
    let file = loaded.files.register(path, &text);
    // files are mostly given in this order
    let first = if node.v4.is_some() && node.v6.is_none() { Family::V6 } else { Family::V4 };
    let sets =
        dump::parse(&text, file).and_then(|dump| dump.rule_sets_from(first).map_err(|wrong| vec![wrong]));
    let at = Location { file, line: 1, column: 1 };
    Ok(match sets {
        Err(wrong) => wrong,
        Ok(sets) if sets.is_empty() => {
            vec![
                Diagnostic::error("dump-empty", at, "there is not one table in the dump")
                    .help("give the whole output of `iptables-save` or `ip6tables-save`, as root"),
            ]
        }
        Ok(sets) => sets.into_iter().filter_map(|set| add(set, node, at)).collect(),
    })
}

/// Adds the tables of a dump to those of other dumps.
fn add(set: RuleSet, node: &mut Node, at: Location) -> Option<Diagnostic> {
    let (place, family) = match set.family {
        Family::V4 => (&mut node.v4, "IPv4"),
        Family::V6 => (&mut node.v6, "IPv6"),
    };
    let Some(own) = place else {
        *place = Some(set);
        return None;
    };
    for table in set.tables {
        if own.tables.iter().any(|there| there.name == table.name) {
            let message = format!("the table `{}` of {family} is in the dumps twice", table.name.name());
            return Some(
                Diagnostic::error("dump-repeated", at, message)
                    .help("give the rules of one node, each family once"),
            );
        }
        own.tables.push(table);
    }
    None
}

fn sets(path: &Path, loaded: &mut Loaded) -> io::Result<Result<ReadSets, Vec<Diagnostic>>> {
    let text = read(path)?;
    let file = loaded.files.register(path, &text);
    Ok(dump::parse_sets(&text, file).map(|dump| dump.sets()))
}
