//! Which rules of policies any packet reaches, and which rules keep it from others.
//!
//! Each rule is asked on its own whether a packet gets to it on some endpoint's way through the tiers, as
//! Felix renders them, and each two policies of one order whether they disagree about one that does.
//!
//! | file | what |
//! |---|---|
//! | `paths` | which policies endpoints meet, in which order |
//! | `sets` | what a rule matches, as a set of packets |
//! | `walk` | packets on their way |

mod paths;
pub(crate) mod sets;
#[cfg(test)]
mod tests;
mod walk;

use super::ClusterContext;
use super::policy::direction;
use crate::ir::Family;
use crate::model::calico::{Action, Direction};
use crate::resolve::policy::Policy;
use crate::resolve::view::SetMembers;
use paths::{Pair, Paths};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use walk::{Step, Walker};

/// What may be done at most: rules that are asked, and edges of sets that are made; a cluster beyond that
/// is not looked at.
const MOST: u64 = 400_000_000;
/// Members of sets that are kept at most, for the same reason: each takes some 50 bytes.
const MEMBERS: usize = 6_000_000;
/// Rules that keep packets from another, that are kept for the message.
const TAKERS: usize = 3;

/// A rule: number of its policy in [`crate::resolve::Cluster::policies`], direction, place.
pub type RuleId = (usize, Direction, usize);

/// What is known of a rule.
#[derive(Debug, Default, Clone)]
pub struct Reached {
    /// it matches some packet
    pub matches: bool,
    /// some packet gets past the rules before it in its own policy
    pub alone: bool,
    /// some packet to or from some endpoint reaches it
    pub ever: bool,
    /// rules that take packets that it matches, where none reaches it
    pub takers: Vec<RuleId>,
    /// an earlier tier denies at its end what no policy of it decided, and with that packets it matches
    pub tier_denies: bool,
}

/// Two policies of one tier and one order that disagree about packets of an endpoint that both select.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Clash {
    /// the rule that counts, as its policy's name comes first
    pub first: RuleId,
    /// the rule that does not
    pub second: RuleId,
}

/// Everything that is known.
#[derive(Debug, Default)]
pub struct Reach {
    rules: FxHashMap<RuleId, Reached>,
    /// policies that some endpoint has
    selecting: FxHashSet<usize>,
    /// policies that are the only one of their tier for some endpoint in a direction: they make it deny
    governing: FxHashSet<usize>,
    /// for two policies of equal order that disagree, their first rules that do
    pub clashes: BTreeMap<(usize, usize), Clash>,
}

impl Reach {
    /// What is known of a rule.
    pub fn rule(&self, rule: RuleId) -> Option<&Reached> {
        self.rules.get(&rule)
    }

    /// Whether a policy selects an endpoint, and its tier would govern the same endpoints without it.
    pub fn is_dispensable(&self, policy: usize) -> bool {
        self.selecting.contains(&policy) && !self.governing.contains(&policy)
    }
}

/// Whether packets to and from endpoints meet a policy in the usual way.
pub fn is_ordinary(policy: &Policy) -> bool {
    !policy.id.kind.is_staged() && !policy.untracked && !policy.pre_dnat
}

/// Works everything out; `None` for a cluster that is too large.
pub fn reach(ctx: &ClusterContext<'_, '_>) -> Option<Reach> {
    if members(ctx) > MEMBERS {
        return None;
    }
    let paths = Paths::new(ctx)?;
    let mut reach = Reach::default();
    for family in [Family::V4, Family::V6] {
        let mut walker = Walker::new(ctx.cluster, family);
        for (number, policy) in ctx.cluster.policies().iter().enumerate() {
            for (direction, ..) in direction::of(policy) {
                for place in 0..walker.steps(number, direction).len() {
                    let id = (number, direction, place);
                    look(&mut walker, &paths, id, reach.rules.entry(id).or_default())?;
                }
            }
            walker.forget();
        }
        for direction in [Direction::Ingress, Direction::Egress] {
            clashes(ctx.cluster.policies(), &mut walker, &paths, direction, &mut reach.clashes)?;
        }
    }
    (reach.selecting, reach.governing) = (paths.selecting, paths.governing);
    Some(reach)
}

/// How many members the sets have that rules refer to.
fn members(ctx: &ClusterContext<'_, '_>) -> usize {
    let sets = ctx.cluster.sets().map(|(index, ..)| match ctx.cluster.set_members(index) {
        SetMembers::Nets(nets) => nets.v4.len() + nets.v6.len(),
        SetMembers::Ports(members) => members.len(),
    });
    sets.sum()
}

/// Finds out about a rule what packets of one family tell; `None` if that takes too long.
fn look(walker: &mut Walker<'_, '_>, paths: &Paths, id: RuleId, known: &mut Reached) -> Option<()> {
    let (policy, direction, _) = id;
    let Step { set, .. } = walker.step(id);
    if known.ever || set.is_empty() {
        return Some(());
    }
    known.matches = true;
    let packet = walker.left_to(id);
    known.alone |= packet.is_some();
    if !known.alone {
        add_takers(&mut known.takers, walker.own_takers(id));
        return Some(());
    }
    if let Some(packet) = packet {
        known.ever = paths.to(policy, direction).any(|path| walker.arrives(&packet, &path, id));
    }
    let mut ways = paths.to(policy, direction);
    while let (false, Some(path)) = (known.ever, ways.next()) {
        let walked = walker.send(set, &path, id);
        known.ever = walked.arrived;
        known.tier_denies |= walked.tier_denies;
        add_takers(&mut known.takers, walked.takers);
        if walker.work() > MOST {
            return None;
        }
    }
    (walker.work() <= MOST).then_some(())
}

fn add_takers(known: &mut Vec<RuleId>, takers: Vec<RuleId>) {
    for taker in takers {
        if known.len() < TAKERS && !known.contains(&taker) {
            known.push(taker);
        }
    }
}

/// Adds the policies of one order that disagree about packets of one family, in one direction; `None` if
/// that takes too long.
fn clashes(
    policies: &[Policy],
    walker: &mut Walker<'_, '_>,
    paths: &Paths,
    direction: Direction,
    found: &mut BTreeMap<(usize, usize), Clash>,
) -> Option<()> {
    let near = |a: usize, b: usize| {
        let (a, b) = (&policies[a], &policies[b]);
        a.tier_index == b.tier_index && a.order == b.order
    };
    let decides = |policy| walker.steps(policy, direction).iter().filter(|step| step.action != Action::Log);
    let disagree = |a, b| decides(a).any(|one| decides(b).any(|other| one.action != other.action));
    for Pair { first, second, ways } in paths.pairs(direction, near, disagree) {
        let rules = [first, second].map(|policy| {
            (0..walker.steps(policy, direction).len()).map(move |place| (policy, direction, place))
        });
        let [of_first, of_second] = rules;
        let clashes = of_first
            .flat_map(|first| of_second.clone().map(move |second| Clash { first, second }))
            .take_while(|clash| found.get(&(first, second)).is_none_or(|known| clash < known));
        if let Some(clash) = clashes.into_iter().find(|clash| disagrees(walker, *clash, &ways)) {
            found.insert((first, second), clash);
        }
        walker.forget();
        if walker.work() > MOST {
            return None;
        }
    }
    Some(())
}

/// Whether packets that the second rule matches get to the first on some way.
fn disagrees(walker: &mut Walker<'_, '_>, clash: Clash, ways: &[Vec<usize>]) -> bool {
    let (first, second) = (walker.step(clash.first), walker.step(clash.second));
    if first.action == second.action || [first, second].iter().any(|step| step.action == Action::Log) {
        return false;
    }
    let both = walker.intersection(first.set, second.set);
    let Some(packet) = walker.sample(both) else { return false };
    ways.iter().any(|way| walker.arrives(&packet, way, clash.first))
        || ways.iter().any(|way| walker.send(both, way, clash.first).arrived)
}
