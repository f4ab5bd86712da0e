//! Packets as bytes. Each carries a number, as IPv4's identification or IPv6's flow label: it is not changed on
//! the way, and comes back in whatever answers or quotes the packet.

use netpolc::ir::Family;
use netpolc::kernel::packet::{ICMP, ICMP_V6, Packet, SCTP, TCP, UDP, UDP_LITE};

/// What tells our packets from those that the kernel makes, which start with 64: neighbour discovery with less
/// than 255 is not acted on, and a forwarded packet still has one that nobody else uses.
const TTL: u8 = 61;

/// VRRP.
pub const VRRP: u8 = 112;

/// A protocol for packets of which only the number counts (RFC 3692 leaves it for experiments).
pub const SENTINEL: u8 = 253;

/// The bytes of the first packet of a connection, or of the answer to the packet with this number.
pub fn build(packet: &Packet<'_>, number: u16, answer: bool) -> Vec<u8> {
    let payload = transport(packet, number, answer);
    let mut bytes =
        header(packet.family, packet.source, packet.destination, packet.protocol, number, payload.len());
    bytes.extend(payload);
    bytes
}

/// A packet of IPv4 with nothing but addresses and a protocol.
pub fn plain(source: u128, destination: u128, protocol: u8) -> Vec<u8> {
    let mut bytes = header(Family::V4, source, destination, protocol, u16::MAX, 16);
    bytes.extend([0; 16]);
    bytes
}

fn address(family: Family, address: u128) -> Vec<u8> {
    match family {
        Family::V4 => (address as u32).to_be_bytes().to_vec(),
        Family::V6 => address.to_be_bytes().to_vec(),
    }
}

fn header(family: Family, from: u128, to: u128, protocol: u8, number: u16, length: usize) -> Vec<u8> {
    let (from, to) = (address(family, from), address(family, to));
    let [high, low] = number.to_be_bytes();
    match family {
        Family::V4 => {
            let [length_high, length_low] = (20 + length as u16).to_be_bytes();
            let mut bytes = vec![0x45, 0, length_high, length_low, high, low, 0, 0, TTL, protocol, 0, 0];
            bytes.extend(from.into_iter().chain(to));
            put_checksum(&mut bytes, 10, 0);
            bytes
        }
        Family::V6 => {
            let [length_high, length_low] = (length as u16).to_be_bytes();
            let mut bytes = vec![0x60, 0, high, low, length_high, length_low, protocol, TTL];
            bytes.extend(from.into_iter().chain(to));
            bytes
        }
    }
}

fn transport(packet: &Packet<'_>, number: u16, answer: bool) -> Vec<u8> {
    let sequence = u32::from(number) << 8;
    let mut bytes = [packet.source_port.to_be_bytes(), packet.destination_port.to_be_bytes()].concat();
    let (place, pseudo) = match packet.protocol {
        TCP => {
            let (own, other, flags) =
                if answer { (1 << 30, sequence + 1, 0x12) } else { (sequence, 0, 0x02) };
            bytes.extend([u32::to_be_bytes(own), u32::to_be_bytes(other)].concat());
            bytes.extend([0x50, flags, 4, 0, 0, 0, 0, 0]);
            (16, Some(TCP))
        }
        UDP | UDP_LITE => {
            bytes.extend([0, 20, 0, 0]);
            bytes.extend([b'x'; 12]);
            // conntrack checks UDP-Lite with the number of UDP, against RFC 3828
            // (`net/netfilter/nf_conntrack_proto_udp.c`, Linux 6.18)
            (6, Some(UDP))
        }
        SCTP => {
            // INIT and INIT ACK; the answer has the tag that the first asked for
            let (kind, tag) = if answer { (2, sequence | 1) } else { (1, 0) };
            bytes.extend(u32::to_be_bytes(tag));
            bytes.extend([0, 0, 0, 0, kind, 0, 0, 20]);
            bytes.extend(u32::to_be_bytes(sequence | 1));
            bytes.extend([0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
            let sum = crc32c(&bytes).to_le_bytes();
            bytes[8..12].copy_from_slice(&sum);
            return bytes;
        }
        ICMP | ICMP_V6 => {
            bytes = vec![packet.source_port as u8, packet.destination_port as u8, 0, 0];
            if quotes(packet) {
                bytes.extend([0; 4]);
                let (from, to) = (packet.destination, packet.source);
                bytes.extend(inside(packet.family, from, to));
            } else {
                bytes.extend(number.to_be_bytes());
                bytes.extend([0, 1]);
                // as long as the longest of these, a timestamp
                bytes.extend([0; 12]);
            }
            (2, (packet.protocol == ICMP_V6).then_some(ICMP_V6))
        }
        4 => return inside(Family::V4, 0xc000_0201, 0xc000_0202),
        41 => return inside(Family::V6, 0x2001_0db8 << 96 | 1, 0x2001_0db8 << 96 | 2),
        VRRP if packet.family == Family::V4 => {
            bytes = vec![0x21, 1, 100, 1, 0, 1, 0, 0, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0];
            (6, None)
        }
        VRRP => {
            bytes = vec![0x31, 1, 100, 1, 0, 100, 0, 0];
            bytes.extend(address(Family::V6, 0x2001_0db8 << 96 | 1));
            (6, Some(VRRP))
        }
        _ => return vec![0; 16],
    };
    let pseudo = pseudo.map_or(0, |protocol| {
        let addresses =
            [address(packet.family, packet.source), address(packet.family, packet.destination)].concat();
        sum(&addresses) + u32::from(protocol) + bytes.len() as u32
    });
    put_checksum(&mut bytes, place, pseudo);
    bytes
}

/// A datagram as the payload of another packet. It was never sent: no packet here has its ports.
fn inside(family: Family, from: u128, to: u128) -> Vec<u8> {
    let mut bytes = header(family, from, to, UDP, 0, 20);
    bytes.extend([0xee, 0x49, 0xee, 0x4a, 0, 20, 0, 0]);
    bytes.extend([b'x'; 12]);
    bytes
}

/// Whether it is an error of ICMP, which quotes what it is about.
fn quotes(packet: &Packet<'_>) -> bool {
    match packet.protocol {
        ICMP => matches!(packet.source_port, 3 | 4 | 5 | 11 | 12),
        ICMP_V6 => packet.source_port < 128,
        _ => false,
    }
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum()
}

fn put_checksum(bytes: &mut [u8], place: usize, pseudo: u32) {
    let mut total = sum(bytes) + pseudo;
    while total > 0xffff {
        total = (total >> 16) + (total & 0xffff);
    }
    // UDP writes a sum of 0 as its other form
    let checksum = match !(total as u16) {
        0 if place == 6 => 0xffff,
        checksum => checksum,
    };
    bytes[place..place + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// The checksum of SCTP (RFC 9260, appendix A).
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    };
    !bytes.iter().fold(!0, step)
}

/// A packet that was seen somewhere, perhaps cut off behind its headers.
pub struct Seen<'b> {
    /// its number, if it is ours
    pub number: Option<u16>,
    protocol: u8,
    /// both addresses
    pub addresses: &'b [u8],
    /// what is behind the header
    pub payload: &'b [u8],
}

/// What the kernel told a sender.
pub struct Answer {
    /// the number of the packet
    pub about: u16,
    /// it says that there is no route
    pub no_route: bool,
}

/// Reads a packet; `None` if it is too short, or of neither family.
pub fn parse(bytes: &[u8]) -> Option<Seen<'_>> {
    let (start, end, ttl, protocol, number) = match bytes.first()? >> 4 {
        4 => (12, 20, *bytes.get(8)?, *bytes.get(9)?, bytes.get(4..6)?),
        6 => (8, 40, *bytes.get(7)?, *bytes.get(6)?, bytes.get(2..4)?),
        _ => return None,
    };
    let number = u16::from_be_bytes(number.try_into().ok()?);
    let is_ours = ttl == TTL || ttl == TTL - 1;
    Some(Seen {
        number: is_ours.then_some(number),
        protocol,
        addresses: bytes.get(start..end)?,
        payload: bytes.get(end..)?,
    })
}

impl Seen<'_> {
    /// Whether it is ours and looks as it was sent, apart from its TTL.
    pub fn is_untranslated(&self, packet: &Packet<'_>) -> bool {
        let addresses = [packet.source, packet.destination].map(|own| address(packet.family, own));
        let ports = transport(packet, self.number.unwrap_or_default(), false);
        self.addresses == addresses.concat() && self.payload.get(..4) == ports.get(..4)
    }

    /// Whether it tells a sender of ours that its packet was refused.
    pub fn answer(&self) -> Option<Answer> {
        if self.number.is_some() {
            return None;
        }
        let word = |at: usize| Some(u32::from_be_bytes(self.payload.get(at..at + 4)?.try_into().ok()?));
        match self.protocol {
            TCP => {
                let flags = *self.payload.get(13)?;
                // a reset repeats what it answers: the number before it if that had none of its own
                let sequence = if flags & 0x10 == 0 { word(4)? } else { word(8)? };
                (flags & 4 != 0).then_some(Answer { about: ((sequence - 1) >> 8) as u16, no_route: false })
            }
            ICMP | ICMP_V6 => {
                let unreachable = if self.protocol == ICMP { 3 } else { 1 };
                let quoted = parse(self.payload.get(8..)?)?;
                let about = quoted.number.filter(|_| self.payload[0] == unreachable)?;
                Some(Answer { about, no_route: self.payload[1] == 0 })
            }
            _ => None,
        }
    }
}
