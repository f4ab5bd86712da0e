//! The `preDNAT` policies of a host endpoint only allow, so that they block nothing. Other policies
//! deny what they do not allow; `preDNAT` policies do not: a packet that none of them decides goes
//! on as if they were not there. All that an `Allow` does here is to spare the packet the host
//! endpoint's other policies for traffic that comes in.
//!
//! Add a `preDNAT` policy with a higher order that denies the rest: the node ports, or the addresses
//! of load balancers.
//!
//! Nothing is said where one of the policies has a `Deny` rule.
//!
//! Decided at `felix/rules/endpoints.go:689`, v3.32.1.

use super::super::ClusterContext;
use super::super::rule_facts::{list, rules};
use super::hosts::{groups, hosts};
use crate::diagnostic::Diagnostic;
use crate::model::calico::{Action, Direction};
use crate::resolve::policy::Policy;

check!("pre-dnat-without-deny", Note, Likely, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    for group in groups(hosts(ctx, is_pre_dnat)) {
        let has = |action| {
            let inbound = group.policies.iter().filter_map(|policy| rules(policy, Direction::Ingress));
            inbound.flatten().any(|rule| rule.action == action)
        };
        let Some(first) = group.policies.first().filter(|_| has(Action::Allow) && !has(Action::Deny)) else {
            continue;
        };
        let paths: Vec<String> = group.policies.iter().map(|policy| policy.id.path()).collect();
        let names = list(paths.iter().map(String::as_str));
        let hosts = group.names();
        let message = match paths.len() {
            1 => format!(
                "{names} is the only `preDNAT` policy of {hosts} and denies nothing: what it does not allow goes on as without it"
            ),
            _ => format!(
                "{names} are all `preDNAT` policies of {hosts} and deny nothing: what they do not allow goes on as without them"
            ),
        };
        found.push(CHECK.finding(first.at, message).help(
            "add a `preDNAT` policy with a higher order that denies what is to be blocked, such as the node ports",
        ));
    }
}

/// Whether it applies before services are translated.
pub fn is_pre_dnat(policy: &Policy) -> bool {
    policy.pre_dnat && !policy.untracked && policy.ingress
}
