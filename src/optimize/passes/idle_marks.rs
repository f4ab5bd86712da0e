//! Writes to the mark that change nothing, or nothing that anybody looks at, go.
//!
//! Felix clears bits that are clear already: at the start of each tier, for one. All packets that meet a
//! rule are known with their marks (see `unreachable`); if a write leaves every one of these marks as it
//! was, or changes only bits that no rule reads before they are written again, it has no effect. Only
//! bits that are for Felix's rules alone count as unread.
//!
//! ```text
//! -j MARK --set-xmark 0x0/0x30000
//! -j MARK --set-xmark 0x0/0x20000      goes
//! ```

use super::{Lab, Pass};
use crate::ir::{Action, Program, TableName};
use crate::optimize::edit::{self, Places};
use crate::optimize::lab::FAMILIES;
use crate::optimize::liveness::{self, Known, live_after, live_bits};

pub const PASS: Pass =
    Pass { name: "idle-marks", about: "remove writes to the mark that change nothing", level: 1, run };

fn run(program: &Program, lab: &mut Lab<'_>) -> Program {
    let (mut same, mut unread) = (Places::default(), Places::default());
    let private = lab.private;
    for family in FAMILIES {
        let Some(hits) = lab.hits(program, family) else { continue };
        lab.look(program, family, |look| {
            let machine = &look.tables.machine;
            let end = live_bits(machine);
            for name in TableName::ALL {
                let table = machine.table(name);
                let back = live_after(table, name, end);
                for (number, compiled) in table.chains().iter().enumerate() {
                    let mut known = Known::default();
                    for (place, rule) in compiled.chain.rules.iter().enumerate() {
                        let Some(Action::Mark { value, mask, .. }) = rule.action else { continue };
                        let Some(met) = hits.get(&(name, number, place)) else { continue };
                        let live = liveness::from(table, number, place + 1, back[number], end, &mut known);
                        let changed = met.keys().fold(0, |bits, own| bits | (own ^ ((own & !mask) ^ value)));
                        let at = (family, name, compiled.chain.name.clone(), place);
                        if changed == 0 {
                            same.insert(at);
                        } else if (mask | value) & !(private & !live) == 0 {
                            unread.insert(at);
                        }
                    }
                }
            }
        });
    }
    // of two writes of one value, the second changes nothing, and the first is not read before the second:
    // not both at once
    let idle = if same.is_empty() { unread } else { same };
    edit::without(program, &idle)
}
