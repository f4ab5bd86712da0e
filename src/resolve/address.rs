//! Addresses as Calico keeps them: an IPv4 address is IPv4 even where it was written as the IPv6
//! address `::ffff:10.0.0.1` (`libcalico-go/lib/net/ip.go:60`, v3.32.1).

use crate::syntax::cidr;
use ipnet::{IpNet, Ipv4Net};
use std::net::IpAddr;

/// Length of the prefix `::ffff:0:0` under which IPv6 writes IPv4 addresses.
const MAPPED: u8 = 96;

/// Parses an address.
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Parses `address/length`; host bits are zeroed.
pub fn parse_cidr(text: &str) -> Option<IpNet> {
    cidr::parse(text).map(|cidr| normal(cidr.net))
}

/// Parses `address/length` or a bare address, which stands for a network of its own.
pub fn parse_cidr_or_ip(text: &str) -> Option<IpNet> {
    cidr::parse_or_address(text).map(|cidr| normal(cidr.net))
}

/// A network without host bits, and as IPv4 if it is one.
pub fn normal(net: IpNet) -> IpNet {
    let net = net.trunc();
    match net {
        IpNet::V6(v6) if v6.prefix_len() >= MAPPED => v6
            .addr()
            .to_ipv4_mapped()
            .and_then(|address| Ipv4Net::new(address, v6.prefix_len() - MAPPED).ok())
            .map_or(net, |v4| IpNet::V4(v4.trunc())),
        _ => net,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_are_ipv4() {
        for (text, expected) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3/96", "0.0.0.0/0"),
            ("::ffff:10.1.2.3/64", "::/64"),
            ("2001:db8::1/32", "2001:db8::/32"),
        ] {
            assert_eq!(parse_cidr_or_ip(text).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(parse_ip("::ffff:10.1.2.3"), parse_ip("10.1.2.3"));
        assert_eq!(parse_cidr("10.1.2.3"), None);
        assert_eq!(parse_ip("10.1.2.3/32"), None);
    }
}
