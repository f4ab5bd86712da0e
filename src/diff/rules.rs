//! Chains, rules and members of sets of a node, before and after.
//!
//! Rules are compared as `iptables-save` prints them, without Felix's hashes: the hash of a rule covers all rules
//! before it, so that one more rule would change all that follow.

use crate::emit::ipset::each_member;
use crate::emit::save;
use crate::ir::{Chain, Family, IpSet, Program, Rule, RuleSet, TableName};
use crate::resolve::view::SetMeaning;
use similar::{Algorithm, ChangeTag};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What became of a chain or a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// it is new
    Added,
    /// it is gone
    Removed,
    /// it is another
    Changed,
    /// it has another name
    Renamed,
}

impl Fate {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Added => "added",
            Fate::Removed => "removed",
            Fate::Changed => "changed",
            Fate::Renamed => "renamed",
        }
    }
}

/// A chain or a set that is not what it was, on one node or on several, in one family or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleChange {
    /// the chain's table; `None` for sets
    pub table: Option<TableName>,
    /// what became of it
    pub fate: Fate,
    /// its name; of several with the same change, all
    pub names: Vec<String>,
    /// what it was called, if it has another name
    pub was: Option<String>,
    /// what a set stands for
    pub meaning: Option<String>,
    /// lines that went and came, each with `-` or `+` before it; the name of the chain is left out
    pub lines: Vec<String>,
    /// the families
    pub families: Vec<Family>,
    /// the nodes
    pub nodes: Vec<String>,
}

/// The lines of a chain, without its name and without hashes.
pub fn lines(chain: &Chain, family: Family) -> Vec<String> {
    let mut all = Vec::with_capacity(chain.rules.len());
    for rule in &chain.rules {
        let rule = Rule { hash: None, ..rule.clone() };
        for expand in 0..save::expansions(&rule) {
            let mut text = String::new();
            save::body(&mut text, &rule, family, expand);
            all.push(text.trim_start().to_owned());
        }
    }
    all
}

/// What a set stands for, in words.
pub fn meaning(set: &IpSet) -> Option<String> {
    Some(match set.meaning.as_ref()? {
        SetMeaning::Selector(selector) => format!("selector {selector}"),
        SetMeaning::NamedPort { selector, port, .. } => format!("port `{port}` of selector {selector}"),
        SetMeaning::Service(name) | SetMeaning::ServiceAddresses(name) => format!("service {name}"),
    })
}

/// What differs on a node.
pub fn compare(node: &str, old: &Program, new: &Program) -> Vec<RuleChange> {
    let mut changes = Vec::new();
    for (old, new) in [(&old.v4, &new.v4), (&old.v6, &new.v6)] {
        for table in TableName::ALL {
            chains(node, table, old, new, &mut changes);
        }
    }
    sets(node, &old.sets, &new.sets, &mut changes);
    changes
}

/// Whether no chain differs.
pub fn same_chains(old: &Program, new: &Program) -> bool {
    [(&old.v4, &new.v4), (&old.v6, &new.v6)].into_iter().all(|(old, new)| {
        TableName::ALL.iter().all(|table| {
            let (old, new) = (by_name(old, *table), by_name(new, *table));
            old == new
        })
    })
}

fn chains(node: &str, table: TableName, old: &RuleSet, new: &RuleSet, changes: &mut Vec<RuleChange>) {
    let family = new.family;
    let (old, new) = (by_name(old, table), by_name(new, table));
    let change = |fate, name: &str, was: Option<&str>, lines| RuleChange {
        table: Some(table),
        fate,
        names: vec![name.to_owned()],
        was: was.map(str::to_owned),
        meaning: None,
        lines,
        families: vec![family],
        nodes: vec![node.to_owned()],
    };
    let mut came: Vec<(&str, Vec<String>)> = new
        .iter()
        .filter(|(name, _)| !old.contains_key(*name))
        .map(|(name, chain)| (*name, lines(chain, family)))
        .collect();
    for (name, chain) in &old {
        let Some(there) = new.get(name) else {
            let own = lines(chain, family);
            // comments may name a policy, which then has another name too
            let bare = |lines: &[String]| lines.iter().map(|line| without_comments(line)).collect::<Vec<_>>();
            let same = |(_, other): &(&str, Vec<String>)| !own.is_empty() && bare(other) == bare(&own);
            match came.iter().position(same).filter(|_| is_named(name)) {
                Some(at) => {
                    let (other, _) = came.remove(at);
                    changes.push(change(Fate::Renamed, other, Some(name), Vec::new()));
                }
                None => changes.push(change(Fate::Removed, name, None, signed('-', own))),
            }
            continue;
        };
        if chain == there {
            continue;
        }
        let differing = differing(&lines(chain, family), &lines(there, family));
        if !differing.is_empty() {
            changes.push(change(Fate::Changed, name, None, differing));
        }
    }
    for (name, own) in came {
        changes.push(change(Fate::Added, name, None, signed('+', own)));
    }
}

/// Whether a chain has its name from an object whose name says nothing about packets.
fn is_named(chain: &str) -> bool {
    ["cali-pi-", "cali-po-", "cali-gi-", "cali-go-"].iter().any(|prefix| chain.starts_with(prefix))
}

fn without_comments(line: &str) -> String {
    let mut parts = line.split(" -m comment --comment ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // one word, or quoted
        let rest = match part.strip_prefix('"') {
            Some(quoted) => quoted.split_once("\" ").map(|(_, rest)| rest),
            None => part.split_once(' ').map(|(_, rest)| rest),
        };
        if let Some(rest) = rest {
            text.push(' ');
            text.push_str(rest);
        }
    }
    text
}

fn by_name(rules: &RuleSet, table: TableName) -> BTreeMap<&str, &Arc<Chain>> {
    let own = rules.tables.iter().find(|own| own.name == table);
    let chains = own.into_iter().flat_map(|table| table.hooks.iter().chain(&table.chains));
    chains.map(|chain| (&*chain.name, chain)).collect()
}

fn differing(old: &[String], new: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for op in similar::capture_diff_slices(Algorithm::Myers, old, new) {
        for change in op.iter_changes(old, new) {
            match change.tag() {
                ChangeTag::Equal => {}
                ChangeTag::Delete => lines.push(format!("- {}", change.value())),
                ChangeTag::Insert => lines.push(format!("+ {}", change.value())),
            }
        }
    }
    lines
}

fn sets(node: &str, old: &[IpSet], new: &[IpSet], changes: &mut Vec<RuleChange>) {
    fn by_name(sets: &[IpSet]) -> BTreeMap<&str, &IpSet> {
        sets.iter().map(|set| (&*set.name, set)).collect()
    }
    let members = |set: &IpSet| {
        let mut all = Vec::with_capacity(set.len());
        each_member(set, |member| all.push(member.to_owned()));
        all.sort_unstable();
        all
    };
    let (old, new) = (by_name(old), by_name(new));
    let mut push = |fate, set: &IpSet, lines: Vec<String>| {
        changes.push(RuleChange {
            table: None,
            fate,
            names: vec![set.name.to_string()],
            was: None,
            meaning: meaning(set),
            lines,
            families: vec![set.family],
            nodes: vec![node.to_owned()],
        });
    };
    for (name, set) in &old {
        match new.get(name) {
            None => push(Fate::Removed, set, signed('-', members(set))),
            // nearly all sets are the same, and large ones take long to write
            Some(there) if there.members == set.members => {}
            Some(there) => {
                let lines = differing(&members(set), &members(there));
                if !lines.is_empty() {
                    push(Fate::Changed, there, lines);
                }
            }
        }
    }
    for (_, set) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        push(Fate::Added, set, signed('+', members(set)));
    }
}

fn signed(sign: char, lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("{sign} {line}")).collect()
}

/// Changes that are the same, but for names, families and nodes, are one.
pub fn fold(changes: Vec<RuleChange>) -> Vec<RuleChange> {
    type Key = (Option<TableName>, Fate, Option<String>, Option<String>, Vec<String>);
    let mut folded: indexmap::IndexMap<(Key, Vec<String>), RuleChange> = indexmap::IndexMap::new();
    // the same chain on several nodes and in both families
    for one in changes {
        let name = (one.table.is_some() || one.meaning.is_none()).then(|| one.names[0].clone());
        let key = (one.table, one.fate, one.was.clone(), one.meaning.clone(), one.lines.clone());
        match folded.entry((key, name.into_iter().collect())) {
            indexmap::map::Entry::Occupied(mut own) => join(own.get_mut(), one),
            indexmap::map::Entry::Vacant(place) => {
                place.insert(one);
            }
        }
    }
    // chains with the same lines on the same nodes
    type Alike = (Option<TableName>, Fate, Option<String>, Vec<String>, Vec<Family>, Vec<String>);
    let mut alike: indexmap::IndexMap<(Alike, Option<String>), RuleChange> = indexmap::IndexMap::new();
    for ((_, _), one) in folded {
        let apart = (one.table.is_none() || one.fate == Fate::Renamed).then(|| one.names[0].clone());
        let key = (
            one.table,
            one.fate,
            one.meaning.clone(),
            one.lines.clone(),
            one.families.clone(),
            one.nodes.clone(),
        );
        match alike.entry((key, apart)) {
            indexmap::map::Entry::Occupied(mut own) => join(own.get_mut(), one),
            indexmap::map::Entry::Vacant(place) => {
                place.insert(one);
            }
        }
    }
    alike.into_values().collect()
}

fn join(own: &mut RuleChange, other: RuleChange) {
    fn more<T: PartialEq>(own: &mut Vec<T>, other: Vec<T>) {
        for one in other {
            if !own.contains(&one) {
                own.push(one);
            }
        }
    }
    more(&mut own.names, other.names);
    more(&mut own.families, other.families);
    more(&mut own.nodes, other.nodes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_part_of_what_a_rule_does() {
        let line = "-p tcp -m comment --comment \"Policy a/b ingress\" -m comment --comment word -j DROP";
        assert_eq!(without_comments(line), "-p tcp -j DROP");
        assert_eq!(without_comments("-j DROP"), "-j DROP");
    }
}
