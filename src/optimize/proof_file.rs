//! What was compared, as a document (`docs/schema/proof.schema.json`).

use super::Optimized;
use super::proof::{Agreed, Different};
use super::report;
use serde::Serialize;

/// The whole document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    node: &'a str,
    equal: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
    compared: Vec<Entry<'a>>,
}

/// A comparison that came out equal.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    family: &'static str,
    table: &'static str,
    hook: &'static str,
    mark_before: String,
    mark_after: String,
    parts: Vec<Part<'a>>,
}

/// Packets that meet one fate.
#[derive(Debug, Serialize)]
struct Part<'a> {
    fate: &'a str,
    packets: &'a str,
}

/// Puts a proof into its form.
pub fn document<'a>(node: &'a str, optimized: &'a Optimized) -> Document<'a> {
    let (compared, why_not) = match &optimized.proof {
        Ok(agreed) => (entries(agreed), None),
        Err(Different::Packet(witness)) => (Vec::new(), Some(report::place(&witness.place))),
        Err(Different::TooManyMarks) => (Vec::new(), Some("packets may bring too many marks".to_owned())),
    };
    Document { schema: "netpolc.proof/1", node, equal: why_not.is_none(), why_not, compared }
}

/// Comparisons in their form.
pub fn entries(agreed: &[Agreed]) -> Vec<Entry<'_>> {
    agreed.iter().map(entry).collect()
}

fn entry(agreed: &Agreed) -> Entry<'_> {
    let place = &agreed.place;
    Entry {
        family: place.family.name(),
        table: place.table.name(),
        hook: place.hook,
        mark_before: format!("{:#x}", place.marks.0),
        mark_after: format!("{:#x}", place.marks.1),
        parts: agreed.packets.iter().map(|(fate, packets)| Part { fate, packets }).collect(),
    }
}
