//! One archive of all files: the format of `tar`, compressed or not, the same bytes for the same files.

use super::piece::{Level, Stored, gzip};
use crate::cli::output::naming;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tar::{EntryType, Header};

/// Forms of archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `.tar`
    Plain,
    /// `.tar.gz`, `.tgz`
    Gzip,
}

impl Form {
    /// What a name asks for; `None` for a folder.
    pub fn of(path: &Path) -> Option<Form> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        match name {
            _ if name.ends_with(".tar") => Some(Form::Plain),
            _ if name.ends_with(".tar.gz") || name.ends_with(".tgz") => Some(Form::Gzip),
            _ => None,
        }
    }
}

/// An archive that is being written. It gets its name when it is complete.
pub struct Archive {
    form: Form,
    path: PathBuf,
    part: PathBuf,
    out: BufWriter<fs::File>,
}

impl Archive {
    /// Begins one.
    pub fn new(path: &Path, form: Form) -> io::Result<Self> {
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| naming(folder, "create folder", error))?;
        let mut part = path.to_owned().into_os_string();
        part.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(part);
        let file = fs::File::create(&part).map_err(|error| naming(&part, "write", error))?;
        Ok(Archive { form, path: path.to_owned(), part, out: BufWriter::with_capacity(1 << 20, file) })
    }

    /// Adds a file; its pieces are as the form wants them.
    pub fn add(&mut self, name: &str, pieces: &[Arc<Stored>]) -> io::Result<()> {
        self.add_inner(name, pieces).map_err(|error| naming(&self.part, "write", error))
    }

    fn add_inner(&mut self, name: &str, pieces: &[Arc<Stored>]) -> io::Result<()> {
        let len: u64 = pieces.iter().map(|piece| piece.len).sum();
        let mut header = Header::new_ustar();
        header.set_path(name)?;
        header.set_entry_type(EntryType::Regular);
        header.set_size(len);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.own(header.as_bytes())?;
        for piece in pieces {
            self.out.write_all(&piece.bytes)?;
        }
        self.own(&[0; BLOCK][..(BLOCK - (len % BLOCK as u64) as usize) % BLOCK])
    }

    /// Writes bytes of the archive's own.
    fn own(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.form {
            Form::Plain => self.out.write_all(bytes),
            Form::Gzip if bytes.is_empty() => Ok(()),
            Form::Gzip => self.out.write_all(&gzip(bytes, Level::Fast)?),
        }
    }

    /// Ends it.
    pub fn finish(mut self) -> io::Result<()> {
        let done = self.own(&[0; 2 * BLOCK]).and_then(|()| self.out.flush());
        done.map_err(|error| naming(&self.part, "write", error))?;
        fs::rename(&self.part, &self.path).map_err(|error| naming(&self.path, "write", error))
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // nothing is left of one that was not completed; of one that was, nothing is there any more
        let _ = fs::remove_file(&self.part);
    }
}

/// Archives consist of blocks of so many bytes.
const BLOCK: usize = 512;
