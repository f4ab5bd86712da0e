//! The marks of packets and of their connections, as far as they are known.
//!
//! A packet begins with mark 0, and so does the connection of its first packet. What earlier packets of a
//! connection noted in its mark is not known; rules that ask for such bits split packets in two.

use crate::ir::ConnectionMark;

/// A mark of which some bits are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bits {
    /// the known bits; 0 elsewhere
    value: u32,
    /// which are known
    known: u32,
}

impl Bits {
    /// No bit is known.
    const UNKNOWN: Bits = Bits { value: 0, known: 0 };

    /// All bits are known.
    const fn all(value: u32) -> Self {
        Bits { value, known: u32::MAX }
    }

    /// `(self & !mask) ^ (other & taken)`
    fn mixed(self, mask: u32, other: Bits, taken: u32) -> Self {
        let known = (self.known | mask) & (other.known | !taken);
        Bits { value: ((self.value & !mask) ^ (other.value & taken)) & known, known }
    }

    /// Whether `mask` has this value; `None` if that is not known.
    fn is(self, value: u32, mask: u32) -> Option<bool> {
        let known = mask & self.known;
        if value & !mask != 0 || self.value & known != value & known {
            Some(false)
        } else {
            (known == mask).then_some(true)
        }
    }

    /// What is known once it is known whether `mask` has this value. That it has another says something of a
    /// single bit only.
    fn learn(self, value: u32, mask: u32, is: bool) -> Self {
        let new = mask & !self.known;
        let (bits, value) = match (is, new.is_power_of_two()) {
            (true, _) => (new, value & new),
            (false, true) => (new, !value & new),
            (false, false) => return self,
        };
        Bits { value: self.value | value, known: self.known | bits }
    }
}

/// A packet's mark and its connection's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Marks {
    packet: Bits,
    connection: Bits,
}

impl Default for Marks {
    fn default() -> Self {
        Marks { packet: Bits::all(0), connection: Bits::all(0) }
    }
}

/// What a rule asks of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedMark {
    /// the connection's, not the packet's
    pub of_connection: bool,
    /// expected bits
    pub value: u32,
    /// bits to look at
    pub mask: u32,
    /// whether it is turned round
    pub negated: bool,
}

impl AskedMark {
    /// Whether a mark is what is asked for.
    pub fn holds(&self, mark: u32) -> bool {
        (mark & self.mask == self.value) != self.negated
    }
}

impl Marks {
    /// Those of packets of a connection that others had before them.
    pub fn of_known_connection() -> Self {
        Marks { connection: Bits::UNKNOWN, ..Marks::default() }
    }

    /// Whether it is what a rule asks for; `None` if that is not known.
    pub fn holds(&self, asked: &AskedMark) -> Option<bool> {
        let bits = if asked.of_connection { self.connection } else { self.packet };
        bits.is(asked.value, asked.mask).map(|is| is != asked.negated)
    }

    /// What is known once it is known whether it is what a rule asks for.
    pub fn learn(mut self, asked: &AskedMark, holds: bool) -> Self {
        let bits = if asked.of_connection { &mut self.connection } else { &mut self.packet };
        *bits = bits.learn(asked.value, asked.mask, holds != asked.negated);
        self
    }

    /// The packet's, as far as it is known: bits that are not are 0.
    pub fn packet(self) -> u32 {
        self.packet.value
    }

    /// MARK.
    pub fn set(mut self, value: u32, mask: u32) -> Self {
        self.packet = self.packet.mixed(mask, Bits::all(value), u32::MAX);
        self
    }

    /// CONNMARK.
    pub fn change(mut self, what: ConnectionMark) -> Self {
        match what {
            ConnectionMark::Set { value, mask } => {
                self.connection = self.connection.mixed(mask, Bits::all(value), u32::MAX);
            }
            ConnectionMark::Save { packet_mask, connection_mask } => {
                self.connection = self.connection.mixed(connection_mask, self.packet, packet_mask);
            }
            ConnectionMark::Restore { packet_mask, connection_mask } => {
                self.packet = self.packet.mixed(packet_mask, self.connection, connection_mask);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(of_connection: bool, value: u32, mask: u32) -> AskedMark {
        AskedMark { of_connection, value, mask, negated: false }
    }

    #[test]
    fn what_is_restored_is_as_unknown_as_it_was() {
        let restored = Marks::of_known_connection()
            .set(0x30, 0xf0)
            .change(ConnectionMark::Restore { packet_mask: 0xf, connection_mask: 0xf });
        assert_eq!(restored.holds(&asked(false, 0x30, 0xf0)), Some(true));
        assert_eq!(restored.holds(&asked(false, 0x1, 0x1)), None);
        assert_eq!(restored.holds(&asked(false, 0x21, 0x21)), None);
        assert_eq!(restored.holds(&asked(false, 0x41, 0x41)), Some(false));
        let learned = restored.learn(&asked(false, 0x1, 0x1), false);
        assert_eq!(learned.holds(&asked(false, 0x1, 0x3)), Some(false));
        assert_eq!(learned.holds(&asked(false, 0x0, 0x3)), None);
    }

    #[test]
    fn saving_turns_over_what_is_not_masked() {
        let saved = Marks::default()
            .change(ConnectionMark::Set { value: 0x5, mask: u32::MAX })
            .set(0x6, u32::MAX)
            .change(ConnectionMark::Save { packet_mask: 0xf, connection_mask: 0x1 });
        assert_eq!(saved.holds(&asked(true, 0x2, u32::MAX)), Some(true));
    }
}
