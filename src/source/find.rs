//! What the command line names → the files to read, in order.

use super::Input;
use super::packed::{Unpacked, is_packed};
use super::stream::WINDOW;
use crate::diagnostic::{Diagnostic, Severity};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
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

impl<'i> Found<'i> {
    /// Whether it is named as JSON, packed or not.
    pub(super) fn is_json(&self) -> bool {
        let extension = unpacked(Path::new(&self.name)).extension().map(|it| it.to_ascii_lowercase());
        extension.is_some_and(|it| it == "json")
    }

    /// The bytes as they are, and whether they are packed; of a file that is too large to be held, where it is.
    pub(super) fn open(&self) -> Result<Contents<'i>, Diagnostic> {
        let bytes = match &self.from {
            From::Bytes(bytes) => Ok(Cow::Borrowed(*bytes)),
            From::Stdin => {
                let mut bytes = Vec::new();
                io::Read::read_to_end(&mut io::stdin().lock(), &mut bytes).map(|_| bytes.into())
            }
            From::Path(path) if self.again().is_some_and(|it| it.len() >= WINDOW as u64) => {
                return Ok(Contents::File(path.clone()));
            }
            From::Path(path) => fs::read(path).map(Cow::Owned),
        };
        bytes.map(Contents::Bytes).map_err(|error| unreadable(&self.name, &error))
    }

    /// All bytes, to be written again one day.
    pub(super) fn whole(&self) -> Result<Vec<u8>, Diagnostic> {
        let bytes = match self.open()? {
            Contents::Bytes(bytes) => bytes.into_owned(),
            Contents::File(path) => fs::read(path).map_err(|error| unreadable(&self.name, &error))?,
        };
        if is_packed(&bytes) {
            let message = format!("`{}` is compressed, and what is changed here is written back", self.name);
            return Err(problem(message).help("unpack it with `gzip -d` or `zstd -d`"));
        }
        Ok(bytes)
    }

    /// The path it can be read from again; a pipe gives its bytes once.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.from {
            From::Path(path) if self.again().is_some() => Some(path),
            _ => None,
        }
    }

    fn again(&self) -> Option<fs::Metadata> {
        let From::Path(path) = &self.from else { return None };
        fs::metadata(path).ok().filter(fs::Metadata::is_file)
    }
}

/// Something to read, which can be begun with as often as one likes.
#[derive(Debug, Clone)]
pub(super) enum Contents<'i> {
    /// a large file
    File(PathBuf),
    /// bytes, packed or not
    Bytes(Cow<'i, [u8]>),
}

impl Contents<'_> {
    /// From its beginning, unpacked.
    pub(super) fn read(&self) -> io::Result<Unpacked<'_>> {
        match self {
            Contents::File(path) => Unpacked::new(fs::File::open(path)?),
            Contents::Bytes(bytes) => Unpacked::new(&**bytes),
        }
    }

    /// How many bytes it has, if they are not packed.
    pub(super) fn size(&self) -> usize {
        match self {
            Contents::File(path) => fs::metadata(path).map_or(0, |it| it.len() as usize),
            Contents::Bytes(bytes) => bytes.len(),
        }
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
                            "folders are searched for `.yaml`, `.yml` and `.json`, also with `.gz` or `.zst` behind; names that begin with `.` are skipped",
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
    let extension = unpacked(path).extension().unwrap_or_default();
    ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// The path without the extension of a packed file.
fn unpacked(path: &Path) -> &Path {
    let extension = path.extension().unwrap_or_default();
    let packed = ["gz", "zst"].iter().any(|known| extension.eq_ignore_ascii_case(known));
    path.file_stem().filter(|_| packed).map_or(path, Path::new)
}

fn problem(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new("input", Severity::Error, None, message)
}

/// What an error while reading means to the person.
pub(super) fn unreadable(name: &str, error: &io::Error) -> Diagnostic {
    match error.kind() {
        ErrorKind::NotFound => problem(format!("`{name}` does not exist")),
        ErrorKind::PermissionDenied => problem(format!("no permission to read `{name}`")),
        ErrorKind::UnexpectedEof => {
            problem(format!("`{name}` is cut off: what it has packed ends too early"))
                .help("write or copy it again")
        }
        ErrorKind::InvalidData => {
            problem(format!("`{name}` cannot be unpacked: {}", error.to_string().to_lowercase()))
                .help("`gzip -t` or `zstd -t` tell whether it is damaged")
        }
        ErrorKind::FileTooLarge => problem(format!("`{name}` is refused: {error}"))
            .help("if it is no trap, unpack it with `gzip -d` or `zstd -d`, and name the result"),
        _ => problem(format!("`{name}` cannot be read: {}", error.to_string().to_lowercase())),
    }
}
