//! A large file → objects, a window of it at a time.
//!
//! What `large` cuts a whole text into comes here from a reader: a window is filled, cut where items seem to begin,
//! and its parts are lowered while the next window is filled behind what was left of the last one. So memory is two
//! windows, whatever the size of the file. As there, nothing rests on the guess that it is one long list: if any part
//! does not consist of whole items, if a mark of YAML stands between them, or what follows the list says that it is
//! none, all of it is forgotten and the file is read whole.

use super::digest::Digest;
use super::files::LineIndex;
use super::find::Contents;
use super::large::{HEAD, Head, Large, PART, Pattern, Shape};
use super::part::{Output, Part, Work};
use super::sink::ListHead;
use super::{Object, Run, lines, lower, split};
use crate::diagnostic::{FileId, Location};
use std::io::{self, Read};

/// Bytes of a window.
pub(super) const WINDOW: usize = if cfg!(test) { super::large::LARGE } else { HEAD };

/// Sizes in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// of a window; a list's head has to be in the first
    pub(super) window: usize,
    /// of a part, at least
    pub(super) part: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Sizes { window: WINDOW, part: PART }
    }
}

/// What came of a file.
pub(super) enum Outcome {
    /// its objects were taken
    Done { packed: bool, digest: u64, lines: LineIndex },
    /// nothing was taken; its bytes
    Whole { packed: bool, bytes: Vec<u8> },
}

/// What came of one pass over a file.
enum Pass {
    Done(u64, LineIndex),
    /// it ends within the first window
    Short(Vec<u8>),
    /// it is read again, with what the list's end says about its items
    Again(Head),
    Unfit,
}

impl<T: Send, F: Fn(&Object<'_>) -> T + Sync> Run<'_, T, F> {
    /// Reads a file in windows, if that is possible.
    pub(super) fn stream(
        &mut self,
        file: FileId,
        contents: &Contents<'_>,
        json: bool,
    ) -> io::Result<Outcome> {
        let before = (self.loaded.values.len(), self.loaded.diagnostics.len(), self.loaded.documents);
        let mut head = None;
        loop {
            let mut unpacked = contents.read()?;
            let packed = unpacked.packed;
            let pass = self.pass(file, &mut unpacked.text, json, head.as_ref());
            if !matches!(pass, Ok(Pass::Done(..))) {
                self.loaded.values.truncate(before.0);
                self.loaded.diagnostics.truncate(before.1);
                self.loaded.documents = before.2;
            }
            head = match pass? {
                Pass::Done(digest, lines) => return Ok(Outcome::Done { packed, digest, lines }),
                Pass::Short(bytes) => return Ok(Outcome::Whole { packed, bytes }),
                Pass::Again(found) if head.is_none() => Some(found),
                Pass::Again(_) | Pass::Unfit => {
                    let mut bytes = Vec::with_capacity(contents.size());
                    contents.read()?.text.read_to_end(&mut bytes)?;
                    return Ok(Outcome::Whole { packed, bytes });
                }
            };
        }
    }

    /// One pass. `head`: what is said about the items, if that is known better than from the beginning.
    fn pass(
        &mut self,
        file: FileId,
        source: &mut (dyn Read + Send),
        json: bool,
        head: Option<&Head>,
    ) -> io::Result<Pass> {
        let Sizes { window: size, part } = self.sizes;
        let mut digest = Digest::default();
        let mut window = Vec::new();
        let mut ended = fill(source, &mut window, size)?;
        if ended {
            return Ok(Pass::Short(window));
        }
        let mark = if window.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        window.drain(..mark);
        let mut index = LineIndex::new(mark);
        let mut see = |bytes: &[u8]| {
            digest.add(bytes);
            index.add(bytes);
        };
        see(&window);
        let Some(text) = readable(&window, ended) else { return Ok(Pass::Unfit) };
        let begin = split::begin(text);
        let (before, document) = text.split_at(begin);
        let Some(large) = Large::new(document, json) else { return Ok(Pass::Unfit) };
        let Some(pattern) = large.pattern(document) else { return Ok(Pass::Unfit) };
        let head = head.unwrap_or(&large.head).of_items();
        let at = lines::advance(lines::start_of(file), before);
        let mut at = lines::advance(at, &document[..large.start]);
        let mut start = begin + large.start;
        let mut next = Vec::new();
        let mut lacking = false;
        loop {
            let Some(text) = readable(&window, ended) else { return Ok(Pass::Unfit) };
            let whole =
                Part { text: &text[start..], at, work: Work::Items { shape: large.shape, last: ended } };
            if !large.shape.is_json() && split::has_mark(whole.text) {
                return Ok(Pass::Unfit);
            }
            let (parts, rest) = cut(&whole, large.shape, &pattern, part);
            next.clear();
            next.extend_from_slice(&window[start + rest.len..]);
            let (function, serial) = (self.lower, self.serial);
            let lower = || lower(function, serial, &parts, head);
            let mut fill_next = || {
                let known = next.len();
                // an item larger than a window asks for a larger window
                let ended = ended || fill(source, &mut next, size.max(2 * known))?;
                see(&next[known..]);
                io::Result::Ok(ended)
            };
            let (outputs, filled) =
                if serial { (lower(), fill_next()) } else { rayon::join(lower, fill_next) };
            let Some(ends) = outputs.iter().map(|output| output.end).collect::<Option<Vec<_>>>() else {
                return Ok(Pass::Unfit);
            };
            lacking |= outputs.iter().any(|output| output.lacking);
            outputs.into_iter().for_each(|output: Output<T>| self.take(output));
            if ended {
                let (Some(last), Some(end)) = (parts.last(), ends.last()) else { return Ok(Pass::Unfit) };
                let Some(found) = large.finish(last.text, *end) else { return Ok(Pass::Unfit) };
                if lacking && !same(found.of_items(), head) {
                    return Ok(Pass::Again(found));
                }
                self.loaded.documents += usize::from(large.shape != Shape::JsonStream);
                return Ok(Pass::Done(digest.finish(), index));
            }
            at = rest.at;
            ended = filled?;
            std::mem::swap(&mut window, &mut next);
            start = 0;
        }
    }
}

/// What of a window comes into the next one.
struct Rest {
    /// where it begins, in bytes from the window's first item
    len: usize,
    at: Location,
}

/// Cuts a window into parts; the last one only if it ends the file.
fn cut<'t>(whole: &Part<'t>, shape: Shape, pattern: &Pattern, size: usize) -> (Vec<Part<'t>>, Rest) {
    let Work::Items { last: ended, .. } = whole.work else {
        return (Vec::new(), Rest { len: 0, at: whole.at });
    };
    let (text, mut at) = (whole.text, whole.at);
    let (mut parts, mut start) = (Vec::new(), 0);
    while let Some((end, next)) = pattern.next(text, start + size) {
        parts.push(Part { text: &text[start..end], at, work: Work::Items { shape, last: false } });
        at = lines::advance(at, &text[start..next]);
        start = next;
    }
    if ended {
        parts.push(Part { text: &text[start..], at, work: Work::Items { shape, last: true } });
    }
    (parts, Rest { len: start, at })
}

/// The window as text, without the character that it ends in.
fn readable(window: &[u8], ended: bool) -> Option<&str> {
    match std::str::from_utf8(window) {
        Ok(text) => Some(text),
        Err(error) if !ended && error.error_len().is_none() => {
            std::str::from_utf8(&window[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// Whether two lists say the same about their items.
fn same(a: ListHead<'_>, b: ListHead<'_>) -> bool {
    (a.api_version, a.kind) == (b.api_version, b.kind)
}

/// Reads until there are `len` bytes; whether the source has ended.
fn fill(source: &mut (dyn Read + Send), bytes: &mut Vec<u8>, len: usize) -> io::Result<bool> {
    bytes.reserve_exact(len.saturating_sub(bytes.len()));
    let missing = len.saturating_sub(bytes.len()) as u64;
    source.take(missing).read_to_end(bytes)?;
    Ok(bytes.len() < len)
}
