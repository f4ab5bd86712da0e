//! A packet that is sent, as a row of a file and as `trace` sees it.

use super::draw::{Said, ask, written};
use super::frame::VRRP;
use netpolc::ir::{ConntrackStates, Family};
use netpolc::kernel::conntrack::Connection;
use netpolc::kernel::packet::{ICMP, ICMP_V6, Packet, SCTP, TCP, UDP, UDP_LITE};
use netpolc::kernel::{Kernel, Outcome};
use netpolc::trace::row;

/// A packet, and what `trace` says.
pub struct Sent<'k> {
    /// the packet
    pub packet: Packet<'k>,
    /// what it belongs to
    pub connection: Connection,
    /// what becomes of it
    pub said: Said<'k>,
    /// as it stands in a file
    pub row: String,
}

impl<'k> Sent<'k> {
    /// Asks what becomes of it.
    pub fn new(kernel: &'k Kernel<'_>, packet: Packet<'k>, connection: Connection) -> Self {
        let said = ask(kernel, packet, connection);
        let row = row_of(&packet, connection);
        let (parsed, _) = row::parse(&row).expect("a row");
        // but for what its connection has been through
        let told = Packet { connection_mark: 0, ..packet };
        assert_eq!(format!("{parsed:?}"), format!("{told:?}"), "a row says all of a packet");
        Sent { packet, connection, said, row }
    }

    /// A row of a recording, the first packet of a connection.
    pub fn recorded(kernel: &'k Kernel<'_>, row: &'k str) -> Self {
        let (packet, connection) = row::parse(row).expect("a row");
        Sent::new(kernel, packet, connection)
    }

    /// What it must not have in common with others that are under way: with ports the pair of ports, else each
    /// address, also as rewritten. Then none belongs to a connection of another one.
    pub fn marks(&self) -> Vec<(u8, u128, u128)> {
        let of = |packet: &Packet<'_>| match packet.protocol {
            TCP | UDP | SCTP | UDP_LITE => {
                let ports = [packet.source_port, packet.destination_port].map(u128::from);
                vec![(packet.protocol, ports[0].min(ports[1]), ports[0].max(ports[1]))]
            }
            // they have numbers of their own
            ICMP | ICMP_V6 => Vec::new(),
            other => vec![(other, packet.source, 0), (other, packet.destination, 0)],
        };
        [of(&self.packet), of(&self.said.end)].concat()
    }

    /// Whether what becomes of it depends on nothing else.
    pub fn can_be_measured(&self) -> bool {
        let is_rejected = matches!(self.said.outcome, Outcome::Rejected(_));
        !(self.said.is_limited || is_rejected && self.is_strange())
    }

    /// REJECT answers what has a checksum that is right. ICMP of the other family has none; and what translation does
    /// not know, where the checksum covers addresses, has none afterwards. Nor does it answer the first address of a
    /// network of IPv6, nor from a loopback address to another node, which a process may claim to be.
    fn is_strange(&self) -> bool {
        let (packet, end) = (&self.packet, &self.said.end);
        let to_loopback =
            packet.in_interface.is_empty() && written(end.family, end.destination).is_loopback();
        let from_first = packet.family == Family::V6 && packet.source as u64 == 0;
        let no_checksum = match (packet.family, packet.protocol) {
            (Family::V4, ICMP_V6) | (Family::V6, ICMP) => true,
            (Family::V6, VRRP) => packet.destination != end.destination,
            _ => false,
        };
        to_loopback || from_first || no_checksum
    }

    /// The outcome in the words of `trace`.
    pub fn outcome(&self) -> String {
        let mut line = String::new();
        row::answer(&mut line, "", self.said.outcome);
        line.split('\t').nth(1).expect("an outcome").to_owned()
    }

    /// The genuine answer to it, which comes from where it went.
    pub fn answer(&self, kernel: &'k Kernel<'_>) -> Option<Sent<'k>> {
        let (Outcome::Forwarded(interface) | Outcome::Sent(interface)) = self.said.outcome else {
            return None;
        };
        let first = self.packet;
        let (source_port, destination_port) = match (first.protocol, first.source_port) {
            (ICMP, 8) => (0, first.destination_port),
            (ICMP, kind @ (13 | 15 | 17)) => (kind + 1, first.destination_port),
            (ICMP_V6, kind @ (128 | 139)) => (kind + 1, first.destination_port),
            (ICMP | ICMP_V6, _) => return None,
            _ => (first.destination_port, first.source_port),
        };
        let connection = match self.said.end.untracked {
            true => Connection::AnswerToUntracked,
            false if self.said.end.state == ConntrackStates::NEW => Connection::Answer,
            false => return None,
        };
        let packet = Packet {
            source: first.destination,
            destination: first.source,
            source_port,
            destination_port,
            syn: false,
            connection_mark: self.said.end.connection_mark,
            in_interface: interface,
            ..first
        };
        Some(Sent::new(kernel, packet, connection))
    }
}

/// Every column as `trace` reads it.
fn row_of(packet: &Packet<'_>, connection: Connection) -> String {
    let family = match packet.family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    let protocol = match packet.protocol {
        TCP => "tcp".to_owned(),
        UDP => "udp".to_owned(),
        SCTP => "sctp".to_owned(),
        UDP_LITE => "udplite".to_owned(),
        ICMP => "icmp".to_owned(),
        ICMP_V6 => "icmpv6".to_owned(),
        number => number.to_string(),
    };
    let has_ports = matches!(packet.protocol, TCP | UDP | SCTP | UDP_LITE | ICMP | ICMP_V6);
    let port = |port: u16| if has_ports { port.to_string() } else { "-".to_owned() };
    let interface = if packet.in_interface.is_empty() { "local" } else { packet.in_interface };
    let connection = match connection {
        Connection::First => "new",
        Connection::Answer => "reply",
        Connection::AnswerToUntracked => "reply-untracked",
    };
    let [source, destination] = [packet.source, packet.destination].map(|own| written(packet.family, own));
    let (first, second) = (port(packet.source_port), port(packet.destination_port));
    format!("{family}\t{interface}\t{source}\t{destination}\t{protocol}\t{first}\t{second}\t{connection}")
}
