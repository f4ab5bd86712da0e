//! Nodes, and the one table that they live in.

use super::algebra::Operation;
use super::field::{Field, Range};
use crate::ir::Family;
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

/// A set of packets: a node of a [`Space`]. Means nothing in another space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketSet(pub(super) u32);

impl PacketSet {
    /// No packet.
    pub const NONE: PacketSet = PacketSet(0);
    /// Every packet of the family.
    pub const ALL: PacketSet = PacketSet(1);

    /// Whether there is no packet in it.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    pub(super) fn is_terminal(self) -> bool {
        self.0 <= 1
    }
}

/// A question and where its answers lead: the values up to and with `lasts[i]` (and beyond
/// `lasts[i - 1]`) lead to `targets[i]`. The last of `lasts` is the field's largest value.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) field: Field,
    pub(super) lasts: Box<[u128]>,
    pub(super) targets: Box<[PacketSet]>,
}

/// All sets of packets of one family that have been made.
#[derive(Debug)]
pub struct Space {
    pub(super) family: Family,
    /// the first two stand for the empty and the full set, and are never looked at
    nodes: Vec<Node>,
    /// by hash the first node that has it, and others that have it too
    known: FxHashMap<u64, u32>,
    collided: FxHashMap<u64, Vec<u32>>,
    pub(super) results: FxHashMap<(Operation, PacketSet, PacketSet), PacketSet>,
    pub(super) work: u64,
}

impl Space {
    /// A space without sets but the empty one and the full one.
    pub fn new(family: Family) -> Self {
        let terminal = || Node { field: Field::Source, lasts: Box::default(), targets: Box::default() };
        Space {
            family,
            nodes: vec![terminal(), terminal()],
            known: FxHashMap::default(),
            collided: FxHashMap::default(),
            results: FxHashMap::default(),
            work: 0,
        }
    }

    /// The family.
    pub fn family(&self) -> Family {
        self.family
    }

    /// A point in time, for [`Space::forget_since`].
    pub fn now(&self) -> Moment {
        Moment(self.nodes.len())
    }

    /// Edges that operations have made so far, which is what they cost.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// Forgets every set that was made since a point in time, which must not be used any more, and the
    /// results of operations that are kept in case they are asked for again.
    pub fn forget_since(&mut self, Moment(length): Moment) {
        let length = length.max(2);
        for number in (length..self.nodes.len()).rev() {
            let hash = hash(&self.nodes[number]);
            let number = number as u32;
            if self.known.get(&hash) == Some(&number) {
                self.known.remove(&hash);
            } else if let Some(others) = self.collided.get_mut(&hash) {
                others.retain(|other| *other != number);
            }
        }
        self.nodes.truncate(length);
        self.results = FxHashMap::default();
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are only the two sets that every space has.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 2
    }

    pub(super) fn node(&self, set: PacketSet) -> &Node {
        &self.nodes[set.0 as usize]
    }

    /// The field that a set asks for first; `None` for the empty and the full set.
    pub(super) fn first_field(&self, set: PacketSet) -> Option<Field> {
        (!set.is_terminal()).then(|| self.node(set).field)
    }

    /// The packets whose field is in one of the ranges, in any order and overlapping as they like.
    pub fn with(&mut self, field: Field, ranges: &[Range]) -> PacketSet {
        let largest = field.largest(self.family);
        let mut sorted: Vec<Range> =
            ranges.iter().filter(|(first, last)| first <= last && *first <= largest).copied().collect();
        sorted.sort_unstable();
        let mut edges = Edges::default();
        let mut next = 0;
        for (first, last) in sorted {
            let last = last.min(largest);
            if last < next {
                continue;
            }
            if first > next {
                edges.push(first - 1, PacketSet::NONE);
            }
            edges.push(last, PacketSet::ALL);
            match last.checked_add(1) {
                Some(after) => next = after,
                None => break,
            }
        }
        if edges.end() != Some(largest) {
            edges.push(largest, PacketSet::NONE);
        }
        self.make(field, edges)
    }

    /// The packets whose field has this value.
    pub fn with_value(&mut self, field: Field, value: u128) -> PacketSet {
        self.with(field, &[(value, value)])
    }

    /// The node with these answers, made if it is not there yet; the target itself where all answers
    /// lead to one.
    pub(super) fn make(&mut self, field: Field, edges: Edges) -> PacketSet {
        if let [only] = edges.targets[..] {
            return only;
        }
        let node = Node { field, lasts: edges.lasts.into(), targets: edges.targets.into() };
        let hash = hash(&node);
        let number = u32::try_from(self.nodes.len()).expect("fewer nodes than 32 bits can count");
        match self.known.get(&hash) {
            None => {
                self.known.insert(hash, number);
            }
            Some(first) if self.nodes[*first as usize] == node => return PacketSet(*first),
            Some(_) => {
                let others = self.collided.entry(hash).or_default();
                if let Some(same) = others.iter().find(|other| self.nodes[**other as usize] == node) {
                    return PacketSet(*same);
                }
                others.push(number);
            }
        }
        self.nodes.push(node);
        PacketSet(number)
    }
}

/// A point in the life of a [`Space`].
#[derive(Debug, Clone, Copy)]
pub struct Moment(usize);

fn hash(node: &Node) -> u64 {
    let mut hasher = FxHasher::default();
    node.hash(&mut hasher);
    hasher.finish()
}

/// The answers of a node in the making, in order.
#[derive(Debug, Default)]
pub(super) struct Edges {
    lasts: Vec<u128>,
    targets: Vec<PacketSet>,
}

impl Edges {
    pub(super) fn with_capacity(edges: usize) -> Self {
        Edges { lasts: Vec::with_capacity(edges), targets: Vec::with_capacity(edges) }
    }

    /// The values beyond those so far, up to and with `last`, lead to `target`.
    pub(super) fn push(&mut self, last: u128, target: PacketSet) {
        match (self.targets.last(), self.lasts.last_mut()) {
            (Some(before), Some(end)) if *before == target => *end = last,
            _ => {
                self.lasts.push(last);
                self.targets.push(target);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lasts.len()
    }

    fn end(&self) -> Option<u128> {
        self.lasts.last().copied()
    }
}
