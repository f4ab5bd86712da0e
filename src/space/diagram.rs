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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Node<'s> {
    pub(super) field: Field,
    pub(super) lasts: &'s [u128],
    pub(super) targets: &'s [PacketSet],
}

impl Node<'_> {
    /// The last value of an answer, and where it leads.
    pub(super) fn edge(&self, at: usize) -> (u128, PacketSet) {
        (self.lasts[at], self.targets[at])
    }
}

/// All sets of packets of one family that have been made.
#[derive(Debug)]
pub struct Space {
    pub(super) family: Family,
    /// of each node its field, and where its edges begin, which end where those of the next one begin; the first two
    /// stand for the empty and the full set, and are never looked at
    nodes: Vec<(Field, usize)>,
    /// the edges of all nodes: there are millions of small nodes, and none has a life of its own
    lasts: Vec<u128>,
    targets: Vec<PacketSet>,
    /// room for edges in the making
    spare: Vec<Edges>,
    /// by hash the first node that has it, and others that have it too
    known: FxHashMap<u64, u32>,
    collided: FxHashMap<u64, Vec<u32>>,
    pub(super) results: FxHashMap<(Operation, PacketSet, PacketSet), PacketSet>,
    pub(super) work: u64,
}

impl Space {
    /// A space without sets but the empty one and the full one.
    pub fn new(family: Family) -> Self {
        let terminal = (Field::Source, 0);
        Space {
            family,
            nodes: vec![terminal, terminal],
            lasts: Vec::new(),
            targets: Vec::new(),
            spare: Vec::new(),
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
            let number = number as u32;
            let hash = hash(&self.node(PacketSet(number)));
            if self.known.get(&hash) == Some(&number) {
                self.known.remove(&hash);
            } else if let Some(others) = self.collided.get_mut(&hash) {
                others.retain(|other| *other != number);
            }
        }
        let edges = self.nodes.get(length).map_or(self.lasts.len(), |(_, start)| *start);
        self.lasts.truncate(edges);
        self.targets.truncate(edges);
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

    pub(super) fn node(&self, set: PacketSet) -> Node<'_> {
        let number = set.0 as usize;
        let (field, start) = self.nodes[number];
        let end = self.nodes.get(number + 1).map_or(self.lasts.len(), |(_, next)| *next);
        Node { field, lasts: &self.lasts[start..end], targets: &self.targets[start..end] }
    }

    /// Edges of a node in the making; [`Space::make`] takes them back.
    pub(super) fn edges(&mut self) -> Edges {
        self.spare.pop().unwrap_or_default()
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
        let mut edges = self.edges();
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
    pub(super) fn make(&mut self, field: Field, mut edges: Edges) -> PacketSet {
        let made = match edges.targets[..] {
            [only] => only,
            _ => self.known_or_new(Node { field, lasts: &edges.lasts, targets: &edges.targets }),
        };
        edges.lasts.clear();
        edges.targets.clear();
        self.spare.push(edges);
        made
    }

    fn known_or_new(&mut self, node: Node<'_>) -> PacketSet {
        let hash = hash(&node);
        let number = u32::try_from(self.nodes.len()).expect("fewer nodes than 32 bits can count");
        match self.known.get(&hash).map(|first| PacketSet(*first)) {
            None => {
                self.known.insert(hash, number);
            }
            Some(first) if self.node(first) == node => return first,
            Some(_) => {
                let others = self.collided.get(&hash).into_iter().flatten();
                if let Some(same) = others.map(|it| PacketSet(*it)).find(|other| self.node(*other) == node) {
                    return same;
                }
                self.collided.entry(hash).or_default().push(number);
            }
        }
        self.nodes.push((node.field, self.lasts.len()));
        self.lasts.extend_from_slice(node.lasts);
        self.targets.extend_from_slice(node.targets);
        PacketSet(number)
    }
}

/// A point in the life of a [`Space`].
#[derive(Debug, Clone, Copy)]
pub struct Moment(usize);

fn hash(node: &Node<'_>) -> u64 {
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
