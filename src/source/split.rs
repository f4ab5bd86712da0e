//! A stream → its documents.
//!
//! kubectl and calicoctl cut a stream at `\n---` and drop the rest of that line before they parse
//! anything (`calicoctl/calicoctl/util/yaml`, v3.32.1); go-yaml then reads what comes before a
//! `...`. In YAML both marks are reserved to column 0, so cutting there is exact.

use super::fault::Fault;
use std::ops::Range;

/// Cuts a text into documents; none of them contains a mark, save where directives come first.
pub(super) struct Splitter<'t> {
    text: &'t str,
    /// where the next document begins; `None` at the end
    next: Option<usize>,
    /// text that kubectl and calicoctl drop, found so far, in input order
    pub(super) dropped: Vec<Fault>,
}

impl<'t> Splitter<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Splitter { text, next: Some(begin(text)), dropped: Vec::new() }
    }

    /// The offset of the first mark that follows a line break within `range`.
    fn mark(&self, range: Range<usize>, mark: &[u8; 3]) -> Option<usize> {
        let needle = [b'\n', mark[0], mark[1], mark[2]];
        memchr::memmem::find_iter(&self.text.as_bytes()[range.clone()], &needle)
            .map(|at| range.start + at + 1)
            .find(|&at| is_mark(self.text, at, mark))
    }

    /// Notes that the text at an offset counts for nobody.
    fn lose(&mut self, offset: usize, message: &str, instead: &str) {
        let fault = Fault::new(offset, "document-marker", message);
        let help = format!("kubectl and calicoctl drop it; {instead}");
        self.dropped.push(*fault.help(help));
    }

    /// Whether the text has nothing but directives and comments, so that the document that the
    /// next mark opens belongs to it.
    fn is_directives(text: &str) -> bool {
        let blank = |line: &&str| line.trim().is_empty() || line.starts_with('#');
        let mut lines = text.lines().skip_while(blank).peekable();
        lines.peek().is_some() && lines.all(|line| blank(&line) || line.starts_with('%'))
    }
}

impl Iterator for Splitter<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.next?;
        // a document that is empty has its end mark at its own first line
        let before = start.saturating_sub(1);
        let mut from = before;
        let end = loop {
            match self.mark(from..self.text.len(), b"---") {
                Some(at) if Self::is_directives(&self.text[start..at]) => from = at,
                end => break end,
            }
        };
        self.next = end.map(|at| line_end(self.text, at + 3));
        let stop = self.stop(before..end.unwrap_or(self.text.len()));
        if let Some(at) = end.map(|at| at + 3).filter(|&at| !rest_is_blank(self.text, at)) {
            let next = "begin the document on the next line";
            self.lose(at, "text on the same line as `---` is lost", next);
        }
        Some(start..stop)
    }
}

impl Splitter<'_> {
    /// Where the document in `range` ends: at its end mark, if it has one, behind which only
    /// comments may stand.
    fn stop(&mut self, range: Range<usize>) -> usize {
        let Some(stop) = self.mark(range.clone(), b"...") else { return range.end };
        let counts = |line: &str| !line.is_empty() && !line.starts_with('#') && line != "...";
        if self.text[stop + 3..range.end].lines().any(|line| counts(line.trim())) {
            let next = "begin a document with a line `---`";
            self.lose(stop, "text behind the end mark `...` is lost", next);
        }
        stop
    }
}

/// Where the first document of a stream begins.
pub(super) fn begin(text: &str) -> usize {
    // the mark that opens the stream has no line break before it, so nothing is dropped there
    if is_mark(text, 0, b"---") && rest_is_blank(text, 3) { line_end(text, 3) } else { 0 }
}

/// Whether any mark stands in a text, at the beginning of a line that is not the first.
pub(super) fn has_mark(text: &str) -> bool {
    [b"---", b"..."].into_iter().any(|mark| {
        let needle = [b'\n', mark[0], mark[1], mark[2]];
        memchr::memmem::find_iter(text.as_bytes(), &needle).any(|at| is_mark(text, at + 1, mark))
    })
}

/// Whether a mark stands at `at`, followed by a blank or the end.
fn is_mark(text: &str, at: usize, mark: &[u8]) -> bool {
    let bytes = &text.as_bytes()[at..];
    bytes.starts_with(mark) && matches!(bytes.get(mark.len()), None | Some(b'\n' | b' ' | b'\t' | b'\r'))
}

/// Whether nothing but blanks and a comment follows on the line.
fn rest_is_blank(text: &str, at: usize) -> bool {
    let rest = text[at..line_end(text, at)].trim();
    rest.is_empty() || rest.starts_with('#')
}

/// The offset behind the line break at or behind `at`.
fn line_end(text: &str, at: usize) -> usize {
    memchr::memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |len| at + len + 1)
}
