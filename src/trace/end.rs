//! The two ends of what is traced: words of the user → packets.

use super::assume;
use crate::ir::Family;
use crate::kernel::packet::ranges;
use crate::kernel::route::{LOOPBACK, Routes};
use crate::kernel::symbolic::Arrival;
use crate::model::core::{Pod, Service};
use crate::model::suggest;
use crate::resolve::Cluster;
use crate::resolve::view::NodeView;
use crate::space::{Field, PacketSet, Range, Space};
use crate::syntax::ip_route::Way;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// An end.
#[derive(Debug, Clone)]
pub struct End {
    /// what to call it
    pub name: String,
    /// its addresses
    pub addresses: Vec<IpNet>,
    /// addresses that are not part of it
    pub without: Vec<IpNet>,
    /// the interface that it is reached on, if it is one
    pub interface: Option<Box<str>>,
    /// it is the node itself
    pub own: bool,
    /// ports of it, where it is a service
    pub ports: Vec<u16>,
    /// addresses of it that only the cluster itself can reach
    pub inner: Vec<IpNet>,
    outside: bool,
}

impl End {
    /// What of it somebody outside of the cluster can address; all of it, if that is nothing.
    #[must_use]
    pub fn seen_from_outside(mut self) -> Self {
        let outer: Vec<IpNet> =
            self.addresses.iter().filter(|net| !self.inner.contains(net)).copied().collect();
        if !outer.is_empty() {
            self.addresses = outer;
        }
        self
    }

    /// Whether it is nothing of the cluster.
    pub fn is_outside(&self) -> bool {
        self.outside
    }

    /// Addresses, as they arrive on an interface of another node.
    pub fn arriving(name: String, addresses: Vec<IpNet>, interface: &str) -> Self {
        End { interface: Some(interface.into()), ..End::new(name, addresses) }
    }

    /// Addresses.
    pub fn of_nets(name: String, addresses: Vec<IpNet>) -> Self {
        End::new(name, addresses)
    }

    /// A single address.
    pub fn address(name: String, address: IpAddr) -> Self {
        End::new(name, vec![IpNet::from(address)])
    }

    fn new(name: impl Into<String>, addresses: Vec<IpNet>) -> Self {
        End {
            name: name.into(),
            addresses,
            without: Vec::new(),
            interface: None,
            own: false,
            ports: Vec::new(),
            inner: Vec::new(),
            outside: false,
        }
    }

    /// Its addresses of a family, as ranges in order that do not touch.
    pub fn ranges(&self, family: Family) -> Vec<Range> {
        let mut space = Space::new(family);
        let inside = space.with(Field::Source, &ranges(&self.addresses, family));
        let outside = space.with(Field::Source, &ranges(&self.without, family));
        let set = space.difference(inside, outside);
        if set == PacketSet::ALL {
            return vec![(0, Field::Source.largest(family))];
        }
        let (cubes, _) = space.cubes(set, 1);
        cubes.into_iter().flat_map(|cube| cube.sides).flat_map(|(_, ranges)| ranges).collect()
    }

    /// Where its packets enter the node: from a process, or from outside on interfaces.
    pub fn arrival(&self, routes: &Routes, family: Family) -> (Arrival, Vec<String>) {
        if self.own {
            return (Arrival::Process, Vec::new());
        }
        if let Some(interface) = &self.interface {
            return (Arrival::Outside, vec![interface.to_string()]);
        }
        // answers go back where packets come from, or the reverse path check drops them
        let mut space = Space::new(family);
        let sources = space.with(Field::Source, &self.ranges(family));
        let mut by_device: BTreeMap<&str, Vec<Range>> = BTreeMap::new();
        for (range, way) in &routes.ranges(family) {
            if let Some(Way::Device(device)) = way {
                by_device.entry(device).or_default().push(*range);
            }
        }
        let mut devices = Vec::new();
        for (device, ranges) in by_device {
            let there = space.with(Field::Source, &ranges);
            if device != LOOPBACK && !space.intersection(sources, there).is_empty() {
                devices.push(device.to_owned());
            }
        }
        (Arrival::Outside, devices)
    }
}

/// Which end it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Which {
    From,
    To,
}

/// Finds an end by the user's word: `internet`, `pod:NAMESPACE/NAME`, `service:NAMESPACE/NAME`, `node` or `node:NAME`,
/// `interface:NAME`, an address or a CIDR; without a kind, `NAMESPACE/NAME` is a pod, else a service.
///
/// # Errors
///
/// What is wrong with it, and what could be meant.
pub fn find(word: &str, which: Which, cluster: &Cluster<'_>, view: &NodeView) -> Result<End, String> {
    if word == "internet" {
        return Ok(internet(cluster));
    }
    if let Ok(net) = word.parse::<IpNet>().or_else(|_| word.parse::<IpAddr>().map(IpNet::from)) {
        return Ok(address(net.trunc(), cluster, view));
    }
    match word.split_once(':') {
        Some(("pod", path)) => return pod(path, cluster, view),
        Some(("service", path)) => return service(path, which, cluster),
        Some(("node", name)) => return node(name, cluster, view),
        Some(("interface", name)) => return interface(name, which, view),
        _ => {}
    }
    if word == "node" {
        return node(&view.node, cluster, view);
    }
    if word.contains('/') {
        return pod(word, cluster, view).or_else(|error| service(word, which, cluster).map_err(|_| error));
    }
    node(word, cluster, view).or_else(|_| interface(word, which, view)).map_err(|_| {
        format!(
            "`{word}` is no end: use `internet`, `pod:NAMESPACE/NAME`, `service:NAMESPACE/NAME`, `node:NAME`, \
             `interface:NAME`, an address or a CIDR"
        )
    })
}

fn internet(cluster: &Cluster<'_>) -> End {
    let all = ["0.0.0.0/0", "::/0"].map(|text| text.parse().expect("a network"));
    let mut end = End::new("internet", all.into());
    end.without = [Family::V4, Family::V6].into_iter().flat_map(assume::special).collect();
    end.outside = true;
    end.without.extend(cluster.resources().pools.iter().map(|pool| pool.cidr.value));
    end
}

/// An address of a local pod is the pod, one of the node is the node.
fn address(net: IpNet, cluster: &Cluster<'_>, view: &NodeView) -> End {
    let mut end = End::new(net.to_string(), vec![net]);
    if net.prefix_len() == net.max_prefix_len() {
        let address = net.addr();
        end.name = address.to_string();
        end.own = own_addresses(view).contains(&address);
        let of_pod = view.workloads.iter().find(|pod| pod.addresses.contains(&address));
        if let Some(pod) = of_pod {
            end.name = format!("{address} (pod {}/{})", pod.namespace, pod.pod);
            end.interface = Some(pod.interface.clone());
        } else if let Some(pod) =
            cluster.pods().iter().find(|pod| pod.status_ips.iter().any(|ip| **ip == *end.name))
        {
            end.name = format!("{address} (pod {}/{} on {})", pod.namespace, pod.name, pod.node);
        }
    }
    end
}

fn own_addresses(view: &NodeView) -> Vec<IpAddr> {
    view.interfaces.iter().flat_map(|own| &own.addresses).map(|net| net.addr()).collect()
}

fn split<'w>(path: &'w str, kind: &str) -> Result<(&'w str, &'w str), String> {
    path.split_once('/').ok_or_else(|| format!("`{path}` names no {kind}: write NAMESPACE/NAME"))
}

/// That there is none, and what could be meant.
fn absent<'n>(kind: &str, path: &str, names: impl Iterator<Item = &'n str>) -> String {
    match suggest(path, names) {
        Some(near) => format!("there is no {kind} `{path}`; did you mean `{near}`?"),
        None => format!("there is no {kind} `{path}`"),
    }
}

fn pod(path: &str, cluster: &Cluster<'_>, view: &NodeView) -> Result<End, String> {
    let (namespace, name) = split(path, "pod")?;
    let is = |pod: &Pod| *pod.namespace == *namespace && *pod.name == *name;
    let Some(pod) = cluster.resources().pods.iter().find(|pod| is(pod)) else {
        let paths: Vec<String> =
            cluster.resources().pods.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect();
        return Err(absent("pod", path, paths.iter().map(String::as_str)));
    };
    let local = *pod.node == *view.node;
    let addresses: Vec<IpNet> =
        pod.status_ips.iter().filter_map(|text| Some(IpNet::from(text.parse::<IpAddr>().ok()?))).collect();
    if addresses.is_empty() {
        return Err(format!("pod `{path}` has no address"));
    }
    let mut end = End::new(format!("pod {path}"), addresses);
    match (local, pod.host_network) {
        (true, true) => end.own = true,
        (true, false) => end.interface = Some(cluster.interface(pod)),
        (false, _) => end.name = format!("pod {path} on {}", pod.node),
    }
    Ok(end)
}

fn node(name: &str, cluster: &Cluster<'_>, view: &NodeView) -> Result<End, String> {
    if *name == *view.node {
        let addresses = own_addresses(view).into_iter().filter(|address| !address.is_loopback());
        let mut end = End::new(format!("node {name}"), addresses.map(IpNet::from).collect());
        end.own = true;
        return Ok(end);
    }
    let nodes = &cluster.resources().nodes;
    let Some(node) = nodes.iter().find(|node| *node.meta.name == *name) else {
        return Err(absent("node", name, nodes.iter().map(|node| &*node.meta.name)));
    };
    let addresses: Vec<IpNet> = node
        .addresses
        .iter()
        .filter_map(|entry| Some(IpNet::from(entry.address.parse::<IpAddr>().ok()?)))
        .collect();
    Ok(End::new(format!("node {name}"), addresses))
}

fn interface(name: &str, which: Which, view: &NodeView) -> Result<End, String> {
    let Some(own) = view.interfaces.iter().find(|own| &*own.name == name) else {
        return Err(absent("interface", name, view.interfaces.iter().map(|own| &*own.name)));
    };
    let mut end = match which {
        // whoever is behind it
        Which::From => End::new(
            format!("interface {name}"),
            ["0.0.0.0/0", "::/0"].map(|text| text.parse().expect("a network")).into(),
        ),
        Which::To => {
            let addresses = own.addresses.iter().map(|net| IpNet::from(net.addr())).collect();
            End::new(format!("the node's addresses on {name}"), addresses)
        }
    };
    end.interface = Some(own.name.clone());
    Ok(end)
}

/// A service as its clients see it: cluster IPs, external IPs and load balancer IPs with its ports.
fn service(path: &str, which: Which, cluster: &Cluster<'_>) -> Result<End, String> {
    let (namespace, name) = split(path, "service")?;
    let services = &cluster.resources().services;
    let is = |service: &&Service| *service.meta.namespace == *namespace && *service.meta.name == *name;
    let Some(service) = services.iter().find(is) else {
        let paths: Vec<String> =
            services.iter().map(|own| format!("{}/{}", own.meta.namespace, own.meta.name)).collect();
        return Err(absent("service", path, paths.iter().map(String::as_str)));
    };
    if which == Which::From {
        return Err(format!("`{path}` is a service, and nothing comes from a service: name one of its pods"));
    }
    let addresses = service.cluster_ips.iter().chain(&service.external_ips).chain(&service.load_balancer_ips);
    let mut addresses: Vec<IpNet> = addresses.map(|address| IpNet::from(address.value)).collect();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(format!("service `{path}` has no address: it is headless, so name one of its pods"));
    }
    let mut end = End::new(format!("service {path}"), addresses);
    end.inner = service.cluster_ips.iter().map(|address| IpNet::from(address.value)).collect();
    end.ports = service.ports.iter().map(|port| port.port).collect();
    Ok(end)
}
