//! `source-ranges-bypassed`: a service names the clients that its load balancer serves, and its node port serves others
//! as well. `loadBalancerSourceRanges` are about the load balancer's address only.

use super::{Because, Context, Found, diagnostic};
use crate::audit::exposure::{Exposure, Verdict};
use crate::audit::targets::{Kind, source_ranges};
use crate::audit::words::{list, network};
use crate::diagnostic::Severity;
use crate::space::nets::fewest;
use ipnet::IpNet;

/// Finds it: once for each port.
pub fn find(context: &Context<'_, '_>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for (_, exposure, target, interface) in context.to_internet() {
        if target.kind != Kind::NodePort || exposure.verdict == Verdict::Blocked {
            continue;
        }
        let allowed = source_ranges(context.cluster, target);
        if allowed.is_empty() || inside(exposure, &allowed) {
            continue;
        }
        let message = format!(
            "`loadBalancerSourceRanges` of Service `{}` do not hold for its node port {}, which others reach on \
             `{interface}`",
            target.of,
            target.port_in_words()
        );
        if found.iter().any(|own| own.said.message == message) {
            continue;
        }
        let ranges = list(&allowed.iter().map(network).collect::<Vec<_>>());
        let confidence = context.confidence([exposure.node]);
        let said = diagnostic("source-ranges-bypassed", Severity::Warning, confidence, target.at, message)
            .help("block the node port before DNAT, or set `allocateLoadBalancerNodePorts: false`");
        let because = vec![Because::text(format!(
            "the ranges ({ranges}) are checked for packets to the load balancer's address only"
        ))];
        found.push(Found { because, ..Found::new(said, ("Service", target.of.to_string())) });
    }
    found
}

/// Whether only those in networks get there.
fn inside(exposure: &Exposure, nets: &[IpNet]) -> bool {
    let both = [&*exposure.sources, nets].concat();
    exposure.verdict == Verdict::Restricted && fewest(&both) == fewest(nets)
}
