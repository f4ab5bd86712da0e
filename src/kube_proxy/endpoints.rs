//! Which endpoints a node uses for a port of a service (`pkg/proxy/topology.go`).

use crate::model::Resources;
use crate::model::core::{EndpointSlice, Service, ServicePort};
use rustc_hash::FxHashMap;
use std::net::{IpAddr, SocketAddr};

/// A pod, or another address, behind a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// address and port
    pub at: SocketAddr,
    /// on this node
    is_local: bool,
    is_ready: bool,
    /// it still serves, and is about to go
    is_ending: bool,
    /// whether it is meant for this node, and for its zone; `None` where nothing is said of that
    for_node: Option<bool>,
    for_zone: Option<bool>,
}

/// The endpoints of a port that a node uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used {
    /// for whoever may go to any node
    pub cluster: Vec<SocketAddr>,
    /// for whoever must stay on this one
    pub local: Vec<SocketAddr>,
    /// there are some, on this node or on others
    pub any: bool,
}

/// All slices of a cluster, by namespace and service.
pub struct Slices<'r> {
    resources: &'r Resources,
    of: FxHashMap<(&'r str, &'r str), Vec<&'r EndpointSlice>>,
    node: &'r str,
    zone: &'r str,
}

impl<'r> Slices<'r> {
    /// As a node sees them.
    pub fn new(resources: &'r Resources, node: &'r str) -> Self {
        let mut of: FxHashMap<(&str, &str), Vec<&EndpointSlice>> = FxHashMap::default();
        for slice in &resources.endpoint_slices {
            let labels = &slice.meta.labels;
            let is_others = ["service.kubernetes.io/headless", "service.kubernetes.io/service-proxy-name"];
            if is_others.iter().any(|label| labels.get(label).is_some()) {
                continue;
            }
            if let Some(service) = labels.get("kubernetes.io/service-name") {
                of.entry((&slice.meta.namespace, service)).or_default().push(slice);
            }
        }
        let labels = resources.nodes.iter().find(|own| *own.meta.name == *node).map(|own| &own.meta.labels);
        let zone = labels.and_then(|labels| labels.get("topology.kubernetes.io/zone")).unwrap_or_default();
        Slices { resources, of, node, zone }
    }

    /// The endpoints of a port, of one family, sorted.
    pub fn endpoints(&self, service: &Service, port: &ServicePort, v4: bool) -> Vec<Endpoint> {
        let slices = self.of.get(&(&*service.meta.namespace, &*service.meta.name));
        let mut found = match slices {
            Some(slices) => self.of_slices(slices, port),
            None => self.mirrored(service, port),
        };
        found.retain(|endpoint| endpoint.at.is_ipv4() == v4);
        // ready ones first: of an endpoint that is there twice, that one counts
        found.sort_by_key(|endpoint| (endpoint.at, !endpoint.is_ready));
        found.dedup_by_key(|endpoint| endpoint.at);
        found
    }

    fn of_slices(&self, slices: &[&EndpointSlice], port: &ServicePort) -> Vec<Endpoint> {
        let mut found = Vec::new();
        for slice in slices {
            let ports =
                slice.ports.iter().filter(|own| own.name == port.name && own.protocol == port.protocol);
            for number in ports.filter_map(|own| own.port) {
                for endpoint in &slice.endpoints {
                    let hinted = |names: &[Box<str>], own: &str| {
                        (!names.is_empty()).then(|| names.iter().any(|name| **name == *own))
                    };
                    // all addresses of an endpoint are the same pod; kube-proxy takes the first
                    found.extend(endpoint.addresses.first().map(|address| Endpoint {
                        at: SocketAddr::new(address.to_canonical(), number),
                        is_local: *endpoint.node == *self.node,
                        is_ready: endpoint.ready,
                        is_ending: endpoint.serving && endpoint.terminating,
                        for_node: hinted(&endpoint.for_nodes, self.node),
                        for_zone: hinted(&endpoint.for_zones, self.zone),
                    }));
                }
            }
        }
        found
    }

    /// The Endpoints of a service without slices, which the control plane copies into one.
    fn mirrored(&self, service: &Service, port: &ServicePort) -> Vec<Endpoint> {
        let of_service = |meta: &crate::model::meta::Meta| {
            meta.namespace == service.meta.namespace && meta.name == service.meta.name
        };
        let own = self.resources.endpoints.iter().find(|endpoints| of_service(&endpoints.meta));
        let mut found = Vec::new();
        for subset in own.into_iter().flat_map(|endpoints| &endpoints.subsets) {
            let ports =
                subset.ports.iter().filter(|own| own.name == port.name && own.protocol == port.protocol);
            for number in ports.filter_map(|own| own.port) {
                found.extend(subset.addresses.iter().map(|address| Endpoint {
                    at: SocketAddr::new(IpAddr::to_canonical(&address.value), number),
                    is_local: subset.nodes.get(&address.value).is_some_and(|node| **node == *self.node),
                    is_ready: true,
                    is_ending: false,
                    for_node: None,
                    for_zone: None,
                }));
            }
        }
        found
    }
}

/// Which endpoints have hints that hold for the node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Topology {
    All,
    SameNode,
    SameZone,
}

impl Topology {
    /// Hints count only if every ready endpoint has them, and some are meant for this node.
    fn of(endpoints: &[Endpoint]) -> Self {
        let counts = |hint: fn(&Endpoint) -> Option<bool>| {
            let mut hints = endpoints.iter().filter(|endpoint| endpoint.is_ready).map(hint);
            hints.clone().all(|hint| hint.is_some()) && hints.any(|hint| hint == Some(true))
        };
        if counts(|endpoint| endpoint.for_node) {
            Topology::SameNode
        } else if counts(|endpoint| endpoint.for_zone) {
            Topology::SameZone
        } else {
            Topology::All
        }
    }

    fn has(self, endpoint: &Endpoint) -> bool {
        match self {
            Topology::All => true,
            Topology::SameNode => endpoint.for_node == Some(true),
            Topology::SameZone => endpoint.for_zone == Some(true),
        }
    }
}

impl Used {
    /// Of all endpoints those that are used. Where none is ready, those that still serve while they end.
    pub fn of(endpoints: &[Endpoint], uses_cluster: bool, uses_local: bool) -> Self {
        let select = |holds: &dyn Fn(&Endpoint) -> bool| -> Vec<SocketAddr> {
            endpoints.iter().filter(|endpoint| holds(endpoint)).map(|endpoint| endpoint.at).collect()
        };
        let mut used = Used::default();
        if uses_cluster {
            let topology = Topology::of(endpoints);
            used.cluster = select(&|endpoint| endpoint.is_ready && topology.has(endpoint));
            if used.cluster.is_empty() {
                used.cluster = select(&|endpoint| endpoint.is_ending);
            }
            used.any = !used.cluster.is_empty();
        }
        if uses_local {
            used.any |= endpoints.iter().any(|endpoint| endpoint.is_ready || endpoint.is_ending);
            used.local = select(&|endpoint| endpoint.is_local && endpoint.is_ready);
            if used.local.is_empty() {
                used.local =
                    select(&|endpoint| endpoint.is_local && !endpoint.is_ready && endpoint.is_ending);
            }
        }
        used
    }

    /// Both kinds, each once.
    pub fn reachable(&self) -> Vec<SocketAddr> {
        let mut all = [&*self.cluster, &*self.local].concat();
        all.sort_unstable();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Endpoints of one port, each by what is said of it: ready, ending, local, for this node, for this zone.
    fn used(texts: &[&str]) -> [Vec<usize>; 2] {
        let endpoint = |(number, text): (usize, &&str)| {
            let words: Vec<&str> = text.split(' ').collect();
            let has = |word: &str| words.contains(&word);
            let hint = |yes: &str, no: &str| has(yes).then_some(true).or(has(no).then_some(false));
            Endpoint {
                at: SocketAddr::from(([10, 0, 0, number as u8], 80)),
                is_local: has("local"),
                is_ready: has("ready"),
                is_ending: has("ending"),
                for_node: hint("node", "other-node"),
                for_zone: hint("zone", "other-zone"),
            }
        };
        let endpoints: Vec<Endpoint> = texts.iter().enumerate().map(endpoint).collect();
        let used = Used::of(&endpoints, true, true);
        let numbers = |list: &[SocketAddr]| -> Vec<usize> {
            let place = |at: &SocketAddr| endpoints.iter().position(|own| own.at == *at).unwrap();
            list.iter().map(place).collect()
        };
        [numbers(&used.cluster), numbers(&used.local)]
    }

    #[test]
    fn ready_endpoints_come_before_ending_ones_in_each_list_apart() {
        assert_eq!(used(&["ready", "ready local", "ending local", "local"]), [vec![0, 1], vec![1]]);
        assert_eq!(used(&["ready", "ending local"]), [vec![0], vec![1]]);
        assert_eq!(used(&["ending", "ending local", ""]), [vec![0, 1], vec![1]]);
        assert_eq!(used(&["", "local"]), [Vec::<usize>::new(), Vec::new()]);
    }

    #[test]
    fn hints_count_if_all_ready_endpoints_have_them() {
        assert_eq!(used(&["ready zone", "ready other-zone"])[0], [0]);
        assert_eq!(used(&["ready zone", "ready other-zone", "ending"])[0], [0]);
        assert_eq!(used(&["ready zone", "ready"])[0], [0, 1]);
        assert_eq!(used(&["ready other-zone", "ready other-zone"])[0], [0, 1]);
        assert_eq!(used(&["ready node zone", "ready other-node zone"])[0], [0]);
        assert_eq!(used(&["ready other-node zone", "ready other-node other-zone"])[0], [0]);
        // the local policy does not ask for hints
        assert_eq!(used(&["ready zone", "ready other-zone local"]), [vec![0], vec![1]]);
    }
}
