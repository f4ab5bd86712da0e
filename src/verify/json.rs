//! Differences, in the form for programs. Its schema is `docs/schema/verify.schema.json`.

use super::document::Of;
use super::{Agreement, Difference, Members, Report};
use crate::diagnostic::render::SourceLines;
use crate::diagnostic::render::json::{Entry as DiagnosticEntry, Place};
use crate::emit::origin;
use crate::ir::Family;
use serde::Serialize;

/// The whole document.
#[derive(Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    node: &'a str,
    calico_version: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    versions: &'a [Agreement],
    compared: Compared,
    not_compared: &'a [&'static str],
    differences: Vec<Entry<'a>>,
    /// those that the baseline has; absent if there are none
    #[serde(skip_serializing_if = "Vec::is_empty")]
    known: Vec<Entry<'a>>,
    diagnostics: Vec<DiagnosticEntry<'a>>,
}

/// Puts everything into its form. `known` says of each difference whether the baseline has it.
pub fn document<'a>(
    of: &Of<'a>,
    report: &'a Report,
    known: &[bool],
    diagnostics: Vec<DiagnosticEntry<'a>>,
    sources: &'a dyn SourceLines,
) -> Document<'a> {
    let entries = |wanted: bool| {
        let differences = report.differences.iter().zip(known).filter(|(_, known)| **known == wanted);
        differences.map(|(one, _)| Entry::new(one, sources)).collect()
    };
    Document {
        schema: "netpolc.verify/1",
        node: of.node,
        calico_version: of.version.version.name(),
        versions: of.versions,
        compared: Compared { chains: report.chains, sets: report.sets },
        not_compared: &report.not_compared,
        differences: entries(false),
        known: entries(true),
        diagnostics,
    }
}

#[derive(Serialize)]
struct Compared {
    chains: usize,
    sets: usize,
}

#[derive(Serialize)]
struct Entry<'a> {
    kind: &'static str,
    family: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'static str>,
    name: &'a str,
    what: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found_at: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<OriginEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashes: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<MembersEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<MembersEntry<'a>>,
}

#[derive(Serialize)]
struct OriginEntry<'a> {
    what: String,
    #[serde(flatten)]
    at: Option<Place<'a>>,
}

#[derive(Serialize)]
struct MembersEntry<'a> {
    count: usize,
    first: &'a [String],
}

impl<'a> Entry<'a> {
    fn new(one: &'a Difference, sources: &'a dyn SourceLines) -> Self {
        let place = |at| Place::new(at, sources);
        let members = |members: &'a Members| {
            (members.count > 0).then_some(MembersEntry { count: members.count, first: &members.first })
        };
        Entry {
            kind: one.kind.name(),
            family: match one.family {
                Family::V4 => "ipv4",
                Family::V6 => "ipv6",
            },
            table: one.table.map(|table| table.name()),
            name: &one.name,
            what: &one.what,
            wanted: one.wanted.as_deref(),
            found: one.found.as_deref(),
            found_at: one.found_at.map(place),
            origin: one
                .origin
                .as_ref()
                .map(|from| OriginEntry { what: origin::phrase(from), at: from.at().map(place) }),
            meaning: one.meaning.as_deref(),
            hashes: one.hashes.as_deref(),
            missing: members(&one.missing),
            extra: members(&one.extra),
        }
    }
}
