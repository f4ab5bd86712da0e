//! The reference path: events of `granit-parser` → a graph of nodes, aliases still in it.
//!
//! `granit-parser` decides what is YAML; this file adds go-yaml's reading of tags. The graph is
//! turned into the tree by [`super::expand`].

use super::super::fault::{Fault, MAX_DEPTH, Parsed};
use super::super::large::LARGE;
use super::super::scalar;
use super::super::tree::Value;
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// The id of the faults found here.
pub(super) const ID: &str = "yaml-syntax";

/// A node of the graph; children follow it in preorder.
#[derive(Debug)]
pub(super) struct GraphNode<'t> {
    /// byte offset in the composed text
    pub(super) offset: usize,
    /// index of the first node after this subtree; 0 while it is open
    pub(super) end: usize,
    pub(super) kind: Kind<'t>,
}

#[derive(Debug)]
pub(super) enum Kind<'t> {
    /// a scalar that resolves by the plain table
    Plain(Content<'t>),
    /// a scalar that is text
    Text(Content<'t>),
    Seq,
    Map,
    /// index of the node that carries the anchor
    Alias(usize),
}

/// The content of a scalar.
#[derive(Debug)]
pub(super) enum Content<'t> {
    /// `text[start..start + len]`
    Slice(usize, usize),
    Other(Cow<'t, str>),
}

impl Content<'_> {
    pub(super) fn get<'a>(&'a self, text: &'a str) -> &'a str {
        match self {
            Content::Slice(start, len) => &text[*start..start + len],
            Content::Other(content) => content,
        }
    }
}

/// Composes one document. No nodes if it is empty.
pub(super) fn compose(text: &str) -> Parsed<Vec<GraphNode<'_>>> {
    if text.len() >= LARGE {
        // a mistake in a large document is found without keeping what comes before it
        let mut parser = parser(text);
        while let Some(event) = parser.next_event() {
            event.map_err(|error| explain(&error, text))?;
        }
    }
    let mut parser = parser(text);
    let mut composer = Composer {
        text,
        nodes: Vec::new(),
        open: Vec::new(),
        anchors: FxHashMap::default(),
        behind: 0,
        documents: 0,
    };
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| explain(&error, text))?;
        composer.event(event, &span)?;
    }
    Ok(composer.nodes)
}

fn parser(text: &str) -> Parser<'_, StrInput<'_>> {
    let options = granit_parser::options! {
        emit_comments: false,
        // as libyaml, and so go-yaml, does
        block_scalar_eof_without_line_feed: true,
        // the depth of both together is counted by the composer
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    Parser::new_from_str_with_options(text, options)
}

struct Composer<'t> {
    text: &'t str,
    nodes: Vec<GraphNode<'t>>,
    open: Vec<usize>,
    /// anchor id of the parser → node
    anchors: FxHashMap<usize, usize>,
    /// where the token before this one ended
    behind: usize,
    documents: usize,
}

impl<'t> Composer<'t> {
    fn event(&mut self, event: Event<'t>, span: &Span) -> Parsed {
        let start = span.start.byte_offset().unwrap_or_default().min(self.text.len());
        let end = span.end.byte_offset().unwrap_or_default().clamp(start, self.text.len());
        match event {
            Event::Scalar(value, style, anchor, tag) => {
                let offset = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => self.block_start(start, span),
                    _ => start,
                };
                let kind = self.scalar(value, style, tag.as_deref(), start, end, offset)?;
                self.add(offset, kind, anchor);
                self.close_scalar();
            }
            Event::SequenceStart(_, anchor, _) => {
                let offset = self.sequence_start(start);
                self.begin(offset, Kind::Seq, anchor)?;
            }
            Event::MappingStart(_, anchor, _) => self.begin(start, Kind::Map, anchor)?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(id) = self.open.pop() {
                    self.nodes[id].end = self.nodes.len();
                }
            }
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).copied();
                let target = target.filter(|&id| self.nodes[id].end != 0);
                let Some(target) = target else {
                    let message = format!("`{}` stands inside what it repeats", &self.text[start..end]);
                    return Err(Fault::new(start, ID, message));
                };
                self.add(start, Kind::Alias(target), 0);
                self.close_scalar();
            }
            Event::DocumentStart(explicit, _) => {
                self.documents += 1;
                if self.documents > 1 {
                    let help = "begin the next document with a line `---`";
                    return Err(Fault::new(start, ID, "text after the end of the document").help(help));
                }
                if !explicit {
                    return Ok(()); // its place is that of the first token, which is not behind us
                }
            }
            _ => {}
        }
        self.behind = end.max(self.behind);
        Ok(())
    }

    fn begin(&mut self, offset: usize, kind: Kind<'t>, anchor: usize) -> Parsed {
        if self.open.len() >= MAX_DEPTH {
            return Err(Fault::too_deep(offset));
        }
        let id = self.add(offset, kind, anchor);
        self.open.push(id);
        Ok(())
    }

    fn add(&mut self, offset: usize, kind: Kind<'t>, anchor: usize) -> usize {
        let id = self.nodes.len();
        self.nodes.push(GraphNode { offset, end: 0, kind });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        id
    }

    fn close_scalar(&mut self) {
        let end = self.nodes.len();
        if let Some(node) = self.nodes.last_mut() {
            node.end = end;
        }
    }

    /// The parser places a block scalar at its first line of content; we want its `|` or `>`.
    fn block_start(&self, start: usize, span: &Span) -> usize {
        let tag = span.tag_span().and_then(|tag| tag.end.byte_offset()).unwrap_or_default();
        let from = self.behind.max(tag).min(start);
        self.text[from..start].find(['|', '>']).map_or(start, |at| from + at)
    }

    /// The parser places a sequence that is not indented at its first content; we want its `-`,
    /// which begins a line behind the key.
    fn sequence_start(&self, start: usize) -> usize {
        let begins = |at: usize| {
            let dash = self.text[at..].strip_prefix('-');
            dash.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']))
        };
        let in_map = self.open.last().is_some_and(|&id| matches!(self.nodes[id].kind, Kind::Map));
        if self.text[start..].starts_with('[') || !in_map {
            return start;
        }
        let from = self.behind.min(start);
        let lines = self.text[from..start].match_indices('\n').map(|(at, _)| from + at + 1);
        let content = |at: usize| at + self.text[at..].bytes().take_while(|&b| b == b' ').count();
        lines.map(content).find(|&at| begins(at)).unwrap_or(start)
    }

    fn scalar(
        &self,
        value: Cow<'t, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        start: usize,
        end: usize,
        offset: usize,
    ) -> Parsed<Kind<'t>> {
        let raw = &self.text[start..end];
        let plain = style == ScalarStyle::Plain;
        let content = if plain && raw.is_empty() {
            Content::Slice(start, 0) // nothing, which the parser reports as `~`
        } else if raw == value {
            Content::Slice(start, raw.len())
        } else if raw.len() == value.len() + 2 && raw.get(1..raw.len() - 1) == Some(&*value) {
            Content::Slice(start + 1, value.len())
        } else {
            Content::Other(value)
        };
        let Some(tag) = tag else {
            return Ok(if plain { Kind::Plain(content) } else { Kind::Text(content) });
        };
        self.tagged(content, tag, offset)
    }

    /// A scalar with an explicit tag, as go-yaml's `resolve` and `scalar` (v2) take it: the core
    /// types are checked, `!!binary` is decoded, every other tag is ignored and leaves a string.
    fn tagged(&self, content: Content<'t>, tag: &Tag, offset: usize) -> Parsed<Kind<'t>> {
        let suffix = match (tag.handle(), tag.suffix()) {
            ("tag:yaml.org,2002:", suffix) => suffix,
            _ => return Ok(Kind::Text(content)),
        };
        let text = content.get(self.text);
        let fits = match (suffix, scalar::resolve(text)) {
            ("binary", _) => {
                let Some(decoded) = decode_base64(text) else {
                    let message = "`!!binary` is not followed by base64";
                    return Err(Fault::new(offset, ID, message));
                };
                return Ok(Kind::Text(Content::Other(decoded.into())));
            }
            ("null", value) => value == Value::Null,
            ("bool", value) => matches!(value, Value::Bool(_)),
            ("int", value) => matches!(value, Value::Int(_) | Value::Float(_)) && scalar::is_integer(text),
            ("float", value) => matches!(value, Value::Int(_) | Value::Float(_)),
            _ => return Ok(Kind::Text(content)),
        };
        if fits {
            return Ok(Kind::Plain(content));
        }
        Err(Fault::new(offset, ID, format!("`{text}` is not a `!!{suffix}`")))
    }
}

/// Base64 with any line breaks in it, as Go's decoder takes it; bytes that are no UTF-8 become
/// U+FFFD, as they do when Go writes them as JSON.
fn decode_base64(text: &str) -> Option<String> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let packed: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let bytes = engine.decode(packed).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The parser's error in our words.
fn explain(error: &ScanError, text: &str) -> Box<Fault> {
    let offset = error.marker().byte_offset().unwrap_or_default().min(text.len());
    let fault = |message: String| Fault::new(offset, ID, message);
    let token = || {
        let rest = &text[offset..];
        let end = rest.find(|c: char| c.is_whitespace() || ",]}".contains(c));
        let end = end.unwrap_or(rest.len());
        rest[..end].chars().take(40).collect::<String>()
    };
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => Fault::too_deep(offset),
        ErrorKind::UnclosedQuotedScalar => {
            fault("this quoted string is not closed".into()).help("the file may be cut off")
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            fault(format!("this `{open}` is not closed")).help("the file may be cut off")
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            fault(format!("`{open}` is closed by `{close}`"))
        }
        ErrorKind::UnexpectedCharacter { character } => {
            fault(format!("unexpected `{}`", character.escape_debug()))
                .help("a value that begins with it has to be in quotes")
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => {
            // the parser may stop at the end of the line before
            let tab = text[offset..].find('\t').map_or(offset, |at| offset + at);
            Fault::new(tab, ID, "a tab cannot indent YAML").help("use spaces")
        }
        ErrorKind::MappingValueNotAllowed => fault("a `:` cannot stand here".into())
            .help("put a value that contains `: ` in quotes, and give each key its own line"),
        ErrorKind::UnknownAnchor => fault(format!("`{}` has no anchor in this document", token()))
            .help("define it before with `&`, in the same document"),
        ErrorKind::ExpectedBlockMappingKey => {
            fault("expected a key here".into()).help("the keys of one mapping begin in the same column")
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            fault("expected `- ` here".into()).help("the items of one list begin in the same column")
        }
        ErrorKind::InvalidIndentation => fault("this line is indented wrongly".into()),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            fault("expected `:` after this key".into())
        }
        kind => {
            let said = kind.to_string().replace('"', "`");
            let said = said.rsplit_once(", ").map_or(said.as_str(), |(_, rest)| rest);
            // quotes around one character, not apostrophes
            fault([":", "-", "%", ",", "]", "}", ">"].iter().fold(said.to_owned(), |said, quoted| {
                said.replace(&format!("'{quoted}'"), &format!("`{quoted}`"))
            }))
        }
    }
}
