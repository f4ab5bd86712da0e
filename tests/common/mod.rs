//! Running the built program from the repository root, as a user would.

#![allow(dead_code, reason = "each test crate uses its part")]

pub mod clusters;
pub mod ebnf;
pub mod json_schema;
pub mod packets;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The built program, to be run in the repository root without colours and without input.
pub fn netpolc() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpolc"));
    command.current_dir(root()).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Run {
    Run::of(netpolc().args(arguments))
}

/// What a finished process left.
pub struct Run {
    /// exit status; `None` if a signal ended it
    pub status: Option<i32>,
    /// standard output
    pub stdout: String,
    /// standard error
    pub stderr: String,
}

impl Run {
    /// Runs a command to its end. Output that is not UTF-8 is a failure of the test.
    pub fn of(command: &mut Command) -> Run {
        let Output { status, stdout, stderr } = command.output().expect("the program starts");
        Run {
            status: status.code(),
            stdout: String::from_utf8(stdout).expect("output is UTF-8"),
            stderr: String::from_utf8(stderr).expect("messages are UTF-8"),
        }
    }
}

/// The files of a folder of the repository, sorted by name.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).expect("the folder is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    assert!(!files.is_empty(), "`{folder}` has no files");
    files
}

/// A path as it is written from the repository root.
pub fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("a path of the repository").display().to_string()
}

/// Does something for every item on as many threads as the machine has; results are in order.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((index, item)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            items.get(index).map(|item| (index, item))
        } {
            done.push((index, work(item)));
        }
        done
    };
    let mut all: Vec<_> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        handles.into_iter().flat_map(|handle| handle.join().expect("no panic")).collect()
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, result)| result).collect()
}

/// A small generator of numbers, the same in every run (xorshift64*).
pub struct Numbers(u64);

impl Numbers {
    /// Another sequence for each seed.
    pub fn new(seed: u64) -> Self {
        Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below a limit.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    /// True once in so many times.
    pub fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    /// One of the items.
    pub fn one_of<'s, T>(&mut self, items: &'s [T]) -> &'s T {
        &items[self.below(items.len())]
    }

    /// A copy of one of the items.
    pub fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        self.one_of(items).clone()
    }
}

/// Folders of recorded clusters below a folder, sorted.
pub fn recorded_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if folder.join("golden/felix.v4.rules").exists() {
        found.push(folder.to_owned());
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for path in entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()) {
        found.extend(recorded_below(&path));
    }
    found.sort();
    found
}

/// Those of the repository, and more where they are found: recorded clusters, with what Felix made of them.
pub fn recorded() -> Vec<PathBuf> {
    let beside = root().join("../shared");
    let shared = std::env::var_os("NETPOLC_SHARED").map_or(beside, PathBuf::from).join("golden");
    let mut all = recorded_below(&root().join("fixtures/golden"));
    assert!(all.len() >= 6, "only {} recorded clusters", all.len());
    all.extend(recorded_below(&shared));
    all
}
