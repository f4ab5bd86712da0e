//! The chains for which a pass was wrong.

use super::lab::Lab;
use super::proof::{Different, Witness};
use crate::ir::{Chain, Family, Program, RuleSet, Table, TableName};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A pass that was not applied, because it would have changed what becomes of packets: a bug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// the pass
    pub pass: &'static str,
    /// the chain, as family, table and name; `None`: the pass as a whole
    pub chain: Option<(Family, TableName, Arc<str>)>,
    /// a packet that shows it; `None` if there were too many marks to compare
    pub witness: Option<Witness>,
}

type Changed = BTreeSet<(usize, usize, usize)>;

/// Applies a pass only to chains for which it is right. `different`: how the program after it is.
pub fn blame(
    lab: &mut Lab<'_>,
    pass: &'static str,
    before: &Program,
    after: &Program,
    different: Different,
) -> (Program, Vec<Fault>) {
    let Some(changed) = changed(before, after) else {
        return (before.clone(), vec![Fault { pass, chain: None, witness: witness(different) }]);
    };
    let mut good = Changed::new();
    let mut faults = Vec::new();
    let mut open: Vec<(Vec<_>, Different)> = vec![(changed.into_iter().collect(), different)];
    while let Some((part, different)) = open.pop() {
        if let [only] = part[..] {
            faults.push(Fault { pass, chain: Some(name(before, only)), witness: witness(different) });
            continue;
        }
        for half in part.chunks(part.len().div_ceil(2)) {
            let mut with = good.clone();
            with.extend(half);
            match lab.compare(before, &mixed(before, after, &with)) {
                Ok(_) => good = with,
                Err(different) => open.push((half.to_vec(), different)),
            }
        }
    }
    (mixed(before, after, &good), faults)
}

fn witness(different: Different) -> Option<Witness> {
    match different {
        Different::Packet(witness) => Some(*witness),
        Different::TooManyMarks => None,
    }
}

/// The chains that differ; `None` if there are others than before.
fn changed(before: &Program, after: &Program) -> Option<Changed> {
    let mut changed = Changed::new();
    for (family, (own, other)) in [(&before.v4, &after.v4), (&before.v6, &after.v6)].into_iter().enumerate() {
        for (at, (own, other)) in own.tables.iter().zip(&other.tables).enumerate() {
            if own.chains.len() != other.chains.len() {
                return None;
            }
            let pairs = chains(own).zip(chains(other)).enumerate();
            changed.extend(pairs.filter(|(_, (a, b))| a != b).map(|(chain, _)| (family, at, chain)));
        }
    }
    Some(changed)
}

fn chains(table: &Table) -> impl Iterator<Item = &Arc<Chain>> {
    table.hooks.iter().chain(&table.chains)
}

fn name(program: &Program, (family, table, chain): (usize, usize, usize)) -> (Family, TableName, Arc<str>) {
    let rules = [&program.v4, &program.v6][family];
    let table = &rules.tables[table];
    let name = chains(table).nth(chain).map_or_else(|| Arc::from(""), |chain| chain.name.clone());
    (rules.family, table.name, name)
}

/// The program before, with some chains as they are after; sets as after, which has all that are needed.
fn mixed(before: &Program, after: &Program, which: &Changed) -> Program {
    let family = |number: usize, own: &RuleSet, other: &RuleSet| RuleSet {
        family: own.family,
        tables: own
            .tables
            .iter()
            .zip(&other.tables)
            .enumerate()
            .map(|(at, (own, other))| {
                let hooks = own.hooks.len();
                let pick = |(place, (a, b)): (usize, (&Arc<Chain>, &Arc<Chain>))| {
                    if which.contains(&(number, at, place)) { b.clone() } else { a.clone() }
                };
                let mut all: Vec<Arc<Chain>> = chains(own).zip(chains(other)).enumerate().map(pick).collect();
                let chains = all.split_off(hooks);
                Table { name: own.name, hooks: all, chains }
            })
            .collect(),
    };
    let mut sets = after.sets.clone();
    let more = before.sets.iter().filter(|set| !after.sets.iter().any(|own| own.name == set.name));
    sets.extend(more.cloned().collect::<Vec<_>>());
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    Program { v4: family(0, &before.v4, &after.v4), v6: family(1, &before.v6, &after.v6), sets }
}
