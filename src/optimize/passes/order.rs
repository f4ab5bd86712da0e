//! Rules whose order is free are ordered by what they cost.
//!
//! Two neighbours may change places if they do the same, or apply to no packet in common, and neither
//! changes what the other asks for. The cheaper one comes first, so that fewer packets pay for the dearer
//! one. What a rule costs is estimated from its matches ([`cost`]).
//!
//! ```text
//! -m set --match-set cali40s:A src -j ACCEPT                          -p tcp -m multiport --dports 22 -j ACCEPT
//! -p tcp -m multiport --dports 22 -j ACCEPT          becomes          -m set --match-set cali40s:A src -j ACCEPT
//! ```

use super::{Lab, Pass};
use crate::ir::{Matcher, Program, Rule, TableName};
use crate::optimize::edit;
use crate::optimize::effect::{Look, is_open};
use crate::optimize::lab::FAMILIES;
use crate::optimize::liveness::{read_bits, written_bits};
use rustc_hash::FxHashMap;
use std::sync::Arc;

pub const PASS: Pass = Pass { name: "order", about: "put cheap rules before dear ones", level: 2, run };

/// Places that a rule moves at most in one run.
const STEPS: usize = 32;

fn run(program: &Program, lab: &mut Lab<'_>) -> Program {
    let mut ordered = FxHashMap::default();
    for family in FAMILIES {
        lab.look(program, family, |look| {
            for name in TableName::ALL {
                let table = look.tables.machine.table(name);
                for (number, compiled) in table.chains().iter().enumerate() {
                    if let Some(rules) = sorted(look, name, number) {
                        ordered.insert((family, name, compiled.chain.name.clone()), rules);
                    }
                }
            }
        });
    }
    edit::chains(program, |at, chain| ordered.remove(&(at.family, at.table, Arc::clone(&chain.name))))
}

fn sorted(look: &mut Look<'_, '_, '_>, name: TableName, chain: usize) -> Option<Vec<Rule>> {
    let rules = &look.tables.machine.table(name).chain(chain).chain.rules;
    let costs: Vec<u32> = rules.iter().map(cost).collect();
    let mut order: Vec<usize> = (0..rules.len()).collect();
    for start in 1..order.len() {
        for at in (start.saturating_sub(STEPS) + 1..=start).rev() {
            let (before, own) = (order[at - 1], order[at]);
            if costs[own] >= costs[before] || !may_swap(look, (name, chain), before, own) {
                break;
            }
            order.swap(at - 1, at);
        }
    }
    let moved = order.iter().enumerate().any(|(at, place)| at != *place);
    moved.then(|| order.iter().map(|place| rules[*place].clone()).collect())
}

fn may_swap(
    look: &mut Look<'_, '_, '_>,
    (name, chain): (TableName, usize),
    one: usize,
    other: usize,
) -> bool {
    let rules = &look.tables.machine.table(name).chain(chain).chain.rules;
    let (a, b) = (&rules[one], &rules[other]);
    let (asked_a, asked_b) = (look.asked((name, chain, one)), look.asked((name, chain, other)));
    if is_open(&asked_a) || is_open(&asked_b) {
        return false;
    }
    if written_bits(a) & read_bits(b) != 0 || written_bits(b) & read_bits(a) != 0 {
        return false;
    }
    let same = a.action == b.action && a.action.as_ref().is_some_and(edit::is_idempotent);
    same || look.judge.space.intersection(asked_a.set, asked_b.set).is_empty()
}

/// What it costs to look at a rule that does not apply, in nanoseconds as they were measured for one
/// match of each kind (datagrams through OUTPUT, Linux 6.18). Only their order matters.
fn cost(rule: &Rule) -> u32 {
    let matches = rule.matches.iter().map(|one| match one.on {
        // compared for every rule, asked for or not
        Matcher::Protocol(_) | Matcher::Address(..) | Matcher::InInterface(_) | Matcher::OutInterface(_) => 0,
        Matcher::Port(..) | Matcher::TcpSyn | Matcher::Icmp(..) => 10,
        Matcher::Ports(_, ref ports) => 15 + ports.len() as u32,
        Matcher::Mark { .. } | Matcher::ConnectionMark { .. } => 30,
        Matcher::Conntrack(_) => 50,
        Matcher::Limit { .. } | Matcher::Random(_) => 50,
        Matcher::LocalAddress { .. } => 170,
        Matcher::Set(..) => 240,
        Matcher::ConnectionsAbove(_)
        | Matcher::OtherLimit { .. }
        | Matcher::ReversePathFails
        | Matcher::Other(_) => 300,
    });
    5 + matches.sum::<u32>()
}
