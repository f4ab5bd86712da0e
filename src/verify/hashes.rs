//! Whether a chain is as Felix wrote it, from its own text.

use super::spelling;
use super::tables::lines;
use crate::emit::save;
use crate::felix::hash::Hash;
use crate::ir::{Action, Chain, Family, Matcher, Rule};
use std::collections::HashMap;

/// Spellings that are tried in one run at most. A dump with so much that is foreign is named as
/// different all the same; only why is not.
const MOST_ATTEMPTS: usize = 5_000_000;

/// What a chain's own hashes tell; rules count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// every rule has the hash of its text and of all before it
    Intact,
    /// this rule does not
    Changed(usize),
    /// this rule has no hash
    WithoutHash(usize),
    /// too much would have to be tried, or the kernel has cut a text
    Unsure,
}

/// What has been tried so far.
#[derive(Debug, Default)]
pub(super) struct Effort {
    attempts: usize,
}

/// Looks at every rule of a chain. Where the chain that should be there is known, so is the spelling of
/// rules that are the same.
pub(super) fn check(chain: &Chain, wanted: Option<&Chain>, family: Family, effort: &mut Effort) -> Verdict {
    let mut known: HashMap<&str, &Rule> = HashMap::new();
    for rule in wanted.into_iter().flat_map(|wanted| &wanted.rules) {
        known.extend(rule.hash.as_deref().map(|hash| (hash, rule)));
    }
    let mut hash = Hash::of_chain(&chain.name);
    let mut text = String::new();
    let mut number = 0;
    while let Some(first) = chain.rules.get(number) {
        let Some(shown) = first.hash.as_deref() else { return Verdict::WithoutHash(number + 1) };
        let count = of_one_rule(&chain.rules[number..]);
        let rules = &chain.rules[number..number + count];
        let joined;
        let own = match count {
            1 => first,
            _ => {
                joined = join(rules);
                &joined
            }
        };
        let same = known.get(shown).filter(|wanted| same_text(wanted, rules, family));
        let mut next = None;
        let mut fits = |rule: &Rule| {
            effort.attempts += 1;
            let longer = hash.and(&chain.name, rule, family, &mut text);
            let found = *longer.shown() == *shown;
            if found {
                next = Some(longer);
            }
            found || effort.attempts > MOST_ATTEMPTS
        };
        if !same.is_some_and(|wanted| fits(wanted)) {
            spelling::each(own, family, fits);
        }
        match next {
            Some(longer) => hash = longer,
            None if effort.attempts > MOST_ATTEMPTS || is_cut(first) => return Verdict::Unsure,
            None => return Verdict::Changed(number + 1),
        }
        number += count;
    }
    Verdict::Intact
}

/// The kernel may have kept a part of its log prefix only.
fn is_cut(rule: &Rule) -> bool {
    match &rule.action {
        Some(Action::Log { prefix }) => prefix.len() + ": ".len() >= save::LOG_PREFIX,
        Some(Action::NfLog { prefix, .. }) => prefix.len() >= save::NFLOG_PREFIX,
        Some(Action::Neutral(text)) => text.starts_with("LOG "),
        _ => false,
    }
}

fn same_text(wanted: &Rule, found: &[Rule], family: Family) -> bool {
    let lines = |rules| lines(rules, family).into_iter().map(|line| line.text).collect::<Vec<_>>();
    save::expansions(wanted) == found.len() && lines(std::slice::from_ref(wanted)) == lines(found)
}

/// How many of the rules at the beginning are one rule with a list of addresses: they have one hash.
fn of_one_rule(rules: &[Rule]) -> usize {
    rules.iter().take_while(|rule| rule.hash == rules[0].hash).count()
}

/// One rule with all addresses.
fn join(rules: &[Rule]) -> Rule {
    let mut joined = rules[0].clone();
    for one in &mut joined.matches {
        if let Matcher::Address(side, list) = &mut one.on {
            let others = rules[1..].iter().filter_map(|rule| {
                rule.matches.iter().find_map(|other| match &other.on {
                    Matcher::Address(on, other) if on == side => Some(other),
                    _ => None,
                })
            });
            list.extend(others.flatten().copied());
        }
    }
    joined
}
