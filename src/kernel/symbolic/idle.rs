//! What makes no difference in the end is left out: limits on both sides of which packets meet one fate, and doubt
//! that changes no fate. Packets of one flow may differ in that, and then are two.

use super::chain::Limit;
use super::matches::Doubt;
use super::path::{Fate, Flow};
use crate::space::{PacketSet, Space};

/// Leaves limits only where packets meet another fate on the other side; of flows that differ in nothing else, the
/// one is left that reaches no limit.
pub(super) fn limits(space: &mut Space, flows: Vec<Flow>) -> Vec<Flow> {
    if flows.iter().all(|flow| flow.limits.is_empty()) {
        return flows;
    }
    let mut left = Vec::new();
    for flow in &flows {
        let mut parts = vec![Flow { limits: Vec::new(), ..flow.clone() }];
        for limit in &flow.limits {
            let matters = contested(space, &flows, flow, limit);
            for mut part in std::mem::take(&mut parts) {
                let idle = space.difference(part.set, matters);
                // the other side has the same packets, and the same fate
                if limit.within && !idle.is_empty() {
                    parts.push(Flow { set: idle, ..part.clone() });
                }
                part.set = space.intersection(part.set, matters);
                part.limits.push(*limit);
                if !part.set.is_empty() {
                    parts.push(part);
                }
            }
        }
        left.append(&mut parts);
    }
    left
}

/// The packets of a flow that meet another fate on the other side of a limit, and on the same side of all others.
fn contested(space: &mut Space, all: &[Flow], flow: &Flow, limit: &Limit) -> PacketSet {
    let differs = |other: &Flow, own: &Limit| {
        other.limits.iter().any(|there| there.rule == own.rule && there.applies != own.applies)
    };
    let others = all.iter().filter(|other| {
        other.fate != flow.fate && flow.limits.iter().all(|own| differs(other, own) == (own == limit))
    });
    let others: Vec<PacketSet> = others.map(|other| other.set).collect();
    space.union_of(others)
}

/// Leaves doubt only where it changes a fate. What a target that is not understood does, nobody knows.
pub(super) fn doubt(space: &mut Space, flows: Vec<Flow>) -> Vec<Flow> {
    let mut left = Vec::new();
    let mut by_fate: Vec<(Option<Fate>, Vec<PacketSet>)> = Vec::new();
    for flow in &flows {
        match by_fate.iter_mut().find(|(fate, _)| *fate == flow.fate) {
            Some((_, sets)) => sets.push(flow.set),
            None => by_fate.push((flow.fate, vec![flow.set])),
        }
    }
    let by_fate: Vec<(Option<Fate>, PacketSet)> =
        by_fate.into_iter().map(|(fate, sets)| (fate, space.union_of(sets))).collect();
    let others: Vec<PacketSet> = by_fate
        .iter()
        .map(|(fate, _)| {
            let others = by_fate.iter().filter(|(other, _)| other != fate).map(|(_, set)| *set);
            let others: Vec<PacketSet> = others.collect();
            space.union_of(others)
        })
        .collect();
    for flow in &flows {
        let mut flow = flow.clone();
        if !matches!(flow.doubt, Doubt::None | Doubt::Target) {
            let place = by_fate.iter().position(|(fate, _)| *fate == flow.fate).unwrap_or_default();
            let others = others[place];
            let set = space.difference(flow.set, others);
            if !set.is_empty() {
                left.push(Flow { set, doubt: Doubt::None, chosen: Vec::new(), ..flow.clone() });
            }
            flow.set = space.intersection(flow.set, others);
        }
        if !flow.set.is_empty() {
            left.push(flow);
        }
    }
    left
}
