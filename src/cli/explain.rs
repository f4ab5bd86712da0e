//! `netpolc explain`: a name on a node → what is behind it.

use super::args::{ExplainArgs, Format};
use super::load::{self, Loaded};
use super::output::{Output, to_json};
use super::{BAD_INPUT, DONE, FINDINGS, messages};
use crate::diagnostic::render::json::Place;
use crate::diagnostic::render::printable;
use crate::explain::{self, Explanation, Name};
use crate::model::InvalidMode;
use crate::resolve::{Cluster, NodeRequest};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::fmt::Write;
use std::io;

/// Runs the command; gives the exit status.
pub fn run(args: &ExplainArgs) -> io::Result<u8> {
    let name = Name::parse(&args.name);
    let loaded = (!args.paths.is_empty())
        .then(|| load::load(&args.paths, args.jobs, InvalidMode::Skip, args.calico_version));
    if let Some(loaded) = loaded.as_ref().filter(|loaded| loaded.unusable || loaded.collected.fatal) {
        messages::print(&loaded.all_diagnostics(), &loaded.files)?;
        return Ok(BAD_INPUT);
    }
    let cluster = loaded.as_ref().map(|loaded| Cluster::new(&loaded.collected.resources));
    if let (Some(cluster), Some(node), Some(loaded)) = (&cluster, &args.node, &loaded) {
        let resolved = cluster.view(&NodeRequest { node, interfaces: None });
        if resolved.view.is_none() {
            messages::print(&resolved.diagnostics, &loaded.files)?;
            return Ok(BAD_INPUT);
        }
    }
    let found = explain::explain(&name, cluster.as_ref(), args.node.as_deref());
    match args.format {
        Format::Text => {
            Output::Stdout.write("", |out| out.write_all(text(&found, loaded.as_ref()).as_bytes()))?
        }
        Format::Json => {
            let document = Document {
                schema: "netpolc.explain/1",
                name: &args.name,
                explanations: found.iter().map(|one| Entry::new(one, loaded.as_ref())).collect(),
            };
            Output::Stdout.write("", |out| out.write_all(&to_json(&document)?))?;
        }
    }
    if found.is_empty() {
        let hint = match loaded {
            Some(_) => {
                "the names of a node depend on all of the cluster: is the input whole, and of the same version?"
            }
            None => "name the cluster's manifests after it",
        };
        anstream::eprintln!("nothing is called `{}`; {hint}", printable(&args.name));
        return Ok(FINDINGS);
    }
    Ok(DONE)
}

fn text(found: &[Explanation], loaded: Option<&Loaded>) -> String {
    let mut out = String::new();
    for (index, one) in found.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let _ = writeln!(out, "{} {}\n  {}", one.thing, printable(&one.name), printable(&one.what));
        if let (Some(at), Some(loaded)) = (one.at, loaded)
            && at.line > 0
        {
            let _ = writeln!(
                out,
                "  {:<9} {}:{}:{}",
                "written",
                printable(loaded.files.name(at.file)),
                at.line,
                at.column
            );
        }
        for (label, fact) in &one.facts {
            let _ = writeln!(out, "  {label:<9} {}", printable(fact));
        }
    }
    out
}

/// The form for programs. Its schema is `docs/schema/explain.schema.json`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    name: &'a str,
    explanations: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    thing: &'static str,
    name: &'a str,
    what: &'a str,
    #[serde(flatten)]
    at: Option<Place<'a>>,
    facts: Facts<'a>,
}

/// Labels and their texts; a label that comes several times has a list.
struct Facts<'a>(&'a [(&'static str, String)]);

impl Serialize for Facts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut grouped: indexmap::IndexMap<&str, Vec<&str>> = indexmap::IndexMap::new();
        for (label, fact) in self.0 {
            grouped.entry(label).or_default().push(fact);
        }
        let mut map = serializer.serialize_map(Some(grouped.len()))?;
        for (label, facts) in grouped {
            map.serialize_entry(&label.replace(' ', "_"), &facts)?;
        }
        map.end()
    }
}

impl<'a> Entry<'a> {
    fn new(one: &'a Explanation, loaded: Option<&'a Loaded>) -> Self {
        let at = one.at.filter(|at| at.line > 0).zip(loaded);
        Entry {
            thing: one.thing,
            name: &one.name,
            what: &one.what,
            at: at.map(|(at, loaded)| Place::new(at, &loaded.files)),
            facts: Facts(&one.facts),
        }
    }
}
