//! Which rules of policies any packet reaches, and which rules keep it from others.
//!
//! Endpoints that the same policies select are one: for each such group the tiers are gone through in
//! order, as Felix renders them, with sets of packets.

mod sets;

use super::ClusterContext;
use super::policy::direction;
use crate::ir::Family;
use crate::model::calico::{Action, Direction};
use crate::resolve::policy::Policy;
use crate::resolve::view::{Rule, SetMembers};
use crate::space::PacketSet;
use rustc_hash::{FxHashMap, FxHashSet};
use sets::RuleSets;

/// Policies times endpoints that are gone through at most; a cluster beyond that is not looked at.
const MOST: usize = 400_000_000;
/// Members of sets that are kept at most, for the same reason: each takes some 50 bytes.
const MEMBERS: usize = 6_000_000;
/// Rules that keep packets from another, that are kept for the message.
const TAKERS: usize = 3;

/// A rule: number of its policy in [`crate::resolve::Cluster::policies`], direction, place.
pub type RuleId = (usize, Direction, usize);

/// A policy that governs a direction, by its number, and its rules there.
type Governing<'p> = (usize, &'p [Rule]);

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
    /// policies of equal order that disagree, sorted
    pub clashes: Vec<Clash>,
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
    let policies = ctx.cluster.policies();
    if policies.len().saturating_mul(ctx.cluster.pods().len()) > MOST {
        return None;
    }
    if members(ctx) > MEMBERS {
        return None;
    }
    let groups = groups(ctx);
    let mut reach = Reach::default();
    for group in &groups {
        reach.selecting.extend(group);
    }
    let mut clashes = FxHashSet::default();
    for family in [Family::V4, Family::V6] {
        let mut sets = RuleSets::new(ctx.cluster, family);
        let mut matched: FxHashMap<RuleId, PacketSet> = FxHashMap::default();
        for (number, policy) in policies.iter().enumerate().filter(|(_, policy)| is_ordinary(policy)) {
            for (direction, _, rules) in direction::of(policy).into_iter().filter(|(_, governs, _)| *governs)
            {
                for (place, rule) in rules.iter().enumerate() {
                    matched.insert((number, direction, place), sets.rule(rule));
                }
            }
            // in a space of its own: what is worked out here is not needed again
            alone(&mut RuleSets::new(ctx.cluster, family), number, policy, &mut reach);
        }
        // what each group needs is forgotten after it; that goes through the results that are kept
        sets.space.forget_results();
        let before = sets.space.now();
        for group in &groups {
            for direction in [Direction::Ingress, Direction::Egress] {
                let mut walk = Walk {
                    ctx,
                    sets: &mut sets,
                    matched: &matched,
                    reach: &mut reach,
                    clashes: &mut clashes,
                };
                walk.endpoint(group, direction);
                sets.space.forget_since(before);
            }
        }
    }
    reach.clashes = clashes.into_iter().collect();
    reach.clashes.sort_unstable();
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

/// The rules of a policy by themselves.
fn alone(sets: &mut RuleSets<'_, '_>, number: usize, policy: &Policy, reach: &mut Reach) {
    for (direction, _, rules) in direction::of(policy).into_iter().filter(|(_, governs, _)| *governs) {
        let mut taken = PacketSet::NONE;
        let mut before: Vec<(RuleId, PacketSet)> = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            let id = (number, direction, place);
            let set = sets.rule(rule);
            let known = reach.rules.entry(id).or_default();
            known.matches |= !set.is_empty();
            if !sets.space.difference(set, taken).is_empty() {
                known.alone = true;
            } else if !set.is_empty() && !known.alone {
                add_takers(&mut known.takers, sets, set, &before);
            }
            if rule.action != Action::Log {
                taken = sets.space.union(taken, set);
                before.push((id, set));
            }
        }
    }
}

fn add_takers(
    takers: &mut Vec<RuleId>,
    sets: &mut RuleSets<'_, '_>,
    set: PacketSet,
    before: &[(RuleId, PacketSet)],
) {
    for (id, own) in before {
        if takers.len() >= TAKERS {
            return;
        }
        if !takers.contains(id) && !sets.space.intersection(*own, set).is_empty() {
            takers.push(*id);
        }
    }
}

/// Endpoints by the ordinary policies that select them: the policies' numbers, in evaluation order.
fn groups(ctx: &ClusterContext<'_, '_>) -> Vec<Vec<usize>> {
    let mut groups = vec![(ctx.everyone.endpoints(), Vec::new())];
    for (number, policy) in
        ctx.cluster.policies().iter().enumerate().filter(|(_, policy)| is_ordinary(policy))
    {
        let selected = ctx.selected(policy);
        let mut split = Vec::with_capacity(groups.len() + 1);
        for (endpoints, policies) in groups {
            let (inside, outside) = endpoints.split(&selected);
            if !outside.is_empty() {
                split.push((outside, policies.clone()));
            }
            if !inside.is_empty() {
                let mut policies = policies;
                policies.push(number);
                split.push((inside, policies));
            }
        }
        groups = split;
    }
    groups.into_iter().map(|(_, policies)| policies).filter(|policies| !policies.is_empty()).collect()
}

/// Goes through the tiers of endpoints.
struct Walk<'w, 'c, 'r> {
    ctx: &'w ClusterContext<'c, 'r>,
    sets: &'w mut RuleSets<'c, 'r>,
    matched: &'w FxHashMap<RuleId, PacketSet>,
    reach: &'w mut Reach,
    clashes: &'w mut FxHashSet<Clash>,
}

impl Walk<'_, '_, '_> {
    fn endpoint(&mut self, group: &[usize], direction: Direction) {
        let policies = self.ctx.cluster.policies();
        let rules_of = |number: usize| {
            let of = direction::of(&policies[number]);
            of.into_iter().find(|(own, governs, _)| *own == direction && *governs).map(|(_, _, rules)| rules)
        };
        let governing: Vec<Governing<'_>> =
            group.iter().filter_map(|number| Some((*number, rules_of(*number)?))).collect();
        let tiers =
            || governing.chunk_by(|(a, _), (b, _)| policies[*a].tier_index == policies[*b].tier_index);
        for tier in tiers() {
            if let [(only, _)] = tier {
                self.reach.governing.insert(*only);
            }
        }
        if !self.has_news(&governing, direction) {
            return;
        }
        let mut left = PacketSet::ALL;
        let mut taken: Vec<(RuleId, PacketSet)> = Vec::new();
        let mut denied_by_tiers = PacketSet::NONE;
        for tier in tiers() {
            let mut passed = PacketSet::NONE;
            for (number, rules) in tier {
                for (place, rule) in rules.iter().enumerate() {
                    let id = (*number, direction, place);
                    let matched = self.matched.get(&id).copied().unwrap_or(PacketSet::NONE);
                    let hit = self.sets.space.intersection(left, matched);
                    let known = self.reach.rules.entry(id).or_default();
                    if !hit.is_empty() {
                        known.ever = true;
                    } else if known.alone && !known.ever && !matched.is_empty() {
                        known.tier_denies |=
                            !self.sets.space.intersection(matched, denied_by_tiers).is_empty();
                        add_takers(&mut known.takers, self.sets, matched, &taken);
                    }
                    self.clash(id, rule, matched, tier, &taken);
                    if rule.action == Action::Log {
                        continue;
                    }
                    left = self.sets.space.difference(left, hit);
                    if rule.action == Action::Pass {
                        passed = self.sets.space.union(passed, hit);
                    }
                    if !hit.is_empty() {
                        taken.push((id, hit));
                    }
                }
            }
            let default_pass = tier.first().is_some_and(|(number, _)| {
                let index = policies[*number].tier_index.0 as usize;
                self.ctx.cluster.tiers().get(index).is_some_and(|tier| tier.default_pass)
            });
            if default_pass {
                passed = self.sets.space.union(passed, left);
            } else {
                denied_by_tiers = self.sets.space.union(denied_by_tiers, left);
            }
            left = passed;
        }
    }

    /// Whether going through these policies may tell something that is not known yet: a rule that no
    /// endpoint's packets have reached so far, or two policies of one order that may disagree.
    fn has_news(&self, governing: &[Governing<'_>], direction: Direction) -> bool {
        let policies = self.ctx.cluster.policies();
        let unreached = governing.iter().any(|(number, rules)| {
            (0..rules.len()).any(|place| {
                let known = self.reach.rules.get(&(*number, direction, place));
                known.is_some_and(|known| known.matches && known.alone && !known.ever)
            })
        });
        let may_disagree = |first: &Governing<'_>, second: &Governing<'_>| {
            let (a, b) = (&policies[first.0], &policies[second.0]);
            let action = |rules: &[Rule]| rules.first().map(|rule| rule.action);
            let one_action = |rules: &[Rule]| rules.iter().all(|rule| Some(rule.action) == action(rules));
            a.tier_index == b.tier_index
                && a.order == b.order
                && !(one_action(first.1) && one_action(second.1) && action(first.1) == action(second.1))
        };
        // policies of one order stand together, but more than two may
        let runs = governing.chunk_by(|a, b| {
            (policies[a.0].tier_index, policies[a.0].order) == (policies[b.0].tier_index, policies[b.0].order)
        });
        unreached || runs.into_iter().any(|run| run.iter().skip(1).any(|other| may_disagree(&run[0], other)))
    }

    /// Packets that a rule of a policy of the same order, whose name comes first, decides otherwise.
    fn clash(
        &mut self,
        id: RuleId,
        rule: &Rule,
        matched: PacketSet,
        tier: &[Governing<'_>],
        taken: &[(RuleId, PacketSet)],
    ) {
        let policies = self.ctx.cluster.policies();
        if rule.action == Action::Log {
            return;
        }
        let same_order = |number: usize| number != id.0 && policies[number].order == policies[id.0].order;
        for (other, hit) in taken.iter().rev() {
            if !same_order(other.0) || policies[other.0].tier_index != policies[id.0].tier_index {
                // policies of one order stand together
                if other.0 != id.0 {
                    break;
                }
                continue;
            }
            let rules = tier.iter().find(|(number, _)| *number == other.0).map(|(_, rules)| *rules);
            let action = rules.and_then(|rules| rules.get(other.2)).map(|rule| rule.action);
            if action.is_some_and(|action| action != rule.action)
                && !self.sets.space.intersection(*hit, matched).is_empty()
            {
                self.clashes.insert(Clash { first: *other, second: id });
            }
        }
    }
}
