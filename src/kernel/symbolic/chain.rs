//! What a chain does with all packets.

use super::matches::{Asked, Doubt, Matches};
use super::path::Now;
use crate::ir::{Action, Origin, TableName};
use crate::kernel::machine::{Machine, Table};
use crate::kernel::walk::End;
use crate::space::{PacketSet, Space};
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use std::rc::Rc;

/// A rule of a table: number of its chain, and place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef {
    /// the table
    pub table: TableName,
    /// the chain's number in its table
    pub chain: usize,
    /// 0-based place of the rule
    pub rule: usize,
}

/// What a chain decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// nothing: the packet comes back
    None,
    /// the table lets go of it
    End(End),
    /// the table lets go of it, with another destination
    Translate(IpAddr, Option<u16>),
}

/// Packets to which a chain does the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// which
    pub set: PacketSet,
    /// their mark afterwards
    pub mark: u32,
    /// a rule has exempted them from tracking
    pub untracked: bool,
    /// a limit was on the way, and is taken as not reached
    pub limited: bool,
    /// whether a rule on the way applies is not known: then other pieces have the same packets
    pub doubt: Doubt,
    /// what is decided
    pub decision: Decision,
    /// the rules that led to it: those that noted a verdict in the mark, then the one that decided;
    /// empty where they are not asked for
    pub by: Vec<RuleRef>,
}

impl Piece {
    /// Packets that nothing has happened to.
    pub fn new(set: PacketSet, mark: u32) -> Self {
        Piece {
            set,
            mark,
            untracked: false,
            limited: false,
            doubt: Doubt::None,
            decision: Decision::None,
            by: Vec::new(),
        }
    }

    /// Whether only the packets differ.
    fn is_like(&self, other: &Piece) -> bool {
        (self.mark, self.untracked, self.limited, self.doubt, self.decision)
            == (other.mark, other.untracked, other.limited, other.doubt, other.decision)
            && self.by == other.by
    }
}

/// Whether to tell packets apart by the rules that led to a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribution {
    /// no: what a chain does is worked out once for all packets
    Off,
    /// yes: chains are walked for just the packets that are asked about; a rule of a policy or profile
    /// that sets any of these bits notes a verdict
    On {
        /// the bits of the mark
        verdicts: u32,
    },
}

/// Works out chains of one family.
#[derive(Debug)]
pub struct Chains<'k, 'p> {
    machine: &'k Machine<'p>,
    matches: Matches<'k>,
    attribution: Attribution,
    asked: FxHashMap<RuleRef, Rc<Asked>>,
    known: FxHashMap<(TableName, usize, u32), Rc<Vec<Piece>>>,
}

impl<'k, 'p> Chains<'k, 'p> {
    /// Nothing worked out yet.
    pub fn new(machine: &'k Machine<'p>, matches: Matches<'k>, attribution: Attribution) -> Self {
        Chains { machine, matches, attribution, asked: FxHashMap::default(), known: FxHashMap::default() }
    }

    /// The tables and sets.
    pub fn machine(&self) -> &'k Machine<'p> {
        self.machine
    }

    /// What a chain does with packets, of which `now` is known. The pieces do not overlap, and together
    /// are all of the packets.
    pub fn send(
        &mut self,
        space: &mut Space,
        name: TableName,
        chain: usize,
        packets: &Piece,
        now: &Now,
    ) -> Vec<Piece> {
        if self.attribution != Attribution::Off {
            return self.walk(space, name, chain, packets.clone(), now);
        }
        let known = self.chain(space, name, chain, packets.mark);
        let mut pieces = Pieces::default();
        for piece in known.iter() {
            let asked = now.put_into(space, piece.set);
            let set = space.intersection(packets.set, asked);
            pieces.add(space, joined(packets, piece, set));
        }
        pieces.0
    }

    /// What a chain does with all packets that have this mark.
    fn chain(&mut self, space: &mut Space, name: TableName, chain: usize, mark: u32) -> Rc<Vec<Piece>> {
        if let Some(known) = self.known.get(&(name, chain, mark)) {
            return known.clone();
        }
        let all = Piece::new(PacketSet::ALL, mark);
        let pieces = Rc::new(self.walk(space, name, chain, all, &Now::default()));
        self.known.insert((name, chain, mark), pieces.clone());
        pieces
    }

    fn walk(
        &mut self,
        space: &mut Space,
        name: TableName,
        chain: usize,
        start: Piece,
        now: &Now,
    ) -> Vec<Piece> {
        let table = self.machine.table(name);
        let mut walking: Vec<Piece> = vec![start];
        let mut done = Pieces::default();
        for place in 0..table.chain(chain).rules.len() {
            let at = RuleRef { table: name, chain, rule: place };
            let mut after = Pieces::default();
            for group in walking {
                self.rule(space, table, at, group, now, &mut after, &mut done);
            }
            walking = after.0;
            if walking.is_empty() {
                break;
            }
        }
        walking.into_iter().for_each(|group| done.add(space, group));
        done.0
    }

    /// One rule for packets that have had the same fate: those that go on to the next rule, and those
    /// that leave the chain.
    #[allow(clippy::too_many_arguments)]
    fn rule(
        &mut self,
        space: &mut Space,
        table: &Table<'p>,
        at: RuleRef,
        group: Piece,
        now: &Now,
        after: &mut Pieces,
        done: &mut Pieces,
    ) {
        let asked = self.asked(space, table, at);
        let marked = |(value, mask, negated): &(u32, u32, bool)| (group.mark & mask == *value) != *negated;
        if !asked.marks.iter().all(marked) {
            return after.add(space, group);
        }
        let applies = now.put_into(space, asked.set);
        let hit = space.intersection(group.set, applies);
        if hit.is_empty() {
            return after.add(space, group);
        }
        let miss = space.difference(group.set, applies);
        after.add(space, Piece { set: miss, ..group.clone() });
        let doubt = group.doubt.max(asked.doubt);
        let mut hit = Piece { set: hit, limited: group.limited || asked.limited, doubt, ..group };
        // perhaps it does not apply; an action that is not understood is one that goes on
        let acts = !matches!(table.chain(at.chain).rules[at.rule].action, Some(Action::Other(_)));
        if asked.doubt != Doubt::None && acts {
            after.add(space, hit.clone());
        }
        let compiled = table.chain(at.chain);
        let rule = &compiled.rules[at.rule];
        let mut decided = |mut hit: Piece, decision| {
            if self.attribution != Attribution::Off {
                hit.by.push(at);
            }
            done.add(space, Piece { decision, ..hit });
        };
        match rule.action {
            Some(Action::Accept) => decided(hit, Decision::End(End::Accept)),
            Some(Action::Drop) => decided(hit, Decision::End(End::Drop)),
            Some(Action::Reject(with)) => decided(hit, Decision::End(End::Reject(*with))),
            Some(Action::Snat { .. } | Action::Masquerade { .. }) => decided(hit, Decision::End(End::Accept)),
            Some(Action::Dnat { address, port }) => decided(hit, Decision::Translate(*address, *port)),
            Some(Action::Return) => done.add(space, hit),
            Some(Action::Mark { value, mask, .. }) => {
                let of_policy =
                    matches!(compiled.chain.rules[at.rule].origin, Origin::Policy(_) | Origin::Profile(..));
                if let Attribution::On { verdicts } = self.attribution
                    && value & verdicts != 0
                    && of_policy
                {
                    hit.by.push(at);
                }
                hit.mark = (hit.mark & !mask) ^ value;
                after.add(space, hit);
            }
            Some(Action::NoTrack) => after.add(space, Piece { untracked: true, ..hit }),
            Some(Action::Jump(_) | Action::Goto(_)) => {
                let goes = matches!(rule.action, Some(Action::Goto(_)));
                let Some(target) = rule.target else { return after.add(space, hit) };
                for piece in self.jump(space, at.table, target, hit, now) {
                    match piece.decision {
                        Decision::None if !goes => after.add(space, piece),
                        _ => done.add(space, piece),
                    }
                }
            }
            Some(
                Action::Log { .. }
                | Action::NfLog { .. }
                | Action::Dscp(_)
                | Action::Neutral(_)
                | Action::Other(_),
            )
            | None => after.add(space, hit),
        }
    }

    fn jump(
        &mut self,
        space: &mut Space,
        name: TableName,
        chain: usize,
        hit: Piece,
        now: &Now,
    ) -> Vec<Piece> {
        if self.attribution != Attribution::Off {
            return self.walk(space, name, chain, hit, now);
        }
        let known = self.chain(space, name, chain, hit.mark);
        let pieces = known.iter().map(|piece| {
            let set = space.intersection(hit.set, piece.set);
            joined(&hit, piece, set)
        });
        pieces.collect()
    }

    fn asked(&mut self, space: &mut Space, table: &Table<'p>, at: RuleRef) -> Rc<Asked> {
        if let Some(asked) = self.asked.get(&at) {
            return asked.clone();
        }
        let rule = &table.chain(at.chain).rules[at.rule];
        let asked = Rc::new(self.matches.rule(space, self.machine, rule));
        self.asked.insert(at, asked.clone());
        asked
    }
}

/// What became of packets before a chain, and in it.
fn joined(before: &Piece, inside: &Piece, set: PacketSet) -> Piece {
    Piece {
        set,
        untracked: before.untracked || inside.untracked,
        limited: before.limited || inside.limited,
        doubt: before.doubt.max(inside.doubt),
        by: [&*before.by, &*inside.by].concat(),
        ..inside.clone()
    }
}

/// Pieces in the making: those with one fate are one.
#[derive(Debug, Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn add(&mut self, space: &mut Space, piece: Piece) {
        if piece.set.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|own| own.is_like(&piece)) {
            Some(own) => own.set = space.union(own.set, piece.set),
            None => self.0.push(piece),
        }
    }
}
