//! A `doNotTrack` policy is ignored on host endpoints for all interfaces. Felix programs untracked
//! policy for interfaces that it knows by name; on a host endpoint with `interfaceName: "*"` it logs
//! a warning and leaves the policy out. The host endpoints that Calico makes by itself are of this
//! kind.
//!
//! Make host endpoints with the interface's name, or with `expectedIPs` and without
//! `interfaceName`, for the nodes that the policy is for.
//!
//! Nothing is said where the policy selects at least one such host endpoint as well.
//!
//! Decided at `felix/dataplane/linux/endpoint_mgr.go:1302`, v3.32.1.

use super::super::ClusterContext;
use super::hosts::{is_wildcard, names};
use crate::diagnostic::Diagnostic;
use crate::model::calico::HostEndpoint;

check!("do-not-track-on-wildcard", Warning, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let policies = ctx.cluster.policies().iter();
    for policy in policies.filter(|policy| policy.untracked && !policy.id.kind.is_staged()) {
        let selected = ctx.selected(policy);
        let endpoints: Vec<&HostEndpoint> = selected.host_endpoints().collect();
        if endpoints.is_empty() || !endpoints.iter().all(|endpoint| is_wildcard(endpoint)) {
            continue;
        }
        let are = if endpoints.len() == 1 { "is" } else { "are" };
        let message = format!(
            "`{}` has no effect: felix ignores `doNotTrack` policies on {}, which {are} for all interfaces",
            policy.id.path(),
            names(&endpoints)
        );
        found.push(CHECK.finding(policy.at, message).help(
            "make a host endpoint with the name of the interface that the policy is for, and select that",
        ));
    }
}
