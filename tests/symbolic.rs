//! Sets of packets meet the same fate as each of their packets alone.

mod common;

use common::in_parallel;
use common::packets::{Numbers, random, recorded, values};
use netpolc::felix;
use netpolc::ir::Family;
use netpolc::kernel::conntrack::Connection;
use netpolc::kernel::packet::Packet;
use netpolc::kernel::route::Routes;
use netpolc::kernel::symbolic::{Arrival, Attribution, Fate, Flow, Interfaces, Symbolic};
use netpolc::kernel::{Kernel, Outcome};
use netpolc::model::{InvalidMode, collect, lower};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use netpolc::space::{Field, PacketSet, Space};
use netpolc::syntax::{ip_addr, ip_route};
use std::net::IpAddr;
use std::path::Path;

fn point(packet: &Packet<'_>, interfaces: &Interfaces) -> [u128; 8] {
    let mut values = [0; 8];
    let mut set = |field: Field, value: u128| values[field as usize] = value;
    set(Field::InInterface, u128::from(interfaces.number(packet.in_interface)));
    set(Field::Protocol, u128::from(packet.protocol));
    set(Field::SourcePort, u128::from(packet.source_port));
    set(Field::DestinationPort, u128::from(packet.destination_port));
    set(Field::Source, packet.source);
    set(Field::Destination, packet.destination);
    values
}

fn fate(outcome: Outcome<'_>, interfaces: &Interfaces) -> Fate {
    match outcome {
        Outcome::Delivered => Fate::Delivered,
        Outcome::Forwarded(name) => Fate::Forwarded(interfaces.number(name)),
        Outcome::Sent(name) => Fate::Sent(interfaces.number(name)),
        Outcome::Dropped(hook) => Fate::Dropped(hook),
        Outcome::Rejected(hook) => Fate::Rejected(hook),
        Outcome::Unroutable => Fate::Unroutable,
    }
}

/// The one flow that a packet is in.
fn flow_of<'f>(space: &Space, flows: &'f [Flow], values: &[u128; 8]) -> &'f Flow {
    let mut holding = flows.iter().filter(|flow| space.contains(flow.set, values));
    let flow = holding.next().expect("every packet is in a flow");
    assert!(holding.next().is_none(), "flows overlap");
    flow
}

fn compare(folder: &Path, family: Family, count: usize) -> usize {
    let read = source::read(&[Input::Path(folder.join("cluster.yaml"))], &Options::default(), lower);
    let collected = collect(read.values, InvalidMode::Skip);
    let cluster = Cluster::new(&collected.resources);
    let text = |name: &str| std::fs::read_to_string(folder.join("golden").join(name)).unwrap_or_default();
    let addresses = ip_addr::parse(&text("ip-addr.json")).unwrap();
    let request = NodeRequest { node: "node-1", interfaces: Some(&addresses) };
    let program = felix::render(&cluster.view(&request).view.unwrap());
    let mut routes = ip_route::parse(&text("ip-route.json")).unwrap();
    routes.extend(ip_route::parse(&text("ip-route6.json")).unwrap());
    if routes.is_empty() {
        routes = ip_route::parse(
            r#"[{"dst": "10.0.0.0/24", "dev": "eth0"}, {"dst": "10.244.0.0/16", "dev": "eth0"}, {"dst": "default", "dev": "eth1"}]"#,
        )
        .unwrap();
    }
    let routes = Routes::new(&addresses, &routes);
    let interfaces = Interfaces::new(&program, &routes, []);
    let values = values(&program, family, &routes);
    let kernel = Kernel::new(&program, routes);
    let machine = if family == Family::V4 { &kernel.v4 } else { &kernel.v6 };
    let mut symbolic = Symbolic::new(family, machine, &kernel.routes, &interfaces, Attribution::Off);
    let mut numbers = Numbers(folder.to_string_lossy().len() as u64);
    for connection in [Connection::First, Connection::Answer, Connection::AnswerToUntracked] {
        let outside = symbolic.send(PacketSet::ALL, Arrival::Outside, connection);
        let process = symbolic.send(PacketSet::ALL, Arrival::Process, connection);
        for _ in 0..count {
            let mut packet = random(&mut numbers, family, &values, connection);
            let flows = if packet.in_interface.is_empty() { &process } else { &outside };
            let flow = flow_of(&symbolic.space, flows, &point(&packet, &interfaces));
            let shown = format!("{packet:?}");
            let outcome = kernel.send(&mut packet, connection, &mut ());
            assert_eq!(
                flow.fate,
                Some(fate(outcome, &interfaces)),
                "{} {family:?} {connection:?}: {shown}, source {:?}",
                folder.display(),
                IpAddr::from((packet.source as u32).to_be_bytes())
            );
        }
    }
    3 * count
}

#[test]
fn sets_meet_the_fate_of_their_packets() {
    let clusters = recorded();
    assert!(clusters.len() > 5);
    // two families, three kinds of connection: a bit more than a million packets in all
    let each = 1_050_000 / (clusters.len() * 6) + 1;
    let counts = in_parallel(&clusters, |folder| {
        [Family::V4, Family::V6].map(|family| compare(folder, family, each)).iter().sum::<usize>()
    });
    let packets: usize = counts.iter().sum();
    assert!(packets > 1_000_000, "only {packets}");
}
