//! A rule's `http` match is not enforced, so that the rule applies to every request. Felix renders no
//! rule of iptables for `methods` and `paths`; only Envoy, where application layer policy is
//! installed, looks at them. A rule that is to allow `GET` only then allows all methods, and a
//! whole connection of any protocol on that port.
//!
//! Enforce methods and paths in an ingress or a service mesh, and let the policy name the ports and
//! the peers.
//!
//! Decided at `felix/rules/policy.go:146`, v3.32.1, which never looks at the field.

use super::super::ClusterContext;
use crate::diagnostic::Diagnostic;

check!("http-match-not-enforced", Warning, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let policies = ctx.resources.policies.iter().filter(|policy| policy.staged.is_none());
    for rule in policies.flat_map(|policy| policy.ingress.iter().chain(&policy.egress)) {
        let Some(at) = rule.http else { continue };
        let message = "`http` is not enforced by iptables: this rule applies to every request, whatever its method and path";
        found.push(
            CHECK.finding(at, message).help(
                "name ports and peers here, and leave methods and paths to an ingress or a service mesh",
            ),
        );
    }
}
