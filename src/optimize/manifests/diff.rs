//! Edits of a text as a unified diff.

use super::patch::{Splice, Text};
use std::ops::Range;

/// Lines before and after a change that are shown with it.
const CONTEXT: usize = 3;

/// Lines that are replaced by others.
struct Hunk {
    lines: Range<usize>,
    with: String,
}

/// The change of a file as a unified diff.
pub fn unified(name: &str, text: &str, splices: &[Splice]) -> String {
    let text = Text::new(text);
    let mut hunks: Vec<Hunk> = Vec::new();
    for Splice { range: (start, end), with } in splices {
        let (first, mut last) = (text.line_of(*start), text.line_of(*end));
        // an end at the beginning of a line leaves that line alone
        if *end > *start && text.start(last) == *end && text.start(first) == *start && with.is_empty() {
            last -= 1;
        }
        let lines = first..(last + 1).min(text.len().max(first + 1));
        match hunks.last_mut().filter(|hunk| hunk.lines.end >= lines.start) {
            Some(hunk) => hunk.lines.end = hunk.lines.end.max(lines.end),
            None => hunks.push(Hunk { lines, with: String::new() }),
        }
    }
    let mut next = splices.iter().peekable();
    for hunk in &mut hunks {
        let (mut at, end) = (text.start(hunk.lines.start), text.start(hunk.lines.end));
        while let Some(Splice { range: (start, stop), with }) =
            next.next_if(|splice| splice.range.0 < end || (splice.range.0 == end && end == text.size()))
        {
            hunk.with.push_str(text.get(at..*start).unwrap_or_default());
            hunk.with.push_str(with);
            at = *stop;
        }
        hunk.with.push_str(text.get(at..end).unwrap_or_default());
    }
    let mut out = format!("--- a/{name}\n+++ b/{name}\n");
    let mut shift = 0isize;
    let mut rest = &hunks[..];
    while let Some(first) = rest.first() {
        let near = |pair: &[Hunk]| pair[1].lines.start <= pair[0].lines.end + 2 * CONTEXT;
        let count = 1 + rest.windows(2).take_while(|pair| near(pair)).count();
        let (group, others) = rest.split_at(count);
        rest = others;
        let from = first.lines.start.saturating_sub(CONTEXT);
        let to = (group[count - 1].lines.end + CONTEXT).min(text.len());
        let (mut body, mut more, mut at) = (String::new(), 0isize, from);
        for hunk in group {
            (at..hunk.lines.start).for_each(|line| push(&mut body, ' ', text.line(line)));
            hunk.lines.clone().for_each(|line| push(&mut body, '-', text.line(line)));
            hunk.with.split_inclusive('\n').for_each(|line| push(&mut body, '+', line));
            more += hunk.with.split_inclusive('\n').count() as isize - hunk.lines.len() as isize;
            at = hunk.lines.end;
        }
        (at..to).for_each(|line| push(&mut body, ' ', text.line(line)));
        let old = to - from;
        let new = old as isize + more;
        let place = |count: isize, line: isize| match count {
            0 => format!("{line},0"),
            1 => format!("{}", line + 1),
            _ => format!("{},{count}", line + 1),
        };
        let own = place(old as isize, from as isize);
        let now = place(new, from as isize + shift);
        out.push_str(&format!("@@ -{own} +{now} @@\n{body}"));
        shift += more;
    }
    out
}

fn push(out: &mut String, sign: char, line: &str) {
    out.push(sign);
    out.push_str(line);
    if !line.ends_with('\n') {
        out.push_str("\n\\ No newline at end of file\n");
    }
}
