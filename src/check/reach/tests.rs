//! What is found out with sets, against policies that are asked packet by packet.

use super::{Clash, Reach, RuleId, TAKERS, reach};
use crate::check::ClusterContext;
use crate::fuzz;
use crate::model::calico::{Action, Direction};
use crate::resolve::Cluster;
use crate::resolve::testing::{namespace, pod, resources, stored};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};

const PODS: [&str; 3] = ["a", "b", "c"];
/// Each with its first and last address, counted from `10.0.0.0`.
const NETS: [(&str, u32, u32); 4] =
    [("10.0.0.0/31", 0, 1), ("10.0.0.0/30", 0, 3), ("10.0.0.4/30", 4, 7), ("10.0.0.0/16", 0, 0xffff)];

#[derive(Debug, Clone)]
struct PlainRule {
    action: Action,
    tcp: bool,
    /// places in [`NETS`]
    source: Option<usize>,
    destination: Option<usize>,
    ports: Option<(u16, u16)>,
}

#[derive(Debug, Clone)]
struct PlainPolicy {
    /// of `early` and `default`
    early: bool,
    order: u8,
    /// of [`PODS`]
    selects: BTreeSet<&'static str>,
    rules: Vec<PlainRule>,
}

/// One for all packets that no rule can tell apart; IPv6 without an address.
#[derive(Debug, Clone, Copy)]
struct Packet {
    source: Option<u32>,
    destination: Option<u32>,
    tcp: bool,
    port: u16,
}

fn packets() -> Vec<Packet> {
    let mut all = Vec::new();
    let addresses = [0, 2, 4, 9, 0x10000].map(Some);
    let mut add = |source, destination| {
        for (tcp, port) in [(true, 80), (true, 85), (true, 1), (false, 80)] {
            all.push(Packet { source, destination, tcp, port });
        }
    };
    add(None, None);
    addresses.iter().for_each(|source| addresses.iter().for_each(|destination| add(*source, *destination)));
    all
}

impl PlainRule {
    fn matches(&self, packet: &Packet) -> bool {
        let within = |net: Option<usize>, address: Option<u32>| {
            net.is_none_or(|net| address.is_some_and(|it| (NETS[net].1..=NETS[net].2).contains(&it)))
        };
        within(self.source, packet.source)
            && within(self.destination, packet.destination)
            && (!self.tcp || packet.tcp)
            && self.ports.is_none_or(|(first, last)| (first..=last).contains(&packet.port))
    }

    fn text(&self) -> String {
        let net = |net: Option<usize>| net.map_or(String::new(), |net| format!("nets: [{}]", NETS[net].0));
        let ports = self.ports.map_or(String::new(), |(first, last)| format!("ports: ['{first}:{last}']"));
        let protocol = if self.tcp { "protocol: TCP, " } else { "" };
        let comma = if self.destination.is_some() && self.ports.is_some() { ", " } else { "" };
        format!(
            "{{action: {:?}, {protocol}source: {{{}}}, destination: {{{}{comma}{ports}}}}}",
            self.action,
            net(self.source),
            net(self.destination)
        )
    }
}

fn any_rule() -> impl Strategy<Value = PlainRule> {
    let action = select(vec![Action::Allow, Action::Deny, Action::Pass, Action::Log]);
    let net = || prop::option::of(0..NETS.len());
    let ports = prop::option::weighted(0.3, select(vec![(80, 80), (80, 90)]));
    (action, any::<bool>(), net(), net(), ports).prop_map(|(action, tcp, source, destination, ports)| {
        PlainRule { action, tcp: tcp || ports.is_some(), source, destination, ports }
    })
}

fn any_policy() -> impl Strategy<Value = PlainPolicy> {
    let selects = prop::sample::subsequence(PODS.to_vec(), 0..=PODS.len());
    let rules = prop::collection::vec(any_rule(), 0..4);
    (any::<bool>(), 1..3u8, selects, rules).prop_map(|(early, order, selects, rules)| PlainPolicy {
        early,
        order,
        selects: selects.into_iter().collect(),
        rules,
    })
}

fn manifests(policies: &[PlainPolicy], passes: bool) -> String {
    let mut text = namespace("ns", "");
    for (at, name) in PODS.iter().enumerate() {
        text += &pod("node-1", "ns", name, &format!("who: {name}"), &format!("10.9.0.{at}"));
    }
    let action = if passes { "Pass" } else { "Deny" };
    text += &stored("Tier", "early", &format!("order: 1\ndefaultAction: {action}"));
    for (at, policy) in policies.iter().enumerate() {
        let tier = if policy.early { "early" } else { "default" };
        let who: Vec<String> = policy.selects.iter().map(|name| format!("'{name}'")).collect();
        let rules: Vec<String> = policy.rules.iter().map(PlainRule::text).collect();
        let spec = format!(
            "tier: {tier}\norder: {}\nselector: \"who in {{{}}}\"\ntypes: [Ingress]\ningress: [{}]",
            policy.order,
            who.join(", "),
            rules.join(", ")
        );
        text += &stored("GlobalNetworkPolicy", &format!("{tier}.p{at:02}"), &spec);
    }
    text
}

/// What is to be found out.
#[derive(Default)]
struct Plain {
    ever: BTreeSet<RuleId>,
    takers: BTreeMap<RuleId, BTreeSet<RuleId>>,
    tier_denies: BTreeSet<RuleId>,
    governing: BTreeSet<usize>,
    clashes: BTreeSet<Clash>,
}

/// Sends every packet to every pod. Policies are sorted as they are asked.
fn ask(policies: &[PlainPolicy], passes: bool) -> Plain {
    let mut plain = Plain::default();
    let id = |policy, place| (policy, Direction::Ingress, place);
    for name in PODS {
        let own: Vec<usize> = (0..policies.len()).filter(|at| policies[*at].selects.contains(name)).collect();
        for tier in own.chunk_by(|a, b| policies[*a].early == policies[*b].early) {
            if let [only] = tier {
                plain.governing.insert(*only);
            }
        }
        for packet in packets() {
            let asked = own.iter().flat_map(|policy| {
                policies[*policy]
                    .rules
                    .iter()
                    .enumerate()
                    .map(move |(place, rule)| (id(*policy, place), rule))
            });
            let matching: Vec<_> = asked.filter(|(_, rule)| rule.matches(&packet)).collect();
            let early: Vec<usize> = own.iter().copied().filter(|policy| policies[*policy].early).collect();
            let mut takers: Vec<RuleId> = Vec::new();
            // whether packets are still asked about in the early tier, and in the default one
            let mut open = [true, true];
            for (rule_id, rule) in &matching {
                let tier = usize::from(!policies[rule_id.0].early);
                let undecided = early.is_empty() || !open[0] || passes;
                if tier == 1 && open[0] && !undecided {
                    plain.tier_denies.insert(*rule_id);
                }
                if open[tier] && (tier == 0 || undecided) {
                    plain.ever.insert(*rule_id);
                    if rule.action != Action::Log {
                        open[tier] = false;
                        let decided = tier == 1 || rule.action != Action::Pass;
                        if decided {
                            open[1] = false;
                        }
                        let others = matching.iter().filter(|(other, _)| {
                            let (a, b) = (&policies[rule_id.0], &policies[other.0]);
                            rule_id.0 < other.0 && a.early == b.early && a.order == b.order
                        });
                        plain.clashes.extend(
                            others
                                .filter(|(_, other)| {
                                    other.action != rule.action && other.action != Action::Log
                                })
                                .map(|(other, _)| Clash { first: *rule_id, second: *other }),
                        );
                        plain.takers.entry(*rule_id).or_default();
                        takers.push(*rule_id);
                        continue;
                    }
                }
                plain.takers.entry(*rule_id).or_default().extend(takers.iter().copied());
            }
        }
    }
    plain
}

fn compare(policies: &[PlainPolicy], passes: bool, found: &Reach) {
    let plain = ask(policies, passes);
    let all = packets();
    for (policy, own) in policies.iter().enumerate() {
        let dispensable = !own.selects.is_empty() && !plain.governing.contains(&policy);
        assert_eq!(found.is_dispensable(policy), dispensable, "policy {policy}");
        for (place, rule) in own.rules.iter().enumerate() {
            let id = (policy, Direction::Ingress, place);
            let known = found.rule(id).expect("all rules are known");
            let before = || own.rules[..place].iter().filter(|before| before.action != Action::Log);
            let matched = || all.iter().filter(|packet| rule.matches(packet));
            let alone = matched().any(|packet| !before().any(|before| before.matches(packet)));
            assert_eq!(known.matches, matched().next().is_some(), "{id:?}");
            assert_eq!(known.alone, alone, "{id:?}");
            assert_eq!(known.ever, plain.ever.contains(&id), "{id:?}");
            if known.ever {
                continue;
            }
            assert_eq!(known.tier_denies, alone && plain.tier_denies.contains(&id), "{id:?}");
            let takers: BTreeSet<RuleId> = match alone {
                true => plain.takers.get(&id).cloned().unwrap_or_default(),
                false => (0..place)
                    .filter(|at| own.rules[*at].action != Action::Log)
                    .filter(|at| matched().any(|packet| own.rules[*at].matches(packet)))
                    .map(|at| (policy, Direction::Ingress, at))
                    .collect(),
            };
            let told: BTreeSet<RuleId> = known.takers.iter().copied().collect();
            assert!(told.is_subset(&takers), "{id:?}: {told:?} of {takers:?}");
            assert_eq!(known.takers.len(), takers.len().min(TAKERS), "{id:?}: {told:?} of {takers:?}");
        }
    }
    let mut clashes: BTreeMap<(usize, usize), Clash> = BTreeMap::new();
    for clash in plain.clashes {
        clashes.entry((clash.first.0, clash.second.0)).or_insert(clash);
    }
    assert_eq!(found.clashes, clashes);
}

#[test]
fn packets_one_by_one_tell_the_same() {
    let policies = prop::collection::vec(any_policy(), 1..6);
    fuzz::run((policies, any::<bool>()), |(mut policies, passes)| {
        policies.sort_by_key(|policy| (!policy.early, policy.order));
        let resources = resources(&manifests(&policies, passes));
        let cluster = Cluster::new(&resources);
        assert_eq!(cluster.policies().len(), policies.len(), "{:?}", cluster.diagnostics());
        let context = ClusterContext::new(&cluster);
        let found = reach(&context).expect("a small cluster");
        compare(&policies, passes, &found);
    });
}
