use super::{Field, PacketSet, Range, Space};
use crate::ir::Family;
use proptest::prelude::*;

/// A box over four fields, each with a small range: many boxes meet, touch and contain one another.
type Small = [Range; 4];

const FIELDS: [Field; 4] = [Field::State, Field::Protocol, Field::Destination, Field::Source];
const SIDE: u128 = 6;

fn range() -> impl Strategy<Value = Range> {
    (0..SIDE, 0..SIDE).prop_map(|(a, b)| (a.min(b), a.max(b)))
}

fn small() -> impl Strategy<Value = Small> {
    [range(), range(), range(), range()]
}

fn boxes() -> impl Strategy<Value = Vec<Small>> {
    proptest::collection::vec(small(), 0..5)
}

fn make(space: &mut Space, boxes: &[Small]) -> PacketSet {
    let sets: Vec<PacketSet> = boxes
        .iter()
        .map(|sides| {
            FIELDS.iter().zip(sides).fold(PacketSet::ALL, |set, (field, side)| {
                let side = space.with(*field, &[*side]);
                space.intersection(set, side)
            })
        })
        .collect();
    space.union_of(sets)
}

/// Every point of the small corner, and some outside of it.
fn points() -> impl Iterator<Item = [u128; 4]> {
    let values = || (0..=SIDE).chain([200]);
    values().flat_map(move |a| {
        values().flat_map(move |b| values().flat_map(move |c| values().map(move |d| [a, b, c, d])))
    })
}

fn in_boxes(boxes: &[Small], point: &[u128; 4]) -> bool {
    boxes
        .iter()
        .any(|sides| sides.iter().zip(point).all(|((first, last), value)| (*first..=*last).contains(value)))
}

fn whole(point: &[u128; 4]) -> [u128; Field::ALL.len()] {
    let mut values = [7; Field::ALL.len()];
    for (field, value) in FIELDS.iter().zip(point) {
        values[*field as usize] = *value;
    }
    values
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn operations_are_those_of_sets(a in boxes(), b in boxes()) {
        let mut space = Space::new(Family::V4);
        let (set_a, set_b) = (make(&mut space, &a), make(&mut space, &b));
        let union = space.union(set_a, set_b);
        let both = space.intersection(set_a, set_b);
        let only_a = space.difference(set_a, set_b);
        let not_a = space.complement(set_a);
        for point in points() {
            let (in_a, in_b) = (in_boxes(&a, &point), in_boxes(&b, &point));
            let values = whole(&point);
            prop_assert_eq!(space.contains(set_a, &values), in_a);
            prop_assert_eq!(space.contains(union, &values), in_a || in_b);
            prop_assert_eq!(space.contains(both, &values), in_a && in_b);
            prop_assert_eq!(space.contains(only_a, &values), in_a && !in_b);
            prop_assert_eq!(space.contains(not_a, &values), !in_a);
        }
        // equal sets are the same node, however they came about
        let again = space.union(only_a, both);
        prop_assert_eq!(again, set_a);
        let twice = space.complement(not_a);
        prop_assert_eq!(twice, set_a);
        let same = a.iter().rev().copied().collect::<Vec<_>>();
        prop_assert_eq!(make(&mut space, &same), set_a);
    }

    #[test]
    fn a_sample_is_in_the_set(a in boxes(), b in boxes()) {
        let mut space = Space::new(Family::V6);
        let (set_a, set_b) = (make(&mut space, &a), make(&mut space, &b));
        let set = space.difference(set_a, set_b);
        match space.sample(set) {
            Some(values) => prop_assert!(space.contains(set, &values)),
            None => prop_assert!(set.is_empty()),
        }
    }

    #[test]
    fn cubes_are_the_set_and_do_not_overlap(a in boxes(), b in boxes()) {
        let mut space = Space::new(Family::V4);
        let (set_a, set_b) = (make(&mut space, &a), make(&mut space, &b));
        let set = space.difference(set_a, set_b);
        let (cubes, all) = space.cubes(set, 10_000);
        prop_assert!(all);
        let mut seen = PacketSet::NONE;
        for cube in cubes {
            let one = cube.sides.iter().fold(PacketSet::ALL, |set, (field, ranges)| {
                let side = space.with(*field, ranges);
                space.intersection(set, side)
            });
            let common = space.intersection(seen, one);
            prop_assert!(common.is_empty());
            seen = space.union(seen, one);
        }
        prop_assert_eq!(seen, set);
    }

    #[test]
    fn a_forgotten_field_may_have_any_value(a in boxes(), field in 0..4usize) {
        let mut space = Space::new(Family::V4);
        let set = make(&mut space, &a);
        let forgotten = space.forget(set, FIELDS[field]);
        for point in points() {
            let somewhere = (0..=SIDE).any(|value| {
                let mut other = point;
                other[field] = value;
                in_boxes(&a, &other)
            });
            prop_assert_eq!(space.contains(forgotten, &whole(&point)), somewhere);
        }
    }
}

#[test]
fn ranges_may_overlap_touch_and_reach_the_end() {
    let mut space = Space::new(Family::V4);
    let a = space.with(Field::SourcePort, &[(10, 20), (15, 30), (31, 40), (5, 4), (70_000, 80_000)]);
    let b = space.with(Field::SourcePort, &[(10, 40)]);
    assert_eq!(a, b);
    assert_eq!(space.with(Field::SourcePort, &[(0, u128::MAX)]), PacketSet::ALL);
    assert_eq!(space.with(Field::SourcePort, &[]), PacketSet::NONE);
    let mut space = Space::new(Family::V6);
    let all = space.with(Field::Source, &[(0, u128::MAX)]);
    assert_eq!(all, PacketSet::ALL);
    let high = space.with(Field::Source, &[(1, u128::MAX)]);
    let low = space.with_value(Field::Source, 0);
    assert_eq!(space.union(high, low), PacketSet::ALL);
}

#[test]
fn a_rewritten_field_has_the_new_value() {
    let mut space = Space::new(Family::V4);
    let (low, tcp) = (space.with(Field::Destination, &[(0, 9)]), space.with_value(Field::Protocol, 6));
    let set = space.intersection(low, tcp);
    let moved = space.rewrite(set, Field::Destination, &[(77, 77)]);
    let there = space.with_value(Field::Destination, 77);
    assert_eq!(moved, space.intersection(there, tcp));
}

#[test]
fn what_is_forgotten_can_be_made_again() {
    let mut space = Space::new(Family::V4);
    let kept = space.with(Field::Destination, &[(0, 9)]);
    let before = space.now();
    let make = |space: &mut Space| {
        let other = space.with(Field::Destination, &[(5, 20)]);
        let both = space.intersection(kept, other);
        (other, both, space.union(kept, other))
    };
    let first = make(&mut space);
    let length = space.len();
    space.forget_since(before);
    assert!(space.len() < length);
    assert_eq!(space.with(Field::Destination, &[(0, 9)]), kept);
    assert_eq!(make(&mut space), first);
    assert_eq!(space.len(), length);
    let mut inside = [0; Field::ALL.len()];
    assert!(!space.contains(first.1, &inside));
    inside[Field::Destination as usize] = 7;
    assert!(space.contains(first.1, &inside));
}
