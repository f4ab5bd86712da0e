//! Pods with a `hostPort` and a node's rules → the same with those of the CNI plugin `portmap`.
//!
//! Calico's CNI configuration chains it (`"type": "portmap", "snat": true`). For each such pod it appends a jump behind
//! what is in PREROUTING and OUTPUT of the nat table already, so kube-proxy's node ports and Felix come before it. Facts:
//! `plugins/meta/portmap` of containernetworking/plugins, v1.9.1. Names of chains have a hash of the container's id
//! there, which no manifest knows: here they have the pod's name.

use crate::ir::{
    Action, Address, Chain, Family, Match, Matcher, Origin, Program, Protocol, Rule, Side, TableName,
    Translation,
};
use crate::kernel::packet::transport;
use crate::resolve::Cluster;
use crate::resolve::view::NodeView;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

const ALL: &str = "CNI-HOSTPORT-DNAT";
const SET_MARK: &str = "CNI-HOSTPORT-SETMARK";
const MASQUERADE: &str = "CNI-HOSTPORT-MASQ";
/// The bit of the mark for packets whose source is to be rewritten (`DefaultMarkBit`).
const MARK: u32 = 1 << 13;

/// Adds the rules for the pods of a node.
pub fn add(program: &mut Program, cluster: &Cluster<'_>, view: &NodeView) {
    for rules in [&mut program.v4, &mut program.v6] {
        let v4 = rules.family == Family::V4;
        let (mut entries, mut chains) = (Vec::new(), Vec::new());
        for pod in cluster.pods().iter().filter(|pod| *pod.node == *view.node && !pod.host_network) {
            let addresses = pod.status_ips.iter().filter_map(|text| text.parse::<IpAddr>().ok());
            let Some(address) = addresses.into_iter().find(|address| address.is_ipv4() == v4) else {
                continue;
            };
            let name: Arc<str> = format!("CNI-DN-{}/{}", pod.namespace, pod.name).into();
            let mut own = Vec::new();
            for port in pod.ports.iter().filter(|port| port.host_port != 0) {
                let Some(protocol) = transport(port.protocol) else { continue };
                // of the other family it is not for this one
                if port.host_ip.is_some_and(|ip| ip.is_ipv4() != v4) {
                    continue;
                }
                let origin = || Origin::Endpoint(pod.at);
                let matches = |source: Option<IpNet>| {
                    let mut matches = vec![
                        Match::is(Matcher::Protocol(Protocol::Number(protocol))),
                        Match::is(Matcher::Port(Side::Destination, port.host_port, port.host_port)),
                    ];
                    let ip = port.host_ip.filter(|ip| !ip.is_unspecified());
                    let ip = ip.map(|ip| (Side::Destination, IpNet::from(ip)));
                    for (side, net) in ip.into_iter().chain(source.map(|net| (Side::Source, net))) {
                        matches.push(Match::is(Matcher::Address(side, vec![Address::Net(net)])));
                    }
                    matches
                };
                let mark =
                    |source: IpNet| Rule::new(matches(Some(source)), Action::Jump(SET_MARK.into()), origin());
                own.push(mark(address.into()));
                own.extend(v4.then(|| mark(IpNet::from(IpAddr::from([127, 0, 0, 1])))));
                let to = Translation::to(address).ports(Some((port.port, port.port)));
                own.push(Rule::new(matches(None), Action::Dnat(Box::new(to)), origin()));
                let comment =
                    format!("dnat name: \"k8s-pod-network\" id: \"{}/{}\"", pod.namespace, pod.name);
                let entry = vec![
                    Match::is(Matcher::Protocol(Protocol::Number(protocol))),
                    Match::is(Matcher::Port(Side::Destination, port.host_port, port.host_port)),
                ];
                entries.push(Rule::new(entry, Action::Jump(name.clone()), origin()).comment(comment));
            }
            if !own.is_empty() {
                chains.push(Arc::new(Chain::new(name, own)));
            }
        }
        if chains.is_empty() {
            continue;
        }
        let nat = rules.table_mut(TableName::Nat);
        let rule = |matches: Vec<Match>, action: Action| Rule::new(matches, action, Origin::Static);
        for hook in &mut nat.hooks {
            let local = Match::is(Matcher::LocalAddress { side: Side::Destination, limit_iface_out: false });
            match &*hook.name {
                "PREROUTING" | "OUTPUT" => {
                    Arc::make_mut(hook).rules.push(rule(vec![local], Action::Jump(ALL.into())));
                }
                "POSTROUTING" => {
                    let jump = rule(vec![], Action::Jump(MASQUERADE.into()));
                    Arc::make_mut(hook).rules.insert(0, jump.comment("CNI portfwd requiring masquerade"));
                }
                _ => {}
            }
        }
        let masquerade = Action::Masquerade(Box::default());
        chains.push(Arc::new(Chain::new(ALL, entries)));
        chains.push(Arc::new(Chain::new(SET_MARK, vec![rule(vec![], Action::set_mark(MARK))])));
        let masquerade = vec![rule(vec![Match::mark_set(MARK)], masquerade)];
        chains.push(Arc::new(Chain::new(MASQUERADE, masquerade)));
        nat.chains.extend(chains);
        nat.chains.sort_by(|a, b| a.name.cmp(&b.name));
    }
}
