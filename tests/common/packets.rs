//! Packets of random clusters and of recorded ones, drawn at the values where rules change.

use super::{Numbers, root};
use netpolc::ir::{ConntrackStates, Family, Members, Program};
use netpolc::kernel::conntrack::Connection;
use netpolc::kernel::packet::{Packet, TCP, number};
use netpolc::kernel::route::Routes;
use netpolc::kernel::symbolic::Interfaces;
use netpolc::space::Field;
use std::path::PathBuf;

/// Where more recorded clusters are, if they are there.
fn golden() -> PathBuf {
    let beside = root().join("../shared");
    std::env::var_os("NETPOLC_SHARED").map_or(beside, PathBuf::from).join("golden")
}

/// Folders of recorded clusters: those of the repository, and more where they are found.
pub fn recorded() -> Vec<PathBuf> {
    let more = ["synthetic", "services", "faults"].map(|name| golden().join(name));
    clusters_in(&[&[root().join("fixtures/golden")], &more[..]].concat())
}

/// Folders of clusters that were recorded with other people's manifests.
pub fn others() -> Vec<PathBuf> {
    clusters_in(&[golden().join("real")])
}

fn clusters_in(folders: &[PathBuf]) -> Vec<PathBuf> {
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let mut clusters: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    clusters.retain(|path| path.join("golden/ip-addr.json").exists());
    clusters.sort();
    clusters
}

/// Values at which something may change: those that rules, sets, routes and addresses speak of, and
/// their neighbours.
pub struct Values {
    /// with their neighbours, in order
    pub addresses: Vec<u128>,
    /// also types of ICMP
    pub ports: Vec<u16>,
    /// in order
    pub interfaces: Vec<String>,
}

/// The values that matter to packets of a family.
pub fn values(program: &Program, family: Family, routes: &Routes) -> Values {
    let rules = if family == Family::V4 { &program.v4 } else { &program.v6 };
    let (mut addresses, mut ports, mut interfaces) = (vec![0, 5], vec![0, 8, 128], vec!["ethX".to_owned()]);
    let mut net = |net: ipnet::IpNet| addresses.extend([number(net.network()), number(net.broadcast())]);
    for set in program.sets.iter().filter(|set| set.family == family) {
        match &set.members {
            Members::Addresses(all) => all.iter().for_each(|address| net((*address).into())),
            Members::Nets(nets) if family == Family::V4 => nets.v4.iter().for_each(|own| net((*own).into())),
            Members::Nets(nets) => nets.v6.iter().for_each(|own| net((*own).into())),
            Members::Ports(members) => members.iter().for_each(|member| {
                net(member.address.into());
                ports.push(member.port);
            }),
        }
    }
    let chains = rules.tables.iter().flat_map(|table| table.hooks.iter().chain(&table.chains));
    for rule in chains.flat_map(|chain| &chain.rules) {
        for one in &rule.matches {
            use netpolc::ir::Matcher;
            match &one.on {
                Matcher::Address(_, all) => all.iter().for_each(|address| net(address.net())),
                Matcher::Ports(_, ranges) => ports.extend(ranges.iter().flat_map(|(a, b)| [*a, *b])),
                Matcher::Port(_, first, last) => ports.extend([*first, *last]),
                Matcher::Icmp(kind, _) => ports.push(u16::from(*kind)),
                Matcher::InInterface(name) | Matcher::OutInterface(name) => {
                    interfaces.push(name.replace('+', "unknown"));
                }
                _ => {}
            }
        }
    }
    for (range, _) in routes.ranges(family) {
        addresses.extend([range.0, range.1]);
    }
    interfaces.extend(routes.interfaces().map(str::to_owned));
    let largest = Field::Source.largest(family);
    let near = addresses
        .iter()
        .flat_map(|a| [a.saturating_sub(1), *a, (*a + u128::from(*a < largest)).min(largest)]);
    let mut near: Vec<u128> = near.collect();
    near.sort_unstable();
    near.dedup();
    let near_ports = ports.iter().flat_map(|p| [p.saturating_sub(1), *p, p.saturating_add(1)]).collect();
    interfaces.sort();
    interfaces.dedup();
    Values { addresses: near, ports: near_ports, interfaces }
}

/// A packet with such values, from an interface or from a process.
pub fn random<'a>(
    numbers: &mut Numbers,
    family: Family,
    values: &'a Values,
    connection: Connection,
) -> Packet<'a> {
    let protocols = [6, 6, 17, 17, 132, 136, 1, 58, 4, 112, 33];
    let protocol = numbers.pick(&protocols);
    let mut port = || numbers.pick(&values.ports);
    let (source_port, destination_port) = (port(), port());
    // types and codes of ICMP have eight bits
    let bits = if matches!(protocol, 1 | 58) { 0xff } else { 0xffff };
    let (source_port, destination_port) = (source_port & bits, destination_port & bits);
    let with_ports = matches!(protocol, 1 | 6 | 17 | 33 | 58 | 132 | 136);
    Packet {
        family,
        source: numbers.pick(&values.addresses),
        destination: numbers.pick(&values.addresses),
        protocol,
        source_port: if with_ports { source_port } else { 0 },
        destination_port: if with_ports { destination_port } else { 0 },
        syn: protocol == TCP && connection == Connection::First,
        in_interface: if numbers.one_in(4) { "" } else { numbers.one_of(&values.interfaces).as_str() },
        out_interface: "",
        mark: 0,
        connection_mark: 0,
        state: ConntrackStates::INVALID,
        untracked: false,
    }
}

/// A packet that arrives, as a point of the space.
pub fn point(packet: &Packet<'_>, interfaces: &Interfaces) -> [u128; Field::ALL.len()] {
    let mut values = [0; Field::ALL.len()];
    let mut set = |field: Field, value: u128| values[field as usize] = value;
    set(Field::InInterface, u128::from(interfaces.number(packet.in_interface)));
    set(Field::Protocol, u128::from(packet.protocol));
    set(Field::SourcePort, u128::from(packet.source_port));
    set(Field::DestinationPort, u128::from(packet.destination_port));
    set(Field::Source, packet.source);
    set(Field::Destination, packet.destination);
    values
}
