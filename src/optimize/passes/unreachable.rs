//! Rules that no packet reaches, or that apply to none that does, go.
//!
//! All packets that may come to a hook, with all marks that any hook leaves, are followed down from the
//! hooks as sets. A rule that applies to none of them has no effect. It is sound on any node: what rules
//! ask of the node's addresses and routes is left open, and so is whether a limit is reached.
//!
//! ```text
//! -s 10.0.0.0/8 -j DROP
//! -s 10.1.0.0/16 -j ACCEPT      goes
//! ```

use super::{Lab, Pass};
use crate::ir::Program;
use crate::optimize::edit::{self, Places};
use crate::optimize::lab::FAMILIES;
use std::sync::Arc;

pub const PASS: Pass = Pass {
    name: "unreachable",
    about: "remove rules that apply to no packet that reaches them",
    level: 1,
    run,
};

fn run(program: &Program, lab: &mut Lab<'_>) -> Program {
    let mut gone = Places::default();
    for family in FAMILIES {
        let Some(hits) = lab.hits(program, family) else { continue };
        lab.look(program, family, |look| {
            for name in crate::ir::TableName::ALL {
                for (number, compiled) in look.tables.machine.table(name).chains().iter().enumerate() {
                    let places = 0..compiled.rules.len();
                    let unmet = places.filter(|place| !hits.contains_key(&(name, number, *place)));
                    let chain = &compiled.chain.name;
                    gone.extend(unmet.map(|place| (family, name, Arc::clone(chain), place)));
                }
            }
        });
    }
    edit::without(program, &gone)
}
