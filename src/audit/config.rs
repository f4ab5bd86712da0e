//! The file with zones and expectations (`--zones FILE`): TOML.
//!
//! ```toml
//! expect = [
//!   "internet may not reach nodeports",
//!   "only partners may reach service shop/admin",
//! ]
//!
//! [zones]
//! partners = ["192.0.2.0/26", "203.0.113.64/27"]
//! ```

use super::expectation::{self, Expectation};
use super::zones::BUILT_IN;
use crate::diagnostic::{Diagnostic, FileId, Location, Spanned};
use crate::model::suggest;
use ipnet::IpNet;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What the file says.
#[derive(Debug, Default)]
pub struct Config {
    /// networks of zones by name, in the order of the names
    pub zones: Vec<(Box<str>, Vec<IpNet>)>,
    /// what must hold, in the order of the file
    pub expectations: Vec<Spanned<Expectation>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    expect: Vec<toml::Spanned<String>>,
    #[serde(default)]
    zones: BTreeMap<toml::Spanned<String>, Vec<toml::Spanned<String>>>,
}

/// Zones whose networks are known from the cluster.
const OF_THE_CLUSTER: [&str; 3] = ["nodes", "pods", "host"];

impl Config {
    /// Reads the text of a file; gives everything that is wrong with it.
    pub fn parse(text: &str, file: FileId) -> Result<Self, Vec<Diagnostic>> {
        let at = |offset: usize| place(text, offset, file);
        let read: File = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let message = one_line(error.message());
            let help = "the file has a list `expect`, and a table `zones` with lists of networks";
            vec![Diagnostic::error("zones-syntax", at(offset), message).help(help)]
        })?;
        let mut wrong = Vec::new();
        let mut config = Config::default();
        for (name, nets) in &read.zones {
            let mut all = Vec::new();
            let place = at(name.span().start);
            if OF_THE_CLUSTER.contains(&&**name.as_ref()) {
                let message = format!("the zone `{}` is known from the manifests", name.as_ref());
                wrong.push(Diagnostic::error("zones-name", place, message).help("choose another name"));
            } else if !expectation::is_name(name.as_ref()) {
                let message = format!("`{}` is no name for a zone", name.as_ref());
                let help = "letters, digits, `-`, `_` and `.`, and none of the words of expectations";
                wrong.push(Diagnostic::error("zones-name", place, message).help(help));
            }
            for net in nets {
                let text = net.as_ref();
                match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
                    Ok(net) => all.push(net.trunc()),
                    Err(_) => {
                        let message = format!("`{text}` is no address and no CIDR");
                        wrong.push(
                            Diagnostic::error("zones-network", at(net.span().start + 1), message)
                                .help("write it like `192.0.2.0/24`"),
                        );
                    }
                }
            }
            config.zones.push((name.as_ref().as_str().into(), all));
        }
        let names: Vec<&str> =
            BUILT_IN.into_iter().chain(config.zones.iter().map(|(name, _)| &**name)).collect();
        let mut expectations = Vec::new();
        for sentence in &read.expect {
            let start = sentence.span().start + 1;
            match expectation::parse(sentence.as_ref()) {
                Err((offset, message)) => {
                    let help = "write it like `internet may not reach nodeports`";
                    wrong.push(
                        Diagnostic::error("expectation-syntax", at(start + offset), message).help(help),
                    );
                }
                Ok(expectation) => {
                    for zone in expectation.zones.iter().filter(|zone| !names.contains(&&***zone)) {
                        let offset = sentence.as_ref().find(&**zone).unwrap_or_default();
                        let message = format!("there is no zone `{zone}`");
                        let help = match suggest(zone, names.iter().copied()) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => format!("there are {}", names.join(", ")),
                        };
                        wrong.push(
                            Diagnostic::error("expectation-zone", at(start + offset), message).help(help),
                        );
                    }
                    expectations.push(Spanned::new(expectation, at(start)));
                }
            }
        }
        config.expectations = expectations;
        if wrong.is_empty() { Ok(config) } else { Err(wrong) }
    }
}

/// Messages of the library have lines of their own.
fn one_line(message: &str) -> String {
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

fn place(text: &str, offset: usize, file: FileId) -> Location {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line = before.matches('\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
    Location { file, line, column }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<String> {
        let said = Config::parse(text, FileId(0)).expect_err("it is wrong");
        said.iter()
            .map(|one| {
                let at = one.at.expect("a place");
                format!("{}:{} {}: {}", at.line, at.column, one.id, one.message)
            })
            .collect()
    }

    #[test]
    fn zones_and_expectations_are_read() {
        let text =
            "expect = ['internet may not reach nodeports']\n[zones]\noffice = ['192.0.2.1', '10.0.0.1/8']\n";
        let config = Config::parse(text, FileId(0)).unwrap();
        let nets: Vec<String> = config.zones[0].1.iter().map(ToString::to_string).collect();
        assert_eq!(nets, ["192.0.2.1/32", "10.0.0.0/8"]);
        assert_eq!((config.expectations[0].at.line, config.expectations[0].at.column), (1, 12));
    }

    #[test]
    fn what_is_wrong_is_said_where_it_stands() {
        assert_eq!(
            wrong("[zones]\noffice = ['192.0.2.300']\npods = []\n"),
            [
                "2:12 zones-network: `192.0.2.300` is no address and no CIDR",
                "3:1 zones-name: the zone `pods` is known from the manifests"
            ]
        );
        assert_eq!(
            wrong("expect = [\n  'intern may not reach nodeports',\n  'internet reaches nodeports',\n]\n"),
            [
                "2:4 expectation-zone: there is no zone `intern`",
                "3:13 expectation-syntax: expected `may` or `may not`"
            ]
        );
        assert_eq!(wrong("zone = 1\n").len(), 1);
        assert!(wrong("[zones\n")[0].starts_with("1:7 zones-syntax: "));
    }
}
