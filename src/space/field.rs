//! The dimensions of the space of packets.

use crate::ir::Family;

/// An inclusive range of values: first and last.
pub type Range = (u128, u128);

/// A dimension. The order is that of the questions in a diagram: what has few values comes first, so
/// that the large sets of addresses at the end are shared by everything that leads to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Field {
    /// what rules ask of the node rather than of the packet, where the node is not known: a bit for each
    /// such question, by numbers that the user of the space gives out
    Open,
    /// the interface it came in on, as a number that the user of the space gives out
    InInterface,
    /// the interface it goes out on
    OutInterface,
    /// what conntrack knows of it, as a number that the user of the space gives out
    State,
    /// IP protocol
    Protocol,
    /// destination port, or ICMP code
    DestinationPort,
    /// source port, or ICMP type
    SourcePort,
    /// destination address; IPv4 in the low 32 bits
    Destination,
    /// source address
    Source,
}

impl Field {
    /// All of them, in order.
    pub const ALL: [Field; 9] = [
        Field::Open,
        Field::InInterface,
        Field::OutInterface,
        Field::State,
        Field::Protocol,
        Field::DestinationPort,
        Field::SourcePort,
        Field::Destination,
        Field::Source,
    ];

    /// The largest value that it can have.
    pub fn largest(self, family: Family) -> u128 {
        match self {
            Field::InInterface | Field::OutInterface | Field::DestinationPort | Field::SourcePort => 0xffff,
            Field::Open | Field::State | Field::Protocol => 0xff,
            Field::Destination | Field::Source => match family {
                Family::V4 => 0xffff_ffff,
                Family::V6 => u128::MAX,
            },
        }
    }
}
