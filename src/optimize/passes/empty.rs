//! Rules without an action go, and jumps to chains without rules.
//!
//! A packet that jumps to a chain without rules comes straight back; a rule without an action does
//! nothing. Neither changes anything. A rule whose matches count packets, as limits do, stays.
//!
//! ```text
//! -A cali-OUTPUT -j cali-fip-dnat      goes, where cali-fip-dnat has no rules
//! ```

use super::{Lab, Pass};
use crate::ir::Table;
use crate::ir::{Action, Chain, Program, Rule};
use crate::optimize::edit;
use crate::optimize::effect::is_open_match;
use std::collections::BTreeSet;
use std::sync::Arc;

pub const PASS: Pass =
    Pass { name: "empty", about: "remove jumps to empty chains, and rules that do nothing", level: 1, run };

fn run(program: &Program, _: &mut Lab<'_>) -> Program {
    edit::tables(program, |_, table| {
        let empty: BTreeSet<&str> =
            table.chains.iter().filter(|chain| chain.rules.is_empty()).map(|chain| &*chain.name).collect();
        let idle = |rule: &Rule| {
            let does_nothing = match &rule.action {
                None => true,
                Some(Action::Jump(target)) => empty.contains(&**target),
                _ => false,
            };
            does_nothing && !rule.matches.iter().any(|one| is_open_match(&one.on))
        };
        let left = |chain: &Arc<Chain>| match edit::retain(&chain.rules, |place| !idle(&chain.rules[place])) {
            Some(rules) => Arc::new(Chain { rules, ..(**chain).clone() }),
            None => chain.clone(),
        };
        Table { chains: table.chains.iter().map(left).collect(), ..table.clone() }
    })
}
