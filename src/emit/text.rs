//! Pieces of text that several spellings share.

use crate::ir::{ConntrackStates, Side, Translation};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Appends `80` or `80:90`, comma separated.
pub fn ports(out: &mut String, ports: &[(u16, u16)]) {
    for (i, (first, last)) in ports.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        number(out, u64::from(*first));
        if first != last {
            out.push(':');
            number(out, u64::from(*last));
        }
    }
}

/// Appends `--sport 80` or `--dport 80:90`, with `not` before it.
pub fn own_port(out: &mut String, side: Side, range: (u16, u16), not: &str) {
    out.push_str(not);
    out.push_str(match side {
        Side::Source => "--sport ",
        Side::Destination => "--dport ",
    });
    ports(out, &[range]);
}

/// Appends a share of 2³¹ as a decimal fraction with the digits that iptables prints
/// (`extensions/libxt_statistic.c`, 1.8.9).
pub fn probability(out: &mut String, count: u32) {
    let _ = write!(out, "{:.11}", f64::from(count) / f64::from(1u32 << 31));
}

/// Appends a decimal number. Rules and sets are mostly numbers, so this does without `fmt`.
pub fn number(out: &mut String, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[at..]).expect("digits are ASCII"));
}

/// Appends words one after another. Rules are mostly words, so this does without `fmt`.
pub fn words<const N: usize>(out: &mut String, words: [&str; N]) {
    words.iter().for_each(|word| out.push_str(word));
}

/// Appends a hexadecimal number, `0x` before it.
pub fn hex(out: &mut String, value: u32) {
    out.push_str("0x");
    let digits = (u32::BITS - value.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(char::from(b"0123456789abcdef"[(value >> (digit * 4) & 0xf) as usize]));
    }
}

/// Appends an IPv4 address.
pub fn ipv4(out: &mut String, address: Ipv4Addr) {
    for (i, octet) in address.octets().into_iter().enumerate() {
        if i > 0 {
            out.push('.');
        }
        number(out, u64::from(octet));
    }
}

/// Appends an IPv6 address as C's `inet_ntop` prints it, which iptables and ipset use. It differs
/// from Rust's in one case: an address that ends a run of exactly six zero groups has its last 32
/// bits in dotted form.
pub fn ipv6(out: &mut String, address: Ipv6Addr) {
    let groups = address.segments();
    if groups[..6] == [0; 6] && groups[6] != 0 {
        out.push_str("::");
        let [.., a, b, c, d] = address.octets();
        ipv4(out, Ipv4Addr::new(a, b, c, d));
    } else {
        let _ = write!(out, "{address}");
    }
}

/// Appends an address of either family as C's `inet_ntop` prints it.
pub fn address(out: &mut String, value: IpAddr) {
    match value {
        IpAddr::V4(v4) => ipv4(out, v4),
        IpAddr::V6(v6) => ipv6(out, v6),
    }
}

/// Appends `80`, or `80-90`.
pub fn dashed(out: &mut String, (first, last): (u16, u16)) {
    number(out, u64::from(first));
    if first != last {
        out.push('-');
        number(out, u64::from(last));
    }
}

/// Appends `address`, `first-last`, and `:ports` as `write_ports` writes them, with brackets round IPv6
/// addresses that have ports.
pub fn endpoints(out: &mut String, to: &Translation, write_ports: impl Fn(&mut String, (u16, u16))) {
    if let Some((first, last)) = to.addresses {
        let brackets = to.ports.is_some() && first.is_ipv6();
        if brackets {
            out.push('[');
        }
        address(out, first);
        if first != last {
            out.push('-');
            address(out, last);
        }
        if brackets {
            out.push(']');
        }
    }
    if let Some(ports) = to.ports {
        out.push(':');
        write_ports(out, ports);
    }
}

/// Appends ` --to-ports` and how ports are chosen.
pub fn to_ports(out: &mut String, to: &Translation, write_ports: impl Fn(&mut String, (u16, u16))) {
    if let Some(ports) = to.ports {
        out.push_str(" --to-ports ");
        write_ports(out, ports);
    }
    choice(out, to);
}

/// Appends how addresses and ports are chosen, in iptables' order.
pub fn choice(out: &mut String, to: &Translation) {
    let flags =
        [(to.random, " --random"), (to.random_fully, " --random-fully"), (to.persistent, " --persistent")];
    flags.into_iter().filter(|(is_there, _)| *is_there).for_each(|(_, word)| out.push_str(word));
}

/// Appends the names of the states, comma separated, in iptables' order.
pub fn conntrack_states(out: &mut String, states: ConntrackStates) {
    let mut separator = "";
    for (name, state) in ConntrackStates::NAMES {
        if states.intersects(state) {
            out.push_str(separator);
            out.push_str(name);
            separator = ",";
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        let mut out = String::new();
        address(&mut out, text.parse().unwrap());
        out
    }

    #[test]
    fn addresses_print_as_inet_ntop_prints_them() {
        for text in [
            "0.0.0.0",
            "10.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "2001:db8::1",
            "::ffff:1.2.3.4",
            "fe80::1:0:0:1",
        ] {
            assert_eq!(printed(text), text);
        }
        assert_eq!(printed("::102:304"), "::1.2.3.4");
        assert_eq!(printed("::1:304"), "::0.1.3.4");
    }

    #[test]
    fn numbers_print_as_c_prints_them() {
        for value in [0, 1, 0xf, 0x10, 0x1b_0000, 0x8000_0000, u32::MAX] {
            let mut out = String::new();
            hex(&mut out, value);
            out.push(' ');
            number(&mut out, value.into());
            assert_eq!(out, format!("{value:#x} {value}"));
        }
    }

    #[test]
    fn ports_print_singly_or_as_ranges() {
        let mut out = String::new();
        ports(&mut out, &[(80, 80), (8000, 8010), (0, 65535)]);
        assert_eq!(out, "80,8000:8010,0:65535");
    }
}
