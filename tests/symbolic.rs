//! Sets of packets meet the same fate as each of their packets alone.

mod common;

use common::packets::{point, random, recorded, values};
use common::{Numbers, in_parallel, root};
use netpolc::diagnostic::FileId;
use netpolc::dump;
use netpolc::felix;
use netpolc::ir::{ChainPolicy, Family, Program, RuleSet};
use netpolc::kernel::conntrack::Connection;
use netpolc::kernel::route::Routes;
use netpolc::kernel::symbolic::{Arrival, Attribution, Doubt, Fate, Flow, Interfaces, Symbolic};
use netpolc::kernel::{Kernel, Machine, Outcome};
use netpolc::model::{InvalidMode, collect, lower};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use netpolc::space::{Field, PacketSet, Space};
use netpolc::syntax::{ip_addr, ip_route};
use std::net::IpAddr;
use std::path::Path;

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

/// The fates that a packet may meet as long as no limit is reached: one, unless it is in doubt whether some rule
/// applies.
fn fates_of(space: &Space, flows: &[Flow], values: &[u128; Field::ALL.len()]) -> Vec<Option<Fate>> {
    let within = |flow: &&Flow| flow.limits.iter().all(|limit| limit.within);
    let holding: Vec<&Flow> =
        flows.iter().filter(|flow| space.contains(flow.set, values)).filter(within).collect();
    assert!(!holding.is_empty(), "every packet is in a flow");
    // several flows without doubt are told apart by what they met on the way, and have one fate
    let sure = holding.iter().any(|flow| flow.doubt == Doubt::None);
    assert!(!sure || holding.iter().all(|flow| flow.fate == holding[0].fate), "flows overlap");
    holding.iter().map(|flow| flow.fate).collect()
}

fn compare(folder: &Path, family: Family, count: usize) -> usize {
    let read = source::read(&[Input::Path(folder.join("cluster.yaml"))], &Options::default(), |object| {
        lower(object, Default::default())
    });
    let collected = collect(read.values, InvalidMode::Skip, Default::default());
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

/// Even where all packets meet one fate, a target that is not understood may have done something else.
#[test]
fn targets_that_are_not_understood_leave_doubt() {
    let text =
        "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 80 -j NFQUEUE --queue-num 1\nCOMMIT\n";
    let sets = dump::parse(text, FileId(0)).unwrap().rule_sets().unwrap();
    let machine = Machine::new(&sets[0], &[]);
    let routes = Routes::new(&ip_addr::parse("[]").unwrap(), &[]);
    let interfaces = Interfaces::new(
        &Program { v4: sets[0].clone(), v6: RuleSet { family: Family::V6, tables: vec![] }, sets: vec![] },
        &routes,
        [],
    );
    let mut symbolic = Symbolic::new(Family::V4, &machine, &routes, &interfaces, Attribution::Off);
    let local = symbolic.space.with_value(Field::Destination, 127 << 24);
    let flows = symbolic.send(local, Arrival::Outside, Connection::First);
    let met: Vec<_> = flows.iter().map(|flow| (flow.fate, flow.doubt)).collect();
    assert_eq!(met, [(Some(Fate::Delivered), Doubt::None), (Some(Fate::Delivered), Doubt::Target)]);
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
