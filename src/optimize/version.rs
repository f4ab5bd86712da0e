//! Chains by what they say: two chains with one version do the same.

use super::effect::is_open_match;
use crate::emit::felix;
use crate::ir::{Action, Family, Rule};
use crate::kernel::machine::Table;
use sha2::{Digest, Sha256};

/// What a chain says, with all that it goes to; names and comments are no part of it. A set stands for
/// its members by its name: a set with other members has another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version([u8; 16]);

/// The versions of a table's chains, by number.
pub fn versions(table: &Table<'_>, family: Family) -> Vec<Version> {
    let mut known = vec![None; table.chains().len()];
    (0..known.len()).map(|chain| version(table, chain, family, &mut known)).collect()
}

/// The depth of the recursion is that of the chains, which do not form circles.
fn version(table: &Table<'_>, chain: usize, family: Family, known: &mut Vec<Option<Version>>) -> Version {
    if let Some(version) = known[chain] {
        return version;
    }
    let compiled = table.chain(chain);
    let mut hash = Sha256::new();
    let mut text = String::new();
    hash.update(compiled.chain.policy.name());
    for (rule, ready) in compiled.chain.rules.iter().zip(&compiled.rules) {
        text.clear();
        felix::conditions(&mut text, &rule.matches, family);
        text.push('\n');
        match (&rule.action, ready.target) {
            (Some(action @ (Action::Jump(_) | Action::Goto(_))), Some(target)) => {
                text.push_str(if matches!(action, Action::Jump(_)) { "jump" } else { "goto" });
                hash.update(version(table, target, family, known).0);
            }
            (Some(action), _) => felix::action(&mut text, action),
            (None, _) => {}
        }
        if has_state(rule) {
            text.push_str(&compiled.chain.name);
        }
        text.push('\n');
        hash.update(&text);
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hash.finalize()[..16]);
    *known[chain].insert(Version(short))
}

/// Whether it counts packets, so that another rule with the same text is another.
fn has_state(rule: &Rule) -> bool {
    rule.matches.iter().any(|one| is_open_match(&one.on))
}
