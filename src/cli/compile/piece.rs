//! Texts of which files are put together, so that what many nodes have is made once.

use crate::emit::{self, Dialect};
use crate::felix;
use crate::ir::{Chain, IpSet, RuleSet};
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::io;
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
            Piece::Own(text) => Stored::new(text, compressed.then_some(Level::Fast)).map(Arc::new),
            Piece::Shared(stored) => Ok(stored),
        }
    }
}

impl Stored {
    /// A piece of its own: compressed, it is one member of a gzip file, and members one after another are the
    /// texts one after another.
    fn new(text: Vec<u8>, compressed: Option<Level>) -> io::Result<Stored> {
        let len = text.len() as u64;
        let bytes = match compressed {
            Some(level) => gzip(&text, level)?,
            None => text,
        };
        Ok(Stored { len, bytes })
    }
}

thread_local! {
    /// What compresses, made once: its tables are larger than most of what is compressed.
    static COMPRESS: RefCell<[Option<Compress>; 2]> = const { RefCell::new([None, None]) };
}

/// How well something is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// what one node has
    Fast,
    /// what many nodes have
    Well,
}

/// One member of a gzip file (RFC 1952), without a time: the same for the same text.
pub fn gzip(text: &[u8], level: Level) -> io::Result<Vec<u8>> {
    let (compression, flag) = match level {
        Level::Fast => (Compression::fast(), 4),
        Level::Well => (Compression::default(), 0),
    };
    let mut out = Vec::with_capacity(text.len() / 4 + 64);
    out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, flag, 0xff]);
    COMPRESS.with_borrow_mut(|all| -> io::Result<()> {
        let compress = all[level as usize].get_or_insert_with(|| Compress::new(compression, false));
        compress.reset();
        loop {
            let done = compress.total_in() as usize;
            match compress.compress_vec(&text[done..], &mut out, FlushCompress::Finish)? {
                Status::StreamEnd => return Ok(()),
                Status::Ok | Status::BufError => out.reserve(out.len().max(64)),
            }
        }
    })?;
    let mut sum = Crc::new();
    sum.update(text);
    out.extend_from_slice(&sum.sum().to_le_bytes());
    out.extend_from_slice(&sum.amount().to_le_bytes());
    // there are many of these, and what was made has room for more
    Ok(out.as_slice().into())
}

/// What was made so far.
type Known<K, V> = Mutex<FxHashMap<K, V>>;

/// Texts of sets and chains that were made so far.
pub struct Texts {
    compressed: bool,
    /// by the number of the configuration, and the set's name
    sets: Known<(usize, Arc<str>), Arc<Stored>>,
    /// by the address of the chain, which stays where it is as long as it is here
    chains: Known<usize, (Arc<Chain>, Arc<str>)>,
    kept: AtomicUsize,
    /// how long the longest text of rules is
    longest: AtomicUsize,
}

impl Texts {
    pub fn new(compressed: bool) -> Self {
        let (kept, longest) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Texts { compressed, sets: Mutex::default(), chains: Mutex::default(), kept, longest }
    }

    /// The text of one family's rules. `write` writes the rules of a chain; those of chains that nodes share are
    /// written once.
    pub fn rules(&self, rules: &RuleSet, dialect: Dialect, write: &dyn Fn(&mut String, &Chain)) -> Piece {
        // nodes are alike, so that this rarely has to grow
        let longest = self.longest.load(Relaxed);
        let mut text = String::with_capacity(longest + longest / 8);
        emit::write_chains(&mut text, rules, dialect, &mut |text, chain| {
            if felix::is_in_common(chain) {
                text.push_str(&self.chain(chain, write));
            } else {
                write(text, chain);
            }
        });
        self.longest.fetch_max(text.len(), Relaxed);
        Piece::Own(text.into_bytes())
    }

    fn chain(&self, chain: &Arc<Chain>, write: &dyn Fn(&mut String, &Chain)) -> Arc<str> {
        let known = || self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Arc::as_ptr(chain).addr();
        if let Some((_, found)) = known().get(&key) {
            return found.clone();
        }
        let mut text = String::new();
        write(&mut text, chain);
        let text: Arc<str> = text.into();
        known().insert(key, (chain.clone(), text.clone()));
        text
    }

    /// The text of all sets of a node, some given. `alike`: which nodes have the same configuration; what a set of
    /// rules has depends on nothing else. Felix's own sets are the node's.
    pub fn sets<'s>(
        &self,
        alike: usize,
        sets: impl Iterator<Item = (&'s IpSet, Option<String>)>,
    ) -> io::Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let mut own = String::new();
        for (set, given) in sets {
            match given {
                Some(text) => own.push_str(&text),
                None if set.meaning.is_none() => emit::ipset::write_set(&mut own, set),
                None => {
                    if !own.is_empty() {
                        pieces.push(Piece::Own(std::mem::take(&mut own).into_bytes()));
                    }
                    pieces.push(Piece::Shared(self.shared(alike, set)?));
                }
            }
        }
        pieces.push(Piece::Own(own.into_bytes()));
        Ok(pieces)
    }

    fn shared(&self, alike: usize, set: &IpSet) -> io::Result<Arc<Stored>> {
        let known = || self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (alike, set.name.clone());
        if let Some(found) = known().get(&key) {
            return Ok(found.clone());
        }
        let mut text = String::new();
        emit::ipset::write_set(&mut text, set);
        // it is compressed once, and written for every node that has it
        let level = self.compressed.then_some(Level::Well);
        let made = Arc::new(Stored::new(text.into_bytes(), level)?);
        if self.kept.fetch_add(made.bytes.len(), Relaxed) < KEPT {
            known().insert(key, made.clone());
        }
        Ok(made)
    }
}
