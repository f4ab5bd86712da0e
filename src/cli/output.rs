//! Where output goes.

use serde::Serialize;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Standard output, or files in a folder.
pub enum Output {
    /// standard output
    Stdout,
    /// files in this folder, which is made if it is not there
    Folder(PathBuf),
}

impl Output {
    /// Writes one part: to standard output, or to a file of this name. `fill` is called with
    /// something that takes its bytes.
    pub fn write(&self, name: &str, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        match self {
            Output::Stdout => {
                let mut stdout = io::stdout().lock();
                fill(&mut stdout)?;
                stdout.flush()
            }
            Output::Folder(folder) => {
                fs::create_dir_all(folder).map_err(|error| naming(folder, "create folder", error))?;
                let path = folder.join(name);
                let told = |error| naming(&path, "write", error);
                let mut file = fs::File::create(&path).map_err(told)?;
                fill(&mut file).map_err(told)
            }
        }
    }
}

/// Writes a file that the user has named.
pub fn write_file(path: &Path, text: &[u8]) -> io::Result<()> {
    fs::write(path, text).map_err(|error| naming(path, "write", error))
}

/// An I/O error with the path and what was tried in its text.
pub fn naming(path: &Path, tried: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {tried} `{}`: {error}", path.display()))
}

/// A document as indented JSON with a line break at its end.
pub fn to_json(document: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(document).map_err(io::Error::other)?;
    text.push(b'\n');
    Ok(text)
}
