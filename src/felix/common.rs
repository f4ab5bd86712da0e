//! Chains that tables and families of a node have in common.

use super::context::Context;
use super::shared::{Alike, Families};
use super::{endpoint, group, policy};
use crate::ir::Chain;
use crate::model::calico::Direction;
use rustc_hash::FxHashMap;
use std::collections::HashSet;
use std::sync::Arc;

/// Chains by name.
pub type ByName<'c> = FxHashMap<&'c str, &'c Arc<Chain>>;

/// Chains that are not of one family.
pub struct Common {
    /// of policies, as the view has them
    policies: Vec<Arc<Families>>,
    /// of profiles, as the view has them
    profiles: Vec<Arc<Families>>,
    /// of groups and pods: what their rules ask is the same in both families, and so is their text, which is what
    /// hashes cover
    both: Vec<Arc<Chain>>,
}

impl Common {
    /// Those of a view. The context is that of either family.
    pub fn new(ctx: &Context, alike: &Alike) -> Self {
        let mut both = groups(ctx, alike);
        both.extend(ctx.view.workloads.iter().flat_map(|workload| endpoint::workload(ctx, workload)));
        Common { policies: alike.policies(ctx.view), profiles: alike.profiles(ctx.view), both }
    }

    /// All chains that a family could have, by name.
    pub fn by_name(&self, ctx: &Context) -> ByName<'_> {
        let policies = self.policies.iter().zip(&ctx.view.policies);
        let policies = policies.flat_map(|(known, own)| known.of(ctx.family, || policy::policy(ctx, own)));
        let profiles = self.profiles.iter().zip(&ctx.view.profiles);
        let profiles =
            profiles.flat_map(|(known, own)| known.of(ctx.family, || policy::profile(ctx, own).into()));
        policies.chain(profiles).chain(&self.both).map(|chain| (&*chain.name, chain)).collect()
    }
}

/// The chains of groups, whose names the context knows then.
fn groups(ctx: &Context, alike: &Alike) -> Vec<Arc<Chain>> {
    let view = ctx.view;
    let mut chains = Vec::new();
    let workloads = view.workloads.iter().flat_map(|w| &w.tiers);
    let hosts = view.host_endpoints.iter().flat_map(|h| {
        [&h.tiers, &h.forward_tiers, &h.pre_dnat_tiers, &h.untracked_tiers].into_iter().flatten()
    });
    // endpoints mostly share their groups
    let mut seen = HashSet::new();
    for tier in workloads.chain(hosts) {
        for (direction, groups) in [(Direction::Ingress, &tier.ingress), (Direction::Egress, &tier.egress)] {
            for policies in groups {
                if seen.insert((direction, &policies.policies)) {
                    let chain = alike.group(ctx, policies, direction);
                    if let Some(chain) = &chain {
                        group::know(ctx, policies, direction, &chain.name);
                    }
                    chains.extend(chain);
                }
            }
        }
    }
    chains
}
