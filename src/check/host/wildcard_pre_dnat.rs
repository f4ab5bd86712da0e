//! A host endpoint of one interface is subject to `preDNAT` policies of the host endpoint for all
//! interfaces. In every other respect an interface with a host endpoint of its own has nothing to
//! do with the one for all interfaces. Only where the own one has no `preDNAT` policy at all, packets
//! that come in go to the `preDNAT` policies of the other.
//!
//! To keep them away, let a `preDNAT` policy select the host endpoint, for instance one with a single
//! `Pass` rule. If they are meant for this interface too, let them select both.
//!
//! Decided at `felix/dataplane/linux/endpoint_mgr.go:1532`, v3.32.1.

use super::super::ClusterContext;
use super::hosts::{Host, groups, hosts, is_wildcard};
use super::pre_dnat_without_deny::is_pre_dnat;
use crate::diagnostic::Diagnostic;
use rustc_hash::FxHashMap;

check!("wildcard-pre-dnat-on-named", Note, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let (wildcards, named): (Vec<Host>, Vec<Host>) =
        hosts(ctx, is_pre_dnat).into_iter().partition(|host| is_wildcard(host.endpoint));
    let by_node: FxHashMap<&str, Host> = wildcards
        .into_iter()
        .filter(|host| !host.policies.is_empty())
        .map(|host| (&*host.endpoint.node, host))
        .collect();
    let exposed = named.into_iter().filter(|host| host.policies.is_empty()).filter_map(|host| {
        let wildcard = by_node.get(&*host.endpoint.node)?;
        Some(Host { endpoint: host.endpoint, policies: wildcard.policies.clone() })
    });
    for group in groups(exposed) {
        let (Some(at), Some(policy)) = (group.at(), group.policies.first()) else { continue };
        let (has, to) = if group.endpoints.len() == 1 { ("has", "it") } else { ("have", "them") };
        let message = format!(
            "{} {has} no `preDNAT` policy, so that those of the host endpoint for all interfaces, such as `{}`, apply to {to}",
            group.names(),
            policy.id.path()
        );
        found.push(
            CHECK
                .finding(at, message)
                .related(policy.at, "this policy applies")
                .help("to keep them away, select it with a `preDNAT` policy that has a single `Pass` rule"),
        );
    }
}
