//! Marks that stand for endpoints in IPVS mode (`felix/rules/epmark.go:87`, v3.32.1).

use std::collections::{BTreeMap, BTreeSet};

/// The mark of each endpoint, by interface name.
pub struct EndpointMarks(BTreeMap<Box<str>, u32>);

impl EndpointMarks {
    /// Allots a mark within `mask` to each interface: its name's FNV-1 hash, or the next free
    /// position after it. Position 0 is no mark, position 1 stands for everything that is not
    /// Calico's. Where two names collide, Felix's choice depends on who came first; here names
    /// are taken in the order given.
    pub fn new<'a>(mask: u32, interfaces: impl Iterator<Item = &'a str>) -> Self {
        let positions = 1u64 << mask.count_ones();
        let mut taken = BTreeSet::from([0, 1]);
        let mut marks = BTreeMap::new();
        for name in interfaces {
            if marks.contains_key(name) {
                continue;
            }
            let hash = u64::from(fnv1(name.as_bytes()));
            let free =
                (0..positions).map(|i| (hash + i) % positions).find(|position| !taken.contains(position));
            if let Some(position) = free {
                taken.insert(position);
                marks.insert(name.into(), spread(position, mask));
            }
        }
        EndpointMarks(marks)
    }

    /// The mark of an interface; `None` where the mask had no room for it.
    pub fn of(&self, interface: &str) -> Option<u32> {
        self.0.get(interface).copied()
    }
}

/// FNV-1 (not 1a), 32 bits.
fn fnv1(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| hash.wrapping_mul(0x0100_0193) ^ u32::from(*byte))
}

/// Lays the bits of a number into the bits of a mask, lowest first.
fn spread(mut number: u64, mask: u32) -> u32 {
    let mut mark = 0;
    for bit in (0..32).map(|i| 1u32 << i).filter(|bit| mask & bit != 0) {
        if number & 1 == 1 {
            mark |= bit;
        }
        number >>= 1;
    }
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_felix_marks() {
        let names = ["eth1", "cali7689c291055", "cali7fc13da2161"];
        let marks = EndpointMarks::new(0xffe0_0000, names.into_iter());
        let found: Vec<_> = names.iter().map(|name| marks.of(name)).collect();
        assert_eq!(found, [Some(0xf460_0000), Some(0xe1e0_0000), Some(0xfd60_0000)]);
    }

    #[test]
    fn a_full_mask_leaves_some_without_a_mark() {
        let marks = EndpointMarks::new(0b110, ["a", "b", "c"].into_iter());
        assert_eq!(["a", "b", "c"].iter().filter(|name| marks.of(name).is_some()).count(), 2);
    }
}
