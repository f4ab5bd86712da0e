//! The host endpoints of a cluster that can apply to an interface, with the policies that select
//! them, and those that are alike taken together: a mistake in a policy for a thousand nodes is
//! one mistake.

use super::super::ClusterContext;
use super::super::rule_facts::list;
use crate::diagnostic::Location;
use crate::model::calico::HostEndpoint;
use crate::resolve::policy::Policy;
use rustc_hash::FxHashMap;

/// The `interfaceName` of a host endpoint for all interfaces.
const ALL_INTERFACES: &str = "*";

/// A host endpoint.
pub struct Host<'c, 'r> {
    /// the object
    pub endpoint: &'r HostEndpoint,
    /// policies that select it, in evaluation order, without staged ones
    pub policies: Vec<&'c Policy>,
}

/// Host endpoints that have the same policies.
pub struct Group<'c, 'r> {
    /// in input order, at least one
    pub endpoints: Vec<&'r HostEndpoint>,
    /// policies that select them, in evaluation order, without staged ones
    pub policies: Vec<&'c Policy>,
}

/// Whether it is for all interfaces.
pub fn is_wildcard(endpoint: &HostEndpoint) -> bool {
    &*endpoint.interface == ALL_INTERFACES
}

/// All host endpoints, with those of their policies that are relevant.
pub fn hosts<'c, 'r>(ctx: &ClusterContext<'c, 'r>, relevant: impl Fn(&Policy) -> bool) -> Vec<Host<'c, 'r>> {
    let mut hosts: Vec<Host<'c, 'r>> = applicable(&ctx.resources.host_endpoints)
        .into_iter()
        .map(|endpoint| Host { endpoint, policies: Vec::new() })
        .collect();
    hosts.sort_by_key(|host| host.endpoint.meta.at);
    if hosts.is_empty() {
        return hosts;
    }
    let places: FxHashMap<Location, usize> =
        hosts.iter().enumerate().map(|(place, host)| (host.endpoint.meta.at, place)).collect();
    // policies of a namespace select pods of that namespace only
    let global = ctx.cluster.policies().iter().filter(|policy| policy.id.namespace.is_empty());
    for policy in global.filter(|policy| !policy.id.kind.is_staged() && relevant(policy)) {
        for endpoint in ctx.selected(policy).host_endpoints() {
            let host = places.get(&endpoint.meta.at).and_then(|place| hosts.get_mut(*place));
            if let Some(host) = host {
                host.policies.push(policy);
            }
        }
    }
    hosts
}

/// Those that no other one of their node comes before: of several for one interface, the first by
/// name applies (`felix/dataplane/linux/endpoint_mgr.go:1212`, v3.32.1).
fn applicable(all: &[HostEndpoint]) -> Vec<&HostEndpoint> {
    let mut sorted: Vec<&HostEndpoint> = all.iter().filter(|host| !host.node.is_empty()).collect();
    sorted.sort_by_key(|host| (&host.node, &host.meta.name, host.meta.at));
    let mut kept: Vec<&HostEndpoint> = Vec::new();
    for host in sorted {
        let mut earlier = kept.iter().rev().take_while(|earlier| earlier.node == host.node);
        if !earlier.any(|earlier| same_interface(earlier, host)) {
            kept.push(host);
        }
    }
    kept
}

fn same_interface(a: &HostEndpoint, b: &HostEndpoint) -> bool {
    if is_wildcard(a) || is_wildcard(b) || (!a.interface.is_empty() && !b.interface.is_empty()) {
        return a.interface == b.interface;
    }
    a.expected_ips.iter().any(|own| b.expected_ips.iter().any(|other| own.value == other.value))
}

/// Takes those together that have the same policies; in input order.
pub fn groups<'c, 'r>(hosts: impl IntoIterator<Item = Host<'c, 'r>>) -> Vec<Group<'c, 'r>> {
    let mut groups: Vec<Group<'c, 'r>> = Vec::new();
    let mut places = FxHashMap::default();
    for host in hosts {
        let policies: Vec<Location> = host.policies.iter().map(|policy| policy.at).collect();
        let next = groups.len();
        let place = *places.entry(policies).or_insert(next);
        match groups.get_mut(place) {
            Some(group) => group.endpoints.push(host.endpoint),
            None => groups.push(Group { endpoints: vec![host.endpoint], policies: host.policies }),
        }
    }
    groups
}

impl Group<'_, '_> {
    /// Where the first of them is written.
    pub fn at(&self) -> Option<Location> {
        self.endpoints.first().map(|endpoint| endpoint.meta.at)
    }

    /// Their names, as in "host endpoints `a` and `b`".
    pub fn names(&self) -> String {
        names(&self.endpoints)
    }
}

/// As in "host endpoints `a` and `b`".
pub fn names(endpoints: &[&HostEndpoint]) -> String {
    let word = if endpoints.len() == 1 { "host endpoint" } else { "host endpoints" };
    format!("{word} {}", list(endpoints.iter().map(|endpoint| &*endpoint.meta.name)))
}
