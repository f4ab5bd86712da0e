//! A `preDNAT` policy names the port of a pod, which it does not see. A `preDNAT` policy is evaluated
//! before kube-proxy: the packet still has the node port, or the port of the service, that the client
//! used. The port that the pod listens on comes later.
//!
//! Name the node port for node ports, and the service's port together with its address for load
//! balancers. Or write a policy for the pods, where their own port is right.
//!
//! What is looked at: single ports from 1024 that a service of type NodePort or LoadBalancer leads to.
//! Nothing is said of a port that is also some service's port or node port, a `hostPort`, a port of a
//! pod on the host's network or of a host endpoint, or one that Kubernetes and Calico use on hosts.
//!
//! Decided at `felix/rules/static.go:1008`, v3.32.1.

use super::super::ClusterContext;
use super::super::rule_facts::{could_be, rules};
use super::facts::{backends, is_exposed, path};
use crate::diagnostic::Diagnostic;
use crate::model::Resources;
use crate::model::calico::Direction;
use crate::model::core::{Service, ServicePort};
use crate::resolve::policy::Policy;
use crate::resolve::view::Rule;
use std::collections::{BTreeMap, BTreeSet};

check!("pod-port-in-pre-dnat-policy", Warning, Likely, Cluster);

/// Ports of Kubernetes, etcd and Calico on hosts.
const OF_HOSTS: &[u16] = &[2379, 2380, 5473, 6443, 6666, 6667, 9090, 9091, 9098, 9099, 9100];

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let pre_dnat = |policy: &&Policy| policy.pre_dnat && !policy.untracked && !policy.id.kind.is_staged();
    let policies: Vec<&Policy> = ctx.cluster.policies().iter().filter(pre_dnat).collect();
    if policies.is_empty() {
        return;
    }
    let targets = targets(ctx.resources);
    let others = other_uses(ctx.resources);
    for policy in policies {
        for rule in rules(policy, Direction::Ingress).unwrap_or_default() {
            let single = rule.destination.ports.iter().filter(|(first, last)| first == last);
            for (number, _) in single.filter(|(number, _)| *number >= 1024 && !others.contains(number)) {
                let Some((service, port)) = targets.get(number) else { continue };
                if could_be(rule, port.protocol) {
                    found.push(finding(rule, *number, service, port));
                }
            }
        }
    }
}

/// The ports that exposed services lead to, with the first service of each.
fn targets(resources: &Resources) -> BTreeMap<u16, (&Service, &ServicePort)> {
    let behind = backends(resources);
    let mut targets = BTreeMap::new();
    for service in resources.services.iter().filter(|service| is_exposed(service)) {
        let own = behind.get(&(&*service.meta.namespace, &*service.meta.name));
        for port in &service.ports {
            let backends = own.into_iter().flatten().filter(|backend| *backend.name == *port.name);
            let numbers = backends.map(|backend| backend.port).chain(port.target_port.parse().ok());
            numbers.for_each(|number| {
                targets.entry(number).or_insert((service, port));
            });
        }
    }
    targets
}

/// Ports that a packet can have before kube-proxy.
fn other_uses(resources: &Resources) -> BTreeSet<u16> {
    let mut ports: BTreeSet<u16> = OF_HOSTS.iter().copied().chain(10248..=10259).collect();
    for service in &resources.services {
        ports.extend(service.ports.iter().flat_map(|port| [Some(port.port), port.node_port]).flatten());
        ports.extend(service.health_check_node_port.as_ref().map(|port| port.value));
    }
    for pod in &resources.pods {
        ports.extend(pod.ports.iter().map(|port| port.host_port));
        if pod.host_network {
            ports.extend(pod.ports.iter().map(|port| port.port));
        }
    }
    ports.extend(resources.host_endpoints.iter().flat_map(|host| &host.ports).map(|port| port.port));
    ports
}

fn finding(rule: &Rule, number: u16, service: &Service, port: &ServicePort) -> Diagnostic {
    let service_path = path(service);
    let message = format!(
        "`{number}` is the port that pods behind service `{service_path}` listen on: a `preDNAT` rule sees the port that the client used"
    );
    let help = match port.node_port {
        Some(node_port) => format!(
            "name the node port, `{node_port}`, or the service's port, `{}`, with the load balancer's address",
            port.port
        ),
        None => format!("name the service's port, `{}`, with the load balancer's address", port.port),
    };
    CHECK.finding(rule.at, message).help(help)
}
