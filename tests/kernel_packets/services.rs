//! Services: kube-proxy's rules beside Felix's in the real kernel, and what `trace` says from the manifests.
//!
//! The rules that are loaded are written here, as text and from the structure that kube-proxy documents, by nothing that
//! the program uses. So both are measured: the rules that the program derives, and the walk through them.

use super::common::root;
use super::frame;
use super::lab::Lab;
use super::proxy;
use super::record::{Record, Records};
use super::setup::restore_more;
use super::{INSIDE, again_inside, kernel_is_here};
use netpolc::felix;
use netpolc::ir::{ConntrackStates, Family};
use netpolc::kernel::packet::{Packet, TCP, number};
use netpolc::kernel::route::Routes;
use netpolc::kernel::symbolic::Fate;
use netpolc::model::{InvalidMode, Resources, collect, lower};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use netpolc::space::{Field, Space};
use netpolc::syntax::ip_addr;
use netpolc::trace::assume;
use netpolc::trace::end::End;
use netpolc::trace::journey::with_kube_proxy;
use netpolc::trace::query::Node;
use std::collections::BTreeSet;
use std::net::IpAddr;

const NODE: &str = "node-1";
const PODS: &str = "10.244.0.0/16";

/// A service of the fixtures, read by a person.
struct Written {
    name: &'static str,
    cluster_ip: &'static str,
    load_balancer: Option<&'static str>,
    node_port: Option<u16>,
    external_local: bool,
    internal_local: bool,
    ranges: &'static [&'static str],
    health_port: Option<u16>,
    /// usable endpoints of all nodes, and of this one
    all: &'static [&'static str],
    here: &'static [&'static str],
}

const PLAIN: Written = Written {
    name: "",
    cluster_ip: "",
    load_balancer: None,
    node_port: None,
    external_local: false,
    internal_local: false,
    ranges: &[],
    health_port: None,
    all: &["10.244.0.10", "10.244.1.10"],
    here: &["10.244.0.10"],
};

const SERVICES: [Written; 8] = [
    Written { name: "cart", cluster_ip: "10.96.0.10", ..PLAIN },
    Written {
        name: "web",
        cluster_ip: "10.96.0.20",
        load_balancer: Some("198.51.100.20"),
        node_port: Some(30080),
        external_local: true,
        health_port: Some(31200),
        ..PLAIN
    },
    Written {
        name: "admin",
        cluster_ip: "10.96.0.21",
        load_balancer: Some("198.51.100.21"),
        node_port: Some(30081),
        external_local: true,
        all: &["10.244.1.10"],
        here: &[],
        ..PLAIN
    },
    Written {
        name: "agent",
        cluster_ip: "10.96.0.22",
        internal_local: true,
        all: &["10.244.1.10"],
        here: &[],
        ..PLAIN
    },
    Written {
        name: "office",
        cluster_ip: "10.96.0.30",
        load_balancer: Some("198.51.100.22"),
        node_port: Some(30082),
        ranges: &["192.0.2.0/28", "10.0.0.0/24"],
        ..PLAIN
    },
    Written {
        name: "nobody",
        cluster_ip: "10.96.0.40",
        node_port: Some(30083),
        all: &[],
        here: &[],
        ..PLAIN
    },
    // hints: the zone's own
    Written { name: "near", cluster_ip: "10.96.0.60", all: &["10.244.0.10"], ..PLAIN },
    Written { name: "ending", cluster_ip: "10.96.0.62", all: &["10.244.1.10"], here: &[], ..PLAIN },
];

/// The same for the generator.
fn service(own: Written) -> proxy::Service {
    let endpoints = |list: &[&str]| list.iter().map(|address| ((*address).to_owned(), 8080)).collect();
    proxy::Service {
        name: own.name.to_owned(),
        cluster_ip: own.cluster_ip.to_owned(),
        load_balancers: own.load_balancer.into_iter().map(str::to_owned).collect(),
        external_ips: Vec::new(),
        protocol: "tcp".to_owned(),
        port: 80,
        node_port: own.node_port,
        external_local: own.external_local,
        internal_local: own.internal_local,
        ranges: own.ranges.iter().map(|net| (*net).to_owned()).collect(),
        health_port: own.health_port,
        all: endpoints(own.all),
        here: endpoints(own.here),
    }
}

fn resources() -> Resources {
    let names =
        ["nodes", "affinity", "local-policy", "source-ranges", "no-endpoints", "hints", "host-endpoint"];
    let path = |name: &str| root().join(format!("fixtures/trace/services/{name}.yaml"));
    let inputs: Vec<Input> = names.iter().map(|name| Input::Path(path(name))).collect();
    let read = source::read(&inputs, &Options::default(), |object| lower(object, Default::default()));
    collect(read.values, InvalidMode::Fail, Default::default()).resources
}

/// Packets by where they come in (`""`: from the node), source, destination and port.
fn questions() -> Vec<(&'static str, &'static str, String, u16)> {
    let sources = [
        ("eth1", "192.0.2.9"),
        ("eth1", "192.0.2.99"),
        ("eth0", "10.0.0.99"),
        ("eth0", "10.0.0.12"),
        ("eth0", "10.244.1.10"),
        ("pod:client", "10.244.0.20"),
        // an endpoint that may come back to itself
        ("pod:here", "10.244.0.10"),
        ("", "10.0.0.11"),
        ("", "198.51.100.22"),
        ("", "203.0.113.11"),
    ];
    let mut found = Vec::new();
    for (interface, source) in sources {
        for own in &SERVICES {
            found.push((interface, source, own.cluster_ip.to_owned(), 80));
            found.extend(own.load_balancer.map(|ip| (interface, source, ip.to_owned(), 80)));
            for port in own.node_port.into_iter().chain(own.health_port) {
                for address in ["10.0.0.11", "203.0.113.11", "198.51.100.22"] {
                    found.push((interface, source, address.to_owned(), port));
                }
            }
        }
    }
    found
}

fn address(text: &str) -> u128 {
    number(text.parse::<IpAddr>().expect("an address"))
}

/// Times that each question is asked: where two endpoints are as likely, that one is never met has a chance of one
/// in four billion.
const TIMES: usize = 32;

#[test]
fn services_are_where_kube_proxy_puts_them() {
    if std::env::var_os(INSIDE).is_some() {
        return std::thread::spawn(compare).join().expect("the kernel and trace agree");
    }
    if kernel_is_here() {
        again_inside("services::services_are_where_kube_proxy_puts_them");
    }
}

fn compare() {
    super::measure::stay_on_one_processor();
    let resources = resources();
    let cluster = Cluster::new(&resources);
    let text =
        std::fs::read_to_string(root().join("fixtures/trace/services/node-1.json")).expect("addresses");
    let addresses = ip_addr::parse(&text).expect("addresses");
    let view =
        cluster.view(&NodeRequest { node: NODE, interfaces: Some(&addresses) }).view.expect("the node");
    let routes = assume::routes(&cluster, &view, &mut Vec::new());
    let compiled = felix::render(&view);
    let program = with_kube_proxy(compiled.clone(), &cluster, &view, &mut Vec::new());
    let node = Node::new(&view, &program, Routes::new(&view.interfaces, &routes));
    let mut lab = Lab::new(&view, &routes, &compiled);
    restore_more(&proxy::rules(&SERVICES.map(service), PODS, "10.0.0.11"));
    let interface_of = |name: &str| match name.strip_prefix("pod:") {
        Some(pod) => view.workloads.iter().find(|own| *own.pod == *pod).expect("a pod").interface.to_string(),
        None => name.to_owned(),
    };
    let (mut wrong, mut sent, mut fates) = (Vec::new(), 0, BTreeSet::new());
    for (from, source, destination, port) in questions() {
        let interface = interface_of(from);
        let packets: Vec<Packet<'_>> = (0..TIMES)
            .map(|time| Packet {
                family: Family::V4,
                source: address(source),
                destination: address(&destination),
                protocol: TCP,
                source_port: 40_000 + time as u16,
                destination_port: port,
                syn: true,
                in_interface: &interface,
                out_interface: "",
                mark: 0,
                connection_mark: 0,
                state: ConntrackStates::INVALID,
                untracked: false,
            })
            .collect();
        let said = said(&node, &packets[0]);
        let was = was(&mut lab, &packets);
        sent += packets.len();
        fates.extend(was.iter().map(|(fate, _)| fate.split(':').next().unwrap_or_default().to_owned()));
        if said != was {
            wrong.push(format!(
                "{from} {source} to {destination}:{port}\n  trace says {said:?}\n  the kernel {was:?}"
            ));
        }
    }
    super::say(&format!("{sent} packets to services, {} questions differ; {fates:?}", wrong.len()));
    assert!(wrong.is_empty(), "{}", wrong[..wrong.len().min(12)].join("\n"));
    for fate in ["delivered_local", "forwarded", "sent", "rejected", "dropped"] {
        assert!(fates.contains(fate), "no packet was {fate}");
    }
}

/// What may become of a packet, and the source and destination that it leaves with.
type Ends = BTreeSet<(String, Option<(u128, u128)>)>;

fn said(node: &Node<'_>, packet: &Packet<'_>) -> Ends {
    let mut space = Space::new(Family::V4);
    let mut set = netpolc::space::PacketSet::ALL;
    for (field, value) in [
        (Field::Source, packet.source),
        (Field::Destination, packet.destination),
        (Field::Protocol, u128::from(packet.protocol)),
        (Field::SourcePort, u128::from(packet.source_port)),
        (Field::DestinationPort, u128::from(packet.destination_port)),
    ] {
        let there = space.with_value(field, value);
        set = space.intersection(set, there);
    }
    let mut from = End::arriving(String::new(), Vec::new(), packet.in_interface);
    if packet.in_interface.is_empty() {
        (from.interface, from.own) = (None, true);
    }
    let walked = node.walk(space, set, &from, 0);
    let mut ends = Ends::new();
    let verb = if packet.in_interface.is_empty() { "sent" } else { "forwarded" };
    for out in &walked.out {
        let values = walked.space.sample(out.set).expect("a packet");
        let seen = (values[Field::Source as usize], values[Field::Destination as usize]);
        match &out.device {
            Some(device) => ends.insert((format!("{verb}:{device}"), Some(seen))),
            None => ends.insert(("delivered_local".to_owned(), None)),
        };
    }
    for class in &walked.answer.classes {
        match class.fate {
            Fate::Dropped(hook) => ends.insert((format!("dropped:{}", hook.name()), None)),
            Fate::Rejected(_) => ends.insert(("rejected".to_owned(), None)),
            Fate::Unroutable => ends.insert(("unroutable".to_owned(), None)),
            Fate::Delivered | Fate::Forwarded(_) | Fate::Sent(_) => false,
        };
    }
    ends
}

fn was(lab: &mut Lab, packets: &[Packet<'_>]) -> Ends {
    lab.forget_connections();
    let mut records = Records(vec![Record::default(); packets.len()]);
    for (number, packet) in (1..).zip(packets) {
        let bytes = frame::build(packet, number, false);
        match packet.in_interface {
            "" => {
                let sent = lab.originate(packet.family, packet.destination, &bytes, &mut records);
                records.0[usize::from(number) - 1].refused = !sent;
            }
            interface => lab.arrive(interface, packet.family, &bytes, &mut records),
        }
    }
    lab.settle(&mut records);
    let word = |bytes: &[u8], at: usize| {
        u128::from(u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes")))
    };
    let ends = records.0.iter().zip(packets).map(|(record, packet)| {
        let seen = record.left.first().map(|(_, bytes)| (word(bytes, 12), word(bytes, 16)));
        (record.outcome(packet.in_interface.is_empty()), seen)
    });
    ends.collect()
}
