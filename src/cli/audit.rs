//! `netpolc audit`: manifests → what can be reached, from where, and why.

use super::args::{AuditArgs, Invalid};
use super::load;
use super::output::{naming, to_json};
use super::report;
use super::{BAD_INPUT, messages};
use crate::audit::config::Config;
use crate::audit::nodes::Given;
use crate::audit::words::Words;
use crate::audit::{self, Request};
use crate::diagnostic::order;
use crate::model::suggest;
use crate::report::text;
use crate::resolve::Cluster;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::Path;

/// Runs the command; gives the exit status.
pub fn run(args: &AuditArgs) -> io::Result<u8> {
    let given = given(args)?;
    let mut loaded = load::load(&args.paths, args.jobs, args.invalid.into(), args.calico_version);
    let mut said = loaded.all_diagnostics();
    let config = match &args.zones {
        None => Config::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| naming(path, "read", error))?;
            let file = loaded.files.register(path, &text);
            Config::parse(&text, file).unwrap_or_else(|wrong| {
                said.extend(wrong);
                Config::default()
            })
        }
    };
    let baseline = report::read_baseline(&args.report, &mut loaded.files)?;
    said.extend(baseline.as_ref().err().cloned());
    let refused = args.invalid == Invalid::Fail && load::has_error(&said);
    let wrong = said.iter().any(|one| {
        one.id.starts_with("zones-") || one.id.starts_with("expectation-") || one.id.starts_with("baseline-")
    });
    let Ok(baseline) = baseline else {
        return report::unusable(&args.report, "audit", &said, &loaded.files);
    };
    if loaded.unusable || loaded.collected.fatal || refused || wrong {
        return report::unusable(&args.report, "audit", &said, &loaded.files);
    }
    let cluster = Cluster::new(&loaded.collected.resources);
    said.extend_from_slice(cluster.diagnostics());
    names_are_known(args, &cluster, &given)?;
    let request = Request { node: args.node.as_deref(), of: args.of.as_deref(), given, config };
    let audit = audit::run(&cluster, &request);
    said.extend(audit.said.iter().cloned());
    if audit.nodes.is_empty() {
        messages::print(&said, &loaded.files)?;
        anstream::eprintln!(
            "error: no node is in the input: add the Node objects, or pods with a `nodeName`"
        );
        return Ok(BAD_INPUT);
    }
    order(&mut said);
    messages::print(&said, &loaded.files)?;
    let names = |file| loaded.files.name(file).to_owned();
    let words = Words::new(&audit, &audit.nodes, &names);
    let questions = audit::questions::questions(&audit, &cluster, &words);
    let acceptances = &loaded.collected.acceptances;
    let mut document = audit::document::document(&audit, &cluster, acceptances, &words, &loaded.files);
    document.messages = said;
    document.nodes = args.node.iter().cloned().collect();
    report::compare(&mut document, baseline.as_ref());
    report::write_baseline(&args.report, &mut document)?;
    let details = args.details || args.of.is_some();
    audit::document::conclude(&mut document, &audit, &questions, &words, &loaded.version);
    let styled = args.report.output.is_none() && io::stdout().is_terminal();
    let lead = || audit::text::text(&audit, &questions, &words, details);
    let text = || format!("{}{}", lead(), text::text(&document, styled));
    report::write_own(&args.report, &document, text, || {
        to_json(&audit::json::document(&audit, loaded.version.version, &questions, &words, &document))
    })?;
    Ok(report::status(&args.report, &document))
}

/// Addresses and routes of nodes: `NODE=FILE`, or a file for the one node that is asked for.
fn given(args: &AuditArgs) -> io::Result<BTreeMap<String, Given>> {
    let mut given: BTreeMap<String, Given> = BTreeMap::new();
    let split = |text: &str| -> io::Result<(String, String)> {
        match (text.split_once('='), &args.node) {
            (Some((node, file)), _) => Ok((node.to_owned(), file.to_owned())),
            (None, Some(node)) => Ok((node.clone(), text.to_owned())),
            (None, None) => Err(io::Error::other(format!(
                "say which node `{text}` is of: write NODE={text}, or name the node with `--node`"
            ))),
        }
    };
    for text in &args.node_addresses {
        let (node, file) = split(text)?;
        given.entry(node).or_default().interfaces = Some(load::interfaces(Path::new(&file))?);
    }
    for text in &args.node_routes {
        let (node, file) = split(text)?;
        let routes = load::routes(Path::new(&file))?;
        given.entry(node).or_default().routes.get_or_insert_default().extend(routes);
    }
    Ok(given)
}

/// Names on the command line must be names of the manifests.
fn names_are_known(
    args: &AuditArgs,
    cluster: &Cluster<'_>,
    given: &BTreeMap<String, Given>,
) -> io::Result<()> {
    let unknown = |kind: &str, name: &str, names: Vec<&str>| {
        let hint = suggest(name, names).map(|near| format!("; did you mean `{near}`?"));
        io::Error::other(format!("there is no {kind} `{name}`{}", hint.unwrap_or_default()))
    };
    for name in args.node.iter().chain(given.keys()) {
        if !cluster.node_names().any(|own| own == *name) {
            return Err(unknown("node", name, cluster.node_names().collect()));
        }
    }
    if let Some(of) = &args.of {
        let targets = audit::targets::all(cluster);
        let names: Vec<&str> = targets.iter().map(|target| &*target.of).filter(|of| !of.is_empty()).collect();
        if !names.contains(&&**of) {
            return Err(unknown("service, and no pod with ports of its host,", of, names));
        }
    }
    Ok(())
}
