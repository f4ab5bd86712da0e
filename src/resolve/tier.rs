//! Tiers and the order of policies.
//!
//! `felix/calc/policy_sorter.go:146` and `:388`, v3.32.1.

use super::policy::Policy;
use super::view::{Tier, TierIndex};
use crate::model::Resources;
use crate::version::Naming;
use rustc_hash::FxHashMap;
use std::cmp::Ordering;

/// Order of a tier that gives none (`libcalico-go/lib/backend/k8s/resources/tiers.go:47`, v3.32.1).
const DEFAULT_ORDER: f64 = 1_000_000.0;

/// All tiers in evaluation order: those that exist by order and name, then those that policies
/// only mention, by name.
pub fn all<'n>(resources: &Resources, mentioned: impl Iterator<Item = &'n str>) -> Vec<Tier> {
    let mut existing: Vec<(f64, Tier)> = resources
        .tiers
        .iter()
        .map(|tier| {
            let made = Tier { name: tier.meta.name.clone(), default_pass: tier.default_pass, exists: true };
            (tier.order.unwrap_or(DEFAULT_ORDER), made)
        })
        .collect();
    existing.sort_by(|(a, first), (b, second)| compare(*a, *b).then_with(|| first.name.cmp(&second.name)));
    let mut tiers: Vec<Tier> = existing.into_iter().map(|(_, tier)| tier).collect();
    let mut missing: Vec<&str> =
        mentioned.filter(|name| !tiers.iter().any(|tier| &*tier.name == *name)).collect();
    missing.sort_unstable();
    missing.dedup();
    tiers.extend(missing.into_iter().map(|name| Tier {
        name: name.into(),
        default_pass: false,
        exists: false,
    }));
    tiers
}

/// Sorts policies into evaluation order: by tier, then by order, then by a text.
pub fn sort(policies: &mut Vec<Policy>, tiers: &[Tier], equal_order: Naming) {
    let places: FxHashMap<&str, u32> = tiers.iter().map(|tier| &*tier.name).zip(0..).collect();
    policies.iter_mut().for_each(|policy| policy.tier_index = TierIndex(places[&*policy.tier]));
    let text = |Policy { id, .. }: &Policy| match equal_order {
        Naming::Tiered => id.tiered(),
        Naming::Kinded => format!("{}/{}/{}", id.name, id.namespace, id.kind.name()),
    };
    let mut keyed: Vec<(String, Policy)> = policies.drain(..).map(|policy| (text(&policy), policy)).collect();
    keyed.sort_by(|(a_text, a), (b_text, b)| {
        a.tier_index.cmp(&b.tier_index).then(compare(a.order, b.order)).then_with(|| a_text.cmp(b_text))
    });
    policies.extend(keyed.into_iter().map(|(_, policy)| policy));
}

/// As Go compares: zero has one sign.
fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}
