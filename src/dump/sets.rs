//! What `ipset save` prints (`grammar/ipset-save.ebnf`).

use super::fault::{Fault, head};
use crate::diagnostic::{Diagnostic, FileId};
use crate::ir::IpSet;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{all_consuming, map, opt, rest};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};
use std::collections::HashSet;
use std::sync::Arc;

/// Findings about one dump that are told.
const MOST_FINDINGS: usize = 10;

/// A dump of sets, line by line.
#[derive(Debug, Clone)]
pub struct SetDump<'t> {
    /// which file it is
    pub file: FileId,
    /// all lines, in order
    pub lines: Vec<SetLine<'t>>,
}

/// A line of a dump of sets.
#[derive(Debug, Clone)]
pub struct SetLine<'t> {
    /// all of it, with its line break
    pub text: &'t str,
    /// what it says
    pub what: SetText<'t>,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetText<'t> {
    /// nothing, or a remark
    Blank,
    /// a set
    Create(Create<'t>),
    /// a member of a set
    Add {
        /// the set
        set: &'t str,
        /// the member
        member: &'t str,
        /// what else is said of it: a timeout, a comment, `nomatch`
        options: &'t str,
    },
}

/// The declaration of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Create<'t> {
    /// its name
    pub name: &'t str,
    /// its type
    pub kind: &'t str,
    /// the rest: family, sizes
    pub options: &'t str,
}

/// The sets of a dump.
#[derive(Debug, Clone, Default)]
pub struct ReadSets {
    /// sets of the types that Calico has, sorted by name
    pub known: Vec<IpSet>,
    /// the others, sorted by name
    pub other: Vec<OtherSet>,
}

/// A set of another type, or with members that say more than an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherSet {
    /// its name
    pub name: Arc<str>,
    /// its type
    pub kind: Box<str>,
    /// number of its members
    pub len: usize,
}

/// Reads what `ipset save` prints.
///
/// # Errors
///
/// What is wrong with the text, at most ten findings.
pub fn parse_sets(text: &str, file: FileId) -> Result<SetDump<'_>, Vec<Diagnostic>> {
    let mut lines = Vec::new();
    let mut wrong = Vec::new();
    let mut known: HashSet<&str> = HashSet::new();
    for (text, number) in text.split_inclusive('\n').zip(1u32..) {
        let line = text.trim_end_matches(['\n', '\r']);
        let what = read_line(line).and_then(|what| match what {
            SetText::Create(create) if !known.insert(create.name) => {
                Err(Fault::new(7, format!("the set `{}` is created twice", head(create.name))))
            }
            SetText::Add { set, .. } if !known.contains(set) => {
                Err(Fault::new(4, format!("there is no set `{}` yet", head(set)))
                    .help("a line like `create name hash:net family inet` makes it; give the whole dump"))
            }
            what => Ok(what),
        });
        match what {
            Ok(what) => lines.push(SetLine { text, what }),
            Err(fault) => wrong.push(fault.diagnostic(file, number, line)),
        }
        if wrong.len() == MOST_FINDINGS {
            break;
        }
    }
    if wrong.is_empty() { Ok(SetDump { file, lines }) } else { Err(wrong) }
}

fn read_line(line: &str) -> Result<SetText<'_>, Fault> {
    fn blanks(input: &str) -> IResult<&str, &str> {
        take_while(|c| matches!(c, ' ' | '\t')).parse(input)
    }
    fn word(input: &str) -> IResult<&str, &str> {
        terminated(take_while1(|c| !matches!(c, ' ' | '\t')), blanks).parse(input)
    }
    let create =
        map(preceded(terminated(tag("create"), blank), (word, word, rest)), |(name, kind, options)| {
            SetText::Create(Create { name, kind, options })
        });
    let add = map(preceded(terminated(tag("add"), blank), (word, word, rest)), |(set, member, options)| {
        SetText::Add { set, member, options }
    });
    let nothing = map((blanks, opt((tag("#"), rest))), |_| SetText::Blank);
    let parsed: IResult<&str, SetText<'_>> = alt((create, add, all_consuming(nothing))).parse(line);
    parsed.map(|(_, what)| what).map_err(|_| {
        let word = line.split([' ', '\t']).next().unwrap_or_default();
        let message = match word {
            "create" => "a name and a type should follow `create`".to_owned(),
            "add" => "a set and a member should follow `add`".to_owned(),
            word => format!("expected `create` or `add`, found `{}`", head(word)),
        };
        Fault::new(0, message).help("give the whole output of `ipset save`, unchanged")
    })
}

fn blank(input: &str) -> IResult<&str, &str> {
    take_while1(|c| matches!(c, ' ' | '\t')).parse(input)
}
