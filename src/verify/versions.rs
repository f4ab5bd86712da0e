//! Which version of Calico a dump can come from: hashes of rules and names of sets depend on it.

use super::Node;
use crate::ir::{Program, RuleSet};
use crate::version::CalicoVersion;
use serde::Serialize;
use std::collections::BTreeSet;

/// How much of a dump is what a version would have programmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// the version
    #[serde(serialize_with = "name")]
    pub version: CalicoVersion,
    /// rules of the dump with a hash of Felix
    pub rules: usize,
    /// of these, those whose hash a rule of the version has
    pub same_rules: usize,
    /// sets of the dump that are Felix's
    pub sets: usize,
    /// of these, those whose name a set of the version has
    pub same_sets: usize,
}

fn name<S: serde::Serializer>(version: &CalicoVersion, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(version.name())
}

/// Compares a dump with what a version would have programmed.
pub fn agreement(version: CalicoVersion, program: &Program, node: &Node) -> Agreement {
    let known: BTreeSet<&str> = hashes(&program.v4).chain(hashes(&program.v6)).collect();
    let found: Vec<&str> = [&node.v4, &node.v6].into_iter().flatten().flat_map(hashes).collect();
    let names: BTreeSet<&str> = program.sets.iter().map(|set| &*set.name).collect();
    let sets: Vec<&str> = node.sets.iter().flat_map(|sets| &sets.known).map(|set| &*set.name).collect();
    Agreement {
        version,
        rules: found.len(),
        same_rules: found.iter().filter(|hash| known.contains(*hash)).count(),
        sets: sets.len(),
        same_sets: sets.iter().filter(|name| names.contains(*name)).count(),
    }
}

fn hashes(rules: &RuleSet) -> impl Iterator<Item = &str> {
    let chains = rules.tables.iter().flat_map(|table| table.hooks.iter().chain(&table.chains));
    chains.flat_map(|chain| &chain.rules).filter_map(|rule| rule.hash.as_deref())
}

/// One line: the versions that agree most, and how much; `None` where nothing was compared, or nothing of the
/// dump is of any version.
pub fn verdict(versions: &[Agreement]) -> Option<String> {
    let share = |one: &Agreement| one.same_rules + one.same_sets;
    let best = versions.iter().map(share).max().filter(|best| *best > 0)?;
    let names = |same: bool| -> String {
        let some = versions.iter().filter(|one| (share(one) == best) == same);
        some.map(|one| one.version.name()).collect::<Vec<_>>().join(" or ")
    };
    let numbers = |one: &Agreement| {
        let sets = match one.sets {
            0 => String::new(),
            sets => format!(", {} of {sets} sets", one.same_sets),
        };
        format!("{} of {} rules{sets}", one.same_rules, one.rules)
    };
    let top = versions.iter().find(|one| share(one) == best)?;
    let next = versions.iter().filter(|one| share(one) < best).max_by_key(|one| share(one));
    let rest = match next {
        Some(next) => format!("; under {} it would be {}", next.version, numbers(next)),
        None => String::new(),
    };
    Some(format!("the dump can come from Calico {}: {} are as there{rest}", names(true), numbers(top)))
}
