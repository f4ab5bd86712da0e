//! Chains that say the same become one.
//!
//! Pods with the same policies have chains that differ in nothing but their names, and so have policies
//! with the same rules. Rules that go to one of several such chains go to the first. Names and comments do
//! not matter to a packet; chains with limits stay apart, because each limit counts for itself.
//!
//! ```text
//! -A cali-to-wl-dispatch -o cali1 -g cali-tw-cali1
//! -A cali-to-wl-dispatch -o cali2 -g cali-tw-cali2    becomes    -o cali2 -g cali-tw-cali1
//! ```

use super::{Lab, Pass};
use crate::ir::{Action, Family, Program, TableName};
use crate::optimize::edit;
use crate::optimize::lab::FAMILIES;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub const PASS: Pass =
    Pass { name: "share-chains", about: "use one chain where several are equal", level: 2, run };

type Instead = BTreeMap<(Family, TableName, Arc<str>), Arc<str>>;

fn run(program: &Program, lab: &mut Lab<'_>) -> Program {
    let mut instead = Instead::new();
    for family in FAMILIES {
        lab.look(program, family, |look| {
            for name in TableName::ALL {
                let table = look.tables.machine.table(name);
                let hooks = name.hooks().len();
                let mut first = HashMap::new();
                for (number, compiled) in table.chains().iter().enumerate().skip(hooks) {
                    let own = &compiled.chain.name;
                    let first = *first.entry(look.tables.version(name, number)).or_insert(own);
                    if first != own {
                        instead.insert((family, name, own.clone()), first.clone());
                    }
                }
            }
        });
    }
    edit::chains(program, |at, chain| {
        let mut rules = chain.rules.clone();
        let mut changed = false;
        for action in rules.iter_mut().filter_map(|rule| rule.action.as_mut()) {
            if let Action::Jump(target) | Action::Goto(target) = action
                && let Some(own) = instead.get(&(at.family, at.table, target.clone()))
            {
                *target = own.clone();
                changed = true;
            }
        }
        changed.then_some(rules)
    })
}
