//! `open-node-port-range`: on an interface where the internet comes in, nothing blocks the node ports as a whole. A
//! service that gets a node port tomorrow is open from its first second.

use super::{Because, Close, Context, Found, diagnostic};
use crate::audit::exposure::Verdict;
use crate::audit::targets::{Kind, NODE_PORTS};
use crate::audit::why;
use crate::diagnostic::Severity;
use std::collections::BTreeMap;

/// Finds it: once for each interface. What a policy for packets to the node itself would deny is open all the same,
/// once a service takes it, so it is asked which policies are there before DNAT.
pub fn find(context: &Context<'_, '_>) -> Vec<Found> {
    let mut open: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, exposure, target, interface) in context.to_internet() {
        let guard = why::guard(&context.nodes[exposure.node].view, interface);
        let unguarded = guard.pre_dnat.is_empty() && guard.forward.is_empty();
        let is_open = exposure.verdict != Verdict::Blocked && (unguarded || context.is_wide(exposure));
        if target.kind == Kind::NodePortRange && is_open {
            open.entry(interface).or_default().push(number);
        }
    }
    let one = |(interface, numbers): (&str, Vec<usize>)| {
        let exposures = &context.audit.exposures;
        let mut nodes: Vec<usize> = numbers.iter().map(|number| exposures[*number].node).collect();
        nodes.dedup();
        let (first, last) = NODE_PORTS;
        let message =
            format!("nothing blocks the node port range {first}-{last} for the internet on `{interface}`");
        let confidence = context.confidence(nodes.iter().copied());
        let number = numbers[0];
        let target = exposures[number].target;
        let host = why::guard(&context.nodes[nodes[0]].view, interface).host;
        let at = host.map(|host| host.at);
        let subject = match host {
            Some(host) => ("HostEndpoint", host.name.to_string()),
            None => ("interface", interface.to_owned()),
        };
        let said = diagnostic("open-node-port-range", Severity::Warning, confidence, at, message);
        let of = Some((nodes[0], interface.into(), target, number));
        let because = vec![Because { of, text: String::new(), at: None }];
        let close = Some(Close { targets: vec![target], interface: interface.into(), nodes });
        Found { because, close, ..Found::new(said, subject) }
    };
    open.into_iter().map(one).collect()
}
