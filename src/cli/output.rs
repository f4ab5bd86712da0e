//! Where output goes.

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
    /// Writes one part: to standard output, or to a file of this name.
    pub fn write(&self, name: &str, text: &[u8]) -> io::Result<()> {
        match self {
            Output::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(text)?;
                stdout.flush()
            }
            Output::Folder(folder) => {
                fs::create_dir_all(folder).map_err(|error| naming(folder, "create folder", error))?;
                let path = folder.join(name);
                fs::write(&path, text).map_err(|error| naming(&path, "write", error))
            }
        }
    }
}

/// An I/O error with the path and what was tried in its text.
pub fn naming(path: &Path, tried: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {tried} `{}`: {error}", path.display()))
}
