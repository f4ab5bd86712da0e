//! A rule names the address of a service, which it never sees. kube-proxy replaces the address and the
//! port of a service by those of one of the pods behind it before Calico's policies are evaluated.
//! An `Allow` for the address allows nothing, a `Deny` denies nothing. This holds for cluster IPs,
//! external IPs and addresses of load balancers.
//!
//! Name the pods behind the service by a selector (or what else its endpoints are), with their own
//! port; in Calico policies `destination.services` does both. `preDNAT` policies of host endpoints
//! are evaluated before kube-proxy, and see the service's address.
//!
//! What is looked at: single addresses of services, and networks inside of the `serviceClusterIPs` of the
//! BGPConfiguration `default`. Nothing is said where the rule is for a port or protocol that the service
//! does not have, where a node has the address, where the same policy does the same to
//! what is behind the service, and of DNS where a cache on the node may answer for its cluster IP.
//!
//! Decided at `felix/rules/static.go:609` and `felix/rules/static.go:835`, v3.32.1: these chains come after
//! the kernel has translated addresses.

use super::super::ClusterContext;
use super::super::rule_facts::{after_dnat, could_be, could_have_port, governed};
use super::addresses::{Addresses, Named};
use super::behind::otherwise;
use super::facts::{backends, path};
use crate::diagnostic::Diagnostic;
use crate::model::calico::Direction;
use crate::model::core::TransportProtocol::{Sctp, Tcp, Udp};
use crate::resolve::policy::Policy;
use crate::resolve::view::Rule;
use ipnet::IpNet;
use std::cell::OnceCell;

check!("service-address-in-nets", Warning, Likely, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let addresses = Addresses::new(ctx.resources);
    if addresses.is_empty() {
        return;
    }
    let behind = OnceCell::new();
    for policy in ctx.cluster.policies().iter().filter(|policy| after_dnat(policy)) {
        for (direction, rules) in governed(policy) {
            for rule in rules {
                let named = rule.destination.nets.iter().filter_map(|net| {
                    let named = addresses.named(net)?;
                    let dead = concerns(&addresses, rule, net, &named)
                        && !otherwise(
                            ctx,
                            rules,
                            rule,
                            &named,
                            behind.get_or_init(|| backends(ctx.resources)),
                        );
                    dead.then_some((net, named))
                });
                for (net, named) in named {
                    found.push(finding(policy, direction, rule, net, &named));
                }
                for net in &rule.source.nets {
                    if let Some(named @ Named::ClusterIp(_)) = addresses.named(net) {
                        found.push(source(rule, net, &named));
                    }
                }
            }
        }
    }
}

/// Whether the rule is for connections that kube-proxy translates.
fn concerns(addresses: &Addresses<'_>, rule: &Rule, net: &IpNet, named: &Named<'_>) -> bool {
    if rule.icmp.is_some() || ![Tcp, Udp, Sctp].iter().any(|protocol| could_be(rule, *protocol)) {
        return false;
    }
    let dns = could_have_port(&rule.destination, 53);
    match named.service() {
        Some(service) => {
            let ports = service.ports.iter().filter(|port| could_be(rule, port.protocol));
            let mut ports = ports.filter(|port| could_have_port(&rule.destination, port.port)).peekable();
            let is_dns = ports.peek().is_some_and(|port| port.port == 53);
            ports.peek().is_some()
                && rule.destination.named_ports.is_empty()
                && !(is_dns && addresses.dns_may_be_local())
        }
        None => !(dns && addresses.may_hold_dns(net) && addresses.dns_may_be_local()),
    }
}

fn finding(policy: &Policy, direction: Direction, rule: &Rule, net: &IpNet, named: &Named<'_>) -> Diagnostic {
    let message = match named.service() {
        Some(service) => format!(
            "no connection to service `{}` matches this rule by `{net}`, its {}: kube-proxy has replaced the address by one behind the service",
            path(service),
            named.word()
        ),
        None => format!(
            "no connection to a service matches this rule by `{net}`, where only cluster IPs are: kube-proxy has replaced the address by one behind the service"
        ),
    };
    let host = direction == Direction::Ingress && policy.id.namespace.is_empty();
    let help = match host {
        true => {
            "name what is behind the service, with its own port; a `preDNAT` policy of a host endpoint sees the service's address"
        }
        false => {
            "name what is behind the service, by a selector and with its own port, or in Calico policies by `destination.services`"
        }
    };
    CHECK.finding(rule.at, message).help(help)
}

fn source(rule: &Rule, net: &IpNet, named: &Named<'_>) -> Diagnostic {
    let service = named.service().map(path).unwrap_or_default();
    let message = format!(
        "this rule never matches `{net}` as a source, the cluster IP of service `{service}`: pods send from their own addresses"
    );
    CHECK.finding(rule.at, message).help("name the pods that send, by a selector")
}
