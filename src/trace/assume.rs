//! The routes that a node seems to have, where they are not given.

use super::tunnel::{self, Tunnels};
use crate::diagnostic::{Diagnostic, Severity};
use crate::ir::Family;
use crate::kernel::route::LOOPBACK;
use crate::resolve::Cluster;
use crate::resolve::view::{Interface, NodeView};
use crate::syntax::ip_route::{Route, Way};
use ipnet::IpNet;
use std::net::IpAddr;

/// Networks that are never on the internet.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// Routes to local pods through their interfaces, to other pods through the interface of the node's
/// internal address or a tunnel, to what interfaces are connected to, to private addresses through the
/// same, and to everything else through an interface with a public address, if there is one. Says what was
/// assumed.
pub fn routes(cluster: &Cluster<'_>, view: &NodeView, diagnostics: &mut Vec<Diagnostic>) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    let mut add = |net: IpNet, device: &str| {
        routes.push(Route { net: net.trunc(), way: Way::Device(device.into()), metric: 0 });
    };
    for pod in &view.workloads {
        pod.addresses.iter().for_each(|address| add(IpNet::from(*address), &pod.interface));
        pod.floating_ips.iter().for_each(|(outer, _)| add(IpNet::from(*outer), &pod.interface));
    }
    let internal = internal(view);
    let public = interface(view, |address| !is_private(address)).or(internal);
    for own in &view.interfaces {
        own.addresses.iter().filter(|net| !is_host(net)).for_each(|net| add(*net, &own.name));
    }
    if let Some(internal) = internal {
        let tunnels = Tunnels::new(cluster, view);
        for pod in cluster.pods().iter().filter(|pod| *pod.node != *view.node) {
            for address in pod.status_ips.iter().filter_map(|text| text.parse::<IpAddr>().ok()) {
                add(IpNet::from(address), tunnels.to(&pod.node, address).unwrap_or(internal));
            }
        }
    }
    // a node with an interface for each kind of address has routes for each
    for private in PRIVATE.iter().filter(|_| internal != public) {
        if let Some(internal) = internal {
            add(private.parse().expect("a network"), internal);
        }
    }
    if let Some(public) = public {
        add("0.0.0.0/0".parse().expect("a network"), public);
        // a node without an address of IPv6 that others can reach has no way into the IPv6 internet
        let has_v6 = view.interfaces.iter().flat_map(|own| &own.addresses).any(|net| match net.addr() {
            IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
            IpAddr::V4(_) => false,
        });
        if has_v6 {
            add("::/0".parse().expect("a network"), public);
        }
    }
    let named = |name: Option<&str>| name.map_or("nothing".to_owned(), |name| format!("`{name}`"));
    let message = format!(
        "the routes of node `{}` are not given; assumed pods of other nodes and private addresses behind {}, and everything else behind {}",
        view.node,
        named(internal),
        named(public)
    );
    diagnostics.push(
        Diagnostic::new("assumed-routes", Severity::Note, None, message)
            .help("give the outputs of `ip -j route` and `ip -j -6 route` on the node with `--node-routes`"),
    );
    routes
}

/// The node's interfaces. Where they are not given, there is one more for each tunnel that the node has an
/// address for.
pub fn interfaces(view: &NodeView, given: bool) -> Vec<Interface> {
    let mut interfaces = view.interfaces.clone();
    let network = &view.network;
    let tunnels = [
        (tunnel::IPIP, network.ipip_tunnel_address.filter(|_| network.ipip)),
        (tunnel::VXLAN[0], network.vxlan_tunnel_v4.filter(|_| network.vxlan_v4)),
        (tunnel::VXLAN[1], network.vxlan_tunnel_v6.filter(|_| network.vxlan_v6)),
    ];
    for (name, address) in tunnels {
        let is_there = interfaces.iter().any(|own| &*own.name == name);
        if let Some(address) = address.filter(|_| !given && !is_there) {
            interfaces.push(Interface {
                name: name.into(),
                addresses: vec![address.into()],
                near: Vec::new(),
            });
        }
    }
    interfaces
}

/// The interface towards the other nodes: that of a private address, or else any.
pub fn internal(view: &NodeView) -> Option<&str> {
    interface(view, is_private).or_else(|| interface(view, |_| true))
}

fn is_host(net: &IpNet) -> bool {
    net.prefix_len() == net.max_prefix_len()
}

/// The first interface with an address of which this holds.
fn interface(view: &NodeView, holds: impl Fn(IpAddr) -> bool) -> Option<&str> {
    let fits = |own: &Interface| {
        let addresses = own.addresses.iter().map(|net| net.addr());
        addresses.filter(|address| !address.is_loopback()).any(&holds)
    };
    let own = view.interfaces.iter().filter(|own| &*own.name != LOOPBACK);
    let own = own.filter(|own| !view.config.excludes_interface(&own.name));
    own.into_iter().find(|own| fits(own)).map(|own| &*own.name)
}

/// Networks that are never on the internet.
pub fn private() -> Vec<IpNet> {
    PRIVATE.iter().map(|text| text.parse().expect("a network")).collect()
}

/// Whether an address is one of a private network.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local() || address.is_loopback(),
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback()
        }
    }
}

/// The addresses of the internet: what is global, by the registries of special addresses (RFC 6890),
/// as ranges to leave out of all addresses.
pub fn special(family: Family) -> Vec<IpNet> {
    let texts: &[&str] = match family {
        Family::V4 => &[
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "224.0.0.0/3",
        ],
        Family::V6 => &["::/3", "4000::/2", "8000::/1"],
    };
    texts.iter().map(|text| text.parse().expect("a network")).collect()
}
