//! Scalars of the fast path: plain and quoted on one line, and `|` blocks.

use super::{Bail, Fast, Key, Parent, Step};
use crate::source::tree::Style;

impl Fast<'_, '_> {
    /// Scans a plain scalar; stops at the colon behind a key, or where its line or a comment ends
    /// it. Gives the end of its text.
    pub(super) fn plain(&mut self) -> Step<usize> {
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
    pub(super) fn plain_may_begin(&self, at: usize) -> bool {
        match self.bytes[at] {
            b'-' => self.bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric),
            // at the beginning of a line it may be the mark that ends the document
            b'.' => !self.bytes[at..].starts_with(b"..."),
            byte => BEGINS_PLAIN[byte as usize],
        }
    }

    /// Reads a quoted scalar on one line, and stops behind it.
    pub(super) fn quoted(&mut self) -> Step<Key> {
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
    pub(super) fn literal(&mut self, parent: Parent) -> Step {
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
