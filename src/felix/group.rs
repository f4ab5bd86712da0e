//! Policy groups: policies that always apply together share a chain.

use super::context::{Context, Target};
use super::names;
use crate::ir::{Action, Chain, Match, Origin, PolicyRule, Rule};
use crate::model::calico::Direction;
use crate::resolve::view::{NodeView, Policy, PolicyGroup, PolicyId};
use crate::version::Naming;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha3::{Digest, Sha3_224};
use std::sync::Arc;

/// Characters of a group's hash in its chain's name (`felix/rules/endpoints.go:826`, v3.32.1).
const HASH_LENGTH: usize = 20;
/// A group chain returns early after every so many policies (`felix/rules/endpoints.go:372`, v3.32.1).
const RETURN_STRIDE: usize = 5;

/// The policies of a group that are enforced.
pub fn enforced<'v>(ctx: &Context<'v>, group: &PolicyGroup) -> impl Iterator<Item = &'v Policy> {
    let policies = &ctx.view.policies;
    group
        .policies
        .iter()
        .map(|index| &*policies[index.0 as usize])
        .filter(|policy| !policy.id.kind.is_staged())
        .collect::<Vec<_>>()
        .into_iter()
}

/// The chains to jump to for a group: that of its only policy, or its own.
pub fn targets(ctx: &Context, group: &PolicyGroup, direction: Direction) -> Vec<Arc<str>> {
    let policies: Vec<_> = enforced(ctx, group).collect();
    match policies.as_slice() {
        [] => Vec::new(),
        [single] => {
            let target = Target::Policy(std::ptr::from_ref(*single).addr(), direction);
            vec![ctx.target(target, || policy_chain(ctx.view, single, direction))]
        }
        _ => {
            // the selector is that of its policies
            let target = Target::Group(group.policies.as_slice().into(), direction);
            vec![ctx.target(target, || chain_name(ctx, group, direction).into())]
        }
    }
}

/// Tells the context what the chain of a group is called.
pub fn know(ctx: &Context, group: &PolicyGroup, direction: Direction, name: &Arc<str>) {
    ctx.target(Target::Group(group.policies.as_slice().into(), direction), || name.clone());
}

/// The name of a policy's chain in a direction.
pub fn policy_chain(view: &NodeView, policy: &Policy, direction: Direction) -> Arc<str> {
    let prefix = match direction {
        Direction::Ingress => names::POLICY_IN,
        Direction::Egress => names::POLICY_OUT,
    };
    names::policy_chain(view.facts.policy_names, prefix, &policy.id, &policy.tier).into()
}

/// The chain of a group, if it has one.
pub fn chain(ctx: &Context, group: &PolicyGroup, direction: Direction) -> Option<Arc<Chain>> {
    let policies: Vec<_> = enforced(ctx, group).collect();
    if policies.len() < 2 {
        return None;
    }
    let verdict = ctx.marks.pass | ctx.marks.accept;
    let mut rules = Vec::new();
    for (index, policy) in policies.into_iter().enumerate() {
        let origin =
            || Origin::Policy(Arc::new(PolicyRule { policy: policy.id.clone(), rule: None, at: policy.at }));
        let first_of_stride = index % RETURN_STRIDE == 0;
        if index > 0 && first_of_stride {
            rules.push(
                Rule::new(vec![Match::mark_not_clear(verdict)], Action::Return, origin())
                    .comment("Return on verdict"),
            );
        }
        let undecided = if first_of_stride { vec![] } else { vec![Match::mark_clear(verdict)] };
        rules.push(Rule::new(undecided, Action::Jump(policy_chain(ctx.view, policy, direction)), origin()));
    }
    Some(ctx.chain(&chain_name(ctx, group, direction), rules))
}

/// A group's chain is named by a hash over its selector, direction and policies, staged ones
/// included (`felix/rules/endpoints.go:846`, v3.32.1); and over its tier, where that is part of what
/// policies are called (`felix/rules/endpoints.go:845`, v3.31.7).
fn chain_name(ctx: &Context, group: &PolicyGroup, direction: Direction) -> String {
    let (prefix, word) = match direction {
        Direction::Ingress => (names::GROUP_IN, "inbound"),
        Direction::Egress => (names::GROUP_OUT, "outbound"),
    };
    let policies = group.policies.iter().map(|index| &ctx.view.policies[index.0 as usize]);
    let ids: Vec<&PolicyId> = policies.clone().map(|policy| &policy.id).collect();
    let tier = policies.clone().next().map_or("", |policy| &*policy.tier);
    format!("{prefix}{}", hash(ctx.view.facts.group_names, tier, &group.selector, word, &ids))
}

fn hash(naming: Naming, tier: &str, selector: &str, direction: &str, policies: &[&PolicyId]) -> String {
    let mut text = match naming {
        Naming::Tiered => format!("{tier}\n"),
        Naming::Kinded => String::new(),
    };
    text.push_str(&format!("{selector}\n{direction}\n{}\n", policies.len()));
    for id in policies {
        match naming {
            Naming::Tiered => text.push_str(&id.tiered()),
            Naming::Kinded => text.push_str(&format!(
                "{{Name: {}, Namespace: {}, Kind: {}}}",
                id.name,
                id.namespace,
                id.kind.name()
            )),
        }
        text.push('\n');
    }
    let mut hash = URL_SAFE_NO_PAD.encode(Sha3_224::digest(text.as_bytes()));
    hash.truncate(HASH_LENGTH);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::view::PolicyKind;

    #[test]
    fn group_hashes_are_felix_hashes() {
        let id = |kind, namespace: &str, name: &str| PolicyId {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        };
        let global = |name| id(PolicyKind::GlobalNetworkPolicy, "", name);
        let hash = |selector, direction, ids: [PolicyId; 2]| {
            super::hash(Naming::Kinded, "default", selector, direction, &ids.each_ref())
        };
        let public = hash(r#"role == "public""#, "outbound", [global("allow-100"), global("p-101")]);
        assert_eq!(public, "qp_yULIibZu4E5rSb9Sv");
        let selector =
            r#"(projectcalico.org/orchestrator == "k8s" && projectcalico.org/namespace == "team-b")"#;
        let kubernetes = |name| id(PolicyKind::KubernetesNetworkPolicy, "team-b", name);
        let team = hash(selector, "inbound", [kubernetes("np-1"), kubernetes("np-7")]);
        assert_eq!(team, "oNOH2byKkkSp0U72QGuB");
    }
}
