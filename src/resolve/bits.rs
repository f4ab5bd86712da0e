//! A set of small numbers, one bit each.

/// A set of numbers below a fixed limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
    limit: usize,
}

impl Bits {
    /// The empty set of numbers below `limit`.
    pub fn none(limit: usize) -> Self {
        Bits { words: vec![0; limit.div_ceil(64)], limit }
    }

    /// All numbers below `limit`.
    pub fn all(limit: usize) -> Self {
        let mut bits = Bits { words: vec![u64::MAX; limit.div_ceil(64)], limit };
        bits.trim();
        bits
    }

    /// Clears what is beyond the limit.
    fn trim(&mut self) {
        let rest = self.limit % 64;
        if let Some(last) = self.words.last_mut().filter(|_| rest != 0) {
            *last &= (1 << rest) - 1;
        }
    }

    /// Adds a number.
    #[inline]
    pub fn insert(&mut self, number: u32) {
        self.words[number as usize / 64] |= 1 << (number % 64);
    }

    /// Adds the numbers from `first` up to but without `end`.
    pub fn insert_range(&mut self, first: u32, end: u32) {
        if first >= end {
            return;
        }
        let (from, to) = (first as usize / 64, (end as usize - 1) / 64);
        let low = u64::MAX << (first % 64);
        let high = u64::MAX >> (63 - (end - 1) % 64);
        if from == to {
            self.words[from] |= low & high;
        } else {
            self.words[from] |= low;
            self.words[from + 1..to].fill(u64::MAX);
            self.words[to] |= high;
        }
    }

    /// Whether a number is in the set.
    #[inline]
    pub fn contains(&self, number: u32) -> bool {
        self.words[number as usize / 64] >> (number % 64) & 1 != 0
    }

    /// Keeps what is in both.
    pub fn intersect(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(own, other)| *own &= other);
    }

    /// Adds what is in the other.
    pub fn unite(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(own, other)| *own |= other);
    }

    /// Removes what is in the other.
    pub fn subtract(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(own, other)| *own &= !other);
    }

    /// Turns the set into what was not in it.
    pub fn complement(&mut self) {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.trim();
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many numbers are in the set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            let base = index as u32 * 64;
            std::iter::successors((word != 0).then_some(word), |word| {
                let rest = word & (word - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |word| base + word.trailing_zeros())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_as_a_set(
            limit in 1usize..300,
            points in prop::collection::vec(0u32..300, 0..20),
            ranges in prop::collection::vec((0u32..300, 0u32..300), 0..4),
        ) {
            let limit_number = limit as u32;
            let mut bits = Bits::none(limit);
            let mut expected = BTreeSet::new();
            for point in points.into_iter().filter(|point| *point < limit_number) {
                bits.insert(point);
                expected.insert(point);
            }
            for (first, end) in ranges {
                let end = end.min(limit_number);
                bits.insert_range(first, end);
                expected.extend(first..end);
            }
            prop_assert_eq!(bits.iter().collect::<BTreeSet<_>>(), expected.clone());
            prop_assert_eq!(bits.count(), expected.len());
            let mut rest = bits.clone();
            rest.complement();
            prop_assert!(rest.iter().all(|number| number < limit_number && !bits.contains(number)));
            prop_assert_eq!(rest.count() + bits.count(), limit);
            rest.unite(&bits);
            prop_assert_eq!(&rest, &Bits::all(limit));
            rest.subtract(&bits);
            rest.intersect(&bits);
            prop_assert!(rest.is_empty());
        }
    }
}
