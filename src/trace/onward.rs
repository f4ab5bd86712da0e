//! Packets that leave a node for others: which, and what they look like when they arrive.

use super::end::End;
use super::query::{Out, Query, Walked};
use super::words;
use crate::ir::Family;
use crate::kernel::packet::number;
use crate::resolve::Cluster;
use crate::resolve::view::NodeView;
use crate::space::nets;
use crate::space::{Field, PacketSet, Range, Space};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Other nodes that are followed, at most.
const NODES: usize = 8;
/// Addresses that are named before they are only counted.
const NAMED: usize = 3;

/// Packets for one other node.
#[derive(Debug)]
pub struct Leg {
    /// its name
    pub node: String,
    /// the interface that they leave on
    pub device: String,
    /// which packets, as they leave
    pub set: PacketSet,
    /// their mark as they leave
    pub mark: u32,
    new_source: Option<u128>,
}

/// What leaves a node for others, in the order of their names; and how many nodes more there are that are not
/// followed. `out` is of the space.
pub fn legs(cluster: &Cluster<'_>, view: &NodeView, out: &[Out], space: &mut Space) -> (Vec<Leg>, usize) {
    let family = space.family();
    let by_node = addresses(cluster, view, family);
    let all: Vec<Range> = by_node.values().flatten().copied().collect();
    let all = space.with(Field::Destination, &all);
    let leaving: Vec<(&Out, &String, PacketSet)> = out
        .iter()
        .filter_map(|out| Some((out, out.device.as_ref()?, space.intersection(out.set, all))))
        .filter(|(_, _, set)| !set.is_empty())
        .collect();
    let (mut legs, mut nodes) = (Vec::new(), 0);
    if leaving.is_empty() {
        return (legs, 0);
    }
    for (node, ranges) in by_node {
        let there = space.with(Field::Destination, &ranges);
        let mut of_node = Vec::new();
        for (out, device, leaves) in &leaving {
            let set = space.intersection(*leaves, there);
            if !set.is_empty() {
                let (device, mark, new_source) = ((*device).clone(), out.mark, out.new_source);
                of_node.push(Leg { node: node.to_owned(), device, set, mark, new_source });
            }
        }
        nodes += usize::from(!of_node.is_empty());
        if nodes <= NODES {
            legs.append(&mut of_node);
        }
    }
    (legs, nodes.saturating_sub(NODES))
}

/// The addresses that packets to other nodes have: those of their pods, and their own.
fn addresses<'c>(cluster: &Cluster<'c>, view: &NodeView, family: Family) -> BTreeMap<&'c str, Vec<Range>> {
    let mut by_node: BTreeMap<&str, Vec<Range>> = BTreeMap::new();
    let mut add = |node: &'c str, address: IpAddr| {
        if address.is_ipv4() == (family == Family::V4) && *node != *view.node {
            by_node.entry(node).or_default().push((number(address), number(address)));
        }
    };
    for pod in cluster.pods() {
        pod.status_ips
            .iter()
            .filter_map(|text| text.parse().ok())
            .for_each(|address| add(&pod.node, address));
    }
    for node in &cluster.resources().nodes {
        cluster.node_addresses(&node.meta.name).into_iter().for_each(|address| add(&node.meta.name, address));
    }
    by_node
}

impl Leg {
    /// The question that they are to the next node, where they come in on an interface.
    pub fn query(&self, before: &Query, view: &NodeView, interface: &str, space: &mut Space) -> Query {
        let family = space.family();
        let nets = |ranges: Vec<Range>| ranges.into_iter().flat_map(|range| nets::of_range(range, family));
        let sources = values(space, self.set, Field::Source);
        let mut name = before.from.name.clone();
        if let Some(source) = self.new_source {
            name = format!("{} (node {}, for {name})", words::address(source, family), view.node);
        }
        let destinations = values(space, self.set, Field::Destination);
        let ports: Vec<u16> = values(space, self.set, Field::DestinationPort)
            .into_iter()
            .filter_map(|(first, last)| (first == last).then_some(first as u16))
            .collect();
        Query {
            from: End::arriving(name, nets(sources).collect(), interface),
            to: End::of_nets(listed(&destinations, family), nets(destinations).collect()),
            protocol: before.protocol,
            ports,
        }
    }
}

/// The values of a field that packets have.
pub fn values(space: &mut Space, mut set: PacketSet, field: Field) -> Vec<Range> {
    for other in Field::ALL.into_iter().filter(|other| *other != field) {
        set = space.forget(set, other);
    }
    if set == PacketSet::ALL {
        return vec![(0, field.largest(space.family()))];
    }
    let (cubes, _) = space.cubes(set, 1);
    cubes.into_iter().flat_map(|cube| cube.sides).flat_map(|(_, ranges)| ranges).collect()
}

fn listed(ranges: &[Range], family: Family) -> String {
    let all: Vec<String> =
        ranges.iter().flat_map(|range| nets::of_range(*range, family)).map(|net| nets::text(&net)).collect();
    let shown = all[..all.len().min(NAMED)].join(", ");
    match all.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Walked<'_> {
    /// The marks of what a process of the node gets.
    pub fn delivered_marks(&self) -> Vec<u32> {
        let mut marks: Vec<u32> =
            self.out.iter().filter(|out| out.device.is_none()).map(|out| out.mark).collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    }
}
