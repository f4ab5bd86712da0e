//! What a chain does with all packets.

use super::marks::Marks;
use super::matches::{Asked, Doubt, Matches, connected};
use super::path::Now;
use crate::ir::{Action, Origin, TableName};
use crate::kernel::machine::{Machine, Table};
use crate::kernel::walk::End;
use crate::space::{PacketSet, Space};
use rustc_hash::FxHashMap;
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

/// A rule with a limit that was on the way, and on which side of the limit the way goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limit {
    /// the rule
    pub rule: RuleRef,
    /// it applies
    pub applies: bool,
    /// this is as long as the limit is not reached
    pub within: bool,
}

/// What a chain decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'p> {
    /// nothing: the packet comes back
    None,
    /// the table lets go of it
    End(End),
    /// the table lets go of it, translated by this action
    Translate(&'p Action),
}

/// Packets to which a chain does the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'p> {
    /// which
    pub set: PacketSet,
    /// their marks afterwards
    pub marks: Marks,
    /// a rule has exempted them from tracking
    pub untracked: bool,
    /// the limits on the way, each rule once; other pieces, on other sides of them, have the same packets
    pub limits: Vec<Limit>,
    /// whether a rule on the way applies is not known: then other pieces have the same packets
    pub doubt: Doubt,
    /// what is decided
    pub decision: Decision<'p>,
    /// the rules that led to it: those that noted a verdict in the mark, or that took them for a service, then the
    /// one that decided; empty where they are not asked for
    pub by: Vec<RuleRef>,
}

impl Piece<'_> {
    /// Packets that nothing has happened to.
    pub fn new(set: PacketSet, marks: Marks) -> Self {
        Piece {
            set,
            marks,
            untracked: false,
            limits: Vec::new(),
            doubt: Doubt::None,
            decision: Decision::None,
            by: Vec::new(),
        }
    }

    /// Whether only the packets differ.
    fn is_like(&self, other: &Piece<'_>) -> bool {
        (self.marks, self.untracked, self.doubt) == (other.marks, other.untracked, other.doubt)
            && self.decision == other.decision
            && self.limits == other.limits
            && self.by == other.by
    }
}

/// Whether to tell packets apart by the rules that led to a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribution {
    /// no: what a chain does is worked out once for all packets
    Off,
    /// no, but chains are walked for just the packets that are asked about
    Walk,
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
    known: FxHashMap<(TableName, usize, Marks), Rc<Vec<Piece<'p>>>>,
}

impl<'k, 'p> Chains<'k, 'p> {
    /// Nothing worked out yet.
    pub fn new(machine: &'k Machine<'p>, matches: Matches<'k>, attribution: Attribution) -> Self {
        Chains { machine, matches, attribution, asked: FxHashMap::default(), known: FxHashMap::default() }
    }

    /// Whether packets are told apart by rules.
    pub fn attribution(&self) -> Attribution {
        self.attribution
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
        packets: &Piece<'p>,
        now: &Now,
    ) -> Vec<Piece<'p>> {
        if self.attribution != Attribution::Off {
            return self.walk(space, name, chain, packets.clone(), now);
        }
        let known = self.chain(space, name, chain, packets.marks);
        let mut pieces = Pieces::default();
        for piece in known.iter() {
            let asked = now.put_into(space, piece.set);
            let set = space.intersection(packets.set, asked);
            if let Some(piece) = joined(packets, piece, set) {
                pieces.add(space, piece);
            }
        }
        pieces.0
    }

    /// What a chain does with all packets that have these marks.
    fn chain(
        &mut self,
        space: &mut Space,
        name: TableName,
        chain: usize,
        marks: Marks,
    ) -> Rc<Vec<Piece<'p>>> {
        if let Some(known) = self.known.get(&(name, chain, marks)) {
            return known.clone();
        }
        let all = Piece::new(PacketSet::ALL, marks);
        let pieces = Rc::new(self.walk(space, name, chain, all, &Now::default()));
        self.known.insert((name, chain, marks), pieces.clone());
        pieces
    }

    fn walk(
        &mut self,
        space: &mut Space,
        name: TableName,
        chain: usize,
        start: Piece<'p>,
        now: &Now,
    ) -> Vec<Piece<'p>> {
        let table = self.machine.table(name);
        let mut walking: Vec<Piece<'p>> = vec![start];
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
        group: Piece<'p>,
        now: &Now,
        after: &mut Pieces<'p>,
        done: &mut Pieces<'p>,
    ) {
        let asked = self.asked(space, table, at);
        if asked.marks.iter().any(|mark| group.marks.holds(mark) == Some(false)) {
            return after.add(space, group);
        }
        let applies = now.put_into(space, asked.set);
        let hit = space.intersection(group.set, applies);
        if hit.is_empty() {
            return after.add(space, group);
        }
        let miss = space.difference(group.set, applies);
        after.add(space, Piece { set: miss, ..group.clone() });
        let mut hit = Piece { set: hit, ..group };
        let compiled = table.chain(at.chain);
        let rule = &compiled.rules[at.rule];
        if !rule.action.is_some_and(acts) {
            return after.add(space, hit);
        }
        // perhaps it does not apply
        if asked.doubt != Doubt::None {
            hit.doubt = hit.doubt.max(asked.doubt);
            after.add(space, hit.clone());
        }
        for mark in &asked.marks {
            match hit.marks.holds(mark) {
                Some(true) => {}
                Some(false) => return after.add(space, hit),
                None => {
                    hit.doubt = hit.doubt.max(Doubt::Connection);
                    let marks = hit.marks.learn(mark, false);
                    after.add(space, Piece { marks, ..hit.clone() });
                    hit.marks = hit.marks.learn(mark, true);
                }
            }
        }
        if let Some(within) = rule.within_limit {
            match hit.limits.iter().find(|limit| limit.rule == at) {
                // on one side of a limit, a packet is there each time
                Some(limit) if limit.applies => {}
                Some(_) => return after.add(space, hit),
                None => {
                    let limit = |applies| Limit { rule: at, applies, within: applies == within };
                    let mut beside = hit.clone();
                    beside.limits.push(limit(false));
                    after.add(space, beside);
                    hit.limits.push(limit(true));
                }
            }
        }
        let mut decided = |mut hit: Piece<'p>, decision| {
            if matches!(self.attribution, Attribution::On { .. }) {
                hit.by.push(at);
            }
            done.add(space, Piece { decision, ..hit });
        };
        match rule.action {
            Some(Action::Accept) => decided(hit, Decision::End(End::Accept)),
            Some(Action::Drop) => decided(hit, Decision::End(End::Drop)),
            Some(Action::Reject(with)) => decided(hit, Decision::End(End::Reject(*with))),
            Some(
                action @ (Action::Dnat(_)
                | Action::Redirect(_)
                | Action::NetMap(_)
                | Action::Snat(_)
                | Action::Masquerade(_)),
            ) => decided(hit, Decision::Translate(action)),
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
                hit.marks = hit.marks.set(*value, *mask);
                after.add(space, hit);
            }
            Some(Action::ConnectionMark(what)) => {
                let connected = connected(space);
                let connected = now.put_into(space, connected);
                let marks = hit.marks.change(*what);
                let (with, without) =
                    (space.intersection(hit.set, connected), space.difference(hit.set, connected));
                after.add(space, Piece { set: with, marks, ..hit.clone() });
                after.add(space, Piece { set: without, ..hit });
            }
            Some(Action::NoTrack) => after.add(space, Piece { untracked: true, ..hit }),
            Some(Action::Jump(_) | Action::Goto(_)) => {
                let goes = matches!(rule.action, Some(Action::Goto(_)));
                let Some(target) = rule.target else { return after.add(space, hit) };
                let takes = |origin: &Origin| matches!(origin, Origin::Service(own) if own.takes.is_some());
                if matches!(self.attribution, Attribution::On { .. })
                    && takes(&compiled.chain.rules[at.rule].origin)
                {
                    hit.by.push(at);
                }
                for piece in self.jump(space, at.table, target, hit, now) {
                    match piece.decision {
                        Decision::None if !goes => after.add(space, piece),
                        _ => done.add(space, piece),
                    }
                }
            }
            Some(Action::Other(_)) => after.add(space, Piece { doubt: Doubt::Target, ..hit }),
            Some(Action::Log { .. } | Action::NfLog { .. } | Action::Dscp(_) | Action::Neutral(_)) | None => {
                after.add(space, hit);
            }
        }
    }

    fn jump(
        &mut self,
        space: &mut Space,
        name: TableName,
        chain: usize,
        hit: Piece<'p>,
        now: &Now,
    ) -> Vec<Piece<'p>> {
        if self.attribution != Attribution::Off {
            return self.walk(space, name, chain, hit, now);
        }
        let known = self.chain(space, name, chain, hit.marks);
        let pieces = known.iter().filter_map(|piece| {
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

/// Whether it matters that a rule with this action applies.
fn acts(action: &Action) -> bool {
    !matches!(action, Action::Log { .. } | Action::NfLog { .. } | Action::Dscp(_) | Action::Neutral(_))
}

/// What became of packets before a chain, and in it; `None` if no packet goes both ways, because they are on
/// different sides of a limit.
fn joined<'p>(before: &Piece<'p>, inside: &Piece<'p>, set: PacketSet) -> Option<Piece<'p>> {
    let mut limits = before.limits.clone();
    for limit in &inside.limits {
        match limits.iter().find(|own| own.rule == limit.rule) {
            Some(own) if own.applies == limit.applies => {}
            Some(_) => return None,
            None => limits.push(*limit),
        }
    }
    Some(Piece {
        set,
        untracked: before.untracked || inside.untracked,
        limits,
        doubt: before.doubt.max(inside.doubt),
        by: [&*before.by, &*inside.by].concat(),
        ..inside.clone()
    })
}

/// Pieces in the making: those with one fate are one.
#[derive(Debug, Default)]
struct Pieces<'p>(Vec<Piece<'p>>);

impl<'p> Pieces<'p> {
    fn add(&mut self, space: &mut Space, piece: Piece<'p>) {
        if piece.set.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|own| own.is_like(&piece)) {
            Some(own) => own.set = space.union(own.set, piece.set),
            None => self.0.push(piece),
        }
    }
}
