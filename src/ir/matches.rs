//! What a rule asks of a packet.

use super::action::MarkSpelling;
use super::protocol::Protocol;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// One condition; a negated one holds where the condition does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Match {
    /// whether it is turned round
    pub negated: bool,
    /// the condition
    pub on: Matcher,
}

/// Source or destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Side {
    Source,
    Destination,
}

/// An address or a range of addresses, as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Address {
    /// with a length: `10.0.0.1/32`
    Net(IpNet),
    /// without: `10.0.0.1`
    Host(IpAddr),
}

impl Address {
    /// The range.
    pub fn net(self) -> IpNet {
        match self {
            Address::Net(net) => net,
            Address::Host(address) => IpNet::from(address),
        }
    }
}

/// What a set match looks up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SetLookup {
    /// source address
    Source,
    /// destination address
    Destination,
    /// source address, protocol and source port
    SourcePort,
    /// destination address, protocol and destination port
    DestinationPort,
}

/// A set of conntrack states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConntrackStates(pub u8);

impl ConntrackStates {
    /// no connection could be made out
    pub const INVALID: Self = Self(1);
    /// the first packet of a connection
    pub const NEW: Self = Self(2);
    /// a new connection that belongs to a known one
    pub const RELATED: Self = Self(4);
    /// a known connection
    pub const ESTABLISHED: Self = Self(8);
    /// exempt from tracking
    pub const UNTRACKED: Self = Self(16);
    /// a connection whose source was rewritten
    pub const SNAT: Self = Self(32);
    /// a connection whose destination was rewritten
    pub const DNAT: Self = Self(64);

    /// Names in the order in which iptables prints them.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("INVALID", Self::INVALID),
        ("NEW", Self::NEW),
        ("RELATED", Self::RELATED),
        ("ESTABLISHED", Self::ESTABLISHED),
        ("UNTRACKED", Self::UNTRACKED),
        ("SNAT", Self::SNAT),
        ("DNAT", Self::DNAT),
    ];

    /// Both.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of `other` is in it.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Matcher {
    /// the IP protocol
    Protocol(Protocol),
    /// the address is in one of the ranges
    Address(Side, Vec<Address>),
    /// the packet came in on this interface (`+` at the end: any with this prefix)
    InInterface(Arc<str>),
    /// the packet goes out on this interface (`+` at the end: any with this prefix)
    OutInterface(Arc<str>),
    /// the port is in one of the ranges, at most 15 slots (multiport)
    Ports(Side, Vec<(u16, u16)>),
    /// the port is in this range (the protocol's own match)
    Port(Side, u16, u16),
    /// a set contains what is looked up
    Set(Arc<str>, SetLookup),
    /// ICMP (or ICMPv6, by the table's family) type and, if given, code
    Icmp(u8, Option<u8>),
    /// `mark & mask == value`
    Mark {
        /// expected bits
        value: u32,
        /// bits to look at
        mask: u32,
        /// how it is written
        spelling: MarkSpelling,
    },
    /// the packet has a connection, with `mark & mask == value`
    ConnectionMark {
        /// expected bits
        value: u32,
        /// bits to look at
        mask: u32,
    },
    /// conntrack's state is one of these
    Conntrack(ConntrackStates),
    /// the address is one of the node's own
    LocalAddress {
        /// which address
        side: Side,
        /// only addresses of the outgoing interface count
        limit_iface_out: bool,
    },
    /// the reverse-path check fails (the mark takes part in the route look-up)
    ReversePathFails,
    /// a token bucket has a token: `rate` as text (`100/sec`), burst in packets
    Limit {
        /// e.g. `10/minute`
        rate: Box<str>,
        /// `None`: not written, iptables' default of 5
        burst: Option<u32>,
    },
    /// a TCP packet with SYN, and without FIN, RST and ACK
    TcpSyn,
    /// more connections than this, over all addresses
    ConnectionsAbove(u64),
    /// a limit that Felix does not use, as it is written: hashlimit, or connlimit in other forms
    OtherLimit {
        /// with its own negation if it has one
        text: Box<str>,
        /// it holds up to the limit, not beyond it
        within: bool,
    },
    /// holds for so many of 2³¹ packets, at random
    Random(u32),
    /// a match that is not understood, as it is written, with its own negation if it has one
    Other(Box<str>),
}

impl Matcher {
    /// If this is a limit, whether it holds as long as the limit is not reached.
    pub fn holds_within_limit(&self) -> Option<bool> {
        match self {
            Matcher::Limit { .. } => Some(true),
            Matcher::ConnectionsAbove(_) => Some(false),
            Matcher::OtherLimit { within, .. } => Some(*within),
            _ => None,
        }
    }
}

impl Match {
    /// The condition as it is.
    pub fn is(on: Matcher) -> Self {
        Match { negated: false, on }
    }

    /// The condition turned round.
    pub fn not(on: Matcher) -> Self {
        Match { negated: true, on }
    }

    /// All bits of `bits` are set.
    pub fn mark_set(bits: u32) -> Self {
        Self::mark(bits, bits)
    }

    /// None of `bits` is set.
    pub fn mark_clear(bits: u32) -> Self {
        Self::is(Matcher::Mark { value: 0, mask: bits, spelling: MarkSpelling::Clear })
    }

    /// Some of `bits` is set.
    pub fn mark_not_clear(bits: u32) -> Self {
        Self::not(Matcher::Mark { value: 0, mask: bits, spelling: MarkSpelling::Clear })
    }

    /// The bits of `mask` have this value.
    pub fn mark(value: u32, mask: u32) -> Self {
        Self::is(Matcher::Mark { value, mask, spelling: MarkSpelling::Hex })
    }

    /// The bits of `mask` do not have this value.
    pub fn not_mark(value: u32, mask: u32) -> Self {
        Self::not(Matcher::Mark { value, mask, spelling: MarkSpelling::Hex })
    }
}
