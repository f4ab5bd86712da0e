//! What a chain does with all packets.

use super::matches::{Asked, Matches};
use crate::ir::{Action, TableName};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// which
    pub set: PacketSet,
    /// their mark afterwards
    pub mark: u32,
    /// a rule has exempted them from tracking
    pub untracked: bool,
    /// a limit was on the way, and is taken as not reached
    pub limited: bool,
    /// what is decided
    pub decision: Decision,
    /// the rule that decided; `None` where nothing did, or where it is not asked for
    pub by: Option<RuleRef>,
}

/// Works out chains of one family, each once for each mark.
#[derive(Debug)]
pub struct Chains<'k, 'p> {
    machine: &'k Machine<'p>,
    matches: Matches<'k>,
    /// rules are told apart
    attributed: bool,
    asked: FxHashMap<RuleRef, Rc<Asked>>,
    known: FxHashMap<(TableName, usize, u32), Rc<Vec<Piece>>>,
}

/// Packets on their way through a chain.
type Walking = Piece;

impl<'k, 'p> Chains<'k, 'p> {
    /// Nothing worked out yet. `attributed`: pieces are told apart by the rule that decided.
    pub fn new(machine: &'k Machine<'p>, matches: Matches<'k>, attributed: bool) -> Self {
        Chains { machine, matches, attributed, asked: FxHashMap::default(), known: FxHashMap::default() }
    }

    /// The tables and sets.
    pub fn machine(&self) -> &'k Machine<'p> {
        self.machine
    }

    /// What a chain does with packets that have this mark. The pieces do not overlap, and together are
    /// all packets.
    pub fn chain(&mut self, space: &mut Space, name: TableName, number: usize, mark: u32) -> Rc<Vec<Piece>> {
        if let Some(known) = self.known.get(&(name, number, mark)) {
            return known.clone();
        }
        let table = self.machine.table(name);
        let all = Piece {
            set: PacketSet::ALL,
            mark,
            untracked: false,
            limited: false,
            decision: Decision::None,
            by: None,
        };
        let mut walking: Vec<Walking> = vec![all];
        let mut done = Pieces::default();
        for place in 0..table.chain(number).rules.len() {
            let at = RuleRef { table: name, chain: number, rule: place };
            let mut after = Pieces::default();
            for group in walking {
                self.rule(space, table, at, group, &mut after, &mut done);
            }
            walking = after.0;
            if walking.is_empty() {
                break;
            }
        }
        walking.into_iter().for_each(|group| done.add(space, group));
        let pieces = Rc::new(done.0);
        self.known.insert((name, number, mark), pieces.clone());
        pieces
    }

    /// One rule for packets that have had the same fate: those that go on to the next rule, and those
    /// that leave the chain.
    fn rule(
        &mut self,
        space: &mut Space,
        table: &Table<'p>,
        at: RuleRef,
        group: Walking,
        after: &mut Pieces,
        done: &mut Pieces,
    ) {
        let asked = self.asked(space, table, at);
        let marked = |(value, mask, negated): &(u32, u32, bool)| (group.mark & mask == *value) != *negated;
        if !asked.marks.iter().all(marked) {
            return after.add(space, group);
        }
        let hit = space.intersection(group.set, asked.set);
        if hit.is_empty() {
            return after.add(space, group);
        }
        let miss = space.difference(group.set, asked.set);
        after.add(space, Piece { set: miss, ..group });
        let hit = Piece { set: hit, limited: group.limited || asked.limited, ..group };
        let rule = &table.chain(at.chain).rules[at.rule];
        let by = self.attributed.then_some(at);
        let decided = |decision| Piece { decision, by, ..hit };
        match rule.action {
            Some(Action::Accept) => done.add(space, decided(Decision::End(End::Accept))),
            Some(Action::Drop) => done.add(space, decided(Decision::End(End::Drop))),
            Some(Action::Reject(with)) => done.add(space, decided(Decision::End(End::Reject(*with)))),
            Some(Action::Snat { .. } | Action::Masquerade { .. }) => {
                done.add(space, decided(Decision::End(End::Accept)));
            }
            Some(Action::Dnat { address, port }) => {
                done.add(space, decided(Decision::Translate(*address, *port)));
            }
            Some(Action::Return) => done.add(space, hit),
            Some(Action::Mark { value, mask, .. }) => {
                after.add(space, Piece { mark: (hit.mark & !mask) ^ value, ..hit });
            }
            Some(Action::NoTrack) => after.add(space, Piece { untracked: true, ..hit }),
            Some(Action::Jump(_) | Action::Goto(_)) => {
                let goes = matches!(rule.action, Some(Action::Goto(_)));
                let Some(target) = rule.target else { return after.add(space, hit) };
                for piece in self.chain(space, at.table, target, hit.mark).iter() {
                    let set = space.intersection(hit.set, piece.set);
                    let piece = Piece {
                        set,
                        untracked: hit.untracked || piece.untracked,
                        limited: hit.limited || piece.limited,
                        ..*piece
                    };
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

/// Pieces in the making: those with one fate are one.
#[derive(Debug, Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn add(&mut self, space: &mut Space, piece: Piece) {
        if piece.set.is_empty() {
            return;
        }
        let same = self.0.iter_mut().find(|own| Piece { set: piece.set, ..**own } == piece);
        match same {
            Some(own) => own.set = space.union(own.set, piece.set),
            None => self.0.push(piece),
        }
    }
}
