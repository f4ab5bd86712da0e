//! Text templates: files that are manifests only after a tool has filled them in.

use super::fault::{Fault, Parsed};
use super::tree::{Style, Tree};
use std::ops::Range;

/// The id of every fault found here.
pub(super) const ID: &str = "template";

/// Finds `{{` in plain scalars of a document that parsed all the same (`name: app-{{ .x }}`).
///
/// In quotes and in blocks it may be meant, in a plain scalar it never is.
pub(super) fn look_for(document: &str, tree: &Tree<'_>) -> Parsed {
    if memchr::memmem::find(document.as_bytes(), b"{{").is_none() {
        return Ok(());
    }
    for (style, offset, content) in tree.scalars() {
        if let (Style::Plain, Some(at)) = (style, content.find("{{")) {
            // a scalar of several lines is placed where it begins
            let within = if tree.is_slice(offset, content) { at } else { 0 };
            return Err(braces(offset as usize + within, &content[at..]));
        }
    }
    Ok(())
}

/// Says that the document at `range` of `text` is a template, if that is why it does not parse.
pub(super) fn explain(text: &str, range: Range<usize>, fault: Box<Fault>) -> Box<Fault> {
    let document = &text[range.clone()];
    if let Some(at) = uncommented(document, "{{") {
        return braces(range.start + at, &document[at..]);
    }
    // the line of the fault, or the one before: a block that does not close is noticed late
    let offset = super::lines::floor(text, fault.offset.min(range.end));
    let line = text[range.start..offset].rfind('\n').map_or(range.start, |at| range.start + at + 1);
    let before = text[range.start..line.saturating_sub(1).max(range.start)].rfind('\n');
    let before = before.map_or(range.start, |at| range.start + at + 1);
    let end = text[line..range.end].find('\n').map_or(range.end, |at| line + at);
    for start in [line, before] {
        let Some((at, what)) = placeholder(&text[start..end]) else { continue };
        let message = format!("`{what}` is a placeholder, so this is not YAML yet");
        let help = if what.starts_with('$') {
            "fill it in first, for instance `envsubst < FILE | netpolc compile -`"
        } else if what.starts_with("{%") {
            "render it with its template tool first"
        } else {
            "replace it by a value"
        };
        return Fault::new(start + at, ID, message).help(help);
    }
    fault
}

fn braces(offset: usize, rest: &str) -> Box<Fault> {
    let line = rest.lines().next().unwrap_or_default();
    let end = line.find("}}").map_or(line.len(), |at| at + 2);
    let shown: String = line[..end].chars().take(60).collect();
    let message = format!("`{shown}` is template text, so this is not a manifest yet");
    let help = "render it first: `helm template CHART | netpolc compile -`";
    Fault::new(offset, ID, message).help(help)
}

/// The first place of `what` that is neither on a comment line nor in quotes on its line.
fn uncommented(document: &str, what: &str) -> Option<usize> {
    memchr::memmem::find_iter(document.as_bytes(), what).find(|&at| {
        let line = document[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let before = &document[line..at];
        let open = |quote| before.matches(quote).count() % 2 == 1;
        !before.trim_start().starts_with('#') && !open('"') && !open('\'')
    })
}

/// The first `${NAME}`, `$NAME`, `{% … %}` or `<name>`.
fn placeholder(line: &str) -> Option<(usize, &str)> {
    let name = |s: &str| {
        let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-');
        s.find(ends).unwrap_or(s.len())
    };
    line.match_indices(['$', '{', '<']).find_map(|(at, _)| {
        let rest = &line[at..];
        let len = if let Some(inner) = rest.strip_prefix("${") {
            inner.find('}').map(|end| end + 3)
        } else if let Some(inner) = rest.strip_prefix('$') {
            let letter = inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            letter.then(|| 1 + name(inner))
        } else if rest.starts_with("{%") {
            Some(rest.find("%}").map_or(rest.len(), |end| end + 2))
        } else if let Some(inner) = rest.strip_prefix('<') {
            let len = name(inner);
            (len > 0 && inner[len..].starts_with('>')).then_some(len + 2)
        } else {
            None
        };
        len.map(|len| (at, &rest[..len]))
    })
}
