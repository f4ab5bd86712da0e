//! Pieces of lines of a packed text, for excerpts.
//!
//! Nothing can be sought in packed text, so it is read forward from the last place; asked for in reading order, all
//! places together cost one pass. An earlier place begins it anew.

use super::find::Contents;
use super::packed::Unpacked;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A packed text and how far it was read.
pub(super) struct PackedLines {
    source: Source,
    state: Mutex<State>,
}

enum Source {
    File(PathBuf),
    Bytes(Arc<[u8]>),
}

#[derive(Default)]
struct State {
    reading: Option<Reading>,
    /// the last answer, and what was asked: people look at a line more than once
    last: Option<((u32, u32, usize), Vec<u8>)>,
}

struct Reading {
    text: BufReader<Box<dyn Read + Send>>,
    /// of the next byte, 1-based; columns are code points
    line: u32,
    column: u32,
}

impl std::fmt::Debug for PackedLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PackedLines").finish_non_exhaustive()
    }
}

impl PackedLines {
    pub(super) fn new(source: Contents<'_>) -> Self {
        let source = match source {
            Contents::File(path) => Source::File(path),
            Contents::Bytes(bytes) => Source::Bytes(bytes.into()),
        };
        PackedLines { source, state: Mutex::default() }
    }

    /// At most `limit` bytes of a line from a column on, without its line break.
    pub(super) fn read(&self, line: u32, column: u32, limit: usize) -> Option<Vec<u8>> {
        let mut state = self.state.lock().ok()?;
        let asked = (line, column, limit);
        if let Some((last, bytes)) = &state.last
            && *last == asked
        {
            return Some(bytes.clone());
        }
        if state.reading.as_ref().is_none_or(|it| (it.line, it.column) > (line, column)) {
            state.reading = Some(Reading::new(&self.source)?);
        }
        let bytes = state.reading.as_mut()?.read(line, column, limit)?;
        state.last = Some((asked, bytes.clone()));
        Some(bytes)
    }
}

impl Reading {
    fn new(source: &Source) -> Option<Self> {
        let text = match source {
            Source::File(path) => Unpacked::new(std::fs::File::open(path).ok()?),
            Source::Bytes(bytes) => Unpacked::new(Cursor::new(bytes.clone())),
        };
        let text = text.ok()?.text;
        let mut text = BufReader::with_capacity(64 << 10, text);
        if text.fill_buf().ok()?.starts_with(b"\xEF\xBB\xBF") {
            text.consume(3);
        }
        Some(Reading { text, line: 1, column: 1 })
    }

    fn read(&mut self, line: u32, column: u32, limit: usize) -> Option<Vec<u8>> {
        while self.line < line {
            if self.text.skip_until(b'\n').ok()? == 0 {
                return None;
            }
            (self.line, self.column) = (self.line + 1, 1);
        }
        loop {
            let buffer = self.text.fill_buf().ok()?;
            if buffer.is_empty() {
                break;
            }
            let mut used = 0;
            // what is left of a character is no column
            while let Some(byte) = buffer.get(used)
                && *byte != b'\n'
                && (self.column < column || byte & 0xC0 == 0x80)
            {
                self.column += u32::from(byte & 0xC0 != 0x80);
                used += 1;
            }
            let stopped = used < buffer.len();
            self.text.consume(used);
            if stopped {
                break;
            }
        }
        if self.column < column {
            // the column's own first byte was passed over as the last one of those before
            return Some(Vec::new());
        }
        let mut bytes = Vec::new();
        self.text.by_ref().take(limit as u64).read_until(b'\n', &mut bytes).ok()?;
        if bytes.is_empty() {
            return None;
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += bytes.iter().filter(|byte| *byte & 0xC0 != 0x80).count() as u32;
        }
        Some(bytes)
    }
}
