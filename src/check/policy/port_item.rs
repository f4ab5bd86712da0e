//! An entry of `ports` has no `port`, so that it stands for all ports of its protocol. Beside entries
//! with a port that is rarely meant: a dash too many makes two entries of `- port: 53` and
//! `- protocol: UDP`, of which the first is TCP port 53 and the second is all of UDP. Where other
//! entries have ports of the same protocol, these no longer count.
//!
//! Write `port` and `protocol` into one entry. If all ports are meant, leave out the other entries of
//! that protocol.
//!
//! Nothing is said where the entry is the only one of its protocol and stands next to no entry whose
//! protocol it could be.
//!
//! Decided at `libcalico-go/lib/backend/k8s/conversion/conversion.go:504`, v3.32.1.

use super::super::ClusterContext;
use crate::diagnostic::Diagnostic;
use crate::model::network_policy::PolicyPort;
use rustc_hash::FxHashSet;

check!("port-item-without-port", Warning, Likely, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    for policy in &ctx.resources.network_policies {
        for rule in policy.ingress.iter().chain(&policy.egress) {
            let with_port: FxHashSet<&str> =
                rule.ports.iter().filter(|item| item.port.is_some()).map(protocol).collect();
            for (index, item) in rule.ports.iter().enumerate() {
                if item.port.is_some() {
                    continue;
                }
                let beside = [index.checked_sub(1), index.checked_add(1)].into_iter().flatten();
                let mut beside = beside.filter_map(|index| rule.ports.get(index));
                let torn = !item.protocol.is_empty()
                    && beside.any(|other| other.port.is_some() && other.protocol.is_empty());
                if torn || with_port.contains(protocol(item)) {
                    let message =
                        format!("this entry has no `port`, so it stands for all {} ports", protocol(item));
                    found.push(CHECK.finding(item.at, message).help(if torn {
                        "write `port` and `protocol` into one entry, without a dash between them"
                    } else {
                        "add `port`, or leave out the other entries of this protocol"
                    }));
                }
            }
        }
    }
}

fn protocol(item: &PolicyPort) -> &str {
    if item.protocol.is_empty() { "TCP" } else { &item.protocol }
}
