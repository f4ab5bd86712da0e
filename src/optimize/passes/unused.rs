//! Chains that no rule goes to, and sets that no rule looks up, go.
//!
//! Packets enter a table at its hooks only. What cannot be reached from there by any jump has no effect.
//!
//! ```text
//! :cali-failsafe-in - [0:0]      goes, where no rule jumps to it
//! ```

use super::Pass;
use crate::ir::{Chain, Matcher, Program, Table};
use crate::optimize::edit;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

pub const PASS: Pass = Pass {
    name: "unused",
    about: "remove chains and sets that no rule refers to",
    level: 1,
    run: |program, _| swept(program),
};

pub fn swept(program: &Program) -> Program {
    let mut looked_up: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut after = edit::tables(program, |_, table| {
        let by_name: HashMap<&str, &Arc<Chain>> =
            table.chains.iter().map(|chain| (&*chain.name, chain)).collect();
        let mut used: BTreeSet<&str> = BTreeSet::new();
        let mut fresh: Vec<&Arc<Chain>> = table.hooks.iter().collect();
        while let Some(chain) = fresh.pop() {
            for rule in &chain.rules {
                let target = rule.action.as_ref().and_then(|action| by_name.get(&**action.target()?));
                fresh.extend(target.filter(|chain| used.insert(&chain.name)));
                looked_up.extend(rule.matches.iter().filter_map(|one| match &one.on {
                    Matcher::Set(name, _) => Some(name.clone()),
                    _ => None,
                }));
            }
        }
        let chains = table.chains.iter().filter(|chain| used.contains(&*chain.name)).cloned().collect();
        Table { chains, ..table.clone() }
    });
    after.sets.retain(|set| looked_up.contains(&set.name));
    after
}
