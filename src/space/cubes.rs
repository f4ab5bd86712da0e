//! A set as few boxes.

use super::diagram::{PacketSet, Space};
use super::field::{Field, Range};
use rustc_hash::FxHashMap;

/// A box: for each field that it restricts, the ranges of values; all combinations are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cube {
    /// fields in their order; a field that is not there may have any value
    pub sides: Vec<(Field, Vec<Range>)>,
}

impl Space {
    /// The set as boxes that do not overlap and together are the set; at most `limit` of them, and
    /// whether that is all of it.
    ///
    /// All ranges of a node that lead to the same target are one side of a box, which is where the
    /// number of boxes comes down: a diagram has as many boxes as it has paths between nodes.
    pub fn cubes(&self, set: PacketSet, limit: usize) -> (Vec<Cube>, bool) {
        let mut found = Vec::new();
        let mut sides = Vec::new();
        let whole = self.collect(set, &mut sides, &mut found, limit);
        (found, whole)
    }

    fn collect(
        &self,
        set: PacketSet,
        sides: &mut Vec<(Field, Vec<Range>)>,
        found: &mut Vec<Cube>,
        limit: usize,
    ) -> bool {
        if set.is_empty() {
            return true;
        }
        if found.len() >= limit {
            return false;
        }
        if set == PacketSet::ALL {
            found.push(Cube { sides: sides.clone() });
            return true;
        }
        let node = self.node(set);
        let mut whole = true;
        for (target, ranges) in by_target(node.lasts, node.targets) {
            sides.push((node.field, ranges));
            whole &= self.collect(target, sides, found, limit);
            sides.pop();
        }
        whole
    }
}

/// The targets of a node in order of first appearance, each with its ranges.
fn by_target(lasts: &[u128], targets: &[PacketSet]) -> Vec<(PacketSet, Vec<Range>)> {
    let mut places: FxHashMap<PacketSet, usize> = FxHashMap::default();
    let mut grouped: Vec<(PacketSet, Vec<Range>)> = Vec::new();
    let mut first = 0;
    for (last, target) in lasts.iter().zip(targets) {
        if !target.is_empty() {
            let place = *places.entry(*target).or_insert_with(|| {
                grouped.push((*target, Vec::new()));
                grouped.len() - 1
            });
            grouped[place].1.push((first, *last));
        }
        first = last.wrapping_add(1);
    }
    grouped
}
