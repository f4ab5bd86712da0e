//! Union, intersection, difference; projection.

use super::diagram::{PacketSet, Space};
use super::field::{Field, Range};

/// Operations on two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    Union,
    Intersection,
    Difference,
}

impl Operation {
    /// The result where it does not depend on what the sets look like.
    fn shortcut(self, a: PacketSet, b: PacketSet) -> Option<PacketSet> {
        const NONE: PacketSet = PacketSet::NONE;
        const ALL: PacketSet = PacketSet::ALL;
        match self {
            Operation::Union if a == b || b == NONE => Some(a),
            Operation::Union if a == NONE => Some(b),
            Operation::Union if a == ALL || b == ALL => Some(ALL),
            Operation::Intersection if a == b || b == ALL => Some(a),
            Operation::Intersection if a == ALL => Some(b),
            Operation::Intersection if a == NONE || b == NONE => Some(NONE),
            Operation::Difference if a == b || a == NONE || b == ALL => Some(NONE),
            Operation::Difference if b == NONE => Some(a),
            _ => None,
        }
    }
}

impl Space {
    /// Packets that are in either.
    pub fn union(&mut self, a: PacketSet, b: PacketSet) -> PacketSet {
        // the order does not matter: one entry in the table of results
        self.apply(Operation::Union, a.min(b), a.max(b))
    }

    /// Packets that are in both.
    pub fn intersection(&mut self, a: PacketSet, b: PacketSet) -> PacketSet {
        self.apply(Operation::Intersection, a.min(b), a.max(b))
    }

    /// Packets that are in the first only.
    pub fn difference(&mut self, a: PacketSet, b: PacketSet) -> PacketSet {
        self.apply(Operation::Difference, a, b)
    }

    /// Packets that are not in it.
    pub fn complement(&mut self, set: PacketSet) -> PacketSet {
        self.difference(PacketSet::ALL, set)
    }

    /// Whether every packet of the first is in the second.
    pub fn is_subset(&mut self, a: PacketSet, b: PacketSet) -> bool {
        self.difference(a, b).is_empty()
    }

    /// Packets that are in any of them.
    pub fn union_of(&mut self, sets: impl IntoIterator<Item = PacketSet>) -> PacketSet {
        // in pairs, so that no large set is gone through again for each small one
        let mut left: Vec<PacketSet> = sets.into_iter().collect();
        while left.len() > 1 {
            left = left
                .chunks(2)
                .map(|pair| pair.iter().fold(PacketSet::NONE, |a, b| self.union(a, *b)))
                .collect();
        }
        left.first().copied().unwrap_or(PacketSet::NONE)
    }

    /// The depth of the recursion is the number of fields.
    fn apply(&mut self, operation: Operation, a: PacketSet, b: PacketSet) -> PacketSet {
        if let Some(result) = operation.shortcut(a, b) {
            return result;
        }
        let key = (operation, a, b);
        if let Some(result) = self.results.get(&key) {
            return *result;
        }
        // the question that comes first; a set that does not ask it has one answer for all values
        let field = match (self.first_field(a), self.first_field(b)) {
            (Some(a), Some(b)) => a.min(b),
            (Some(field), None) | (None, Some(field)) => field,
            (None, None) => return PacketSet::NONE,
        };
        let (mut of_a, mut of_b) = (Cursor::new(self, a, field), Cursor::new(self, b, field));
        let mut edges = self.edges();
        let largest = field.largest(self.family);
        loop {
            let ((end_a, target_a), (end_b, target_b)) =
                (of_a.current(self, a, largest), of_b.current(self, b, largest));
            let end = end_a.min(end_b);
            let target = self.apply_ordered(operation, target_a, target_b);
            edges.push(end, target);
            if end == largest {
                break;
            }
            of_a.advance(end_a == end);
            of_b.advance(end_b == end);
        }
        self.work += edges.len() as u64;
        let result = self.make(field, edges);
        self.results.insert(key, result);
        result
    }

    fn apply_ordered(&mut self, operation: Operation, a: PacketSet, b: PacketSet) -> PacketSet {
        match operation {
            Operation::Difference => self.apply(operation, a, b),
            _ => self.apply(operation, a.min(b), a.max(b)),
        }
    }

    /// Packets that are in the set once the field is given some value: the field is no longer asked.
    pub fn forget(&mut self, set: PacketSet, field: Field) -> PacketSet {
        match self.first_field(set) {
            None => set,
            Some(first) if first > field => set,
            Some(first) if first == field => {
                let targets = self.node(set).targets.to_vec();
                self.union_of(targets)
            }
            Some(first) => self.with_answers(set, first, |space, answer| space.forget(answer, field)),
        }
    }

    /// A set that asks the field `first`, with what becomes of each answer to it.
    fn with_answers(
        &mut self,
        set: PacketSet,
        first: Field,
        become_of: impl Fn(&mut Self, PacketSet) -> PacketSet,
    ) -> PacketSet {
        let mut edges = self.edges();
        for at in 0..self.node(set).lasts.len() {
            let (last, target) = self.node(set).edge(at);
            edges.push(last, become_of(self, target));
        }
        self.make(first, edges)
    }

    /// Packets that are in the set once fields are given these values: the fields are no longer asked.
    pub fn given(&mut self, set: PacketSet, values: &[(Field, u128)]) -> PacketSet {
        let Some(first) = self.first_field(set) else { return set };
        if let Some((_, value)) = values.iter().find(|(field, _)| *field == first) {
            let node = self.node(set);
            let target = node.targets[node.lasts.partition_point(|last| last < value)];
            return self.given(target, values);
        }
        if values.iter().all(|(field, _)| *field < first) {
            return set;
        }
        self.with_answers(set, first, |space, answer| space.given(answer, values))
    }

    /// What the packets become when the field of each is set to a value of these ranges.
    pub fn rewrite(&mut self, set: PacketSet, field: Field, ranges: &[Range]) -> PacketSet {
        let forgotten = self.forget(set, field);
        let wanted = self.with(field, ranges);
        self.intersection(forgotten, wanted)
    }
}

/// Goes through the answers of a set to one question; a set that does not ask it is its own answer.
struct Cursor {
    asks: bool,
    at: usize,
}

impl Cursor {
    fn new(space: &Space, set: PacketSet, field: Field) -> Self {
        Cursor { asks: space.first_field(set) == Some(field), at: 0 }
    }

    fn current(&self, space: &Space, set: PacketSet, largest: u128) -> (u128, PacketSet) {
        if !self.asks {
            return (largest, set);
        }
        space.node(set).edge(self.at)
    }

    fn advance(&mut self, reached: bool) {
        if self.asks && reached {
            self.at += 1;
        }
    }
}
