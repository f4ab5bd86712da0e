//! Rules of policies as they are written.

use crate::diagnostic::Location;
use crate::model::Resources;
use crate::model::calico::{Direction, EntityRule, Policy, Port, Rule, StagedAction};
use crate::model::network_policy::IntOrString;
use rustc_hash::FxHashMap;

/// All policies that are more than the announcement of a deletion.
pub fn policies(resources: &Resources) -> impl Iterator<Item = &Policy> {
    resources.policies.iter().filter(|policy| policy.staged != Some(StagedAction::Delete))
}

/// The rules of a policy and their directions.
pub fn rules(policy: &Policy) -> impl Iterator<Item = (Direction, &Rule)> {
    let ingress = policy.ingress.iter().map(|rule| (Direction::Ingress, rule));
    ingress.chain(policy.egress.iter().map(|rule| (Direction::Egress, rule)))
}

/// Both sides of a rule and their fields' names.
pub fn sides(rule: &Rule) -> [(&'static str, &EntityRule); 2] {
    [("source", &rule.source), ("destination", &rule.destination)]
}

/// Where a policy, by its own place, first writes a name of a port in a direction.
pub type PortPlaces<'r> = FxHashMap<(Location, Direction, &'r str), Location>;

/// The places of all named ports.
pub fn named_ports(resources: &Resources) -> PortPlaces<'_> {
    let mut places = PortPlaces::default();
    for policy in &resources.policies {
        for (direction, rule) in rules(policy) {
            for port in sides(rule).into_iter().flat_map(|(_, side)| &side.ports) {
                if let Port::Name(name) = &port.value {
                    places.entry((policy.meta.at, direction, name)).or_insert(port.at);
                }
            }
        }
    }
    for policy in &resources.network_policies {
        let ingress = policy.ingress.iter().map(|rule| (Direction::Ingress, rule));
        for (direction, rule) in ingress.chain(policy.egress.iter().map(|rule| (Direction::Egress, rule))) {
            for item in &rule.ports {
                if let Some(IntOrString::String(name)) = &item.port {
                    places.entry((policy.meta.at, direction, name)).or_insert(item.at);
                }
            }
        }
    }
    places
}
