//! The files that were read: their names, and their lines for excerpts.

use super::digest::Digest;
use super::packed_lines::PackedLines;
use crate::diagnostic::{FileId, Location};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

/// Texts up to this many bytes are kept, as long as all of them together stay under [`KEPT`].
const SMALL: usize = 64 << 10;
/// Bytes of text of small files that are kept in all.
const KEPT: usize = 16 << 20;
/// An offset is noted for every so many lines of a file that was not kept.
const STRIDE: u64 = 256;
/// The longest line that [`Files::line`] gives back whole.
const LONGEST_LINE: usize = 1 << 20;

/// From this column on, an excerpt of a line begins where the last one did, if it can.
const FAR: usize = 4 << 10;

/// Every file that was read, by [`FileId`].
#[derive(Debug, Default)]
pub struct Files {
    entries: Vec<Entry>,
    kept: usize,
}

#[derive(Debug)]
struct Entry {
    name: String,
    origin: Origin,
    /// stands for the text
    digest: u64,
    /// where the last excerpt from far into a line began
    cursor: Mutex<Cursor>,
}

#[derive(Debug)]
enum Origin {
    Kept(String),
    /// read again when a line is asked for; the offsets of every [`STRIDE`]th line
    Disk(PathBuf, OnceLock<Option<Vec<u64>>>),
    /// read and unpacked again
    Packed(PackedLines),
    /// nothing could be read
    Nothing,
}

/// A piece of a line, for lines that are too long to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// the text
    pub text: String,
    /// 1-based column, in code points, of its first character
    pub column: u32,
}

impl Files {
    /// Number of files.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What to call a file in messages; "" if there is no such file.
    pub fn name(&self, file: FileId) -> &str {
        self.entries.get(file.0 as usize).map_or("", |entry| &entry.name)
    }

    /// A number for the text of each file, in order: the same for the same text.
    pub fn digests(&self) -> impl Iterator<Item = u64> {
        self.entries.iter().map(|entry| entry.digest)
    }

    /// The text of a 1-based line without its line break.
    ///
    /// `None` past the end, for a line over 1 MiB (see [`Files::excerpt`]), and for a file that can
    /// no longer be read.
    pub fn line(&self, file: FileId, line: u32) -> Option<String> {
        let bytes = self.bytes(file, line, LONGEST_LINE)?;
        (bytes.len() <= LONGEST_LINE).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The characters of a line that stand at most `radius` before and after a place.
    ///
    /// Asked for in reading order, places of one long line cost one pass over it.
    pub fn excerpt(&self, at: Location, radius: u32) -> Option<Excerpt> {
        let first = at.column.saturating_sub(radius).max(1);
        let count = (at.column.saturating_sub(first) + radius) as usize;
        let entry = self.entries.get(at.file.0 as usize)?;
        let far = at.column as usize > FAR;
        let text = match &entry.origin {
            Origin::Disk(path, offsets) if far => {
                let offsets = offsets.get_or_init(|| index_lines(path).ok()).as_ref()?;
                let mut cursor = entry.cursor.lock().ok()?;
                cursor.read(path, offsets, at.line, first, count)?
            }
            Origin::Packed(lines) => {
                let bytes = lines.read(at.line, first, 4 * count)?;
                let text = String::from_utf8_lossy(&bytes);
                text.trim_end_matches('\r').chars().take(count).collect()
            }
            _ => {
                // a character has at most four bytes
                let needed = 4 * (at.column as usize + radius as usize);
                let bytes = self.bytes(at.file, at.line, needed)?;
                let text = String::from_utf8_lossy(&bytes);
                text.chars().skip(first as usize - 1).take(count).collect()
            }
        };
        Some(Excerpt { text, column: first })
    }

    /// A line without its line break; if it is longer than `limit`, `limit + 1` bytes of it.
    fn bytes(&self, file: FileId, line: u32, limit: usize) -> Option<Vec<u8>> {
        let index = u64::from(line.checked_sub(1)?);
        let mut bytes = match &self.entries.get(file.0 as usize)?.origin {
            Origin::Nothing => return None,
            Origin::Kept(text) => {
                let line = text.split_inclusive('\n').nth(index as usize)?;
                let line = line.strip_suffix('\n').unwrap_or(line).as_bytes();
                line[..line.len().min(limit + 1)].to_vec()
            }
            Origin::Disk(path, offsets) => {
                let offsets = offsets.get_or_init(|| index_lines(path).ok()).as_ref()?;
                let start = *offsets.get((index / STRIDE) as usize)?;
                read_line(path, start, index % STRIDE, limit + 1).ok()??
            }
            Origin::Packed(lines) => lines.read(line, 1, limit + 1)?,
        };
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        Some(bytes)
    }

    /// Adds a file that was read elsewhere, for its name and lines in messages.
    pub fn register(&mut self, path: &std::path::Path, text: &str) -> FileId {
        let file = self.add(path.display().to_string());
        self.keep(file, Lines::Of(path.to_owned()), text);
        file
    }

    /// Registers a file that is about to be read.
    pub(super) fn add(&mut self, name: String) -> FileId {
        self.entries.push(Entry { name, origin: Origin::Nothing, digest: 0, cursor: Mutex::default() });
        FileId(self.entries.len() as u32 - 1)
    }

    /// Notes a text and where its lines come from. Text that came from elsewhere than a file on
    /// disk cannot be read again, so it is always kept.
    pub(super) fn keep(&mut self, file: FileId, lines: Lines, text: &str) {
        let small = text.len() <= SMALL && self.kept + text.len() <= KEPT;
        let lines = match lines {
            Lines::Of(_) | Lines::At(..) | Lines::Packed(_) if !small => lines,
            _ => {
                self.kept += text.len();
                Lines::Kept(text.to_owned())
            }
        };
        self.note(file, lines, Digest::of(text.as_bytes()));
    }

    /// Notes where the lines of a file come from, and the digest of its text.
    pub(super) fn note(&mut self, file: FileId, lines: Lines, digest: u64) {
        self.entries[file.0 as usize].digest = digest;
        self.entries[file.0 as usize].origin = match lines {
            Lines::Kept(text) => Origin::Kept(text),
            Lines::Of(path) => Origin::Disk(path, OnceLock::new()),
            Lines::At(path, index) => Origin::Disk(path, OnceLock::from(Some(index.offsets))),
            Lines::Packed(lines) => Origin::Packed(lines),
        };
    }
}

/// Where the lines of a text come from.
pub(super) enum Lines {
    /// the text itself
    Kept(String),
    /// a file, read again when one is asked for
    Of(PathBuf),
    /// the same, and where they are is known
    At(PathBuf, LineIndex),
    /// packed, and read again
    Packed(PackedLines),
}

/// A place in a file, to go on from.
#[derive(Debug, Default)]
struct Cursor {
    line: u32,
    /// 1-based, in code points
    column: u32,
    /// of the column's first byte
    offset: u64,
}

impl Cursor {
    /// `count` characters of a line from a column on; the cursor is there afterwards.
    fn read(
        &mut self,
        path: &PathBuf,
        offsets: &[u64],
        line: u32,
        column: u32,
        count: usize,
    ) -> Option<String> {
        if self.line != line || self.column > column {
            let index = u64::from(line.checked_sub(1)?);
            let start = *offsets.get((index / STRIDE) as usize)?;
            let offset = line_offset(path, start, index % STRIDE).ok()??;
            *self = Cursor { line, column: 1, offset };
        }
        let mut file = File::open(path).ok()?;
        file.seek(SeekFrom::Start(self.offset)).ok()?;
        let mut reader = BufReader::with_capacity(64 << 10, file);
        while self.column < column {
            let buffer = reader.fill_buf().ok()?;
            // whole characters: a byte that goes on with one is no column
            let mut used = 0;
            for byte in buffer {
                if *byte == b'\n' {
                    return None;
                }
                if byte & 0xc0 != 0x80 {
                    if self.column == column {
                        break;
                    }
                    self.column += 1;
                }
                used += 1;
            }
            if used == 0 {
                return None;
            }
            reader.consume(used);
            self.offset += used as u64;
        }
        let mut bytes = Vec::new();
        // a character has at most four bytes; what is left of the last one of before comes first
        reader.take(4 * (count as u64 + 1)).read_until(b'\n', &mut bytes).ok()?;
        let whole = bytes.iter().position(|byte| byte & 0xc0 != 0x80)?;
        let text = String::from_utf8_lossy(&bytes[whole..]);
        Some(text.trim_end_matches(['\n', '\r']).chars().take(count).collect())
    }
}

/// The offset of the line `skip` lines behind the one that begins at `start`.
fn line_offset(path: &PathBuf, start: u64, skip: u64) -> std::io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut reader = BufReader::new(file);
    let mut offset = start;
    for _ in 0..skip {
        match reader.skip_until(b'\n')? {
            0 => return Ok(None),
            skipped => offset += skipped as u64,
        }
    }
    Ok(Some(offset))
}

/// The offsets of lines 0, [`STRIDE`], 2 × [`STRIDE`], … of a file, found while it is read.
pub(super) struct LineIndex {
    offsets: Vec<u64>,
    at: u64,
    line: u64,
}

impl LineIndex {
    /// Of a file whose first line begins at an offset: a byte order mark is no part of it.
    pub(super) fn new(start: usize) -> Self {
        LineIndex { offsets: vec![start as u64], at: start as u64, line: 0 }
    }

    /// Looks at the bytes that follow.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for newline in memchr::memchr_iter(b'\n', bytes) {
            self.line += 1;
            if self.line.is_multiple_of(STRIDE) {
                self.offsets.push(self.at + newline as u64 + 1);
            }
        }
        self.at += bytes.len() as u64;
    }
}

/// The index of a file that was not read in windows.
fn index_lines(path: &PathBuf) -> std::io::Result<Vec<u64>> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 << 10];
    let mut index: Option<LineIndex> = None;
    loop {
        let len = file.read(&mut buffer)?;
        if len == 0 {
            return Ok(index.map_or_else(|| vec![0], |index| index.offsets));
        }
        let mark = if index.is_none() && buffer[..len].starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        index.get_or_insert_with(|| LineIndex::new(mark)).add(&buffer[mark..len]);
    }
}

/// The line `skip` lines behind the one that begins at `start`, at most `limit` bytes of it.
fn read_line(path: &PathBuf, start: u64, skip: u64, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut reader = BufReader::new(file);
    for _ in 0..skip {
        if reader.skip_until(b'\n')? == 0 {
            return Ok(None);
        }
    }
    let mut line = Vec::new();
    reader.take(limit as u64).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(Some(line))
}
