//! `open-…`: the whole internet reaches a service, a port of a pod on its host, or a port in the host network.
//!
//! A note where a policy for the interface says that it may; a warning where nothing does.

use super::{Because, Close, Context, Found, diagnostic};
use crate::audit::targets::Kind;
use crate::audit::why;
use crate::diagnostic::Severity;
use crate::trace::assume::is_private;
use std::collections::BTreeMap;

/// Finds it: one for each kind of access to a service and interface.
pub fn find(context: &Context<'_, '_>) -> Vec<Found> {
    let mut open: BTreeMap<(Kind, &str, &str, bool), Vec<usize>> = BTreeMap::new();
    for (number, exposure, target, interface) in context.to_internet() {
        if target.kind.is_range() || target.kind.is_outside() || !context.is_wide(exposure) {
            continue;
        }
        let guard = why::guard(&context.nodes[exposure.node].view, interface);
        let allowed = guard.allowing(target, exposure).is_some();
        open.entry((target.kind, &target.of, interface, allowed)).or_default().push(number);
    }
    open.into_iter().map(|(key, numbers)| one(context, key, &numbers)).collect()
}

fn id(kind: Kind) -> &'static str {
    match kind {
        Kind::LoadBalancer => "open-load-balancer",
        Kind::ExternalIp => "open-external-ip",
        Kind::NodePort => "open-node-port",
        Kind::HealthCheck => "open-health-check-port",
        Kind::HostPort => "open-host-port",
        _ => "open-host-network-port",
    }
}

fn one(
    context: &Context<'_, '_>,
    (kind, of, interface, allowed): (Kind, &str, &str, bool),
    numbers: &[usize],
) -> Found {
    let exposures = &context.audit.exposures;
    let of_exposures = |field: fn(&crate::audit::exposure::Exposure) -> usize| {
        let mut all: Vec<usize> = numbers.iter().map(|number| field(&exposures[*number])).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let (targets, nodes) = (of_exposures(|own| own.target), of_exposures(|own| own.node));
    let first = &context.audit.targets[targets[0]];
    let ports: Vec<String> = targets
        .iter()
        .map(|target| {
            let target = &context.audit.targets[*target];
            let address = target.address.map_or(String::new(), |address| format!("{address} "));
            format!("{address}{}", target.port_in_words())
        })
        .collect();
    let mut ports = ports;
    ports.dedup();
    let subject = if matches!(kind, Kind::HostPort | Kind::HostNetwork) { "Pod" } else { "Service" };
    let message = format!(
        "{} {} of {subject} `{of}` {} open to the internet on `{interface}`",
        kind.name(),
        crate::audit::words::list(&ports),
        if ports.len() == 1 { "is" } else { "are" }
    );
    let private = first.address.filter(|address| is_private(*address));
    let allowed = allowed || private.is_some();
    let severity = if allowed { Severity::Note } else { Severity::Warning };
    let said = diagnostic(id(kind), severity, context.confidence(nodes.iter().copied()), first.at, message);
    let number = numbers[0];
    let because = Because {
        of: Some((exposures[number].node, interface.into(), exposures[number].target, number)),
        text: String::new(),
        at: None,
    };
    // what a policy allows is not to be closed by another one
    let close = (!allowed).then(|| Close { targets, interface: interface.into(), nodes });
    let mut because = vec![because];
    because.extend(private.map(|address| {
        Because::text(format!("{address} is private: only neighbours on `{interface}` can send to it"))
    }));
    Found { because, close, ..Found::new(said, (subject, of.to_owned())) }
}
