//! An egress rule with a named port and no peer reaches that port anywhere in the cluster, and nothing
//! outside. A named port stands for addresses and numbers: those of the endpoints that declare it. With
//! nothing said about the destination, these are all pods and host endpoints of the cluster, of every
//! namespace. No address outside declares a port, so the rule does not match it.
//!
//! Write whom the rule is about (a selector), `nets` and a number for destinations outside, or, if
//! every endpoint is meant, `selector: all()` (in Kubernetes' policies `namespaceSelector: {}`).
//!
//! Decided at `felix/calc/rule_scanner.go:405`, v3.32.1.

use super::super::ClusterContext;
use super::written;
use crate::diagnostic::{Diagnostic, Location};
use crate::model::calico::{Direction, EntityRule, Port};
use crate::model::network_policy::IntOrString;
use crate::syntax::port::{self, PortText};

check!("named-port-of-the-whole-cluster", Note, Possible, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    for (direction, rule) in written::policies(ctx.resources).flat_map(written::rules) {
        let port = rule.destination.ports.iter().find_map(|port| match &port.value {
            Port::Name(name) => Some((&**name, port.at)),
            Port::Range(..) => None,
        });
        if let Some((name, at)) =
            port.filter(|_| direction == Direction::Egress && is_anyone(&rule.destination))
        {
            found.push(finding(name, at, "`destination`", "selector: all()"));
        }
    }
    for rule in ctx.resources.network_policies.iter().flat_map(|policy| &policy.egress) {
        let port = rule.ports.iter().find_map(|item| match &item.port {
            Some(IntOrString::String(text)) => match port::parse(text) {
                Ok(PortText::Name(name)) => Some((name, item.at)),
                _ => None,
            },
            _ => None,
        });
        if let Some((name, at)) = port.filter(|_| rule.peers.is_empty()) {
            found.push(finding(name, at, "`to`", "namespaceSelector: {}"));
        }
    }
}

fn is_anyone(side: &EntityRule) -> bool {
    side.selector.value.is_empty()
        && side.namespace_selector.value.is_empty()
        && side.service_accounts.is_none()
        && side.services.is_none()
        && side.nets.is_empty()
}

fn finding(name: &str, at: Location, field: &str, everyone: &str) -> Diagnostic {
    let message = format!(
        "port `{name}` without a selector is that of every endpoint in the cluster, and of no address outside"
    );
    let help = format!(
        "say in {field} who is meant: `{everyone}` for everyone in the cluster; for addresses outside write a number"
    );
    CHECK.finding(at, message).help(help)
}
