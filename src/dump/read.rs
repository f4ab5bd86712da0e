//! Lines in their tables.

use super::fault::Fault;
use super::line::{self, Bare, Word};
use super::{Dump, Entry, Line, rule};
use crate::diagnostic::{Diagnostic, FileId, Location};
use crate::ir::{Origin, TableName};
use std::collections::HashSet;

/// Findings about one dump that are told; a text that is no dump is wrong in every line.
const MOST_FINDINGS: usize = 10;

/// The hooks of all tables, of those that [`TableName`] does not have as well.
const HOOKS: [&str; 5] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

/// Reads what `iptables-save` or `ip6tables-save` prints, of one family or of both, one after the other.
///
/// # Errors
///
/// What is wrong with the text, at most ten findings.
pub fn parse(text: &str, file: FileId) -> Result<Dump<'_>, Vec<Diagnostic>> {
    let mut reader = Reader::default();
    let mut lines = Vec::new();
    let mut wrong = Vec::new();
    let mut number = 0;
    for text in text.split_inclusive('\n') {
        number += 1;
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let origin = Origin::Dump(Location { file, line: number, column: 1 });
        match reader.line(line, origin) {
            Ok(what) => lines.push(Line { text, what }),
            Err(fault) => wrong.push(fault.diagnostic(file, number, line)),
        }
        if wrong.len() == MOST_FINDINGS {
            return Err(wrong);
        }
    }
    if let Some(table) = reader.table.filter(|_| wrong.is_empty()) {
        let message = format!("the table `{table}` does not end: there is no `COMMIT`");
        let fault = Fault::new(0, message).help("the dump is cut off; save it again");
        wrong.push(fault.diagnostic(file, number.max(1), ""));
    }
    if wrong.is_empty() { Ok(Dump { file, lines }) } else { Err(wrong) }
}

/// What has been read of the table that is open.
#[derive(Default)]
struct Reader<'t> {
    table: Option<&'t str>,
    chains: HashSet<&'t str>,
    words: Vec<Word<'t>>,
}

impl<'t> Reader<'t> {
    fn line(&mut self, line: &'t str, origin: Origin) -> Result<Entry<'t>, Fault> {
        Ok(match line::parse(line)? {
            Bare::Blank => Entry::Blank,
            Bare::Comment => Entry::Comment,
            Bare::Table(name) => {
                if let Some(open) = self.table.replace(name) {
                    return Err(Fault::new(0, format!("the table `{open}` has not ended yet"))
                        .help("`COMMIT` ends a table; is a part of the dump missing?"));
                }
                self.chains.clear();
                Entry::Table(name)
            }
            Bare::Chain { name, policy, counters } => {
                self.open("a chain")?;
                if !self.chains.insert(name) {
                    return Err(Fault::new(1, format!("the chain `{name}` is declared twice")));
                }
                Entry::Chain { name, policy, counters }
            }
            Bare::Rule { chain, counters, options } => {
                let table = self.open("a rule")?;
                if !self.chains.contains(chain) && !is_hook(table, chain) {
                    let at = line.len() - options.len() - chain.len();
                    return Err(Fault::new(at, format!("the table `{table}` has no chain `{chain}`"))
                        .help("a line like `:chain - [0:0]` declares it; give the whole dump, unchanged"));
                }
                line::words(line, options, &mut self.words)?;
                let rule = rule::read(line, &self.words, &|name| self.chains.contains(name), origin)?;
                Entry::Rule { chain, counters, rule: Box::new(rule) }
            }
            Bare::Commit => {
                self.open("`COMMIT`")?;
                self.table = None;
                Entry::Commit
            }
        })
    }

    /// The table that is open, for something that must be in one.
    fn open(&self, what: &str) -> Result<&'t str, Fault> {
        self.table.ok_or_else(|| {
            Fault::new(0, format!("{what} is outside of any table"))
                .help("a line like `*filter` begins a table; give the whole dump, unchanged")
        })
    }
}

fn is_hook(table: &str, chain: &str) -> bool {
    match TableName::ALL.into_iter().find(|own| own.name() == table) {
        Some(table) => table.hooks().contains(&chain),
        None => HOOKS.contains(&chain),
    }
}
