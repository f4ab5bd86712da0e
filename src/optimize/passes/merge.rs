//! A rule goes whose packets meet the same verdict at a later rule anyway.
//!
//! Rule A does the same as a later rule B, and B applies to every packet that A applies to. If the rules
//! between them apply to none of A's packets, or do the same as well, then A adds nothing. The end of a
//! chain is like a rule that returns. Rules whose matches may hold or not take no part.
//!
//! ```text
//! -m mark --mark 0x0/0x20000 -j DROP      goes
//! -j DROP
//! ```

use super::{Lab, Pass};
use crate::ir::{Action, Program, TableName};
use crate::kernel::symbolic::{Asked, AskedMark};
use crate::optimize::edit::{self, Places};
use crate::optimize::effect::{Look, is_open};
use crate::optimize::lab::FAMILIES;
use crate::optimize::liveness::{read_bits, written_bits};

pub const PASS: Pass = Pass {
    name: "merge",
    about: "remove rules whose packets meet the same verdict later anyway",
    level: 1,
    run,
};

/// Rules that are looked at after a rule, at most.
const AHEAD: usize = 64;

fn run(program: &Program, lab: &mut Lab<'_>) -> Program {
    let mut gone = Places::default();
    for family in FAMILIES {
        lab.look(program, family, |look| {
            for name in TableName::ALL {
                let table = look.tables.machine.table(name);
                for (number, compiled) in table.chains().iter().enumerate() {
                    for place in 0..compiled.rules.len() {
                        if is_repeated(look, name, number, place) {
                            gone.insert((family, name, compiled.chain.name.clone(), place));
                        }
                    }
                }
            }
        });
    }
    edit::without(program, &gone)
}

/// Whether the packets of a rule meet the same later. Several such rules may go at once: what one relies
/// on does the same as it, and is itself followed by the same.
fn is_repeated(look: &mut Look<'_, '_, '_>, name: TableName, chain: usize, place: usize) -> bool {
    let rules = &look.tables.machine.table(name).chain(chain).chain.rules;
    let rule = &rules[place];
    let Some(action) = rule.action.as_ref().filter(|action| edit::is_idempotent(action)) else {
        return false;
    };
    let own = look.asked((name, chain, place));
    if is_open(&own) {
        return false;
    }
    for (later, next) in rules.iter().enumerate().skip(place + 1).take(AHEAD) {
        let asked = look.asked((name, chain, later));
        if excludes(&own, &asked) && written_bits(rule) & read_bits(next) == 0 {
            continue;
        }
        if look.judge.space.intersection(own.set, asked.set).is_empty() {
            continue;
        }
        if is_open(&asked) || next.action.as_ref() != Some(action) {
            return false;
        }
        if written_bits(rule) & read_bits(next) != 0 {
            return false;
        }
        let marks = asked.marks.iter().all(|one| own.marks.contains(one));
        if marks && look.judge.space.is_subset(own.set, asked.set) {
            return true;
        }
    }
    *action == Action::Return && rules.len() <= place + 1 + AHEAD
}

/// Whether no mark is asked for by both.
fn excludes(one: &Asked, other: &Asked) -> bool {
    // marks of connections are open, and exclude nothing
    let of_packet = || other.marks.iter().filter(|there| !there.of_connection);
    one.marks.iter().any(|AskedMark { value, mask, negated, .. }| {
        of_packet().any(|there| {
            let AskedMark { value: value_there, mask: mask_there, negated: negated_there, .. } = there;
            let common = mask & mask_there;
            match (negated, negated_there) {
                (false, false) => value & common != value_there & common,
                // one asks for a value, the other for anything but this value
                (false, true) => mask & mask_there == *mask_there && value & mask_there == *value_there,
                (true, false) => mask & mask_there == *mask && value_there & mask == *value,
                (true, true) => false,
            }
        })
    })
}
