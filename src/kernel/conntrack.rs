//! The state that connection tracking gives a packet.
//!
//! The kernel's own rules (Linux 6.18, `net/netfilter/nf_conntrack_proto_icmp.c`, `…_icmpv6.c`, `…_tcp.c`).

use super::packet::{ICMP, ICMP_V6, Packet, SCTP, TCP};
use crate::ir::{ConntrackStates, Family};

/// What is known of a packet's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// nothing: it is the first packet
    First,
    /// it answers a packet that conntrack knows
    Answer,
    /// it answers a packet that was exempt from tracking
    AnswerToUntracked,
}

/// IPv4 and IPv6 in another packet.
pub const TUNNELS: [u8; 2] = [4, 41];

/// The state of a packet that is not exempt from tracking.
pub fn state(packet: &Packet<'_>, connection: Connection) -> ConntrackStates {
    if is_never_tracked(packet) {
        return ConntrackStates::UNTRACKED;
    }
    match connection {
        Connection::Answer => ConntrackStates::ESTABLISHED,
        Connection::First if begins_a_connection(packet) => ConntrackStates::NEW,
        Connection::First => ConntrackStates::INVALID,
        // an answer alone begins nothing where the protocol tells the two apart
        Connection::AnswerToUntracked => match packet.protocol {
            TCP | SCTP => ConntrackStates::INVALID,
            _ if begins_a_connection(packet) => ConntrackStates::NEW,
            _ => ConntrackStates::INVALID,
        },
    }
}

/// Neighbour discovery without redirects, listener reports and multicast router discovery of IPv6
/// (`noct_valid_new`, `net/netfilter/nf_conntrack_proto_icmpv6.c`).
fn is_never_tracked(packet: &Packet<'_>) -> bool {
    packet.family == Family::V6
        && packet.protocol == ICMP_V6
        && matches!(packet.source_port, 130..=136 | 143 | 151 | 152)
}

/// Of ICMP only requests do; errors that quote an unknown packet, and answers, do not. Nor does ICMP of the other
/// family (`nf_conntrack_icmp_packet` and `nf_conntrack_icmpv6_packet` look at the family first).
fn begins_a_connection(packet: &Packet<'_>) -> bool {
    match (packet.family, packet.protocol) {
        // echo, timestamp, information, address mask
        (Family::V4, ICMP) => matches!(packet.source_port, 8 | 13 | 15 | 17),
        // echo, node information
        (Family::V6, ICMP_V6) => matches!(packet.source_port, 128 | 139),
        (_, protocol) => !matches!(protocol, ICMP | ICMP_V6),
    }
}

/// Whether the kernel answers a rejected packet. It sends no error about an error, for which it also takes router
/// discovery of IPv4, types 9 and 10 (`icmp_pointers`, `net/ipv4/icmp.c`), and none about a packet whose checksum is
/// wrong. It takes whatever follows the header for something with a checksum, unless it knows the protocol to have
/// none (`nf_reject_verify_csum`, `include/net/netfilter/nf_reject.h`). Packets in packets add up to anything.
pub fn is_answered(packet: &Packet<'_>) -> bool {
    match (packet.family, packet.protocol) {
        (Family::V4, ICMP) => matches!(packet.source_port, 0 | 8 | 13..=18),
        (Family::V6, ICMP_V6) => packet.source_port >= 128,
        (_, protocol) => !TUNNELS.contains(&protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet with this type of ICMP, or source port.
    fn packet(family: Family, protocol: u8, kind: u16) -> Packet<'static> {
        Packet {
            family,
            source: 1,
            destination: 2,
            protocol,
            source_port: kind,
            destination_port: 0,
            syn: false,
            in_interface: "eth0",
            out_interface: "",
            mark: 0,
            connection_mark: 0,
            state: ConntrackStates(0),
            untracked: false,
        }
    }

    #[test]
    fn errors_and_packets_in_packets_are_not_answered() {
        let answered = |family, protocol, kind| is_answered(&packet(family, protocol, kind));
        let v4 = (0..=255).filter(|kind| answered(Family::V4, ICMP, *kind));
        assert_eq!(v4.collect::<Vec<_>>(), [0, 8, 13, 14, 15, 16, 17, 18]);
        assert!(answered(Family::V6, ICMP_V6, 128) && !answered(Family::V6, ICMP_V6, 127));
        assert!(answered(Family::V4, TCP, 0) && !answered(Family::V4, 4, 0) && !answered(Family::V6, 41, 0));
    }

    #[test]
    fn icmp_has_its_own_states() {
        let state_of = |family, protocol, kind| state(&packet(family, protocol, kind), Connection::First);
        let cases = [
            (Family::V4, ICMP, 8, ConntrackStates::NEW),
            (Family::V4, ICMP, 3, ConntrackStates::INVALID),
            // of the other family
            (Family::V4, ICMP_V6, 128, ConntrackStates::INVALID),
            (Family::V6, ICMP, 8, ConntrackStates::INVALID),
            (Family::V6, ICMP_V6, 128, ConntrackStates::NEW),
            (Family::V6, ICMP_V6, 136, ConntrackStates::UNTRACKED),
            // a redirect
            (Family::V6, ICMP_V6, 137, ConntrackStates::INVALID),
            (Family::V6, ICMP_V6, 143, ConntrackStates::UNTRACKED),
            (Family::V6, ICMP_V6, 151, ConntrackStates::UNTRACKED),
            (Family::V6, ICMP_V6, 153, ConntrackStates::INVALID),
        ];
        for (family, protocol, kind, wanted) in cases {
            assert_eq!(state_of(family, protocol, kind), wanted, "{family:?} {protocol} {kind}");
        }
    }
}
