//! Edits → the text with as few bytes changed as they need.
//!
//! Nothing here knows all of YAML. Where an edit is not one of the usual forms it is not made, and whoever
//! calls this reads the result again and compares: a text that means anything else is thrown away.

use super::object::{Edit, Part, Path, What};
use crate::diagnostic::Location;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Bytes that are replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Splice {
    /// in the text before
    pub range: (usize, usize),
    /// what comes there
    pub with: String,
}

impl Splice {
    fn new(range: Range<usize>, with: impl Into<String>) -> Self {
        Splice { range: (range.start, range.end), with: with.into() }
    }
}

/// A text and where its lines begin.
pub struct Text<'t> {
    text: &'t str,
    lines: Vec<usize>,
}

impl<'t> Text<'t> {
    /// Indexes the lines of a text without byte order mark.
    pub fn new(text: &'t str) -> Self {
        let newlines = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Text { text, lines: std::iter::once(0).chain(newlines).collect() }
    }

    /// Number of lines, an empty one at the end not counted.
    pub fn len(&self) -> usize {
        self.lines.len() - usize::from(self.text.ends_with('\n') || self.text.is_empty())
    }

    /// Number of bytes.
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// A stretch of it.
    pub fn get(&self, range: Range<usize>) -> Option<&'t str> {
        self.text.get(range)
    }

    /// The 0-based line of an offset.
    pub fn line_of(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset) - 1
    }

    /// A 0-based line with its break; empty beyond the end.
    pub fn line(&self, line: usize) -> &'t str {
        &self.text[self.start(line)..self.start(line + 1)]
    }

    /// Where a 0-based line begins.
    pub fn start(&self, line: usize) -> usize {
        self.lines.get(line).copied().unwrap_or(self.text.len())
    }

    fn offset(&self, at: Location) -> Option<usize> {
        let line = (at.line as usize).checked_sub(1)?;
        let (start, text) = (*self.lines.get(line)?, self.line(line));
        let column = (at.column as usize).checked_sub(1)?;
        // the usual text has one byte for each character
        if text.get(..column).is_some_and(|before| before.is_ascii()) {
            return Some(start + column);
        }
        let inside = text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(column)?;
        Some(start + inside)
    }

    /// What to change in the text for edits of one object; `None` where they are not understood.
    pub fn splices<'e>(&self, root: &Part, edits: impl Iterator<Item = &'e Edit>) -> Option<Vec<Splice>> {
        let mut splices = Vec::new();
        let mut removed: BTreeMap<&Path, BTreeSet<usize>> = BTreeMap::new();
        for edit in edits {
            match edit {
                Edit::Remove(path, index) => {
                    removed.entry(path).or_default().insert(*index);
                }
                Edit::Replace(path, value) => {
                    let (_, above) = path.split_last()?;
                    splices.push(self.replacement(root.find(above)?, root.find(path)?, value)?);
                }
                Edit::Insert { map, after, key, value } => {
                    splices.push(self.insertion(root.find(map)?, after, key, *value)?);
                }
            }
        }
        for (path, indices) in removed {
            let list = root.find(path)?;
            if indices.len() >= list.items().len() {
                return None;
            }
            let in_block = || -> Option<Vec<Splice>> {
                indices.iter().map(|index| self.remove_in_block(list.items().get(*index)?)).collect()
            };
            // an alias does not say which it stands for
            splices.extend(match self.text.as_bytes().get(self.offset(list.at)?)? {
                b'[' => self.remove_in_flow(list, &indices)?,
                b'-' => in_block()?,
                _ => in_block().or_else(|| self.remove_in_flow(list, &indices))?,
            });
        }
        Some(splices)
    }

    /// The lines of an item, from its dash to its last content.
    fn remove_in_block(&self, item: &Part) -> Option<Splice> {
        let offset = self.offset(item.at)?;
        let line = self.line_of(offset);
        let before = self.text.get(self.start(line)..offset)?;
        let column = before.len() - before.trim_start_matches(' ').len();
        let dash = before[column..].strip_prefix('-')?;
        if dash.is_empty() || !dash.trim_matches(' ').is_empty() {
            return None;
        }
        let mut end = line + 1;
        for next in line + 1..self.len() {
            let text = self.line(next);
            let content = text.trim_start_matches(' ');
            if content.trim_ascii().is_empty() || content.starts_with('#') {
                continue;
            }
            if text.len() - content.len() <= column {
                break;
            }
            end = next + 1;
        }
        let mut start = self.start(line);
        // a text without a line break at its end keeps that
        if end == self.len() && !self.text.ends_with('\n') && line > 0 {
            start -= if self.line(line - 1).ends_with("\r\n") { 2 } else { 1 };
        }
        Some(Splice::new(start..self.start(end), ""))
    }

    fn remove_in_flow(&self, list: &Part, removed: &BTreeSet<usize>) -> Option<Vec<Splice>> {
        let mut ends: Vec<Range<usize>> = Vec::with_capacity(list.items().len());
        for item in list.items() {
            let start = self.offset(item.at)?;
            ends.push(start..self.end_of(start)?);
        }
        self.whole_lines(&ends, removed).or_else(|| {
            let mut splices = Vec::new();
            let mut kept = None;
            for (index, own) in ends.iter().enumerate() {
                match (removed.contains(&index), kept) {
                    (false, _) => kept = Some(index),
                    (true, Some(_)) => splices.push(Splice::new(ends[index - 1].end..own.end, "")),
                    (true, None) => splices.push(Splice::new(own.start..ends.get(index + 1)?.start, "")),
                }
            }
            Some(splices)
        })
    }

    /// Items that have lines of their own go with these.
    fn whole_lines(&self, items: &[Range<usize>], removed: &BTreeSet<usize>) -> Option<Vec<Splice>> {
        let mut splices = Vec::new();
        for index in removed {
            let item = items.get(*index)?;
            let (first, last) = (self.line_of(item.start), self.line_of(item.end - 1));
            let before = &self.text[self.start(first)..item.start];
            let behind = self.text[item.end..self.start(last + 1)].trim_start_matches(' ');
            let behind = behind.strip_prefix(',').unwrap_or(behind).trim();
            if !before.trim_ascii().is_empty() || !(behind.is_empty() || behind.starts_with('#')) {
                return None;
            }
            splices.push(Splice::new(self.start(first)..self.start(last + 1), ""));
        }
        let kept = (0..items.len()).rev().find(|index| !removed.contains(index))?;
        let has_comma = |item: &Range<usize>| self.text[item.end..].trim_ascii_start().starts_with(',');
        if kept + 1 < items.len() && !has_comma(items.last()?) && has_comma(&items[kept]) {
            let comma = items[kept].end + self.text[items[kept].end..].find(',')?;
            splices.push(Splice::new(comma..comma + 1, ""));
        }
        Some(splices)
    }

    /// The end of a value of flow style, or of a scalar.
    fn end_of(&self, start: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        match bytes.get(start)? {
            quote @ (b'"' | b'\'') => self.end_of_quoted(start, *quote),
            b'[' | b'{' => {
                let (mut depth, mut at) = (0usize, start);
                loop {
                    match bytes.get(at)? {
                        b'[' | b'{' => depth += 1,
                        b']' | b'}' => depth -= 1,
                        // a quote within a plain scalar is no quote
                        quote @ (b'"' | b'\'') if !bytes[at - 1].is_ascii_alphanumeric() => {
                            at = self.end_of_quoted(at, *quote)? - 1;
                        }
                        b'#' if bytes[at - 1].is_ascii_whitespace() => {
                            at += memchr::memchr(b'\n', &bytes[at..])?;
                        }
                        _ => {}
                    }
                    at += 1;
                    if depth == 0 {
                        return Some(at);
                    }
                }
            }
            b'&' | b'!' | b'|' | b'>' => None,
            _ => {
                let rest = &self.text[start..];
                let stop = rest.find(['\n', ',', ']', '}']).unwrap_or(rest.len());
                let plain = &rest[..stop];
                let plain = plain.find(" #").map_or(plain, |comment| &plain[..comment]);
                Some(start + plain.trim_ascii_end().len())
            }
        }
    }

    fn end_of_quoted(&self, start: usize, quote: u8) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        loop {
            match *bytes.get(at)? {
                b'\\' if quote == b'"' => at += 2,
                own if own == quote && quote == b'\'' && bytes.get(at + 1) == Some(&quote) => at += 2,
                own if own == quote => return Some(at + 1),
                _ => at += 1,
            }
        }
    }

    /// A scalar with another value, written as it was, or as its neighbours are.
    fn replacement(&self, above: &Part, part: &Part, value: &What) -> Option<Splice> {
        let start = self.offset(part.at)?;
        let end = self.end_of(start)?;
        let raw = &self.text[start..end];
        if raw.starts_with('*') {
            return None;
        }
        let quote_of = |raw: &str| raw.chars().next().filter(|first| matches!(first, '"' | '\''));
        let with = match value {
            What::Int(number) => number.to_string(),
            What::Text(text) => {
                let siblings = || above.items().iter().filter_map(|item| self.offset(item.at));
                // a port that becomes a range is a text now, which a number was not
                let plain = quote_of(raw).is_none() && !matches!(part.what, What::Int(_));
                let quote = match quote_of(raw) {
                    Some(quote) => Some(quote),
                    None if plain => None,
                    None => {
                        let quoted = siblings().find_map(|at| quote_of(&self.text[at..]));
                        Some(quoted.unwrap_or('"'))
                    }
                };
                quote.map_or_else(|| text.to_string(), |quote| format!("{quote}{text}{quote}"))
            }
            _ => return None,
        };
        Some(Splice::new(start..end, with))
    }

    /// An entry behind another of the same mapping.
    fn insertion(&self, map: &Part, after: &str, key: &str, value: i64) -> Option<Splice> {
        let entry = map.entry(after)?;
        let (key_at, value_at) = (self.offset(entry.at)?, self.offset(entry.value.at)?);
        let end = self.end_of(value_at)?;
        let key_end = self.end_of_key(key_at)?;
        let quote = if self.text[key_at..].starts_with('"') { "\"" } else { "" };
        let between = self.text.get(key_end..value_at).filter(|text| !text.contains('\n'))?;
        let line = self.line_of(key_at);
        let prefix = self.text.get(self.start(line)..key_at)?;
        let flow = self.text[self.offset(map.at)?..].starts_with('{');
        let break_ = if self.line(line).ends_with("\r\n") { "\r\n" } else { "\n" };
        if !flow {
            let indent = " ".repeat(prefix.chars().count());
            let content = self.line(self.line_of(end)).trim_end_matches(['\n', '\r']);
            let at = self.start(self.line_of(end)) + content.len();
            return Some(Splice::new(at..at, format!("{break_}{indent}{quote}{key}{quote}{between}{value}")));
        }
        let space = match prefix.trim_ascii().is_empty() && !prefix.is_empty() {
            true => format!("{break_}{prefix}"),
            false if between.ends_with(' ') => " ".to_owned(),
            false => String::new(),
        };
        Some(Splice::new(end..end, format!(",{space}{quote}{key}{quote}{between}{value}")))
    }

    fn end_of_key(&self, start: usize) -> Option<usize> {
        match self.text.as_bytes().get(start)? {
            quote @ (b'"' | b'\'') => self.end_of_quoted(start, *quote),
            _ => Some(start + self.text[start..].find(':')?),
        }
    }

    /// The text with splices; `None` if they are about the same bytes. The same splice twice, as aliases
    /// give it, is one.
    pub fn with(&self, splices: &[Splice]) -> Option<(String, Vec<Splice>)> {
        let mut splices = splices.to_vec();
        splices.sort();
        splices.dedup();
        // what goes twice goes once
        let mut end = 0;
        for splice in splices.iter_mut().filter(|splice| splice.with.is_empty()) {
            splice.range.0 = splice.range.0.max(end).min(splice.range.1);
            end = splice.range.1;
        }
        let mut out = String::with_capacity(self.text.len());
        let mut at = 0;
        for Splice { range: (start, end), with } in &splices {
            out.push_str(self.text.get(at..*start)?);
            out.push_str(with);
            at = *end;
        }
        out.push_str(self.text.get(at..)?);
        Some((out, splices))
    }
}
