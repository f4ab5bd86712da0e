//! Sources, ends and hops in words.

use super::Audit;
use super::exposure::{Exposure, Verdict};
use super::nodes::Compiled;
use super::walk::{End, Hop, Sure};
use super::ways::Way;
use super::zones::Zone;
use crate::diagnostic::FileId;
use crate::diagnostic::render::printable;
use crate::ir::Family;
use crate::space::nets::of_range;
pub use crate::space::nets::text as network;
use crate::space::{Cube, Field, Range};
pub use crate::trace::words::series as list;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Gives the name of a file.
pub type Files<'n> = &'n dyn Fn(FileId) -> String;

/// What turns numbers into words.
pub struct Words<'w> {
    /// the zones
    pub zones: &'w [Zone],
    /// the nodes
    pub nodes: &'w [Compiled],
    /// names of files
    pub files: Files<'w>,
    /// pods and nodes by address
    names: BTreeMap<IpAddr, String>,
}

impl<'w> Words<'w> {
    /// For an audit.
    pub fn new(audit: &'w Audit, nodes: &'w [Compiled], files: Files<'w>) -> Self {
        let mut names = BTreeMap::new();
        for node in nodes {
            for pod in &node.view.workloads {
                let name = format!("pod {}/{}", pod.namespace, pod.pod);
                names.extend(pod.addresses.iter().map(|address| (*address, name.clone())));
            }
            let own = node.view.interfaces.iter().flat_map(|own| &own.addresses);
            names.extend(own.map(|net| (net.addr(), format!("node {}", node.view.node))));
        }
        Words { zones: &audit.zones, nodes, files, names }
    }

    /// The name of a node.
    pub fn node(&self, number: usize) -> &'w str {
        self.nodes.get(number).map_or("", |node| &node.view.node)
    }

    /// Sources: a zone that has just these, pods and nodes by name, or networks.
    pub fn sources(&self, nets: &[IpNet]) -> String {
        if let Some(zone) = self.zones.iter().find(|zone| zone.without.is_empty() && same(&zone.nets, nets)) {
            return format!("{} ({})", zone.name, list(&nets.iter().map(network).collect::<Vec<_>>()));
        }
        let name = |net: &IpNet| match self.names.get(&net.addr()) {
            Some(name) if is_host(net) => name.clone(),
            _ => network(net),
        };
        let mut all: Vec<String> = nets.iter().map(name).collect();
        all.dedup();
        list(&all)
    }

    /// `from all of internet on eth1`
    pub fn who(&self, zone: usize, way: &Way) -> String {
        let zone = &self.zones[zone].name;
        match way {
            Way::Interface(name) => format!("{zone} on {name}"),
            Way::Pods => "pods of the node".to_owned(),
            Way::Host => "the node itself".to_owned(),
        }
    }

    /// Whether they get there, and who: `open`, `restricted: only 192.0.2.0/24`.
    pub fn verdict(&self, exposure: &Exposure) -> String {
        let sure = match exposure.sure {
            Sure::Yes => "",
            Sure::Limited => ", up to a limit",
            Sure::Perhaps => ", perhaps",
        };
        let ports = if exposure.by_source_port { ", with some source ports" } else { "" };
        let at = match &*exposure.at {
            [] => String::new(),
            at => format!(", at {}", list(&at.iter().map(ToString::to_string).collect::<Vec<_>>())),
        };
        match exposure.verdict {
            Verdict::Restricted if !exposure.sources.is_empty() => {
                format!("restricted: only {}{at}{ports}{sure}", self.sources(&exposure.sources))
            }
            verdict => format!("{}{at}{sure}", verdict.name()),
        }
    }

    /// An endpoint or another end: `pod shop/web on node 10.0.0.1`.
    pub fn end(&self, end: &End) -> String {
        match end {
            End::Pod { node, pod } => format!("pod {pod} on {}", self.node(*node)),
            End::Node(node) => format!("node {}", self.node(*node)),
            End::Outside { node, device } => format!("outside, leaving {} on {device}", self.node(*node)),
            End::Blocked { node, hook, told } => {
                let what = if *told { "rejected" } else { "dropped" };
                format!("{what} in {} of {}", hook.name(), self.node(*node))
            }
            End::NoRoute(node) => format!("{} has no route", self.node(*node)),
            End::Lost(node) => format!("too many nodes on the way, at {}", self.node(*node)),
        }
    }

    /// The nodes on the way: `n1 → n2 by VXLAN`.
    pub fn hops(&self, hops: &[std::sync::Arc<Hop>]) -> String {
        let hop = |hop: &std::sync::Arc<Hop>| match hop.by {
            Some(tunnel) => format!("{} by {}", self.node(hop.node), tunnel.name()),
            None => self.node(hop.node).to_owned(),
        };
        hops.iter().map(hop).collect::<Vec<_>>().join(" → ")
    }
}

fn same(a: &[IpNet], b: &[IpNet]) -> bool {
    crate::space::nets::fewest(a) == crate::space::nets::fewest(b)
}

fn is_host(net: &IpNet) -> bool {
    net.prefix_len() == net.max_prefix_len()
}

/// Safe to print.
pub fn safe(text: &str) -> String {
    printable(text).into_owned()
}

impl Words<'_> {
    /// Protocols, ports and sources: `tcp 30000-30079 and 30081-32767; udp 30000-32767 from 10.0.0.0/8`.
    pub fn boxes(&self, (boxes, whole): &(Vec<Cube>, bool), family: Family) -> String {
        let side = |cube: &Cube, wanted: Field| -> Option<Vec<Range>> {
            cube.sides.iter().find(|(field, _)| *field == wanted).map(|(_, ranges)| ranges.clone())
        };
        let mut by_source: Vec<(Option<Vec<Range>>, Vec<String>)> = Vec::new();
        for cube in boxes {
            let protocols = side(cube, Field::Protocol).unwrap_or_default();
            let protocols = protocols.into_iter().flat_map(|(first, last)| first..=last);
            let protocols: Vec<String> = protocols.map(crate::trace::words::protocol).collect();
            let ports = side(cube, Field::DestinationPort).unwrap_or_default();
            let ports = ports.iter().map(|(first, last)| match first == last {
                true => first.to_string(),
                false => format!("{first}-{last}"),
            });
            let ports = list(&ports.collect::<Vec<_>>());
            let protocols = if protocols.len() > 4 { "everything".to_owned() } else { list(&protocols) };
            let text = match (protocols.is_empty(), ports.is_empty()) {
                (true, true) => "everything".to_owned(),
                (true, false) => format!("port {ports}"),
                (false, true) => protocols,
                (false, false) => format!("{protocols} {ports}"),
            };
            let sources = side(cube, Field::Source);
            match by_source.iter_mut().find(|(own, _)| *own == sources) {
                Some((_, texts)) => texts.push(text),
                None => by_source.push((sources, vec![text])),
            }
        }
        let text = |(sources, texts): &(Option<Vec<Range>>, Vec<String>)| match sources {
            Some(ranges) => {
                let nets: Vec<IpNet> = ranges.iter().flat_map(|range| of_range(*range, family)).collect();
                format!("{} from {}", list(texts), self.sources(&nets))
            }
            None => list(texts),
        };
        let mut all: Vec<String> = by_source.iter().map(text).collect();
        all.extend((!whole).then(|| "and more".to_owned()));
        all.join("; ")
    }
}
