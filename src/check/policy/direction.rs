//! The two directions of a policy, and whether what its rules leave over is denied.

use super::super::ClusterContext;
use crate::model::calico::Direction;
use crate::resolve::policy::Policy;
use crate::resolve::view::Rule;

/// Each direction, whether the policy governs it, and its rules.
pub fn of(policy: &Policy) -> [(Direction, bool, &[Rule]); 2] {
    [
        (Direction::Ingress, policy.ingress, &*policy.inbound),
        (Direction::Egress, policy.egress, &*policy.outbound),
    ]
}

/// What completes "traffic … the endpoints".
pub fn preposition(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "to",
        Direction::Egress => "from",
    }
}

/// The direction as it is written in `types` and `policyTypes`.
pub fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "Ingress",
        Direction::Egress => "Egress",
    }
}

/// Whether a policy makes its tier deny what no policy of the tier decided: an enforced one, of the
/// kind that ordinary traffic is checked by, in a tier that denies.
pub fn denies_the_rest(ctx: &ClusterContext<'_, '_>, policy: &Policy) -> bool {
    let default_pass =
        ctx.cluster.tiers().get(policy.tier_index.0 as usize).is_some_and(|tier| tier.default_pass);
    !policy.id.kind.is_staged() && !policy.untracked && !policy.pre_dnat && !default_pass
}
