//! Where packets enter a node: on an interface, from its pods, or from itself.

use super::nodes::Ready;
use super::targets::{Kind, Target, keys};
use super::walk::Entry;
use super::zones::Zone;
use crate::ir::Family;
use crate::kernel::packet::{TCP, UDP, number};
use crate::kernel::symbolic::Arrival;
use crate::model::calico::Direction;
use crate::space::{Field, PacketSet, Range, Space};
use crate::syntax::ip_route::Way as Route;
use std::collections::{BTreeMap, HashMap};

/// How packets come to a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// from outside, on this interface
    Interface(Box<str>),
    /// from its own pods
    Pods,
    /// from its own processes
    Host,
}

impl Way {
    /// What to call it.
    pub fn name(&self) -> &str {
        match self {
            Way::Interface(name) => name,
            Way::Pods => "pods",
            Way::Host => "host",
        }
    }
}

/// All ways into a node that has addresses of a family, with the packets that can come by them, whatever their
/// destination.
pub fn ways(node: &Ready<'_>, space: &mut Space) -> Vec<(Way, Arrival, PacketSet)> {
    let family = space.family();
    let interfaces = node.node.interfaces();
    let mut ways = Vec::new();
    let came = |space: &mut Space, name: &str| {
        space.with_value(Field::InInterface, u128::from(interfaces.number(name)))
    };
    let routes = node.node.routes().ranges(family);
    for name in node.outer_interfaces() {
        // answers go back where packets come from, or the reverse path check drops them
        let there =
            routes.iter().filter(|(_, way)| matches!(way, Some(Route::Device(device)) if **device == *name));
        let sources: Vec<Range> = there.map(|(range, _)| *range).collect();
        let (sources, came) = (space.with(Field::Source, &sources), came(space, name));
        ways.push((Way::Interface(name.into()), Arrival::Outside, space.intersection(sources, came)));
    }
    let mut of_pods = Vec::new();
    for pod in &node.own.view.workloads {
        let addresses = pod.addresses.iter().filter(|ip| ip.is_ipv4() == (family == Family::V4));
        let addresses: Vec<Range> = addresses.map(|ip| (number(*ip), number(*ip))).collect();
        let (sources, came) = (space.with(Field::Source, &addresses), came(space, &pod.interface));
        of_pods.push(space.intersection(sources, came));
    }
    ways.push((Way::Pods, Arrival::Outside, space.union_of(of_pods)));
    let own: Vec<Range> = node.local(family).into_iter().map(|address| (address, address)).collect();
    ways.push((Way::Host, Arrival::Process, space.with(Field::Source, &own)));
    ways.retain(|(_, _, set)| !set.is_empty());
    ways
}

/// What can be addressed on a node, in one family.
pub struct Addressed {
    /// by address, protocol and port: numbers of targets
    by_key: HashMap<(u128, u8, u16), Vec<usize>>,
    /// packets to any of these
    pub targets: PacketSet,
    /// packets to any of those that lie outside
    outside: PacketSet,
    /// packets to TCP and UDP ports of the node's own addresses
    own: PacketSet,
    /// TCP and UDP, without VXLAN, to its pods that no policy selects for ingress
    open_pods: PacketSet,
    /// TCP and UDP, without VXLAN, to the internet
    internet: PacketSet,
}

impl Addressed {
    /// On a node.
    pub fn new(targets: &[Target], zones: &[Zone], node: &Ready<'_>, space: &mut Space) -> Self {
        let family = space.family();
        let local = node.local(family);
        let mut by_key: HashMap<(u128, u8, u16), Vec<usize>> = HashMap::new();
        for (place, target) in targets.iter().enumerate() {
            if target.kind.is_range() || !target.is_on(&node.own.view.node) {
                continue;
            }
            for key in keys(target, family, &local) {
                by_key.entry(key).or_default().push(place);
            }
        }
        // by address and protocol, so that few sets are made
        let mut ports: BTreeMap<(bool, u128, u8), Vec<Range>> = BTreeMap::new();
        for ((address, protocol, port), own) in &by_key {
            let outside = own.iter().all(|target| targets[*target].kind.is_outside());
            let port = u128::from(*port);
            ports.entry((outside, *address, *protocol)).or_default().push((port, port));
        }
        let mut sets = [Vec::new(), Vec::new()];
        for ((outside, address, protocol), ports) in ports {
            let fields = [
                (Field::Destination, vec![(address, address)]),
                (Field::Protocol, vec![(u128::from(protocol), u128::from(protocol))]),
                (Field::DestinationPort, ports),
            ];
            sets[usize::from(outside)].push(of_fields(space, &fields));
        }
        // what no target is about is not asked
        let is_asked = |kinds: &[Kind]| targets.iter().any(|target| kinds.contains(&target.kind));
        let [inside, outside] = sets.map(|sets| space.union_of(sets));
        let without = node
            .own
            .view
            .workloads
            .iter()
            .filter(|pod| !pod.has_policies(Direction::Ingress) && !pod.profiles.is_empty());
        let addresses =
            without.flat_map(|pod| &pod.addresses).filter(|ip| ip.is_ipv4() == (family == Family::V4));
        let addresses: Vec<Range> = addresses.map(|ip| (number(*ip), number(*ip))).collect();
        // what begins no connection, as most of ICMP, meets rules of its own
        let protocols =
            space.with(Field::Protocol, &[TCP, UDP].map(|own| (u128::from(own), u128::from(own))));
        // Felix lets no pod send this (`felix/rules/endpoints.go:593`, v3.32.1)
        let vxlan =
            [(Field::Protocol, UDP.into()), (Field::DestinationPort, node.own.view.config.vxlan_port.into())];
        let vxlan =
            of_fields(space, &vxlan.map(|(field, value): (Field, u128)| (field, vec![(value, value)])));
        let protocols = space.difference(protocols, vxlan);
        let open_pods = space.with(Field::Destination, &addresses);
        let open_pods = space.intersection(open_pods, protocols);
        let internet = zones.first().map_or(PacketSet::NONE, |zone| zone.destinations(space));
        let internet = space.intersection(internet, protocols);
        let own = [
            (Field::Destination, local.iter().map(|address| (*address, *address)).collect()),
            (Field::Protocol, [TCP, UDP].map(|own| (u128::from(own), u128::from(own))).into()),
        ];
        let all = space.union(inside, outside);
        let own = of_fields(space, &own);
        let if_asked = |kinds: &[Kind], set: PacketSet| if is_asked(kinds) { set } else { PacketSet::NONE };
        Addressed {
            by_key,
            targets: all,
            outside,
            own: if_asked(&[Kind::Host, Kind::NodePortRange], own),
            open_pods: if_asked(&[Kind::OpenPods], open_pods),
            internet: if_asked(&[Kind::Internet], internet),
        }
    }

    /// What is asked about packets that come by a way.
    fn by(&self, space: &mut Space, way: &Way) -> PacketSet {
        let inside = space.difference(self.targets, self.outside);
        let mut all = vec![inside, self.own, self.open_pods];
        match way {
            Way::Interface(_) => {}
            Way::Pods => all.extend([self.outside, self.internet]),
            Way::Host => all.push(self.outside),
        }
        space.union_of(all)
    }

    /// The packets that a range is about.
    pub fn range(&self, space: &mut Space, target: &Target) -> PacketSet {
        match target.kind {
            Kind::OpenPods => self.open_pods,
            Kind::Internet => self.internet,
            _ => {
                let (first, last) = target.ports;
                let ports = space.with(Field::DestinationPort, &[(first.into(), last.into())]);
                space.intersection(self.own, ports)
            }
        }
    }

    /// The packets of a set by the targets that they are for.
    pub fn part(&self, space: &mut Space, set: PacketSet) -> Vec<(usize, PacketSet)> {
        let mut parts = Vec::new();
        let mut left = space.intersection(set, self.targets);
        while let Some(packet) = space.sample(left) {
            let value = |field: Field| packet[field as usize];
            let key = (
                value(Field::Destination),
                value(Field::Protocol) as u8,
                value(Field::DestinationPort) as u16,
            );
            let fields = [
                (Field::Destination, key.0),
                (Field::Protocol, key.1.into()),
                (Field::DestinationPort, key.2.into()),
            ];
            let there = fields.into_iter().fold(PacketSet::ALL, |set, (field, value)| {
                let own = space.with_value(field, value);
                space.intersection(set, own)
            });
            let own = space.intersection(left, there);
            left = space.difference(left, there);
            for target in self.by_key.get(&key).into_iter().flatten() {
                parts.push((*target, own));
            }
        }
        parts
    }
}

fn of_fields(space: &mut Space, fields: &[(Field, Vec<Range>)]) -> PacketSet {
    fields.iter().fold(PacketSet::ALL, |set, (field, ranges)| {
        let own = space.with(*field, ranges);
        space.intersection(set, own)
    })
}

/// What enters a node by each way, to anything that can be addressed there.
pub fn entries(
    number: usize,
    node: &Ready<'_>,
    targets: &[Target],
    zones: &[Zone],
    space: &mut Space,
) -> (Vec<(Way, Entry)>, Addressed) {
    let addressed = Addressed::new(targets, zones, node, space);
    let entries = ways(node, space).into_iter().map(|(way, arrival, set)| {
        let asked = addressed.by(space, &way);
        let set = space.intersection(set, asked);
        (way, Entry { node: number, arrival, set })
    });
    (entries.collect(), addressed)
}
