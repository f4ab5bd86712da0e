//! Which of many labelled things a selector selects, all at once.
//!
//! Things are numbers. For every label key there is a column: for each of its values, the things
//! that carry it. A selector is then a few operations on sets of bits, however many things there
//! are; no selector is ever tested against a single thing.

use super::bits::Bits;
use crate::syntax::selector::Node;
use rustc_hash::FxHashMap;

/// The things that carry one value of a label.
#[derive(Debug, Default, Clone)]
struct Posting {
    points: Vec<u32>,
    /// first, and one after the last
    ranges: Vec<(u32, u32)>,
}

impl Posting {
    fn add_to(&self, bits: &mut Bits) {
        self.points.iter().for_each(|&point| bits.insert(point));
        self.ranges.iter().for_each(|&(first, end)| bits.insert_range(first, end));
    }
}

#[derive(Debug, Default)]
struct Column<'l> {
    by_value: FxHashMap<&'l str, Posting>,
}

/// Labels of things, by key and value.
#[derive(Debug, Default)]
pub struct LabelIndex<'l> {
    columns: FxHashMap<Box<str>, Column<'l>>,
    /// keys that are not in `columns` are ignored rather than added
    closed: bool,
    things: usize,
}

impl<'l> LabelIndex<'l> {
    /// An index of things below `things` that takes every label it is given.
    pub fn of_everything(things: usize) -> Self {
        LabelIndex { columns: FxHashMap::default(), closed: false, things }
    }

    /// An index that takes labels with these keys only. How many things there are is said later.
    pub fn of_keys<'k>(keys: impl IntoIterator<Item = &'k str>) -> Self {
        let columns = keys.into_iter().map(|key| (key.into(), Column::default())).collect();
        LabelIndex { columns, closed: true, things: 0 }
    }

    /// Says that all things are below `things`.
    pub fn set_limit(&mut self, things: usize) {
        self.things = things;
    }

    /// Changes the numbers of all things that were added singly.
    pub fn each_point(&mut self, change: &dyn Fn(&mut u32)) {
        let postings = self.columns.values_mut().flat_map(|column| column.by_value.values_mut());
        postings.flat_map(|posting| &mut posting.points).for_each(change);
    }

    fn posting(&mut self, key: &str, value: &'l str) -> Option<&mut Posting> {
        if !self.closed && !self.columns.contains_key(key) {
            self.columns.insert(key.into(), Column::default());
        }
        Some(self.columns.get_mut(key)?.by_value.entry(value).or_default())
    }

    /// Says that a thing carries a label. Nothing may carry two values of one key.
    #[inline]
    pub fn add(&mut self, thing: u32, key: &str, value: &'l str) {
        if let Some(posting) = self.posting(key, value) {
            posting.points.push(thing);
        }
    }

    /// As [`LabelIndex::add`], for things that come in ascending order: neighbours with the same label
    /// become a range.
    pub fn add_next(&mut self, thing: u32, key: &str, value: &'l str) {
        let Some(posting) = self.posting(key, value) else { return };
        if let Some((_, end)) = posting.ranges.last_mut().filter(|(_, end)| *end == thing) {
            *end += 1;
        } else if posting.points.last().is_some_and(|last| last + 1 == thing) {
            posting.points.pop();
            posting.ranges.push((thing - 1, thing + 1));
        } else {
            posting.points.push(thing);
        }
    }

    /// Says that all things from `first` up to but without `end` carry a label.
    pub fn add_range(&mut self, first: u32, end: u32, key: &str, value: &'l str) {
        if let Some(posting) = self.posting(key, value) {
            posting.ranges.push((first, end));
        }
    }

    /// The things that a selector selects.
    pub fn select(&self, selector: &Node) -> Bits {
        match selector {
            Node::Equals(key, value) => self.among(key, std::slice::from_ref(value)),
            Node::NotEquals(key, value) => without(self.among(key, std::slice::from_ref(value))),
            Node::Contains(key, part) => self.passing(key, |own| own.contains(&**part)),
            Node::StartsWith(key, part) => self.passing(key, |own| own.starts_with(&**part)),
            Node::EndsWith(key, part) => self.passing(key, |own| own.ends_with(&**part)),
            Node::In(key, values) => self.among(key, values),
            Node::NotIn(key, values) => without(self.among(key, values)),
            Node::Has(key) => self.passing(key, |_| true),
            Node::All | Node::Global => Bits::all(self.things),
            Node::Not(operand) => without(self.select(operand)),
            Node::And(operands) => self.join(operands, Bits::intersect),
            Node::Or(operands) => self.join(operands, Bits::unite),
        }
    }

    fn join(&self, operands: &[Node], join: fn(&mut Bits, &Bits)) -> Bits {
        let mut operands = operands.iter();
        let Some(first) = operands.next() else { return Bits::none(self.things) };
        let mut bits = self.select(first);
        operands.for_each(|operand| join(&mut bits, &self.select(operand)));
        bits
    }

    /// Things whose value of a label passes a test.
    fn passing(&self, key: &str, test: impl Fn(&str) -> bool) -> Bits {
        let mut bits = Bits::none(self.things);
        if let Some(column) = self.columns.get(key) {
            let passing = column.by_value.iter().filter(|(value, _)| test(value));
            passing.for_each(|(_, posting)| posting.add_to(&mut bits));
        }
        bits
    }

    /// Things whose value of a label is one of these.
    fn among(&self, key: &str, values: &[Box<str>]) -> Bits {
        let mut bits = Bits::none(self.things);
        if let Some(column) = self.columns.get(key) {
            for value in values {
                if let Some(posting) = column.by_value.get(&**value) {
                    posting.add_to(&mut bits);
                }
            }
        }
        bits
    }
}

fn without(mut bits: Bits) -> Bits {
    bits.complement();
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::selector;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn neighbours_that_became_a_range_are_all_found(values in prop::collection::vec(0..3_usize, 0..200)) {
            let texts = ["a", "b", "c"];
            let (mut single, mut next) =
                (LabelIndex::of_everything(values.len()), LabelIndex::of_everything(values.len()));
            for (thing, value) in (0..).zip(&values) {
                single.add(thing, "key", texts[*value]);
                next.add_next(thing, "key", texts[*value]);
            }
            for text in ["key == 'a'", "key in {'b', 'c'}", "has(key)", "key != 'c'"] {
                let selector = selector::parse(text).unwrap();
                prop_assert_eq!(single.select(selector.root()), next.select(selector.root()));
            }
        }
    }
}
