//! Flow collections of the fast path, `{…}` and `[…]`, if they stand on one line.

use super::{Bail, Fast, Key, MAX_KEY, Step};
use crate::source::tree::Style;

impl Fast<'_, '_> {
    /// Reads a flow collection that stands on one line, and stops behind it.
    pub(super) fn flow(&mut self) -> Step {
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
