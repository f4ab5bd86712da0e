//! Differences, in the form for programs. Its schema is `docs/schema/diff.schema.json`.

use super::objects::{ObjectChange, What};
use super::rules::RuleChange;
use super::services::ServiceChange;
use super::side::Entry;
use super::{Answer, Change, Difference, End, Witness, sentence, text};
use crate::diagnostic::render::SourceLines;
use crate::diagnostic::render::json::{Entry as DiagnosticEntry, Place};
use crate::ir::Family;
use crate::kernel::conntrack::Connection;
use crate::model::calico::Direction;
use crate::space::nets;
use crate::space::{Cube, Field};
use crate::trace::words;
use serde::Serialize;

/// The whole document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    calico_versions: Option<Versions>,
    nodes: &'a [String],
    not_walked: &'a [String],
    nodes_gone: &'a [String],
    nodes_new: &'a [String],
    changes: Vec<ChangeEntry<'a>>,
    services: Vec<ServiceEntry<'a>>,
    objects: Vec<ObjectEntry<'a>>,
    rules: Vec<RuleEntry<'a>>,
    findings: Vec<DiagnosticEntry<'a>>,
    diagnostics: Vec<DiagnosticEntry<'a>>,
}

#[derive(Debug, Serialize)]
struct Versions {
    before: &'static str,
    after: &'static str,
    differ_in: Vec<&'static str>,
}

/// Puts everything into its form. `known` says of each change whether the baseline has it.
pub fn document<'a>(
    difference: &'a Difference,
    known: &[bool],
    findings: Vec<DiagnosticEntry<'a>>,
    diagnostics: Vec<DiagnosticEntry<'a>>,
    sources: &'a dyn SourceLines,
) -> Document<'a> {
    let [gone, new] = &difference.lone_nodes;
    Document {
        schema: "netpolc.diff/1",
        summary: difference.sentence(),
        calico_versions: difference.versions.map(|[before, after]| Versions {
            before: before.name(),
            after: after.name(),
            differ_in: difference.facts.iter().map(|row| row.name).collect(),
        }),
        nodes: &difference.nodes,
        not_walked: &difference.not_walked,
        nodes_gone: gone,
        nodes_new: new,
        changes: difference
            .changes
            .iter()
            .zip(known)
            .map(|(change, known)| ChangeEntry::new(change, *known, sources))
            .collect(),
        services: difference.services.iter().map(|service| ServiceEntry::new(service, sources)).collect(),
        objects: difference.objects.iter().map(|object| ObjectEntry::new(object, sources)).collect(),
        rules: difference.rules.iter().map(RuleEntry::new).collect(),
        findings,
        diagnostics,
    }
}

fn family(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    }
}

#[derive(Debug, Serialize)]
struct ChangeEntry<'a> {
    kind: &'static str,
    summary: String,
    connection: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    ends: Vec<EndEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    families: Vec<&'static str>,
    packets: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    by_chance: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    known: bool,
    boxes: Vec<BoxEntry>,
    whole: bool,
    selected: Vec<SelectedEntry<'a>>,
    witness: WitnessEntry<'a>,
}

impl<'a> ChangeEntry<'a> {
    fn new(change: &'a Change, known: bool, sources: &'a dyn SourceLines) -> Self {
        let of = change.witness.family;
        ChangeEntry {
            kind: change.kind.name(),
            summary: sentence::change(change),
            connection: match change.connection {
                Connection::First => "new",
                Connection::Answer => "reply",
                Connection::AnswerToUntracked => "reply-untracked",
            },
            direction: change.direction.map(|direction| match direction {
                Direction::Ingress => "ingress",
                Direction::Egress => "egress",
            }),
            ends: change.ends.iter().map(EndEntry::new).collect(),
            service: change.service.as_ref().map(Entry::to_string),
            families: change.families.iter().map(|own| family(*own)).collect(),
            packets: &change.packets,
            by_chance: change.by_chance,
            known,
            boxes: change.boxes.iter().map(|cube| BoxEntry::new(cube, of)).collect(),
            whole: change.whole,
            selected: change
                .selected
                .iter()
                .map(|policy| SelectedEntry {
                    policy: &policy.name,
                    only_allows: policy.only_allows,
                    at: Place::new(policy.at, sources),
                })
                .collect(),
            witness: WitnessEntry::new(&change.witness, sources),
        }
    }
}

#[derive(Debug, Serialize)]
struct ServiceEntry<'a> {
    name: &'a str,
    what: &'a [String],
    #[serde(flatten)]
    at: Place<'a>,
}

impl<'a> ServiceEntry<'a> {
    fn new(service: &'a ServiceChange, sources: &'a dyn SourceLines) -> Self {
        ServiceEntry { name: &service.name, what: &service.what, at: Place::new(service.at, sources) }
    }
}

#[derive(Debug, Serialize)]
struct EndEntry<'a> {
    kind: &'static str,
    node: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> EndEntry<'a> {
    fn new(end: &'a End) -> Self {
        match end {
            End::Pod { node, name, .. } => EndEntry { kind: "pod", node, name: Some(name) },
            End::Interface { node, name } => EndEntry { kind: "interface", node, name: Some(name) },
            End::Node { node } => EndEntry { kind: "node", node, name: None },
        }
    }
}

/// A box; a field that is not there may have any value. Interfaces are left out.
#[derive(Debug, Default, Serialize)]
struct BoxEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    protocols: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destinations: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ports: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_ports: Option<Vec<String>>,
}

impl BoxEntry {
    fn new(cube: &Cube, family: Family) -> Self {
        let mut entry = BoxEntry::default();
        for (field, ranges) in &cube.sides {
            let numbers = || {
                let texts = ranges.iter().map(|(first, last)| format!("{first}-{last}"));
                Some(texts.collect())
            };
            let addresses = || {
                let nets = ranges.iter().flat_map(|range| nets::of_range(*range, family));
                Some(nets.map(|net| net.to_string()).collect())
            };
            match field {
                Field::Protocol => entry.protocols = numbers(),
                Field::SourcePort => entry.source_ports = numbers(),
                Field::DestinationPort => entry.destination_ports = numbers(),
                Field::Source => entry.sources = addresses(),
                Field::Destination => entry.destinations = addresses(),
                Field::Open | Field::InInterface | Field::OutInterface | Field::State => {}
            }
        }
        entry
    }
}

#[derive(Debug, Serialize)]
struct SelectedEntry<'a> {
    policy: &'a str,
    only_allows: bool,
    #[serde(flatten)]
    at: Place<'a>,
}

#[derive(Debug, Serialize)]
struct WitnessEntry<'a> {
    node: &'a str,
    packet: String,
    family: &'static str,
    in_interface: &'a str,
    source: String,
    destination: String,
    protocol: u128,
    source_port: u128,
    destination_port: u128,
    before: AnswerEntry<'a>,
    after: AnswerEntry<'a>,
}

impl<'a> WitnessEntry<'a> {
    fn new(witness: &'a Witness, sources: &'a dyn SourceLines) -> Self {
        let value = |field: Field| witness.packet[field as usize];
        WitnessEntry {
            node: &witness.node,
            packet: text::packet(witness),
            family: family(witness.family),
            in_interface: &witness.in_interface,
            source: words::address(value(Field::Source), witness.family),
            destination: words::address(value(Field::Destination), witness.family),
            protocol: value(Field::Protocol),
            source_port: value(Field::SourcePort),
            destination_port: value(Field::DestinationPort),
            before: AnswerEntry::new(&witness.before, sources),
            after: AnswerEntry::new(&witness.after, sources),
        }
    }
}

#[derive(Debug, Serialize)]
struct AnswerEntry<'a> {
    fate: &'a str,
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'a str>,
    #[serde(flatten)]
    at: Option<Place<'a>>,
}

impl<'a> AnswerEntry<'a> {
    fn new(answer: &'a Answer, sources: &'a dyn SourceLines) -> Self {
        let rule = answer.rule.as_ref();
        AnswerEntry {
            fate: &answer.fate,
            accepted: answer.accepted,
            table: rule.map(|rule| rule.table.name()),
            rule: rule.map(|rule| &*rule.text),
            because: rule.map(|rule| &*rule.reason),
            at: rule.and_then(|rule| rule.at).map(|at| Place::new(at, sources)),
        }
    }
}

#[derive(Debug, Serialize)]
struct ObjectEntry<'a> {
    kind: &'a str,
    name: &'a str,
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<&'a [String]>,
    #[serde(flatten)]
    at: Place<'a>,
}

impl<'a> ObjectEntry<'a> {
    fn new(object: &'a ObjectChange, sources: &'a dyn SourceLines) -> Self {
        let (what, was, fields) = match &object.what {
            What::Added => ("added", None, None),
            What::Removed => ("removed", None, None),
            What::Renamed(old) => ("renamed", Some(&**old), None),
            What::Reordered => ("reordered", None, None),
            What::Changed(fields) => ("changed", None, Some(&**fields)),
        };
        let at = Place::new(object.at, sources);
        ObjectEntry { kind: &object.kind, name: &object.name, what, was, fields, at }
    }
}

#[derive(Debug, Serialize)]
struct RuleEntry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'static str>,
    what: &'static str,
    names: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<&'a str>,
    lines: &'a [String],
    families: Vec<&'static str>,
    nodes: &'a [String],
}

impl<'a> RuleEntry<'a> {
    fn new(change: &'a RuleChange) -> Self {
        RuleEntry {
            table: change.table.map(|table| table.name()),
            what: change.fate.name(),
            names: &change.names,
            was: change.was.as_deref(),
            meaning: change.meaning.as_deref(),
            lines: &change.lines,
            families: change.families.iter().map(|own| family(*own)).collect(),
            nodes: &change.nodes,
        }
    }
}
