//! Tables and sets, made ready to be walked: chains by number, sets as sorted ranges.

use super::packet::{TCP, number, range, transport};
use crate::ir::{
    Action, Chain, ConntrackStates, Family, IpSet, Match, Matcher, Members, Rule, RuleSet, SetLookup, Side,
    TableName,
};
use crate::space::nets::joined;
use rustc_hash::{FxHashMap, FxHashSet};

/// The tables of one family.
#[derive(Debug)]
pub struct Machine<'p> {
    /// in the order of [`TableName::ALL`]
    tables: Vec<Table<'p>>,
    pub(super) sets: Vec<Set>,
}

/// One table.
#[derive(Debug, Default)]
pub struct Table<'p> {
    chains: Vec<CompiledChain<'p>>,
    hooks: FxHashMap<&'static str, usize>,
}

/// A chain, with what is looked at for each rule.
#[derive(Debug)]
pub struct CompiledChain<'p> {
    /// as it was rendered
    pub chain: &'p Chain,
    /// one for each of its rules
    pub rules: Vec<CompiledRule<'p>>,
}

/// A rule.
#[derive(Debug)]
pub struct CompiledRule<'p> {
    /// all must hold
    pub conditions: Vec<Condition<'p>>,
    /// the number of the chain that the action goes to, if it goes to one
    pub target: Option<usize>,
    /// what happens
    pub action: Option<&'p Action>,
    /// if it has limits, of packets in a time or of connections: whether they let it apply as long as none
    /// is reached
    pub within_limit: Option<bool>,
    /// whether it applies is left to chance
    pub chance: bool,
    /// by that chance kube-proxy spreads packets over the endpoints of a service
    pub spreads: bool,
    /// it has a match or an action that is not understood, or a set that is not known; such a match is
    /// taken as one that does not hold, such an action as one that does nothing
    pub unknown: bool,
}

/// A match with its texts and numbers worked out.
#[derive(Debug)]
pub struct Condition<'p> {
    pub(super) negated: bool,
    pub(super) on: On<'p>,
}

#[derive(Debug)]
pub(super) enum On<'p> {
    Protocol(u8),
    Addresses(Side, Vec<(u128, u128)>),
    InInterface(&'p str),
    OutInterface(&'p str),
    Ports(Side, &'p [(u16, u16)]),
    Port(Side, u16, u16),
    Set(usize, SetLookup),
    Icmp(u8, Option<u8>),
    Mark {
        value: u32,
        mask: u32,
    },
    ConnectionMark {
        value: u32,
        mask: u32,
    },
    Conntrack(ConntrackStates),
    LocalAddress {
        side: Side,
        of_interface: bool,
    },
    ReversePathFails,
    TcpSyn,
    /// for every packet
    Always,
    /// whether it holds as long as a limit is not reached
    Limit(bool),
    /// left to chance; taken as one that does not hold
    Chance,
    /// nobody knows; negated or not, it is taken as one that does not hold
    Unknown,
}

/// The members of a set.
#[derive(Debug)]
pub(super) enum Set {
    /// ranges in order, without overlap
    Ranges(Vec<(u128, u128)>),
    /// address, protocol and port
    Ports(FxHashSet<(u128, u8, u16)>),
}

impl<'p> Machine<'p> {
    /// Makes the tables of one family ready, with the sets of a node.
    pub fn new(rules: &'p RuleSet, sets: &'p [IpSet]) -> Self {
        let own: Vec<&IpSet> = sets.iter().filter(|set| set.family == rules.family).collect();
        let numbers: FxHashMap<&str, usize> = (0..).zip(&own).map(|(at, set)| (&*set.name, at)).collect();
        let table = |name: TableName| {
            let table = rules.tables.iter().find(|table| table.name == name);
            table.map_or_else(Table::default, |table| Table::new(table, rules.family, &numbers))
        };
        Machine {
            tables: TableName::ALL.map(table).into(),
            sets: own.iter().map(|set| compile_set(set)).collect(),
        }
    }

    /// All tables.
    pub(super) fn tables(&self) -> &[Table<'p>] {
        &self.tables
    }

    /// A table.
    pub fn table(&self, name: TableName) -> &Table<'p> {
        let place = TableName::ALL.iter().position(|own| *own == name).unwrap_or_default();
        &self.tables[place]
    }
}

impl<'p> Table<'p> {
    fn new(table: &'p crate::ir::Table, family: Family, sets: &FxHashMap<&str, usize>) -> Self {
        let all: Vec<&'p Chain> = table.hooks.iter().chain(&table.chains).map(|chain| &**chain).collect();
        let numbers: FxHashMap<&str, usize> = (0..).zip(&all).map(|(at, chain)| (&*chain.name, at)).collect();
        let rule = |rule: &'p Rule, chain: &Chain| {
            let conditions: Vec<Condition> =
                rule.matches.iter().map(|one| condition(one, family, sets)).collect();
            CompiledRule {
                unknown: matches!(rule.action, Some(Action::Other(_)))
                    || conditions.iter().any(|one| matches!(one.on, On::Unknown)),
                conditions,
                target: rule
                    .action
                    .as_ref()
                    .and_then(Action::target)
                    .and_then(|name| numbers.get(&**name).copied()),
                action: rule.action.as_ref(),
                within_limit: rule
                    .matches
                    .iter()
                    .filter_map(|one| one.on.holds_within_limit().map(|holds| holds != one.negated))
                    .reduce(|a, b| a && b),
                chance: rule.matches.iter().any(|one| matches!(one.on, Matcher::Random(_))),
                spreads: ["KUBE-SVC-", "KUBE-SVL-"].iter().any(|prefix| chain.name.starts_with(prefix)),
            }
        };
        let chains = all.iter().map(|chain| CompiledChain {
            chain,
            rules: chain.rules.iter().map(|own| rule(own, chain)).collect(),
        });
        let hooks = table.name.hooks().iter().filter_map(|hook| Some((*hook, *numbers.get(hook)?)));
        Table { chains: chains.collect(), hooks: hooks.collect() }
    }

    /// The number of a hook's chain.
    pub fn hook(&self, hook: &str) -> Option<usize> {
        self.hooks.get(hook).copied()
    }

    /// All chains, by number.
    pub fn chains(&self) -> &[CompiledChain<'p>] {
        &self.chains
    }

    /// A chain by its number.
    pub fn chain(&self, number: usize) -> &CompiledChain<'p> {
        &self.chains[number]
    }
}

fn condition<'p>(one: &'p Match, family: Family, sets: &FxHashMap<&str, usize>) -> Condition<'p> {
    let on = match &one.on {
        Matcher::Protocol(protocol) => match protocol.number() {
            // protocol 0 stands for all
            Some(0) => On::Always,
            Some(number) => On::Protocol(number),
            None => On::Unknown,
        },
        Matcher::Address(side, addresses) => {
            On::Addresses(*side, addresses.iter().map(|address| range(address.net())).collect())
        }
        Matcher::InInterface(name) => On::InInterface(name),
        Matcher::OutInterface(name) => On::OutInterface(name),
        Matcher::Ports(side, ranges) => On::Ports(*side, ranges),
        Matcher::Port(side, first, last) => On::Port(*side, *first, *last),
        Matcher::Set(name, lookup) => match sets.get(&**name) {
            Some(number) => On::Set(*number, *lookup),
            None => On::Unknown,
        },
        // type 255 of IPv4 stands for any
        Matcher::Icmp(255, _) if family == Family::V4 => On::Always,
        Matcher::Icmp(kind, code) => On::Icmp(*kind, *code),
        Matcher::Mark { value, mask, .. } => On::Mark { value: *value, mask: *mask },
        Matcher::ConnectionMark { value, mask } => On::ConnectionMark { value: *value, mask: *mask },
        Matcher::Conntrack(states) => On::Conntrack(*states),
        Matcher::LocalAddress { side, limit_iface_out } => {
            On::LocalAddress { side: *side, of_interface: *limit_iface_out }
        }
        Matcher::ReversePathFails => On::ReversePathFails,
        Matcher::TcpSyn => On::TcpSyn,
        Matcher::Limit { .. } => On::Limit(true),
        Matcher::ConnectionsAbove(_) => On::Limit(false),
        Matcher::OtherLimit { within, .. } => On::Limit(*within),
        // some packets, not this one
        Matcher::Random(_) => On::Chance,
        Matcher::Other(_) => On::Unknown,
    };
    Condition { negated: one.negated, on }
}

fn compile_set(set: &IpSet) -> Set {
    let ranges = |all| Set::Ranges(joined(all));
    match (&set.members, set.family) {
        (Members::Addresses(addresses), _) => {
            ranges(addresses.iter().map(|address| (number(*address), number(*address))).collect())
        }
        (Members::Nets(nets), Family::V4) => ranges(nets.v4.iter().map(|net| range((*net).into())).collect()),
        (Members::Nets(nets), Family::V6) => ranges(nets.v6.iter().map(|net| range((*net).into())).collect()),
        (Members::Ports(ports), _) => Set::Ports(
            ports
                .iter()
                .map(|member| {
                    (number(member.address), transport(member.protocol).unwrap_or(TCP), member.port)
                })
                .collect(),
        ),
    }
}

impl Set {
    /// Whether an address is in it.
    pub(super) fn has(&self, address: u128) -> bool {
        match self {
            Set::Ranges(ranges) => {
                let after = ranges.partition_point(|(first, _)| *first <= address);
                after > 0 && ranges[after - 1].1 >= address
            }
            Set::Ports(_) => false,
        }
    }

    /// Whether an address with a port is in it.
    pub(super) fn has_port(&self, address: u128, protocol: u8, port: u16) -> bool {
        match self {
            Set::Ports(members) => members.contains(&(address, protocol, port)),
            Set::Ranges(_) => false,
        }
    }
}
