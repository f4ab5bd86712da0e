//! A rule has more lists than Felix enforces. A list of ports that takes several matches, or a list of
//! several networks, becomes a block of rules of iptables; the third and fourth block of a rule do not
//! take away a match that failed, so any packet that passed the second block passes them too. A rule
//! with two source networks, two destination networks and two named ports accepts all ports.
//!
//! Write one rule for each entry of one of the lists, so that at most two lists are left in any rule;
//! ports without names take one match together, up to fifteen (a range counts as two).
//!
//! Decided at `felix/rules/policy.go:490`, v3.32.1.

use super::super::ClusterContext;
use crate::diagnostic::Diagnostic;
use crate::felix::positive_blocks;
use crate::ir::Family;
use crate::resolve::view::Rule;

check!("third-list-not-enforced", Warning, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let policies = ctx.cluster.policies().iter().filter(|policy| !policy.id.kind.is_staged());
    for rule in policies.flat_map(|policy| policy.inbound.iter().chain(&policy.outbound)) {
        let blocks = [Family::V4, Family::V6].map(|family| positive_blocks(rule, family));
        if blocks.into_iter().max() > Some(2) {
            found.push(
                CHECK
                    .finding(rule.at, format!("felix does not enforce {} of this rule", unenforced(rule)))
                    .help("write one rule for each entry of one of the lists, so that two lists are left"),
            );
        }
    }
}

/// The lists that come after the second, in the order in which Felix renders them.
fn unenforced(rule: &Rule) -> String {
    let (source, destination) = (&rule.source, &rule.destination);
    let ports = |side: &crate::resolve::view::RuleSide| side.ports.len() + side.named_ports.len() > 1;
    let lists = [
        (ports(source), "`source.ports`"),
        (ports(destination), "`destination.ports`"),
        (source.nets.len() > 1, "`source.nets`"),
        (destination.nets.len() > 1, "`destination.nets`"),
    ];
    let names: Vec<&str> =
        lists.into_iter().filter(|(list, _)| *list).map(|(_, name)| name).skip(2).collect();
    names.join(" and ")
}
