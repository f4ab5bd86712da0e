//! A `preDNAT` or `doNotTrack` policy that selects pods, and no host endpoint, does nothing. These
//! policies are for the interfaces of nodes; Felix leaves them out of the lists of a pod, whatever
//! they say.
//!
//! For pods, write the policy without `preDNAT`, `doNotTrack` and `applyOnForward`. To filter on node
//! ports or addresses of services, select host endpoints.
//!
//! Nothing is said of a policy that selects host endpoints too, or nothing at all.
//!
//! Decided at `felix/calc/event_sequencer.go:552`, v3.32.1.

use super::super::ClusterContext;
use crate::diagnostic::Diagnostic;

check!("host-policy-on-pods", Warning, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let policies = ctx.cluster.policies().iter().filter(|policy| !policy.id.kind.is_staged());
    for policy in policies.filter(|policy| policy.untracked || policy.pre_dnat) {
        let selected = ctx.selected(policy);
        let mut pods = selected.pods();
        let (Some(first), None) = (pods.next(), selected.host_endpoints().next()) else { continue };
        let flag = if policy.untracked { "doNotTrack" } else { "preDNAT" };
        let others = match pods.count() {
            0 => format!("pod `{}/{}`", first.namespace, first.name),
            more => format!("`{}/{}` and {more} more pods", first.namespace, first.name),
        };
        let message = format!(
            "`{}` has no effect: a `{flag}` policy applies to host endpoints only, and it selects {others}",
            policy.id.path()
        );
        found.push(CHECK.finding(policy.at, message).help(format!(
            "remove `{flag}` and `applyOnForward` if the policy is for pods, or select host endpoints"
        )));
    }
}
