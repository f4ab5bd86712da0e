//! Packets that go on to a pod of another node: what they look like when they arrive there.

use super::assume;
use super::end::End;
use super::query::{Answer, Query};
use crate::kernel::symbolic::Fate;
use crate::resolve::Cluster;
use crate::resolve::view::NodeView;
use ipnet::IpNet;
use std::net::IpAddr;

/// The next node, and what arrives there.
#[derive(Debug)]
pub struct Onward {
    /// its name
    pub node: String,
    /// who the packets seem to come from; on which interface is for the next node to say
    from: (String, Vec<IpNet>, Vec<IpNet>),
    /// where they go
    pub to: End,
    /// their ports
    pub ports: Vec<u16>,
    /// their protocol
    pub protocol: Option<u8>,
}

impl Onward {
    /// Where packets come from, as the next node sees it.
    pub fn from(&self, view: &NodeView) -> End {
        let (name, addresses, without) = self.from.clone();
        End::arriving(name, addresses, without, assume::internal(view).unwrap_or_default())
    }
}

/// What leaves a node for pods of others, each destination once.
pub fn all(cluster: &Cluster<'_>, view: &NodeView, query: &Query<'_>, answers: &[Answer<'_>]) -> Vec<Onward> {
    let mut found: Vec<Onward> = Vec::new();
    for class in answers.iter().flat_map(|answer| &answer.classes) {
        if !matches!(class.fate, Fate::Forwarded(_) | Fate::Sent(_)) {
            continue;
        }
        let (destinations, masquerades) = match &class.service {
            Some((entry, backends)) => {
                let targets = backends.iter().map(|(address, port)| (*address, vec![*port])).collect();
                (targets, entry.masquerades && query.from.interface.is_none() && !query.from.own)
            }
            None => (
                single(query.to)
                    .map(|address| (address, query.ports.clone()))
                    .into_iter()
                    .collect::<Vec<_>>(),
                false,
            ),
        };
        for (address, ports) in destinations {
            let Some(node) = node_of(cluster, address).filter(|node| **node != *view.node) else { continue };
            let to = End::address(format!("{address}"), address);
            if found.iter().any(|own| own.to.addresses == to.addresses && own.ports == ports) {
                continue;
            }
            let from = match masquerades.then(|| own_address(view, address)).flatten() {
                Some(own) => (
                    format!("{own} (node {}, for {})", view.node, query.from.name),
                    vec![IpNet::from(own)],
                    Vec::new(),
                ),
                None => (query.from.name.clone(), query.from.addresses.clone(), query.from.without.clone()),
            };
            found.push(Onward { node: node.to_string(), from, to, ports, protocol: query.protocol });
        }
    }
    found
}

fn single(end: &End) -> Option<IpAddr> {
    match end.addresses[..] {
        [net] if net.prefix_len() == net.max_prefix_len() => Some(net.addr()),
        _ => None,
    }
}

fn node_of<'c>(cluster: &'c Cluster<'_>, address: IpAddr) -> Option<&'c str> {
    let text = address.to_string();
    let pod = cluster.pods().iter().find(|pod| pod.status_ips.iter().any(|own| **own == *text))?;
    Some(&pod.node)
}

/// The node's address towards other nodes, of the family of `other`.
fn own_address(view: &NodeView, other: IpAddr) -> Option<IpAddr> {
    let internal = assume::internal(view)?;
    let own = view.interfaces.iter().find(|own| &*own.name == internal)?;
    own.addresses.iter().map(|net| net.addr()).find(|address| address.is_ipv4() == other.is_ipv4())
}
