//! Packets on an endpoint's way, from policy to policy.
//!
//! Whether a packet of a set gets to a rule is first asked of one packet, which costs next to nothing, and
//! nearly always it does. Only where it does not is the whole set sent the same way.

use super::sets::RuleSets;
use super::{RuleId, is_ordinary};
use crate::check::policy::direction;
use crate::ir::Family;
use crate::model::calico::{Action, Direction};
use crate::resolve::Cluster;
use crate::resolve::view::TierIndex;
use crate::space::{Field, Moment, PacketSet};

/// A packet: the values of all fields.
pub type Packet = [u128; Field::ALL.len()];

/// A rule of a policy that governs a direction, as far as packets go.
#[derive(Clone, Copy)]
pub struct Step {
    pub action: Action,
    pub set: PacketSet,
}

/// The rules of all policies, as sets of packets of one family.
pub struct Walker<'c, 'r> {
    cluster: &'c Cluster<'r>,
    sets: RuleSets<'c, 'r>,
    /// by policy and direction, in the order of its rules
    steps: Vec<[Vec<Step>; 2]>,
    /// after the sets of rules, before all that is worked out with them
    start: Moment,
    /// rules that single packets were held against
    asked: u64,
}

/// What became of packets on their way to a rule.
#[derive(Default)]
pub struct Walked {
    /// some got there
    pub arrived: bool,
    /// the rules that took some, in order
    pub takers: Vec<RuleId>,
    /// a tier denied some at its end
    pub tier_denies: bool,
}

impl<'c, 'r> Walker<'c, 'r> {
    pub fn new(cluster: &'c Cluster<'r>, family: Family) -> Self {
        let mut sets = RuleSets::new(cluster, family);
        let of = |policy| {
            direction::of(policy).map(|(_, governs, rules)| {
                let rules = rules.iter().filter(|_| governs && is_ordinary(policy));
                rules.map(|rule| Step { action: rule.action, set: sets.rule(rule) }).collect()
            })
        };
        let steps = cluster.policies().iter().map(of).collect();
        let start = sets.space.now();
        Walker { cluster, sets, steps, start, asked: 0 }
    }

    /// What has been done so far: rules asked, and edges of sets made.
    pub fn work(&self) -> u64 {
        self.asked + self.sets.space.work()
    }

    /// Forgets everything but the rules.
    pub fn forget(&mut self) {
        self.sets.space.forget_since(self.start);
    }

    /// The rules of a policy that governs a direction; none of another.
    pub fn steps(&self, policy: usize, direction: Direction) -> &[Step] {
        &self.steps[policy][direction as usize]
    }

    pub fn step(&self, (policy, direction, place): RuleId) -> Step {
        self.steps[policy][direction as usize][place]
    }

    pub fn sample(&self, set: PacketSet) -> Option<Packet> {
        self.sets.space.sample(set)
    }

    pub fn intersection(&mut self, a: PacketSet, b: PacketSet) -> PacketSet {
        self.sets.space.intersection(a, b)
    }

    /// A packet of a rule that the rules before it in its own policy leave to it.
    pub fn left_to(&mut self, (policy, direction, place): RuleId) -> Option<Packet> {
        let before = &self.steps[policy][direction as usize][..=place];
        let (own, before) = before.split_last()?;
        let takers = || before.iter().filter(|step| step.action != Action::Log);
        let packet = self.sets.space.sample(own.set)?;
        self.asked += before.len() as u64;
        if !takers().any(|step| self.sets.space.contains(step.set, &packet)) {
            return Some(packet);
        }
        let left = takers().fold(own.set, |left, step| self.sets.space.difference(left, step.set));
        self.sets.space.sample(left)
    }

    /// The rules of its own policy that take packets of a rule.
    pub fn own_takers(&mut self, (policy, direction, place): RuleId) -> Vec<RuleId> {
        let own = self.step((policy, direction, place));
        let mut found = Vec::new();
        for (before, step) in self.steps[policy][direction as usize][..place].iter().enumerate() {
            if step.action != Action::Log && !self.sets.space.intersection(step.set, own.set).is_empty() {
                found.push((policy, direction, before));
            }
        }
        found
    }

    /// Whether a packet gets to a rule, on a way whose last policy has it.
    pub fn arrives(&mut self, packet: &Packet, path: &[usize], rule: RuleId) -> bool {
        let (arrives, asked) = self.follow(packet, path, rule);
        self.asked += asked;
        arrives
    }

    /// The same, and how many rules were asked.
    fn follow(&self, packet: &Packet, path: &[usize], (own, direction, place): RuleId) -> (bool, u64) {
        let mut asked = 0;
        for tier in self.tiers(path) {
            let last = tier.last() == Some(&own);
            let mut steps = tier.iter().flat_map(|policy| {
                let all = self.steps(*policy, direction);
                if *policy == own { &all[..place] } else { all }
            });
            let taker = steps.find(|step| {
                asked += 1;
                step.action != Action::Log && self.sets.space.contains(step.set, packet)
            });
            match taker {
                None if last => return (true, asked),
                Some(step) if !last && step.action == Action::Pass => {}
                None if self.passes(tier) => {}
                _ => break,
            }
        }
        (false, asked)
    }

    /// Sends packets to a rule, on a way whose last policy has it.
    pub fn send(&mut self, packets: PacketSet, path: &[usize], (own, direction, place): RuleId) -> Walked {
        let mut walked = Walked::default();
        let mut left = packets;
        let tiers: Vec<&[usize]> = self.tiers(path).collect();
        for tier in tiers {
            let mut passed = PacketSet::NONE;
            for policy in tier {
                let end = if *policy == own { place } else { self.steps(*policy, direction).len() };
                for id in (0..end).map(|place| (*policy, direction, place)) {
                    let step = self.step(id);
                    if step.action == Action::Log || left.is_empty() {
                        continue;
                    }
                    let hit = self.sets.space.intersection(left, step.set);
                    if hit.is_empty() {
                        continue;
                    }
                    walked.takers.push(id);
                    left = self.sets.space.difference(left, hit);
                    if step.action == Action::Pass {
                        passed = self.sets.space.union(passed, hit);
                    }
                }
            }
            if tier.last() == Some(&own) {
                walked.arrived = !left.is_empty();
            } else if self.passes(tier) {
                left = self.sets.space.union(passed, left);
            } else {
                walked.tier_denies |= !left.is_empty();
                left = passed;
            }
        }
        walked
    }

    /// The policies of each tier on a way.
    fn tiers<'p>(&self, path: &'p [usize]) -> impl Iterator<Item = &'p [usize]> + use<'p, 'c, 'r, '_> {
        path.chunk_by(|a, b| self.tier(*a) == self.tier(*b))
    }

    fn tier(&self, policy: usize) -> TierIndex {
        self.cluster.policies()[policy].tier_index
    }

    /// Whether a tier passes on what none of its policies decided.
    fn passes(&self, tier: &[usize]) -> bool {
        let index = tier.first().map(|policy| self.tier(*policy).0 as usize);
        index.and_then(|index| self.cluster.tiers().get(index)).is_some_and(|tier| tier.default_pass)
    }
}
