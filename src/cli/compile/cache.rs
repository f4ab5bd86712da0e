//! Rules of nodes, kept on disk from run to run.
//!
//! Kept is what is dear: the text of a node's rules, and with `-O`, which looks at all packets, the members of sets
//! that it changed. The name of an entry is a digest of all that this depends on: the running program itself, the
//! options, and of the node's view everything but places (`resolve::content`). So an entry is never out of date; it
//! is there or it is not. Not kept is what is read faster from manifests than from here: the manifests' objects,
//! and the texts of sets, which are large and which nodes share anyway.
//!
//! Rules are compressed, in the pieces that an archive has: it takes them as they are.
//!
//! An entry is written beside its name and then renamed, so that nobody sees half of one; it begins with a digest of
//! the rest, and one that does not fit is made again.

use super::piece::Stored;
use crate::cli::output::naming;
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// What an entry begins with.
const MAGIC: &[u8] = b"netpolc cache 2\n";

/// A folder of entries.
pub struct Cache {
    folder: PathBuf,
    /// of the running program
    program: [u8; 32],
    /// why an entry could not be written, the first time
    failed: OnceLock<String>,
    written: AtomicUsize,
}

/// What is kept of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// texts of rules, compressed, in the order of families asked for
    pub rules: Vec<Vec<Arc<Stored>>>,
    /// what -O had to say
    pub summary: Option<String>,
    /// the sets by name, with their text if it is not the one that manifests give
    pub sets: Vec<(String, Option<String>)>,
}

impl Cache {
    /// Opens a folder, which is made if it is not there.
    pub fn open(folder: &Path) -> io::Result<Cache> {
        let program = std::env::current_exe().and_then(fs::read);
        let program =
            program.map_err(|error| io::Error::other(format!("cannot read this program: {error}")))?;
        Self::of_program(folder, Sha256::digest(program).into())
    }

    fn of_program(folder: &Path, program: [u8; 32]) -> io::Result<Cache> {
        fs::create_dir_all(folder).map_err(|error| naming(folder, "create folder", error))?;
        Ok(Cache {
            folder: folder.to_owned(),
            program,
            failed: OnceLock::new(),
            written: AtomicUsize::new(0),
        })
    }

    /// The name of what options and a view give.
    pub fn key(&self, options: &str, view: [u8; 32]) -> String {
        let mut digest = Sha256::new().chain_update(self.program);
        digest.update((options.len() as u64).to_le_bytes());
        digest.update(options);
        digest.update(view);
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// An entry, if it is there and as it was written.
    pub fn get(&self, key: &str) -> Option<Entry> {
        Entry::read(&fs::read(self.path(key)).ok()?)
    }

    /// Keeps an entry. That this fails does not keep a run from its end: see [`Cache::failure`].
    pub fn put(&self, key: &str, entry: &Entry) {
        if let Err(error) = self.write(key, entry) {
            let _ = self.failed.set(error.to_string());
        }
    }

    /// Why an entry could not be written.
    pub fn failure(&self) -> Option<&str> {
        self.failed.get().map(String::as_str)
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(&key[..2]).join(&key[2..])
    }

    fn write(&self, key: &str, entry: &Entry) -> io::Result<()> {
        let path = self.path(key);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(|error| naming(folder, "create folder", error))?;
        // of no other process, and of no other thread
        let number = self.written.fetch_add(1, Relaxed);
        let part = self.folder.join(format!(".{}-{number}.part", std::process::id()));
        let done = fs::write(&part, entry.bytes()).and_then(|()| fs::rename(&part, &path));
        done.map_err(|error| {
            let _ = fs::remove_file(&part);
            naming(&path, "write", error)
        })
    }
}

impl Entry {
    /// Numbers are 8 bytes, texts and lists have their length in front, and [`NONE`] for it if they are not there.
    fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        let number = |all: &mut Vec<u8>, number: usize| all.extend_from_slice(&(number as u64).to_le_bytes());
        let bytes = |all: &mut Vec<u8>, bytes: &[u8]| {
            number(all, bytes.len());
            all.extend_from_slice(bytes);
        };
        let text = |all: &mut Vec<u8>, text: Option<&str>| match text {
            Some(text) => bytes(all, text.as_bytes()),
            None => all.extend_from_slice(&NONE.to_le_bytes()),
        };
        text(&mut all, self.summary.as_deref());
        number(&mut all, self.rules.len());
        for pieces in &self.rules {
            number(&mut all, pieces.len());
            for piece in pieces {
                all.extend_from_slice(&piece.len.to_le_bytes());
                bytes(&mut all, &piece.bytes);
            }
        }
        number(&mut all, self.sets.len());
        for (name, changed) in &self.sets {
            text(&mut all, Some(name));
            text(&mut all, changed.as_deref());
        }
        [MAGIC, &Sha256::digest(&all), &all].concat()
    }

    fn read(bytes: &[u8]) -> Option<Entry> {
        let (digest, all) = bytes.strip_prefix(MAGIC)?.split_at_checked(32)?;
        if *Sha256::digest(all) != *digest {
            return None;
        }
        let mut rest = Rest(all);
        let summary = rest.text()?;
        let rules = (0..rest.number()?).map(|_| {
            let pieces = (0..rest.number()?).map(|_| {
                let len = rest.number()?;
                Some(Arc::new(Stored { len, bytes: rest.bytes()??.to_vec() }))
            });
            pieces.collect()
        });
        let rules = rules.collect::<Option<_>>()?;
        let sets = (0..rest.number()?).map(|_| Some((rest.text()??, rest.text()?)));
        let sets = sets.collect::<Option<_>>()?;
        Some(Entry { rules, summary, sets })
    }
}

/// Instead of a length: what would have it is not there.
const NONE: u64 = u64::MAX;

/// What is left of an entry.
struct Rest<'e>(&'e [u8]);

impl<'e> Rest<'e> {
    fn number(&mut self) -> Option<u64> {
        let (number, behind) = self.0.split_first_chunk()?;
        self.0 = behind;
        Some(u64::from_le_bytes(*number))
    }

    fn bytes(&mut self) -> Option<Option<&'e [u8]>> {
        let len = match self.number()? {
            NONE => return Some(None),
            len => usize::try_from(len).ok()?,
        };
        let (bytes, behind) = self.0.split_at_checked(len)?;
        self.0 = behind;
        Some(Some(bytes))
    }

    fn text(&mut self) -> Option<Option<String>> {
        match self.bytes()? {
            Some(bytes) => String::from_utf8(bytes.to_vec()).ok().map(Some),
            None => Some(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("netpolc-cache-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let text = "[a-zé\n]{0,20}";
        let sets = prop::collection::vec((text, prop::option::of(text)), 0..4);
        let piece = (any::<u64>(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(len, bytes)| Arc::new(Stored { len, bytes }));
        let rules = prop::collection::vec(prop::collection::vec(piece, 0..3), 0..3);
        (rules, prop::option::of(text), sets).prop_map(|(rules, summary, sets)| Entry {
            rules,
            summary,
            sets,
        })
    }

    proptest! {
        #[test]
        fn an_entry_is_read_back_and_a_damaged_one_is_none(
            entry in entry(),
            at in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let bytes = entry.bytes();
            prop_assert_eq!(Entry::read(&bytes), Some(entry));
            prop_assert_eq!(Entry::read(&bytes[..at.index(bytes.len())]), None);
            let mut damaged = bytes;
            let at = at.index(damaged.len());
            damaged[at] ^= 1u8 << bit;
            prop_assert_eq!(Entry::read(&damaged), None);
        }
    }

    #[test]
    fn a_damaged_entry_is_written_again() {
        let path = folder("damaged");
        let cache = Cache::of_program(&path, [1; 32]).unwrap();
        let entry = Entry {
            rules: vec![vec![Arc::new(Stored { len: 4, bytes: b"-A x".to_vec() })]],
            ..Entry::default()
        };
        let key = cache.key("save", [2; 32]);
        assert_eq!(cache.get(&key), None);
        cache.put(&key, &entry);
        assert_eq!(cache.get(&key), Some(entry.clone()));
        fs::write(cache.path(&key), "netpolc cache 2\nwhatever").unwrap();
        assert_eq!(cache.get(&key), None);
        cache.put(&key, &entry);
        assert_eq!((cache.get(&key), cache.failure()), (Some(entry), None));
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn everything_that_counts_is_in_the_key() {
        let path = folder("key");
        let one = Cache::of_program(&path, [1; 32]).unwrap();
        let other = Cache::of_program(&path, [2; 32]).unwrap();
        let keys = [
            one.key("save", [0; 32]),
            one.key("felix", [0; 32]),
            one.key("save", [1; 32]),
            other.key("save", [0; 32]),
        ];
        for (number, key) in keys.iter().enumerate() {
            assert!(keys[..number].iter().all(|before| before != key));
        }
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_cannot_be_kept_is_told() {
        let path = folder("full");
        let cache = Cache::of_program(&path, [1; 32]).unwrap();
        let key = cache.key("save", [2; 32]);
        // a file where a folder should be
        fs::write(path.join(&key[..2]), "").unwrap();
        cache.put(&key, &Entry::default());
        assert!(cache.failure().unwrap().contains(&key[..2]));
        fs::remove_dir_all(path).unwrap();
    }
}
