//! Sets of packets meet the same fate as each of their packets alone.

mod common;

use common::{Numbers, in_parallel, root};
use netpolc::diagnostic::FileId;
use netpolc::dump;
use netpolc::felix;
use netpolc::ir::{ChainPolicy, ConntrackStates, Family, Members, Program, RuleSet, TableName};
use netpolc::kernel::conntrack::Connection;
use netpolc::kernel::packet::{Packet, TCP, number};
use netpolc::kernel::route::Routes;
use netpolc::kernel::symbolic::{Arrival, Attribution, Doubt, Fate, Flow, Interfaces, Symbolic};
use netpolc::kernel::{Kernel, Machine, Outcome};
use netpolc::model::{InvalidMode, collect, lower};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use netpolc::space::{Field, PacketSet, Space};
use netpolc::syntax::{ip_addr, ip_route};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Folders of recorded clusters: those of the repository, and more where they are found.
fn clusters() -> Vec<PathBuf> {
    let mut folders = vec![root().join("fixtures/golden")];
    let beside = root().join("../shared");
    let golden = std::env::var_os("NETPOLC_SHARED").map_or(beside, PathBuf::from).join("golden");
    folders.extend(["synthetic", "services", "faults"].map(|name| golden.join(name)));
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let mut clusters: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    clusters.retain(|path| path.join("golden/ip-addr.json").exists());
    clusters.sort();
    clusters
}

/// Values at which something may change: those that rules, sets, routes and addresses speak of, and
/// their neighbours.
struct Values {
    addresses: Vec<u128>,
    ports: Vec<u16>,
    interfaces: Vec<String>,
}

fn values(program: &Program, family: Family, routes: &Routes) -> Values {
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

fn random<'a>(
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
        state: ConntrackStates::INVALID,
        untracked: false,
    }
}

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

/// The fates that a packet may meet: one, unless it is in doubt whether some rule applies.
fn fates_of(space: &Space, flows: &[Flow], values: &[u128; 8]) -> Vec<Option<Fate>> {
    let holding: Vec<&Flow> = flows.iter().filter(|flow| space.contains(flow.set, values)).collect();
    assert!(!holding.is_empty(), "every packet is in a flow");
    // several flows without doubt are told apart by what they met on the way, and have one fate
    let sure = holding.iter().any(|flow| flow.doubt == Doubt::None);
    assert!(!sure || holding.iter().all(|flow| flow.fate == holding[0].fate), "flows overlap");
    holding.iter().map(|flow| flow.fate).collect()
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
    compare_program(&program, routes, family, count, &folder.display().to_string())
}

fn compare_program(program: &Program, routes: Routes, family: Family, count: usize, name: &str) -> usize {
    let interfaces = Interfaces::new(program, &routes, []);
    let values = values(program, family, &routes);
    let kernel = Kernel::new(program, routes);
    let machine = if family == Family::V4 { &kernel.v4 } else { &kernel.v6 };
    let mut symbolic = Symbolic::new(family, machine, &kernel.routes, &interfaces, Attribution::Off);
    let mut numbers = Numbers::new(name.len() as u64);
    for connection in [Connection::First, Connection::Answer, Connection::AnswerToUntracked] {
        let outside = symbolic.send(PacketSet::ALL, Arrival::Outside, connection);
        let process = symbolic.send(PacketSet::ALL, Arrival::Process, connection);
        for _ in 0..count {
            let mut packet = random(&mut numbers, family, &values, connection);
            let flows = if packet.in_interface.is_empty() { &process } else { &outside };
            let fates = fates_of(&symbolic.space, flows, &point(&packet, &interfaces));
            let shown = format!("{packet:?}");
            let outcome = kernel.send(&mut packet, connection, &mut ());
            let met = Some(fate(outcome, &interfaces));
            assert!(
                fates.contains(&met),
                "{name} {family:?} {connection:?}: {shown}, source {:?}: {met:?}, not {fates:?}",
                IpAddr::from((packet.source as u32).to_be_bytes())
            );
        }
    }
    3 * count
}

/// Hooks that drop, ranges of ports, chance, and text that nobody understands.
#[test]
fn rules_of_other_software_are_the_same_for_sets_and_packets() {
    let dumps = ["kubeproxy", "docker", "firewalld", "ipv6"];
    for name in dumps {
        let path = root().join(format!("fixtures/dump/{name}.legacy.rules"));
        let text = std::fs::read_to_string(&path).unwrap();
        let sets = dump::parse(&text, FileId(0)).unwrap().rule_sets().unwrap();
        let [own] = &sets[..] else { panic!("{name}: {} families", sets.len()) };
        let rules = |family| match own.family == family {
            true => own.clone(),
            false => RuleSet { family, tables: Vec::new() },
        };
        let program = Program { v4: rules(Family::V4), v6: rules(Family::V6), sets: Vec::new() };
        let addresses = r#"[{"ifname": "eth0", "addr_info": [{"local": "10.0.0.1", "prefixlen": 24}, {"local": "fd00::1", "prefixlen": 64}]}]"#;
        let addresses = ip_addr::parse(addresses).unwrap();
        let routes = r#"[{"dst": "10.0.0.0/24", "dev": "eth0"}, {"dst": "172.17.0.0/16", "dev": "docker0"}, {"dst": "default", "dev": "eth1"},
            {"dst": "fd00::/64", "dev": "eth0"}, {"dst": "fd00:17::/64", "dev": "docker0"}, {"dst": "::/0", "dev": "eth1"}]"#;
        let routes = ip_route::parse(routes).unwrap();
        let dropping =
            own.tables.iter().flat_map(|table| &table.hooks).any(|hook| hook.policy == ChainPolicy::Drop);
        assert_eq!(dropping, name != "kubeproxy");
        compare_program(&program, Routes::new(&addresses, &routes), own.family, 5_000, name);
    }
}

#[test]
fn rules_that_are_not_understood_say_so() {
    let text = std::fs::read_to_string(root().join("fixtures/dump/docker.legacy.rules")).unwrap();
    let sets = dump::parse(&text, FileId(0)).unwrap().rule_sets().unwrap();
    let machine = Machine::new(&sets[0], &[]);
    let nat = machine.table(TableName::Nat);
    let chain = (0..).map(|number| nat.chain(number)).find(|own| &*own.chain.name == "DOCKER").unwrap();
    // a range of addresses to translate to, and REDIRECT
    assert_eq!(chain.rules.iter().map(|rule| rule.unknown).collect::<Vec<_>>(), [false, false, true, true]);
}

#[test]
fn sets_meet_the_fate_of_their_packets() {
    let clusters = clusters();
    assert!(clusters.len() > 5);
    // two families, three kinds of connection: a bit more than a million packets in all
    let each = 1_050_000 / (clusters.len() * 6) + 1;
    let counts = in_parallel(&clusters, |folder| {
        [Family::V4, Family::V6].map(|family| compare(folder, family, each)).iter().sum::<usize>()
    });
    let packets: usize = counts.iter().sum();
    assert!(packets > 1_000_000, "only {packets}");
}
