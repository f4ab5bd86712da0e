//! Whether a policy that names a service's address does what it says all the same, because it names
//! what is behind the service as well.

use super::super::ClusterContext;
use super::super::rule_facts::{could_be, could_have_port, matches_everything};
use super::addresses::Named;
use super::facts::{Backend, Backends};
use crate::model::core::Service;
use crate::resolve::view::{Rule, SetMembers};
use std::net::IpAddr;

/// Whether another rule of the policy does the same to what is behind the service.
pub fn otherwise(
    ctx: &ClusterContext<'_, '_>,
    rules: &[Rule],
    rule: &Rule,
    named: &Named<'_>,
    backends: &Backends<'_>,
) -> bool {
    let Some(service) = named.service() else {
        return rules.iter().any(|other| other.action == rule.action && matches_everything(other));
    };
    let own = backends.get(&(&*service.meta.namespace, &*service.meta.name)).map_or(&[][..], Vec::as_slice);
    let wanted: Vec<&Backend> = own.iter().filter(|backend| is_for(rule, service, backend)).collect();
    let same = |other: &&Rule| other.action == rule.action;
    match wanted.is_empty() {
        true => rules.iter().filter(same).any(matches_everything),
        false => {
            wanted.iter().all(|backend| rules.iter().filter(same).any(|other| covers(ctx, other, backend)))
        }
    }
}

/// Whether the backend is one of a port of the service that the rule is for.
fn is_for(rule: &Rule, service: &Service, backend: &Backend<'_>) -> bool {
    let mut ports = service.ports.iter().filter(|port| *port.name == *backend.name);
    ports.any(|port| could_be(rule, port.protocol) && could_have_port(&rule.destination, port.port))
}

fn covers(ctx: &ClusterContext<'_, '_>, rule: &Rule, backend: &Backend<'_>) -> bool {
    let side = &rule.destination;
    let within = |set: &SetMembers| match (set, backend.address) {
        (SetMembers::Nets(nets), IpAddr::V4(address)) => nets.v4.iter().any(|net| net.contains(&address)),
        (SetMembers::Nets(nets), IpAddr::V6(address)) => nets.v6.iter().any(|net| net.contains(&address)),
        (SetMembers::Ports(ports), _) => ports.iter().any(|port| port.address == backend.address),
    };
    let sets = side.sets.iter().chain(&side.services);
    could_be(rule, backend.protocol)
        && could_have_port(side, backend.port)
        && (side.nets.is_empty() || side.nets.iter().any(|net| net.contains(&backend.address)))
        && sets.map(|set| ctx.cluster.set_members(*set)).all(within)
}
