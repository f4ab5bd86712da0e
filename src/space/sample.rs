//! One packet of a set.

use super::diagram::{PacketSet, Space};
use super::field::Field;

impl Space {
    /// A packet of the set, as the values of all fields in their order; `None` if it is empty. It is
    /// always the same one: the smallest.
    pub fn sample(&self, set: PacketSet) -> Option<[u128; Field::ALL.len()]> {
        let mut values = [0; Field::ALL.len()];
        let mut at = set;
        while !at.is_terminal() {
            let node = self.node(at);
            let found = node.targets.iter().position(|target| !target.is_empty())?;
            values[node.field as usize] = if found == 0 { 0 } else { node.lasts[found - 1] + 1 };
            at = node.targets[found];
        }
        (at == PacketSet::ALL).then_some(values)
    }

    /// Whether a packet, given by the values of all fields, is in the set.
    pub fn contains(&self, set: PacketSet, values: &[u128; Field::ALL.len()]) -> bool {
        let mut at = set;
        while !at.is_terminal() {
            let node = self.node(at);
            let value = values[node.field as usize];
            let found = node.lasts.partition_point(|last| *last < value);
            match node.targets.get(found) {
                Some(target) => at = *target,
                None => return false,
            }
        }
        at == PacketSet::ALL
    }
}
