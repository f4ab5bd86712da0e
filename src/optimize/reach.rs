//! Which rules any packet meets, and with which marks.

use super::effect::{Judge, Look, Tables, applies, is_open};
use super::liveness::callers_first;
use super::proof::hooks;
use crate::ir::{Action, TableName};
use crate::space::PacketSet;
use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::collections::BTreeMap;

/// Packets by their mark.
pub type ByMark = IndexMap<u32, PacketSet, FxBuildHasher>;

/// For each rule that some packet meets and that applies to some of them: those packets.
pub type Hits = FxHashMap<(TableName, usize, usize), ByMark>;

/// Follows all packets that may come, from the hooks down.
pub fn hits(judge: &mut Judge<'_>, tables: &Tables<'_>, entry: &[u32]) -> Hits {
    let mut hits = Hits::default();
    let hooks = hooks(tables);
    for table in TableName::ALL {
        let roots: Vec<usize> =
            hooks.iter().filter(|(name, _)| *name == table).map(|(_, chain)| *chain).collect();
        let mut coming: BTreeMap<usize, ByMark> = BTreeMap::new();
        for root in &roots {
            let all = entry.iter().map(|mark| (*mark, PacketSet::ALL)).collect();
            coming.insert(*root, all);
        }
        let mut look = judge.look(tables);
        for chain in callers_first(tables.machine.table(table), &roots) {
            let Some(packets) = coming.remove(&chain) else { continue };
            walk(&mut look, table, chain, packets, &mut coming, &mut hits);
        }
    }
    hits
}

fn walk(
    look: &mut Look<'_, '_, '_>,
    table: TableName,
    chain: usize,
    packets: ByMark,
    coming: &mut BTreeMap<usize, ByMark>,
    hits: &mut Hits,
) {
    let tables = look.tables;
    let rules = &tables.machine.table(table).chain(chain).rules;
    let mut walking = packets;
    for (place, rule) in rules.iter().enumerate() {
        let asked = look.asked((table, chain, place));
        let mut after = ByMark::default();
        for (mark, set) in walking {
            if !applies(&asked, mark) {
                add(look, &mut after, mark, set);
                continue;
            }
            let hit = look.judge.space.intersection(set, asked.set);
            let miss = look.judge.space.difference(set, asked.set);
            add(look, &mut after, mark, if is_open(&asked) { set } else { miss });
            if hit.is_empty() {
                continue;
            }
            add(look, hits.entry((table, chain, place)).or_default(), mark, hit);
            match (rule.action, rule.target) {
                (Some(Action::Jump(_)), Some(target)) => {
                    add(look, coming.entry(target).or_default(), mark, hit);
                    for (fate, set) in look.chain(table, target, mark).iter() {
                        if fate.end.is_none() {
                            let set = look.judge.space.intersection(hit, *set);
                            add(look, &mut after, fate.mark, set);
                        }
                    }
                }
                (Some(Action::Goto(_)), Some(target)) => {
                    add(look, coming.entry(target).or_default(), mark, hit);
                }
                (Some(Action::Return), _) => {}
                (Some(Action::Mark { value, mask, .. }), _) => {
                    add(look, &mut after, (mark & !mask) ^ value, hit);
                }
                (Some(action), _) if super::effect::ends_table(action) => {}
                _ => add(look, &mut after, mark, hit),
            }
        }
        walking = after;
        if walking.is_empty() {
            return;
        }
    }
}

fn add(look: &mut Look<'_, '_, '_>, to: &mut ByMark, mark: u32, set: PacketSet) {
    if !set.is_empty() {
        let own = to.entry(mark).or_insert(PacketSet::NONE);
        *own = look.judge.space.union(*own, set);
    }
}
