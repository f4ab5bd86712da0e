//! A host endpoint cuts a node off: from the API server, from its peers, or from you. What no policy
//! and no profile of a host endpoint allows is denied, except for the failsafe ports, which Felix
//! opens in any case. By default these are SSH, etcd, the API server's port 6443 and what Calico
//! itself needs. Where the lists are changed, or the API server listens on another port, policy has
//! to allow it: a node without its API server hears of no correction either.
//!
//! Keep the default failsafe ports, with the API server's own port added, or write a policy that
//! allows these connections, and apply it before the host endpoints.
//!
//! What is looked at: SSH to the node and etcd's port 2380 between nodes that run it, where the list of
//! inbound ports is set; the API server to and from its addresses in the EndpointSlices of the
//! Service `default/kubernetes`. Nothing is said where any `Allow` rule could match the connection,
//! where the host endpoint has a profile, or where the node has an interface without host endpoint.
//!
//! Decided at `felix/rules/static.go:475` and `felix/config/config_params.go:425`, v3.32.1.

use super::super::NodeContext;
use super::super::rule_facts::{could_be, could_have_address, could_have_port};
use super::applied::{lists, rules};
use super::needs::{Need, needs, set_at};
use crate::diagnostic::Diagnostic;
use crate::model::calico::{Action, Direction};
use crate::model::core::TransportProtocol::Tcp;
use crate::resolve::view::WILDCARD_INTERFACE;
use crate::resolve::view::{HostEndpoint, Interface};

check!("host-endpoint-lockout", Warning, Likely, Node);

fn run(ctx: &NodeContext<'_>, found: &mut Vec<Diagnostic>) {
    let hosts = &ctx.view.host_endpoints;
    let Some(first) = hosts.first() else { return };
    if has_free_interface(ctx) {
        return;
    }
    for need in needs(ctx) {
        if failsafe(ctx, &need) || hosts.iter().any(|host| could_allow(ctx, host, &need)) {
            continue;
        }
        let parameter = match need.direction {
            Direction::Ingress => "FailsafeInboundHostPorts",
            Direction::Egress => "FailsafeOutboundHostPorts",
        };
        let at = set_at(ctx, parameter).unwrap_or(first.at);
        let message = format!(
            "host endpoints cut nodes off: {} is neither in {parameter} nor allowed by any policy",
            need.what
        );
        let field = parameter.replacen('F', "f", 1);
        let entry = format!("add `protocol: TCP`, `port: {}` to `{field}`", need.port);
        found.push(CHECK.finding(at, message).help(format!("{entry}, or allow it by policy")));
    }
}

/// Whether traffic could go over an interface that no host endpoint governs.
fn has_free_interface(ctx: &NodeContext<'_>) -> bool {
    let governed = |interface: &Interface| {
        let hosts = ctx.view.host_endpoints.iter();
        hosts.map(|host| &*host.interface).any(|name| name == WILDCARD_INTERFACE || name == &*interface.name)
    };
    ctx.view.interfaces.iter().any(|interface| {
        let name = &*interface.name;
        let tunnel = name == "tunl0" || name.starts_with("vxlan") || name.starts_with("wireguard");
        let local = interface.addresses.iter().all(|net| net.addr().is_loopback());
        !tunnel && !local && !ctx.view.config.excludes_interface(name) && !governed(interface)
    })
}

fn failsafe(ctx: &NodeContext<'_>, need: &Need) -> bool {
    let config = &ctx.view.config;
    let list = match need.direction {
        Direction::Ingress => &config.failsafe_inbound,
        Direction::Egress => &config.failsafe_outbound,
    };
    list.iter().any(|entry| {
        let reaches = need.peer.is_none_or(|peer| entry.net.is_none_or(|net| net.contains(&peer)));
        &*entry.protocol == "tcp" && entry.port == need.port && reaches
    })
}

/// Whether a rule or a profile of the host endpoint could allow the connection.
fn could_allow(ctx: &NodeContext<'_>, host: &HostEndpoint, need: &Need) -> bool {
    let mut all = lists(host).into_iter().flat_map(|tiers| rules(ctx.view, tiers, need.direction));
    !host.profiles.is_empty()
        || all.any(|(_, rule)| {
            rule.action == Action::Allow
                && could_be(rule, Tcp)
                && could_have_port(&rule.destination, need.port)
                && need.peer.is_none_or(|peer| could_have_address(&rule.destination, peer))
        })
}
