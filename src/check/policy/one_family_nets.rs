//! A rule that excludes networks of one IP family says nothing about the other family. Felix renders a
//! rule for IPv4 and for IPv6; where all `notNets` of a side are of one family, it leaves the rule out
//! of the other. `Deny` all but `10.0.0.0/8` then denies no IPv6 packet, and `Allow` allows none.
//!
//! Write a second rule for the other family: with `notNets` of that family, or with `ipVersion` if
//! nothing is to be excluded there. If only one family is meant, write its `ipVersion` into this rule.
//!
//! Looked at are `Allow` and `Deny` rules of clusters whose pools or pods have both families. Nothing
//! is said where the rule is bound to a family by `ipVersion`, ICMP or `nets`, or where another rule of
//! the policy with the same action and direction is for the other family.
//!
//! Decided at `felix/rules/policy.go:217` and `:225`, v3.32.1.

use super::super::ClusterContext;
use super::direction;
use crate::diagnostic::Diagnostic;
use crate::model::calico::Action;
use crate::resolve::view::Rule;
use ipnet::IpNet;
use rustc_hash::FxHashSet;

check!("not-nets-of-one-family", Note, Likely, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let mut dual = None;
    for policy in ctx.cluster.policies() {
        for (.., rules) in direction::of(policy).into_iter().filter(|(_, governs, _)| *governs) {
            let families: FxHashSet<(Action, u8)> =
                rules.iter().filter_map(|rule| Some((rule.action, family(rule)?))).collect();
            for rule in rules.iter().filter(|rule| matches!(rule.action, Action::Allow | Action::Deny)) {
                let (Some(version), None) = (excluded(rule), rule.ip_version) else { continue };
                let left = if version == 4 { 6 } else { 4 };
                let bound = [&rule.source, &rule.destination].iter().any(|side| !side.nets.is_empty());
                if bound
                    || families.contains(&(rule.action, left))
                    || !*dual.get_or_insert_with(|| is_dual(ctx))
                {
                    continue;
                }
                let verb = if rule.action == Action::Deny { "denies" } else { "allows" };
                let message =
                    format!("all `notNets` of this rule are IPv{version}, so it {verb} no IPv{left} packet");
                let help = format!(
                    "add a rule with `ipVersion: {left}`, or write `ipVersion: {version}` into this one"
                );
                found.push(CHECK.finding(rule.at, message).help(help));
            }
        }
    }
}

/// The family of all networks that a rule excludes.
fn excluded(rule: &Rule) -> Option<u8> {
    one([&rule.source, &rule.destination].into_iter().flat_map(|side| &side.not_nets))
}

/// The family that a rule is for, if it is for one.
fn family(rule: &Rule) -> Option<u8> {
    let sides = [&rule.source, &rule.destination].into_iter();
    rule.ip_version.or_else(|| one(sides.flat_map(|side| side.nets.iter().chain(&side.not_nets))))
}

fn one<'n>(nets: impl Iterator<Item = &'n IpNet>) -> Option<u8> {
    let mut versions = nets.map(|net| if net.addr().is_ipv6() { 6 } else { 4 });
    let first = versions.next()?;
    versions.all(|other| other == first).then_some(first)
}

/// Whether the cluster has both families.
fn is_dual(ctx: &ClusterContext<'_, '_>) -> bool {
    let pools = ctx.resources.pools.iter().filter(|pool| !pool.disabled);
    let pools: Vec<bool> = pools.map(|pool| pool.cidr.value.addr().is_ipv6()).collect();
    let has = |v6: bool| {
        pools.contains(&v6)
            || ctx.cluster.pods().iter().flat_map(|pod| &pod.status_ips).any(|text| text.contains(':') == v6)
    };
    has(true) && has(false)
}
