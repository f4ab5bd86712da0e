//! The rules of a family.
//!
//! A dump does not always say of which family it is. What does: the program's name in a comment, as
//! `iptables-save` begins; else the first rule that is possible in one family only; else IPv4 comes
//! first and IPv6 after it.

use super::fault::SYNTAX;
use super::{Dump, Entry};
use crate::diagnostic::{Diagnostic, FileId, Location};
use crate::ir::{Action, Address, Chain, ChainPolicy, Family, Matcher, Rule, RuleSet, Table, TableName};
use std::collections::HashMap;
use std::sync::Arc;

/// Deepest nesting of chains that is taken. The kernel itself has a stack for every chain; walks through
/// rules call themselves.
const DEEPEST: usize = 1000;

impl Dump<'_> {
    /// The rules as data, one set for each family in the order of the dump; two of the same family where
    /// the dump has a table twice. Tables that Calico does not know are left out.
    ///
    /// # Errors
    ///
    /// Chains that call each other in a circle, or more than 1000 deep.
    pub fn rule_sets(&self) -> Result<Vec<RuleSet>, Diagnostic> {
        self.rule_sets_from(Family::V4)
    }

    /// The same, where a dump that does not say of which family it is begins with `first`.
    ///
    /// # Errors
    ///
    /// Those of [`Dump::rule_sets`].
    pub fn rule_sets_from(&self, first: Family) -> Result<Vec<RuleSet>, Diagnostic> {
        let mut sections: Vec<Section> = vec![Section::default()];
        let mut now = 0;
        for (line, number) in self.lines.iter().zip(1u32..) {
            match &line.what {
                Entry::Comment => {
                    let said = family_of_comment(line.text);
                    if said.is_some() && said != sections[now].said {
                        now = open(&mut sections);
                        sections[now].said = said;
                    }
                }
                Entry::Table(name) => {
                    if sections[now].tables.iter().any(|table| table.name == *name) {
                        let said = sections[now].said;
                        now = open(&mut sections);
                        sections[now].said = said;
                    }
                    sections[now].tables.push(Draft::new(name, number));
                }
                Entry::Chain { name, policy, .. } => {
                    if let Some(table) = sections[now].tables.last_mut() {
                        table.chain(name).1 = policy.unwrap_or_default();
                    }
                }
                Entry::Rule { chain, rule, .. } => {
                    let section = &mut sections[now];
                    section.family = section.family.or_else(|| family_of_rule(line.text, rule));
                    if let Some(table) = section.tables.last_mut() {
                        table.chain(chain).2.push((**rule).clone());
                    }
                }
                Entry::Blank | Entry::Commit => {}
            }
        }
        let mut sets: Vec<RuleSet> = Vec::new();
        for section in sections.into_iter().filter(|section| !section.tables.is_empty()) {
            let turn = match sets.last() {
                Some(RuleSet { family: Family::V4, .. }) => Family::V6,
                Some(_) => Family::V4,
                None => first,
            };
            let family = section.said.or(section.family).unwrap_or(turn);
            sets.push(section.rules(family, self.file)?);
        }
        Ok(sets)
    }
}

/// A section without tables: the last one, if it is still empty, else a new one.
fn open(sections: &mut Vec<Section<'_>>) -> usize {
    if sections.last().is_none_or(|last| !last.tables.is_empty()) {
        sections.push(Section::default());
    }
    sections.len() - 1
}

/// Tables of one family in the making.
#[derive(Default)]
struct Section<'t> {
    /// what a comment says
    said: Option<Family>,
    /// what a rule tells
    family: Option<Family>,
    tables: Vec<Draft<'t>>,
}

/// A table in the making.
struct Draft<'t> {
    name: &'t str,
    /// 1-based line of the table
    line: u32,
    places: HashMap<&'t str, usize>,
    chains: Vec<(&'t str, ChainPolicy, Vec<Rule>)>,
}

impl<'t> Draft<'t> {
    fn new(name: &'t str, line: u32) -> Self {
        Draft { name, line, places: HashMap::new(), chains: Vec::new() }
    }

    fn chain(&mut self, name: &'t str) -> &mut (&'t str, ChainPolicy, Vec<Rule>) {
        let place = *self.places.entry(name).or_insert_with(|| {
            self.chains.push((name, ChainPolicy::Accept, Vec::new()));
            self.chains.len() - 1
        });
        &mut self.chains[place]
    }
}

impl Section<'_> {
    fn rules(self, family: Family, file: FileId) -> Result<RuleSet, Diagnostic> {
        let mut tables = Vec::new();
        for draft in self.tables {
            let Some(name) = TableName::ALL.into_iter().find(|own| own.name() == draft.name) else {
                continue;
            };
            let mut hooks: Vec<Arc<Chain>> =
                name.hooks().iter().map(|hook| Arc::new(Chain::new(*hook, Vec::new()))).collect();
            let mut chains = Vec::new();
            for (chain, policy, rules) in draft.chains {
                let place = name.hooks().iter().position(|hook| *hook == chain);
                let chain = Arc::new(Chain { name: chain.into(), policy, rules });
                match place {
                    Some(place) => hooks[place] = chain,
                    None => chains.push(chain),
                }
            }
            chains.sort_by(|a, b| a.name.cmp(&b.name));
            let table = Table { name, hooks, chains };
            if let Some(message) = too_deep(&table) {
                let at = Location { file, line: draft.line, column: 1 };
                return Err(Diagnostic::error(SYNTAX, at, message)
                    .help("no kernel would have such chains; give the dump unchanged"));
            }
            tables.push(table);
        }
        tables.sort_by_key(|table| table.name);
        Ok(RuleSet { family, tables })
    }
}

/// Why the chains of a table cannot be walked, if they cannot: takes away chains that lead nowhere, again
/// and again; what is left goes in circles.
fn too_deep(table: &Table) -> Option<String> {
    let all: Vec<&Arc<Chain>> = table.hooks.iter().chain(&table.chains).collect();
    let numbers: HashMap<&str, usize> = all.iter().zip(0..).map(|(chain, at)| (&*chain.name, at)).collect();
    let mut callers: Vec<Vec<usize>> = vec![Vec::new(); all.len()];
    let mut open = vec![0usize; all.len()];
    let mut depth = vec![1usize; all.len()];
    for (at, chain) in all.iter().enumerate() {
        let targets = chain.rules.iter().filter_map(|rule| rule.action.as_ref()?.target());
        for target in targets.filter_map(|name| numbers.get(&**name)) {
            callers[*target].push(at);
            open[at] += 1;
        }
    }
    let mut ready: Vec<usize> = (0..all.len()).filter(|at| open[*at] == 0).collect();
    let mut done = 0;
    while let Some(at) = ready.pop() {
        done += 1;
        if depth[at] > DEEPEST {
            let (table, chain) = (table.name.name(), &all[at].name);
            return Some(format!(
                "chains of the table `{table}` call each other more than {DEEPEST} deep, from `{chain}` on"
            ));
        }
        for caller in &callers[at] {
            depth[*caller] = depth[*caller].max(depth[at] + 1);
            open[*caller] -= 1;
            if open[*caller] == 0 {
                ready.push(*caller);
            }
        }
    }
    let left = (0..all.len()).find(|at| done < all.len() && open[*at] > 0)?;
    Some(format!(
        "chains of the table `{}` call each other in a circle, and `{}` leads there",
        table.name.name(),
        all[left].name
    ))
}

/// `# Generated by ip6tables-save v1.8.9 …`, and the headings of `compile`.
fn family_of_comment(text: &str) -> Option<Family> {
    let named =
        text.contains("Generated by ") || text.trim_start_matches('#').split_whitespace().count() == 1;
    match named {
        true if text.contains("ip6tables") => Some(Family::V6),
        true if text.contains("iptables") => Some(Family::V4),
        _ => None,
    }
}

fn family_of_rule(text: &str, rule: &Rule) -> Option<Family> {
    let family = |v4: bool| if v4 { Family::V4 } else { Family::V6 };
    let of_match = rule.matches.iter().find_map(|one| match &one.on {
        Matcher::Address(_, list) => list.first().map(|address| match address {
            Address::Net(net) => family(net.addr().is_ipv4()),
            Address::Host(host) => family(host.is_ipv4()),
        }),
        Matcher::Set(name, _) if name.starts_with("cali40") => Some(Family::V4),
        Matcher::Set(name, _) if name.starts_with("cali60") => Some(Family::V6),
        Matcher::Protocol(protocol) => match protocol.number() {
            Some(1) => Some(Family::V4),
            Some(58) => Some(Family::V6),
            _ => None,
        },
        _ => None,
    });
    of_match.or_else(|| match &rule.action {
        Some(Action::Dnat(to) | Action::Snat(to)) => to.addresses.map(|(first, _)| family(first.is_ipv4())),
        Some(Action::NetMap(net)) => Some(family(net.addr().is_ipv4())),
        Some(Action::Reject(_)) if text.contains("--reject-with icmp6-") => Some(Family::V6),
        Some(Action::Reject(_)) if text.contains("--reject-with icmp-") => Some(Family::V4),
        _ => None,
    })
}
