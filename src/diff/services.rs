//! Services before and after, in words: where they take packets, where those go, and whose address endpoints see.
//!
//! What becomes of packets is told by `node`, exactly and node by node. But packets that go to another endpoint, or
//! come to it with another source, are let through as before, so that it would not be said there.

use super::words::{Names, counted, list};
use crate::diagnostic::Location;
use crate::kernel::packet::TCP;
use crate::kube_proxy::{Door, Kind, Offer, offers};
use crate::model::Resources;
use crate::model::core::Service;
use crate::trace::words::protocol;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// A service that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceChange {
    /// `namespace/name`
    pub name: String,
    /// what it does now, in words that follow its name
    pub what: Vec<String>,
    /// where it is written now; where it was written, if it is gone
    pub at: Location,
}

impl ServiceChange {
    /// The change in words.
    pub fn sentence(&self) -> String {
        format!("service {} {}", self.name, list(&self.what))
    }
}

/// A service, as far as it is told.
struct Told<'r> {
    service: &'r Service,
    doors: BTreeMap<Door, BTreeSet<SocketAddr>>,
}

impl<'r> Told<'r> {
    fn all(resources: &'r Resources) -> BTreeMap<String, Told<'r>> {
        let told = |Offer { service, doors }: Offer<'r>| {
            let mut by_door: BTreeMap<Door, BTreeSet<SocketAddr>> = BTreeMap::new();
            for (door, endpoints) in doors {
                by_door.entry(door).or_default().extend(endpoints);
            }
            (format!("{}/{}", service.meta.namespace, service.meta.name), Told { service, doors: by_door })
        };
        offers(resources).map(told).collect()
    }

    fn endpoints(&self) -> BTreeSet<SocketAddr> {
        self.doors.values().flatten().copied().collect()
    }

    fn is_external(&self) -> bool {
        self.doors.keys().any(|door| door.kind != Kind::ClusterIp)
    }
}

/// Services that are not what they were, by name.
pub fn compare(before: &Resources, after: &Resources, names: &Names) -> Vec<ServiceChange> {
    let (old, new) = (Told::all(before), Told::all(after));
    let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |name: &String| {
        let (what, of) = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => (differences(old, new, names), new),
            (None, Some(new)) => (vec![format!("is new{}", at(new))], new),
            (Some(old), None) => (vec![format!("is gone{}", at(old))], old),
            (None, None) => return None,
        };
        let change = ServiceChange { name: name.clone(), what, at: of.service.meta.at };
        (!change.what.is_empty()).then_some(change)
    };
    all.into_iter().filter_map(change).collect()
}

/// `, at node port 30080`
fn at(told: &Told<'_>) -> String {
    let doors: Vec<&Door> = told.doors.keys().collect();
    if doors.is_empty() { String::new() } else { format!(", at {}", doors_in_words(&doors)) }
}

fn differences(old: &Told<'_>, new: &Told<'_>, names: &Names) -> Vec<String> {
    let lone = |own: &'_ Told<'_>, other: &Told<'_>| -> Vec<Door> {
        own.doors.keys().filter(|door| !other.doors.contains_key(*door)).cloned().collect()
    };
    let (went, came) = (lone(old, new), lone(new, old));
    let [went, came] = [&went, &came].map(|doors| doors_in_words(&doors.iter().collect::<Vec<_>>()));
    let mut what = Vec::new();
    match (&*went, &*came) {
        ("", "") => {}
        ("", came) => what.push(format!("is offered at {came} as well")),
        (went, "") => what.push(format!("is no longer offered at {went}")),
        (went, came) => what.push(format!("is offered at {came} instead of {went}")),
    }
    what.extend(endpoints(&old.endpoints(), &new.endpoints(), names));
    let external = old.is_external() && new.is_external();
    what.extend(match (old.service.external_local, new.service.external_local) {
        (false, true) if external => Some(
            "keeps the addresses of clients from outside, and sends them only to endpoints on the node that they come to"
                .to_owned(),
        ),
        (true, false) if external => {
            Some("hides the addresses of clients from outside, and sends them to endpoints on any node".to_owned())
        }
        _ => None,
    });
    what.extend(match (old.service.internal_local, new.service.internal_local) {
        (false, true) => Some("sends clients in the cluster only to endpoints on their own node".to_owned()),
        (true, false) => Some("sends clients in the cluster to endpoints on any node".to_owned()),
        _ => None,
    });
    what.extend(match (old.service.client_affinity, new.service.client_affinity) {
        (false, true) => Some("sends a client always to the same endpoint".to_owned()),
        (true, false) => Some("no longer sends a client always to the same endpoint".to_owned()),
        _ => None,
    });
    let ranges = |told: &Told<'_>| -> Vec<String> {
        let nets = told.service.load_balancer_source_ranges.iter();
        nets.map(|net| net.value.to_string()).collect()
    };
    let (old, new) = (ranges(old), ranges(new));
    let anybody = |nets: &[String]| if nets.is_empty() { "anybody".to_owned() } else { list(nets) };
    if old != new {
        what.push(format!("is for {} instead of {} at its load balancer", anybody(&new), anybody(&old)));
    }
    what
}

/// Where packets go.
fn endpoints(old: &BTreeSet<SocketAddr>, new: &BTreeSet<SocketAddr>, names: &Names) -> Option<String> {
    let addresses = |all: &BTreeSet<SocketAddr>| all.iter().map(SocketAddr::ip).collect::<BTreeSet<IpAddr>>();
    let words = |all: &BTreeSet<IpAddr>| names.of_addresses(all);
    let (one, other) = (addresses(old), addresses(new));
    let (went, came): (BTreeSet<IpAddr>, _) = (&one - &other, &other - &one);
    Some(match (went.is_empty(), came.is_empty()) {
        _ if old == new => return None,
        _ if new.is_empty() => "has no endpoint any more".to_owned(),
        _ if old.is_empty() => format!("has endpoints now, {}", words(&other)),
        (true, true) => {
            let ports = |all: &BTreeSet<SocketAddr>, other: &BTreeSet<SocketAddr>| {
                let ports: BTreeSet<u16> = (all - other).iter().map(SocketAddr::port).collect();
                counted("port", &ports.iter().map(u16::to_string).collect::<Vec<_>>())
            };
            match (new.is_superset(old), old.is_superset(new)) {
                (true, _) => format!("sends packets to {} of its endpoints as well", ports(new, old)),
                (_, true) => format!("no longer sends packets to {} of its endpoints", ports(old, new)),
                _ => format!(
                    "sends packets to {} of its endpoints instead of {}",
                    ports(new, old),
                    ports(old, new)
                ),
            }
        }
        (true, false) => format!("sends packets to {} as well", words(&came)),
        (false, true) => format!("no longer sends packets to {}", words(&went)),
        (false, false) => format!("sends packets to {} instead of {}", words(&came), words(&went)),
    })
}

/// `cluster IP 172.21.0.10 port 80 and node port 30080`
fn doors_in_words(doors: &[&Door]) -> String {
    let mut texts: Vec<String> = doors.iter().map(|door| door_in_words(door)).collect();
    // a node port is one in both families
    texts.dedup();
    list(&texts)
}

fn door_in_words(door: &Door) -> String {
    let of = match door.protocol {
        TCP => String::new(),
        other => format!("{} ", protocol(other.into())),
    };
    match door.address {
        Some(address) => format!("{} {address} {of}port {}", door.kind.name(), door.port),
        None => format!("{of}{} {}", door.kind.name(), door.port),
    }
}
