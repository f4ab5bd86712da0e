//! A chain that every packet of another goes on to becomes part of it.
//!
//! A rule without matches that jumps to a chain, which no other rule goes to, costs each packet a rule
//! and a way back. The chain's rules take the rule's place. Where they return, or go to a chain that
//! returns, a packet would then leave the outer chain as well, so that is done only where nothing
//! follows there. A rule that goes without coming back ends its chain, so what follows it is never met.
//!
//! ```text
//! -A INPUT -j cali-INPUT
//! -A cali-INPUT -i cali+ -g cali-wl-to-host      becomes      -A INPUT -i cali+ -g cali-wl-to-host
//! ```

use super::{Lab, Pass};
use crate::ir::{Action, Chain, Program, Rule};
use crate::optimize::edit;
use std::collections::HashMap;
use std::sync::Arc;

pub const PASS: Pass =
    Pass { name: "inline", about: "put a chain where the only rule that goes to it is", level: 2, run };

fn run(program: &Program, _: &mut Lab<'_>) -> Program {
    edit::tables(program, |_, table| {
        let mut callers: HashMap<&str, usize> = HashMap::new();
        for chain in table.hooks.iter().chain(&table.chains) {
            for target in chain.rules.iter().filter_map(|rule| rule.action.as_ref()?.target()) {
                *callers.entry(target).or_default() += 1;
            }
        }
        let chains: HashMap<&str, &Arc<Chain>> =
            table.chains.iter().map(|chain| (&*chain.name, chain)).collect();
        let only = |target: &str| chains.get(target).copied().filter(|_| callers.get(target) == Some(&1));
        let edit = |chain: &Arc<Chain>| match with_inner(&chain.rules, &only) {
            Some(rules) => Arc::new(Chain { rules, ..(**chain).clone() }),
            None => chain.clone(),
        };
        crate::ir::Table {
            name: table.name,
            hooks: table.hooks.iter().map(edit).collect(),
            chains: table.chains.iter().map(edit).collect(),
        }
    })
}

fn with_inner<'c>(rules: &[Rule], only: &dyn Fn(&str) -> Option<&'c Arc<Chain>>) -> Option<Vec<Rule>> {
    let found = rules.iter().enumerate().find_map(|(place, rule)| {
        let inner = only(rule.action.as_ref()?.target()?).filter(|_| rule.matches.is_empty())?;
        let goes = matches!(rule.action, Some(Action::Goto(_)));
        let last = place + 1 == rules.len();
        let returns =
            inner.rules.iter().any(|rule| matches!(rule.action, Some(Action::Return | Action::Goto(_))));
        (goes || last || !returns).then_some((place, goes, inner))
    });
    let (place, goes, inner) = found?;
    let after: &[Rule] = if goes { &[] } else { &rules[place + 1..] };
    Some([&rules[..place], &inner.rules, after].concat())
}
