//! Two states of a cluster → what changes: for packets, in objects, and in rules.
//!
//! | file | what |
//! |---|---|
//! | `objects` | objects that came, went, were renamed or changed |
//! | `services` | services that take other packets, or send them elsewhere |
//! | `side` | one of the two nodes that are compared |
//! | `affected` | packets whose fate can be another one at all |
//! | `exact` | the exact sets of packets whose fate changes |
//! | `parts` | those packets by whose they are: a pod's, an interface's, a service's |
//! | `words` | sets of packets in words |
//! | `node` | what changes for packets of a node, each with a witness |
//! | `rules` | chains, rules and members of sets |
//! | `sentence` | the answer in a sentence |
//! | `text`, `json`, `document` | the forms for people, for programs, and for reports |
//!
//! Both states are read after each other into one list of files, so that a place is a place in one of them.

mod affected;
pub mod document;
pub mod exact;
pub mod json;
mod node;
pub mod objects;
mod parts;
pub mod rules;
mod sentence;
pub mod services;
pub mod side;
pub mod text;
mod words;

pub use exact::Kind;

use crate::diagnostic::Location;
use crate::ir::{Family, TableName};
use crate::kernel::conntrack::Connection;
use crate::model::calico::Direction;
use crate::resolve::view::Interface;
use crate::resolve::{Cluster, NodeRequest};
use crate::space::{Cube, Field};
use crate::version::{CalicoVersion, Row};
use exact::Moved;
use objects::{Noted, ObjectChange};
use rayon::prelude::*;
use rules::RuleChange;
use services::ServiceChange;
use side::{Compiled, Entry};
use std::collections::BTreeSet;
use std::net::IpAddr;
use words::Names;

/// Nodes whose packets are compared, at most; of others that both states have only rules are.
pub const NODES: usize = 64;

/// Everything that differs.
#[derive(Debug, Default)]
pub struct Difference {
    /// what changes for packets; the same on several endpoints and nodes is one
    pub changes: Vec<Change>,
    /// services that take other packets, or send them elsewhere
    pub services: Vec<ServiceChange>,
    /// objects that are not what they were
    pub objects: Vec<ObjectChange>,
    /// chains and sets that are not what they were
    pub rules: Vec<RuleChange>,
    /// nodes that were compared
    pub nodes: Vec<String>,
    /// nodes whose packets were not compared, because there are too many
    pub not_walked: Vec<String>,
    /// nodes that are there on one side only: before, and after
    pub lone_nodes: [Vec<String>; 2],
    /// how many of the files are of the state before; those after them are of the other
    pub files_before: usize,
    /// the texts of both are the same
    pub same_text: bool,
    /// the versions of Calico before and after, if they are known
    pub versions: Option<[CalicoVersion; 2]>,
    /// what holds in one of the versions and not in the other
    pub facts: Vec<&'static Row>,
}

impl Difference {
    /// Whether anything differs but the text.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.objects.is_empty()
            && self.rules.is_empty()
            && self.lone_nodes.iter().all(Vec::is_empty)
    }

    /// Whether the fate of packets changes in this way.
    pub fn has(&self, kind: Kind) -> bool {
        self.changes.iter().any(|change| change.kind == kind)
    }

    /// The answer in a sentence.
    pub fn sentence(&self) -> String {
        sentence::first(self)
    }
}

/// Packets whose fate changes.
#[derive(Debug, Clone)]
pub struct Change {
    /// how
    pub kind: Kind,
    /// which packets of a connection
    pub connection: Connection,
    /// to the ends or from them; `None` where no policy decides
    pub direction: Option<Direction>,
    /// whose packets they are
    pub ends: Vec<End>,
    /// the service that they are for
    pub service: Option<Entry>,
    /// the families
    pub families: Vec<Family>,
    /// the packets in words
    pub packets: String,
    /// on one side they are let through or not by chance, by the endpoint that they get
    pub by_chance: bool,
    /// the packets at the first end, in the first family, as boxes
    pub boxes: Vec<Cube>,
    /// whether these boxes are all
    pub whole: bool,
    /// policies that are the first to select the ends for this direction
    pub selected: Vec<Selected>,
    /// one of the packets
    pub witness: Witness,
}

/// Whose packets they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum End {
    /// a pod, `namespace/name`; whether it came or went
    Pod { node: String, name: String, moved: bool },
    /// an interface of a node
    Interface { node: String, name: String },
    /// a node
    Node { node: String },
}

/// A policy that selects pods which none selected before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// kind and name
    pub name: String,
    /// none of its rules denies or passes
    pub only_allows: bool,
    /// where it is written
    pub at: Location,
}

/// A packet, and what becomes of it.
#[derive(Debug, Clone)]
pub struct Witness {
    /// the node
    pub node: String,
    /// its family
    pub family: Family,
    /// the values of all fields
    pub packet: [u128; Field::ALL.len()],
    /// the interface that it comes in on, "" if the node sends it
    pub in_interface: String,
    /// before
    pub before: Answer,
    /// after
    pub after: Answer,
}

/// What becomes of a packet.
#[derive(Debug, Clone)]
pub struct Answer {
    /// its fate in words
    pub fate: String,
    /// whether it is let through
    pub accepted: bool,
    /// the rule that decides
    pub rule: Option<Rule>,
    /// the rules that noted a verdict on the way, in order, and the one that decides
    pub steps: Vec<Rule>,
}

impl Change {
    /// The rule that lets packets through which were refused, where that is not the one that decides in the end: the
    /// first on the way that was not met before.
    pub fn opened_by(&self) -> Option<&Rule> {
        let Witness { before, after, .. } = &self.witness;
        let is_met =
            |rule: &Rule| before.steps.iter().any(|own| (own.table, &own.text) == (rule.table, &rule.text));
        let first = after.steps.iter().find(|rule| rule.at.is_some() && !is_met(rule));
        let decides = |rule: &&Rule| after.rule.as_ref().is_some_and(|own| own.text == rule.text);
        first.filter(|rule| self.kind == Kind::Widened && !decides(rule))
    }
}

/// A rule that decides.
#[derive(Debug, Clone)]
pub struct Rule {
    /// its table
    pub table: TableName,
    /// as `iptables-save` prints it, without its hash
    pub text: String,
    /// what it is for
    pub reason: String,
    /// where that is written
    pub at: Option<Location>,
}

/// One of the two states.
pub struct State<'s, 'r> {
    /// the cluster
    pub cluster: &'s Cluster<'r>,
    /// its objects
    pub noted: &'s [Noted],
    /// numbers that stand for the texts of its files
    pub digests: Vec<u64>,
}

/// Compares two states, on one node or on all. `interfaces`: of the one node, if they are known.
pub fn compare(
    before: &State<'_, '_>,
    after: &State<'_, '_>,
    node: Option<&str>,
    interfaces: Option<&[Interface]>,
) -> Difference {
    let nodes = |state: &State<'_, '_>| -> BTreeSet<String> {
        let names = state.cluster.node_names().filter(|name| node.is_none_or(|own| own == *name));
        names.map(str::to_owned).collect()
    };
    let (old, new) = (nodes(before), nodes(after));
    let both: Vec<&String> = old.intersection(&new).collect();
    let names = Names::new(&[before.cluster, after.cluster]);
    let moved = moved(before.cluster, after.cluster);
    let compile = |state: &State<'_, '_>, node: &str| -> Option<Compiled> {
        let view = state.cluster.view(&NodeRequest { node, interfaces }).view?;
        Some(Compiled::new(state.cluster, view, interfaces.is_some()))
    };
    // which of them are to be walked does not depend on how fast the others are
    let compiled: Vec<_> = both
        .par_iter()
        .map(|node| {
            let (old, new) = (compile(before, node)?, compile(after, node)?);
            let rules = rules::compare(node, &old.program, &new.program);
            let same = rules.is_empty()
                && old.routes == new.routes
                && rules::same_chains(&old.with_proxy, &new.with_proxy);
            Some((*node, rules, (!same).then_some((old, new))))
        })
        .collect();
    let mut difference = Difference {
        objects: objects::compare(before.noted, after.noted),
        services: services::compare(before.cluster.resources(), after.cluster.resources(), &names),
        lone_nodes: [old.difference(&new).cloned().collect(), new.difference(&old).cloned().collect()],
        files_before: before.digests.len(),
        same_text: before.digests == after.digests,
        ..Difference::default()
    };
    let (mut walked, mut rules) = (Vec::new(), Vec::new());
    for (node, own, sides) in compiled.into_iter().flatten() {
        difference.nodes.push(node.clone());
        rules.extend(own);
        match sides {
            Some(sides) if walked.len() < NODES => walked.push(sides),
            Some(_) => difference.not_walked.push(node.clone()),
            None => {}
        }
    }
    difference.rules = rules::fold(rules);
    for (state, lone, is_new) in [(before, &old, false), (after, &new, true)] {
        for node in lone.iter().filter(|node| !both.contains(node)) {
            difference.nodes.push(node.clone());
            if walked.len() == NODES {
                difference.not_walked.push(node.clone());
            } else if let Some(own) = compile(state, node) {
                let other = Compiled::absent(&own);
                walked.push(if is_new { (other, own) } else { (own, other) });
            }
        }
    }
    let changes = walked.par_iter().map(|(old, new)| node::changes(old, new, &moved, &names));
    difference.changes = fold(changes.collect::<Vec<_>>().into_iter().flatten());
    difference
}

/// Addresses of pods that only one of the clusters has.
pub fn moved(before: &Cluster<'_>, after: &Cluster<'_>) -> Moved {
    let addresses = |cluster: &Cluster<'_>| -> BTreeSet<IpAddr> {
        let texts = cluster.pods().iter().flat_map(|pod| &pod.status_ips);
        texts.filter_map(|text| text.parse().ok()).collect()
    };
    let (old, new) = (addresses(before), addresses(after));
    Moved { came: new.difference(&old).copied().collect(), went: old.difference(&new).copied().collect() }
}

/// The same changes on several ends are one; the most important come first.
fn fold(changes: impl Iterator<Item = Change>) -> Vec<Change> {
    let mut folded: Vec<Change> = Vec::new();
    let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for change in changes {
        let class = change.ends.first().map(|end| match end {
            End::Pod { moved, .. } => (0, *moved),
            End::Interface { .. } => (1, false),
            End::Node { .. } => (2, false),
        });
        let selected: Vec<&str> = change.selected.iter().map(|policy| &*policy.name).collect();
        let key = format!(
            "{:?}",
            (
                change.kind,
                change.connection,
                // of a service it is not told
                change.direction.filter(|_| change.service.is_none()),
                class,
                change.service.as_ref().map(Entry::to_string),
                &change.packets,
                change.by_chance,
                selected
            )
        );
        match places.get(&key) {
            Some(place) => {
                let own = &mut folded[*place];
                for end in change.ends.into_iter().filter(|end| !own.ends.contains(end)).collect::<Vec<_>>() {
                    own.ends.push(end);
                }
                for family in change.families {
                    if !own.families.contains(&family) {
                        own.families.push(family);
                    }
                }
            }
            None => {
                places.insert(key, folded.len());
                folded.push(change);
            }
        }
    }
    folded.iter_mut().for_each(|change| change.ends.sort());
    // what somebody may not have meant comes first
    folded.sort_by_key(|change| {
        let selected = change.selected.iter().any(|policy| policy.only_allows);
        let later = change.connection != Connection::First;
        (later, !selected, change.kind, change.by_chance, change.service.is_none())
    });
    folded
}
