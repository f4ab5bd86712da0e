//! A bit of the mark that is only a note from one rule to the next gives way to the condition itself.
//!
//! A rule of Calico that has a list becomes a block of rules that note in a bit whether the list holds,
//! and a rule that asks for the bit (`felix/rules/policy.go:246`, v3.32.1). Once the list is one match,
//! as `cidrs`, `ports` and `sets` can make it, the note says no more than that match. Where a bit is set
//! to a known value, then written by rules whose conditions can be joined, and read by one rule, after
//! which nobody looks at it, that rule asks for the conditions instead. It is sound because the fields of
//! a packet do not change on the way, and a condition on other bits is only moved over rules that do not
//! write these.
//!
//! ```text
//! -j MARK --set-xmark 0x0/0x180000
//! -m set --match-set cali40o:… src -j MARK --set-xmark 0x80000/0x80000
//! -p tcp -m mark --mark 0x80000/0x80000 -m multiport --dports 22 -j MARK --set-xmark 0x10000/0x10000
//! ```
//!
//! becomes
//!
//! ```text
//! -m set --match-set cali40o:… src -p tcp -m multiport --dports 22 -j MARK --set-xmark 0x10000/0x10000
//! ```

use super::{Lab, Pass};
use crate::ir::TableName;
use crate::ir::{Action, Match, Matcher, Program, Rule};
use crate::optimize::edit;
use crate::optimize::effect::is_open_match;
use crate::optimize::lab::FAMILIES;
use crate::optimize::liveness::{self, Known, live_after, live_bits, read_bits, written_bits};
use rustc_hash::FxHashMap;
use std::sync::Arc;

pub const PASS: Pass =
    Pass { name: "fold", about: "ask for a condition instead of a note of it", level: 1, run };

fn run(program: &Program, lab: &mut Lab<'_>) -> Program {
    let mut folded = FxHashMap::default();
    for family in FAMILIES {
        lab.look(program, family, |look| {
            let machine = &look.tables.machine;
            let end = live_bits(machine);
            for name in TableName::ALL {
                let table = machine.table(name);
                let back = live_after(table, name, end);
                for (number, compiled) in table.chains().iter().enumerate() {
                    let rules = &compiled.chain.rules;
                    let mut known = Known::default();
                    let back = back[number];
                    let mut live = |place| {
                        let next = liveness::from(table, number, place + 1, back, end, &mut known);
                        next | liveness::acted(table, (number, place), next, back, end, &mut known)
                    };
                    if let Some(rules) = fold(rules, &mut live) {
                        folded.insert((family, name, compiled.chain.name.clone()), rules);
                    }
                }
            }
        });
    }
    edit::chains(program, |at, chain| folded.remove(&(at.family, at.table, Arc::clone(&chain.name))))
}

/// One bit of one block less, if there is one. `live` tells the bits that are looked
/// at after the rule at a place, by packets that it applies to and by others.
fn fold(rules: &[Rule], live: &mut dyn FnMut(usize) -> u32) -> Option<Vec<Rule>> {
    rules.iter().enumerate().find_map(|(start, rule)| {
        let (value, mask) = known_bits(rule)?;
        let bits = (0..32).map(|bit| 1 << bit).filter(|bit| mask & bit != 0);
        bits.into_iter().find_map(|bit| {
            let note = note(rules, start, bit, value & bit != 0)?;
            (live(note.reader) & bit == 0).then(|| without(rules, &note))
        })
    })
}

/// The bits that a rule sets to known values for every packet.
fn known_bits(rule: &Rule) -> Option<(u32, u32)> {
    match rule.action {
        Some(Action::Mark { value, mask, .. }) if rule.matches.is_empty() && value & !mask == 0 => {
            Some((value, mask))
        }
        _ => None,
    }
}

/// A bit that carries a note.
struct Note {
    start: usize,
    bit: u32,
    writers: Vec<usize>,
    reader: usize,
    /// what the reader is to ask for instead
    condition: Vec<Match>,
}

fn note(rules: &[Rule], start: usize, bit: u32, initially: bool) -> Option<Note> {
    // the bit is `holds` and all of `condition`
    let (mut holds, mut condition) = (initially, Vec::new());
    let mut writers = Vec::new();
    for (place, rule) in rules.iter().enumerate().skip(start + 1) {
        if read_bits(rule) & bit != 0 {
            let asks = asks_for(rule, bit)?;
            let condition = match (asks, holds, &condition[..]) {
                (true, true, _) => condition,
                (false, false, _) => Vec::new(),
                (false, true, [only]) => vec![turned(only)?],
                _ => return None,
            };
            let joined = joined(&condition, rule, bit)?;
            return Some(Note { start, bit, writers, reader: place, condition: joined });
        }
        let written = written_bits(rule);
        if written & bit == 0 {
            let read: u32 = condition.iter().fold(0, |bits, one: &Match| bits | mark_mask(one));
            let goes = matches!(rule.action, Some(Action::Jump(_) | Action::Goto(_)));
            if goes || written & read != 0 {
                return None;
            }
            continue;
        }
        let Some(Action::Mark { value, mask, .. }) = rule.action else { return None };
        if mask != bit || value & !bit != 0 || rule.matches.iter().any(|one| is_open_match(&one.on)) {
            return None;
        }
        match (value == bit, holds, &rule.matches[..]) {
            (true, false, matches) if !matches.is_empty() => {
                holds = true;
                condition = matches.to_vec();
            }
            (false, true, [only]) => condition.push(turned(only)?),
            _ => return None,
        }
        writers.push(place);
    }
    None
}

/// Whether a rule asks for the bit, and for nothing else of the mark at once, to be set.
fn asks_for(rule: &Rule, bit: u32) -> Option<bool> {
    let mut own = rule.matches.iter().filter(|one| mark_mask(one) & bit != 0);
    let (Some(one), None) = (own.next(), own.next()) else { return None };
    match one.on {
        Matcher::Mark { value, mask, .. } if mask == bit => Some((value == bit) != one.negated),
        _ => None,
    }
}

fn mark_mask(one: &Match) -> u32 {
    match one.on {
        Matcher::Mark { mask, .. } => mask,
        _ => 0,
    }
}

/// The match turned round, where that means that it does not hold.
fn turned(one: &Match) -> Option<Match> {
    let plain = match &one.on {
        Matcher::Address(_, addresses) => addresses.len() == 1,
        Matcher::Set(..) | Matcher::Mark { .. } => true,
        // ports turned round still ask for a protocol with ports
        _ => false,
    };
    plain.then(|| Match { negated: !one.negated, on: one.on.clone() })
}

/// The matches of the reader with the condition instead of the bit; `None` if one rule cannot hold them.
fn joined(condition: &[Match], reader: &Rule, bit: u32) -> Option<Vec<Match>> {
    let rest = reader.matches.iter().filter(|one| mark_mask(one) & bit == 0);
    let mut joined: Vec<Match> = Vec::new();
    for one in condition.iter().chain(rest) {
        if joined.contains(one) {
            continue;
        }
        let collides = |own: &Match| match (&own.on, &one.on) {
            (Matcher::Address(a, _), Matcher::Address(b, _)) => a == b,
            (Matcher::Protocol(_), Matcher::Protocol(_))
            | (Matcher::InInterface(_), Matcher::InInterface(_))
            | (Matcher::OutInterface(_), Matcher::OutInterface(_))
            | (Matcher::Icmp(..), Matcher::Icmp(..))
            | (Matcher::Port(..), Matcher::Port(..)) => true,
            _ => false,
        };
        if joined.iter().any(collides) {
            return None;
        }
        joined.push(one.clone());
    }
    // a protocol's own matches come after it
    joined.sort_by_key(|one| !matches!(one.on, Matcher::Protocol(_)));
    Some(joined)
}

fn without(rules: &[Rule], note: &Note) -> Vec<Rule> {
    let mut left = Vec::with_capacity(rules.len());
    for (place, rule) in rules.iter().enumerate() {
        let mut rule = rule.clone();
        if place == note.start
            && let Some(Action::Mark { value, mask, .. }) = &mut rule.action
        {
            *value &= !note.bit;
            *mask &= !note.bit;
            if *mask == 0 {
                continue;
            }
        }
        if note.writers.contains(&place) {
            continue;
        }
        if place == note.reader {
            rule.matches.clone_from(&note.condition);
        }
        left.push(rule);
    }
    edit::keep_introduction(rules, &mut left);
    left
}
