//! Random rule sets, and an interpreter of rules that is written for this test alone: it takes the IR's
//! words at their meaning, packet by packet. The kernel's own walker and the walk of sets of packets must
//! agree with it. Where more than the packet decides (a limit, chance, which address is chosen, what an earlier
//! packet noted), the interpreter goes each way, and the sets must know of every fate and of no other.

mod common;

use common::Numbers;

use ipnet::{IpNet, Ipv4Net};
use netpolc::ir::{
    Action, Address, Chain, ConnectionMark, ConntrackStates, Family, IpSet, MarkSpelling, Match, Matcher,
    Members, Origin, Program, Protocol, RejectWith, Rule, RuleSet, SetLookup, Side, Table, TableName,
    Translation,
};
use netpolc::kernel::conntrack::Connection;
use netpolc::kernel::packet::{Packet, TCP};
use netpolc::kernel::route::Routes;
use netpolc::kernel::symbolic::{Arrival, Attribution, Doubt, Fate, Flow, Interfaces, Symbolic};
use netpolc::kernel::{Hook, Kernel, Outcome};
use netpolc::resolve::view::{NetMembers, PortMember};
use netpolc::space::{Field, PacketSet};
use netpolc::syntax::ip_addr::Interface;
use netpolc::syntax::ip_route::{Route, Way};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const INTERFACES: [&str; 4] = ["eth0", "eth1", "cali1", "cali2"];
const PORTS: [u16; 5] = [0, 22, 80, 443, 30_000];
const PROTOCOLS: [u8; 6] = [1, 4, 6, 17, 132, 136];
const MASKS: [u32; 4] = [1, 2, 3, 0x10];
/// Marks that connections may have had before, with every bit that rules look at.
const CONNECTION_MARKS: [u32; 8] = [0, 1, 2, 3, 0x10, 0x11, 0x12, 0x13];
const SETS: [&str; 3] = ["nets", "hosts", "ports"];

/// Few addresses, so that rules, sets and packets meet.
fn address(numbers: &mut Numbers) -> Ipv4Addr {
    Ipv4Addr::new(10, numbers.below(2) as u8, numbers.below(3) as u8, numbers.below(4) as u8)
}

fn net(numbers: &mut Numbers) -> Ipv4Net {
    let length = numbers.pick(&[0, 8, 15, 24, 30, 32]);
    Ipv4Net::new(address(numbers), length).unwrap().trunc()
}

fn matcher(numbers: &mut Numbers) -> Matcher {
    let side = numbers.pick(&[Side::Source, Side::Destination]);
    let range = |numbers: &mut Numbers| {
        let (a, b) = (numbers.pick(&PORTS), numbers.pick(&PORTS));
        (a.min(b), a.max(b))
    };
    match numbers.below(17) {
        0 => Matcher::Protocol(Protocol::Number(numbers.pick(&PROTOCOLS))),
        1 => Matcher::Protocol(Protocol::Name(numbers.pick(&["tcp", "udp", "sctp", "icmp"]).into())),
        2 => {
            let count = 1 + numbers.below(2);
            Matcher::Address(side, (0..count).map(|_| Address::Net(net(numbers).into())).collect())
        }
        3 => Matcher::InInterface(numbers.pick(&["eth0", "eth1", "cali+", "cali1", "+"]).into()),
        4 => Matcher::OutInterface(numbers.pick(&["eth0", "eth1", "cali+", "lo"]).into()),
        5 => Matcher::Ports(side, vec![range(numbers), range(numbers)]),
        6 => Matcher::Port(Side::Destination, numbers.pick(&PORTS), 30_000),
        7 => {
            let lookups = [
                SetLookup::Source,
                SetLookup::Destination,
                SetLookup::SourcePort,
                SetLookup::DestinationPort,
            ];
            Matcher::Set(numbers.pick(&SETS).into(), numbers.pick(&lookups))
        }
        8 => Matcher::Icmp(numbers.pick(&[0, 3, 8]), numbers.pick(&[None, Some(0)])),
        9 | 10 => {
            let mask = numbers.pick(&MASKS);
            Matcher::Mark { value: numbers.below(4) as u32 & mask, mask, spelling: MarkSpelling::Hex }
        }
        13 => {
            let mask = numbers.pick(&MASKS);
            Matcher::ConnectionMark { value: numbers.below(4) as u32 & mask, mask }
        }
        14 => numbers.pick(&[
            Matcher::Limit { rate: "1/sec".into(), burst: None },
            Matcher::ConnectionsAbove(3),
            Matcher::OtherLimit { text: "-m hashlimit …".into(), within: false },
            Matcher::Random(1 << 30),
        ]),
        11 => Matcher::Conntrack(numbers.pick(&[
            ConntrackStates::NEW,
            ConntrackStates::INVALID,
            ConntrackStates::ESTABLISHED.or(ConntrackStates::RELATED),
            ConntrackStates::UNTRACKED,
            ConntrackStates::DNAT,
        ])),
        12 => Matcher::LocalAddress { side, limit_iface_out: false },
        _ => numbers.pick(&[Matcher::TcpSyn, Matcher::ReversePathFails]),
    }
}

fn action(numbers: &mut Numbers, table: TableName, of_source: bool, deeper: &[Arc<str>]) -> Action {
    let goes = !deeper.is_empty() && numbers.one_in(3);
    if goes {
        let chain = numbers.pick(deeper);
        return if numbers.one_in(3) { Action::Goto(chain) } else { Action::Jump(chain) };
    }
    let mark = |numbers: &mut Numbers| {
        let mask = numbers.pick(&MASKS);
        Action::Mark { value: numbers.below(4) as u32 & mask, mask, spelling: MarkSpelling::Hex }
    };
    match (numbers.below(9), table) {
        (0, TableName::Raw) => Action::NoTrack,
        (0, TableName::Filter) => Action::Reject(RejectWith::PortUnreachable),
        (0 | 1, TableName::Nat) => translation(numbers, of_source),
        (8, _) => Action::ConnectionMark(connection_mark(numbers)),
        (1, _) => Action::Accept,
        (2, TableName::Nat) => Action::Accept,
        (2, _) => Action::Drop,
        (3 | 4, _) => Action::Return,
        (5, _) => Action::Log { prefix: "x".into() },
        _ => mark(numbers),
    }
}

fn connection_mark(numbers: &mut Numbers) -> ConnectionMark {
    let (packet_mask, connection_mask) = (numbers.pick(&MASKS), numbers.pick(&MASKS));
    match numbers.below(3) {
        0 => ConnectionMark::Set { value: numbers.below(4) as u32, mask: connection_mask },
        1 => ConnectionMark::Save { packet_mask, connection_mask },
        _ => ConnectionMark::Restore { packet_mask, connection_mask },
    }
}

/// As the kernel has it, chains of nat that rewrite sources are reached from other hooks than those that rewrite
/// destinations.
fn translation(numbers: &mut Numbers, of_source: bool) -> Action {
    let first = address(numbers);
    let last = Ipv4Addr::from(u32::from(first) + numbers.pick(&[0, 0, 1, 3]));
    let (a, b) = (numbers.pick(&PORTS), numbers.pick(&PORTS));
    let ports = [None, Some((a, a)), Some((a.min(b), a.max(b)))];
    let to = Translation {
        addresses: (!numbers.one_in(4)).then_some((first.into(), last.into())),
        ports: numbers.pick(&ports),
        random: numbers.one_in(4),
        ..Translation::default()
    };
    match numbers.below(if of_source { 3 } else { 6 }) {
        _ if of_source && numbers.one_in(2) => Action::Snat(to.into()),
        0 => Action::NetMap(net(numbers).into()),
        1 | 2 if of_source => Action::Masquerade(Translation { addresses: None, ..to }.into()),
        1 | 2 => Action::Redirect(Translation { addresses: None, ..to }.into()),
        _ => Action::Dnat(to.into()),
    }
}

/// A table: its hooks, and chains that go only to those after them, as the kernel demands.
fn table(numbers: &mut Numbers, name: TableName) -> Table {
    let names: Vec<Arc<str>> = (0..3).map(|number| format!("chain-{number}").into()).collect();
    let mut chain = |name_of: Arc<str>, deeper: &[Arc<str>]| {
        let of_source = name == TableName::Nat && matches!(&*name_of, "INPUT" | "POSTROUTING");
        let deeper = if of_source { &[] } else { deeper };
        let rules = (0..numbers.below(5)).map(|_| {
            let mut matches: Vec<Match> = (0..numbers.below(3))
                .map(|_| Match { negated: numbers.one_in(4), on: matcher(numbers) })
                .collect();
            let action = action(numbers, name, of_source, deeper);
            if of_source && matches!(action, Action::Snat(_) | Action::Masquerade(_) | Action::NetMap(_)) {
                // what the node sends to itself with another source is not followed
                matches.push(Match::not(Matcher::OutInterface("lo".into())));
            }
            if let Action::NetMap(to) = action {
                // a network for a network; for all addresses there would be too many of them
                let mut from = net(numbers);
                while from.prefix_len() < to.prefix_len() {
                    from = net(numbers);
                }
                matches.push(Match::is(Matcher::Address(Side::Destination, vec![Address::Net(from.into())])));
            }
            Rule::new(matches, action, Origin::Static)
        });
        Arc::new(Chain::new(name_of, rules.collect()))
    };
    let hooks = name.hooks().iter().map(|hook| chain((*hook).into(), &names)).collect();
    let chains = (0..names.len()).map(|place| chain(names[place].clone(), &names[place + 1..])).collect();
    Table { name, hooks, chains }
}

fn program(numbers: &mut Numbers) -> Program {
    let set = |name: &str, members: Members| IpSet {
        name: name.into(),
        family: Family::V4,
        max_elements: 100,
        members,
        meaning: None,
    };
    let nets: Vec<Ipv4Net> = (0..4).map(|_| net(numbers)).filter(|net| net.prefix_len() > 0).collect();
    let hosts: Vec<IpAddr> = (0..4).map(|_| address(numbers).into()).collect();
    let ports = (0..6).map(|_| PortMember {
        address: address(numbers).into(),
        protocol: numbers.pick(&[
            netpolc::model::core::TransportProtocol::Tcp,
            netpolc::model::core::TransportProtocol::Udp,
        ]),
        port: numbers.pick(&PORTS),
    });
    let ports = ports.collect();
    let sets = vec![
        set("nets", Members::Nets(Arc::new(NetMembers { v4: nets, v6: Vec::new() }))),
        set("hosts", Members::Addresses(hosts)),
        set("ports", Members::Ports(ports)),
    ];
    let tables = TableName::ALL.map(|name| table(numbers, name)).into();
    Program {
        v4: RuleSet { family: Family::V4, tables },
        v6: RuleSet { family: Family::V6, tables: Vec::new() },
        sets,
    }
}

/// The node: two interfaces with an address each, two pods, and networks behind the interfaces.
fn node() -> (Vec<Interface>, Vec<Route>) {
    let interface = |name: &str, net: &str| Interface {
        name: name.into(),
        addresses: vec![net.parse().unwrap()],
        near: Vec::new(),
    };
    let route = |net: &str, device: &str| Route {
        net: net.parse().unwrap(),
        way: Way::Device(device.into()),
        metric: 0,
    };
    let interfaces = vec![interface("eth0", "10.0.0.1/24"), interface("eth1", "10.1.0.1/24")];
    let routes = vec![
        route("10.0.1.1/32", "cali1"),
        route("10.0.1.2/32", "cali2"),
        route("10.0.0.0/16", "eth0"),
        route("10.1.0.0/24", "eth1"),
        route("10.1.1.0/24", "eth1"),
    ];
    (interfaces, routes)
}

/// What the interpreter knows of a packet.
#[derive(Clone)]
struct Seen {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    sport: u16,
    dport: u16,
    input: String,
    output: String,
    mark: u32,
    /// of the connection; what it is on entry is decided when somebody asks
    connection_mark: Option<u32>,
    states: u8,
    first: bool,
    untracked: bool,
}

impl Seen {
    fn has_connection(&self) -> bool {
        let connected = ConntrackStates::NEW.or(ConntrackStates::ESTABLISHED);
        ConntrackStates(self.states).intersects(connected)
    }
}

struct Interpreter<'p> {
    program: &'p Program,
    interfaces: &'p [Interface],
    routes: &'p [Route],
    decisions: Decisions,
}

/// What else decides: each time something is asked, one of several answers. All of them come up in turn.
#[derive(Default)]
struct Decisions {
    /// answers so far, and of how many
    taken: RefCell<Vec<(usize, usize)>>,
    /// how many have been asked for on this way
    asked: Cell<usize>,
    /// limits that are reached on this way, or not
    limits: RefCell<HashMap<*const Match, bool>>,
}

impl Decisions {
    fn decide(&self, of: usize) -> usize {
        let (mut taken, at) = (self.taken.borrow_mut(), self.asked.get());
        self.asked.set(at + 1);
        if at == taken.len() {
            taken.push((0, of));
        }
        taken[at].0
    }

    fn is_reached(&self, limit: &Match) -> bool {
        let known = self.limits.borrow().get(&std::ptr::from_ref(limit)).copied();
        known.unwrap_or_else(|| {
            let reached = self.decide(2) == 1;
            self.limits.borrow_mut().insert(limit, reached);
            reached
        })
    }

    /// Goes back to the start, to take another way; false if there is none.
    fn another_way(&self) -> bool {
        self.asked.set(0);
        self.limits.borrow_mut().clear();
        let mut taken = self.taken.borrow_mut();
        while let Some((answer, of)) = taken.pop() {
            if answer + 1 < of {
                taken.push((answer + 1, of));
                return true;
            }
        }
        false
    }
}

/// Where an address is.
enum Place {
    Here,
    Behind(String),
    Nowhere,
}

impl Interpreter<'_> {
    fn place(&self, address: Ipv4Addr) -> Place {
        let own = self.interfaces.iter().flat_map(|own| &own.addresses);
        if address.is_loopback() || own.clone().any(|net| net.addr() == IpAddr::V4(address)) {
            return Place::Here;
        }
        let holding = self.routes.iter().filter(|route| route.net.contains(&IpAddr::V4(address)));
        match holding.max_by_key(|route| route.net.prefix_len()).map(|route| &route.way) {
            Some(Way::Device(name)) => Place::Behind(name.to_string()),
            _ => Place::Nowhere,
        }
    }

    /// Every outcome that a packet may have.
    fn outcomes(&self, packet: &Seen) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        loop {
            all.insert(self.send(&mut packet.clone()).unwrap_or_else(|stopped| stopped));
            if !self.decisions.another_way() {
                return all;
            }
        }
    }

    fn connection_mark(&self, packet: &mut Seen) -> u32 {
        *packet
            .connection_mark
            .get_or_insert_with(|| CONNECTION_MARKS[self.decisions.decide(CONNECTION_MARKS.len())])
    }

    /// The destination becomes this address, and one of the ports.
    fn to(&self, packet: &mut Seen, address: Ipv4Addr, to: &Translation) {
        let before = (packet.destination, packet.dport);
        packet.destination = address;
        if let Some((first, last)) = to.ports.filter(|_| [6, 17, 33, 132, 136].contains(&packet.protocol))
            && (to.random || packet.dport < first || last < packet.dport)
        {
            // all that rules tell apart
            let near = PORTS.iter().flat_map(|port| [port.saturating_sub(1), *port, port + 1]);
            let ports: BTreeSet<u16> = near.filter(|port| (first..=last).contains(port)).collect();
            let ports: Vec<u16> = ports.into_iter().collect();
            packet.dport = ports[self.decisions.decide(ports.len())];
        }
        if before != (packet.destination, packet.dport) {
            packet.states |= ConntrackStates::DNAT.0;
        }
    }

    fn holds(&self, one: &Match, packet: &mut Seen) -> Option<bool> {
        let on = &one.on;
        let with_ports = [6, 17, 33, 132, 136].contains(&packet.protocol);
        let address = |side: &Side| match side {
            Side::Source => packet.source,
            Side::Destination => packet.destination,
        };
        let named = |pattern: &str, name: &str| match pattern.strip_suffix('+') {
            Some(prefix) => name.starts_with(prefix),
            None => pattern == name,
        };
        Some(match on {
            Matcher::ConnectionMark { value, mask } => {
                packet.has_connection().then(|| self.connection_mark(packet) & mask == *value)?
            }
            Matcher::Limit { .. } => !self.decisions.is_reached(one),
            Matcher::ConnectionsAbove(_) | Matcher::OtherLimit { .. } => self.decisions.is_reached(one),
            Matcher::Random(_) => self.decisions.decide(2) == 1,
            Matcher::Protocol(Protocol::Number(number)) => packet.protocol == *number,
            Matcher::Protocol(Protocol::Name(name)) => {
                let numbers: HashMap<&str, u8> = [("tcp", 6), ("udp", 17), ("sctp", 132), ("icmp", 1)].into();
                numbers[&**name] == packet.protocol
            }
            Matcher::Address(side, nets) => {
                nets.iter().any(|net| net.net().contains(&IpNet::from(IpAddr::V4(address(side)))))
            }
            Matcher::InInterface(pattern) => named(pattern, &packet.input),
            Matcher::OutInterface(pattern) => named(pattern, &packet.output),
            Matcher::Ports(side, ranges) => {
                let port = if *side == Side::Source { packet.sport } else { packet.dport };
                with_ports.then(|| ranges.iter().any(|(a, b)| *a <= port && port <= *b))?
            }
            Matcher::Port(side, first, last) => {
                let port = if *side == Side::Source { packet.sport } else { packet.dport };
                with_ports.then_some((*first..=*last).contains(&port))?
            }
            Matcher::Set(name, lookup) => {
                let set = self.program.sets.iter().find(|set| set.name == *name).unwrap();
                let (ip, port) = match lookup {
                    SetLookup::Source | SetLookup::SourcePort => (packet.source, packet.sport),
                    _ => (packet.destination, packet.dport),
                };
                let wants_port = matches!(lookup, SetLookup::SourcePort | SetLookup::DestinationPort);
                match &set.members {
                    Members::Addresses(all) => !wants_port && all.contains(&IpAddr::V4(ip)),
                    Members::Nets(nets) => !wants_port && nets.v4.iter().any(|net| net.contains(&ip)),
                    Members::Ports(all) => {
                        wants_port
                            && with_ports
                            && all.iter().any(|member| {
                                let number = match member.protocol {
                                    netpolc::model::core::TransportProtocol::Udp => 17,
                                    _ => 6,
                                };
                                (member.address, number, member.port)
                                    == (IpAddr::V4(ip), packet.protocol, port)
                            })
                    }
                }
            }
            Matcher::Icmp(kind, code) => {
                packet.protocol == 1
                    && packet.sport == u16::from(*kind)
                    && code.is_none_or(|code| packet.dport == u16::from(code))
            }
            Matcher::Mark { value, mask, .. } => packet.mark & mask == *value,
            Matcher::Conntrack(states) => packet.states & states.0 != 0,
            Matcher::LocalAddress { side, .. } => matches!(self.place(address(side)), Place::Here),
            Matcher::TcpSyn => packet.protocol == 6 && packet.first,
            Matcher::ReversePathFails => match self.place(packet.source) {
                _ if packet.input == "lo" => false,
                Place::Behind(name) => name != packet.input,
                Place::Here | Place::Nowhere => true,
            },
            _ => unreachable!("not generated"),
        })
    }

    /// `None`: the chain has come to its end.
    fn chain(&self, table: &Table, hook: &str, name: &str, packet: &mut Seen) -> Option<&'static str> {
        let chain = table.hooks.iter().chain(&table.chains).find(|chain| *chain.name == *name).unwrap();
        for rule in &chain.rules {
            let all = rule.matches.iter().all(|one| match self.holds(one, packet) {
                Some(holds) => holds != one.negated,
                // ports of a packet without ports are neither equal nor different, nor is the mark of no connection
                None => false,
            });
            if !all {
                continue;
            }
            match rule.action.as_ref().unwrap() {
                Action::Accept => return Some("accept"),
                Action::Drop => return Some("drop"),
                Action::Reject(_) => return Some("reject"),
                Action::Return => return None,
                Action::Jump(target) => {
                    if let Some(verdict) = self.chain(table, hook, target, packet) {
                        return Some(verdict);
                    }
                }
                Action::Goto(target) => return self.chain(table, hook, target, packet),
                Action::Mark { value, mask, .. } => packet.mark = (packet.mark & !mask) ^ value,
                Action::NoTrack => packet.untracked = true,
                Action::ConnectionMark(what) if packet.has_connection() => {
                    let connection = self.connection_mark(packet);
                    match what {
                        ConnectionMark::Set { value, mask } => {
                            packet.connection_mark = Some((connection & !mask) ^ value);
                        }
                        ConnectionMark::Save { packet_mask, connection_mask } => {
                            let own = packet.mark & packet_mask;
                            packet.connection_mark = Some((connection & !connection_mask) ^ own);
                        }
                        ConnectionMark::Restore { packet_mask, connection_mask } => {
                            packet.mark = (packet.mark & !packet_mask) ^ (connection & connection_mask);
                        }
                    }
                }
                Action::Dnat(to) => {
                    let address = match to.addresses {
                        Some((IpAddr::V4(first), IpAddr::V4(last))) => {
                            let (first, last) = (u32::from(first), u32::from(last));
                            Ipv4Addr::from(first + self.decisions.decide((last - first) as usize + 1) as u32)
                        }
                        _ => packet.destination,
                    };
                    self.to(packet, address, to);
                    return Some("accept");
                }
                Action::Redirect(to) => {
                    let came = self.interfaces.iter().find(|own| *own.name == *packet.input);
                    let own = came.map(|own| own.addresses[0].addr());
                    let address = match (&*packet.input, own) {
                        ("", _) => Ipv4Addr::LOCALHOST,
                        (_, Some(IpAddr::V4(address))) => address,
                        _ => return Some("drop"),
                    };
                    self.to(packet, address, to);
                    return Some("accept");
                }
                Action::NetMap(IpNet::V4(net)) => {
                    if ["PREROUTING", "OUTPUT"].contains(&hook) {
                        let hosts = u32::from(packet.destination) & u32::from(net.hostmask());
                        let address = Ipv4Addr::from(u32::from(net.network()) | hosts);
                        self.to(packet, address, &Translation::default());
                    }
                    return Some("accept");
                }
                Action::Masquerade(_) | Action::Snat(_) => return Some("accept"),
                _ => {}
            }
        }
        None
    }

    fn table(&self, name: TableName, hook: Hook, packet: &mut Seen) -> Result<(), String> {
        let table = self.program.v4.tables.iter().find(|table| table.name == name).unwrap();
        let chain = hook.name().to_uppercase();
        if !table.hooks.iter().any(|own| *own.name == *chain) {
            return Ok(());
        }
        match self.chain(table, &chain, &chain, packet) {
            // types of ICMP that are errors get no answer, nor does a tunnel's packet
            Some("reject") if packet.protocol == 4 || (packet.protocol == 1 && packet.sport == 3) => {
                Err(format!("dropped {}", hook.name()))
            }
            Some("reject") => Err(format!("rejected {}", hook.name())),
            Some("drop") => Err(format!("dropped {}", hook.name())),
            _ => Ok(()),
        }
    }

    fn track(packet: &mut Seen) {
        let state = match packet {
            Seen { untracked: true, .. } => ConntrackStates::UNTRACKED,
            Seen { first: false, .. } => ConntrackStates::ESTABLISHED,
            Seen { protocol: 1, sport: 8, .. } => ConntrackStates::NEW,
            Seen { protocol: 1, .. } => ConntrackStates::INVALID,
            _ => ConntrackStates::NEW,
        };
        packet.states = state.0;
    }

    fn send(&self, packet: &mut Seen) -> Result<String, String> {
        use TableName::{Filter, Mangle, Nat, Raw};
        let device = |packet: &Seen| match self.place(packet.destination) {
            Place::Here => Ok("lo".to_owned()),
            Place::Behind(name) => Ok(name),
            Place::Nowhere => Err("unroutable".to_owned()),
        };
        let local = packet.input.is_empty();
        let nat;
        if local {
            packet.output = device(packet)?;
            self.table(Raw, Hook::Output, packet)?;
            Self::track(packet);
            self.table(Mangle, Hook::Output, packet)?;
            nat = packet.states == ConntrackStates::NEW.0;
            if nat {
                self.table(Nat, Hook::Output, packet)?;
            }
            self.table(Filter, Hook::Output, packet)?;
            packet.output = device(packet)?;
        } else {
            self.table(Raw, Hook::Prerouting, packet)?;
            Self::track(packet);
            self.table(Mangle, Hook::Prerouting, packet)?;
            nat = packet.states == ConntrackStates::NEW.0;
            if nat {
                self.table(Nat, Hook::Prerouting, packet)?;
            }
            packet.output = device(packet)?;
            if packet.output == "lo" {
                packet.output.clear();
                self.table(Mangle, Hook::Input, packet)?;
                self.table(Filter, Hook::Input, packet)?;
                if nat {
                    self.table(Nat, Hook::Input, packet)?;
                }
                return Ok("delivered".to_owned());
            }
            self.table(Mangle, Hook::Forward, packet)?;
            self.table(Filter, Hook::Forward, packet)?;
        }
        self.table(Mangle, Hook::Postrouting, packet)?;
        if nat {
            self.table(Nat, Hook::Postrouting, packet)?;
        }
        if !local {
            return Ok(format!("forwarded {}", packet.output));
        }
        if packet.output != "lo" {
            return Ok(format!("sent {}", packet.output));
        }
        (packet.input, packet.output) = ("lo".to_owned(), String::new());
        self.table(Raw, Hook::Prerouting, packet)?;
        self.table(Mangle, Hook::Prerouting, packet)?;
        self.table(Mangle, Hook::Input, packet)?;
        self.table(Filter, Hook::Input, packet)?;
        Ok("delivered".to_owned())
    }
}

fn outcome(outcome: Outcome<'_>) -> String {
    match outcome {
        Outcome::Delivered => "delivered".to_owned(),
        Outcome::Forwarded(name) => format!("forwarded {name}"),
        Outcome::Sent(name) => format!("sent {name}"),
        Outcome::Dropped(hook) => format!("dropped {}", hook.name()),
        Outcome::Rejected(hook) => format!("rejected {}", hook.name()),
        Outcome::Unroutable => "unroutable".to_owned(),
    }
}

fn fate(fate: Fate, interfaces: &Interfaces) -> String {
    match fate {
        Fate::Delivered => "delivered".to_owned(),
        Fate::Forwarded(number) => format!("forwarded {}", interfaces.name(number)),
        Fate::Sent(number) => format!("sent {}", interfaces.name(number)),
        Fate::Dropped(hook) => format!("dropped {}", hook.name()),
        Fate::Rejected(hook) => format!("rejected {}", hook.name()),
        Fate::Unroutable => "unroutable".to_owned(),
    }
}

fn compare(seed: u64, packets: usize) -> HashMap<String, usize> {
    let mut numbers = Numbers::new(seed);
    let program = program(&mut numbers);
    let (own, routes) = node();
    let decisions = Decisions::default();
    let interpreter = Interpreter { program: &program, interfaces: &own, routes: &routes, decisions };
    let kernel = Kernel::new(&program, Routes::new(&own, &routes));
    let interfaces = Interfaces::new(&program, &kernel.routes, INTERFACES);
    let attribution = match seed % 2 {
        0 => Attribution::Off,
        _ => Attribution::On { verdicts: 1 },
    };
    let mut symbolic = Symbolic::new(Family::V4, &kernel.v4, &kernel.routes, &interfaces, attribution);
    let mut outcomes = HashMap::new();
    for connection in [Connection::First, Connection::Answer] {
        let flows = [Arrival::Outside, Arrival::Process]
            .map(|arrival| symbolic.send(PacketSet::ALL, arrival, connection));
        for _ in 0..packets {
            let protocol = numbers.pick(&PROTOCOLS);
            let port = |numbers: &mut Numbers| match protocol {
                1 => numbers.pick(&[0, 3, 8]),
                4 => 0,
                _ => numbers.pick(&PORTS),
            };
            let first = connection == Connection::First;
            let before = Seen {
                source: address(&mut numbers),
                destination: address(&mut numbers),
                protocol,
                sport: port(&mut numbers),
                dport: if protocol == 1 { 0 } else { port(&mut numbers) },
                input: if numbers.one_in(4) { String::new() } else { numbers.pick(&INTERFACES).to_owned() },
                output: String::new(),
                mark: 0,
                connection_mark: first.then_some(0),
                states: ConntrackStates::INVALID.0,
                first,
                untracked: false,
            };
            let mut packet = Packet {
                family: Family::V4,
                source: u128::from(u32::from(before.source)),
                destination: u128::from(u32::from(before.destination)),
                protocol,
                source_port: before.sport,
                destination_port: before.dport,
                syn: protocol == TCP && first,
                in_interface: &before.input,
                out_interface: "",
                mark: 0,
                connection_mark: if first { 0 } else { numbers.pick(&CONNECTION_MARKS) },
                state: ConntrackStates::INVALID,
                untracked: false,
            };
            let mut point = [0u128; Field::ALL.len()];
            point[Field::InInterface as usize] = u128::from(interfaces.number(&before.input));
            point[Field::Protocol as usize] = u128::from(protocol);
            point[Field::SourcePort as usize] = u128::from(before.sport);
            point[Field::DestinationPort as usize] = u128::from(before.dport);
            point[Field::Source as usize] = packet.source;
            point[Field::Destination as usize] = packet.destination;
            let wanted = interpreter.outcomes(&before);
            let was = format!("{packet:?}");
            let met = outcome(kernel.send(&mut packet, connection, &mut ()));
            assert!(wanted.contains(&met), "seed {seed}: {was}: {met}, not {wanted:?}");
            let side = usize::from(before.input.is_empty());
            let holding = flows[side].iter().filter(|flow| symbolic.space.contains(flow.set, &point));
            let holding: Vec<&Flow> = holding.collect();
            let fates: BTreeSet<String> =
                holding.iter().map(|flow| fate(flow.fate.unwrap(), &interfaces)).collect();
            // of a mark that is not known, only some bits are followed
            let is_unknown = holding.iter().any(|flow| flow.doubt == Doubt::Connection);
            let same = if is_unknown { wanted.is_subset(&fates) } else { wanted == fates };
            assert!(same, "seed {seed}: {was}: {fates:?}, not {wanted:?}");
            let is_sure = |flow: &&Flow| flow.limits.is_empty() && flow.doubt == Doubt::None;
            let sure = holding.iter().filter(|flow| is_sure(flow)).count();
            match fates.len() {
                1 => assert_eq!(sure, holding.len(), "seed {seed}: {was}: doubt about nothing"),
                _ => assert_eq!(sure, 0, "seed {seed}: {was}: no doubt"),
            }
            let kind = if wanted.len() == 1 { met } else { "one of several".to_owned() };
            *outcomes.entry(kind).or_insert(0) += 1;
        }
    }
    outcomes
}

#[test]
fn random_rule_sets_mean_the_same_to_everyone() {
    let seeds: Vec<u64> = (1..=2_000).collect();
    let counts = common::in_parallel(&seeds, |seed| compare(*seed, 260));
    let mut all: HashMap<String, usize> = HashMap::new();
    for (outcome, count) in counts.into_iter().flatten() {
        *all.entry(outcome).or_insert(0) += count;
    }
    let packets: usize = all.values().sum();
    assert!(packets > 1_000_000, "only {packets} packets");
    // every outcome comes up often enough to mean something
    for outcome in [
        "delivered",
        "forwarded eth1",
        "sent eth0",
        "dropped prerouting",
        "rejected forward",
        "dropped postrouting",
        "one of several",
    ] {
        assert!(all.get(outcome).is_some_and(|count| *count > 1_000), "{outcome}: {all:?}");
    }
}
