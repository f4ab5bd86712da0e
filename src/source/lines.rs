//! Byte offset → line and column, in constant time for text of any shape.

use crate::diagnostic::{FileId, Location};

/// Bytes of one line after which its column is noted, so that a file that is one long line of
/// JSON does not cost a count from its beginning for every place.
const STRIDE: usize = 512;

/// The line starts of a text.
#[derive(Debug)]
pub(super) struct Lines {
    starts: Vec<u32>,
    /// inside long lines: an offset, and the code points before it on its line
    marks: Vec<(u32, u32)>,
}

impl Lines {
    /// Indexes a text of at most 4 GiB.
    pub(super) fn new(text: &str) -> Self {
        let newlines = memchr::memchr_iter(b'\n', text.as_bytes()).map(|i| i as u32 + 1);
        let starts: Vec<u32> = std::iter::once(0).chain(newlines).collect();
        let mut marks = Vec::new();
        for (index, &start) in starts.iter().enumerate() {
            let end = starts.get(index + 1).map_or(text.len(), |&next| next as usize);
            let (mut at, mut column) = (start as usize, 0);
            while end - at > STRIDE {
                let next = floor(text, at + STRIDE);
                column += text[at..next].chars().count() as u32;
                at = next;
                marks.push((at as u32, column));
            }
        }
        Lines { starts, marks }
    }

    /// The 0-based line and column (in code points) of an offset; past the end counts as the end.
    pub(super) fn locate(&self, text: &str, offset: usize) -> (u32, u32) {
        let offset = floor(text, offset.min(text.len()));
        let line = self.starts.partition_point(|&start| start as usize <= offset) - 1;
        let start = (self.starts[line] as usize, 0);
        let mark = match self.marks.partition_point(|mark| mark.0 as usize <= offset) {
            0 => start,
            n => (self.marks[n - 1].0 as usize, self.marks[n - 1].1),
        };
        let (from, column) = if mark.0 > start.0 { mark } else { start };
        (line as u32, column + text[from..offset].chars().count() as u32)
    }
}

/// The nearest character boundary at or before an offset.
pub(super) fn floor(text: &str, mut offset: usize) -> usize {
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// The place behind `text`, which begins at `place`.
pub(super) fn advance(place: Location, text: &str) -> Location {
    let (line, column) = after((place.line, place.column), text.as_bytes());
    Location { line, column, ..place }
}

/// Line and column behind some bytes of a text, which may begin and end within characters: what is left of one is
/// no column.
pub(super) fn after((line, column): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let columns = |bytes: &[u8]| bytes.iter().filter(|byte| *byte & 0xC0 != 0x80).count() as u32;
    match memchr::memrchr(b'\n', bytes) {
        Some(last) => {
            let breaks = memchr::memchr_iter(b'\n', &bytes[..=last]).count() as u32;
            (line + breaks, 1 + columns(&bytes[last + 1..]))
        }
        None => (line, column + columns(bytes)),
    }
}

/// The first place of a file.
pub(super) fn start_of(file: FileId) -> Location {
    Location { file, line: 1, column: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slowly(text: &str, offset: usize) -> (u32, u32) {
        let before = &text[..offset];
        let line = before.matches('\n').count() as u32;
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        (line, before[start..].chars().count() as u32)
    }

    #[test]
    fn every_offset_has_the_place_that_counting_gives() {
        let long = "né".repeat(700);
        let text = format!("a\n\n{long}\nbü\r\n{long}{long}");
        let lines = Lines::new(&text);
        for (offset, _) in text.char_indices() {
            assert_eq!(lines.locate(&text, offset), slowly(&text, offset), "at {offset}");
        }
        assert_eq!(lines.locate(&text, usize::MAX), slowly(&text, text.len()));
    }

    #[test]
    fn an_offset_inside_a_character_is_that_characters_place() {
        let lines = Lines::new("aé");
        assert_eq!(lines.locate("aé", 2), (0, 1));
    }
}
