//! The policies of one host endpoint of a node's view, as far as a packet could get by them.

use crate::model::calico::Direction;
use crate::resolve::view::{HostEndpoint, NodeView, Policy, PolicyGroup, Rule, TierPolicies};

/// The rules that apply to a host endpoint in one direction, of the given lists, with their
/// policies.
pub fn rules<'v>(
    view: &'v NodeView,
    tiers: &'v [TierPolicies],
    direction: Direction,
) -> impl Iterator<Item = (&'v Policy, &'v Rule)> {
    let groups = move |tier: &'v TierPolicies| -> &'v [PolicyGroup] {
        match direction {
            Direction::Ingress => &tier.ingress,
            Direction::Egress => &tier.egress,
        }
    };
    let indices = tiers.iter().flat_map(groups).flat_map(|group| &group.policies);
    let policies = indices.filter_map(|index| view.policies.get(index.0 as usize).map(|policy| &**policy));
    policies.filter(|policy| !policy.id.kind.is_staged()).flat_map(move |policy| {
        let rules = match direction {
            Direction::Ingress => &policy.inbound,
            Direction::Egress => &policy.outbound,
        };
        rules.iter().map(move |rule| (policy, rule))
    })
}

/// All lists that can accept a packet for the host itself.
pub fn lists(endpoint: &HostEndpoint) -> [&[TierPolicies]; 3] {
    [&endpoint.untracked_tiers, &endpoint.pre_dnat_tiers, &endpoint.tiers]
}
