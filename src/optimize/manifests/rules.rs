//! Rules and peers that change nothing, whatever the sets of the policy contain.
//!
//! A rule is a set of packets, and what it asks of sets that selectors and names stand for. Which
//! addresses these have today says nothing about tomorrow, so they are never looked into: a rule takes
//! packets of another for sure only where it asks no more of sets than the other does. It can go if all
//! its packets are taken before it, or get the same from rules after it.

use super::change::{Change, DIRECTIONS, Gone, join, spec};
use super::object::{Edit, Object, Part, Path, Shape, Step};
use crate::check::reach::sets::RuleSets;
use crate::diagnostic::Location;
use crate::ir::Family;
use crate::model::calico::Action;
use crate::resolve::Cluster;
use crate::resolve::policy::Policy;
use crate::resolve::view::{Rule, RuleSide, SetIndex};
use crate::space::PacketSet;
use crate::space::nets::joined;
use std::collections::{BTreeMap, BTreeSet};

/// Rules of a direction that are compared with each other at most.
const MOST: usize = 2000;

/// What a rule asks that no packet by itself answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    /// an address is in a set, or is not
    Set(bool, bool, SetIndex),
    /// a port is one of these, or of those that names stand for; or is not
    Ports(bool, bool, Vec<(u16, u16)>, Vec<SetIndex>),
    /// an address and port are those of a service
    Service(bool, SetIndex),
    /// something that is only ever equal to itself
    Own(usize),
}

/// A rule as it is compared.
struct Flat {
    action: Action,
    asked: BTreeSet<Asked>,
    /// the packets of both families that it may match
    sets: [PacketSet; 2],
    /// packets that it matches for sure, where just these things asked of sets hold
    sure: Vec<(BTreeSet<Asked>, [PacketSet; 2])>,
    /// the rule that it is written in
    rule: usize,
    /// and the peer
    peer: Option<usize>,
}

/// The rules and peers of a policy that can go. Gives the changes, and the ways of what goes.
pub fn rules(object: &Object, policy: &Policy, cluster: &Cluster<'_>) -> (Vec<Change>, Gone) {
    let (mut changes, mut gone) = (Vec::new(), Gone::new());
    if !matches!(object.shape, Shape::Calico | Shape::Kubernetes) {
        return (changes, gone);
    }
    let directions = [(policy.ingress, &policy.inbound), (policy.egress, &policy.outbound)];
    for ((field, peers), (governs, rules)) in DIRECTIONS.into_iter().zip(directions) {
        let path = spec(field);
        let Some(list) = object.root.find(&path).filter(|_| governs && (2..=MOST).contains(&rules.len()))
        else {
            continue;
        };
        let Some(places) = places(object.shape, list, peers) else { continue };
        let mut spaces = [Family::V4, Family::V6].map(|family| RuleSets::new(cluster, family));
        let flats: Option<Vec<Flat>> =
            rules.iter().map(|rule| flat(rule, &places, list, &mut spaces)).collect();
        let Some(flats) = flats else { continue };
        let mut work = Work { flats: &flats, left: vec![true; flats.len()], spaces: &mut spaces };
        let mut more = work.rules(list, &path);
        if object.shape == Shape::Kubernetes {
            more.extend(work.peers(list, &path, peers));
        }
        for (way, change) in more {
            gone.insert(way);
            changes.push(change);
        }
    }
    (changes, gone)
}

/// Which rule and peer is written where; `None` if one place has several, as aliases make it.
fn places(shape: Shape, list: &Part, peers: &str) -> Option<BTreeMap<Location, (usize, Option<usize>)>> {
    let mut places = BTreeMap::new();
    for (index, rule) in list.items().iter().enumerate() {
        let mut unique = places.insert(rule.at, (index, None)).is_none();
        if shape == Shape::Kubernetes {
            for (peer, part) in rule.get(peers).into_iter().flat_map(Part::items).enumerate() {
                unique &= places.insert(part.at, (index, Some(peer))).is_none();
            }
        }
        if !unique {
            return None;
        }
    }
    Some(places)
}

fn flat(
    rule: &Rule,
    places: &BTreeMap<Location, (usize, Option<usize>)>,
    list: &Part,
    spaces: &mut [RuleSets<'_, '_>; 2],
) -> Option<Flat> {
    let (index, peer) = *places.get(&rule.at)?;
    let mut asked = BTreeSet::new();
    let mut plain = rule.clone();
    for (source, side) in [(true, &mut plain.source), (false, &mut plain.destination)] {
        ask(source, side, &mut asked);
    }
    // it is rendered as if it did not have this
    if list.items()[index].get("http").is_some() {
        asked.insert(Asked::Own(index));
    }
    let [v4, v6] = spaces;
    let sets = [v4.rule(&plain), v6.rule(&plain)];
    let mut sure = vec![(asked.clone(), sets)];
    // a number does without the names beside it
    let mut by_number = plain;
    let mut less = asked.clone();
    let sides = [(true, &rule.source), (false, &rule.destination)];
    for ((source, written), side) in
        sides.into_iter().zip([&mut by_number.source, &mut by_number.destination])
    {
        if !written.named_ports.is_empty() && !written.ports.is_empty() {
            side.ports.clone_from(&written.ports);
            less.retain(|own| !matches!(own, Asked::Ports(of, true, ..) if *of == source));
        }
    }
    if less != asked {
        sure.push((less, [v4.rule(&by_number), v6.rule(&by_number)]));
    }
    Some(Flat { action: rule.action, asked, sets, sure, rule: index, peer })
}

/// Moves what a side asks of sets out of it.
fn ask(source: bool, side: &mut RuleSide, asked: &mut BTreeSet<Asked>) {
    let take = |list: &mut Vec<SetIndex>| std::mem::take(list);
    asked.extend(take(&mut side.sets).into_iter().map(|set| Asked::Set(source, true, set)));
    asked.extend(take(&mut side.not_sets).into_iter().map(|set| Asked::Set(source, false, set)));
    asked.extend(take(&mut side.services).into_iter().map(|set| Asked::Service(source, set)));
    for (holds, named, ports) in [
        (true, &mut side.named_ports, &mut side.ports),
        (false, &mut side.not_named_ports, &mut side.not_ports),
    ] {
        if !named.is_empty() {
            let (mut named, mut ports) = (take(named), std::mem::take(ports));
            named.sort_unstable();
            named.dedup();
            ports = joined(ports);
            asked.insert(Asked::Ports(source, holds, ports, named));
        }
    }
}

struct Work<'w, 'c, 'r> {
    flats: &'w [Flat],
    /// which are still there
    left: Vec<bool>,
    spaces: &'w mut [RuleSets<'c, 'r>; 2],
}

/// Why something can go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Taken,
    Repeated,
}

impl Work<'_, '_, '_> {
    /// Rules that can go, the last ones first; never all of a list.
    fn rules(&mut self, list: &Part, path: &[Step]) -> Vec<(Path, Change)> {
        let mut gone = Vec::new();
        for index in (0..list.items().len()).rev() {
            let rule = &list.items()[index];
            let tells = rule.get("metadata").is_some() || rule.get("http").is_some();
            let of_rule = |flat: &Flat| flat.rule == index;
            if tells || gone.len() + 1 == list.items().len() {
                continue;
            }
            let Some(why) = self.why(&of_rule) else { continue };
            let said = match why {
                Why::Taken => "no packet reaches this rule: the rules before it take all that it matches",
                Why::Repeated => "other rules do the same with all packets that this rule matches",
            };
            gone.push(removal(path, index, rule.at, said));
        }
        gone
    }

    /// Peers that can go; never all of a rule.
    fn peers(&mut self, list: &Part, path: &[Step], field: &'static str) -> Vec<(Path, Change)> {
        let mut gone = Vec::new();
        for (index, rule) in list.items().iter().enumerate() {
            if !self.flats.iter().zip(&self.left).any(|(flat, left)| flat.rule == index && *left) {
                continue;
            }
            let Some(peers) = rule.get(field) else { continue };
            let mut count = peers.items().len();
            for (peer, part) in peers.items().iter().enumerate().rev() {
                let of_peer = |flat: &Flat| flat.rule == index && flat.peer == Some(peer);
                if count == 1 || self.why(&of_peer).is_none() {
                    continue;
                }
                count -= 1;
                let way = join(path, &[Step::Item(index), Step::Key(field)]);
                gone.push(removal(&way, peer, part.at, "what this peer allows is allowed without it"));
            }
        }
        gone
    }

    /// Why all rules of a kind can go, if they can; then they are gone.
    fn why(&mut self, of_kind: &dyn Fn(&Flat) -> bool) -> Option<Why> {
        let own: Vec<usize> =
            (0..self.flats.len()).filter(|at| self.left[*at] && of_kind(&self.flats[*at])).collect();
        let mut why = Why::Taken;
        let mut matches = false;
        for at in &own {
            let flat = &self.flats[*at];
            if flat.action == Action::Log {
                return None;
            }
            // what matches nothing at all is a mistake to be told, not to be hidden
            if flat.sets.iter().all(|set| set.is_empty()) {
                continue;
            }
            matches = true;
            if self.covered(*at, of_kind)? == Why::Repeated {
                why = Why::Repeated;
            }
        }
        if !matches {
            return None;
        }
        own.iter().for_each(|at| self.left[*at] = false);
        Some(why)
    }

    fn covered(&mut self, at: usize, of_kind: &dyn Fn(&Flat) -> bool) -> Option<Why> {
        let flat = &self.flats[at];
        let mut open = flat.sets;
        for (other_at, other) in self.flats.iter().enumerate() {
            if !self.left[other_at] || of_kind(other) {
                continue;
            }
            if other_at > at {
                let mut meets = false;
                for ((sets, open), own) in self.spaces.iter_mut().zip(&open).zip(other.sets) {
                    meets |= !sets.space.intersection(*open, own).is_empty();
                }
                if meets && other.action != flat.action {
                    return None;
                }
            }
            if other.action == Action::Log {
                continue;
            }
            for (_, sure) in other.sure.iter().filter(|(asked, _)| asked.is_subset(&flat.asked)) {
                for ((sets, open), own) in self.spaces.iter_mut().zip(&mut open).zip(sure) {
                    *open = sets.space.difference(*open, *own);
                }
            }
            if open.iter().all(|set| set.is_empty()) {
                return Some(if other_at < at { Why::Taken } else { Why::Repeated });
            }
        }
        None
    }
}

fn removal(path: &[Step], index: usize, at: Location, said: &str) -> (Path, Change) {
    let change =
        Change { edits: vec![Edit::Remove(path.to_vec(), index)], said: vec![(at, said.to_owned())] };
    (join(path, &[Step::Item(index)]), change)
}
