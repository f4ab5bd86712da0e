//! Changing the chains of a program.

use crate::ir::{
    Action, Address, Chain, Family, Match, Matcher, Program, Rule, RuleSet, Side, Table, TableName,
};
use ipnet::IpNet;
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// Where a chain is.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// the family
    pub family: Family,
    /// the table
    pub table: TableName,
}

/// A program with the chains for which `rules` gives other rules; hooks' chains are not asked about.
pub fn chains(program: &Program, mut rules: impl FnMut(At, &Chain) -> Option<Vec<Rule>>) -> Program {
    tables(program, |family, table| {
        let at = At { family, table: table.name };
        let own = table.chains.iter().map(|chain| with_rules(chain, rules(at, chain))).collect();
        Table { chains: own, ..table.clone() }
    })
}

/// A program with other tables.
pub fn tables(program: &Program, mut edit: impl FnMut(Family, &Table) -> Table) -> Program {
    let mut family = |rules: &RuleSet| RuleSet {
        family: rules.family,
        tables: rules.tables.iter().map(|table| edit(rules.family, table)).collect(),
    };
    Program { v4: family(&program.v4), v6: family(&program.v6), sets: program.sets.clone() }
}

fn with_rules(chain: &Arc<Chain>, rules: Option<Vec<Rule>>) -> Arc<Chain> {
    match rules {
        Some(rules) => Arc::new(Chain { rules, ..(**chain).clone() }),
        None => chain.clone(),
    }
}

/// Whether it makes no difference if an action happens to a packet once or several times in a row.
pub fn is_idempotent(action: &Action) -> bool {
    match action {
        Action::Accept | Action::Drop | Action::Reject(_) | Action::Return | Action::NoTrack => true,
        Action::Mark { value, mask, .. } => value & !mask == 0,
        _ => false,
    }
}

/// Rules in a row that differ in one thing only, as they were, and what that thing is in each.
struct Run<T> {
    /// place of the first
    first: usize,
    /// one for each rule
    things: Vec<T>,
}

/// The rules of a chain in runs: `split` takes a rule apart into the thing, if it has one, and the
/// matches that are left. Runs of one rule are among them.
fn runs<T>(rules: &[Rule], split: impl Fn(&Rule) -> Option<(T, Vec<&Match>)>) -> Vec<Run<T>> {
    let mut found: Vec<Run<T>> = Vec::new();
    let mut open: Option<(Vec<&Match>, &Rule)> = None;
    for (place, rule) in rules.iter().enumerate() {
        let fit = rule.action.as_ref().is_some_and(is_idempotent);
        let Some((thing, rest)) = split(rule).filter(|_| fit) else {
            open = None;
            continue;
        };
        match (&open, found.last_mut()) {
            (Some((own, first)), Some(run)) if *own == rest && first.action == rule.action => {
                run.things.push(thing);
            }
            _ => {
                found.push(Run { first: place, things: vec![thing] });
                open = Some((rest, rule));
            }
        }
    }
    found
}

/// The rules with shorter runs, if any is: of the sources first, then of the destinations. `split` takes a
/// rule apart on a side, as for [`runs`]; `shorter` gives the rules to put in place of a run.
pub fn with_shorter_runs<T>(
    rules: &[Rule],
    split: impl Fn(&Rule, Side) -> Option<(T, Vec<&Match>)>,
    mut shorter: impl FnMut(Side, &[Rule], &[T]) -> Option<Vec<Rule>>,
) -> Option<Vec<Rule>> {
    let mut now = rules.to_vec();
    for side in [Side::Source, Side::Destination] {
        let mut next = Vec::with_capacity(now.len());
        let mut copied = 0;
        for run in runs(&now, |rule| split(rule, side)) {
            let own = &now[run.first..run.first + run.things.len()];
            if let Some(instead) = shorter(side, own, &run.things) {
                next.extend_from_slice(&now[copied..run.first]);
                next.extend(instead);
                copied = run.first + own.len();
            }
        }
        next.extend_from_slice(&now[copied..]);
        now = next;
    }
    (now != rules).then_some(now)
}

/// A rule's networks on one side, and its other matches. Negated networks stay among these.
pub fn split_address(rule: &Rule, side: Side) -> Option<(IpNet, Vec<&Match>)> {
    let is_it = |one: &Match| matches!(&one.on, Matcher::Address(on, _) if *on == side) && !one.negated;
    let mut own = rule.matches.iter().filter(|one| is_it(one));
    let Matcher::Address(_, addresses) = &own.next()?.on else { return None };
    let (None, [address]) = (own.next(), &addresses[..]) else { return None };
    Some((address.net(), rule.matches.iter().filter(|one| !is_it(one)).collect()))
}

/// The rule with another network on a side; `None` takes the match away.
pub fn with_net(rule: &Rule, side: Side, net: Option<IpNet>) -> Rule {
    let mut rule = rule.clone();
    let place = rule
        .matches
        .iter()
        .position(|one| matches!(&one.on, Matcher::Address(on, _) if *on == side) && !one.negated);
    let Some(place) = place else { return rule };
    match net {
        Some(net) => rule.matches[place] = Match::is(Matcher::Address(side, vec![Address::Net(net)])),
        None => {
            rule.matches.remove(place);
        }
    }
    rule
}

/// The comment at the first rule of a chain says what the chain is for: where that rule has gone, the
/// comment stays at the one that is first now.
pub fn keep_introduction(before: &[Rule], after: &mut [Rule]) {
    if let (Some(first), Some(now)) = (before.first(), after.first_mut())
        && now.comments.is_empty()
    {
        now.comments.clone_from(&first.comments);
    }
}

/// Rules of a program: family, table, chain and place.
pub type Places = FxHashSet<(Family, TableName, Arc<str>, usize)>;

/// A program without some rules; those of hooks stay.
pub fn without(program: &Program, gone: &Places) -> Program {
    chains(program, |at, chain| {
        let name = &chain.name;
        retain(&chain.rules, |place| !gone.contains(&(at.family, at.table, Arc::clone(name), place)))
    })
}

/// The rules at the places to keep, if not all of them are.
pub fn retain(rules: &[Rule], keep: impl Fn(usize) -> bool) -> Option<Vec<Rule>> {
    let mut left: Vec<Rule> =
        rules.iter().enumerate().filter(|(place, _)| keep(*place)).map(|(_, rule)| rule.clone()).collect();
    if left.len() == rules.len() {
        return None;
    }
    keep_introduction(rules, &mut left);
    Some(left)
}
