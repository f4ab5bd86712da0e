//! A host endpoint that no policy selects, and that has no profile, drops everything. Without a host
//! endpoint Calico leaves an interface alone; with one, what no policy and no profile allows is
//! denied. What is left are the failsafe ports, connections that exist, and traffic that is only
//! forwarded, to pods for instance.
//!
//! Write a policy that selects it by its labels, or give it the profile
//! `projectcalico-default-allow`, which allows what no policy decides.
//!
//! Nothing is said of a host endpoint that does not apply to anything because another one of its node
//! comes first.
//!
//! Decided at `felix/rules/endpoints.go:772`, v3.32.1.

use super::super::ClusterContext;
use super::hosts::{groups, hosts};
use crate::diagnostic::Diagnostic;

check!("host-endpoint-without-policy", Warning, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let alone = hosts(ctx, |_| true)
        .into_iter()
        .filter(|host| host.policies.is_empty() && host.endpoint.profiles.is_empty());
    for group in groups(alone) {
        let Some(at) = group.at() else { continue };
        let (verb, has, drops) = match group.endpoints.len() {
            1 => ("selects", "it has", "it drops"),
            _ => ("selects any of", "they have", "they drop"),
        };
        let message = format!(
            "no policy {verb} {}, and {has} no profile: {drops} all traffic of the host but the failsafe ports",
            group.names()
        );
        found.push(CHECK.finding(at, message).help(
            "write a policy for it first, or set `profiles: [projectcalico-default-allow]` to allow what no policy decides",
        ));
    }
}
