//! Whether two programs do the same with every packet.
//!
//! For each hook of each table, and each mark that packets may bring, the packets are parted by what
//! becomes of them (`src/optimize/effect.rs`). The two programs are equal if these parts are the same sets.
//!
//! Bits of the mark that only Felix's rules use may differ: all that matters of them is what these rules
//! do later. So marks are compared in pairs. Packets come with mark 0 in both programs; where a hook lets
//! go of packets with one mark in the first and another in the second, that pair is gone through in its
//! turn, at every hook, since a packet can come to any hook after any other (over the loopback interface,
//! or once more inside a tunnel). If all pairs agree, a packet meets the same verdict at every hook that it
//! comes to, in both programs.

use super::effect::{Judge, Outcomes, Tables, Text};
use super::liveness::{all_read_bits, restores_marks};
use crate::ir::{Family, TableName};
use crate::space::{Field, PacketSet};
use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;
use std::collections::BTreeSet;

/// Marks that packets may bring into a hook, at most; beyond that nothing is proved.
const MARKS: usize = 4096;

/// A hook, and a mark that packets bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// the family
    pub family: Family,
    /// the table
    pub table: TableName,
    /// the hook's chain
    pub hook: &'static str,
    /// the marks that packets bring, in the first program and in the second; only bits that some rule
    /// looks at
    pub marks: (u32, u32),
}

/// A packet that two programs treat differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// where
    pub place: Place,
    /// the packet: the values of all fields
    pub packet: [u128; Field::ALL.len()],
    /// what became of it before
    pub before: String,
    /// what becomes of it now
    pub after: String,
}

/// Parts of the packets of a hook that two programs agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// where
    pub place: Place,
    /// what becomes of packets, and a fingerprint of the set of those packets
    pub packets: Vec<(String, String)>,
}

/// Why two programs are not proved equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Different {
    /// this packet is treated differently
    Packet(Box<Witness>),
    /// packets may bring more marks than can be gone through
    TooManyMarks,
}

/// What must be the same for a packet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    end: Option<Text>,
    /// the bits of the mark that others than Felix's rules may look at
    shown: u32,
    untracked: bool,
    events: Box<[Text]>,
}

/// Packets for which it is.
#[derive(Debug, Default)]
struct Part {
    set: PacketSet,
    by_mark: IndexMap<u32, PacketSet, FxBuildHasher>,
}

type Parts = IndexMap<Key, Part, FxBuildHasher>;

/// The marks that packets may bring into hooks: 0, and what any hook leaves. Only bits that some rule
/// looks at are told apart.
pub fn entry_marks(judge: &mut Judge<'_>, tables: &Tables<'_>) -> Option<Vec<u32>> {
    if restores_marks(&tables.machine) {
        return None;
    }
    let read = all_read_bits(&tables.machine);
    let mut marks = BTreeSet::from([0]);
    let mut fresh = vec![0];
    while let Some(mark) = fresh.pop() {
        for (table, hook) in hooks(tables) {
            for fate in judge.look(tables).chain(table, hook, mark).keys() {
                if !is_lost(judge, fate.end) && marks.insert(fate.mark & read) {
                    fresh.push(fate.mark & read);
                }
            }
        }
        if marks.len() > MARKS {
            return None;
        }
    }
    Some(marks.into_iter().collect())
}

/// The hooks that have rules.
pub fn hooks(tables: &Tables<'_>) -> Vec<(TableName, usize)> {
    let all = TableName::ALL.into_iter().flat_map(|name| name.hooks().iter().map(move |hook| (name, *hook)));
    all.filter_map(|(name, hook)| Some((name, tables.machine.table(name).hook(hook)?))).collect()
}

/// Two programs of one family: the parts that they agree on, or a packet that they do not agree on.
/// `private`: the bits of the mark that only Felix's own rules look at.
pub fn compare(
    judge: &mut Judge<'_>,
    before: &Tables<'_>,
    after: &Tables<'_>,
    private: u32,
) -> Result<Vec<Agreed>, Different> {
    if restores_marks(&before.machine) || restores_marks(&after.machine) {
        return Err(Different::TooManyMarks);
    }
    let read = all_read_bits(&before.machine) | all_read_bits(&after.machine);
    let mut pairs: IndexSet<(u32, u32), FxBuildHasher> = [(0, 0)].into_iter().collect();
    let mut agreed = Vec::new();
    let mut next = 0;
    while let Some(marks) = pairs.get_index(next).copied() {
        next += 1;
        for table in TableName::ALL {
            for hook in table.hooks() {
                let place = Place { family: judge.space.family(), table, hook, marks };
                let side = |judge: &mut Judge<'_>, tables: &Tables<'_>, mark: u32| {
                    let chain = tables.machine.table(table).hook(hook)?;
                    Some(judge.look(tables).chain(table, chain, mark))
                };
                let (own, other) = (side(judge, before, marks.0), side(judge, after, marks.1));
                if own.is_none() && other.is_none() {
                    continue;
                }
                let [own, other] = [own, other].map(|outcomes| {
                    outcomes.map_or_else(Parts::default, |outcomes| parts(judge, &outcomes, private))
                });
                if let Some(packet) = difference(judge, &own, &other) {
                    let [before, after] = [own, other].map(|parts| fates_of(judge, &parts, &packet));
                    return Err(Different::Packet(Box::new(Witness { place, packet, before, after })));
                }
                bring_on(judge, &own, &other, read, &mut pairs);
                agreed.push(Agreed { place, packets: fingerprints(judge, &own) });
            }
        }
        if pairs.len() > MARKS {
            return Err(Different::TooManyMarks);
        }
    }
    Ok(agreed)
}

/// The marks that packets of a part bring on to other hooks, in the two programs.
fn bring_on(
    judge: &mut Judge<'_>,
    own: &Parts,
    other: &Parts,
    read: u32,
    pairs: &mut IndexSet<(u32, u32), FxBuildHasher>,
) {
    for (key, part) in own {
        let Some(there) = other.get(key).filter(|_| !is_lost(judge, key.end)) else { continue };
        for (mark, set) in &part.by_mark {
            for (mark_there, set_there) in &there.by_mark {
                let pair = (mark & read, mark_there & read);
                if !pairs.contains(&pair) && !judge.space.intersection(*set, *set_there).is_empty() {
                    pairs.insert(pair);
                }
            }
        }
    }
}

/// What is told apart. The mark of packets that are lost says nothing any more.
fn parts(judge: &mut Judge<'_>, outcomes: &Outcomes, private: u32) -> Parts {
    let mut parts = Parts::default();
    for (fate, set) in outcomes {
        let lost = is_lost(judge, fate.end);
        let (mark, untracked) = if lost { (0, false) } else { (fate.mark, fate.untracked) };
        let key = Key { end: fate.end, shown: mark & !private, untracked, events: (*fate.events).into() };
        let part = parts.entry(key).or_default();
        part.set = judge.space.union(part.set, *set);
        let own = part.by_mark.entry(mark).or_insert(PacketSet::NONE);
        *own = judge.space.union(*own, *set);
    }
    parts
}

/// Whether nothing is left of such packets.
fn is_lost(judge: &Judge<'_>, end: Option<Text>) -> bool {
    end.is_some_and(|end| {
        let text = judge.text(end);
        text.contains("--jump DROP") || text.contains("--jump REJECT")
    })
}

fn difference(judge: &mut Judge<'_>, own: &Parts, other: &Parts) -> Option<[u128; Field::ALL.len()]> {
    let keys = own.keys().chain(other.keys());
    for key in keys {
        let [a, b] = [own, other].map(|parts| parts.get(key).map_or(PacketSet::NONE, |part| part.set));
        if a == b {
            continue;
        }
        let (more, less) = (judge.space.difference(a, b), judge.space.difference(b, a));
        let apart = judge.space.union(more, less);
        return judge.space.sample(apart);
    }
    None
}

/// What becomes of one packet.
fn fates_of(judge: &Judge<'_>, parts: &Parts, packet: &[u128; Field::ALL.len()]) -> String {
    let own = parts.iter().filter(|(_, part)| judge.space.contains(part.set, packet));
    let texts: Vec<String> = own.map(|(key, _)| words(judge, key)).collect();
    texts.join(" or ")
}

/// What becomes of packets, and which.
fn fingerprints(judge: &Judge<'_>, parts: &Parts) -> Vec<(String, String)> {
    let all = parts.iter().map(|(key, part)| (words(judge, key), judge.space.fingerprint(part.set)));
    let mut all: Vec<(String, String)> = all.collect();
    all.sort_unstable();
    all
}

fn words(judge: &Judge<'_>, key: &Key) -> String {
    let mut words = match key.end {
        Some(end) => judge.text(end).trim_start_matches("--jump ").to_owned(),
        None => "goes on".to_owned(),
    };
    if key.shown != 0 {
        words.push_str(&format!(", mark {:#x}", key.shown));
    }
    if key.untracked {
        words.push_str(", untracked");
    }
    for event in &key.events {
        words.push_str(", ");
        words.push_str(judge.text(*event));
    }
    words
}
