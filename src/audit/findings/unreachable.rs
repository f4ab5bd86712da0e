//! `unreachable-service`: nobody from outside of the cluster reaches a load balancer's address or an external IP, on any
//! node, although somebody asked for it.

use super::{Because, Context, Found, diagnostic};
use crate::audit::exposure::{Exposure, Verdict};
use crate::audit::targets::Kind;
use crate::audit::ways::Way;
use crate::audit::zones::Whose;
use crate::diagnostic::{Confidence, Severity};
use std::collections::BTreeMap;

/// Finds it: once for each port.
pub fn find(context: &Context<'_, '_>) -> Vec<Found> {
    let mut by_target: BTreeMap<usize, Vec<&Exposure>> = BTreeMap::new();
    for (_, exposure, target) in context.exposures() {
        let outside = matches!(exposure.way, Way::Interface(_))
            && context.audit.zones[exposure.zone].whose == Whose::Nets;
        if outside && matches!(target.kind, Kind::LoadBalancer | Kind::ExternalIp) {
            by_target.entry(exposure.target).or_default().push(exposure);
        }
    }
    let all_blocked = |own: &Vec<&Exposure>| own.iter().all(|own| own.verdict == Verdict::Blocked);
    let one = |(number, exposures): (usize, Vec<&Exposure>)| {
        let target = &context.audit.targets[number];
        let message =
            format!("nobody outside of the cluster reaches {} of Service `{}`", target.name(), target.of);
        let said =
            diagnostic("unreachable-service", Severity::Warning, Confidence::Possible, target.at, message);
        let mut because: Vec<Because> = Vec::new();
        for end in exposures.iter().flat_map(|own| &own.ends) {
            let Some(rule) = end.hops.last().and_then(|hop| hop.rules.first()) else { continue };
            let one = Because { of: None, text: rule.reason.clone(), at: rule.at };
            if !because.contains(&one) {
                because.push(one);
            }
        }
        because.truncate(3);
        Found { because, ..Found::new(said, ("Service", target.of.to_string())) }
    };
    by_target.into_iter().filter(|(_, own)| all_blocked(own)).map(one).collect()
}
