//! `netpolc explain`: a name on a node → what is behind it.

use super::args::{ExplainArgs, Format};
use super::load::{Loaded, Sources};
use super::output::{Output, to_json};
use super::{BAD_INPUT, DONE, FINDINGS, messages};
use crate::diagnostic::render::json::Place;
use crate::diagnostic::render::printable;
use crate::explain::{self, Explanation, Name};
use crate::model::InvalidMode;
use crate::resolve::{Cluster, NodeRequest};
use crate::version::CalicoVersion;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::fmt::Write;
use std::io;

/// Runs the command; gives the exit status.
pub fn run(args: &ExplainArgs) -> io::Result<u8> {
    let name = Name::parse(&args.name);
    let sources =
        (!args.paths.is_empty()).then(|| Sources::new(&args.paths, args.jobs, InvalidMode::Skip, true));
    let loaded = sources.as_ref().map(|sources| sources.load(args.calico_version));
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
    let elsewhere = match (&sources, &loaded) {
        (Some(sources), Some(loaded)) if found.is_empty() => others(sources, loaded, &name, args),
        _ => Vec::new(),
    };
    match args.format {
        Format::Text => {
            Output::Stdout.write("", |out| out.write_all(text(&found, loaded.as_ref()).as_bytes()))?
        }
        Format::Json => {
            let document = Document {
                schema: "netpolc.explain/1",
                name: &args.name,
                calico_version: loaded.as_ref().map(|loaded| loaded.version.version.name()),
                other_versions: elsewhere.iter().map(|version| version.name()).collect(),
                explanations: found.iter().map(|one| Entry::new(one, loaded.as_ref())).collect(),
            };
            Output::Stdout.write("", |out| out.write_all(&to_json(&document)?))?;
        }
    }
    if found.is_empty() {
        let called = printable(&args.name);
        let names: Vec<&str> = elsewhere.iter().map(|version| version.name()).collect();
        match (&loaded, &*names) {
            (None, _) => {
                anstream::eprintln!("nothing is called `{called}`; name the cluster's manifests after it")
            }
            (Some(_), []) => anstream::eprintln!(
                "nothing is called `{called}`; no known version of Calico has that name here, and the names of a node \
                 depend on all of the cluster: is the input whole?"
            ),
            (Some(loaded), [first, ..]) => anstream::eprintln!(
                "nothing is called `{called}` {}, but under {}: ask with `--calico-version {first}`",
                loaded.version.phrase(),
                names.join(" and ")
            ),
        }
        return Ok(FINDINGS);
    }
    Ok(DONE)
}

/// The other versions under which something is called so.
fn others(sources: &Sources, loaded: &Loaded, name: &Name, args: &ExplainArgs) -> Vec<CalicoVersion> {
    let known = |version: &CalicoVersion| {
        let collected = sources.collected(*version);
        let cluster = Cluster::new(&collected.resources);
        !explain::explain(name, Some(&cluster), args.node.as_deref()).is_empty()
    };
    CalicoVersion::ALL
        .into_iter()
        .filter(|version| *version != loaded.version.version)
        .filter(known)
        .collect()
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
    if let Some(loaded) = loaded.filter(|_| !found.is_empty()) {
        let _ = writeln!(out, "\n{}", loaded.version.phrase());
    }
    out
}

/// The form for programs. Its schema is `docs/schema/explain.schema.json`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    name: &'a str,
    /// the version that the names are of; none where no manifests are given
    #[serde(skip_serializing_if = "Option::is_none")]
    calico_version: Option<&'static str>,
    /// where the name is of no use in that version: those in which it is
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_versions: Vec<&'static str>,
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
