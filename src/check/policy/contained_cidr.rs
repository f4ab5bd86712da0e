//! A network is contained in another one of the same list, so that it has no effect. A list stands for
//! all addresses of all its networks. Either the entry is left from before a wider one was added, or
//! the wider one is wider than was meant: `0.0.0.0/0` makes all others vain.
//!
//! Remove the entry, or make the other one narrower.
//!
//! Looked at are `nets` and `notNets` of rules, `nets` of network sets, and the `ipBlock`s without
//! `except` in one rule of a Kubernetes policy.
//!
//! Decided at `felix/rules/policy.go:326`, v3.32.1, where a list is a choice between its networks; from
//! sets Felix leaves out what others cover (`felix/labelindex/named_port_index.go:618`).

use super::super::ClusterContext;
use super::nets;
use crate::diagnostic::Diagnostic;

check!("contained-cidr", Note, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    nets::each(ctx, &mut |list| {
        let (_, covered) = nets::redundant(&list.entries);
        let Some((entry, wider)) = covered.first() else { return };
        let contained = if covered.len() > 1 {
            "are contained in other entries"
        } else {
            "is contained in another entry"
        };
        let message = format!("{} in {} {contained}, so without effect", nets::named(&covered), list.name);
        let finding = CHECK.finding(entry.at, message).help("remove it, or make the wider network narrower");
        found.push(finding.related(wider.at, "the wider network"));
    });
}
