//! Names that only a node has: the hash of a rule depends on all rules before it, the name of a group's
//! chain on which policies select the same endpoints, and which interface a host endpoint applies to may
//! depend on the node's addresses.

use super::{Explanation, Name, objects};
use crate::emit::saved_rule;
use crate::felix::{self, names};
use crate::ir::{Chain, Family, Origin, Program, Rule, TableName};
use crate::resolve::view::NodeView;
use crate::resolve::{Cluster, NodeRequest};

/// Adds what the first node that has it, by name, says of `name`.
pub fn find(name: &Name, cluster: &Cluster<'_>, node: Option<&str>, found: &mut Vec<Explanation>) {
    let group = name
        .chain
        .as_ref()
        .filter(|chain| chain.starts_with(names::GROUP_IN) || chain.starts_with(names::GROUP_OUT));
    let host = found.is_empty() && (name.interface.is_some() || name.chain.is_some());
    if group.is_none() && name.hash.is_none() && !host {
        return;
    }
    for own in cluster.node_names().filter(|own| node.is_none_or(|node| node == *own)) {
        let Some(view) = cluster.view(&NodeRequest { node: own, interfaces: None }).view else { continue };
        if host {
            found.extend(host_endpoints(name, &view));
        }
        if group.is_none() && name.hash.is_none() {
            continue;
        }
        let program = felix::render(&view);
        let before = found.len();
        for (family, table, chain) in chains(&program) {
            if let Some(group) = group.filter(|group| **group == *chain.name) {
                found.push(group_chain(group, table, chain).fact("node", own));
            }
            for rule in &chain.rules {
                if rule.hash.as_deref().is_some_and(|hash| Some(hash) == name.hash.as_deref()) {
                    found.push(one_rule(family, table, chain, rule).fact("node", own));
                }
            }
        }
        if found.len() > before {
            return join(found, before);
        }
    }
}

/// Host endpoints that apply to an interface because of their addresses.
fn host_endpoints(name: &Name, view: &NodeView) -> Vec<Explanation> {
    let asked = view.host_endpoints.iter().filter_map(|host| {
        let (thing, name, what) = objects::asked(name, &host.interface, &objects::HOST_CHAINS)?;
        let what = format!("{what}host endpoint `{}`, interface `{}`", host.name, host.interface);
        Some(Explanation::new(thing, name, what).at(host.at).fact("node", &*view.node))
    });
    asked.collect()
}

/// One rule, or one chain, is in several tables or families: told once, with all of them.
fn join(found: &mut Vec<Explanation>, from: usize) {
    let mut joined: Vec<Explanation> = Vec::new();
    for next in found.drain(from..).collect::<Vec<_>>() {
        let table =
            |explanation: &Explanation| explanation.facts.iter().position(|(label, _)| *label == "table");
        let same = joined.iter_mut().find(|first| first.name == next.name && first.what == next.what);
        match (same, table(&next)) {
            (Some(first), Some(at)) => {
                if let Some(own) = table(first) {
                    let more = &next.facts[at].1;
                    if !first.facts[own].1.split(", ").any(|known| known == more) {
                        first.facts[own].1 = format!("{}, {more}", first.facts[own].1);
                    }
                }
            }
            _ => joined.push(next),
        }
    }
    found.extend(joined);
}

fn chains(program: &Program) -> impl Iterator<Item = (Family, TableName, &Chain)> {
    [&program.v4, &program.v6].into_iter().flat_map(|rules| {
        rules.tables.iter().flat_map(move |table| {
            let chains = table.hooks.iter().chain(&table.chains);
            chains.map(move |chain| (rules.family, table.name, &**chain))
        })
    })
}

fn group_chain(name: &str, table: TableName, chain: &Chain) -> Explanation {
    let way = if name.starts_with(names::GROUP_IN) { "to" } else { "from" };
    let what =
        format!("policies that select the same endpoints, one after the other, for traffic {way} them");
    let mut explanation = Explanation::new("chain", name, what).fact("table", table.name());
    let mut seen: Vec<String> = Vec::new();
    for rule in &chain.rules {
        if let (Origin::Policy(own), Some(_)) = (&rule.origin, rule.action.as_ref().and_then(|a| a.target()))
        {
            let policy = format!("{} `{}`", own.policy.kind.name(), own.policy.path());
            if !seen.contains(&policy) {
                explanation.at = explanation.at.or(Some(own.at));
                explanation = explanation.fact("policy", &*policy);
                seen.push(policy);
            }
        }
    }
    explanation
}

fn one_rule(family: Family, table: TableName, chain: &Chain, rule: &Rule) -> Explanation {
    let hash = rule.hash.as_deref().unwrap_or_default();
    let mut explanation =
        Explanation::new("rule", format!("cali:{hash}"), crate::emit::origin::phrase(&rule.origin));
    explanation.at = rule.origin.at();
    explanation
        .fact("table", format!("{} {}", family.name(), table.name()))
        .fact("chain", &*chain.name)
        .fact("rule", saved_rule(chain, rule, family))
}
