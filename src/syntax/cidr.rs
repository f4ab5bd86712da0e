//! Addresses and CIDRs as Go's `net` package reads them.
//!
//! Differences from [`ipnet`]'s own parser: the prefix may carry leading zeros, and the host bits
//! that were written are kept beside the masked network, because Calico's validation asks for them.

use ipnet::IpNet;
use std::net::IpAddr;

/// An address as written and the network it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    /// the address before the slash
    pub address: IpAddr,
    /// the network, host bits zeroed
    pub net: IpNet,
}

impl Cidr {
    /// Whether no host bits were set.
    pub fn is_masked(&self) -> bool {
        self.net.addr() == self.address
    }

    /// 4 or 6.
    pub fn version(&self) -> u8 {
        if self.address.is_ipv4() { 4 } else { 6 }
    }
}

/// Parses `address/length`; `None` if Go's `net.ParseCIDR` would refuse it.
pub fn parse(text: &str) -> Option<Cidr> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    if length.is_empty() || length.len() > 9 || !length.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let length = u8::try_from(length.parse::<u32>().ok()?).ok()?;
    let net = IpNet::new(address, length).ok()?.trunc();
    Some(Cidr { address, net })
}

/// Parses `address/length` or a bare address, which stands for a network of its own.
pub fn parse_or_address(text: &str) -> Option<Cidr> {
    parse(text).or_else(|| {
        let address: IpAddr = text.parse().ok()?;
        Some(Cidr { address, net: IpNet::from(address) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_host_bits_beside_the_network() {
        let cidr = parse("10.1.2.3/8").unwrap();
        assert_eq!(cidr.net.to_string(), "10.0.0.0/8");
        assert_eq!(cidr.address.to_string(), "10.1.2.3");
        assert!(!cidr.is_masked());
        assert!(parse("2001:db8::/032").unwrap().is_masked());
    }

    #[test]
    fn refuses_what_go_refuses() {
        for text in [
            "",
            "10.0.0.1",
            "10.0.0.0/33",
            "010.0.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "fe80::1%eth0/64",
            "10.0.0/8",
            "10.0.0.0/8 ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_bare_address_is_a_network_of_its_own() {
        assert_eq!(parse_or_address("10.0.0.1").unwrap().net.to_string(), "10.0.0.1/32");
        assert_eq!(parse_or_address("::1").unwrap().net.prefix_len(), 128);
        assert_eq!(parse_or_address("10.0.0.1/"), None);
    }
}
