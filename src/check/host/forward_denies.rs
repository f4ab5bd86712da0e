//! A policy for forwarded traffic makes a host endpoint deny all other forwarded traffic in that
//! direction. Without `applyOnForward` policies a host endpoint lets everything through that is not
//! for the host itself. With one, the end of its tier denies what no policy of the tier with
//! `applyOnForward` has allowed: traffic of pods and to node ports that goes over that interface.
//! The policies without `applyOnForward` do not count here.
//!
//! End the policy with `action: Allow` or `action: Pass` without conditions if the rest is to go
//! through, or with `action: Deny` if it is not. To block only some node ports, use `preDNAT`.
//!
//! Nothing is said where a policy with `applyOnForward` of the tier has a rule for everything that is
//! left, or no rules at all, or where the tier's default action is `Pass`.
//!
//! Decided at `felix/rules/endpoints.go:689`, v3.32.1.

use super::super::ClusterContext;
use super::super::rule_facts::{decides_everything, list, rules};
use super::hosts::{Group, Host, groups, hosts};
use crate::diagnostic::Diagnostic;
use crate::model::calico::{Action, Direction};
use crate::resolve::policy::Policy;
use crate::resolve::view::Rule;

check!("forward-policy-denies-the-rest", Note, Possible, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let hosts = hosts(ctx, is_forward);
    for direction in [Direction::Ingress, Direction::Egress] {
        let denying = hosts.iter().filter_map(|host| {
            let policies = denying(ctx, &host.policies, direction)?;
            Some(Host { endpoint: host.endpoint, policies })
        });
        for group in groups(denying) {
            found.extend(finding(&group, direction));
        }
    }
}

/// Whether it applies to what a host endpoint forwards, after services are translated.
pub fn is_forward(policy: &Policy) -> bool {
    policy.apply_on_forward && !policy.pre_dnat && !policy.untracked
}

/// The policies of the first tier that denies what they leave, without saying so.
fn denying<'c>(
    ctx: &ClusterContext<'_, '_>,
    policies: &[&'c Policy],
    direction: Direction,
) -> Option<Vec<&'c Policy>> {
    for of_tier in policies.chunk_by(|a, b| a.tier_index == b.tier_index) {
        let governing: Vec<(&Policy, &[Rule])> =
            of_tier.iter().filter_map(|policy| Some((*policy, rules(policy, direction)?))).collect();
        let Some((first, _)) = governing.first() else { continue };
        if governing.iter().any(|(_, rules)| rules.is_empty()) {
            return None;
        }
        let tier = ctx.cluster.tiers().get(first.tier_index.0 as usize);
        let mut all = governing.iter().flat_map(|(_, rules)| *rules);
        match all.find(|rule| decides_everything(rule)).map(|rule| rule.action) {
            Some(Action::Pass) => continue,
            Some(_) => return None,
            None if tier.is_some_and(|tier| tier.default_pass) => continue,
            None => return Some(governing.into_iter().map(|(policy, _)| policy).collect()),
        }
    }
    None
}

fn finding(group: &Group<'_, '_>, direction: Direction) -> Option<Diagnostic> {
    let first = group.policies.first()?;
    let way = match direction {
        Direction::Ingress => "comes in over",
        Direction::Egress => "goes out over",
    };
    let paths: Vec<String> = group.policies.iter().map(|policy| policy.id.path()).collect();
    let (apply, they) = if paths.len() == 1 { ("applies", "it does") } else { ("apply", "they do") };
    let message = format!(
        "{} {apply} on forward, so what {they} not allow is denied of all that is forwarded and {way} {}, to or from pods and node ports too",
        list(paths.iter().map(String::as_str)),
        group.names()
    );
    Some(CHECK.finding(first.at, message).help(
        "end with a rule without conditions: `Allow` or `Pass` if the rest is to go through, `Deny` if it is not",
    ))
}
