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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a network")
    }

    #[test]
    fn all_that_is_said_twice_goes() {
        let nets = [
            "10.0.1.0/24",
            "10.0.0.0/24",
            "10.0.0.128/25",
            "10.0.0.0/24",
            "2001:db8::/33",
            "2001:db8:8000::/33",
        ];
        assert_eq!(fewest(&nets.map(net)), [net("10.0.0.0/23"), net("2001:db8::/32")]);
        assert_eq!(fewest(&["0.0.0.0/1", "128.0.0.0/1"].map(net)), [net("0.0.0.0/0")]);
        assert_eq!(fewest(&["::/0", "ffff::/16"].map(net)), [net("::/0")]);
        assert_eq!(fewest(&[]), []);
        // neighbours that are not siblings stay two
        assert_eq!(fewest(&["10.0.1.0/24", "10.0.2.0/24"].map(net)).len(), 2);
    }

    fn of_v4() -> impl Strategy<Value = IpNet> {
        // few addresses, so that networks meet
        (0u32..64, 24u8..=32).prop_map(|(host, length)| {
            IpNet::V4(
                Ipv4Net::new(Ipv4Addr::from(0x0a00_0000 | host << 2), length).expect("a length").trunc(),
            )
        })
    }

    proptest! {
        #[test]
        fn they_are_what_another_library_makes_of_them(nets in proptest::collection::vec(of_v4(), 0..40)) {
            let mut other = IpNet::aggregate(&nets);
            other.sort();
            prop_assert_eq!(fewest(&nets), other);
        }

        #[test]
        fn joined_ranges_have_the_same_numbers(
            ranges in proptest::collection::vec((0u16..50, 0u16..10), 0..20)
        ) {
            let ranges: Vec<(u16, u16)> = ranges.into_iter().map(|(first, more)| (first, first + more)).collect();
            let has = |ranges: &[(u16, u16)], n| ranges.iter().any(|(first, last)| (*first..=*last).contains(&n));
            let joined = joined(ranges.clone());
            for n in 0..70 {
                prop_assert_eq!(has(&ranges, n), has(&joined, n));
            }
            prop_assert!(joined.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}
