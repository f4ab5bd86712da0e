//! The parser. Every choice is decided by the next word, so nothing is ever tried twice and the
//! first failure is the farthest one.

use super::{Node, SelectorError};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while1};
use nom::combinator::{cut, not, opt, peek, value};
use nom::error::{ErrorKind, ParseError};
use nom::multi::separated_list0;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

/// Longest label (`libcalico-go/lib/selector/tokenizer/tokenizer.go:57`, v3.32.1).
const MAX_LABEL: usize = 512;

/// What the parser wanted at the start of `rest`.
#[derive(Debug, Clone)]
struct Expected<'t> {
    rest: &'t str,
    what: Wanted<'t>,
}

#[derive(Debug, Clone, Copy)]
enum Wanted<'t> {
    /// nothing particular yet
    Nothing,
    /// a thing to be named after "expected"
    Thing(&'static str),
    /// an operator after this label
    Operator(&'t str),
    /// the quote that ends a string
    Quote(char),
    /// fewer parentheses
    Shallower(usize),
    /// a shorter label
    Shorter,
}

impl<'t> ParseError<&'t str> for Expected<'t> {
    fn from_error_kind(rest: &'t str, _: ErrorKind) -> Self {
        Expected { rest, what: Wanted::Nothing }
    }

    fn append(_: &'t str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Result<'t, T> = IResult<&'t str, T, Expected<'t>>;

/// Names what is expected where `parser` fails.
fn expect<'t, T>(
    what: Wanted<'t>,
    mut parser: impl Parser<&'t str, Output = T, Error = Expected<'t>>,
) -> impl FnMut(&'t str) -> Result<'t, T> {
    move |input| {
        parser.parse(input).map_err(|error| {
            error.map(|inner| match inner.what {
                Wanted::Nothing => Expected { rest: input, what },
                _ => inner,
            })
        })
    }
}

/// Parses a whole text with at most `depth` levels of parentheses.
pub(super) fn parse(text: &str, depth: usize) -> std::result::Result<Node, SelectorError> {
    let start = skip(text);
    if start.is_empty() {
        return Ok(Node::All);
    }
    let fail = |expected: Expected<'_>| error(text, &expected);
    match any_of(start, depth, depth) {
        Ok(("", node)) => Ok(node),
        Ok((rest, _)) => Err(fail(Expected { rest, what: Wanted::Thing("`&&`, `||` or the end") })),
        Err(nom::Err::Error(expected) | nom::Err::Failure(expected)) => Err(fail(expected)),
        Err(nom::Err::Incomplete(_)) => Err(fail(Expected { rest: "", what: Wanted::Nothing })),
    }
}

fn error(text: &str, expected: &Expected<'_>) -> SelectorError {
    let found = match expected.rest.chars().next() {
        None => "the end".to_owned(),
        Some('\n' | '\r') => "a line break".to_owned(),
        Some(_) => format!("`{}`", expected.rest.split([' ', '\t', '\n', '\r']).next().map_or("", head)),
    };
    let message = match expected.what {
        Wanted::Nothing => format!("unexpected {found}"),
        Wanted::Thing(what) => format!("expected {what}, found {found}"),
        Wanted::Operator(label) => format!(
            "expected `==`, `!=`, `in`, `not in`, `contains`, `starts with` or `ends with` after `{}`, found {found}",
            head(label)
        ),
        Wanted::Quote(quote) => format!("a text begins with `{quote}` and does not end"),
        Wanted::Shallower(limit) => format!("parentheses are nested more than {limit} deep"),
        Wanted::Shorter => format!("a label has more than {MAX_LABEL} characters"),
    };
    let too_deep = matches!(expected.what, Wanted::Shallower(_));
    SelectorError { offset: text.len() - expected.rest.len(), too_deep, message }
}

/// The beginning of a word, so that a message stays one readable line.
fn head(word: &str) -> &str {
    match word.char_indices().nth(40) {
        Some((end, _)) => &word[..end],
        None => word,
    }
}

/// Blanks are spaces and tabs; a line break is not one.
fn skip(input: &str) -> &str {
    input.trim_start_matches([' ', '\t'])
}

fn blanks(input: &str) -> Result<'_, ()> {
    Ok((skip(input), ()))
}

/// A parser and the blanks after it.
fn word<'t, T>(
    parser: impl Parser<&'t str, Output = T, Error = Expected<'t>>,
) -> impl Parser<&'t str, Output = T, Error = Expected<'t>> {
    terminated(parser, blanks)
}

fn any_of(input: &str, depth: usize, limit: usize) -> Result<'_, Node> {
    operands(input, "||", Node::Or, |input| all_of(input, depth, limit))
}

fn all_of(input: &str, depth: usize, limit: usize) -> Result<'_, Node> {
    operands(input, "&&", Node::And, |input| operand(input, depth, limit))
}

/// One or more operands; a single one stands for itself.
fn operands<'t>(
    input: &'t str,
    operator: &'static str,
    join: impl Fn(Vec<Node>) -> Node,
    operand: impl Fn(&'t str) -> Result<'t, Node>,
) -> Result<'t, Node> {
    let (mut rest, first) = operand(input)?;
    let mut all = vec![first];
    while let Ok((after, _)) = word(tag::<_, _, Expected<'_>>(operator)).parse(rest) {
        let (after, next) = cut(&operand).parse(after)?;
        all.push(next);
        rest = after;
    }
    let node = if all.len() == 1 { all.remove(0) } else { join(all) };
    Ok((rest, node))
}

/// A primary with any number of `!` before it, of which only the parity counts.
fn operand(input: &str, depth: usize, limit: usize) -> Result<'_, Node> {
    let mut rest = input;
    let mut negated = false;
    while let Some(after) = rest.strip_prefix('!').filter(|after| !after.starts_with('=')) {
        negated = !negated;
        rest = skip(after);
    }
    let (rest, node) = primary(rest, depth, limit)?;
    Ok((rest, if negated { Node::Not(Box::new(node)) } else { node }))
}

const PRIMARY: Wanted<'static> = Wanted::Thing("a label, `has(…)`, `all()`, `!` or `(`");

fn primary(input: &str, depth: usize, limit: usize) -> Result<'_, Node> {
    if let Some(after) = input.strip_prefix('(') {
        if depth == 0 {
            let what = Wanted::Shallower(limit);
            return Err(nom::Err::Failure(Expected { rest: input, what }));
        }
        let (rest, node) = any_of(skip(after), depth - 1, limit)?;
        let close = expect(Wanted::Thing("`&&`, `||` or `)`"), word(tag(")")));
        return cut(close).parse(rest).map(|(rest, _)| (rest, node));
    }
    let close = || cut(expect(Wanted::Thing("`)`"), word(tag(")"))));
    expect(
        PRIMARY,
        alt((
            delimited((tag("has("), blanks), cut(expect(Wanted::Thing("a label"), word(label))), close())
                .map(|key: &str| Node::Has(key.into())),
            value(Node::All, ((tag("all("), blanks), close())),
            value(Node::Global, ((tag("global("), blanks), close())),
            comparison,
        )),
    )
    .parse(input)
}

fn is_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-')
}

fn label(input: &str) -> Result<'_, &str> {
    let (rest, label) = take_while1(is_label).parse(input)?;
    if label.len() > MAX_LABEL {
        return Err(nom::Err::Failure(Expected { rest: input, what: Wanted::Shorter }));
    }
    Ok((rest, label))
}

type Compare = fn(Box<str>, Box<str>) -> Node;
type Member = fn(Box<str>, Vec<Box<str>>) -> Node;

#[derive(Clone)]
enum Operator {
    Text(Compare),
    Set(Member),
}

fn comparison(input: &str) -> Result<'_, Node> {
    let (rest, key) = word(label).parse(input)?;
    let (rest, operator) = cut(expect(Wanted::Operator(key), operator)).parse(rest)?;
    match operator {
        Operator::Text(node) => cut(expect(Wanted::Thing("a text in quotes"), word(text)))
            .map(|value| node(key.into(), value.into()))
            .parse(rest),
        Operator::Set(node) => cut(set).map(|values| node(key.into(), values)).parse(rest),
    }
}

/// After a label, the words below are operators; anywhere else they are labels.
fn operator(input: &str) -> Result<'_, Operator> {
    use Operator::{Set, Text};
    alt((
        value(Text(Node::Equals), word(tag("=="))),
        value(Text(Node::NotEquals), word(tag("!="))),
        value(Text(Node::Contains), word(terminated(tag("contains"), boundary))),
        value(Text(Node::StartsWith), (word(tag("starts")), word(tag("with")), boundary)),
        value(Text(Node::EndsWith), (word(tag("ends")), word(tag("with")), boundary)),
        value(Set(Node::NotIn), (word(tag("not")), word(tag("in")), boundary)),
        value(Set(Node::In), word(terminated(tag("in"), boundary))),
    ))
    .parse(input)
}

/// The next character does not continue a label.
fn boundary(input: &str) -> Result<'_, ()> {
    not(peek(nom::character::complete::satisfy(is_label))).parse(input)
}

/// A text between quotes of one kind; there are no escapes.
fn text(input: &str) -> Result<'_, &str> {
    let quoted = |quote: char, mark: &'static str| {
        preceded(
            tag(mark),
            cut(expect(Wanted::Quote(quote), terminated(take_till(move |c| c == quote), tag(mark)))),
        )
    };
    alt((quoted('"', "\""), quoted('\'', "'"))).parse(input).map_err(|error| match error {
        // the place of a text that never ends is where it begins
        nom::Err::Failure(inner) => nom::Err::Failure(Expected { rest: input, ..inner }),
        other => other,
    })
}

/// `{ "a", "b" }`, a comma after the last allowed; sorted, without repetition.
fn set(input: &str) -> Result<'_, Vec<Box<str>>> {
    let (rest, _) = expect(Wanted::Thing("`{`"), word(tag("{"))).parse(input)?;
    let (rest, values) = separated_list0(word(tag(",")), word(text)).parse(rest)?;
    let (rest, _) = if values.is_empty() { (rest, None) } else { opt(word(tag(","))).parse(rest)? };
    let (rest, _) = expect(Wanted::Thing("a text in quotes or `}`"), word(tag("}"))).parse(rest)?;
    let mut values: Vec<Box<str>> = values.into_iter().map(Box::from).collect();
    values.sort_unstable();
    values.dedup();
    Ok((rest, values))
}
