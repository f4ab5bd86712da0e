//! A packet, as far as rules look at it.

use crate::ir::{ConntrackStates, Family, Side};
use crate::model::core::TransportProtocol;
pub use crate::space::nets::{number, range, ranges};

/// What a packet is when it meets a rule.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// address family
    pub family: Family,
    /// source address, see [`number`]
    pub source: u128,
    /// destination address
    pub destination: u128,
    /// IP protocol
    pub protocol: u8,
    /// source port, or ICMP type; 0 where the protocol has neither
    pub source_port: u16,
    /// destination port, or ICMP code
    pub destination_port: u16,
    /// a TCP segment with SYN and without ACK
    pub syn: bool,
    /// where it came in, "" if it was made on the node
    pub in_interface: &'a str,
    /// where it goes out, "" before that is known
    pub out_interface: &'a str,
    /// the packet mark
    pub mark: u32,
    /// the mark of its connection: 0 for a first packet; means nothing where it has none
    pub connection_mark: u32,
    /// conntrack's state; before conntrack has seen the packet, rules see it as INVALID
    pub state: ConntrackStates,
    /// a rule has exempted it from tracking
    pub untracked: bool,
}

/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// SCTP.
pub const SCTP: u8 = 132;
/// UDP-Lite.
pub const UDP_LITE: u8 = 136;
/// DCCP.
pub const DCCP: u8 = 33;
/// ICMP.
pub const ICMP: u8 = 1;
/// ICMPv6.
pub const ICMP_V6: u8 = 58;

/// The IP protocol of a Service's or a pod's port.
pub fn transport(protocol: TransportProtocol) -> Option<u8> {
    match protocol {
        TransportProtocol::Tcp => Some(TCP),
        TransportProtocol::Udp => Some(UDP),
        TransportProtocol::Sctp => Some(SCTP),
        TransportProtocol::Other => None,
    }
}

/// Protocols with ports.
pub const WITH_PORTS: [u8; 5] = [TCP, UDP, DCCP, SCTP, UDP_LITE];

/// States of packets that belong to a connection, or begin one.
pub const CONNECTED: ConntrackStates =
    ConntrackStates::NEW.or(ConntrackStates::RELATED).or(ConntrackStates::ESTABLISHED);

impl Packet<'_> {
    /// Whether conntrack knows a connection that it belongs to.
    pub fn has_connection(&self) -> bool {
        self.state.intersects(CONNECTED)
    }

    /// An address of it.
    pub fn address(&self, side: Side) -> u128 {
        match side {
            Side::Source => self.source,
            Side::Destination => self.destination,
        }
    }

    /// A port of it, if its protocol has ports.
    pub fn port(&self, side: Side) -> Option<u16> {
        WITH_PORTS.contains(&self.protocol).then_some(match side {
            Side::Source => self.source_port,
            Side::Destination => self.destination_port,
        })
    }
}
