//! A stretch of one file, and how it is lowered: the unit of parallel work.
//!
//! All documents or items of a part go through one tree, which is emptied between them; so the
//! line index is built once, and memory does not grow with the number of objects.

use super::Object;
use super::fault::{Fault, Parsed};
use super::json;
use super::large::Shape;
use super::sink::{ListHead, Sink};
use super::tree::Tree;
use super::yaml::{self, Fast};
use crate::diagnostic::{Diagnostic, Location, Severity};
use std::ops::Range;

/// The largest text of one tree, whose offsets have 32 bits.
const MAX_TEXT: usize = u32::MAX as usize;

/// A stretch of a file's text.
pub(super) struct Part<'t> {
    pub(super) text: &'t str,
    /// where it begins
    pub(super) at: Location,
    pub(super) work: Work,
}

/// What a part consists of.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// documents, by their ranges of the part's text
    Documents {
        ranges: Vec<Range<usize>>,
        /// the file is named `.json`, so nothing else will do
        json: bool,
    },
    /// items of a large list
    Items {
        shape: Shape,
        /// whether the list ends in this part
        last: bool,
    },
}

/// What came of a part.
pub(super) struct Output<T> {
    pub(super) values: Vec<T>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) documents: usize,
    /// whether an object came without `kind` or `apiVersion`
    pub(super) lacking: bool,
    /// of items: the offset in the part behind the last one, or nothing if the part is not what
    /// it was taken for and has to be read in another way
    pub(super) end: Option<usize>,
}

impl Part<'_> {
    /// Lowers everything in the part; `head` is for items that lack their kind.
    pub(super) fn lower<T, F: Fn(&Object<'_>) -> T>(&self, head: ListHead<'_>, lower: &F) -> Output<T> {
        let mut sink = Sink::new(lower);
        if let Some(fault) = too_large(self.text.len()) {
            sink.diagnostics.push(fault.diagnostic(Severity::Error, self.at));
            return sink.output(None);
        }
        let mut tree = Tree::new(self.text, self.at.file, self.at.line, self.at.column);
        let end = match &self.work {
            Work::Documents { ranges, json } => {
                for range in ranges {
                    tree.clear();
                    if let Err(fault) = document(self.text, range, *json, &mut tree, &mut sink) {
                        sink.documents += 1;
                        sink.diagnostics.push(fault.place(&tree));
                    }
                }
                None
            }
            Work::Items { shape, last } => match *shape {
                Shape::Yaml { column } => {
                    yaml_items(self.text, column, *last, &mut tree, head, &mut sink).ok()
                }
                Shape::JsonList { depth } => {
                    json_list(self.text, depth, *last, &mut tree, head, &mut sink).ok()
                }
                Shape::JsonStream => json_stream(self.text, &mut tree, &mut sink).ok(),
            },
        };
        sink.output(end)
    }
}

/// Says that a text has more bytes than a tree can place.
fn too_large(len: usize) -> Option<Box<Fault>> {
    let help = "a document over 4 GiB is read only if it is one list of smaller objects";
    let fault = || Fault::new(0, "too-large", "this document is too large").help(help);
    (len > MAX_TEXT).then(fault)
}

/// Reads the document at `range`: JSON if it looks like it, else YAML.
fn document<'t, T, F: Fn(&Object<'_>) -> T>(
    text: &'t str,
    range: &Range<usize>,
    json: bool,
    tree: &mut Tree<'t>,
    sink: &mut Sink<'_, T, F>,
) -> Parsed {
    let slice = &text[range.clone()];
    if slice.trim_ascii().is_empty() {
        return Ok(());
    }
    if json || looks_like_json(slice) {
        let mut reader = json::Reader::new(&text[..range.end], range.start);
        match reader.value(tree, 0).and_then(|()| reader.ends()) {
            // what only YAML allows (a trailing comma, a comment) is fine where YAML is
            Err(fault) if !json => {
                tree.clear();
                return match yaml::document(text, range.clone(), tree) {
                    Ok(()) => {
                        emit(tree, sink);
                        Ok(())
                    }
                    Err(other) if other.id == super::template::ID => Err(other),
                    Err(_) => Err(fault),
                };
            }
            Err(fault) => return Err(super::template::explain(text, range.clone(), fault)),
            Ok(()) => emit(tree, sink),
        }
        // further values: JSON lines, or the output of several commands
        while reader.peek().is_some() {
            tree.clear();
            reader.value(tree, 0).and_then(|()| reader.ends())?;
            emit(tree, sink);
        }
        return Ok(());
    }
    yaml::document(text, range.clone(), tree)?;
    emit(tree, sink);
    Ok(())
}

fn emit<T, F: Fn(&Object<'_>) -> T>(tree: &mut Tree<'_>, sink: &mut Sink<'_, T, F>) {
    if let Some(root) = tree.finish() {
        sink.document(root);
    }
}

/// `{"`, `{}`, `[{`, `[]` and the like, with any blanks between.
fn looks_like_json(text: &str) -> bool {
    let mut bytes = text.bytes().filter(|b| !b.is_ascii_whitespace());
    match bytes.next() {
        Some(b'{') => matches!(bytes.next(), Some(b'"' | b'}')),
        Some(b'[') => matches!(bytes.next(), Some(b'{' | b'"' | b']')),
        _ => false,
    }
}

/// Items at `column`, to the end of the text or, in the last part, to what is no item.
fn yaml_items<'t, T, F: Fn(&Object<'_>) -> T>(
    text: &'t str,
    column: usize,
    last: bool,
    tree: &mut Tree<'t>,
    head: ListHead<'_>,
    sink: &mut Sink<'_, T, F>,
) -> Parsed<usize> {
    if let Some(fault) = yaml::unprintable(text) {
        return Err(fault);
    }
    let mut at = 0;
    while at < text.len() {
        tree.clear();
        match Fast::new(text, at, tree).and_then(|fast| fast.item(column)) {
            Ok(next) => {
                super::template::look_for(&text[at..next], tree)?;
                match tree.finish() {
                    Some(item) => sink.item(item, head),
                    None if last || next == text.len() => return Ok(next),
                    None => return Err(unfit(next)),
                }
                at = next;
            }
            Err(yaml::Bail) => {
                let next = yaml::item_end(text, at, column);
                tree.clear();
                yaml::reference(text, at..next, tree)?;
                super::template::look_for(&text[at..next], tree)?;
                let Some(root) = tree.finish() else { return Err(unfit(at)) };
                if !root.is_seq() || !stands_at(text, root.offset() as usize, column) {
                    return Err(unfit(at));
                }
                for item in root.items() {
                    sink.item(item, head);
                }
                at = next;
            }
        }
    }
    Ok(at)
}

/// Whether nothing but so many spaces stands before an offset on its line.
fn stands_at(text: &str, offset: usize, column: usize) -> bool {
    let before = text[..offset].trim_end_matches(' ');
    offset - before.len() == column && (before.is_empty() || before.ends_with('\n'))
}

/// Array elements, to the end of the text or, in the last part, to the bracket.
fn json_list<'t, T, F: Fn(&Object<'_>) -> T>(
    text: &'t str,
    depth: usize,
    last: bool,
    tree: &mut Tree<'t>,
    head: ListHead<'_>,
    sink: &mut Sink<'_, T, F>,
) -> Parsed<usize> {
    let mut reader = json::Reader::new(text, 0);
    loop {
        tree.clear();
        reader.value(tree, depth)?;
        if let Some(item) = tree.finish() {
            sink.item(item, head);
        }
        match reader.peek() {
            Some(b',') => reader.pos += 1,
            Some(b']') if last => return Ok(reader.pos + 1),
            None if !last => return Ok(reader.pos),
            _ => return Err(unfit(reader.pos)),
        }
    }
}

/// Values one after another, to the end of the text.
fn json_stream<'t, T, F: Fn(&Object<'_>) -> T>(
    text: &'t str,
    tree: &mut Tree<'t>,
    sink: &mut Sink<'_, T, F>,
) -> Parsed<usize> {
    let mut reader = json::Reader::new(text, 0);
    while reader.peek().is_some() {
        tree.clear();
        reader.value(tree, 0).and_then(|()| reader.ends())?;
        emit(tree, sink);
    }
    Ok(reader.pos)
}

/// The part is not what it was taken for; nobody sees this, the document is read again as a whole.
fn unfit(offset: usize) -> Box<Fault> {
    Fault::new(offset, "unfit", "not an item")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_gibibytes_are_the_most_a_tree_can_place() {
        assert_eq!(too_large(MAX_TEXT), None);
        assert_eq!(too_large(MAX_TEXT + 1).map(|fault| fault.id), Some("too-large"));
    }
}
