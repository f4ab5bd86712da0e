//! A number for a text that may come in pieces, whatever the pieces are.

use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Bytes seen so far.
#[derive(Default)]
pub(super) struct Digest {
    hasher: FxHasher,
    /// bytes that do not fill a word yet
    rest: [u8; 8],
    len: u64,
}

impl Digest {
    pub(super) fn of(text: &[u8]) -> u64 {
        let mut digest = Digest::default();
        digest.add(text);
        digest.finish()
    }

    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        let used = (self.len % 8) as usize;
        self.len += bytes.len() as u64;
        if used > 0 {
            let (first, others) = bytes.split_at(bytes.len().min(8 - used));
            self.rest[used..used + first.len()].copy_from_slice(first);
            bytes = others;
            if used + first.len() < 8 {
                return;
            }
            self.hasher.write_u64(u64::from_le_bytes(self.rest));
        }
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.hasher.write_u64(u64::from_le_bytes(*word)));
        self.rest[..rest.len()].copy_from_slice(rest);
    }

    pub(super) fn finish(mut self) -> u64 {
        self.hasher.write(&self.rest[..(self.len % 8) as usize]);
        self.hasher.write_u64(self.len);
        self.hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_do_not_matter_and_bytes_do(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8),
            at in any::<prop::sample::Index>(),
        ) {
            let mut digest = Digest::default();
            pieces.iter().for_each(|piece| digest.add(piece));
            let mut whole = pieces.concat();
            let found = digest.finish();
            prop_assert_eq!(found, Digest::of(&whole));
            whole.push(0);
            prop_assert_ne!(found, Digest::of(&whole));
            let at = at.index(whole.len());
            whole[at] ^= 1;
            whole.pop();
            if at < whole.len() {
                prop_assert_ne!(found, Digest::of(&whole));
            }
        }
    }
}
