//! What chains do with packets, as far as anybody can tell.
//!
//! Two chains are the same if every packet leaves them the same way: with the same verdict, mark and
//! tracking, and with the same things told and done on the way (logs, translations, limits that it was
//! counted for). What a rule asks of the node (is this address local? would the answer leave on another
//! interface?) is left open, so that the answer holds on any node. A match that is not a question about
//! the packet, a limit or chance, may hold or not: both ways are followed and noted.

use super::version::{Version, versions};
use crate::emit::felix;
use crate::ir::{Action, Family, IpSet, Matcher, RuleSet, TableName};
use crate::kernel::Machine;
use crate::kernel::machine::CompiledRule;
use crate::kernel::symbolic::{Asked, Doubt, Interfaces, Matches};
use crate::space::{PacketSet, Space};
use indexmap::{IndexMap, IndexSet};
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::rc::Rc;

/// A number for a text: a verdict, or something told or done.
pub type Text = u32;

/// How packets leave a chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fate {
    /// what ended the table for them; `None`: they come back from the chain
    pub end: Option<Text>,
    /// their mark
    pub mark: u32,
    /// they are exempt from tracking
    pub untracked: bool,
    /// what was told and done on the way, in order
    pub events: Rc<[Text]>,
}

/// Packets by the way they leave. The sets do not overlap, unless by a match that may hold or not.
pub type Outcomes = IndexMap<Fate, PacketSet, FxBuildHasher>;

/// One family's tables, ready to be looked into.
pub struct Tables<'p> {
    /// chains and sets by number
    pub machine: Machine<'p>,
    versions: [Vec<Version>; TableName::ALL.len()],
}

impl<'p> Tables<'p> {
    /// Makes them ready.
    pub fn new(rules: &'p RuleSet, sets: &'p [IpSet]) -> Self {
        let machine = Machine::new(rules, sets);
        let versions = TableName::ALL.map(|name| versions(machine.table(name), rules.family));
        Tables { machine, versions }
    }

    /// What a chain says.
    pub fn version(&self, table: TableName, chain: usize) -> Version {
        self.versions[table as usize][chain]
    }
}

/// Works out what chains of one family do. Chains that it has seen in other tables are not worked out
/// again: whatever has been learnt is kept by what the chains say, not by where they stand.
pub struct Judge<'k> {
    /// where the sets live
    pub space: Space,
    /// numbers of interfaces
    pub interfaces: &'k Interfaces,
    texts: IndexSet<Box<str>, FxBuildHasher>,
    known: FxHashMap<(Version, u32), Rc<Outcomes>>,
}

impl<'k> Judge<'k> {
    /// Nothing known yet.
    pub fn new(family: Family, interfaces: &'k Interfaces) -> Self {
        Judge {
            space: Space::new(family),
            interfaces,
            texts: IndexSet::default(),
            known: FxHashMap::default(),
        }
    }

    /// What a number stands for.
    pub fn text(&self, text: Text) -> &str {
        self.texts.get_index(text as usize).map_or("", |text| text)
    }

    /// The number of a text.
    fn number(&mut self, text: String) -> Text {
        self.texts.insert_full(text.into_boxed_str()).0 as Text
    }

    /// Looks into tables.
    pub fn look<'j, 'p>(&'j mut self, tables: &'j Tables<'p>) -> Look<'j, 'k, 'p> {
        let matches = Matches::new(self.interfaces, None);
        Look { judge: self, tables, matches, asked: FxHashMap::default() }
    }
}

/// What is known of packets in a chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    mark: u32,
    untracked: bool,
    events: Rc<[Text]>,
}

type States = IndexMap<State, PacketSet, FxBuildHasher>;

/// Looks into tables of one family.
pub struct Look<'j, 'k, 'p> {
    /// with what it knows
    pub judge: &'j mut Judge<'k>,
    /// the tables
    pub tables: &'j Tables<'p>,
    matches: Matches<'k>,
    asked: FxHashMap<(TableName, usize, usize), Rc<Asked>>,
}

impl Look<'_, '_, '_> {
    /// What a chain does with all packets that come with this mark.
    pub fn chain(&mut self, table: TableName, chain: usize, mark: u32) -> Rc<Outcomes> {
        let key = (self.tables.version(table, chain), mark);
        if let Some(known) = self.judge.known.get(&key) {
            return known.clone();
        }
        let mut walking = States::default();
        walking.insert(State { mark, untracked: false, events: Rc::default() }, PacketSet::ALL);
        let mut done = Outcomes::default();
        for place in 0..self.tables.machine.table(table).chain(chain).rules.len() {
            let mut after = States::default();
            for (state, set) in walking {
                self.rule((table, chain, place), state, set, &mut after, &mut done);
            }
            walking = after;
            if walking.is_empty() {
                break;
            }
        }
        for (State { mark, untracked, events }, set) in walking {
            self.add(&mut done, Fate { end: None, mark, untracked, events }, set);
        }
        let done = Rc::new(done);
        self.judge.known.insert(key, done.clone());
        done
    }

    /// What a rule asks of packets.
    pub fn asked(&mut self, (table, chain, place): (TableName, usize, usize)) -> Rc<Asked> {
        let machine = &self.tables.machine;
        let (matches, space) = (&mut self.matches, &mut self.judge.space);
        let asked = self.asked.entry((table, chain, place)).or_insert_with(|| {
            let rule = &machine.table(table).chain(chain).rules[place];
            Rc::new(matches.rule(space, machine, rule))
        });
        asked.clone()
    }

    fn rule(
        &mut self,
        at: (TableName, usize, usize),
        state: State,
        set: PacketSet,
        after: &mut States,
        done: &mut Outcomes,
    ) {
        let asked = self.asked(at);
        if !applies(&asked, state.mark) {
            return self.add(after, state, set);
        }
        let hit = self.judge.space.intersection(set, asked.set);
        let miss = self.judge.space.difference(set, asked.set);
        self.add(after, state.clone(), miss);
        if hit.is_empty() {
            return;
        }
        let compiled = self.tables.machine.table(at.0).chain(at.1);
        let rule = &compiled.rules[at.2];
        let mut state = state;
        if is_open(&asked) {
            // whoever shares a limit shares what is left of it, so its place counts
            let text = open_text(&compiled.chain.rules[at.2], &compiled.chain.name, self.family());
            let (holds, not) =
                (self.judge.number(format!("{text} holds")), self.judge.number(format!("{text} does not")));
            self.add(after, state.and(not), hit);
            state = state.and(holds);
        }
        self.act(at.0, rule, state, hit, after, done);
    }

    fn act(
        &mut self,
        table: TableName,
        rule: &CompiledRule<'_>,
        state: State,
        hit: PacketSet,
        after: &mut States,
        done: &mut Outcomes,
    ) {
        let State { mark, untracked, events } = state.clone();
        match rule.action {
            None => self.add(after, state, hit),
            Some(Action::Return) => self.add(done, Fate { end: None, mark, untracked, events }, hit),
            Some(Action::Mark { value, mask, .. }) => {
                self.add(after, State { mark: (mark & !mask) ^ value, ..state }, hit);
            }
            Some(Action::NoTrack) => self.add(after, State { untracked: true, ..state }, hit),
            Some(action @ (Action::Jump(_) | Action::Goto(_))) => {
                let Some(target) = rule.target else { return self.add(after, state, hit) };
                let outcomes = self.chain(table, target, mark);
                for (fate, set) in outcomes.iter() {
                    let set = self.judge.space.intersection(hit, *set);
                    if set.is_empty() {
                        continue;
                    }
                    let untracked = untracked || fate.untracked;
                    let events = match fate.events.is_empty() {
                        true => events.clone(),
                        false => [&*events, &*fate.events].concat().into(),
                    };
                    let fate = Fate { untracked, events, ..fate.clone() };
                    if fate.end.is_none() && matches!(action, Action::Jump(_)) {
                        let Fate { mark, untracked, events, .. } = fate;
                        self.add(after, State { mark, untracked, events }, set);
                    } else {
                        self.add(done, fate, set);
                    }
                }
            }
            Some(action) => {
                let text = self.judge.number(action_text(action));
                if ends_table(action) {
                    self.add(done, Fate { end: Some(text), mark, untracked, events }, hit);
                } else {
                    self.add(after, state.and(text), hit);
                }
            }
        }
    }

    fn add<K: std::hash::Hash + Eq>(
        &mut self,
        to: &mut IndexMap<K, PacketSet, FxBuildHasher>,
        key: K,
        set: PacketSet,
    ) {
        if set.is_empty() {
            return;
        }
        let own = to.entry(key).or_insert(PacketSet::NONE);
        *own = self.judge.space.union(*own, set);
    }

    fn family(&self) -> Family {
        self.judge.space.family()
    }
}

impl State {
    fn and(&self, event: Text) -> State {
        State { events: [&*self.events, &[event]].concat().into(), ..self.clone() }
    }
}

/// Whether a rule's matches on the packet's mark hold.
pub fn applies(asked: &Asked, mark: u32) -> bool {
    asked.marks.iter().all(|one| one.of_connection || one.holds(mark))
}

/// Whether a rule may hold or not for packets that it is about.
pub fn is_open(asked: &Asked) -> bool {
    asked.limited || asked.doubt != Doubt::None || asked.marks.iter().any(|one| one.of_connection)
}

/// Whether a match may hold or not, whatever the packet.
pub fn is_open_match(on: &Matcher) -> bool {
    matches!(
        on,
        Matcher::Limit { .. }
            | Matcher::ConnectionsAbove(_)
            | Matcher::OtherLimit { .. }
            | Matcher::ConnectionMark { .. }
            | Matcher::Random(_)
            | Matcher::Other(_)
    )
}

/// Whether no rule of the table is looked at after this.
pub fn ends_table(action: &Action) -> bool {
    match action {
        Action::Accept
        | Action::Drop
        | Action::Reject(_)
        | Action::Dnat(_)
        | Action::Redirect(_)
        | Action::Snat(_)
        | Action::Masquerade(_)
        | Action::NetMap(_) => true,
        Action::Return
        | Action::Jump(_)
        | Action::Goto(_)
        | Action::Mark { .. }
        | Action::ConnectionMark(_)
        | Action::NoTrack
        | Action::Log { .. }
        | Action::NfLog { .. }
        | Action::Dscp(_)
        | Action::Neutral(_)
        | Action::Other(_) => false,
    }
}

/// An action as Felix writes it.
pub fn action_text(action: &Action) -> String {
    let mut text = String::new();
    felix::action(&mut text, action);
    text
}

fn open_text(rule: &crate::ir::Rule, chain: &str, family: Family) -> String {
    let mut text = chain.to_owned();
    felix::conditions(&mut text, rule.matches.iter().filter(|one| is_open_match(&one.on)), family);
    text
}
