//! Which packets are sent: those of [`random`](super::common::packets::random) that can be measured.

use super::common::Numbers;
use super::common::packets::{Values, random};
use netpolc::ir::{Action, Family, Rule, TableName};
use netpolc::kernel::conntrack::Connection;
use netpolc::kernel::packet::{DCCP, ICMP, ICMP_V6, Packet, number};
use netpolc::kernel::route::Routes;
use netpolc::kernel::{Kernel, Outcome, Watch};
use netpolc::resolve::view::NodeView;
use netpolc::syntax::ip_route::Way;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Types of ICMP and ICMPv6 that conntrack or REJECT tells apart.
const TYPES: [u16; 28] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 19, 127, 128, 129, 130, 133, 136, 137, 138,
    139, 143,
];

/// Where packets of a family come from and go to.
pub struct Places<'n> {
    family: Family,
    values: &'n Values,
    /// addresses by where packets to them go: an interface, or "" for the node itself
    by_way: BTreeMap<&'n str, Vec<u128>>,
}

/// An address of a family as it is written.
pub fn written(family: Family, address: u128) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from(address as u32).into(),
        Family::V6 => Ipv6Addr::from(address).into(),
    }
}

/// Whether the kernel leaves it to rules what becomes of an address.
pub fn is_ordinary(address: IpAddr, view: &NodeView) -> bool {
    let borders = view.interfaces.iter().flat_map(|own| &own.addresses).any(|net| match net {
        // broadcasts, and what once was one (`fib_add_ifaddr`, `net/ipv4/fib_frontend.c`)
        ipnet::IpNet::V4(net) => {
            net.prefix_len() < 31 && (address == net.broadcast() || address == net.network())
        }
        // routers answer to it, so it is the node's own (`addrconf_join_anycast`, `net/ipv6/addrconf.c`)
        ipnet::IpNet::V6(net) => net.prefix_len() < 127 && address == net.network(),
    });
    let special = match address {
        IpAddr::V4(address) => matches!(address.octets()[0], 0 | 127 | 224..),
        IpAddr::V6(address) => !matches!(address.octets()[0], 0x20..=0x3f | 0xfc | 0xfd),
    };
    !special && !borders
}

impl<'n> Places<'n> {
    /// Sorts out addresses.
    pub fn new(family: Family, values: &'n Values, view: &NodeView, routes: &'n Routes) -> Self {
        let mut by_way: BTreeMap<&str, Vec<u128>> = BTreeMap::new();
        let own = view.workloads.iter().flat_map(|pod| &pod.addresses);
        let own =
            own.filter(|address| address.is_ipv6() == (family == Family::V6)).map(|address| number(*address));
        let addresses = values.addresses.iter().copied().chain(own);
        for address in addresses.filter(|address| is_ordinary(written(family, *address), view)) {
            match routes.way(family, address) {
                Some(Way::Device(device)) => by_way.entry(device).or_default().push(address),
                Some(Way::Local) => by_way.entry("").or_default().push(address),
                Some(Way::Discard) | None => by_way.entry("unroutable").or_default().push(address),
            }
        }
        Places { family, values, by_way }
    }

    /// A packet; `None` if this one cannot be measured.
    pub fn draw(
        &self,
        numbers: &mut Numbers,
        interfaces: &'n [String],
        view: &NodeView,
    ) -> Option<Packet<'n>> {
        let mut packet = random(numbers, self.family, self.values, Connection::First);
        if !packet.in_interface.is_empty() {
            packet.in_interface = numbers.one_of(interfaces).as_str();
        }
        // most sources are where they belong, and most destinations somewhere else than in the widest range
        if !numbers.one_in(4)
            && let Some(addresses) = self.by_way.get(packet.in_interface)
        {
            packet.source = numbers.pick(addresses);
        }
        if !numbers.one_in(4) {
            let ways: Vec<&Vec<u128>> = self.by_way.values().collect();
            let way = numbers.pick(&ways);
            packet.destination = numbers.pick(way);
        }
        if packet.source_port > 255 && numbers.one_in(2) {
            packet.source_port = 50_000 + numbers.below(10_000) as u16;
        }
        if packet.protocol == DCCP {
            // conntrack looks into DCCP, or no longer does: IPv6 in a packet instead
            (packet.protocol, packet.source_port, packet.destination_port) = (41, 0, 0);
        }
        if matches!(packet.protocol, ICMP | ICMP_V6) && numbers.one_in(2) {
            packet.source_port = numbers.pick(&TYPES);
        }
        let ordinary = |address| is_ordinary(written(self.family, address), view);
        let varies = match packet.protocol {
            // conntrack leaves them alone, or does not yet
            ICMP_V6 => matches!(packet.source_port, 151 | 152),
            _ => false,
        };
        (!varies && ordinary(packet.source) && ordinary(packet.destination)).then_some(packet)
    }
}

/// What `trace` says.
pub struct Said<'k> {
    /// the outcome
    pub outcome: Outcome<'k>,
    /// the packet as it ended
    pub end: Packet<'k>,
    /// a limit had a part in it, so what was before counts
    pub is_limited: bool,
}

struct Limits(bool);

impl Watch for Limits {
    fn rule(&mut self, _: TableName, _: &str, rule: &Rule) {
        let decides = !matches!(rule.action, Some(Action::Log { .. } | Action::NfLog { .. }));
        self.0 |= decides && rule.matches.iter().any(|one| one.on.holds_within_limit().is_some());
    }
}

/// Asks the kernel of `trace`.
pub fn ask<'k>(kernel: &'k Kernel<'_>, mut packet: Packet<'k>, connection: Connection) -> Said<'k> {
    let mut limits = Limits(false);
    let outcome = kernel.send(&mut packet, connection, &mut limits);
    Said { outcome, end: packet, is_limited: limits.0 }
}
