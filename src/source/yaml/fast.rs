//! The fast path: YAML as machines print it, straight into the tree.
//!
//! It reads block mappings and sequences, scalars on one line, `|` blocks, flow collections on
//! one line, and comments. On anything else, and on every mistake, it gives up ([`Bail`]), and
//! the document is read again by [`super::compose`], which decides alone what is an error.
//! What the fast path accepts it reads exactly as that reference does; a property test holds it
//! to that. It is about six times as fast.

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

    /// Scans a plain scalar; stops at the colon behind a key, or where its line or a comment ends
    /// it. Gives the end of its text.
    fn plain(&mut self) -> Step<usize> {
        let start = self.pos;
        if !self.plain_may_begin(start) {
            return Err(Bail);
        }
        let mut at = start + 1;
        loop {
            while self.bytes.get(at).is_some_and(|&b| !ENDS_PLAIN[b as usize]) {
                at += 1;
            }
            match self.bytes.get(at) {
                None | Some(b'\n') => break,
                Some(b':') => match self.bytes.get(at + 1) {
                    None | Some(b' ' | b'\n') => {
                        self.pos = at;
                        return if self.bytes[at - 1] == b' ' { Err(Bail) } else { Ok(at) };
                    }
                    Some(_) => at += 1,
                },
                Some(b'#') => {
                    if self.bytes[at - 1] == b' ' {
                        break;
                    }
                    at += 1;
                }
                Some(_) => return Err(Bail),
            }
        }
        self.pos = at;
        let mut end = at;
        while self.bytes[end - 1] == b' ' {
            end -= 1;
        }
        Ok(end)
    }

    /// Whether a plain scalar may begin with the byte at `at`; more careful than YAML.
    fn plain_may_begin(&self, at: usize) -> bool {
        match self.bytes[at] {
            b'-' => self.bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric),
            // at the beginning of a line it may be the mark that ends the document
            b'.' => !self.bytes[at..].starts_with(b"..."),
            byte => BEGINS_PLAIN[byte as usize],
        }
    }

    /// Reads a quoted scalar on one line, and stops behind it.
    fn quoted(&mut self) -> Step<Key> {
        let offset = self.pos;
        let quote = self.bytes[offset];
        let start = offset + 1;
        let mut at = start;
        let key = |slice| Key { offset, style: Style::Text, slice };
        loop {
            match self.bytes.get(at) {
                Some(&b) if b == quote => {
                    if quote == b'"' || self.bytes.get(at + 1) != Some(&b'\'') {
                        self.pos = at + 1;
                        return Ok(key(Some((start, at - start))));
                    }
                    break;
                }
                Some(b'\\') if quote == b'"' => break,
                Some(b'\n' | b'\t' | b'\r') | None => return Err(Bail),
                Some(_) => at += 1,
            }
        }
        self.buffer.clear();
        let mut from = start;
        loop {
            match self.bytes.get(at) {
                Some(b'\'') if quote == b'\'' => {
                    self.buffer.push_str(&self.text[from..at]);
                    if self.bytes.get(at + 1) != Some(&b'\'') {
                        break;
                    }
                    self.buffer.push('\'');
                    at += 2;
                    from = at;
                }
                Some(b'"') if quote == b'"' => {
                    self.buffer.push_str(&self.text[from..at]);
                    break;
                }
                Some(b'\\') if quote == b'"' => {
                    self.buffer.push_str(&self.text[from..at]);
                    at = self.escape(at)?;
                    from = at;
                }
                Some(b'\n' | b'\t' | b'\r') | None => return Err(Bail),
                Some(_) => at += 1,
            }
        }
        self.pos = at + 1;
        Ok(key(None))
    }

    /// Decodes the escape at a backslash into the buffer, if it is one that printers use.
    fn escape(&mut self, at: usize) -> Step<usize> {
        let (c, len) = match self.bytes.get(at + 1) {
            Some(b'n') => ('\n', 2),
            Some(b't') => ('\t', 2),
            Some(b'r') => ('\r', 2),
            Some(b'"') => ('"', 2),
            Some(b'\\') => ('\\', 2),
            Some(b'/') => ('/', 2),
            Some(b'0') => ('\0', 2),
            Some(b'u') => {
                let digits = self.text.get(at + 2..at + 6).ok_or(Bail)?;
                if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(Bail);
                }
                let code = u32::from_str_radix(digits, 16).map_err(|_| Bail)?;
                (char::from_u32(code).ok_or(Bail)?, 6)
            }
            _ => return Err(Bail),
        };
        self.buffer.push(c);
        Ok(at + len)
    }

    /// Reads a `|` block, and goes to the content behind it.
    fn literal(&mut self, parent: Parent) -> Step {
        let offset = self.pos;
        let (chomp, header) = match self.bytes.get(offset + 1) {
            Some(&c @ (b'-' | b'+')) => (Some(c), offset + 2),
            _ => (None, offset + 1),
        };
        if self.bytes.get(header) != Some(&b'\n') {
            return Err(Bail);
        }
        let mut at = header + 1;
        self.buffer.clear();
        let (mut indent, mut blank) = (None, 0);
        loop {
            let line = at;
            while self.bytes.get(at) == Some(&b' ') && indent.is_none_or(|n| at - line < n) {
                at += 1;
            }
            let spaces = at - line;
            match self.bytes.get(at) {
                None => {
                    at = line;
                    break;
                }
                Some(b'\n') => {
                    // blank lines before the first content must not stand right of it: bail below
                    if indent.is_none() && spaces > 0 {
                        return Err(Bail);
                    }
                    blank += 1;
                    at += 1;
                    continue;
                }
                Some(_) if indent.is_some_and(|n| spaces < n) => {
                    at = line;
                    break;
                }
                Some(_) => {}
            }
            if indent.is_none() {
                if spaces as isize <= parent || spaces == 0 || self.bytes[at] == b'\t' {
                    return Err(Bail);
                }
                indent = Some(spaces);
            }
            // the last line must end with a line break: libyaml and YAML 1.2 differ if it does not
            let len = memchr::memchr(b'\n', &self.bytes[at..]).ok_or(Bail)?;
            let content = &self.text[at..at + len];
            if content.ends_with('\r') {
                return Err(Bail);
            }
            self.buffer.extend(std::iter::repeat_n('\n', blank));
            blank = 0;
            self.buffer.push_str(content);
            self.buffer.push('\n');
            at += len + 1;
        }
        if indent.is_none() {
            return Err(Bail);
        }
        match chomp {
            Some(b'-') => {
                self.buffer.pop();
            }
            Some(_) => self.buffer.extend(std::iter::repeat_n('\n', blank)),
            None => {}
        }
        self.tree.scalar_owned(Style::Text, offset as u32, &self.buffer);
        self.line_at(at)
    }

    /// Reads a flow collection that stands on one line, and stops behind it.
    fn flow(&mut self) -> Step {
        self.enter()?;
        let start = self.pos as u32;
        let map = self.bytes[self.pos] == b'{';
        let (id, close) =
            if map { (self.tree.open_map(start), b'}') } else { (self.tree.open_seq(start), b']') };
        self.pos += 1;
        self.skip_spaces();
        let mut count = 0;
        if self.peek() != Some(close) {
            loop {
                if map {
                    let key = self.flow_key()?;
                    self.push(&key);
                    self.pos += 1;
                    self.skip_spaces();
                    count += 1;
                }
                match self.peek() {
                    Some(b'[' | b'{') => self.flow()?,
                    Some(_) => {
                        let scalar = self.flow_scalar()?;
                        self.push(&scalar);
                    }
                    None => return Err(Bail),
                }
                self.skip_spaces();
                match self.peek() {
                    Some(b',') => {
                        self.pos += 1;
                        self.skip_spaces();
                    }
                    Some(b) if b == close => break,
                    _ => return Err(Bail),
                }
            }
        }
        self.pos += 1;
        self.tree.close(id);
        if count > 1 {
            self.tree.find_duplicates(id);
        }
        self.depth -= 1;
        Ok(())
    }

    fn flow_key(&mut self) -> Step<Key> {
        let start = self.pos;
        let key = self.flow_scalar()?;
        if self.pos - start > MAX_KEY
            || self.peek() != Some(b':')
            || self.bytes.get(self.pos + 1) != Some(&b' ')
        {
            return Err(Bail);
        }
        match key.style {
            Style::Plain => self.plain_key(start, self.pos),
            _ => Ok(key),
        }
    }

    /// A quoted or plain scalar inside a flow collection; stops at the punctuation behind it.
    fn flow_scalar(&mut self) -> Step<Key> {
        let start = self.pos;
        match self.peek() {
            Some(b'"' | b'\'') => return self.quoted(),
            Some(_) if self.plain_may_begin(start) => {}
            _ => return Err(Bail),
        }
        let mut at = start + 1;
        loop {
            match self.bytes.get(at) {
                Some(b',' | b']' | b'}') => break,
                Some(b':') => match self.bytes.get(at + 1) {
                    Some(b' ') => break,
                    Some(b) if b.is_ascii_alphanumeric() || matches!(b, b'/' | b':' | b'.') => at += 1,
                    _ => return Err(Bail),
                },
                Some(b'[' | b'{' | b'#' | b'\n' | b'\t' | b'\r' | b'?') | None => return Err(Bail),
                Some(_) => at += 1,
            }
        }
        self.pos = at;
        let mut end = at;
        while self.bytes[end - 1] == b' ' {
            end -= 1;
        }
        if end < at && self.bytes[at] == b':' {
            return Err(Bail);
        }
        Ok(Key { offset: start, style: Style::Plain, slice: Some((start, end - start)) })
    }
}

/// Bytes at which the scan of a plain scalar stops to look closer.
static ENDS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let ends = b"\n:#\t\r";
    let mut i = 0;
    while i < ends.len() {
        table[ends[i] as usize] = true;
        i += 1;
    }
    table
};

/// Bytes that a plain scalar may begin with: none that YAML gives a meaning.
static BEGINS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let begins = b"_./$()+=^;\\<~";
    let mut i = 0;
    while i < begins.len() {
        table[begins[i] as usize] = true;
        i += 1;
    }
    let mut b = 0;
    while b < 128 {
        if (b as u8).is_ascii_alphanumeric() {
            table[b] = true;
        }
        b += 1;
    }
    table
};
