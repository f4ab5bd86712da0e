//! Who may send packets: parts of the address space with names.

use crate::ir::Family;
use crate::kernel::packet::ranges;
use crate::resolve::Cluster;
use crate::space::{Field, PacketSet, Range, Space, nets};
use crate::trace::assume;
use ipnet::IpNet;
use std::net::IpAddr;

/// Who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// whoever is in the zone's networks
    Nets,
    /// other nodes
    Nodes,
    /// pods
    Pods,
    /// processes of the node itself, and pods in its network
    Host,
}

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// its name
    pub name: Box<str>,
    /// who is in it
    pub whose: Whose,
    /// its networks
    pub nets: Vec<IpNet>,
    /// what of these does not belong to it
    pub without: Vec<IpNet>,
}

/// Names of the zones that are always there.
pub const BUILT_IN: [&str; 5] = ["internet", "private", "nodes", "pods", "host"];

/// The number of the internet among the zones.
pub const INTERNET: usize = 0;

/// The zones of a cluster: those that are always there, whose networks may be `given`, then the others that are.
///
/// `internet` is what is global by the registries of special addresses, `private` what is private by them; neither has
/// addresses of nodes or of pools of pods.
pub fn zones(cluster: &Cluster<'_>, given: &[(Box<str>, Vec<IpNet>)]) -> Vec<Zone> {
    let pools: Vec<IpNet> = cluster.resources().pools.iter().map(|pool| pool.cidr.value).collect();
    let mut nodes: Vec<IpNet> = cluster
        .node_names()
        .flat_map(|name| cluster.node_addresses(name))
        .map(|address: IpAddr| IpNet::from(address))
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    let all: [IpNet; 2] = ["0.0.0.0/0", "::/0"].map(|text| text.parse().expect("a network"));
    let own = |name: &str| given.iter().find(|(own, _)| **own == *name).map(|(_, nets)| nets.clone());
    let others = || [&*pools, &*nodes].concat();
    let internet = || {
        let special = [Family::V4, Family::V6].into_iter().flat_map(assume::special);
        [special.collect(), others()].concat()
    };
    let zone = |name: &str, whose: Whose, nets: Vec<IpNet>, without: Vec<IpNet>| Zone {
        name: name.into(),
        whose,
        nets: nets.iter().map(IpNet::trunc).collect(),
        without,
    };
    let of_networks = |name: &str, built_in: Vec<IpNet>, without: Vec<IpNet>| match own(name) {
        Some(nets) => zone(name, Whose::Nets, nets, Vec::new()),
        None => zone(name, Whose::Nets, built_in, without),
    };
    let mut zones = vec![
        of_networks("internet", all.into(), internet()),
        of_networks("private", assume::private(), others()),
        zone("nodes", Whose::Nodes, nodes, Vec::new()),
        // pods are known by their interfaces on their node, and by the pools on others
        zone("pods", Whose::Pods, pools.clone(), Vec::new()),
        zone("host", Whose::Host, all.into(), Vec::new()),
    ];
    let more = given.iter().filter(|(name, _)| !BUILT_IN.contains(&&**name));
    zones.extend(more.map(|(name, nets)| zone(name, Whose::Nets, nets.clone(), Vec::new())));
    zones
}

impl Zone {
    /// About how many addresses of a family it has.
    pub fn size(&self, family: Family) -> f64 {
        let of = |nets: &[IpNet]| -> f64 { nets::size(nets, family) };
        of(&self.nets) - of(&self.without)
    }

    /// Packets that have their source in it.
    pub fn sources(&self, space: &mut Space) -> PacketSet {
        self.of(space, Field::Source)
    }

    /// Packets that have their destination in it.
    pub fn destinations(&self, space: &mut Space) -> PacketSet {
        self.of(space, Field::Destination)
    }

    fn of(&self, space: &mut Space, field: Field) -> PacketSet {
        let family = space.family();
        let with = |space: &mut Space, nets: &[IpNet]| -> PacketSet {
            let nets: Vec<Range> = ranges(nets, family);
            space.with(field, &nets)
        };
        let (inside, outside) = (with(space, &self.nets), with(space, &self.without));
        space.difference(inside, outside)
    }
}
