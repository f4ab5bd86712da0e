//! Sentences that a cluster must fulfil: `only partners may reach service shop/admin on eth1`. Their grammar is
//! `grammar/expectation.ebnf`.

use super::targets::{Kind, Target};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{space0, space1};
use nom::combinator::{map, opt, value};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};
use std::fmt;

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// the sentence
    pub text: String,
    /// whose packets
    pub zones: Vec<Box<str>>,
    /// what of them
    pub claim: Claim,
    /// to what
    pub to: To,
    /// if they come in on this interface
    pub on: Option<Box<str>>,
}

/// What is claimed of packets from zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// all of them get there, wherever they may
    May,
    /// none of them does
    MayNot,
    /// all of them get there, and nobody else from outside does
    OnlyMay,
}

/// What is to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// everything
    Anything,
    /// everything of a kind
    Kind(Kind),
    /// whatever a service has, and perhaps only this port: its name or number
    Service(Box<str>, Option<Box<str>>),
    /// the ports of a pod on its host
    Pod(Box<str>),
}

impl To {
    /// Whether a target is meant.
    pub fn has(&self, target: &Target) -> bool {
        let of_pod = matches!(target.kind, Kind::HostPort | Kind::HostNetwork);
        match self {
            To::Anything => !target.kind.is_range(),
            To::Kind(kind) => target.kind == *kind,
            To::Pod(path) => of_pod && target.of == *path,
            To::Service(path, port) => {
                let is_port = |port: &str| {
                    *target.port_name == *port
                        || port.parse().is_ok_and(|number: u16| number == target.ports.0)
                };
                !of_pod && target.of == *path && port.as_deref().is_none_or(is_port)
            }
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Words that names of zones would be taken for.
const RESERVED: [&str; 7] = ["only", "may", "not", "reach", "on", "and", "anything"];

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Whether a zone may be called so.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_of_a_name) && !RESERVED.contains(&text)
}

fn name(input: &str) -> IResult<&str, &str> {
    take_while1(is_of_a_name).parse(input)
}

fn path(input: &str) -> IResult<&str, Box<str>> {
    let (rest, (namespace, _, name)) = (name, tag("/"), name).parse(input)?;
    Ok((rest, format!("{namespace}/{name}").into()))
}

fn zones(input: &str) -> IResult<&str, Vec<Box<str>>> {
    let and = alt((value((), (space0, tag(","), space0)), value((), (space1, tag("and"), space1))));
    separated_list1(and, map(name, Into::into)).parse(input)
}

fn to(input: &str) -> IResult<&str, To> {
    let port = opt(preceded(tag(":"), map(name, Into::into)));
    alt((
        map(preceded((tag("service"), space1), (path, port)), |(path, port)| To::Service(path, port)),
        map(preceded((tag("pod"), space1), path), To::Pod),
        kind,
    ))
    .parse(input)
}

fn kind(input: &str) -> IResult<&str, To> {
    let (rest, word) = name(input)?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word).map(To::Kind);
    match kind.or((word == "anything").then_some(To::Anything)) {
        Some(to) => Ok((rest, to)),
        None => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Tag))),
    }
}

/// Reads a sentence; gives the offset of what cannot be read, and what is expected there.
pub fn parse(text: &str) -> Result<Expectation, (usize, String)> {
    let at = |rest: &str| text.len() - rest.len();
    let rest = text.trim_start();
    let expected = |rest: &str, what: &str| (at(rest), format!("expected {what}"));
    let word = |rest, word: &'static str| -> IResult<&str, &str> {
        delimited(space0, tag(word), space1).parse(rest)
    };
    let (rest, only) =
        opt((tag("only"), space1)).parse(rest).map_err(|_: nom::Err<()>| (0, String::new()))?;
    let (rest, zones) = zones(rest).map_err(|_| expected(rest, "the name of a zone"))?;
    let rest = rest.trim_start();
    let (rest, _) = word(rest, "may").map_err(|_| expected(rest, "`may` or `may not`"))?;
    let (rest, not) = match word(rest, "not") {
        Ok((rest, _)) => (rest, true),
        Err(_) => (rest, false),
    };
    let (rest, _) = word(rest, "reach").map_err(|_| expected(rest, "`reach`"))?;
    let (rest, to) = to(rest).map_err(|_| {
        let kinds: Vec<String> = Kind::ALL.iter().map(|kind| format!("`{}`", kind.word())).collect();
        let what =
            format!("`service NAMESPACE/NAME`, `pod NAMESPACE/NAME`, `anything`, {}", kinds.join(", "));
        expected(rest, &what)
    })?;
    let rest = rest.trim_start();
    let on = match word(rest, "on") {
        Ok((rest, _)) => {
            let interface = |input| -> IResult<&str, &str> {
                take_while1(|c: char| is_of_a_name(c) || matches!(c, '@' | ':')).parse(input)
            };
            let (rest, name) = interface(rest).map_err(|_| expected(rest, "the name of an interface"))?;
            Some((rest, Box::<str>::from(name)))
        }
        Err(_) => None,
    };
    let (rest, on) = on.map_or((rest, None), |(rest, name)| (rest, Some(name)));
    if !rest.trim().is_empty() {
        return Err(expected(rest.trim_start(), "`on INTERFACE`, or the end"));
    }
    let claim = match (only.is_some(), not) {
        (true, true) => return Err((0, "`only` and `not` do not go together".to_owned())),
        (true, false) => Claim::OnlyMay,
        (false, true) => Claim::MayNot,
        (false, false) => Claim::May,
    };
    Ok(Expectation { text: text.trim().to_owned(), zones, claim, to, on })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_understood() {
        let read = parse("internet may not reach nodeports").unwrap();
        assert_eq!((read.claim, read.to, read.on), (Claim::MayNot, To::Kind(Kind::NodePort), None));
        let read =
            parse(" only office, partners and vpn may reach service shop/admin:http on eth1 ").unwrap();
        assert_eq!(read.zones.iter().map(|zone| &**zone).collect::<Vec<_>>(), ["office", "partners", "vpn"]);
        assert_eq!(read.to, To::Service("shop/admin".into(), Some("http".into())));
        assert_eq!((read.claim, read.on.as_deref()), (Claim::OnlyMay, Some("eth1")));
        assert_eq!(parse("pods may reach pod a/b").unwrap().to, To::Pod("a/b".into()));
    }

    #[test]
    fn what_is_expected_is_said() {
        let wrong = |text: &str| parse(text).unwrap_err();
        assert_eq!(wrong("internet reaches hosts"), (9, "expected `may` or `may not`".into()));
        assert_eq!(wrong("internet may").1, "expected `may` or `may not`");
        assert_eq!(wrong("internet may touch hosts"), (13, "expected `reach`".into()));
        assert_eq!(wrong("internet may reach hosts off"), (25, "expected `on INTERFACE`, or the end".into()));
        assert!(wrong("internet may reach nodes").1.starts_with("expected `service NAMESPACE/NAME`"));
        assert_eq!(wrong("only a may not reach hosts").1, "`only` and `not` do not go together");
        assert_eq!(wrong("").1, "expected the name of a zone");
    }
}
