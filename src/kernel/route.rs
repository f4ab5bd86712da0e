//! The node's own addresses and its routes.

use super::packet::number;
use crate::ir::Family;
use crate::space::Range;
use crate::syntax::ip_addr::Interface;
use crate::syntax::ip_route::{Route, Way};
use rustc_hash::{FxHashMap, FxHashSet};
use std::net::IpAddr;

/// The name of the loopback interface.
pub const LOOPBACK: &str = "lo";

/// Where packets go.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// of IPv4 and IPv6: by length, the longest first, the routes by their first address
    tables: [Vec<(u8, FxHashMap<u128, Way>)>; 2],
    /// the node's addresses, of IPv4 and IPv6
    local: [FxHashSet<u128>; 2],
    /// the addresses of each interface
    by_interface: FxHashMap<Box<str>, FxHashSet<(bool, u128)>>,
    /// those that come first
    first: FxHashMap<Box<str>, FirstAddresses>,
    /// of IPv4 and IPv6: interfaces in their order, each with the first address that others can answer to
    sources: [Vec<(Box<str>, u128)>; 2],
}

/// Of an interface the first address of each kind, in the order in which `ip address` shows them.
#[derive(Debug, Clone, Copy, Default)]
struct FirstAddresses {
    v4: Option<u128>,
    v6: Option<u128>,
    v6_link_local: Option<u128>,
}

/// Whether an IPv6 address is for use on one link only, also as the address of a group.
pub fn is_link_local(address: u128) -> bool {
    LINK_LOCAL.iter().any(|(first, last)| (*first..=*last).contains(&address))
}

/// `fe80::/10`, `ff02::/16`
pub const LINK_LOCAL: [Range; 2] =
    [(0xfe80 << 112, (0xfec0 << 112) - 1), (0xff02 << 112, (0xff03 << 112) - 1)];

fn index(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}

/// Whether an address means something on the node or the link only.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    }
}

/// The addresses that are the node's own whatever its interfaces have.
fn loopback(family: Family) -> Range {
    match family {
        Family::V4 => (127 << 24, (128 << 24) - 1),
        Family::V6 => (1, 1),
    }
}

/// A range's first address, for a range of this length.
fn first(family: Family, address: u128, length: u8) -> u128 {
    let bits = match family {
        Family::V4 => 32,
        Family::V6 => 128,
    };
    match bits - u32::from(length).min(bits) {
        0 => address,
        128 => 0,
        host => address >> host << host,
    }
}

impl Routes {
    /// Makes them ready to be looked up.
    pub fn new(interfaces: &[Interface], routes: &[Route]) -> Self {
        let mut made = Routes::default();
        for interface in interfaces {
            let own = made.by_interface.entry(interface.name.clone()).or_default();
            let first = made.first.entry(interface.name.clone()).or_default();
            for address in interface.addresses.iter().map(|net| net.addr()) {
                let value = number(address);
                let kind = if address.is_ipv4() { &mut first.v4 } else { &mut first.v6 };
                kind.get_or_insert(value);
                if address.is_ipv6() && is_link_local(value) {
                    first.v6_link_local.get_or_insert(value);
                }
                own.insert((address.is_ipv6(), number(address)));
                made.local[usize::from(address.is_ipv6())].insert(number(address));
            }
            for (family, sources) in made.sources.iter_mut().enumerate() {
                let mut addresses = interface.addresses.iter().map(|net| net.addr());
                let first = addresses.find(|address| {
                    usize::from(address.is_ipv6()) == family
                        && !is_near(*address)
                        && !interface.near.contains(address)
                });
                sources.extend(first.map(|address| (interface.name.clone(), number(address))));
            }
        }
        let mut sorted: Vec<&Route> = routes.iter().collect();
        // stable: of equal metrics the first counts
        sorted.sort_by_key(|route| (std::cmp::Reverse(route.net.prefix_len()), route.metric));
        for route in sorted {
            let table = &mut made.tables[usize::from(route.net.addr().is_ipv6())];
            let length = route.net.prefix_len();
            if table.last().is_none_or(|(last, _)| *last != length) {
                table.push((length, FxHashMap::default()));
            }
            if let Some((_, by_address)) = table.last_mut() {
                by_address.entry(number(route.net.addr())).or_insert_with(|| route.way.clone());
            }
        }
        made
    }

    /// Whether an address is the node's own.
    pub fn is_local(&self, family: Family, address: u128) -> bool {
        let (first, last) = loopback(family);
        self.local[index(family)].contains(&address) || (first..=last).contains(&address)
    }

    /// Whether an address is one of an interface.
    pub fn is_on(&self, family: Family, address: u128, interface: &str) -> bool {
        let own = self.by_interface.get(interface);
        own.is_some_and(|own| own.contains(&(family == Family::V6, address)))
            || (interface == LOOPBACK && family == Family::V4 && address >> 24 == 127)
    }

    /// The address that REDIRECT sends packets to that came in on an interface: its first one, for what was
    /// sent to a link-local one the first of these (`nf_nat_redirect_ipv6`, `net/netfilter/nf_nat_redirect.c`).
    pub fn redirects_to(&self, family: Family, interface: &str, link_local: bool) -> Option<u128> {
        let first = self.first.get(interface)?;
        match (family, link_local) {
            (Family::V4, _) => first.v4,
            (Family::V6, false) => first.v6,
            (Family::V6, true) => first.v6_link_local,
        }
    }

    /// The address that a packet gets for a source when it leaves on an interface and is masqueraded: the first of the
    /// interface, or if that has none, the first of any (`inet_select_addr`, `net/ipv4/devinet.c`).
    pub fn source_on(&self, family: Family, interface: &str) -> Option<u128> {
        let sources = &self.sources[index(family)];
        let own = sources.iter().find(|(name, _)| **name == *interface).or(sources.first());
        own.map(|(_, address)| *address)
    }

    /// The names of all interfaces that have addresses or routes.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        let devices = self.tables.iter().flatten().flat_map(|(_, routes)| routes.values()).filter_map(
            |way| match way {
                Way::Device(device) => Some(&**device),
                Way::Local | Way::Discard => None,
            },
        );
        self.by_interface.keys().map(|name| &**name).chain(devices)
    }

    /// All addresses of a family, as ranges in order, and where packets to them go.
    pub fn ranges(&self, family: Family) -> Vec<(Range, Option<&Way>)> {
        let bits: u32 = if family == Family::V4 { 32 } else { 128 };
        let largest = u128::MAX >> (128 - bits);
        // wherever the way may change
        let mut borders: Vec<u128> = vec![0];
        let mut range = |first: u128, last: u128| {
            borders.push(first);
            borders.extend(last.checked_add(1).filter(|next| *next <= largest));
        };
        for (length, routes) in &self.tables[index(family)] {
            let host = bits - u32::from(*length).min(bits);
            let size = if host == 128 { u128::MAX } else { (1 << host) - 1 };
            routes.keys().for_each(|first| range(*first, first | size));
        }
        self.local_ranges(family).into_iter().for_each(|(first, last)| range(first, last));
        borders.sort_unstable();
        borders.dedup();
        let mut ranges: Vec<(Range, Option<&Way>)> = Vec::with_capacity(borders.len());
        for (place, first) in borders.iter().enumerate() {
            let last = borders.get(place + 1).map_or(largest, |next| next - 1);
            let way = self.way(family, *first);
            match ranges.last_mut() {
                Some((range, before)) if *before == way => range.1 = last,
                _ => ranges.push(((*first, last), way)),
            }
        }
        ranges
    }

    /// The node's own addresses.
    pub fn local_ranges(&self, family: Family) -> Vec<Range> {
        let own = self.local[index(family)].iter().map(|address| (*address, *address));
        let mut ranges: Vec<Range> = own.chain([loopback(family)]).collect();
        ranges.sort_unstable();
        ranges
    }

    /// The addresses of an interface.
    pub fn ranges_on(&self, family: Family, interface: &str) -> Vec<Range> {
        let own = self.by_interface.get(interface).into_iter().flatten();
        let mut ranges: Vec<Range> = own
            .filter(|(v6, _)| *v6 == (family == Family::V6))
            .map(|(_, address)| (*address, *address))
            .collect();
        if interface == LOOPBACK && family == Family::V4 {
            ranges.push(loopback(family));
        }
        ranges.sort_unstable();
        ranges
    }

    /// Where packets to an address go; `None` without a route.
    pub fn way(&self, family: Family, address: u128) -> Option<&Way> {
        if self.is_local(family, address) {
            return Some(&Way::Local);
        }
        let table = &self.tables[index(family)];
        table.iter().find_map(|(length, routes)| routes.get(&first(family, address, *length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{ip_addr, ip_route};

    #[test]
    fn the_longest_route_counts_and_own_addresses_come_first() {
        let interfaces =
            ip_addr::parse(r#"[{"ifname": "eth0", "addr_info": [{"local": "10.0.0.11", "prefixlen": 24}]}]"#)
                .unwrap();
        let routes = ip_route::parse(
            r#"[{"dst": "default", "dev": "eth1"}, {"dst": "10.0.0.0/24", "dev": "eth0"}, {"dst": "10.0.0.7", "dev": "cali7"}]"#,
        )
        .unwrap();
        let routes = Routes::new(&interfaces, &routes);
        let way = |text: &str| routes.way(Family::V4, number(text.parse().unwrap())).cloned();
        assert_eq!(way("10.0.0.11"), Some(Way::Local));
        assert_eq!(way("127.9.9.9"), Some(Way::Local));
        assert_eq!(way("10.0.0.7"), Some(Way::Device("cali7".into())));
        assert_eq!(way("10.0.0.8"), Some(Way::Device("eth0".into())));
        assert_eq!(way("8.8.8.8"), Some(Way::Device("eth1".into())));
        assert_eq!(routes.way(Family::V6, 5), None);
        assert!(routes.is_on(Family::V4, number("10.0.0.11".parse().unwrap()), "eth0"));
    }
}
