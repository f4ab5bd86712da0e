//! The order of a dump: tables, chain declarations, then rules.

use super::{felix, save};
use crate::ir::{Action, Chain, Family, Match, Matcher, Origin, RejectWith, Rule, RuleSet, Table};
use std::sync::Arc;

/// Which spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// what Felix sends to `iptables-restore`
    Felix,
    /// what `iptables-save` (legacy) prints
    Save,
}

/// Appends the tables of one family. `after_rule` may append lines of its own after each rule
/// (comments that say where it comes from); they must begin with `#` and end with a newline.
pub fn write_rules(
    out: &mut String,
    rules: &RuleSet,
    dialect: Dialect,
    after_rule: &mut dyn FnMut(&mut String, &Rule),
) {
    for part in parts(rules, dialect) {
        match part {
            Part::Begin(table) => begin_table(out, table, dialect),
            Part::Chain(chain) => write_chain(out, chain, rules.family, dialect, after_rule),
            Part::End => end_table(out),
        }
    }
}

/// A part of a dump.
#[derive(Debug, Clone, Copy)]
pub enum Part<'r> {
    /// what [`begin_table`] writes
    Begin(&'r Table),
    /// what [`write_chain`] writes
    Chain(&'r Arc<Chain>),
    /// what [`end_table`] writes
    End,
}

/// The parts of a dump in their order.
pub fn parts(rules: &RuleSet, dialect: Dialect) -> impl Iterator<Item = Part<'_>> {
    // Felix opens no table in which it writes nothing
    let is_written = move |table: &&Table| {
        dialect == Dialect::Save
            || table.hooks.iter().chain(&table.chains).any(|chain| !chain.rules.is_empty())
    };
    rules.tables.iter().filter(is_written).flat_map(|table| {
        let chains = table.hooks.iter().chain(&table.chains).map(Part::Chain);
        std::iter::once(Part::Begin(table)).chain(chains).chain([Part::End])
    })
}

/// Appends the table's name and the declarations of its chains.
pub fn begin_table(out: &mut String, table: &Table, dialect: Dialect) {
    out.push('*');
    out.push_str(table.name.name());
    out.push('\n');
    declarations(out, table, dialect);
}

/// Appends the end of a table.
pub fn end_table(out: &mut String) {
    out.push_str("COMMIT\n");
}

/// Appends the rules of one chain.
pub fn write_chain(
    out: &mut String,
    chain: &Chain,
    family: Family,
    dialect: Dialect,
    after_rule: &mut dyn FnMut(&mut String, &Rule),
) {
    for rule in &chain.rules {
        match dialect {
            Dialect::Felix => {
                begin(out, chain);
                if let Some(hash) = &rule.hash {
                    out.push_str(" -m comment --comment \"cali:");
                    out.push_str(hash);
                    out.push('"');
                }
                felix::body(out, rule, family);
                out.push('\n');
            }
            Dialect::Save => {
                for expand in 0..save::expansions(rule) {
                    begin(out, chain);
                    save::body(out, rule, family, expand);
                    out.push('\n');
                }
            }
        }
        after_rule(out, rule);
    }
}

/// Whether a chain has the same text in both families.
pub fn is_alike(chain: &Chain) -> bool {
    !chain.rules.iter().any(|rule| {
        matches!(rule.action, Some(Action::Reject(RejectWith::PortUnreachable)))
            || rule.matches.iter().any(|condition| matches!(condition.on, Matcher::Icmp(..)))
    })
}

/// One rule as `iptables-save` prints it, without a line break; of a rule that the kernel keeps as
/// several, the first.
pub fn saved_rule(chain: &Chain, rule: &Rule, family: Family) -> String {
    let mut out = String::new();
    begin(&mut out, chain);
    save::body(&mut out, rule, family, 0);
    out
}

/// A match as `iptables-save` prints it, with a space before it.
pub fn saved_match(one: &Match, family: Family) -> String {
    let rule = Rule {
        hash: None,
        comments: Vec::new(),
        matches: vec![one.clone()],
        action: None,
        origin: Origin::Static,
    };
    let mut out = String::new();
    save::body(&mut out, &rule, family, 0);
    out
}

fn begin(out: &mut String, chain: &Chain) {
    out.push_str("-A ");
    out.push_str(&chain.name);
}

fn declarations(out: &mut String, table: &Table, dialect: Dialect) {
    let mut declare = |chains: &[Arc<Chain>], policy: &dyn Fn(&Chain) -> &'static str, rest: &str| {
        for chain in chains {
            for part in [":", &chain.name, " ", policy(chain), rest] {
                out.push_str(part);
            }
        }
    };
    let none = |_: &Chain| "-";
    match dialect {
        // Felix declares only the chains that it creates
        Dialect::Felix => declare(&table.chains, &none, " -\n"),
        Dialect::Save => {
            declare(&table.hooks, &|chain| chain.policy.name(), " [0:0]\n");
            declare(&table.chains, &none, " [0:0]\n");
        }
    }
}
