//! What the command line names → the files to read, in order.

use super::Input;
use crate::diagnostic::{Diagnostic, Severity};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The deepest nesting of folders that is searched.
const MAX_FOLDERS: usize = 64;

/// One text to read.
#[derive(Debug)]
pub(super) struct Found<'i> {
    /// what to call it in messages
    pub(super) name: String,
    pub(super) from: From<'i>,
}

#[derive(Debug)]
pub(super) enum From<'i> {
    Path(PathBuf),
    Stdin,
    Bytes(&'i [u8]),
}

impl Found<'_> {
    /// Whether it is named as JSON.
    pub(super) fn is_json(&self) -> bool {
        Path::new(&self.name).extension().is_some_and(|it| it.eq_ignore_ascii_case("json"))
    }

    /// The bytes, and the path they can be read from again.
    pub(super) fn read(&self) -> Result<(Vec<u8>, Option<PathBuf>), Diagnostic> {
        let bytes = match &self.from {
            From::Bytes(bytes) => Ok(bytes.to_vec()),
            From::Stdin => {
                let mut bytes = Vec::new();
                io::Read::read_to_end(&mut io::stdin().lock(), &mut bytes).map(|_| bytes)
            }
            From::Path(path) => fs::read(path),
        };
        // a pipe gives its bytes once
        let again = match &self.from {
            From::Path(path) if path.is_file() => Some(path.clone()),
            _ => None,
        };
        bytes.map(|bytes| (bytes, again)).map_err(|error| unreadable(&self.name, &error))
    }
}

/// Lists the files of all inputs; folders are searched in the order of their entries' names.
pub(super) fn find<'i>(inputs: &'i [Input], diagnostics: &mut Vec<Diagnostic>) -> Vec<Found<'i>> {
    let mut found = Vec::new();
    let mut stdin = false;
    for input in inputs {
        match input {
            Input::Text { name, bytes } => {
                found.push(Found { name: name.clone(), from: From::Bytes(bytes) });
            }
            Input::Stdin if stdin => {
                diagnostics.push(problem("`-` is named twice").help("standard input can be read once"))
            }
            Input::Stdin => {
                stdin = true;
                found.push(Found { name: "<stdin>".into(), from: From::Stdin });
            }
            Input::Path(path) => match fs::metadata(path) {
                Err(error) => diagnostics.push(unreadable(&path.display().to_string(), &error)),
                Ok(metadata) if metadata.is_dir() => {
                    let before = found.len() + diagnostics.len();
                    folder(path, 0, &mut HashSet::new(), &mut found, diagnostics);
                    if before == found.len() + diagnostics.len() {
                        let message = format!("`{}` contains no manifest", path.display());
                        diagnostics.push(problem(message).help(
                            "folders are searched for `.yaml`, `.yml` and `.json`; names that begin with `.` are skipped",
                        ));
                    }
                }
                Ok(_) => {
                    found.push(Found { name: path.display().to_string(), from: From::Path(path.clone()) })
                }
            },
        }
    }
    found
}

/// Searches one folder. `seen` has the real paths of all folders before it, so that links in a
/// circle end, and no folder is read twice.
fn folder(
    path: &Path,
    depth: usize,
    seen: &mut HashSet<PathBuf>,
    found: &mut Vec<Found<'_>>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut fail = |path: &Path, error: &io::Error| {
        diagnostics.push(unreadable(&path.display().to_string(), error));
    };
    match fs::canonicalize(path) {
        Ok(real) => {
            if !seen.insert(real) {
                return;
            }
        }
        Err(error) => return fail(path, &error),
    }
    if depth > MAX_FOLDERS {
        let message = format!("`{}` is more than {MAX_FOLDERS} folders deep", path.display());
        return diagnostics.push(problem(message));
    }
    let mut paths = Vec::new();
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return fail(path, &error),
    };
    for entry in entries {
        match entry {
            Ok(entry) if entry.file_name().as_encoded_bytes().starts_with(b".") => {}
            Ok(entry) => paths.push(entry.path()),
            Err(error) => fail(path, &error),
        }
    }
    paths.sort();
    for path in paths {
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => folder(&path, depth + 1, seen, found, diagnostics),
            _ if !is_manifest(&path) => {}
            // a pipe in a folder would never end
            Ok(metadata) if !metadata.is_file() => {
                let message = format!("`{}` is not a regular file", path.display());
                diagnostics.push(problem(message).help("name it on the command line to read it"));
            }
            Ok(_) => {
                found.push(Found { name: path.display().to_string(), from: From::Path(path) });
            }
            Err(error) => diagnostics.push(unreadable(&path.display().to_string(), &error)),
        }
    }
}

/// Whether a file in a folder is read: by its extension.
pub fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

fn problem(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new("input", Severity::Error, None, message)
}

fn unreadable(name: &str, error: &io::Error) -> Diagnostic {
    match error.kind() {
        io::ErrorKind::NotFound => problem(format!("`{name}` does not exist")),
        io::ErrorKind::PermissionDenied => problem(format!("no permission to read `{name}`")),
        _ => problem(format!("`{name}` cannot be read: {}", error.to_string().to_lowercase())),
    }
}
