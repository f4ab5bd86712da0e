//! What was saved and proved, in text and JSON (`docs/schema/optimized-policies.schema.json`,
//! `docs/schema/policies-proof.schema.json`).

use super::prove::Equal;
use super::{NodeProof, Optimized, Outcome, Size};
use crate::diagnostic::Location;
use crate::diagnostic::render::json::{Entry, Place, entries};
use crate::optimize::proof::Different;
use crate::optimize::proof_file;
use crate::source::Files;
use serde::Serialize;
use std::fmt::Write;

/// A witness in words.
pub fn different(different: &Different) -> String {
    match different {
        Different::Packet(witness) => format!(
            "a packet that shows the difference is {}; before: {}, after: {}",
            crate::optimize::report::packet(witness),
            witness.before,
            witness.after
        ),
        Different::TooManyMarks => "packets may bring too many marks to compare".to_owned(),
    }
}

/// Before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Change {
    before: usize,
    after: usize,
}

impl Change {
    fn new(before: usize, after: usize) -> Self {
        Change { before, after }
    }
}

/// The whole document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    calico_version: &'static str,
    written: bool,
    objects: Vec<ObjectEntry<'a>>,
    proof: Proof<'a>,
    diagnostics: Vec<Entry<'a>>,
}

#[derive(Debug, Serialize)]
struct ObjectEntry<'a> {
    kind: &'a str,
    name: &'a str,
    #[serde(flatten)]
    at: Place<'a>,
    nets: Change,
    ports: Change,
    peers: Change,
    rules: Change,
    #[serde(skip_serializing_if = "Option::is_none")]
    iptables_rules: Option<Change>,
    gone: Vec<Gone<'a>>,
    comparisons: usize,
    whatever_sets_contain: bool,
}

#[derive(Debug, Serialize)]
struct Gone<'a> {
    #[serde(flatten)]
    at: Place<'a>,
    what: &'a str,
}

#[derive(Debug, Serialize)]
struct Proof<'a> {
    nodes: Vec<&'a str>,
    comparisons: usize,
}

/// Puts everything into its form. `written`: whether files have been changed.
pub fn document(done: &Optimized, written: bool) -> Document<'_> {
    let object = |own: &'_ Outcome| {
        let sizes = |of: fn(&Size) -> usize| Change::new(of(&own.size.0), of(&own.size.1));
        (
            sizes(|size| size.nets),
            sizes(|size| size.ports),
            sizes(|size| size.peers),
            sizes(|size| size.rules),
        )
    };
    let objects = done.outcomes.iter().map(|own| {
        let (nets, ports, peers, rules) = object(own);
        ObjectEntry {
            kind: &own.kind,
            name: &own.path,
            at: Place::new(own.at, &done.files),
            nets,
            ports,
            peers,
            rules,
            iptables_rules: own.rendered.map(|(before, after)| Change::new(before, after)),
            gone: own.said.iter().map(|(at, what)| Gone { at: Place::new(*at, &done.files), what }).collect(),
            comparisons: own.proved.equal.iter().map(|equal| equal.agreed.len()).sum(),
            whatever_sets_contain: own.proved.any_members,
        }
    });
    Document {
        schema: "netpolc.optimized-policies/1",
        calico_version: done.version.version.name(),
        written,
        objects: objects.collect(),
        proof: Proof {
            nodes: done.nodes.iter().map(|node| &*node.node).collect(),
            comparisons: done.nodes.iter().map(|node| node.agreed.len()).sum(),
        },
        diagnostics: entries(&done.diagnostics, &done.files),
    }
}

/// `file:line:column`.
fn place(at: Location, files: &Files) -> String {
    format!("{}:{}:{}", files.name(at.file), at.line, at.column)
}

/// One line for each thing that could go.
pub fn findings(done: &Optimized) -> String {
    let mut out = String::new();
    for own in &done.outcomes {
        for (at, what) in &own.said {
            let _ = writeln!(out, "{}: {what}", place(*at, &done.files));
        }
    }
    out
}

/// What was saved, object by object, and what was proved.
pub fn summary(done: &Optimized) -> String {
    let mut out = String::new();
    if done.outcomes.is_empty() {
        out.push_str("nothing can go\n");
        return out;
    }
    for own in &done.outcomes {
        let _ = writeln!(out, "{} {}: {}", own.kind, own.path, sizes(own));
    }
    let _ = writeln!(out, "{}", proof(done));
    out
}

/// How much an object said, and says: `nets 5 → 3`.
pub fn sizes(own: &Outcome) -> String {
    let (before, after) = own.size;
    let rendered = own.rendered.unwrap_or_default();
    let counts = [
        ("nets", before.nets, after.nets),
        ("ports", before.ports, after.ports),
        ("peers", before.peers, after.peers),
        ("rules", before.rules, after.rules),
        ("iptables rules", rendered.0, rendered.1),
    ];
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(_, before, after)| before != after)
        .map(|(word, before, after)| format!("{word} {before} → {after}"))
        .collect();
    counts.join(", ")
}

/// What was proved, in words.
pub fn proof(done: &Optimized) -> String {
    let rendered = done.outcomes.iter().filter(|own| own.rendered.is_some()).count();
    let certain = done.outcomes.iter().filter(|own| own.rendered.is_some() && own.proved.any_members).count();
    let sets = done.outcomes.len() - rendered;
    let plural =
        |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let mut parts = Vec::new();
    if certain > 0 {
        parts.push(format!(
            "{} for all packets and whatever sets contain",
            plural(certain, "policy", "policies")
        ));
    }
    if rendered > certain {
        parts.push(format!(
            "{} for all packets and the choices of set look-ups in the proof",
            plural(rendered - certain, "policy", "policies")
        ));
    }
    if sets > 0 {
        parts.push(format!("{} by addresses", plural(sets, "network set", "network sets")));
    }
    parts.push(match done.nodes.len() {
        0 => "no node".to_owned(),
        count => format!("all rules of {}", plural(count, "node", "nodes")),
    });
    format!("proved equal {}: {}", done.version.phrase(), parts.join("; "))
}

/// What was compared, as a document.
#[derive(Debug, Serialize)]
pub struct ProofDocument<'a> {
    schema: &'static str,
    calico_version: &'static str,
    policies: Vec<PolicyProof<'a>>,
    nodes: Vec<NodeEntry<'a>>,
}

#[derive(Debug, Serialize)]
struct PolicyProof<'a> {
    kind: &'a str,
    name: &'a str,
    whatever_sets_contain: bool,
    choices: Vec<Choice<'a>>,
}

/// Look-ups in sets that were taken to be true, and what was then compared.
#[derive(Debug, Serialize)]
struct Choice<'a> {
    holds: &'a [String],
    compared: Vec<proof_file::Entry<'a>>,
}

#[derive(Debug, Serialize)]
struct NodeEntry<'a> {
    node: &'a str,
    compared: Vec<proof_file::Entry<'a>>,
}

/// Puts the proof into its form.
pub fn proof_document(done: &Optimized) -> ProofDocument<'_> {
    let rendered = done.outcomes.iter().filter(|own| own.rendered.is_some());
    ProofDocument {
        schema: "netpolc.policies-proof/1",
        calico_version: done.version.version.name(),
        policies: rendered
            .map(|own| PolicyProof {
                kind: &own.kind,
                name: &own.path,
                whatever_sets_contain: own.proved.any_members,
                choices: own
                    .proved
                    .equal
                    .iter()
                    .map(|Equal { holds, agreed }| Choice { holds, compared: proof_file::entries(agreed) })
                    .collect(),
            })
            .collect(),
        nodes: done
            .nodes
            .iter()
            .map(|NodeProof { node, agreed }| NodeEntry { node, compared: proof_file::entries(agreed) })
            .collect(),
    }
}
