//! Addresses and networks as numbers and ranges, and lists of networks.

use super::Range;
use crate::ir::Family;
use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address as a number: IPv4 in the low 32 bits. The family is known from elsewhere.
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The address with a number.
pub fn number_to_address(value: u128, family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from(value as u32).into(),
        Family::V6 => Ipv6Addr::from(value).into(),
    }
}

/// A network in words; an address if it is only one.
pub fn text(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// First and last address of a net.
pub fn range(net: IpNet) -> Range {
    (number(net.network()), number(net.broadcast()))
}

/// First and last addresses of those nets that are of a family.
pub fn ranges(nets: &[IpNet], family: Family) -> Vec<Range> {
    let v4 = family == Family::V4;
    nets.iter().filter(|net| net.addr().is_ipv4() == v4).map(|net| range(*net)).collect()
}

/// A range of addresses as the fewest networks.
pub fn of_range((first, last): Range, family: Family) -> IpSubnets {
    match family {
        Family::V4 => {
            let address = |value: u128| Ipv4Addr::from(value as u32);
            IpSubnets::V4(Ipv4Subnets::new(address(first), address(last), 0))
        }
        Family::V6 => IpSubnets::V6(Ipv6Subnets::new(Ipv6Addr::from(first), Ipv6Addr::from(last), 0)),
    }
}

/// About how many addresses of a family networks have that do not overlap.
pub fn size(nets: &[IpNet], family: Family) -> f64 {
    let own = nets.iter().filter(|net| net.addr().is_ipv4() == (family == Family::V4));
    own.map(|net| 2f64.powi(i32::from(net.max_prefix_len() - net.prefix_len()))).sum()
}

/// The fewest networks that have just the addresses of these, in order. There is one such list: the
/// largest networks that lie in the union.
pub fn fewest(nets: &[IpNet]) -> Vec<IpNet> {
    let mut out = Vec::new();
    fewest_v4(nets, &mut out);
    let v6 = joined(ranges(nets, Family::V6));
    out.extend(v6.into_iter().flat_map(|own| of_range(own, Family::V6)));
    out
}

/// The same of IPv4: a range is one number, its first address before its last, so that a million of them are sorted
/// in no time.
fn fewest_v4(nets: &[IpNet], out: &mut Vec<IpNet>) {
    let mut ranges: Vec<u64> = nets
        .iter()
        .filter_map(|net| match net {
            IpNet::V4(net) => {
                Some(u64::from(u32::from(net.network())) << 32 | u64::from(u32::from(net.broadcast())))
            }
            IpNet::V6(_) => None,
        })
        .collect();
    ranges.sort_unstable();
    let joined = joined_in_order(ranges.into_iter().map(|range| ((range >> 32) as u32, range as u32)));
    out.extend(
        joined.into_iter().flat_map(|(first, last)| of_range((first.into(), last.into()), Family::V4)),
    );
}

/// The same numbers as ranges in order that do not touch.
pub fn joined<N: Copy + Ord + Into<u128>>(mut all: Vec<(N, N)>) -> Vec<(N, N)> {
    all.sort_unstable();
    joined_in_order(all.into_iter())
}

/// The same of ranges that are in order.
fn joined_in_order<N: Copy + Ord + Into<u128>>(all: impl ExactSizeIterator<Item = (N, N)>) -> Vec<(N, N)> {
    let mut ranges: Vec<(N, N)> = Vec::with_capacity(all.len());
    for (first, last) in all {
        match ranges.last_mut() {
            Some((_, end)) if first.into() <= (*end).into().saturating_add(1) => *end = last.max(*end),
            _ => ranges.push((first, last)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnet::Ipv4Net;
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
