//! The rules and sets of one node, as data.
//!
//! A [`Program`] is what a node's kernel would hold: for each address family the four tables, and
//! the ipsets. A rule read back from a node and a rule compiled from manifests are the same kind
//! of thing, so everything that reasons about rules reasons about this.
//!
//! # What it means
//!
//! A packet enters a table at one of its hook chains and meets the rules in order. A rule applies
//! if **all** its [`Match`]es hold; a rule without matches applies to every packet. Then its
//! [`Action`] happens:
//!
//! * [`Action::Accept`], [`Action::Drop`], [`Action::Reject`] end the table (`Accept` ends this
//!   table only; the next table of the hook is entered afresh);
//! * [`Action::Jump`] goes to another chain and comes back here when that chain ends or returns;
//!   [`Action::Goto`] goes there and comes back to where *this* chain was jumped to from;
//! * [`Action::Return`] ends this chain; in a hook chain the hook's policy decides;
//! * everything else changes the packet or its connection, or only tells of it, and evaluation
//!   goes on with the next rule. What translates ends the nat table;
//! * a rule without action does nothing.
//!
//! The packet mark starts at 0 and is carried through all tables. [`Action::Mark`] replaces the
//! bits of its mask, and turns over bits outside it: `mark = (mark & !mask) ^ value`. A mark match
//! holds if `mark & mask == value`. A connection has a mark of its own, which its packets share and
//! which outlives them; see [`ConnectionMark`]. Before conntrack has seen a packet, and where it can make
//! out no connection, there is none: then no match of it holds, not even a negated one.
//!
//! Rules read from a node may hold what nobody here understands: [`Matcher::Other`] and
//! [`Action::Other`] are such text. Whoever reasons about rules must say so where it met one.
//!
//! A set match looks up the packet's source or destination address, or address, protocol and
//! port for sets of that type; sets of addresses hold CIDRs, and the address matches if any
//! member contains it.
//!
//! Two facts about spelling live here, because rule hashes depend on them and no other stage
//! could know: whether a zero value is written `0` or `0x0` ([`MarkSpelling`]), and whether an
//! address is written with its length ([`Address`]). Equality of two rules ignores neither; it
//! ignores the [`Origin`].

mod action;
mod hash;
mod ipset;
mod matches;
mod origin;
mod protocol;

pub use action::{Action, ConnectionMark, MarkSpelling, RejectWith, Translation};
pub use hash::RuleHash;
pub use ipset::{IpSet, Members, SetKind};
pub use matches::{Address, ConntrackStates, Match, Matcher, SetLookup, Side};
pub use origin::{Origin, PolicyRule};
pub use protocol::Protocol;

use std::borrow::Cow;
use std::sync::Arc;

/// Everything one node would hold.
#[derive(Debug, Clone)]
pub struct Program {
    /// IPv4 rules
    pub v4: RuleSet,
    /// IPv6 rules; no table has any where IPv6 support is off
    pub v6: RuleSet,
    /// sets of both families, sorted by name
    pub sets: Vec<IpSet>,
}

/// Address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }
}

/// The tables of one family that the kernel has loaded, in the order raw, mangle, nat, filter.
#[derive(Debug, Clone)]
pub struct RuleSet {
    /// which family
    pub family: Family,
    /// the tables
    pub tables: Vec<Table>,
}

impl RuleSet {
    /// A table, made with empty hooks if it is not there.
    pub fn table_mut(&mut self, name: TableName) -> &mut Table {
        let place = match self.tables.iter().position(|table| table.name >= name) {
            Some(place) if self.tables[place].name == name => place,
            place => {
                let place = place.unwrap_or(self.tables.len());
                let hooks = name.hooks().iter().map(|hook| Arc::new(Chain::new(*hook, Vec::new()))).collect();
                self.tables.insert(place, Table { name, hooks, chains: Vec::new() });
                place
            }
        };
        &mut self.tables[place]
    }
}

/// A table's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum TableName {
    Raw,
    Mangle,
    Nat,
    Filter,
}

impl TableName {
    /// All of them, in the order in which dumps list them.
    pub const ALL: [TableName; 4] = [TableName::Raw, TableName::Mangle, TableName::Nat, TableName::Filter];

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            TableName::Raw => "raw",
            TableName::Mangle => "mangle",
            TableName::Nat => "nat",
            TableName::Filter => "filter",
        }
    }

    /// The kernel's chains of this table, in the kernel's order.
    pub fn hooks(self) -> &'static [&'static str] {
        match self {
            TableName::Raw => &["PREROUTING", "OUTPUT"],
            TableName::Mangle => &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
            TableName::Nat => &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
            TableName::Filter => &["INPUT", "FORWARD", "OUTPUT"],
        }
    }
}

/// One table.
#[derive(Debug, Clone)]
pub struct Table {
    /// which
    pub name: TableName,
    /// one chain per hook of the table, in the kernel's order; may be empty of rules
    pub hooks: Vec<Arc<Chain>>,
    /// the other chains, sorted by name
    pub chains: Vec<Arc<Chain>>,
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// its name
    pub name: Arc<str>,
    /// what becomes of packets at its end; matters in hook chains only
    pub policy: ChainPolicy,
    /// its rules, in order
    pub rules: Vec<Rule>,
}

impl Chain {
    /// A chain that lets go of packets at its end.
    pub fn new(name: impl Into<Arc<str>>, rules: Vec<Rule>) -> Self {
        Chain { name: name.into(), policy: ChainPolicy::Accept, rules }
    }
}

/// What a hook does with packets that no rule decided about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ChainPolicy {
    /// lets them go on
    #[default]
    Accept,
    /// discards them
    Drop,
}

impl ChainPolicy {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            ChainPolicy::Accept => "ACCEPT",
            ChainPolicy::Drop => "DROP",
        }
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Felix's hash
    pub hash: Option<RuleHash>,
    /// further comments, in order
    pub comments: Vec<Cow<'static, str>>,
    /// all must hold
    pub matches: Vec<Match>,
    /// what happens then
    pub action: Option<Action>,
    /// where the rule comes from; equality ignores it
    pub origin: Origin,
}

impl Rule {
    /// A rule that applies an action to packets that match.
    pub fn new(matches: Vec<Match>, action: Action, origin: Origin) -> Self {
        Rule { hash: None, comments: Vec::new(), matches, action: Some(action), origin }
    }

    /// Adds a comment.
    #[must_use]
    pub fn comment(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.comments.push(text.into());
        self
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.comments == other.comments
            && self.matches == other.matches
            && self.action == other.action
    }
}
impl Eq for Rule {}
