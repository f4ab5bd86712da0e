//! How many rules packets meet.

use super::effect::{Look, Tables, applies, ends_table, is_open};
use super::lab::{FAMILIES, Lab, tables};
use super::proof::hooks;
use crate::ir::{Action, Family, Origin, Program, TableName};
use crate::kernel::machine::Table;
use crate::resolve::view::PolicyId;
use crate::space::Field;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Packets that are sent through a table's hooks for the mean, at most.
const SAMPLES: usize = 500;

/// A packet: the values of all fields.
pub type Packet = [u128; Field::ALL.len()];

/// The length of paths through something, in rules.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Length {
    /// no packet meets more; if chains are entered that exclude each other, fewer
    pub longest: usize,
    /// the mean over packets that are made for the rules: see [`samples`]
    pub mean: f64,
}

/// The length of paths through each table of a family, and through the rules of each policy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Paths {
    /// by table
    pub tables: BTreeMap<(Family, TableName), Length>,
    /// by policy
    pub policies: BTreeMap<PolicyId, Length>,
}

/// One packet for each rule that applies to any, from the set that it applies to; of many rules, a part,
/// spread evenly.
pub fn samples(lab: &mut Lab<'_>, program: &Program) -> FxHashMap<(Family, TableName), Vec<Packet>> {
    let mut samples: FxHashMap<(Family, TableName), Vec<Packet>> = FxHashMap::default();
    for family in FAMILIES {
        let Some(hits) = lab.hits(program, family) else { continue };
        let mut places: Vec<_> = hits.into_iter().collect();
        places.sort_by_key(|(place, _)| *place);
        for name in TableName::ALL {
            let own: Vec<_> = places.iter().filter(|((table, ..), _)| *table == name).collect();
            let step = own.len().div_ceil(SAMPLES).max(1);
            let space = &lab.judge(family).space;
            let one = |(_, by_mark): &&(_, super::reach::ByMark)| {
                by_mark.values().next().and_then(|set| space.sample(*set))
            };
            samples.insert(
                (family, name),
                own.into_iter().step_by(step).filter_map(|place| one(&place)).collect(),
            );
        }
    }
    samples
}

/// Measures a program with packets.
pub fn paths(
    lab: &mut Lab<'_>,
    program: &Program,
    samples: &FxHashMap<(Family, TableName), Vec<Packet>>,
) -> Paths {
    let mut paths = Paths::default();
    // by policy: packets that met a rule of it, and rules met
    let mut met: BTreeMap<PolicyId, (usize, usize)> = BTreeMap::new();
    for family in FAMILIES {
        lab.look(program, family, |look| {
            for name in TableName::ALL {
                let hooks = hooks_of(look.tables, name);
                let (mut walks, mut rules) = (0, 0);
                for packet in samples.get(&(family, name)).into_iter().flatten() {
                    for hook in &hooks {
                        let mut walk =
                            Walk { look, table: name, packet, mark: 0, met: 0, by_policy: BTreeMap::new() };
                        walk.chain(*hook);
                        walks += usize::from(walk.met > 0);
                        rules += walk.met;
                        for (policy, count) in walk.by_policy {
                            let own = met.entry(policy).or_default();
                            *own = (own.0 + 1, own.1 + count);
                        }
                    }
                }
                let mean = if walks == 0 { 0.0 } else { rules as f64 / walks as f64 };
                paths.tables.insert((family, name), Length { longest: longest_in(look.tables, name), mean });
            }
            policies(look.tables, &mut paths.policies);
        });
    }
    for (policy, (walks, rules)) in met {
        paths.policies.entry(policy).or_default().mean = rules as f64 / walks as f64;
    }
    paths
}

/// The most rules that a packet can meet in any table.
pub fn longest_path(program: &Program) -> usize {
    let of = |family| {
        let tables = tables(program, family);
        TableName::ALL.into_iter().map(|name| longest_in(&tables, name)).max().unwrap_or(0)
    };
    FAMILIES.into_iter().map(of).max().unwrap_or(0)
}

/// The most rules that a packet can meet in a table.
fn longest_in(tables: &Tables<'_>, name: TableName) -> usize {
    let mut known = FxHashMap::default();
    let table = tables.machine.table(name);
    hooks_of(tables, name).into_iter().map(|hook| longest(table, hook, &mut known)).max().unwrap_or(0)
}

fn hooks_of(tables: &Tables<'_>, name: TableName) -> Vec<usize> {
    hooks(tables).into_iter().filter(|(table, _)| *table == name).map(|(_, hook)| hook).collect()
}

/// The most rules that a packet can meet in a chain and all that it goes to.
///
/// The depth of the recursion is that of the chains, which do not form circles.
fn longest(table: &Table<'_>, chain: usize, known: &mut FxHashMap<usize, usize>) -> usize {
    if let Some(length) = known.get(&chain) {
        return *length;
    }
    let (mut length, mut most) = (0, 0);
    for rule in &table.chain(chain).rules {
        length += 1;
        let inside = rule.target.map_or(0, |target| longest(table, target, known));
        match rule.action {
            Some(Action::Goto(_)) => most = most.max(length + inside),
            _ => length += inside,
        }
    }
    known.insert(chain, most.max(length));
    most.max(length)
}

/// For each policy, its longest chain.
fn policies(tables: &Tables<'_>, to: &mut BTreeMap<PolicyId, Length>) {
    for compiled in TableName::ALL.into_iter().flat_map(|name| tables.machine.table(name).chains()) {
        let mut counts: BTreeMap<&PolicyId, usize> = BTreeMap::new();
        for rule in &compiled.chain.rules {
            if let Origin::Policy(own) = &rule.origin {
                *counts.entry(&own.policy).or_default() += 1;
            }
        }
        for (policy, count) in counts {
            let own = to.entry(policy.clone()).or_default();
            own.longest = own.longest.max(count);
        }
    }
}

/// One packet on its way.
struct Walk<'w, 'j, 'k, 'p> {
    look: &'w mut Look<'j, 'k, 'p>,
    table: TableName,
    packet: &'w Packet,
    mark: u32,
    met: usize,
    by_policy: BTreeMap<PolicyId, usize>,
}

impl Walk<'_, '_, '_, '_> {
    /// Whether the table goes on after the chain. A match that may hold or not does not.
    fn chain(&mut self, chain: usize) -> bool {
        let compiled = self.look.tables.machine.table(self.table).chain(chain);
        for (place, rule) in compiled.rules.iter().enumerate() {
            self.met += 1;
            if let Origin::Policy(own) = &compiled.chain.rules[place].origin {
                *self.by_policy.entry(own.policy.clone()).or_default() += 1;
            }
            let asked = self.look.asked((self.table, chain, place));
            let applies = applies(&asked, self.mark) && !is_open(&asked);
            if !applies || !self.look.judge.space.contains(asked.set, self.packet) {
                continue;
            }
            match (rule.action, rule.target) {
                (Some(Action::Return), _) => return true,
                (Some(Action::Jump(_)), Some(target)) if !self.chain(target) => return false,
                (Some(Action::Jump(_)), _) => {}
                (Some(Action::Goto(_)), Some(target)) => return self.chain(target),
                (Some(Action::Mark { value, mask, .. }), _) => self.mark = (self.mark & !mask) ^ value,
                (Some(action), _) if ends_table(action) => return false,
                _ => {}
            }
        }
        true
    }
}
