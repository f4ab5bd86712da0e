//! Which address and port a translation gives a packet.
//!
//! The kernel chooses an address by the packet's addresses (`find_best_ips_proto`, `net/netfilter/nf_nat_core.c`,
//! Linux 6.18), and a port as said at [`port`]. What other connections there are is not known here: that an address
//! and a port are taken already does not come up.

use super::packet::{Packet, WITH_PORTS, number, range};
use super::path::Hook;
use super::route::{Routes, is_link_local};
use crate::ir::{ConntrackStates, Family, Side, Translation};
use ipnet::IpNet;

/// DNAT.
pub(super) fn destination(packet: &mut Packet<'_>, to: &Translation) {
    let address = match to.addresses {
        None => packet.destination,
        Some((first, last)) => choose(packet, number(first), number(last), to.persistent),
    };
    to_address(packet, address, to);
}

/// Gives it this destination, and one of the ports.
pub(super) fn to_address(packet: &mut Packet<'_>, address: u128, to: &Translation) {
    let before = (packet.destination, packet.destination_port);
    packet.destination = address;
    if let (Some(ports), true) = (to.ports, WITH_PORTS.contains(&packet.protocol)) {
        packet.destination_port = port(packet.destination_port, ports, to.random || to.random_fully);
    }
    // one to the same is none
    if before != (packet.destination, packet.destination_port) {
        packet.state = packet.state.or(ConntrackStates::DNAT);
    }
}

/// Gives it this source, and perhaps another source port, which is not followed.
pub(super) fn source(packet: &mut Packet<'_>, address: u128, to: &Translation) {
    // one to the same is none
    if packet.source != address || to.ports.is_some() || to.random || to.random_fully {
        packet.source = address;
        packet.state = packet.state.or(ConntrackStates::SNAT);
    }
}

/// NETMAP of destinations: the network becomes this one.
pub(super) fn network(packet: &mut Packet<'_>, net: IpNet) {
    let (first, last) = range(net);
    to_address(packet, first | (packet.destination & (last - first)), &Translation::default());
}

/// The node's own address that REDIRECT gives; without one the packet is discarded.
pub(super) fn own_address(packet: &Packet<'_>, routes: &Routes, hook: Hook) -> Option<u128> {
    match (hook, packet.family) {
        (Hook::Output, family) => Some(loopback_address(family)),
        (_, family) => {
            let link_local = family == Family::V6 && is_link_local(packet.destination);
            routes.redirects_to(family, packet.in_interface, link_local)
        }
    }
}

/// Where REDIRECT sends what the node itself sends.
pub(super) fn loopback_address(family: Family) -> u128 {
    match family {
        Family::V4 => (127 << 24) + 1,
        Family::V6 => 1,
    }
}

/// The port that a range gives. One in the range is kept, unless it is to be chosen at random. Else any of the
/// range may come: since Linux 6.8 it is the first without `--random`, before then it was any. This is the first.
fn port(own: u16, (first, last): (u16, u16), random: bool) -> u16 {
    let (first, last) = (first.min(last), first.max(last));
    if !random && (first..=last).contains(&own) { own } else { first }
}

/// The addresses that a range may give, as a range: of IPv6, words of 32 bits are chosen one after the other, and
/// behind the first that is not the same at both ends there may be anything.
pub(super) fn possible(family: Family, first: u128, last: u128) -> (u128, u128) {
    match family {
        Family::V4 => (first, last),
        Family::V6 => {
            let same = (first ^ last).leading_zeros() / 32;
            let rest = u128::MAX.checked_shr((same + 1) * 32).unwrap_or(0);
            (first & !rest, last | rest)
        }
    }
}

/// The address that the kernel chooses.
fn choose(packet: &Packet<'_>, first: u128, last: u128, persistent: bool) -> u128 {
    if first == last {
        return first;
    }
    // in memory, words are in the order of the network
    let in_memory = |address: u128| -> [u32; 4] {
        let words = match packet.family {
            Family::V4 => [address as u32, 0, 0, 0],
            Family::V6 => words(address),
        };
        words.map(|word| u32::from_ne_bytes(word.to_be_bytes()))
    };
    let own = match packet.family {
        Family::V4 => 1,
        Family::V6 => 4,
    };
    let destination = in_memory(packet.address(Side::Destination));
    let seed = if persistent { 0 } else { destination[own - 1] };
    let mut hash = hash(in_memory(packet.address(Side::Source)), seed);
    let (lowest, highest) = match packet.family {
        Family::V4 => ([first as u32, 0, 0, 0], [last as u32, 0, 0, 0]),
        Family::V6 => (words(first), words(last)),
    };
    let mut chosen: u128 = 0;
    let mut is_lower = false;
    for at in 0..own {
        let (start, size) = match is_lower {
            true => (0, u32::MAX),
            false => (lowest[at], highest[at].wrapping_sub(lowest[at]).wrapping_add(1)),
        };
        let word = start.wrapping_add(((u64::from(hash) * u64::from(size)) >> 32) as u32);
        is_lower |= word != highest[at];
        if !persistent {
            hash ^= u32::from_ne_bytes(word.to_be_bytes());
        }
        chosen = chosen << 32 | u128::from(word);
    }
    chosen
}

/// From the first to the last.
fn words(address: u128) -> [u32; 4] {
    [96, 64, 32, 0].map(|shift| (address >> shift) as u32)
}

/// Bob Jenkins' hash of four words (lookup3, `include/linux/jhash.h`).
fn hash(words: [u32; 4], seed: u32) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(4 << 2).wrapping_add(seed);
    let mut a = start.wrapping_add(words[0]);
    let mut b = start.wrapping_add(words[1]);
    let mut c = start.wrapping_add(words[2]);
    for rotations in [[4, 6, 8], [16, 19, 4]] {
        a = a.wrapping_sub(c) ^ c.rotate_left(rotations[0]);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(rotations[1]);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(rotations[2]);
        b = b.wrapping_add(a);
    }
    a = a.wrapping_add(words[3]);
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ipv6_is_chosen_word_by_word() {
        let address = |text: &str| number(text.parse().unwrap());
        let range = |first, last| possible(Family::V6, address(first), address(last));
        assert_eq!(range("fd00::5", "fd00::9"), (address("fd00::5"), address("fd00::9")));
        let wide = range("fd00:0:0:1::5:7", "fd00:0:0:3::1:1");
        assert_eq!(wide, (address("fd00:0:0:1::"), address("fd00:0:0:3:ffff:ffff:ffff:ffff")));
    }

    #[test]
    fn a_port_in_the_range_is_kept() {
        assert_eq!(port(85, (80, 90), false), 85);
        assert_eq!(port(85, (80, 90), true), 80);
        assert_eq!(port(91, (80, 90), false), 80);
        assert_eq!(port(91, (90, 80), false), 80);
    }
}
