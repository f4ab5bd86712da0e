//! Dumps of a node's firewall → rules and sets as data.
//!
//! What `iptables-save` and `ip6tables-save` print, of the legacy and of the nft kind, with or
//! without counters, and Felix's own spelling of the same rules; and what `ipset save` prints.
//! Nothing of the text is lost: a [`Dump`] and a [`SetDump`] print it back byte for byte. What the
//! matches and targets mean is read as far as [`crate::ir`] has it; the rest stays text
//! ([`crate::ir::Matcher::Other`], [`crate::ir::Action::Other`]).
//!
//! | file | what |
//! |---|---|
//! | `line` | one line of a dump, and one word of it (`grammar/iptables-save.ebnf`) |
//! | `rule`, `option` | the words of a rule, and its options |
//! | `matches`, `target`, `values` | what its matches and its target say |
//! | `read` | lines in their tables |
//! | `sections` | the rules of a family |
//! | `sets`, `set_members` | `ipset save` (`grammar/ipset-save.ebnf`) |
//!
//! Work and memory are linear in the text, and nothing here calls itself.

mod fault;
mod line;
mod matches;
mod option;
mod read;
mod rule;
mod sections;
mod set_members;
mod sets;
mod target;
#[cfg(test)]
mod tests;
mod values;

pub use read::parse;
pub use sets::{Create, OtherSet, ReadSets, SetDump, SetLine, SetText, parse_sets};

use crate::diagnostic::FileId;
use crate::ir::{ChainPolicy, Rule};

/// Packets and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// packets
    pub packets: u64,
    /// bytes
    pub bytes: u64,
}

/// A dump of rules, line by line.
#[derive(Debug, Clone)]
pub struct Dump<'t> {
    /// which file it is
    pub file: FileId,
    /// all lines, in order
    pub lines: Vec<Line<'t>>,
}

/// A line of a dump.
#[derive(Debug, Clone)]
pub struct Line<'t> {
    /// all of it, with its line break
    pub text: &'t str,
    /// what it says
    pub what: Entry<'t>,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'t> {
    /// nothing
    Blank,
    /// a remark
    Comment,
    /// a table begins
    Table(&'t str),
    /// a chain is declared
    Chain {
        /// its name
        name: &'t str,
        /// its policy, if it is the chain of a hook
        policy: Option<ChainPolicy>,
        /// its counters, if they are written
        counters: Option<Counters>,
    },
    /// a rule is appended to a chain
    Rule {
        /// the chain
        chain: &'t str,
        /// its counters, if they are written
        counters: Option<Counters>,
        /// what it says; its origin is its place in the dump
        rule: Box<Rule>,
    },
    /// the table ends
    Commit,
}

impl Dump<'_> {
    /// The text that was read, byte for byte.
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| line.text).collect()
    }
}
