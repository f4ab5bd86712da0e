//! The folder of a snapshot: what is in it, what is to be in it, and what is in it no longer.
//!
//! It has a folder for each node. Only files that this program wrote are looked at or removed: they have one of
//! its names and begin as it begins them.

use crate::snapshot::{File, HEAD, NAMES};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// What was tried with a path, and failed.
#[derive(Debug)]
pub struct Problem {
    /// the path
    pub path: PathBuf,
    /// what was tried
    pub tried: &'static str,
    /// what went wrong
    pub error: io::Error,
}

/// What was found in a folder.
#[derive(Debug, Default)]
pub struct Found {
    /// files of this program that no node has any more, sorted
    pub stale: Vec<PathBuf>,
    /// for each file that differs, or is not there, its path and the difference
    pub different: Vec<(PathBuf, String)>,
}

impl Found {
    /// Whether the folder is as it should be.
    pub fn is_current(&self) -> bool {
        self.stale.is_empty() && self.different.is_empty()
    }
}

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// files that are new or have another text
    pub written: usize,
    /// files that were as they should be
    pub same: usize,
    /// files that were removed
    pub removed: usize,
}

/// Compares a folder with what should be in it; `all`: with these files and no others.
///
/// # Errors
///
/// A file or folder that cannot be read.
pub fn check(folder: &Path, files: &[File], all: bool) -> Result<Found, Problem> {
    let stale = if all { stale(folder, files)? } else { Vec::new() };
    let mut found = Found { stale, different: Vec::new() };
    for file in files {
        let path = path(folder, file);
        let there = read(&path)?;
        if there.as_deref() != Some(&file.text) {
            let (old, shown) = (there.as_deref().unwrap_or_default(), path.display().to_string());
            let from = if there.is_some() { shown.clone() } else { "/dev/null".to_owned() };
            let diff = similar::TextDiff::from_lines(old, &file.text);
            let text = diff.unified_diff().context_radius(3).header(&from, &shown).to_string();
            found.different.push((path, text));
        }
    }
    Ok(found)
}

/// Makes a folder what it should be; `all`: what is not among these files goes.
///
/// # Errors
///
/// A file or folder that cannot be read or written; a file of another origin where one of this program's should
/// be.
pub fn write(folder: &Path, files: &[File], all: bool) -> Result<Outcome, Problem> {
    let stale = if all { stale(folder, files)? } else { Vec::new() };
    let mut outcome = Outcome::default();
    for file in files {
        let path = path(folder, file);
        if let Some(text) = read(&path)? {
            if text == file.text {
                outcome.same += 1;
                continue;
            }
            if !text.starts_with(HEAD) && !text.is_empty() {
                let error = io::Error::other("it is there, and no file of a snapshot");
                return Err(Problem { path, tried: "overwrite", error });
            }
        }
        let node = folder.join(&file.node);
        fs::create_dir_all(&node).map_err(|error| Problem { path: node, tried: "create folder", error })?;
        fs::write(&path, &file.text).map_err(|error| Problem { path, tried: "write", error })?;
        outcome.written += 1;
    }
    for path in stale {
        fs::remove_file(&path).map_err(|error| Problem { path: path.clone(), tried: "remove", error })?;
        outcome.removed += 1;
        // the folder of a node goes with its last file; one with other files stays
        if let Some(node) = path.parent() {
            let _ = fs::remove_dir(node);
        }
    }
    Ok(outcome)
}

fn path(folder: &Path, file: &File) -> PathBuf {
    folder.join(&file.node).join(file.name)
}

/// The text of a file; `None` if there is none.
fn read(path: &Path) -> Result<Option<String>, Problem> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem { path: path.to_owned(), tried: "read", error }),
    }
}

/// Files of this program that are not among `files`.
fn stale(folder: &Path, files: &[File]) -> Result<Vec<PathBuf>, Problem> {
    let problem = |path: &Path, error| Problem { path: path.to_owned(), tried: "read", error };
    let nodes = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(problem(folder, error)),
    };
    let mut stale = Vec::new();
    for entry in nodes {
        let entry = entry.map_err(|error| problem(folder, error))?;
        // a link leads out of the folder
        if !entry.file_type().map_err(|error| problem(&entry.path(), error))?.is_dir() {
            continue;
        }
        for name in NAMES {
            let path = entry.path().join(name);
            let is_wanted = files.iter().any(|file| file.name == name && *file.node == *entry.file_name());
            let is_file = path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
            if !is_wanted && is_file && is_own(&path).map_err(|error| problem(&path, error))? {
                stale.push(path);
            }
        }
    }
    stale.sort();
    Ok(stale)
}

fn is_own(path: &Path) -> io::Result<bool> {
    let mut first = Vec::new();
    let mut reader = io::Read::take(BufReader::new(fs::File::open(path)?), HEAD.len() as u64);
    reader.read_until(b'\n', &mut first)?;
    Ok(first == HEAD.as_bytes())
}
