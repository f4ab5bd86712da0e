//! Documents too large for one tree: lists and streams of JSON, cut into parts.
//!
//! What `kubectl get -o yaml` or `-o json` prints of a cluster is one document with one long
//! list. Its head is read, and the rest is cut where an item seems to begin, without looking at
//! what is between the cuts. Nothing rests on the guess: a part that does not consist of whole
//! items exactly fails, and by induction from the first item, parts that all succeed are what
//! reading in one go would give. If one fails, or the keys behind the list say that it is no
//! list, the document is read again as a whole.

use super::json;
use super::lines;
use super::part::{Output, Part, Work};
use super::sink::{ListHead, is_list};
use super::tree::{Node, Tree};
use super::yaml;
use crate::diagnostic::FileId;

/// Documents from this size on, in bytes, are cut.
pub(super) const LARGE: usize = 512 << 10;
/// Size of a part in bytes.
pub(super) const PART: usize = 256 << 10;

/// The head of a document, its first two items, and what follows the last one are looked for in
/// so many bytes.
pub(super) const HEAD: usize = 8 << 20;

/// How the items of a list stand in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// block sequence items, their `-` at this column
    Yaml { column: usize },
    /// array elements, so many collections below the root
    JsonList { depth: usize },
    /// values one after another
    JsonStream,
}

impl Shape {
    pub(super) fn is_json(self) -> bool {
        !matches!(self, Shape::Yaml { .. })
    }
}

/// What is known of a large document.
#[derive(Debug)]
pub(super) struct Large {
    pub(super) shape: Shape,
    /// offset of the first item
    pub(super) start: usize,
    pub(super) head: Head,
}

/// The keys of a list that count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    api_version: Option<String>,
    kind: Option<String>,
    /// every key, to find what stands twice
    keys: Vec<String>,
}

impl Head {
    /// Takes the keys of one more piece of the mapping.
    fn add(&mut self, map: Node<'_>) {
        for (key, value) in map.entries() {
            self.keys.push(key.text().to_owned());
            let slot = match key.text() {
                "apiVersion" => &mut self.api_version,
                "kind" => &mut self.kind,
                _ => continue,
            };
            *slot = Some(value.as_str().unwrap_or_default().to_owned());
        }
    }

    /// What the list says about items that do not say it themselves.
    pub(super) fn of_items(&self) -> ListHead<'_> {
        let api_version = self.api_version.as_deref().unwrap_or_default();
        ListHead::new(api_version, self.kind.as_deref().unwrap_or_default())
    }

    /// Whether this is a list, and no key of it is there twice.
    fn is_list(&self) -> bool {
        let mut keys: Vec<_> = self.keys.iter().map(String::as_str).collect();
        keys.push("items");
        keys.sort_unstable();
        keys.windows(2).all(|pair| pair[0] != pair[1]) && is_list(self.kind.as_deref().unwrap_or_default())
    }
}

impl Large {
    /// Looks at a document's beginning; `json` if nothing but JSON will do. `None` if it is to be
    /// read as a whole.
    pub(super) fn new(text: &str, json: bool) -> Option<Large> {
        let text = &text[..lines::floor(text, HEAD.min(text.len()))];
        let large = match text.bytes().find(|b| !b.is_ascii_whitespace())? {
            b'{' | b'[' => json_head(text),
            _ if json => None,
            _ => yaml_head(text),
        }?;
        (large.shape == Shape::JsonStream || large.head.is_list()).then_some(large)
    }

    /// Cuts the document into parts of at least `size` bytes.
    pub(super) fn parts<'t>(&self, whole: &Part<'t>, size: usize) -> Vec<Part<'t>> {
        let text = whole.text;
        let mut parts = Vec::new();
        let pattern = self.pattern(text);
        let (mut at, mut placed, mut start) = (whole.at, 0, self.start);
        loop {
            let cut = pattern.as_ref().and_then(|pattern| pattern.next(text, start + size));
            let (end, next) = cut.unwrap_or((text.len(), text.len()));
            at = lines::advance(at, &text[placed..start]);
            placed = start;
            let work = Work::Items { shape: self.shape, last: cut.is_none() };
            parts.push(Part { text: &text[start..end], at, work });
            if cut.is_none() {
                return parts;
            }
            start = next;
        }
    }

    /// The document as a single part.
    pub(super) fn uncut<'t>(&self, whole: &Part<'t>) -> Part<'t> {
        let at = lines::advance(whole.at, &whole.text[..self.start]);
        let work = Work::Items { shape: self.shape, last: true };
        Part { text: &whole.text[self.start..], at, work }
    }

    /// The head of the list, if its parts were what they were taken for, and all of the document.
    pub(super) fn verify<T>(
        &self,
        whole: &Part<'_>,
        parts: &[Part<'_>],
        outputs: &[Output<T>],
    ) -> Option<Head> {
        let ends: Option<Vec<_>> = outputs.iter().map(|output| output.end).collect();
        let start = whole.text.len() - parts.last()?.text.len();
        self.finish(whole.text, start + ends?.last()?)
    }

    /// What seems to separate two items.
    pub(super) fn pattern(&self, text: &str) -> Option<Pattern> {
        if let Shape::Yaml { column } = self.shape {
            let needle = format!("\n{}- ", " ".repeat(column));
            return Some(Pattern { needle, end: 1, next: 1 });
        }
        let text = &text[..lines::floor(text, text.len().min(self.start + HEAD))];
        // between the first two items: blanks, and a comma in a list
        let mut tree = Tree::new(text, FileId(0), 1, 1);
        let mut reader = json::Reader::new(text, self.start);
        reader.value(&mut tree, 1).ok()?;
        let from = reader.pos;
        if matches!(self.shape, Shape::JsonList { .. }) {
            reader.expect(b',', "`,`").ok()?;
        }
        let comma = reader.pos - from;
        if reader.peek() != Some(b'{') {
            return None;
        }
        let blanks = &text[from..reader.pos];
        let mut needle = format!("{blanks}{{");
        if !blanks.contains('\n') {
            // all on one line: the first key has to tell an item from what is inside of it
            let key = reader.pos + 1;
            let len = text[key..].find(':').filter(|&len| len < 80)?;
            needle.push_str(&text[key..key + len]);
        }
        Some(Pattern { needle, end: 0, next: comma })
    }

    /// Reads what follows the list, from `from` on: the whole head, if that is the end of the
    /// document and all of it is a list.
    pub(super) fn finish(&self, text: &str, from: usize) -> Option<Head> {
        let mut head = self.head.clone();
        let rest = &text[from..];
        if rest.len() > HEAD {
            return None;
        }
        let mut tree = Tree::new(rest, FileId(0), 1, 1);
        match self.shape {
            Shape::JsonStream => return Some(head),
            Shape::Yaml { .. } => {
                yaml::document(rest, 0..rest.len(), &mut tree).ok()?;
                match tree.root() {
                    None => {}
                    // keys of the list itself, so in its column
                    Some(root) if root.is_map() && root.at().column == 1 && !self.bare() => head.add(root),
                    Some(_) => return None,
                }
            }
            Shape::JsonList { .. } => {
                let mut reader = json::Reader::new(rest, 0);
                if !self.bare() {
                    let open = tree.open_map(0);
                    while reader.peek() == Some(b',') {
                        reader.pos += 1;
                        reader.member(&mut tree).ok()?;
                    }
                    tree.close(open);
                    reader.expect(b'}', "`}`").ok()?;
                    head.add(tree.root()?);
                }
                if reader.peek().is_some() {
                    return None;
                }
            }
        }
        head.is_list().then_some(head)
    }

    /// Whether the document is a sequence of objects without a mapping around it.
    fn bare(&self) -> bool {
        matches!(self.shape, Shape::JsonList { depth: 1 })
            || self.start == 0 && matches!(self.shape, Shape::Yaml { .. })
    }
}

/// A text that stands between items.
pub(super) struct Pattern {
    needle: String,
    /// where in it the part before ends
    end: usize,
    /// where in it the next part begins
    next: usize,
}

impl Pattern {
    /// The first cut at or behind `from`.
    pub(super) fn next(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let bytes = text.as_bytes().get(from..)?;
        let at = from + memchr::memmem::find(bytes, self.needle.as_bytes())?;
        Some((at + self.end, at + self.next))
    }
}

/// `{ …, "items": [ {`, `[ {`, or a value and another one.
fn json_head(text: &str) -> Option<Large> {
    let mut tree = Tree::new(text, FileId(0), 1, 1);
    let mut reader = json::Reader::new(text, 0);
    let items = |reader: &mut json::Reader<'_>, depth, head| {
        reader.expect(b'[', "`[`").ok()?;
        let object = reader.peek() == Some(b'{');
        object.then_some(Large { shape: Shape::JsonList { depth }, start: reader.pos, head })
    };
    if reader.peek() == Some(b'[') {
        return items(&mut reader, 1, Head::default());
    }
    reader.expect(b'{', "`{`").ok()?;
    let open = tree.open_map(0);
    loop {
        let key = reader.pos;
        if reader.key_is("items") {
            tree.close(open);
            let mut head = Head::default();
            head.add(tree.root()?);
            return items(&mut reader, 2, head);
        }
        reader.pos = key;
        reader.member(&mut tree).ok()?;
        match reader.peek()? {
            b',' => reader.pos += 1,
            b'}' => break,
            _ => return None,
        }
    }
    reader.pos += 1;
    let start = text.len() - text.trim_ascii_start().len();
    let head = Head::default();
    (reader.peek() == Some(b'{')).then_some(Large { shape: Shape::JsonStream, start, head })
}

/// `…: …` and then `items:` with `- ` on the next line, or `- ` right away.
fn yaml_head(text: &str) -> Option<Large> {
    let mut at = 0;
    let line_at = |at: usize| {
        let line = &text[at..];
        &line[..line.find('\n').map_or(line.len(), |end| end + 1)]
    };
    let item = |line: &str| line.trim_start_matches(' ').starts_with("- ");
    // nobody writes more in front of the items
    while at < text.len().min(64 << 10) {
        let line = line_at(at);
        let column = line.len() - line.trim_start_matches(' ').len();
        if at == 0 && column == 0 && item(line) {
            return Some(Large { shape: Shape::Yaml { column }, start: 0, head: Head::default() });
        }
        if line.trim_end() == "items:" && column == 0 {
            let start = at + line.len();
            let line = line_at(start);
            let column = line.len() - line.trim_start_matches(' ').len();
            if !item(line) {
                return None;
            }
            let mut tree = Tree::new(text, FileId(0), 1, 1);
            yaml::document(text, 0..at, &mut tree).ok()?;
            let mut head = Head::default();
            if let Some(root) = tree.root() {
                if !root.is_map() {
                    return None;
                }
                head.add(root);
            }
            return Some(Large { shape: Shape::Yaml { column }, start, head });
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests;
