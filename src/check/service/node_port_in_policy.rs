//! A policy for incoming traffic names a node port, which it never sees. kube-proxy replaces a node port
//! by the port of a pod behind the service before policies are evaluated, for pods as for host
//! endpoints. An `Allow` for the node port allows nothing, a `Deny` denies nothing.
//!
//! In a policy for pods write the port that the pod listens on. To decide about the node port itself,
//! write a policy for host endpoints with `preDNAT: true` and `applyOnForward: true`.
//!
//! What is looked at: ports that are the `nodePort` of a Service, and ranges inside of 30000 to 32767
//! that have one. Nothing is said where a pod, a host endpoint or an endpoint of any service listens on
//! such a port by itself, or kube-proxy for the health checks of a load balancer.
//!
//! Decided at `felix/rules/static.go:250` and `felix/rules/static.go:609`, v3.32.1: these chains come after
//! the kernel has translated ports.

use super::super::ClusterContext;
use super::super::rule_facts::{after_dnat, could_be, rules};
use super::facts::{Backends, backends, is_exposed, listening_ports, path};
use crate::diagnostic::Diagnostic;
use crate::model::calico::Direction;
use crate::model::core::{Service, ServicePort};
use crate::resolve::policy::Policy;
use crate::resolve::view::Rule;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

check!("node-port-in-workload-policy", Warning, Likely, Cluster);

type NodePorts<'r> = BTreeMap<u16, Vec<(&'r Service, &'r ServicePort)>>;

/// The node ports that Kubernetes gives out by default.
const RANGE: std::ops::RangeInclusive<u16> = 30000..=32767;

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let mut node_ports = NodePorts::new();
    for service in ctx.resources.services.iter().filter(|service| is_exposed(service)) {
        for port in &service.ports {
            if let Some(number) = port.node_port {
                node_ports.entry(number).or_default().push((service, port));
            }
        }
    }
    if node_ports.is_empty() {
        return;
    }
    let (listening, behind) = (OnceCell::new(), OnceCell::new());
    for policy in ctx.cluster.policies().iter().filter(|policy| after_dnat(policy)) {
        for rule in rules(policy, Direction::Ingress).unwrap_or_default() {
            for &(first, last) in &rule.destination.ports {
                let mut meant = node_ports
                    .range(first..=last.max(first))
                    .flat_map(|(number, of)| of.iter().map(move |(service, port)| (*number, *service, *port)))
                    .filter(|(_, _, port)| could_be(rule, port.protocol));
                let single = first == last;
                let Some(example) =
                    meant.next().filter(|_| single || (RANGE.contains(&first) && RANGE.contains(&last)))
                else {
                    continue;
                };
                let listening = listening.get_or_init(|| listening_ports(ctx.resources));
                if !is_free(listening, &ctx.resources.services, first, last) {
                    continue;
                }
                let behind = behind.get_or_init(|| backends(ctx.resources));
                found.push(finding(ctx, policy, rule, (first, last), example, behind));
            }
        }
    }
}

/// Whether a port or range has nothing that listens on it by itself.
fn is_free(listening: &BTreeSet<u16>, services: &[Service], first: u16, last: u16) -> bool {
    let checked = |service: &Service| {
        &*service.kind == "LoadBalancer" && service.external_local && service.health_check_node_port.is_none()
    };
    let health_check = first != last && services.iter().any(checked);
    !health_check && listening.range(first..=last.max(first)).next().is_none()
}

fn finding(
    ctx: &ClusterContext<'_, '_>,
    policy: &Policy,
    rule: &Rule,
    (first, last): (u16, u16),
    (number, service, port): (u16, &Service, &ServicePort),
    behind: &Backends<'_>,
) -> Diagnostic {
    let own = behind.get(&(&*service.meta.namespace, &*service.meta.name)).into_iter().flatten();
    let resolved =
        own.filter(|backend| *backend.name == *port.name).map(|backend| backend.port.to_string()).next();
    let target = resolved.unwrap_or_else(|| match &*port.target_port {
        "" => port.port.to_string(),
        text => text.to_owned(),
    });
    let by = format!("kube-proxy has replaced it by the pod's port `{target}`");
    let message = if first == last {
        format!("this rule never matches `{number}`, the node port of service `{}`: {by}", path(service))
    } else {
        format!(
            "this rule never matches the node ports in `{first}:{last}`, such as `{number}` of service `{}`: {by}",
            path(service)
        )
    };
    let host = ctx.selected(policy).host_endpoints().next().is_some();
    let help = match host {
        true => "put the rule into a policy with `preDNAT: true` and `applyOnForward: true`, which sees the node port".to_owned(),
        false => format!("name the port that the pod listens on, `{target}`; only a `preDNAT` policy of a host endpoint sees the node port"),
    };
    CHECK.finding(rule.at, message).help(help)
}
