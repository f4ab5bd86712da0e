//! One YAML document → tree.

mod compose;
mod expand;
mod fast;

pub(super) use fast::{Bail, Fast};

use super::fault::{Fault, Parsed};
use super::template;
use super::tree::Tree;
use std::ops::Range;

/// Reads the document at `range` of `text` (the tree's) into the tree, which was empty. It stays
/// empty if the document is.
pub(super) fn document<'t>(text: &'t str, range: Range<usize>, tree: &mut Tree<'t>) -> Parsed {
    if let Some(mut fault) = unprintable(&text[range.clone()]) {
        fault.offset += range.start;
        return Err(fault);
    }
    let fast = Fast::new(&text[..range.end], range.start, tree).and_then(Fast::document);
    if fast.is_err() {
        tree.clear();
        reference(text, range.clone(), tree)?;
    }
    template::look_for(&text[range], tree)
}

/// Reads a document with the reference parser alone.
pub(super) fn reference<'t>(text: &'t str, range: Range<usize>, tree: &mut Tree<'t>) -> Parsed {
    let slice = &text[range.clone()];
    let graph = compose::compose(slice);
    let parsed = graph.and_then(|graph| expand::expand(&graph, slice, range.start, tree));
    parsed.map_err(|mut fault| {
        // `compose` and `expand` speak of the document's own offsets
        fault.offset += range.start;
        template::explain(text, range, fault)
    })
}

/// The end of the block sequence item whose `-` is the first content at or behind `start` and
/// stands at `column`: where the next line begins that is not indented beyond it.
pub(super) fn item_end(text: &str, start: usize, column: usize) -> usize {
    let (mut at, mut inside) = (start, false);
    for line in text[start..].split_inclusive('\n') {
        let content = line.trim_start_matches(' ');
        let blank = content.trim_ascii().is_empty() || content.starts_with('#');
        if !blank {
            if inside && line.len() - content.len() <= column {
                return at;
            }
            inside = true;
        }
        at += line.len();
    }
    at
}

/// Where YAML's character set is left, if anywhere: go-yaml's reader stops at these (`readerc.go`).
pub(super) fn unprintable(text: &str) -> Option<Box<Fault>> {
    let control = |b: &u8| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r') || *b == 0x7F;
    let bytes = text.as_bytes();
    let ascii_only = !bytes.iter().any(|b| control(b) || *b >= 0x80);
    if ascii_only {
        return None;
    }
    let odd = |c: char| match c {
        '\u{80}'..='\u{9F}' => c != '\u{85}',
        '\u{FFFE}' | '\u{FFFF}' => true,
        c => c.is_ascii() && control(&(c as u8)),
    };
    let (offset, c) = text.char_indices().find(|(_, c)| odd(*c))?;
    let message = format!("YAML cannot contain the control character U+{:04X}", c as u32);
    let fault = Fault::new(offset, compose::ID, message);
    Some(match c {
        '\0' => fault.help("this looks like a binary file, or like UTF-16 without its mark"),
        _ => fault.help(format!("write it as `\\u{:04x}` in double quotes", c as u32)),
    })
}

#[cfg(test)]
mod tests;
