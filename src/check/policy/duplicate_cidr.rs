//! A list has the same network twice. Nothing is gained by it, and often another network was meant. In
//! a rule of Calico's policies it has a cost: Felix does not join equal networks, and a list of two
//! takes a block of several rules of iptables where one network takes a part of one rule. Networks are
//! the same if they have the same addresses, however they are written (`10.0.0.1` and `10.0.0.1/32`).
//!
//! Remove the second one, or write the network that was meant.
//!
//! Looked at are `nets` and `notNets` of rules, and the `ipBlock`s without `except` in one rule of a
//! Kubernetes policy. That the same text is twice in `nets` of a rule or of a network set is told by
//! `schema-rule`, because an API server refuses it.
//!
//! Decided at `felix/rules/policy.go:326`, v3.32.1.

use super::super::ClusterContext;
use super::nets;
use crate::diagnostic::Diagnostic;

check!("duplicate-cidr", Warning, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    nets::each(ctx, &mut |list| {
        let (mut again, _) = nets::redundant(&list.entries);
        again.retain(|(entry, first)| !(list.is_set && entry.is_written_like(first)));
        let Some((entry, first)) = again.first() else { return };
        let verb = if again.len() > 1 { "are" } else { "is" };
        let message = format!("{} {verb} in {} more than once", nets::named(&again), list.name);
        let finding = CHECK
            .finding(entry.at, message)
            .help("remove the repetition, or write the network that was meant");
        found.push(finding.related(first.at, "the same network"));
    });
}
