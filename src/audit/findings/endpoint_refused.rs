//! `endpoint-refused`: of the endpoints of a service some take connections, and others refuse the same ones. Each
//! connection gets one of them by chance, so some fail.

use super::{Because, Context, Found, diagnostic};
use crate::audit::targets::Kind;
use crate::audit::ways::Way;
use crate::diagnostic::Severity;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Finds it: once for each service port.
pub fn find(context: &Context<'_, '_>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut seen = BTreeSet::new();
    for (_, exposure, target) in context.exposures() {
        let services = [Kind::LoadBalancer, Kind::ExternalIp, Kind::NodePort, Kind::OutsideService];
        // what a node asks itself for is not what a service is for
        if !services.contains(&target.kind) || exposure.way == Way::Host {
            continue;
        }
        let endpoint = |counts: bool| -> BTreeSet<(IpAddr, u16)> {
            let ends = exposure.ends.iter().filter(|own| own.counts == counts);
            ends.filter_map(|own| own.to).collect()
        };
        let (reached, refused) = (endpoint(true), endpoint(false));
        let never: Vec<&(IpAddr, u16)> = refused.difference(&reached).collect();
        let Some((address, port)) = never.first().filter(|_| !reached.is_empty()) else { continue };
        if !seen.insert((&target.of, &target.port_name, *address)) {
            continue;
        }
        let zone = &context.audit.zones[exposure.zone].name;
        let message = format!(
            "endpoint {address} port {port} of Service `{}` refuses connections from {zone} that others of its \
             endpoints take",
            target.of
        );
        let end = exposure.ends.iter().find(|own| !own.counts && own.to == Some((*address, *port)));
        let decision = end.and_then(|end| end.hops.last()?.rules.first());
        let said = diagnostic(
            "endpoint-refused",
            Severity::Warning,
            context.confidence([exposure.node]),
            target.at,
            message,
        )
        .help("let the policies of all its pods, and of their nodes, allow the same clients");
        let because = decision.map(|rule| Because { of: None, text: rule.reason.clone(), at: rule.at });
        found.push(Found {
            because: because.into_iter().collect(),
            ..Found::new(said, ("Service", target.of.to_string()))
        });
    }
    found
}
