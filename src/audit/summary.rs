//! What is the same on several nodes, once.

use super::exposure::{Exposure, Verdict};
use super::ways::Way;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who of a zone reaches a target by a way, over all nodes that they may enter.
#[derive(Debug, Clone)]
pub struct Row {
    /// the target's number
    pub target: usize,
    /// the zone's number
    pub zone: usize,
    /// the way
    pub way: Way,
    /// by verdict, who and on which nodes: those that agree are one
    pub parts: Vec<RowPart>,
}

/// Nodes on which the same ones get there.
#[derive(Debug, Clone)]
pub struct RowPart {
    /// whether they do
    pub verdict: Verdict,
    /// who
    pub sources: Arc<[IpNet]>,
    /// numbers of the exposures
    pub exposures: Vec<usize>,
}

/// All rows, in the order of the exposures.
pub fn rows(exposures: &[Exposure]) -> Vec<Row> {
    let mut rows: BTreeMap<(usize, usize, &Way), Vec<RowPart>> = BTreeMap::new();
    for (number, own) in exposures.iter().enumerate() {
        let parts = rows.entry((own.target, own.zone, &own.way)).or_default();
        // of all of them nobody asks who they are: pods are others on each node
        let who = |verdict: Verdict, sources: Arc<[IpNet]>| match verdict {
            Verdict::Restricted => sources,
            Verdict::Open | Verdict::Blocked => Arc::default(),
        };
        let sources = who(own.verdict, own.sources.clone());
        match parts.iter_mut().find(|part| part.verdict == own.verdict && part.sources == sources) {
            Some(part) => part.exposures.push(number),
            None => parts.push(RowPart { verdict: own.verdict, sources, exposures: vec![number] }),
        }
    }
    let row = |((target, zone, way), mut parts): ((usize, usize, &Way), Vec<RowPart>)| {
        parts.sort_by(|a, b| (b.verdict, &a.sources).cmp(&(a.verdict, &b.sources)));
        Row { target, zone, way: way.clone(), parts }
    };
    rows.into_iter().map(row).collect()
}

impl Row {
    /// The one verdict, if all nodes agree.
    pub fn verdict(&self) -> Option<Verdict> {
        let first = self.parts.first()?.verdict;
        // pods and nodes are others on each node
        let alone = matches!(self.way, Way::Interface(_));
        let agree =
            if alone { self.parts.len() == 1 } else { self.parts.iter().all(|own| own.verdict == first) };
        agree.then_some(first)
    }

    /// The widest.
    pub fn widest(&self) -> Verdict {
        self.parts.iter().map(|part| part.verdict).max().unwrap_or(Verdict::Blocked)
    }
}
