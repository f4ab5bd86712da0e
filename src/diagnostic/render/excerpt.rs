//! A few lines of the input around a place, ready to be drawn.
//!
//! A [`Location`] says where a value begins; how far it goes is read off the line: a quoted scalar
//! to its closing quote, a plain one to the next YAML or JSON punctuation. Lines may be megabytes
//! long (a JSON dump is often one line), so only a stretch of each is kept.

use super::{SourceLines, is_unprintable};
use crate::diagnostic::Location;
use std::fmt::Write;
use std::ops::Range;

/// Lines shown before and after the one that is spoken of.
const CONTEXT: u32 = 2;
/// Longest stretch of a line that is shown, in code points.
const WIDTH: usize = 160;
/// How much of a cut line stands before the place, in code points.
const LEAD: usize = 40;

/// Lines and a byte range in them. The range is never empty, never reversed, within the text and
/// on character boundaries: the drawing library panics otherwise.
pub(crate) struct Excerpt {
    /// number of the first line
    pub first_line: u32,
    /// the lines, each with a final line break
    pub text: String,
    /// what to underline
    pub span: Range<usize>,
    /// 1-based column, in code points of `text`, where that begins
    pub column: u32,
}

impl Excerpt {
    /// Reads the lines around a place; `None` if its own line cannot be had.
    pub fn around(at: Location, sources: &dyn SourceLines) -> Option<Self> {
        // `own` is the line from code point `before` on
        let (own, before) = match sources.line(at.file, at.line) {
            Some(line) => (line, 0),
            None => {
                let (stretch, first) = sources.stretch(at, WIDTH as u32)?;
                (stretch, first.max(1) as usize - 1)
            }
        };
        let column = (at.column.max(1) as usize - 1).saturating_sub(before);
        let token = token_length(own.chars().skip(column));
        // A cut line begins a little before the place; its neighbours begin where they begin,
        // because a neighbour of a long line is seldom cut at the same value.
        let cut =
            if before > 0 || own.chars().nth(WIDTH).is_some() { column.saturating_sub(LEAD) } else { 0 };

        let first_line = at.line.saturating_sub(CONTEXT).max(1);
        let mut text = String::new();
        for number in first_line..at.line {
            push_line(&mut text, &sources.line(at.file, number).unwrap_or_default(), 0);
        }
        let start = text.len();
        let edges = push_line(&mut text, &own, cut);
        let edge = |column: usize| start + edges[column.saturating_sub(cut).min(edges.len() - 1)];
        let span = edge(column)..edge(column + token);
        // An empty value, or one past the end of the line, is shown as one caret at the line break.
        let span = if span.is_empty() { span.start..span.start + 1 } else { span };
        for number in at.line.saturating_add(1)..=at.line.saturating_add(CONTEXT) {
            match sources.line(at.file, number) {
                Some(line) => push_line(&mut text, &line, 0),
                None => break,
            };
        }
        let shown = text[start..span.start].chars().count();
        Some(Excerpt { first_line, text, span, column: shown as u32 + 1 })
    }
}

/// Appends a line, from its code point `cut` on, cleaned for a terminal; gives the byte offset of
/// each code point in what was appended, and as the last one its end.
fn push_line(out: &mut String, line: &str, cut: usize) -> Vec<usize> {
    let start = out.len();
    let mut edges = Vec::new();
    let mut rest = line.chars().skip(cut);
    if cut > 0 {
        out.push('…');
        rest.next();
        edges.push(0);
    }
    for c in rest.by_ref().take(WIDTH) {
        edges.push(out.len() - start);
        if c != '\t' && is_unprintable(c) {
            write!(out, "\\u{{{:x}}}", c as u32).unwrap_or_default();
        } else {
            out.push(c);
        }
    }
    edges.push(out.len() - start);
    if rest.next().is_some() {
        out.push('…');
    }
    out.push('\n');
    edges
}

/// Length in code points of the scalar that begins here.
fn token_length(mut rest: impl Iterator<Item = char>) -> usize {
    let Some(first) = rest.next() else { return 0 };
    match first {
        '"' | '\'' => {
            let mut escaped = false;
            for (index, c) in rest.take(WIDTH).enumerate() {
                if c == first && !escaped {
                    return index + 2;
                }
                escaped = first == '"' && c == '\\' && !escaped;
            }
            1
        }
        '{' | '}' | '[' | ']' | ',' => 1,
        _ => {
            let mut length = 1;
            let mut trailing = 0;
            let mut previous = first;
            for c in rest.take(WIDTH) {
                let comment = c == '#' && previous.is_whitespace();
                let key_end = previous == ':' && c.is_whitespace();
                if matches!(c, ',' | '{' | '}' | '[' | ']') || comment || key_end {
                    break;
                }
                if c.is_whitespace() {
                    trailing += 1;
                } else {
                    length += trailing + 1;
                    trailing = 0;
                }
                previous = c;
            }
            length - usize::from(previous == ':' && length > 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::token_length;

    #[test]
    fn a_token_ends_where_yaml_ends_it() {
        let cases = [
            ("podSelectr: {}", "podSelectr"),
            ("podSelectr:", "podSelectr"),
            ("10.0.0.0/33", "10.0.0.0/33"),
            ("app == 'a' # why", "app == 'a'"),
            ("app == 'a'   ", "app == 'a'"),
            ("2001:db8::1, next", "2001:db8::1"),
            ("\"a \\\" b\": 1", "\"a \\\" b\""),
            ("'it': x", "'it'"),
            ("{a: 1}", "{"),
            ("80]", "80"),
            ("\"never closed", "\""),
            (":", ":"),
            ("", ""),
        ];
        for (rest, token) in cases {
            assert_eq!(token_length(rest.chars()), token.chars().count(), "in {rest:?}");
        }
    }
}
