//! JSON text → tree: strict RFC 8259, exact places, and nothing allocated per value.

use super::fault::{Fault, MAX_DEPTH, Parsed};
use super::tree::{Style, Tree};

/// The id of every fault found here.
const ID: &str = "json-syntax";

/// Reads JSON values out of a tree's text, one after another.
pub(super) struct Reader<'t> {
    text: &'t str,
    /// where the next byte is read
    pub(super) pos: usize,
    /// strings with escapes are put together here
    buffer: String,
}

impl<'t> Reader<'t> {
    /// Reads `text` (the tree's, or a prefix of it) from byte `pos`.
    pub(super) fn new(text: &'t str, pos: usize) -> Self {
        Reader { text, pos, buffer: String::new() }
    }

    /// The next byte that is not whitespace, not consumed.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.pos) {
                // indented output: eight spaces at a time
                Some(b'\n') => {
                    self.pos += 1;
                    while bytes.get(self.pos..self.pos + 8) == Some(b"        ".as_slice()) {
                        self.pos += 8;
                    }
                }
                Some(b' ' | b'\t' | b'\r') => self.pos += 1,
                other => return other.copied(),
            }
        }
    }

    /// Consumes one punctuation character.
    pub(super) fn expect(&mut self, byte: u8, wanted: &str) -> Parsed {
        if self.peek() == Some(byte) {
            self.pos += 1;
            return Ok(());
        }
        Err(self.unexpected(wanted))
    }

    /// Expects the end of the text, or another object or array.
    pub(super) fn ends(&mut self) -> Parsed {
        match self.peek() {
            None | Some(b'{' | b'[') => Ok(()),
            Some(_) => Err(self.unexpected("the end, or another object")),
        }
    }

    /// Reads `"key": value` of the root mapping.
    pub(super) fn member(&mut self, tree: &mut Tree<'t>) -> Parsed {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a key in double quotes"));
        }
        self.string(tree)?;
        self.expect(b':', "`:` after the key")?;
        self.value(tree, 1)
    }

    /// Consumes a key and its colon, if it is this one written without escapes.
    pub(super) fn key_is(&mut self, key: &str) -> bool {
        self.peek();
        let rest = &self.text[self.pos..];
        let rest = rest.strip_prefix('"').and_then(|rest| rest.strip_prefix(key));
        if !rest.is_some_and(|rest| rest.starts_with('"')) {
            return false;
        }
        self.pos += key.len() + 2;
        self.expect(b':', "`:`").is_ok()
    }

    /// Reads one value, at `depth` collections below the tree's root.
    pub(super) fn value(&mut self, tree: &mut Tree<'t>, depth: usize) -> Parsed {
        match self.peek() {
            Some(b'"') => self.string(tree).map(|_| ()),
            Some(b'{') => self.object(tree, depth),
            Some(b'[') => self.array(tree, depth),
            Some(b'-' | b'0'..=b'9') => self.number(tree),
            Some(b't') => self.literal(tree, "true"),
            Some(b'f') => self.literal(tree, "false"),
            Some(b'n') => self.literal(tree, "null"),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn object(&mut self, tree: &mut Tree<'t>, depth: usize) -> Parsed {
        if depth >= MAX_DEPTH {
            return Err(Fault::too_deep(self.pos));
        }
        let id = tree.open_map(self.pos as u32);
        self.pos += 1;
        // keys that machines print rise strictly, and then none can be there twice
        let (mut previous, mut rising) = (None, true);
        if self.peek() == Some(b'}') {
            self.pos += 1;
            tree.close(id);
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            match self.string(tree)? {
                Some(key) => {
                    rising &= previous < Some(key);
                    previous = Some(key);
                }
                None => rising = false,
            }
            self.expect(b':', "`:` after the key")?;
            self.value(tree, depth + 1)?;
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b'}') => break,
                _ => return Err(self.unexpected("`,` or `}`")),
            }
        }
        self.pos += 1;
        tree.close(id);
        if !rising {
            tree.find_duplicates(id);
        }
        Ok(())
    }

    fn array(&mut self, tree: &mut Tree<'t>, depth: usize) -> Parsed {
        if depth >= MAX_DEPTH {
            return Err(Fault::too_deep(self.pos));
        }
        let id = tree.open_seq(self.pos as u32);
        self.pos += 1;
        if self.peek() == Some(b']') {
            self.pos += 1;
            tree.close(id);
            return Ok(());
        }
        loop {
            self.value(tree, depth + 1)?;
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b']') => break,
                _ => return Err(self.unexpected("`,` or `]`")),
            }
        }
        self.pos += 1;
        tree.close(id);
        Ok(())
    }

    fn literal(&mut self, tree: &mut Tree<'t>, word: &str) -> Parsed {
        let start = self.pos;
        if !self.text.as_bytes()[start..].starts_with(word.as_bytes()) {
            return Err(self.unexpected("a value"));
        }
        self.pos += word.len();
        tree.scalar(Style::Json, start as u32, start as u32, word.len() as u32);
        Ok(())
    }

    fn number(&mut self, tree: &mut Tree<'t>) -> Parsed {
        let start = self.pos;
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let first = start + usize::from(bytes[start] == b'-');
        let mut end = digits(first);
        let malformed = |at: usize, message: &str| Err(Fault::new(at, ID, message));
        if end == first {
            return malformed(end, "expected a digit after `-`");
        }
        if bytes[first] == b'0' && end > first + 1 {
            return malformed(first, "a number cannot begin with `0`");
        }
        let mut whole = true;
        if bytes.get(end) == Some(&b'.') {
            whole = false;
            let fraction = end + 1;
            end = digits(fraction);
            if end == fraction {
                return malformed(end, "expected a digit after the decimal point");
            }
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            whole = false;
            let exponent = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            end = digits(exponent);
            if end == exponent {
                return malformed(end, "expected a digit in the exponent");
            }
        }
        // no reader of these manifests takes what a float cannot hold
        let text = &self.text[start..end];
        if (!whole || text.len() > 300) && !text.parse().is_ok_and(|f: f64| f.is_finite()) {
            return malformed(start, "this number is out of range");
        }
        self.pos = end;
        tree.scalar(Style::Json, start as u32, start as u32, (end - start) as u32);
        Ok(())
    }

    /// Reads a string at its opening quote; gives its text if it is a slice of the input.
    fn string(&mut self, tree: &mut Tree<'t>) -> Parsed<Option<&'t [u8]>> {
        let start = self.pos;
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        loop {
            match bytes.get(at) {
                Some(b'"') => {
                    tree.scalar(Style::Text, start as u32, start as u32 + 1, (at - start - 1) as u32);
                    self.pos = at + 1;
                    return Ok(Some(&bytes[start + 1..at]));
                }
                Some(b'\\') => break,
                Some(0..0x20) => return Err(control(bytes[at], at)),
                Some(_) => at += 1,
                None => return Err(unclosed(start)),
            }
        }
        self.buffer.clear();
        self.buffer.push_str(&self.text[start + 1..at]);
        loop {
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at = self.escape(at, start)?,
                Some(0..0x20) => return Err(control(bytes[at], at)),
                Some(_) => {
                    let rest = &bytes[at..];
                    let plain = |b: &u8| *b >= 0x20 && *b != b'"' && *b != b'\\';
                    let len = rest.iter().position(|b| !plain(b)).unwrap_or(rest.len());
                    self.buffer.push_str(&self.text[at..at + len]);
                    at += len;
                }
                None => return Err(unclosed(start)),
            }
        }
        self.pos = at + 1;
        tree.scalar_owned(Style::Text, start as u32, &self.buffer);
        Ok(None)
    }

    /// Decodes the escape at its backslash into the buffer; gives the offset behind it.
    fn escape(&mut self, at: usize, start: usize) -> Parsed<usize> {
        let Some(&letter) = self.text.as_bytes().get(at + 1) else { return Err(unclosed(start)) };
        let plain = match letter {
            b'"' | b'\\' | b'/' => letter as char,
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let unit = self.hex(at)?;
                let (code, end) = match unit {
                    0xD800..0xDC00 => {
                        let low = at + 6;
                        let follows = self.text.as_bytes()[low..].starts_with(b"\\u");
                        let Some(low_unit @ 0xDC00..0xE000) =
                            (if follows { Some(self.hex(low)?) } else { None })
                        else {
                            return Err(lone(at));
                        };
                        (0x10000 + ((unit - 0xD800) << 10) + (low_unit - 0xDC00), low + 6)
                    }
                    _ => (unit, at + 6),
                };
                self.buffer.push(char::from_u32(code).ok_or_else(|| lone(at))?);
                return Ok(end);
            }
            _ => {
                let help = "JSON knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX";
                return Err(Fault::new(at, ID, "unknown escape in a string").help(help));
            }
        };
        self.buffer.push(plain);
        Ok(at + 2)
    }

    /// The four hexadecimal digits of the `\u` escape at a backslash.
    fn hex(&self, at: usize) -> Parsed<u32> {
        let digits = self.text.as_bytes().get(at + 2..at + 6).unwrap_or_default();
        let digit = |n: u32, b: &u8| Some(n << 4 | (*b as char).to_digit(16)?);
        let code = if digits.len() == 4 { digits.iter().try_fold(0, digit) } else { None };
        code.ok_or_else(|| Fault::new(at, ID, "`\\u` needs four hexadecimal digits"))
    }

    fn unexpected(&mut self, wanted: &str) -> Box<Fault> {
        let found = self.peek().and_then(|_| self.text[self.pos..].chars().next());
        match found {
            None => Fault::new(self.pos, ID, format!("the text ends where {wanted} should follow"))
                .help("the file may be cut off"),
            Some(c) => {
                let message = format!("expected {wanted}, found `{}`", c.escape_debug());
                let fault = Fault::new(self.pos, ID, message);
                match c {
                    '}' | ']' => fault.help("JSON allows no comma after the last element"),
                    '/' | '#' => fault.help("JSON has no comments"),
                    '\'' => fault.help("JSON strings stand in double quotes"),
                    _ => fault,
                }
            }
        }
    }
}

fn unclosed(start: usize) -> Box<Fault> {
    Fault::new(start, ID, "this string is not closed").help("the file may be cut off")
}

fn lone(at: usize) -> Box<Fault> {
    Fault::new(at, ID, "half of a surrogate pair in a string")
}

fn control(byte: u8, at: usize) -> Box<Fault> {
    let fault = Fault::new(at, ID, format!("control character U+{byte:04X} in a string"));
    if byte == b'\n' {
        fault.help("a string ends on the line where it begins; write the line break as `\\n`")
    } else {
        fault.help(format!("write it as `\\u{byte:04x}`"))
    }
}

#[cfg(test)]
mod tests;
