//! The fast path: YAML as machines print it, straight into the tree.
//!
//! It reads block mappings and sequences, scalars on one line, `|` blocks, flow collections on
//! one line, and comments. On anything else, and on every mistake, it gives up ([`Bail`]), and
//! the document is read again by [`super::compose`], which decides alone what is an error.
//! What the fast path accepts it reads exactly as that reference does; a property test holds it
//! to that. It is about six times as fast.

mod flow;
mod scalars;

use super::super::fault::MAX_DEPTH;
use super::super::scalar;
use super::super::tree::{Style, Tree, Value};

/// "Not in the subset"; no more is said, the reference parser explains.
pub(in crate::source) struct Bail;

type Step<T = ()> = Result<T, Bail>;

/// The column of a node's parent: the node's continuation lines would stand right of it.
/// -1 at the root.
type Parent = isize;

/// Longest key in bytes that YAML allows without `?`.
const MAX_KEY: usize = 1024;

/// Reads block nodes out of a tree's text.
pub(in crate::source) struct Fast<'a, 't> {
    text: &'t str,
    bytes: &'t [u8],
    tree: &'a mut Tree<'t>,
    /// the next byte; between nodes, the first byte of the next line that has content
    pos: usize,
    /// start of the line that `pos` is on
    line: usize,
    depth: usize,
    /// scalars that are not a slice of the text are put together here
    buffer: String,
}

/// A key that was read: its place and text, ready to be added to the tree.
struct Key {
    offset: usize,
    style: Style,
    /// `None` if the text is in the buffer
    slice: Option<(usize, usize)>,
}

impl<'a, 't> Fast<'a, 't> {
    /// Reads `text` (the tree's, or a prefix of it) from `start`, which begins a line.
    pub(in crate::source) fn new(text: &'t str, start: usize, tree: &'a mut Tree<'t>) -> Step<Self> {
        let buffer = String::new();
        let mut fast = Fast { text, bytes: text.as_bytes(), tree, pos: start, line: start, depth: 0, buffer };
        fast.line_at(start)?;
        Ok(fast)
    }

    /// Reads a whole document into the tree; an empty one leaves the tree empty.
    pub(in crate::source) fn document(mut self) -> Step {
        if !self.at_end() {
            self.node(-1)?;
        }
        if self.at_end() { Ok(()) } else { Err(Bail) }
    }

    /// Reads the item of a block sequence whose `-` stands at `column`, without the sequence
    /// around it, into the tree; an item that is not there leaves the tree empty. Gives the
    /// offset of the line behind it.
    pub(in crate::source) fn item(mut self, column: usize) -> Step<usize> {
        if !self.at_end() && self.column() == column && self.at_dash() {
            self.dash(column)?;
            if self.column() > column && !self.at_end() {
                return Err(Bail);
            }
        }
        Ok(self.line)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    fn at_end(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    fn column(&self) -> usize {
        self.pos - self.line
    }

    /// Whether `pos` is at a `-` that begins a sequence item.
    fn at_dash(&self) -> bool {
        self.peek() == Some(b'-') && matches!(self.bytes.get(self.pos + 1), None | Some(b' ' | b'\n'))
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.pos += 1;
        }
    }

    /// Goes to the first content at or after `start`, which begins a line.
    fn line_at(&mut self, start: usize) -> Step {
        let mut at = start;
        loop {
            self.line = at;
            while self.bytes.get(at) == Some(&b' ') {
                at += 1;
            }
            self.pos = at;
            match self.bytes.get(at) {
                None => {
                    self.line = at;
                    return Ok(());
                }
                Some(b'\n') => at += 1,
                Some(b'#') => match memchr::memchr(b'\n', &self.bytes[at..]) {
                    Some(len) => at += len + 1,
                    None => at = self.bytes.len(),
                },
                Some(b'\t' | b'\r') => return Err(Bail),
                Some(_) => return Ok(()),
            }
        }
    }

    /// Expects nothing but blanks and a comment on the rest of the line; goes to the next content.
    fn end_line(&mut self) -> Step {
        let start = self.pos;
        self.skip_spaces();
        match self.peek() {
            None => self.line_at(self.pos),
            Some(b'\n') => self.line_at(self.pos + 1),
            Some(b'#') if self.pos > start || self.bytes[self.pos - 1] == b' ' => self.line_at(self.pos),
            Some(_) => Err(Bail),
        }
    }

    fn enter(&mut self) -> Step {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Bail) } else { Ok(()) }
    }

    /// Reads a node that may be a block collection, and goes to the content behind it.
    fn node(&mut self, parent: Parent) -> Step {
        let column = self.column();
        if self.at_dash() {
            return self.sequence(column);
        }
        let start = self.pos;
        match self.bytes[start] {
            b'"' | b'\'' => {
                let key = self.quoted()?;
                if self.at_colon() {
                    self.mapping(column, key)
                } else {
                    self.push(&key);
                    self.end_line()
                }
            }
            b'[' | b'{' => {
                self.flow()?;
                self.end_line()
            }
            b'|' => self.literal(parent),
            _ => {
                let end = self.plain()?;
                if self.peek() == Some(b':') {
                    let key = self.plain_key(start, end)?;
                    self.mapping(column, key)
                } else {
                    self.plain_scalar(start, end, parent)
                }
            }
        }
    }

    /// Adds a plain scalar that was scanned; a line that continues it is not for us.
    fn plain_scalar(&mut self, start: usize, end: usize, parent: Parent) -> Step {
        self.tree.scalar(Style::Plain, start as u32, start as u32, (end - start) as u32);
        self.end_line()?;
        if !self.at_end() && self.column() as isize > parent { Err(Bail) } else { Ok(()) }
    }

    /// Whether a key ends here: `:` and then a blank.
    fn at_colon(&self) -> bool {
        self.peek() == Some(b':') && matches!(self.bytes.get(self.pos + 1), None | Some(b' ' | b'\n'))
    }

    fn push(&mut self, key: &Key) {
        match key.slice {
            Some((start, len)) => {
                self.tree.scalar(key.style, key.offset as u32, start as u32, len as u32);
            }
            None => self.tree.scalar_owned(key.style, key.offset as u32, &self.buffer),
        }
    }

    /// Reads a mapping at `column` whose first key was read already.
    fn mapping(&mut self, column: usize, first: Key) -> Step {
        self.enter()?;
        let id = self.tree.open_map(first.offset as u32);
        let (mut previous, mut rising): (Option<(usize, usize)>, bool) = (None, true);
        let mut key = first;
        loop {
            if self.pos - key.offset > MAX_KEY {
                return Err(Bail);
            }
            let text = |(start, len): (usize, usize)| &self.bytes[start..start + len];
            rising &= key.slice.is_some() && previous.map(text) < key.slice.map(text);
            previous = key.slice;
            self.push(&key);
            self.pos += 1; // the colon
            self.value(column)?;
            if self.at_end() || self.column() < column {
                break;
            }
            if self.column() > column || self.at_dash() {
                return Err(Bail);
            }
            key = self.key()?;
        }
        self.tree.close(id);
        if !rising {
            self.tree.find_duplicates(id);
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a key, up to its colon.
    fn key(&mut self) -> Step<Key> {
        let start = self.pos;
        if matches!(self.bytes[start], b'"' | b'\'') {
            let key = self.quoted()?;
            return if self.at_colon() { Ok(key) } else { Err(Bail) };
        }
        let end = self.plain()?;
        if self.peek() == Some(b':') { self.plain_key(start, end) } else { Err(Bail) }
    }

    /// A plain key, unless it resolves to something that is no string, or merges.
    fn plain_key(&self, start: usize, end: usize) -> Step<Key> {
        let text = &self.text[start..end];
        match scalar::resolve(text) {
            Value::Str(_) if text != "<<" => {
                Ok(Key { offset: start, style: Style::Plain, slice: Some((start, end - start)) })
            }
            _ => Err(Bail),
        }
    }

    /// Reads what stands after a colon, in a mapping at `column`.
    fn value(&mut self, column: usize) -> Step {
        self.skip_spaces();
        let start = self.pos;
        match self.peek() {
            None => Err(Bail),
            Some(b'\n' | b'#') => {
                self.end_line()?;
                if self.at_end() || self.column() < column {
                    return Err(Bail); // no value is null; where it stands is the reference's business
                }
                if self.column() > column {
                    return self.node(column as isize);
                }
                if self.at_dash() { self.sequence(column) } else { Err(Bail) }
            }
            Some(b'"' | b'\'') => {
                let scalar = self.quoted()?;
                self.push(&scalar);
                self.end_line()
            }
            Some(b'[' | b'{') => {
                self.flow()?;
                self.end_line()
            }
            Some(b'|') => self.literal(column as isize),
            Some(_) => {
                if self.at_dash() {
                    return Err(Bail);
                }
                let end = self.plain()?;
                if self.peek() == Some(b':') {
                    return Err(Bail);
                }
                self.plain_scalar(start, end, column as isize)
            }
        }
    }

    /// Reads a sequence whose dashes stand at `column`.
    fn sequence(&mut self, column: usize) -> Step {
        self.enter()?;
        let id = self.tree.open_seq(self.pos as u32);
        loop {
            self.dash(column)?;
            if self.at_end() || self.column() < column {
                break;
            }
            if self.column() > column {
                return Err(Bail);
            }
            if !self.at_dash() {
                break; // a key of the mapping that this sequence is a value of
            }
        }
        self.tree.close(id);
        self.depth -= 1;
        Ok(())
    }

    /// Reads one item at its dash.
    fn dash(&mut self, column: usize) -> Step {
        self.pos += 1;
        self.skip_spaces();
        if matches!(self.peek(), None | Some(b'\n' | b'#')) {
            self.end_line()?;
            if self.at_end() || self.column() <= column {
                return Err(Bail);
            }
        }
        self.node(column as isize)
    }
}
