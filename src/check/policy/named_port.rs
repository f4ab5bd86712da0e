//! A rule names a port that no endpoint concerned declares, so that this port matches no packet. A
//! named port stands for the address and the number of every pod that has a container port of that
//! name and protocol, and of every host endpoint with such an entry in `ports`. The name of a
//! Service's port is something else. In an ingress rule the destination is what the policy selects,
//! so one of these endpoints must declare the port.
//!
//! Write the name as it is in the pods, with its protocol, or use the number.
//!
//! Nothing is said where the policy or the peer selects nothing at all, and where a controller makes
//! pods of which the input does not say what ports they declare.
//!
//! Decided at `felix/calc/rule_scanner.go:404` and `felix/labelindex/named_port_index.go:819`,
//! v3.32.1.

use super::super::ClusterContext;
use super::{direction, written};
use crate::diagnostic::{Diagnostic, Location};
use crate::model::calico::Direction;
use crate::model::core::TransportProtocol;
use crate::model::suggest;
use crate::resolve::policy::Policy;
use crate::resolve::prospects::Prospect;
use crate::resolve::query::Selection;
use crate::resolve::view::{SetIndex, SetMeaning};
use crate::syntax::selector::Selector;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

check!("named-port-without-match", Warning, Likely, Cluster);

/// Pods that are looked at for the name that was meant.
const LOOKED_AT: usize = 1000;

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let mut places = None;
    let mut declaring: FxHashMap<(&str, &str), Selection<'_, '_>> = FxHashMap::default();
    for policy in ctx.cluster.policies() {
        // each port once for a policy and a side, however many peers there are
        let mut seen: FxHashSet<(SetIndex, bool)> = FxHashSet::default();
        let mut subject = None;
        for (direction, governs, rules) in direction::of(policy) {
            for rule in rules.iter().filter(|_| governs) {
                for (side, own) in [
                    (&rule.source, direction == Direction::Egress),
                    (&rule.destination, direction == Direction::Ingress),
                ] {
                    for set in &side.named_ports {
                        let SetMeaning::NamedPort { port, protocol, .. } = ctx.cluster.set_meaning(*set)
                        else {
                            continue;
                        };
                        let Some(selector) = ctx.cluster.set_selector(*set) else { continue };
                        if !seen.insert((*set, own)) {
                            continue;
                        }
                        let declared = declaring
                            .entry((port, protocol))
                            .or_insert_with(|| ctx.cluster.declaring(port, protocol));
                        let mut concerned = ctx.everyone.select(selector);
                        if own {
                            concerned.intersect(subject.get_or_insert_with(|| ctx.selected(policy)));
                        }
                        let wanted = Wanted { port, protocol, own };
                        let nobody = concerned.has_no_endpoint();
                        let endpoints = concerned.clone();
                        concerned.intersect(declared);
                        if nobody || !concerned.is_empty() || may_come(ctx, policy, selector, own) {
                            continue;
                        }
                        let places = places.get_or_insert_with(|| written::named_ports(ctx.resources));
                        let at = places.get(&(policy.at, direction, port)).copied();
                        found.push(wanted.finding(at.unwrap_or(rule.at), &endpoints));
                    }
                }
            }
        }
    }
}

/// Whether pods that are not there may declare the port.
fn may_come(ctx: &ClusterContext<'_, '_>, policy: &Policy, selector: &Selector, own: bool) -> bool {
    let asked = if own { &policy.selector } else { selector };
    let comes = |prospect: Prospect<'_>| !matches!(prospect, Prospect::HostNetwork(_));
    ctx.prospects().asks_for_unknown(asked) || ctx.prospects().matching(asked).any(comes)
}

struct Wanted<'p> {
    port: &'p str,
    protocol: &'p str,
    own: bool,
}

impl Wanted<'_> {
    fn finding(&self, at: Location, endpoints: &Selection<'_, '_>) -> Diagnostic {
        let Wanted { port, protocol, own } = self;
        let whose = if *own { "endpoint that the policy selects" } else { "endpoint that the rule selects" };
        let of = match *protocol {
            "any" => String::new(),
            protocol => format!(" for {}", protocol.to_uppercase()),
        };
        let message =
            format!("no {whose} declares a port `{port}`{of}, so that port of this rule matches no packet");
        CHECK.finding(at, message).help(self.help(endpoints))
    }

    /// The same name for another protocol, or a name like it.
    fn help(&self, endpoints: &Selection<'_, '_>) -> String {
        let ports = || endpoints.pods().take(LOOKED_AT).flat_map(|pod| &pod.ports);
        let known = |protocol: TransportProtocol| match protocol {
            TransportProtocol::Tcp => "TCP",
            TransportProtocol::Udp => "UDP",
            TransportProtocol::Sctp => "SCTP",
            TransportProtocol::Other => "another protocol",
        };
        if let Some(other) = ports().find(|port| *port.name == *self.port) {
            return format!(
                "they declare `{}` for {}: correct the protocol",
                self.port,
                known(other.protocol)
            );
        }
        let names: BTreeSet<&str> = ports().map(|port| &*port.name).filter(|name| !name.is_empty()).collect();
        match suggest(self.port, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write the name of a port of the pods (`spec.containers[].ports[].name`), or the number"
                .to_owned(),
        }
    }
}
