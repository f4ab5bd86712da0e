//! Packets from node to node: through the first, through a tunnel if they take one, and through the next.

use super::answer::Report;
use super::assume;
use super::end::End;
use super::onward::{self, Leg};
use super::query::{Node, Query, Walked, packets_asked};
use super::tunnel::{self, Tunnel};
use crate::diagnostic::Diagnostic;
use crate::felix;
use crate::ir::{Family, Program};
use crate::kernel::packet::number;
use crate::kernel::route::Routes;
use crate::kube_proxy::{self, Settings};
use crate::portmap;
use crate::resolve::view::{Interface, NodeView};
use crate::resolve::{Cluster, NodeRequest};
use crate::space::{Field, PacketSet, Space};
use crate::syntax::ip_route::Way;
use std::net::IpAddr;

/// A node on the way.
#[derive(Clone, Copy)]
pub struct Stop<'s> {
    /// as its agent sees it
    pub view: &'s NodeView,
    /// its kernel
    pub node: &'s Node<'s>,
}

/// A question, followed through the nodes of a cluster.
pub struct Journey<'j, 'r> {
    /// the cluster
    pub cluster: &'j Cluster<'r>,
    /// what has been found
    pub report: Report<'j>,
    /// what was assumed
    pub said: Vec<Diagnostic>,
}

/// What a node has, with kube-proxy's rules and those for host ports of pods. Says what was assumed of kube-proxy, and
/// if it works in a mode that is not known here.
pub fn with_kube_proxy(
    mut program: Program,
    cluster: &Cluster<'_>,
    view: &NodeView,
    said: &mut Vec<Diagnostic>,
) -> Program {
    let resources = cluster.resources();
    if !resources.services.is_empty() {
        let settings = Settings::new(resources, view);
        said.extend(settings.told(&view.node));
        kube_proxy::add(&mut program, &settings, resources, view);
    }
    portmap::add(&mut program, cluster, view);
    program
}

impl Journey<'_, '_> {
    /// Asks the first node, then those that packets go on to. False if the two ends have no family in common.
    pub fn follow(&mut self, stop: Stop<'_>, query: &Query) -> bool {
        let walked: Vec<Walked<'_>> =
            [Family::V4, Family::V6].into_iter().filter_map(|family| stop.node.ask(query, family)).collect();
        if walked.is_empty() {
            return false;
        }
        let (answers, left): (Vec<_>, Vec<_>) =
            walked.into_iter().map(|walked| (walked.answer, (walked.out, walked.space))).unzip();
        self.report.add(&stop.view.node, query, &answers);
        let resources = self.cluster.resources();
        if !resources.services.is_empty() {
            let other_mode = Settings::new(resources, stop.view).other_mode(&stop.view.node);
            other_mode.into_iter().for_each(|note| self.report.note(note));
        }
        for (out, mut space) in left {
            let (legs, more) = onward::legs(self.cluster, stop.view, &out, &mut space);
            if more > 0 {
                self.report.note(format!("packets go on to {more} more nodes, which are not followed"));
            }
            let mut legs = legs.into_iter().peekable();
            while let Some(name) = legs.peek().map(|leg| leg.node.clone()) {
                let of_node: Vec<Leg> = std::iter::from_fn(|| legs.next_if(|leg| leg.node == name)).collect();
                space = self.arrive(stop, &name, of_node, query, space);
            }
        }
        true
    }

    /// Packets that go to another node.
    fn arrive(
        &mut self,
        from: Stop<'_>,
        name: &str,
        legs: Vec<Leg>,
        query: &Query,
        mut space: Space,
    ) -> Space {
        let resolved = self.cluster.view(&NodeRequest { node: name, interfaces: None });
        self.said.extend(resolved.diagnostics);
        let Some(view) = resolved.view else { return space };
        let program = with_kube_proxy(felix::render(&view), self.cluster, &view, &mut self.said);
        let routes = assume::routes(self.cluster, &view, &mut self.said);
        let routes = Routes::new(&assume::interfaces(&view, false), &routes);
        let node = Node::new(&view, &program, routes);
        let to = Stop { view: &view, node: &node };
        for leg in legs {
            let (interface, marks) = match Tunnel::behind(&leg.device, from.view) {
                Some((tunnel, family)) => {
                    (tunnel.interface(family, &view), self.carry(tunnel, family, leg.mark, from, to))
                }
                // the mark does not leave the node
                None => (interface_towards(self.cluster, from, to, space.family()), vec![0]),
            };
            for mark in marks {
                let next = leg.query(query, from.view, &interface, &mut space);
                let walked = node.walk(space, leg.set, &next.from, mark);
                self.report.add(name, &next, &[walked.answer]);
                space = walked.space;
            }
        }
        space
    }

    /// The packets that carry others: out of one node, and into the other. Gives the marks of what comes out of the
    /// tunnel there, none if nothing gets through.
    fn carry(&mut self, by: Tunnel, family: Family, mark: u32, from: Stop<'_>, to: Stop<'_>) -> Vec<u32> {
        let (own, other) = (&*from.view.node, &*to.view.node);
        let ends = [own, other].map(|node| tunnel::end(self.cluster, node, family));
        let [Some(source), Some(destination)] = ends else {
            self.report.note(format!(
                "the {} packets between {own} and {other} are not walked: the node's address is not known",
                by.name()
            ));
            return vec![0];
        };
        let ends = (source, destination);
        let Carriers { mut query, space, set } = carriers(by, family, [from.view, to.view], ends);
        let mut walked = from.node.walk(space, set, &query.from, by.mark_outside(mark, from.view));
        let sent: Vec<PacketSet> =
            walked.out.iter().filter(|out| out.device.is_some()).map(|out| out.set).collect();
        self.report.add(own, &query, &[walked.answer]);
        let set = walked.space.union_of(sent);
        if set.is_empty() {
            self.report.note(format!("{} to node {other} is blocked here: nothing arrives there", by.name()));
            return Vec::new();
        }
        query.from = arriving(query.from, to.view, destination);
        let walked = to.node.walk(walked.space, set, &query.from, 0);
        let mut marks: Vec<u32> =
            walked.delivered_marks().into_iter().map(|mark| by.mark_inside(mark)).collect();
        marks.dedup();
        self.report.add(other, &query, &[walked.answer]);
        if marks.is_empty() {
            self.report
                .note(format!("{} from node {own} is blocked here: nothing comes out of it", by.name()));
        }
        marks
    }
}

/// The interface of a node on which packets of another come in.
pub fn interface_towards(cluster: &Cluster<'_>, from: Stop<'_>, to: Stop<'_>, family: Family) -> String {
    let address = cluster.node_net(&from.view.node, family == Family::V4);
    match address.and_then(|net| to.node.routes().way(family, number(net.addr()))) {
        Some(Way::Device(device)) => device.to_string(),
        _ => assume::internal(to.view).unwrap_or_default().to_owned(),
    }
}

/// The packets that carry others, and the question that asks for them.
pub struct Carriers {
    /// from the one node to the other
    pub query: Query,
    /// the space of the set
    pub space: Space,
    /// which packets
    pub set: PacketSet,
}

/// The packets that carry others of a family from one node to another, between these addresses.
pub fn carriers(
    by: Tunnel,
    family: Family,
    [from, to]: [&NodeView; 2],
    (source, destination): (IpAddr, IpAddr),
) -> Carriers {
    let outer = by.outer(family, from, to);
    let mut sender = End::address(format!("node {} ({} around these packets)", from.node, by.name()), source);
    sender.own = true;
    let query = Query {
        from: sender,
        to: End::address(format!("node {}", to.node), destination),
        protocol: Some(outer.protocol),
        ports: outer.port.into_iter().collect(),
    };
    let mut space = Space::new(family);
    let asked = query.ranges(family);
    let mut set = packets_asked(&mut space, &query, &asked.0, &asked.1);
    if let Some((first, last)) = outer.source_ports {
        let ports = space.with(Field::SourcePort, &[(first.into(), last.into())]);
        set = space.intersection(set, ports);
    }
    Carriers { query, space, set }
}

/// What a node has sent, as it comes in on another: on the interface that has the address.
pub fn arriving(mut sender: End, view: &NodeView, destination: IpAddr) -> End {
    sender.own = false;
    let has = |interface: &&Interface| interface.addresses.iter().any(|net| net.addr() == destination);
    let interface = view.interfaces.iter().find(has);
    sender.interface =
        interface.map(|interface| interface.name.clone()).or_else(|| assume::internal(view).map(Into::into));
    sender
}
