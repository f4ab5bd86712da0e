//! One line of a dump, and the words of a rule.
//!
//! Words are quoted as `xtables_save_string` does it and `iptables-restore` undoes it (1.8.9): between
//! double quotes, where a backslash takes the next character as it is. The quote that closes ends the word.

use super::Counters;
use super::fault::{Fault, head};
use crate::ir::ChainPolicy;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::digit1;
use nom::combinator::{all_consuming, cut, map, opt, rest, value};
use nom::error::{ErrorKind, ParseError};
use nom::sequence::{delimited, preceded, separated_pair, terminated};
use nom::{IResult, Parser};
use std::borrow::Cow;

/// A line, its rule still as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bare<'t> {
    Blank,
    Comment,
    Table(&'t str),
    Chain { name: &'t str, policy: Option<ChainPolicy>, counters: Option<Counters> },
    Rule { chain: &'t str, counters: Option<Counters>, options: &'t str },
    Commit,
}

/// What was wanted at the start of `rest`.
#[derive(Debug, Clone, Copy)]
struct Expected<'t> {
    rest: &'t str,
    what: &'static str,
}

const LINE: &str = "`*table`, `:chain`, `-A chain`, `COMMIT` or `#`";

impl<'t> ParseError<&'t str> for Expected<'t> {
    fn from_error_kind(rest: &'t str, _: ErrorKind) -> Self {
        Expected { rest, what: LINE }
    }

    fn append(_: &'t str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Result<'t, T> = IResult<&'t str, T, Expected<'t>>;

/// Names what is expected where `parser` fails, if it does not say so itself.
fn expect<'t, T>(
    what: &'static str,
    mut parser: impl Parser<&'t str, Output = T, Error = Expected<'t>>,
) -> impl FnMut(&'t str) -> Result<'t, T> {
    move |input| {
        parser.parse(input).map_err(|error| {
            error.map(|inner| if inner.what == LINE { Expected { what, ..inner } } else { inner })
        })
    }
}

/// Reads one line, given without its line break.
pub(super) fn parse(line: &str) -> std::result::Result<Bare<'_>, Fault> {
    let parsed = alt((
        map(all_consuming(blanks), |_| Bare::Blank),
        map((tag("#"), rest), |_| Bare::Comment),
        map(preceded(tag("*"), cut(terminated(expect("the name of a table", name), end))), Bare::Table),
        preceded(tag(":"), cut(terminated(chain, end))),
        value(Bare::Commit, (tag("COMMIT"), cut(end))),
        rule,
    ))
    .parse(line);
    match parsed {
        Ok((_, bare)) => Ok(bare),
        Err(nom::Err::Error(expected) | nom::Err::Failure(expected)) => Err(fault(line, expected)),
        Err(nom::Err::Incomplete(_)) => Err(Fault::new(line.len(), "the line ends too early")),
    }
}

fn fault(line: &str, expected: Expected<'_>) -> Fault {
    let found = match expected.rest.split([' ', '\t']).next() {
        Some("") | None => "the end".to_owned(),
        Some(word) => format!("`{}`", head(word)),
    };
    let at = line.len() - expected.rest.len();
    let fault = Fault::new(at, format!("expected {}, found {found}", expected.what));
    if expected.what == LINE {
        fault.help("give the whole output of `iptables-save` or `ip6tables-save`, unchanged")
    } else {
        fault
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

fn blanks(input: &str) -> Result<'_, &str> {
    take_while(is_blank).parse(input)
}

fn end(input: &str) -> Result<'_, ()> {
    expect("the end of the line", value((), all_consuming(blanks))).parse(input)
}

fn name(input: &str) -> Result<'_, &str> {
    take_while1(|c: char| !is_blank(c)).parse(input)
}

/// `INPUT ACCEPT [0:0]`, `cali-INPUT - [0:0]`, and as Felix writes it `cali-INPUT - -`
fn chain(input: &str) -> Result<'_, Bare<'_>> {
    let policy = alt((
        value(None, tag("-")),
        value(Some(ChainPolicy::Accept), tag("ACCEPT")),
        value(Some(ChainPolicy::Drop), tag("DROP")),
    ));
    let counted = alt((value(None, tag("-")), map(counters, Some)));
    let (input, name) = expect("the name of a chain", name).parse(input)?;
    let (input, _) = expect("a policy", take_while1(is_blank)).parse(input)?;
    let (input, policy) = expect("`ACCEPT`, `DROP` or `-`", policy).parse(input)?;
    let (input, counters) = match input {
        "" => (input, None),
        _ => {
            let (input, _) = expect("a blank or the end of the line", take_while1(is_blank)).parse(input)?;
            match input {
                "" => (input, None),
                _ => expect("counters like `[0:0]`", counted).parse(input)?,
            }
        }
    };
    Ok((input, Bare::Chain { name, policy, counters }))
}

/// `[12:345]`
fn counters(input: &str) -> Result<'_, Counters> {
    let pair = separated_pair(number, expect("`:`", tag(":")), number);
    map(delimited(tag("["), cut(pair), cut(expect("`]`", tag("]")))), |(packets, bytes)| Counters {
        packets,
        bytes,
    })
    .parse(input)
}

fn number(input: &str) -> Result<'_, u64> {
    let what = "a number of 64 bits";
    let (rest, digits) = expect(what, digit1).parse(input)?;
    match digits.parse() {
        Ok(number) => Ok((rest, number)),
        Err(_) => Err(nom::Err::Failure(Expected { rest: input, what })),
    }
}

fn rule(input: &str) -> Result<'_, Bare<'_>> {
    let (input, counters) = opt(terminated(counters, blanks)).parse(input)?;
    let appends = alt((tag("-A"), tag("--append")));
    let (input, _) = (expect(LINE, appends), expect(LINE, take_while1(is_blank))).parse(input)?;
    let (options, chain) = cut(expect("the name of a chain", name)).parse(input)?;
    Ok(("", Bare::Rule { chain, counters, options }))
}

/// A word of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word<'t> {
    /// where it begins in the line, in bytes
    pub at: usize,
    /// where it ends
    pub end: usize,
    /// what it says, quotes and escapes undone
    pub text: Cow<'t, str>,
    /// it is between quotes, so it is no option
    pub quoted: bool,
}

/// The words of the end of a line.
pub(super) fn words<'t>(
    line: &'t str,
    options: &'t str,
    out: &mut Vec<Word<'t>>,
) -> std::result::Result<(), Fault> {
    out.clear();
    let place = |rest: &str| line.len() - rest.len();
    let mut input = options.trim_start_matches(is_blank);
    while !input.is_empty() {
        let at = place(input);
        let bare = input.find(|c: char| is_blank(c) || c == '"').unwrap_or(input.len());
        let (text, after) = input.split_at(bare);
        let (after, word) = match after.strip_prefix('"') {
            None => (after, Word { at, end: place(after), text: text.into(), quoted: false }),
            Some(inside) => {
                let Some((quoted, after)) = quoted(inside) else {
                    return Err(Fault::new(place(after), "a text begins with `\"` and does not end")
                        .help("a dump has one rule on each line; is this one broken in two?"));
                };
                let text = if text.is_empty() { quoted } else { Cow::Owned(format!("{text}{quoted}")) };
                (after, Word { at, end: place(after), text, quoted: true })
            }
        };
        out.push(word);
        input = after.trim_start_matches(is_blank);
    }
    Ok(())
}

/// What is between quotes, and what comes after; `None` if they are not closed.
fn quoted(inside: &str) -> Option<(Cow<'_, str>, &str)> {
    let special = inside.find(['"', '\\'])?;
    if inside[special..].starts_with('"') {
        return Some((Cow::Borrowed(&inside[..special]), &inside[special + 1..]));
    }
    let mut text = String::with_capacity(inside.len().min(256));
    let mut characters = inside.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((Cow::Owned(text), &inside[at + 1..])),
            '\\' => text.push(characters.next()?.1),
            c => text.push(c),
        }
    }
    None
}
