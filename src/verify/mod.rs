//! What a node should have and what it has → where they differ.
//!
//! | file | what |
//! |---|---|
//! | `tables` | tables and Calico's chains: missing, extra, different |
//! | `hooks` | the kernel's chains: Felix's rules there, and what comes before them |
//! | `describe` | what a foreign rule does, in words |
//! | `hashes` | whether a chain is as Felix wrote it, from its own text |
//! | `spelling` | how Felix may have written a rule that the kernel prints |
//! | `sets` | Calico's sets: missing, extra, members |
//! | `versions` | which version of Calico a dump can come from |
//! | `document`, `json` | for a report, and the form for programs |
//!
//! Rules are compared as `iptables-save` prints them, so that it does not matter who saved them.
//! Chains and sets of other software are not looked at.

mod describe;
pub mod document;
mod hashes;
mod hooks;
pub mod json;
mod sets;
mod spelling;
mod tables;
#[cfg(test)]
mod tests;
mod versions;

pub use versions::{Agreement, agreement};

use crate::diagnostic::Location;
use crate::dump::ReadSets;
use crate::ir::{Family, Origin, Program, RuleHash, RuleSet, TableName};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What was saved on a node.
#[derive(Debug, Default)]
pub struct Node {
    /// rules of IPv4, if they were saved
    pub v4: Option<RuleSet>,
    /// rules of IPv6, if they were saved
    pub v6: Option<RuleSet>,
    /// sets, if they were saved
    pub sets: Option<ReadSets>,
}

impl Node {
    /// The node's rules and sets as a program. A rule with the hash of a compiled one comes from where
    /// that one does.
    pub fn program(self, compiled: &Program) -> Program {
        let mut origins: FxHashMap<RuleHash, Origin> = FxHashMap::default();
        for rules in [&compiled.v4, &compiled.v6] {
            for chain in rules.tables.iter().flat_map(|table| table.hooks.iter().chain(&table.chains)) {
                for rule in &chain.rules {
                    if let Some(hash) = rule.hash {
                        origins.insert(hash, rule.origin.clone());
                    }
                }
            }
        }
        let known = |rules: Option<RuleSet>, family: Family| {
            let mut rules = rules.unwrap_or(RuleSet { family, tables: Vec::new() });
            let chains =
                rules.tables.iter_mut().flat_map(|table| table.hooks.iter_mut().chain(&mut table.chains));
            for rule in chains.flat_map(|chain| &mut Arc::make_mut(chain).rules) {
                if let Some(origin) = rule.hash.and_then(|hash| origins.get(&hash)) {
                    rule.origin = origin.clone();
                }
            }
            rules
        };
        Program {
            v4: known(self.v4, Family::V4),
            v6: known(self.v6, Family::V6),
            sets: self.sets.map(|sets| sets.known).unwrap_or_default(),
        }
    }
}

/// Kinds of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    MissingTable,
    MissingChain,
    ExtraChain,
    DifferentChain,
    MissingHookRule,
    ExtraHookRule,
    ForeignRuleFirst,
    MissingSet,
    ExtraSet,
    DifferentSet,
    DifferentMembers,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 11] = [
        Kind::MissingTable,
        Kind::MissingChain,
        Kind::ExtraChain,
        Kind::DifferentChain,
        Kind::MissingHookRule,
        Kind::ExtraHookRule,
        Kind::ForeignRuleFirst,
        Kind::MissingSet,
        Kind::ExtraSet,
        Kind::DifferentSet,
        Kind::DifferentMembers,
    ];

    /// A stable identifier.
    pub fn name(self) -> &'static str {
        match self {
            Kind::MissingTable => "missing-table",
            Kind::MissingChain => "missing-chain",
            Kind::ExtraChain => "extra-chain",
            Kind::DifferentChain => "different-chain",
            Kind::MissingHookRule => "missing-hook-rule",
            Kind::ExtraHookRule => "extra-hook-rule",
            Kind::ForeignRuleFirst => "foreign-rule-first",
            Kind::MissingSet => "missing-set",
            Kind::ExtraSet => "extra-set",
            Kind::DifferentSet => "different-set",
            Kind::DifferentMembers => "different-members",
        }
    }
}

/// One difference.
#[derive(Debug, Clone)]
pub struct Difference {
    /// which kind
    pub kind: Kind,
    /// address family
    pub family: Family,
    /// the table; `None` for sets
    pub table: Option<TableName>,
    /// the chain or set; "" for a table
    pub name: String,
    /// what is different, one line
    pub what: String,
    /// the rule that should be there, as `iptables-save` prints it
    pub wanted: Option<String>,
    /// the rule that is there
    pub found: Option<String>,
    /// where that is in the dump
    pub found_at: Option<Location>,
    /// what the rule that should be there is for
    pub origin: Option<Origin>,
    /// what the set that should be there stands for
    pub meaning: Option<String>,
    /// what the chain's own hashes tell
    pub hashes: Option<String>,
    /// members that should be there and are not
    pub missing: Members,
    /// members that are there and should not be
    pub extra: Members,
}

/// Members of a set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// how many
    pub count: usize,
    /// the first of them
    pub first: Vec<String>,
}

impl Difference {
    fn new(
        kind: Kind,
        family: Family,
        table: Option<TableName>,
        name: &str,
        what: impl Into<String>,
    ) -> Self {
        Difference {
            kind,
            family,
            table,
            name: name.to_owned(),
            what: what.into(),
            wanted: None,
            found: None,
            found_at: None,
            origin: None,
            meaning: None,
            hashes: None,
            missing: Members::default(),
            extra: Members::default(),
        }
    }
}

/// Everything that differs, and how much was compared.
#[derive(Debug, Default)]
pub struct Report {
    /// differences, in the order of a dump
    pub differences: Vec<Difference>,
    /// Calico's chains that should be there and were looked for
    pub chains: usize,
    /// sets that should be there and were looked for
    pub sets: usize,
    /// what could not be compared, because it was not given
    pub not_compared: Vec<&'static str>,
}

/// Compares what a node should have with what it has. `inserts`: Felix puts its rules before all others
/// (`ChainInsertMode`).
pub fn verify(program: &Program, node: &Node, inserts: bool) -> Report {
    let mut report = Report::default();
    let mut effort = hashes::Effort::default();
    for (wanted, found, name) in
        [(&program.v4, &node.v4, "IPv4 rules"), (&program.v6, &node.v6, "IPv6 rules")]
    {
        match found {
            Some(found) => tables::compare(wanted, found, inserts, &mut effort, &mut report),
            None if has_rules(wanted) => report.not_compared.push(name),
            None => {}
        }
    }
    match &node.sets {
        Some(found) => sets::compare(&program.sets, found, &mut report),
        None if !program.sets.is_empty() => report.not_compared.push("ipsets"),
        None => {}
    }
    report
}

fn has_rules(rules: &RuleSet) -> bool {
    rules.tables.iter().any(|table| !table.chains.is_empty())
}

/// Whether a chain or set is Calico's.
fn is_calico(name: &str) -> bool {
    name.starts_with("cali")
}
