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

/// Neighbour discovery and listener reports of IPv6.
fn is_never_tracked(packet: &Packet<'_>) -> bool {
    packet.family == Family::V6 && packet.protocol == ICMP_V6 && matches!(packet.source_port, 130..=137 | 143)
}

/// Of ICMP only requests do; errors that quote an unknown packet, and answers, do not.
fn begins_a_connection(packet: &Packet<'_>) -> bool {
    match (packet.family, packet.protocol) {
        // echo, timestamp, information, address mask
        (Family::V4, ICMP) => matches!(packet.source_port, 8 | 13 | 15 | 17),
        // echo, node information
        (Family::V6, ICMP_V6) => matches!(packet.source_port, 128 | 139),
        _ => true,
    }
}

/// Whether the kernel answers a rejected packet. It sends no error about an error.
pub fn is_answered(packet: &Packet<'_>) -> bool {
    match (packet.family, packet.protocol) {
        (Family::V4, ICMP) => matches!(packet.source_port, 0 | 8 | 9 | 10 | 13..=18),
        (Family::V6, ICMP_V6) => packet.source_port >= 128,
        _ => true,
    }
}
