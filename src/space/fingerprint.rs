//! A name for a set that is the same in every space.

use super::diagram::{PacketSet, Space};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

impl Space {
    /// 16 hexadecimal digits that stand for the set, whatever else the space has.
    pub fn fingerprint(&self, set: PacketSet) -> String {
        let hash = self.hash(set, &mut FxHashMap::default());
        hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The depth of the recursion is that of the fields.
    fn hash(&self, set: PacketSet, known: &mut FxHashMap<PacketSet, [u8; 32]>) -> [u8; 32] {
        if let Some(hash) = known.get(&set) {
            return *hash;
        }
        let mut hash = Sha256::new();
        if set.is_terminal() {
            hash.update([u8::from(set == PacketSet::ALL)]);
        } else {
            let node = self.node(set);
            hash.update([node.field as u8]);
            for (last, target) in node.lasts.iter().zip(node.targets) {
                hash.update(last.to_be_bytes());
                hash.update(self.hash(*target, known));
            }
        }
        let hash = hash.finalize().into();
        known.insert(set, hash);
        hash
    }
}
