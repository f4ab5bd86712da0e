//! Lists of networks.

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Net, Ipv6Subnets};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The fewest networks that have just the addresses of these, in order. There is one such list: the
/// largest networks that lie in the union.
pub fn fewest(nets: &[IpNet]) -> Vec<IpNet> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for net in nets {
        match net {
            IpNet::V4(net) => {
                v4.push((u128::from(u32::from(net.network())), u128::from(u32::from(net.broadcast()))))
            }
            IpNet::V6(net) => v6.push((u128::from(net.network()), u128::from(net.broadcast()))),
        }
    }
    let mut all = Vec::with_capacity(nets.len());
    for (first, last) in joined(v4) {
        all.extend(of_v4(first as u32, last as u32).map(IpNet::V4));
    }
    for (first, last) in joined(v6) {
        all.extend(of_v6(first, last).map(IpNet::V6));
    }
    all
}

/// A range of addresses of IPv4 as networks.
pub fn of_v4(first: u32, last: u32) -> impl Iterator<Item = Ipv4Net> {
    Ipv4Subnets::new(Ipv4Addr::from(first), Ipv4Addr::from(last), 0)
}

/// A range of addresses of IPv6 as networks.
pub fn of_v6(first: u128, last: u128) -> impl Iterator<Item = Ipv6Net> {
    Ipv6Subnets::new(Ipv6Addr::from(first), Ipv6Addr::from(last), 0)
}

/// The same numbers as ranges in order that do not touch.
pub fn joined<N: Copy + Ord + Next>(mut all: Vec<(N, N)>) -> Vec<(N, N)> {
    all.sort_unstable();
    let mut ranges: Vec<(N, N)> = Vec::with_capacity(all.len());
    for (first, last) in all {
        match ranges.last_mut() {
            Some((_, end)) if first <= end.next() => *end = last.max(*end),
            _ => ranges.push((first, last)),
        }
    }
    ranges
}

/// Numbers that have a next one.
pub trait Next {
    /// The next one; the largest has itself.
    fn next(self) -> Self;
}

impl Next for u128 {
    fn next(self) -> Self {
        self.saturating_add(1)
    }
}

impl Next for u16 {
    fn next(self) -> Self {
        self.saturating_add(1)
    }
}
