//! What a rule does.

use std::net::IpAddr;
use std::sync::Arc;

/// How a mark action or match was spelled by whoever wrote it. Means nothing to a packet, but
/// Felix's rule hashes are over the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MarkSpelling {
    /// value and mask in hexadecimal: `0x0/0x180000`
    Hex,
    /// value 0 written as `0`: `0/0x180000` (`felix/iptables/actions.go:329`, v3.32.1)
    Clear,
}

/// What REJECT answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectWith {
    /// the family's default, ICMP port unreachable
    PortUnreachable,
    /// a TCP reset
    TcpReset,
    /// another ICMP error, one of [`RejectWith::ERRORS`]
    Error(&'static str),
}

impl RejectWith {
    /// iptables' names of errors that are not a family's default, of both families.
    pub const ERRORS: [&'static str; 11] = [
        "icmp-net-unreachable",
        "icmp-host-unreachable",
        "icmp-proto-unreachable",
        "icmp-net-prohibited",
        "icmp-host-prohibited",
        "icmp-admin-prohibited",
        "icmp6-no-route",
        "icmp6-adm-prohibited",
        "icmp6-addr-unreachable",
        "icmp6-policy-fail",
        "icmp6-reject-route",
    ];
}

/// What happens to a packet that matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// let it pass this table
    Accept,
    /// discard it
    Drop,
    /// discard it and tell the sender
    Reject(RejectWith),
    /// end this chain
    Return,
    /// visit a chain and come back
    Jump(Arc<str>),
    /// go to a chain and do not come back here
    Goto(Arc<str>),
    /// `mark = (mark & !mask) ^ value`
    Mark {
        /// bits to set within the mask, bits to turn over outside it
        value: u32,
        /// bits to replace
        mask: u32,
        /// how it is written
        spelling: MarkSpelling,
    },
    /// no connection tracking
    NoTrack,
    /// tell the kernel log, level 5
    Log {
        /// prefix as the user wrote it, without Felix's `: ` at the end
        prefix: Box<str>,
    },
    /// tell a netlink listener
    NfLog {
        /// group
        group: u16,
        /// prefix
        prefix: Box<str>,
        /// bytes of the packet to copy
        size: u32,
        /// the size is asked for in the way of kernels before 4.8, which do not honour it
        range: bool,
    },
    /// rewrite the destination
    Dnat {
        /// new address
        address: IpAddr,
        /// new port, if any
        port: Option<u16>,
    },
    /// rewrite the source to a fixed address
    Snat {
        /// new address
        address: IpAddr,
        /// range of ports to choose from
        ports: Option<(u16, u16)>,
        /// choose ports at random
        random_fully: bool,
    },
    /// rewrite the source to the outgoing interface's address
    Masquerade {
        /// range of ports to choose from
        ports: Option<(u16, u16)>,
        /// choose ports at random
        random_fully: bool,
    },
    /// set the DSCP field, 0..=63
    Dscp(u8),
    /// an action that changes nothing that rules look at, as it is written: LOG with other options
    /// than Felix's, TRACE, TCPMSS
    Neutral(Box<str>),
    /// an action that is not understood, as it is written
    Other(Box<str>),
}

impl Action {
    /// `mark |= bits`
    pub fn set_mark(bits: u32) -> Self {
        Action::Mark { value: bits, mask: bits, spelling: MarkSpelling::Hex }
    }

    /// `mark &= !bits`
    pub fn clear_mark(bits: u32) -> Self {
        Action::Mark { value: 0, mask: bits, spelling: MarkSpelling::Clear }
    }

    /// `mark = (mark & !mask) | value`
    pub fn set_masked_mark(value: u32, mask: u32) -> Self {
        Action::Mark { value, mask, spelling: MarkSpelling::Hex }
    }

    /// The chain it goes to, if any.
    pub fn target(&self) -> Option<&Arc<str>> {
        match self {
            Action::Jump(chain) | Action::Goto(chain) => Some(chain),
            _ => None,
        }
    }
}
