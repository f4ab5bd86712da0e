//! Why something is open on an interface: which policies are asked there before and after DNAT, and which are not.

use super::exposure::Exposure;
use super::nodes::Compiled;
use super::targets::{Kind, NODE_PORTS, Target};
use super::words::{Files, list};
use crate::diagnostic::Location;
use crate::model::calico::Action;
use crate::resolve::view::{HostEndpoint, NodeView, Policy, PolicyId, TierPolicies, WILDCARD_INTERFACE};
use ipnet::IpNet;

/// What stands between an interface and what is behind it.
pub struct Guard<'v> {
    /// the host endpoint of the interface
    pub host: Option<&'v HostEndpoint>,
    /// policies for what comes in, before DNAT
    pub pre_dnat: Vec<&'v Policy>,
    /// policies for what is forwarded
    pub forward: Vec<&'v Policy>,
    /// policies for what the node itself gets, and nobody else
    pub own: Vec<&'v Policy>,
}

/// The policies that are asked about packets that come in on an interface.
pub fn guard<'v>(view: &'v NodeView, interface: &str) -> Guard<'v> {
    let of = |name: &str| view.host_endpoints.iter().find(|host| *host.interface == *name);
    let (named, wildcard) = (of(interface), of(WILDCARD_INTERFACE));
    let host = named.or(wildcard);
    let policies = |host: Option<&'v HostEndpoint>, tiers: fn(&HostEndpoint) -> &Vec<TierPolicies>| {
        let groups = host.into_iter().flat_map(tiers).flat_map(|tier| &tier.ingress);
        let all = groups.flat_map(|group| &group.policies);
        all.map(|index| &*view.policies[index.0 as usize]).collect::<Vec<&Policy>>()
    };
    let mut pre_dnat = policies(host, |host| &host.pre_dnat_tiers);
    if pre_dnat.is_empty() {
        // without one of its own an interface falls through to those of all interfaces
        // (`felix/dataplane/linux/endpoint_mgr.go:1317`, v3.32.1)
        pre_dnat = policies(wildcard, |host| &host.pre_dnat_tiers);
    }
    let forward = policies(host, |host| &host.forward_tiers);
    let own = policies(host, |host| &host.tiers).into_iter();
    let own = own.filter(|policy| !forward.iter().any(|other| other.id == policy.id)).collect();
    Guard { host, pre_dnat, forward, own }
}

/// `GlobalNetworkPolicy allow-sys-mgmt`
pub fn name(policy: &PolicyId) -> String {
    format!("{} `{}`", policy.kind.name(), policy.path())
}

fn names(policies: &[&Policy]) -> String {
    list(&policies.iter().map(|policy| format!("`{}`", policy.id.path())).collect::<Vec<_>>())
}

impl Guard<'_> {
    /// The rule of one of these policies that lets packets in, if one says so.
    pub fn allowing<'e>(
        &self,
        target: &Target,
        exposure: &'e Exposure,
    ) -> Option<(&'e PolicyId, &'e str, Option<Location>)> {
        // what is sent on to something else is none of the business of policies for the node itself
        let own = match target.kind.is_translated() || target.kind == Kind::NodePortRange {
            true => &[][..],
            false => &*self.own,
        };
        let first = exposure.ends.iter().find(|reached| reached.counts)?.hops.first()?;
        first.rules.iter().find_map(|decision| {
            let policy = decision.policy.as_ref()?;
            let mut asked = self.pre_dnat.iter().chain(&self.forward).chain(own);
            let is_asked = asked.any(|own| own.id == *policy);
            is_asked.then_some((policy, &*decision.reason, decision.at))
        })
    }
}

/// Why a target is open where packets come in on an interface of a node: sentences without full stops.
pub fn why(
    node: &Compiled,
    interface: &str,
    target: &Target,
    exposure: &Exposure,
    pools: &[IpNet],
    files: Files<'_>,
) -> Vec<String> {
    let guard = guard(&node.view, interface);
    let place = |at: Option<Location>| match at {
        Some(at) => format!(" ({}:{}:{})", files(at.file), at.line, at.column),
        None => String::new(),
    };
    let Some(host) = guard.host else {
        return vec![format!(
            "no HostEndpoint covers `{interface}` of node `{}`, so no policy is asked about what comes in there",
            node.view.node
        )];
    };
    if let Some((_, reason, at)) = guard.allowing(target, exposure) {
        return vec![format!("{reason}{} allows it", place(at))];
    }
    let mut why = Vec::new();
    let at_host = format!("`{}`", host.name);
    match (&*guard.pre_dnat, &*guard.forward) {
        ([], []) => why.push(format!(
            "no policy applies before DNAT (`preDNAT: true`) or to forwarded packets (`applyOnForward: true`) at host \
             endpoint {at_host}, so Felix lets them through"
        )),
        ([], forward) => why.push(format!(
            "no policy applies before DNAT (`preDNAT: true`) at host endpoint {at_host}; after it {} let it through",
            names(forward)
        )),
        (pre_dnat, []) => why.push(format!(
            "{} before DNAT at host endpoint {at_host} do not deny it, and what they do not mention is let through",
            names(pre_dnat)
        )),
        (pre_dnat, forward) => why.push(format!(
            "neither {} before DNAT nor {} for forwarded packets deny it at host endpoint {at_host}",
            names(pre_dnat),
            names(forward)
        )),
    }
    // a node's own processes are what such policies are about
    if target.kind.is_translated() || target.kind == Kind::NodePortRange {
        for policy in guard.own.iter().filter(|policy| seems_meant(policy, target, pools)) {
            why.push(format!(
                "{}{} has no effect on it: without `applyOnForward` it is asked only about packets to the node itself",
                name(&policy.id),
                place(Some(policy.at))
            ));
        }
    }
    why
}

/// Whether a policy looks as if somebody had this target in mind: its address, its port, or the pods behind it.
fn seems_meant(policy: &Policy, target: &Target, pools: &[IpNet]) -> bool {
    let speaks = |rule: &crate::resolve::view::Rule| {
        let to = &rule.destination;
        let of_pods = |net: &IpNet| pools.iter().any(|pool| pool.contains(net) || net == pool);
        let of_it = |net: &IpNet| target.address.is_some_and(|ip| net.contains(&ip)) && net.prefix_len() > 0;
        let port = |(first, last): &(u16, u16)| {
            let node_ports = *first >= NODE_PORTS.0 && *last <= NODE_PORTS.1;
            node_ports && *first <= target.ports.1 && *last >= target.ports.0
        };
        matches!(rule.action, Action::Allow | Action::Deny)
            && (to.nets.iter().any(|net| of_pods(net) || of_it(net)) || to.ports.iter().any(port))
    };
    policy.inbound.iter().any(speaks)
}
