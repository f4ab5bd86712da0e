//! Texts of which files are put together, so that what many nodes have is made once.

use crate::emit;
use crate::ir::IpSet;
use flate2::{Compression, GzBuilder};
use rustc_hash::FxHashMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of texts of sets that are kept at most; beyond that they are made again.
const KEPT: usize = 512 << 20;

/// A file and its content.
pub struct File {
    /// its name in the node's folder
    pub name: String,
    /// its content
    pub pieces: Vec<Piece>,
}

/// A piece of a file.
pub enum Piece {
    /// the node's own
    Own(Vec<u8>),
    /// what others may have too
    Shared(Arc<Stored>),
}

/// Bytes as the output wants them.
pub struct Stored {
    /// how many they are when they are not compressed
    pub len: u64,
    /// the bytes, compressed if that is wanted
    pub bytes: Vec<u8>,
}

impl Piece {
    /// Its bytes as the output wants them.
    pub fn stored(self, compressed: bool) -> io::Result<Arc<Stored>> {
        match self {
            Piece::Own(text) => Stored::new(text, compressed).map(Arc::new),
            Piece::Shared(stored) => Ok(stored),
        }
    }
}

impl Stored {
    /// A piece of its own: compressed, it is one member of a gzip file, and members one after another are the
    /// texts one after another.
    fn new(text: Vec<u8>, compressed: bool) -> io::Result<Stored> {
        let len = text.len() as u64;
        let bytes = if compressed { gzip(&text)? } else { text };
        Ok(Stored { len, bytes })
    }
}

/// One member of a gzip file: the same for the same text.
pub fn gzip(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish()
}

/// Texts of sets that were made so far.
pub struct SetTexts {
    compressed: bool,
    /// by the number of the configuration, and the set's name
    known: Mutex<FxHashMap<(usize, Arc<str>), Arc<Stored>>>,
    kept: AtomicUsize,
}

impl SetTexts {
    pub fn new(compressed: bool) -> Self {
        SetTexts { compressed, known: Mutex::default(), kept: AtomicUsize::new(0) }
    }

    /// The text of all sets of a node. `alike`: which nodes have the same configuration; what a set of rules has
    /// depends on nothing else. Felix's own sets and those that were changed are made for the node.
    pub fn pieces(
        &self,
        alike: usize,
        sets: &[IpSet],
        changed: &dyn Fn(&IpSet) -> bool,
    ) -> io::Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let mut own = String::new();
        for set in sets {
            if set.meaning.is_none() || changed(set) {
                emit::ipset::write_set(&mut own, set);
                continue;
            }
            if !own.is_empty() {
                pieces.push(Piece::Own(std::mem::take(&mut own).into_bytes()));
            }
            pieces.push(Piece::Shared(self.shared(alike, set)?));
        }
        pieces.push(Piece::Own(own.into_bytes()));
        Ok(pieces)
    }

    fn shared(&self, alike: usize, set: &IpSet) -> io::Result<Arc<Stored>> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (alike, set.name.clone());
        if let Some(found) = known().get(&key) {
            return Ok(found.clone());
        }
        let mut text = String::new();
        emit::ipset::write_set(&mut text, set);
        let made = Arc::new(Stored::new(text.into_bytes(), self.compressed)?);
        if self.kept.fetch_add(made.bytes.len(), Relaxed) < KEPT {
            known().insert(key, made.clone());
        }
        Ok(made)
    }
}
