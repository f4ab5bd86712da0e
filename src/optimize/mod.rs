//! Fewer rules that mean the same, and the proof that they do.
//!
//! A pass takes a program and gives a smaller one. After each pass the two are compared for every hook
//! and all packets ([`proof`]); where they are not equal, the pass is not applied to the chains at fault,
//! and the report names a packet that shows why. At the end the result is compared with the program that
//! went in.
//!
//! | file | what |
//! |---|---|
//! | `passes` | the passes, one file each |
//! | `edit` | changing the chains of a program |
//! | `lab` | what passes may ask |
//! | `effect`, `version` | what chains do, worked out once for each thing that a chain can say |
//! | `liveness` | bits of the mark that rules still look at |
//! | `reach` | which rules any packet meets |
//! | `proof` | whether two programs do the same |
//! | `blame` | the chains for which a pass was wrong |
//! | `paths` | how many rules packets meet |
//! | `manifests` | the same for policies as they are written: fewer networks, ports and rules |
//! | `report`, `proof_file` | what was saved, and what was compared, as documents |

mod blame;
mod edit;
mod effect;
mod lab;
mod liveness;
pub mod manifests;
pub mod passes;
mod paths;
pub mod proof;
pub mod proof_file;
mod reach;
pub mod report;
mod version;

use crate::emit::ipset::each_member;
use crate::felix::hash;
use crate::ir::{Chain, Family, IpSet, Matcher, Program, Rule, Table};
use crate::kernel::symbolic::Interfaces;
use blame::Fault;
use lab::Lab;
use passes::Pass;
use proof::{Agreed, Different};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rounds of all passes at most; each makes the program smaller, or is the last.
const ROUNDS: usize = 50;

/// What came out.
#[derive(Debug)]
pub struct Optimized {
    /// the program
    pub program: Program,
    /// what was saved, pass by pass, in the order in which they run
    pub saved: Vec<Saved>,
    /// passes that were wrong about chains
    pub faults: Vec<Fault>,
    /// what the result was compared in with the program that went in; or why it is the program that went in
    pub proof: Result<Vec<Agreed>, Different>,
    /// how long it took to compare programs, of all that it took
    pub proving: Duration,
}

/// What a pass has saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// the pass
    pub pass: &'static str,
    /// rules less; below 0 if there are more
    pub rules: isize,
    /// chains less
    pub chains: isize,
    /// members of sets less
    pub members: isize,
}

/// Makes a program smaller with the passes up to a level. `private`: bits of the mark that only Felix's
/// rules look at.
pub fn optimize(program: &Program, level: u8, private: u32) -> Optimized {
    let passes: Vec<Pass> = passes::ALL.into_iter().filter(|pass| pass.level <= level).collect();
    with_passes(program, &passes, private)
}

/// Makes a program smaller with these passes.
pub fn with_passes(program: &Program, passes: &[Pass], private: u32) -> Optimized {
    let interfaces = Interfaces::of_programs([program]);
    let mut lab = Lab::new(&interfaces, private);
    let mut saved: Vec<Saved> =
        passes.iter().map(|pass| Saved { pass: pass.name, rules: 0, chains: 0, members: 0 }).collect();
    let mut faults: Vec<Fault> = Vec::new();
    let mut proving = Duration::ZERO;
    let mut timed = |lab: &mut Lab<'_>, before: &Program, after: &Program| {
        let start = Instant::now();
        let compared = lab.compare(before, after);
        proving += start.elapsed();
        compared
    };
    let mut now = program.clone();
    for _ in 0..ROUNDS {
        let mut changed = false;
        for (pass, saved) in passes.iter().zip(&mut saved) {
            let after = (pass.run)(&now, &mut lab);
            if is_unchanged(&now, &after) {
                continue;
            }
            // what a pass leaves without use is its saving
            let swept = passes::swept(&after);
            let after = match timed(&mut lab, &now, &swept) {
                Ok(_) => swept,
                Err(different) => {
                    let (kept, wrong) = blame::blame(&mut lab, pass.name, &now, &after, different);
                    faults.extend(
                        wrong.into_iter().filter(|fault| !faults.contains(fault)).collect::<Vec<_>>(),
                    );
                    passes::swept(&kept)
                }
            };
            if is_unchanged(&now, &after) {
                continue;
            }
            changed = true;
            saved.count(&now, &after);
            now = after;
        }
        if !changed {
            break;
        }
    }
    let proof = timed(&mut lab, program, &now);
    let result = if proof.is_ok() { hashed(program, now) } else { program.clone() };
    Optimized { program: result, saved, faults, proof, proving }
}

/// Whether two programs, whatever they come from, do the same. `private`: bits of the mark that only
/// Felix's rules look at, in both.
pub fn compare(before: &Program, after: &Program, private: u32) -> Result<Vec<Agreed>, Different> {
    let interfaces = Interfaces::of_programs([before, after]);
    // a set's name stands for its members: where these differ, so must the names
    let members = |set: &IpSet| {
        let mut all = Vec::new();
        each_member(set, |member| all.push(member.to_owned()));
        all
    };
    let had: HashMap<&str, &IpSet> = before.sets.iter().map(|set| (&*set.name, set)).collect();
    let differs = |set: &IpSet| {
        had.get(&*set.name).is_some_and(|own| own.kind() != set.kind() || members(own) != members(set))
    };
    let other: BTreeSet<Arc<str>> =
        after.sets.iter().filter(|set| differs(set)).map(|set| set.name.clone()).collect();
    let renamed = |name: &Arc<str>| Arc::from(format!("{name} (new)"));
    let mut after = edit::chains(after, |_, chain| {
        let mut rules = chain.rules.clone();
        for one in rules.iter_mut().flat_map(|rule| &mut rule.matches) {
            if let Matcher::Set(name, _) = &mut one.on
                && other.contains(name)
            {
                *name = renamed(name);
            }
        }
        (rules != chain.rules).then_some(rules)
    });
    for set in after.sets.iter_mut().filter(|set| other.contains(&set.name)) {
        set.name = renamed(&set.name);
    }
    Lab::new(&interfaces, private).compare(before, &after)
}

/// Whether a pass has left everything as it was.
fn is_unchanged(before: &Program, after: &Program) -> bool {
    before.sets.len() == after.sets.len() && all_chains(before).eq(all_chains(after))
}

/// Every chain of both families.
fn all_chains(program: &Program) -> impl Iterator<Item = &Arc<Chain>> {
    let tables = program.v4.tables.iter().chain(&program.v6.tables);
    tables.flat_map(|table| table.hooks.iter().chain(&table.chains))
}

impl Saved {
    fn count(&mut self, before: &Program, after: &Program) {
        let rules = |program: &Program| all_chains(program).map(|chain| chain.rules.len()).sum::<usize>();
        let chains = |program: &Program| all_chains(program).count();
        let members = |program: &Program| program.sets.iter().map(|set| set.len()).sum::<usize>();
        let less = |count: &dyn Fn(&Program) -> usize| count(before) as isize - count(after) as isize;
        self.rules += less(&rules);
        self.chains += less(&chains);
        self.members += less(&members);
    }
}

/// The rules of chains that have changed get the hashes that Felix would give them.
fn hashed(before: &Program, mut after: Program) -> Program {
    for (own, rules) in [(&before.v4, &mut after.v4), (&before.v6, &mut after.v6)] {
        for table in &mut rules.tables {
            let same = own.tables.iter().find(|other| other.name == table.name);
            hash_table(same, table, rules.family);
        }
    }
    after
}

fn hash_table(before: Option<&Table>, after: &mut Table, family: Family) {
    let had: HashMap<&str, &Arc<Chain>> = before
        .into_iter()
        .flat_map(|table| table.hooks.iter().chain(&table.chains))
        .map(|chain| (&*chain.name, chain))
        .collect();
    for chain in after.hooks.iter_mut().chain(&mut after.chains) {
        if had.get(&*chain.name).is_none_or(|own| !Arc::ptr_eq(own, chain)) {
            let mut rules: Vec<Rule> = chain.rules.clone();
            hash::fill_in(&chain.name, &mut rules, family);
            *chain = Arc::new(Chain { rules, ..(**chain).clone() });
        }
    }
}
