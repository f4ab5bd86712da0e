//! Names that are made from objects: Felix cuts and hashes them, so the name of every object is made
//! again and compared.

use super::{Explanation, Name};
use crate::felix::names;
use crate::ir::Family;
use crate::resolve::Cluster;
use crate::resolve::convert::profile::DEFAULT_ALLOW;
use crate::resolve::policy::Policy;
use crate::resolve::query::{ProfileFacts, ProfileVerdict};
use crate::resolve::view::{SetMeaning, SetMembers};

/// Adds what of the cluster's objects is called `name`.
pub fn find(name: &Name, cluster: &Cluster<'_>, node: Option<&str>, found: &mut Vec<Explanation>) {
    if let Some(chain) = &name.chain {
        policies(chain, cluster, found);
        profiles(chain, cluster, found);
    }
    if name.chain.is_some() || name.interface.is_some() {
        pods(name, cluster, node, found);
        host_endpoints(name, cluster, node, found);
    }
    if let Some(id) = name.set_id() {
        sets(name.set.as_deref().unwrap_or_default(), id, cluster, found);
    }
}

/// The part of a chain's name after one of these prefixes, and what goes with the prefix.
fn after<'n, T: Copy>(chain: &'n str, prefixes: &[(&'static str, T)]) -> Option<(&'static str, &'n str, T)> {
    prefixes.iter().find_map(|(prefix, with)| Some((*prefix, chain.strip_prefix(prefix)?, *with)))
}

fn policies(chain: &str, cluster: &Cluster<'_>, found: &mut Vec<Explanation>) {
    let prefixes = [(names::POLICY_IN, "to"), (names::POLICY_OUT, "from")];
    let Some((prefix, _, way)) = after(chain, &prefixes) else { return };
    let naming = cluster.resources().facts.policy_names;
    let named = |policy: &&Policy| names::policy_chain(naming, prefix, &policy.id, &policy.tier) == chain;
    let enforced = cluster.policies().iter().filter(|policy| !policy.id.kind.is_staged());
    let mut everyone = None;
    for policy in enforced.filter(named) {
        let what = format!(
            "rules of {} `{}` for traffic {way} what it selects",
            policy.id.kind.name(),
            policy.id.path()
        );
        let selection = everyone.get_or_insert_with(|| cluster.everyone()).select(&policy.selector);
        let order = match policy.order {
            order if order.is_finite() => order.to_string(),
            _ => "none, so last of its tier".to_owned(),
        };
        found.push(
            Explanation::new("chain", chain, what)
                .at(policy.at)
                .fact("tier", &*policy.tier)
                .fact("order", order)
                .fact("selector", &**policy.selector.canonical())
                .fact(
                    "selects",
                    format!(
                        "{} pods, {} host endpoints",
                        selection.pods().count(),
                        selection.host_endpoints().count()
                    ),
                ),
        );
    }
}

fn profiles(chain: &str, cluster: &Cluster<'_>, found: &mut Vec<Explanation>) {
    let prefixes = [(names::PROFILE_IN, "to"), (names::PROFILE_OUT, "from")];
    let Some((prefix, _, way)) = after(chain, &prefixes) else { return };
    for ProfileFacts { name, at, verdict } in cluster.profiles() {
        if names::chain(prefix, &name) != chain {
            continue;
        }
        let source = match name.split_once('.') {
            Some(("kns", namespace)) => format!("namespace `{namespace}`"),
            Some(("ksa", account)) => format!("service account `{}`", account.replacen('.', "/", 1)),
            _ if &*name == DEFAULT_ALLOW => "the profile that Calico always has".to_owned(),
            _ => "a host endpoint".to_owned(),
        };
        let verdict = match verdict {
            ProfileVerdict::Allows => "allows all traffic",
            ProfileVerdict::None => "decides nothing about traffic",
            ProfileVerdict::Denies => "does not exist, which denies all traffic",
        };
        let what = format!(
            "profile `{name}`, from {source}: {verdict} {way} endpoints that no policy decides about"
        );
        let mut explanation = Explanation::new("chain", chain, what);
        explanation.at = at;
        found.push(explanation);
    }
}

/// Whose chains they are, and what goes through them.
const POD_CHAINS: [(&str, &str); 3] = [
    (names::TO_WORKLOAD, "traffic to"),
    (names::FROM_WORKLOAD, "traffic from"),
    (names::SET_MARK, "the endpoint mark of traffic from"),
];
pub const HOST_CHAINS: [(&str, &str); 5] = [
    (names::TO_HOST_FW, "forwarded traffic that goes out through"),
    (names::FROM_HOST_FW, "forwarded traffic that comes in through"),
    (names::TO_HOST, "traffic that goes out through"),
    (names::FROM_HOST, "traffic that comes in through"),
    (names::SET_MARK, "the endpoint mark of traffic that comes in through"),
];

/// What an interface's name is asked for, its own sake or because of a chain: the thing, its name, and
/// what to say before the endpoint.
pub fn asked(
    name: &Name,
    interface: &str,
    chains: &[(&'static str, &'static str)],
) -> Option<(&'static str, String, String)> {
    if name.interface.as_deref() == Some(interface) {
        return Some(("interface", interface.to_owned(), String::new()));
    }
    let chain = name.chain.as_deref()?;
    let (prefix, _, what) = after(chain, chains)?;
    (names::chain(prefix, interface) == chain).then(|| ("chain", chain.to_owned(), format!("{what} ")))
}

fn pods(name: &Name, cluster: &Cluster<'_>, node: Option<&str>, found: &mut Vec<Explanation>) {
    for pod in cluster.pods().iter().filter(|pod| node.is_none_or(|node| node == &*pod.node)) {
        let interface = cluster.interface(pod);
        let Some((thing, name, what)) = asked(name, &interface, &POD_CHAINS) else { continue };
        let mut explanation =
            Explanation::new(thing, name, format!("{what}pod `{}/{}`", pod.namespace, pod.name))
                .at(pod.at)
                .fact("node", &*pod.node);
        if thing == "chain" {
            explanation = explanation.fact("interface", interface);
        }
        found.push(explanation);
    }
}

fn host_endpoints(name: &Name, cluster: &Cluster<'_>, node: Option<&str>, found: &mut Vec<Explanation>) {
    for host in &cluster.resources().host_endpoints {
        if node.is_some_and(|node| node != &*host.node) || host.interface.is_empty() {
            continue;
        }
        let wildcard = &*host.interface == "*";
        let interface = if wildcard { crate::resolve::view::WILDCARD_INTERFACE } else { &host.interface };
        let Some((thing, name, what)) = asked(name, interface, &HOST_CHAINS) else { continue };
        let through = if wildcard { "all interfaces without one of their own" } else { interface };
        let what = format!("{what}host endpoint `{}`, interface `{through}`", host.meta.name);
        found.push(Explanation::new(thing, name, what).at(host.meta.at).fact("node", &*host.node));
    }
}

fn sets(set: &str, id: &str, cluster: &Cluster<'_>, found: &mut Vec<Explanation>) {
    let family = if set.starts_with("cali60") { Family::V6 } else { Family::V4 };
    for (index, own, meaning) in cluster.sets() {
        if names::set(family, &own) != set && *own != *id {
            continue;
        }
        let (what, selector) = match meaning {
            SetMeaning::Selector(selector) => (
                "addresses of the pods, host endpoints and network sets that a selector selects".to_owned(),
                Some(selector),
            ),
            SetMeaning::NamedPort { selector, protocol, port } => (
                format!(
                    "addresses and numbers of the port named `{port}` ({protocol}) of what a selector selects"
                ),
                Some(selector),
            ),
            SetMeaning::Service(path) => (format!("addresses and ports of service `{path}`"), None),
            SetMeaning::ServiceAddresses(path) => (format!("addresses of service `{path}`"), None),
        };
        let mut explanation = Explanation::new("set", set, what);
        if let Some(selector) = selector {
            explanation = explanation.fact("selector", &**selector);
        }
        explanation = explanation.fact("members", members(cluster.set_members(index), family));
        for policy in cluster.policies_with_set(index) {
            explanation.at = explanation.at.or(Some(policy.at));
            explanation =
                explanation.fact("used by", format!("{} `{}`", policy.id.kind.name(), policy.id.path()));
        }
        found.push(explanation);
    }
}

/// How many members there are, and the first of them.
fn members(members: &SetMembers, family: Family) -> String {
    const SHOWN: usize = 5;
    let texts: Vec<String> = match (members, family) {
        (SetMembers::Nets(nets), Family::V4) => nets.v4.iter().map(ToString::to_string).collect(),
        (SetMembers::Nets(nets), Family::V6) => nets.v6.iter().map(ToString::to_string).collect(),
        (SetMembers::Ports(ports), family) => if family == Family::V4 { &ports.v4 } else { &ports.v6 }
            .iter()
            .map(|member| format!("{}:{}", member.address, member.port))
            .collect(),
    };
    match texts.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{count}: {}, …", texts[..SHOWN].join(", ")),
        count => format!("{count}: {}", texts.join(", ")),
    }
}
