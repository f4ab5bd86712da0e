//! What a rule does.

use ipnet::IpNet;
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

/// What CONNMARK does. A connection begins with mark 0; what has no connection is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionMark {
    /// `connection = (connection & !mask) ^ value`
    Set {
        /// bits to set within the mask, bits to turn over outside it
        value: u32,
        /// bits to replace
        mask: u32,
    },
    /// `connection = (connection & !connection_mask) ^ (packet & packet_mask)`
    Save {
        /// bits of the packet's mark to take (`--nfmask`)
        packet_mask: u32,
        /// bits of the connection's to replace (`--ctmask`)
        connection_mask: u32,
    },
    /// `packet = (packet & !packet_mask) ^ (connection & connection_mask)`
    Restore {
        /// bits of the packet's mark to replace (`--nfmask`)
        packet_mask: u32,
        /// bits of the connection's to take (`--ctmask`)
        connection_mask: u32,
    },
}

/// What translation may choose from, and how. The kernel, too, has one form for all of its kinds
/// (`struct nf_nat_range2`); not every kind can have everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Translation {
    /// first and last address; none: the address is kept, or found without being asked for
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// first and last port; none: the port is kept if possible
    pub ports: Option<(u16, u16)>,
    /// any of the ports, also where the packet's own would do
    pub random: bool,
    /// the same, and less easily guessed
    pub random_fully: bool,
    /// the same address for all connections of a source
    pub persistent: bool,
}

impl Translation {
    /// To one address.
    pub fn to(address: IpAddr) -> Self {
        Translation { addresses: Some((address, address)), ..Translation::default() }
    }

    /// To one of these ports.
    #[must_use]
    pub fn ports(mut self, ports: Option<(u16, u16)>) -> Self {
        self.ports = ports;
        self
    }

    /// Choosing ports at random, or not.
    #[must_use]
    pub fn random_fully(mut self, random_fully: bool) -> Self {
        self.random_fully = random_fully;
        self
    }
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
    /// change the connection's mark, or take the packet's from it
    ConnectionMark(ConnectionMark),
    /// rewrite the destination
    Dnat(Box<Translation>),
    /// rewrite the destination to the node itself: the first address of the interface that the packet
    /// came in on, or the loopback address for packets of the node
    Redirect(Box<Translation>),
    /// rewrite the source
    Snat(Box<Translation>),
    /// rewrite the source to the outgoing interface's address
    Masquerade(Box<Translation>),
    /// rewrite the network part of the destination, or of the source after routing
    NetMap(IpNet),
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
