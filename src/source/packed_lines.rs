//! Pieces of lines of a packed text, for excerpts.
//!
//! Nothing can be sought in packed text, so it is read forward, and the last of it is kept: places that are asked for
//! about in reading order cost one pass together. A much earlier place begins it anew.

use super::find::Contents;
use super::lines::after;
use super::packed::Unpacked;
use std::collections::VecDeque;
use std::io::{Cursor, Read};
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

/// Bytes that are kept behind what was read last.
const KEPT: usize = if cfg!(test) { 100 } else { 1 << 20 };

/// Bytes that are read at a time.
const STEP: u64 = if cfg!(test) { 30 } else { 256 << 10 };

struct Reading {
    text: Box<dyn Read + Send>,
    /// what was read last
    window: Vec<u8>,
    /// line and column of its first byte, 1-based; columns are code points
    start: (u32, u32),
    /// those of the byte after it
    end: (u32, u32),
    /// bytes of the text before it
    passed: u64,
    /// where its lines end, as bytes of the text
    breaks: VecDeque<u64>,
    /// the place that was found last, and where it is in the text: people look at one line more than once
    found: ((u32, u32), u64),
    /// nothing comes after it
    ended: bool,
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
        if state.reading.as_ref().is_none_or(|it| it.start > (line, column)) {
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
        let mut text = text.ok()?.text;
        let mut window = Vec::new();
        text.by_ref().take(STEP).read_to_end(&mut window).ok()?;
        let mark = if window.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        window.drain(..mark);
        let ended = window.is_empty();
        let (start, end) = ((1, 1), after((1, 1), &window));
        let breaks = memchr::memchr_iter(b'\n', &window).map(|at| at as u64).collect();
        Some(Reading { text, window, start, end, passed: 0, breaks, found: (start, 0), ended })
    }

    /// At most `limit` bytes from a place on that is not before the window.
    fn read(&mut self, line: u32, column: u32, limit: usize) -> Option<Vec<u8>> {
        while self.end < (line, column) {
            if !self.more(KEPT)? {
                // past the line's end there is nothing, past the last line no line
                return (self.end.0 == line).then(Vec::new);
            }
        }
        let at = loop {
            let at = self.find(line, column);
            let rest = &self.window[at..];
            if rest.len() >= limit
                || memchr::memchr(b'\n', rest).is_some()
                || !self.more(KEPT.max(rest.len()))?
            {
                break self.find(line, column);
            }
        };
        let rest = &self.window[at..];
        let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        // the text may end in a line break, after which there is no line
        let is_line = !rest.is_empty() || column > 1;
        is_line.then(|| rest[..len.min(limit)].to_vec())
    }

    /// Reads on, and keeps some of what is there. Whether there was more.
    fn more(&mut self, kept: usize) -> Option<bool> {
        if self.ended {
            return Some(false);
        }
        let old = self.window.len().saturating_sub(kept);
        self.start = after(self.start, &self.window[..old]);
        self.window.drain(..old);
        self.passed += old as u64;
        let gone = self.breaks.partition_point(|at| *at < self.passed);
        self.breaks.drain(..gone);
        let known = self.window.len();
        self.ended = self.text.by_ref().take(STEP).read_to_end(&mut self.window).ok()? == 0;
        let new = &self.window[known..];
        self.end = after(self.end, new);
        let before = self.passed + known as u64;
        self.breaks.extend(memchr::memchr_iter(b'\n', new).map(|at| before + at as u64));
        Some(!self.ended)
    }

    /// Where a place is in the window, or the end of its line.
    fn find(&mut self, line: u32, column: u32) -> usize {
        // from where its line begins, or from what was found there last
        let mut here = (line, 1);
        let begin = match (line - self.start.0) as usize {
            0 => {
                here = self.start;
                Some(self.passed)
            }
            breaks => self.breaks.get(breaks - 1).map(|at| at + 1),
        };
        let Some(begin) = begin else { return self.window.len() };
        let mut at = (begin - self.passed) as usize;
        let (found, place) = self.found;
        if found.0 == line && (here.1..=column).contains(&found.1) && place >= self.passed {
            (here, at) = (found, (place - self.passed) as usize);
        }
        // what is left of a character is no column
        while let Some(byte) = self.window.get(at)
            && *byte != b'\n'
            && (here.1 < column || byte & 0xC0 == 0x80)
        {
            here.1 += u32::from(byte & 0xC0 != 0x80);
            at += 1;
        }
        self.found = (here, self.passed + at as u64);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::super::packed::tests::gzip;
    use super::*;
    use proptest::prelude::*;

    /// What is there, found by counting.
    fn plain(text: &str, line: u32, column: u32, limit: usize) -> Option<Vec<u8>> {
        let own = text.split('\n').nth(line as usize - 1)?;
        // after the last line break there is no line
        let is_line = column > 1 || !own.is_empty() || text.split('\n').count() > line as usize;
        let rest: String = own.chars().skip(column as usize - 1).collect();
        is_line.then(|| rest.as_bytes()[..rest.len().min(limit)].to_vec())
    }

    proptest! {
        #[test]
        fn any_place_is_read_in_any_order(
            text in "([a-zé\u{1F600}]{0,60}\n?){0,12}",
            places in prop::collection::vec((1u32..14, 1u32..90, 1usize..50), 1..20),
        ) {
            let packed = gzip(text.as_bytes());
            let lines = PackedLines::new(Contents::Bytes(packed.as_slice().into()));
            for (line, column, limit) in places {
                let found = lines.read(line, column, limit);
                prop_assert_eq!(found, plain(&text, line, column, limit), "{}:{} of {:?}", line, column, text);
            }
        }
    }
}
