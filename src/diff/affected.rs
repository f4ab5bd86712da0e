//! Packets whose fate can be another one, found without sending any.
//!
//! A packet that meets no rule that differs, and no route, address or service that differs, is treated alike on both
//! sides. So what differs is looked for in the rules, chain by chain from the hooks on, and only packets that may
//! meet it need to be sent. There may be too many of them, never too few: marks and conntrack states are not looked
//! at, and of packets that may be translated those count that one of their new destinations could make meet it.

use super::side::Side;
use crate::emit::felix;
use crate::emit::ipset::each_member;
use crate::ir::{Action, Family, Matcher, Origin, Rule, TableName, Translation};
use crate::kernel::machine::Table;
use crate::kernel::packet::number;
use crate::kernel::route::{LOOPBACK, Routes};
use crate::kernel::symbolic::{Interfaces, Matches};
use crate::space::{Field, PacketSet, Range, Space};
use crate::syntax::ip_route::Way;
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest, Sha256};
use similar::{Algorithm, DiffOp};
use std::collections::BTreeMap;

/// What a chain or a set says, in short.
type Content = [u8; 16];

fn content(texts: &[String]) -> Content {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hash.finalize()[..16]);
    short
}

/// One side, with numbers for what it says.
struct Told<'k, 'p> {
    side: &'k Side<'p>,
    matches: Matches<'k>,
    sets: FxHashMap<&'p str, Content>,
    /// for each table, those of its chains
    chains: [Vec<Content>; TableName::ALL.len()],
}

/// The packets that may be treated otherwise, as they come in; those of processes have no interface.
pub fn affected(
    space: &mut Space,
    before: &Side<'_>,
    after: &Side<'_>,
    interfaces: &Interfaces,
) -> PacketSet {
    let [before_told, after_told] = [before, after].map(|side| Told::new(side, space.family(), interfaces));
    let names = TableName::ALL.map(|table| names(&before_told, &after_told, space.family(), table));
    let mut pair = Pair { before: before_told, after: after_told, names, known: FxHashMap::default() };
    let mut met = Vec::new();
    for table in TableName::ALL {
        for hook in table.hooks() {
            met.push(pair.hook(space, table, hook));
        }
    }
    let met = space.union_of(met);
    let translated = pair.translated(space, interfaces);
    let rules = as_it_comes(space, met, &translated, &[before, after], interfaces);
    let routes = of_routes(space, before, after);
    if routes.is_empty() {
        return rules;
    }
    // wherever they are sent, the way there may differ
    let translated = translated.into_iter().map(|own| own.set).collect::<Vec<_>>();
    let translated = space.union_of(translated);
    space.union_of([rules, routes, translated])
}

impl<'k, 'p> Told<'k, 'p> {
    fn new(side: &'k Side<'p>, family: Family, interfaces: &'k Interfaces) -> Self {
        let mut sets = FxHashMap::default();
        for set in side.own.program.sets.iter().filter(|set| set.family == family) {
            let mut text = String::new();
            each_member(set, |member| {
                text.push_str(member);
                text.push(' ');
            });
            sets.insert(&*set.name, content(&[set.kind().name().to_owned(), text]));
        }
        let matches = Matches::new(interfaces, Some(&side.kernel.routes));
        let mut told = Told { side, matches, sets, chains: Default::default() };
        for name in TableName::ALL {
            let table = side.machine(family).table(name);
            let mut known = vec![None; table.chains().len()];
            let all = (0..known.len()).map(|chain| told.content(table, chain, family, &mut known));
            let all = all.collect();
            told.chains[name as usize] = all;
        }
        told
    }

    /// The depth of the recursion is that of the chains, which do not form circles.
    fn content(
        &self,
        table: &Table<'_>,
        chain: usize,
        family: Family,
        known: &mut Vec<Option<Content>>,
    ) -> Content {
        if let Some(content) = known[chain] {
            return content;
        }
        let compiled = table.chain(chain);
        let mut texts = vec![compiled.chain.policy.name().to_owned()];
        for (rule, ready) in compiled.chain.rules.iter().zip(&compiled.rules) {
            let mut text = conditions(rule, family);
            for one in &rule.matches {
                if let Matcher::Set(name, _) = &one.on {
                    text.push_str(&format!(" {:?}", self.sets.get(&**name)));
                }
            }
            match (&rule.action, ready.target) {
                (Some(action @ (Action::Jump(_) | Action::Goto(_))), Some(target)) => {
                    let content = self.content(table, target, family, known);
                    text.push_str(&format!(" {} {content:?}", matches!(action, Action::Jump(_))));
                }
                (Some(action), _) => felix::action(&mut text, action),
                (None, _) => {}
            }
            texts.push(text);
        }
        *known[chain].insert(content(&texts))
    }

    fn table(&self, family: Family, name: TableName) -> &'k Table<'p> {
        self.side.machine(family).table(name)
    }

    /// What a rule applies to, whatever the mark.
    fn asked(&mut self, space: &mut Space, table: TableName, chain: usize, rule: usize) -> PacketSet {
        let machine = self.side.machine(space.family());
        let rule = &machine.table(table).chain(chain).rules[rule];
        self.matches.rule(space, machine, rule).set
    }
}

fn names(
    before: &Told<'_, '_>,
    after: &Told<'_, '_>,
    family: Family,
    table: TableName,
) -> FxHashMap<Box<str>, Content> {
    let contents = |side: &Told<'_, '_>| -> FxHashMap<Box<str>, Content> {
        let chains = side.table(family, table).chains().iter();
        let names = chains.map(|chain| Box::from(&*chain.chain.name));
        names.zip(side.chains[table as usize].iter().copied()).collect()
    };
    let (old, new) = (contents(before), contents(after));
    let there: FxHashSet<Content> = new.values().copied().collect();
    let both: FxHashSet<Content> = old.values().filter(|own| there.contains(*own)).copied().collect();
    let mut names = FxHashMap::default();
    for (name, content) in old.iter().chain(&new) {
        let one = old.get(name).is_none_or(|own| own == content);
        let other = new.get(name).is_none_or(|own| own == content);
        if one && other && both.contains(content) {
            names.insert(name.clone(), *content);
        }
    }
    names
}

fn conditions(rule: &Rule, family: Family) -> String {
    let mut text = String::new();
    felix::conditions(&mut text, &rule.matches, family);
    text
}

struct Pair<'k, 'p> {
    before: Told<'k, 'p>,
    after: Told<'k, 'p>,
    /// for each table, the chains that are said by what they say: both sides have it, and the name does not stand for
    /// something else on one of them
    names: [FxHashMap<Box<str>, Content>; TableName::ALL.len()],
    /// for pairs of chains, packets that meet a difference in them
    known: FxHashMap<(TableName, usize, usize), PacketSet>,
}

impl<'p> Pair<'_, 'p> {
    fn hook(&mut self, space: &mut Space, table: TableName, hook: &str) -> PacketSet {
        let family = space.family();
        let [old, new] = [&self.before, &self.after].map(|side| side.table(family, table).hook(hook));
        match (old, new) {
            (None, None) => PacketSet::NONE,
            (Some(old), Some(new)) => self.chains(space, table, old, new),
            (Some(_), None) | (None, Some(_)) => PacketSet::ALL,
        }
    }

    /// Packets that meet a difference in two chains that stand for each other.
    fn chains(&mut self, space: &mut Space, table: TableName, old: usize, new: usize) -> PacketSet {
        if self.before.chains[table as usize][old] == self.after.chains[table as usize][new] {
            return PacketSet::NONE;
        }
        if let Some(known) = self.known.get(&(table, old, new)) {
            return *known;
        }
        let family = space.family();
        let [one, other] = [(&self.before, old), (&self.after, new)]
            .map(|(side, chain)| side.table(family, table).chain(chain).chain);
        let mut met = Vec::new();
        if one.policy != other.policy {
            met.push(PacketSet::ALL);
        }
        let (texts, others) =
            (self.texts(&one.rules, family, table), self.texts(&other.rules, family, table));
        for op in similar::capture_diff_slices(Algorithm::Myers, &texts, &others) {
            match op {
                DiffOp::Equal { old_index, new_index, len } => {
                    for at in 0..len {
                        met.push(self.rules(space, table, (old, old_index + at), (new, new_index + at)));
                    }
                }
                other => {
                    let (gone, came) = (other.old_range(), other.new_range());
                    met.extend(gone.map(|rule| self.before.asked(space, table, old, rule)));
                    met.extend(came.map(|rule| self.after.asked(space, table, new, rule)));
                }
            }
        }
        let met = space.union_of(met);
        self.known.insert((table, old, new), met);
        met
    }

    /// Rules as text, with sets by name. A chain that both sides have by what it says counts as that, else by its name.
    fn texts(&self, rules: &[Rule], family: Family, table: TableName) -> Vec<String> {
        let own = &self.names[table as usize];
        let text = |rule: &Rule| {
            let mut text = conditions(rule, family);
            match &rule.action {
                Some(action @ (Action::Jump(name) | Action::Goto(name))) => {
                    text.push_str(if matches!(action, Action::Jump(_)) { " jump " } else { " goto " });
                    match own.get(&**name) {
                        Some(content) => text.push_str(&format!("{content:?}")),
                        None => text.push_str(name),
                    }
                }
                Some(action) => felix::action(&mut text, action),
                None => {}
            }
            text
        };
        rules.iter().map(text).collect()
    }

    /// Packets that meet a difference in two rules of one text: in the members of sets, or in the chain that they go to.
    fn rules(
        &mut self,
        space: &mut Space,
        table: TableName,
        (old, own): (usize, usize),
        (new, there): (usize, usize),
    ) -> PacketSet {
        let family = space.family();
        let (one, other) =
            (self.before.table(family, table).chain(old), self.after.table(family, table).chain(new));
        let sets = one.chain.rules[own].matches.iter().any(|one| match &one.on {
            Matcher::Set(name, _) => self.before.sets.get(&**name) != self.after.sets.get(&**name),
            _ => false,
        });
        let targets = (one.rules[own].target, other.rules[there].target);
        let inside = match targets {
            (Some(old), Some(new)) => self.chains(space, table, old, new),
            (None, None) => PacketSet::NONE,
            _ => PacketSet::ALL,
        };
        // what rules ask of the node's addresses and routes differs where those do, and that is looked at apart
        if !sets && inside.is_empty() {
            return PacketSet::NONE;
        }
        let before = self.before.asked(space, table, old, own);
        let after = self.after.asked(space, table, new, there);
        let apart = match sets {
            true => {
                let (less, more) = (space.difference(before, after), space.difference(after, before));
                space.union(less, more)
            }
            false => PacketSet::NONE,
        };
        let either = space.union(before, after);
        let inside = space.intersection(inside, either);
        space.union(apart, inside)
    }

    /// Packets that may get another destination, and which.
    fn translated(&mut self, space: &mut Space, interfaces: &Interfaces) -> Vec<Translated<'p>> {
        let family = space.family();
        let mut all = Vec::new();
        for told in [&mut self.before, &mut self.after] {
            let table = told.table(family, TableName::Nat);
            let services = told.side.services(space, interfaces).into_iter();
            all.extend(services.map(|service| {
                let mut to = Vec::new();
                service.chains.iter().for_each(|chain| destinations(table, *chain, &mut to));
                Translated { set: service.set, to }
            }));
            for (chain, compiled) in table.chains().iter().enumerate() {
                for (rule, ready) in compiled.rules.iter().enumerate() {
                    let of_service = matches!(compiled.chain.rules[rule].origin, Origin::Service(_));
                    if let Some(Action::Dnat(to)) = ready.action
                        && !of_service
                    {
                        let set = told.asked(space, TableName::Nat, chain, rule);
                        all.push(Translated { set, to: vec![to] });
                    }
                }
            }
        }
        for own in &mut all {
            own.set = forgotten(space, own.set, &[Field::State, Field::OutInterface, Field::InInterface]);
        }
        all
    }
}

/// Packets that get one of these destinations.
struct Translated<'p> {
    set: PacketSet,
    to: Vec<&'p Translation>,
}

/// All destinations that a chain and those that it leads to may give. The depth is that of the chains.
fn destinations<'p>(table: &Table<'p>, chain: usize, to: &mut Vec<&'p Translation>) {
    for rule in &table.chain(chain).rules {
        match (rule.action, rule.target) {
            (Some(Action::Dnat(own)), _) if !to.contains(&&**own) => to.push(own),
            (_, Some(target)) => destinations(table, target, to),
            _ => {}
        }
    }
}

fn forgotten(space: &mut Space, set: PacketSet, fields: &[Field]) -> PacketSet {
    fields.iter().fold(set, |set, field| space.forget(set, *field))
}

/// From packets as rules meet them to packets as they come in.
fn as_it_comes(
    space: &mut Space,
    met: PacketSet,
    translated: &[Translated<'_>],
    sides: &[&Side<'_>],
    interfaces: &Interfaces,
) -> PacketSet {
    let met = space.forget(met, Field::State);
    // over `lo`, packets of processes come in once more
    let lo = space.with_value(Field::InInterface, u128::from(interfaces.number(LOOPBACK)));
    let over_lo = space.intersection(met, lo);
    let over_lo = space.rewrite(over_lo, Field::InInterface, &[(0, 0)]);
    let met = space.union(met, over_lo);
    // where they leave is for their destination to say
    let mut all = Vec::new();
    for side in sides {
        let mut by_device: BTreeMap<u16, Vec<Range>> = BTreeMap::new();
        // before they are routed, and where they are delivered, packets leave on no interface; or over `lo`
        let local = side.kernel.routes.local_ranges(space.family());
        by_device.insert(interfaces.number(LOOPBACK), local);
        for (range, way) in side.kernel.routes.ranges(space.family()) {
            if let Some(Way::Device(device)) = way {
                by_device.entry(interfaces.number(device)).or_default().push(range);
            }
        }
        for (number, ranges) in by_device {
            let out = space.with_value(Field::OutInterface, u128::from(number));
            let there = space.with(Field::Destination, &ranges);
            let own = space.intersection(met, out);
            let own = space.forget(own, Field::OutInterface);
            all.push(space.intersection(own, there));
        }
    }
    let no_out = space.with_value(Field::OutInterface, 0);
    let own = space.intersection(met, no_out);
    all.push(space.forget(own, Field::OutInterface));
    let met = space.union_of(all);
    let mut all = vec![met];
    for Translated { set, to } in translated {
        let mut there = Vec::new();
        for to in to {
            let mut own = met;
            if let Some((first, last)) = to.addresses {
                let addresses = space.with(Field::Destination, &[(number(first), number(last))]);
                own = space.intersection(own, addresses);
            }
            if let Some((first, last)) = to.ports {
                let ports = space.with(Field::DestinationPort, &[(first.into(), last.into())]);
                own = space.intersection(own, ports);
            }
            there.push(own);
        }
        let there = space.union_of(there);
        let there = forgotten(space, there, &[Field::Destination, Field::DestinationPort]);
        all.push(space.intersection(there, *set));
    }
    space.union_of(all)
}

/// Packets from or to addresses whose way differs.
fn of_routes(space: &mut Space, before: &Side<'_>, after: &Side<'_>) -> PacketSet {
    if before.own.routes == after.own.routes && before.own.interfaces == after.own.interfaces {
        return PacketSet::NONE;
    }
    let ways = |space: &Space, routes: &Routes| {
        let mut ways: BTreeMap<String, Vec<Range>> = BTreeMap::new();
        for (range, way) in routes.ranges(space.family()) {
            ways.entry(format!("{way:?}")).or_default().push(range);
        }
        let names: Vec<String> = routes.interfaces().map(str::to_owned).collect();
        for name in names {
            ways.insert(format!("on {name}"), routes.ranges_on(space.family(), &name));
        }
        ways
    };
    let (old, new) = (ways(space, &before.kernel.routes), ways(space, &after.kernel.routes));
    let mut all = Vec::new();
    for way in old.keys().chain(new.keys().filter(|way| !old.contains_key(*way))) {
        for field in [Field::Source, Field::Destination] {
            let [one, other] = [&old, &new].map(|ways| ways.get(way).cloned().unwrap_or_default());
            let (one, other) = (space.with(field, &one), space.with(field, &other));
            all.extend([space.difference(one, other), space.difference(other, one)]);
        }
    }
    space.union_of(all)
}
