//! Texts of which files are put together, so that what many nodes have is made once.

use crate::emit::{self, Dialect, Part};
use crate::felix::{self, Scope};
use crate::ir::{Chain, IpSet, RuleSet};
use flate2::bufread::GzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// Bytes of texts of sets that are kept at most; beyond that they are made again.
const KEPT: usize = 512 << 20;

/// A file and its content.
pub struct File {
    /// its name in the node's folder
    pub name: String,
    /// its content; nodes share pieces
    pub pieces: Vec<Arc<Stored>>,
}

/// Bytes as the output wants them.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    /// how many they are when they are not compressed
    pub len: u64,
    /// the bytes, compressed if that is wanted
    pub bytes: Vec<u8>,
}

impl Stored {
    /// A piece of its own: compressed, it is one member of a gzip file, and members one after another are the
    /// texts one after another. The text is taken, or left empty with the room it had.
    fn new(text: &mut String, compressed: Option<Level>) -> io::Result<Arc<Stored>> {
        let len = text.len() as u64;
        let bytes = match compressed {
            Some(level) => {
                let bytes = gzip(text.as_bytes(), level)?;
                text.clear();
                bytes
            }
            None => std::mem::take(text).into_bytes(),
        };
        Ok(Arc::new(Stored { len, bytes }))
    }

    /// The text of a compressed piece.
    pub fn unpacked(&self) -> io::Result<Arc<Stored>> {
        let mut bytes = Vec::with_capacity(self.len as usize);
        GzDecoder::new(&*self.bytes).read_to_end(&mut bytes)?;
        Ok(Arc::new(Stored { len: self.len, bytes }))
    }
}

thread_local! {
    /// What compresses, made once: its tables are larger than most of what is compressed.
    static COMPRESS: RefCell<[Option<Compress>; 2]> = const { RefCell::new([None, None]) };
    /// Room for a text that is compressed, and not kept.
    static ROOM: Cell<String> = const { Cell::new(String::new()) };
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

/// Texts of sets and chains that were made so far.
pub struct Texts {
    compressed: Compressed,
    sets: RwLock<Sets>,
    chains: RwLock<Chains>,
    kept: AtomicUsize,
}

/// What is compressed.
#[derive(Debug, Clone, Copy)]
pub struct Compressed {
    /// rules
    pub rules: bool,
    /// sets
    pub sets: bool,
}

/// Texts by the number of the configuration, and the set's name.
type Sets = FxHashMap<(usize, Arc<str>), Arc<Stored>>;

/// Texts by the address of the chain, which stays where it is as long as it is here.
type Chains = FxHashMap<usize, (Arc<Chain>, Box<str>)>;

/// Texts of chains of a node's pods that both of its families have.
#[derive(Default)]
pub struct Pods(Vec<(Vec<Arc<Chain>>, Arc<Stored>)>);

/// Writes the rules of a chain.
pub type Write<'w> = &'w dyn Fn(&mut String, &Chain);

impl Texts {
    pub fn new(compressed: Compressed) -> Self {
        Texts { compressed, sets: RwLock::default(), chains: RwLock::default(), kept: AtomicUsize::new(0) }
    }

    /// Rules that no other node has.
    pub fn own_rules(&self, text: &mut String) -> io::Result<Arc<Stored>> {
        Stored::new(text, self.compressed.rules.then_some(Level::Fast))
    }

    /// Sets, or anything else, that no other node has.
    pub fn own(&self, text: &mut String) -> io::Result<Arc<Stored>> {
        Stored::new(text, self.compressed.sets.then_some(Level::Fast))
    }

    /// The text of one family's rules; those of chains that nodes or families share are written once. `pods`: the
    /// same for both families of a node, empty at first.
    pub fn rules(
        &self,
        rules: &RuleSet,
        dialect: Dialect,
        write: Write,
        pods: &mut Pods,
    ) -> io::Result<Vec<Arc<Stored>>> {
        let known = self.chains(rules, write);
        let mut pieces = Vec::new();
        let mut own = ROOM.take();
        let mut parts = emit::parts(rules, dialect).peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Begin(table) => emit::begin_table(&mut own, table, dialect),
                Part::End => emit::end_table(&mut own),
                Part::Chain(chain) => match felix::scope(chain) {
                    Scope::Own => write(&mut own, chain),
                    Scope::Nodes => own.push_str(&known[&Arc::as_ptr(chain).addr()].1),
                    Scope::Families => {
                        let mut run = vec![chain];
                        while let Some(Part::Chain(next)) = parts.next_if(
                            |part| matches!(part, Part::Chain(next) if felix::scope(next) == Scope::Families),
                        ) {
                            run.push(next);
                        }
                        pieces.push(self.own_rules(&mut own)?);
                        pieces.push(self.run(&run, write, &mut own, pods)?);
                    }
                },
            }
        }
        pieces.push(self.own_rules(&mut own)?);
        ROOM.set(own);
        Ok(pieces)
    }

    /// The text of chains of pods. `room`: an empty text.
    fn run(
        &self,
        run: &[&Arc<Chain>],
        write: Write,
        room: &mut String,
        pods: &mut Pods,
    ) -> io::Result<Arc<Stored>> {
        let is = |(known, _): &&(Vec<Arc<Chain>>, Arc<Stored>)| {
            known.len() == run.len() && known.iter().zip(run).all(|(known, chain)| Arc::ptr_eq(known, chain))
        };
        if let Some((_, stored)) = pods.0.iter().find(is) {
            return Ok(stored.clone());
        }
        run.iter().for_each(|chain| write(room, chain));
        let stored = self.own_rules(room)?;
        if run.iter().all(|chain| emit::is_alike(chain)) {
            pods.0.push((run.iter().map(|chain| Arc::clone(chain)).collect(), stored.clone()));
        }
        Ok(stored)
    }

    /// Texts of chains, among them of all that nodes share and these rules have.
    fn chains(&self, rules: &RuleSet, write: Write) -> RwLockReadGuard<'_, Chains> {
        let shared = || {
            let chains = rules.tables.iter().flat_map(|table| &table.chains);
            chains.filter(|chain| felix::scope(chain) == Scope::Nodes)
        };
        let read = || self.chains.read().unwrap_or_else(PoisonError::into_inner);
        let known = read();
        let is_new = |chain: &&Arc<Chain>| !known.contains_key(&Arc::as_ptr(chain).addr());
        let new: Vec<&Arc<Chain>> = shared().filter(is_new).collect();
        if new.is_empty() {
            return known;
        }
        drop(known);
        let text = |chain: &Arc<Chain>| {
            let mut text = String::new();
            write(&mut text, chain);
            (Arc::as_ptr(chain).addr(), (chain.clone(), text.into()))
        };
        let new: Vec<_> = new.into_iter().map(text).collect();
        self.chains.write().unwrap_or_else(PoisonError::into_inner).extend(new);
        read()
    }

    /// The text of all sets of a node, some given. `alike`: which nodes have the same configuration; what a set of
    /// rules has depends on nothing else. Felix's own sets are the node's.
    pub fn sets<'s>(
        &self,
        alike: usize,
        sets: impl Iterator<Item = (&'s IpSet, Option<String>)>,
    ) -> io::Result<Vec<Arc<Stored>>> {
        let known = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        let known_or = |(set, given): (&'s IpSet, Option<String>)| {
            let is_shared = given.is_none() && set.meaning.is_some();
            let stored = is_shared.then(|| known.get(&(alike, set.name.clone())).cloned()).flatten();
            (set, given, is_shared, stored)
        };
        let sets: Vec<_> = sets.map(known_or).collect();
        drop(known);
        let mut pieces = Vec::new();
        let mut own = ROOM.take();
        for (set, given, is_shared, stored) in sets {
            if let Some(text) = given {
                own.push_str(&text);
            } else if !is_shared {
                emit::ipset::write_set(&mut own, set);
            } else {
                if !own.is_empty() {
                    pieces.push(self.own(&mut own)?);
                }
                pieces.push(match stored {
                    Some(stored) => stored,
                    None => self.shared(alike, set, &mut own)?,
                });
            }
        }
        pieces.push(self.own(&mut own)?);
        ROOM.set(own);
        Ok(pieces)
    }

    /// The text of a set, which is kept. `room`: an empty text.
    fn shared(&self, alike: usize, set: &IpSet, room: &mut String) -> io::Result<Arc<Stored>> {
        emit::ipset::write_set(room, set);
        // it is compressed once, and written for every node that has it
        let made = Stored::new(room, self.compressed.sets.then_some(Level::Well))?;
        if self.kept.fetch_add(made.bytes.len(), Relaxed) < KEPT {
            let mut known = self.sets.write().unwrap_or_else(PoisonError::into_inner);
            known.insert((alike, set.name.clone()), made.clone());
        }
        Ok(made)
    }
}
