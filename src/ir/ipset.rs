//! Sets.

use super::Family;
use crate::resolve::view::{NetMembers, PortMember, SetMeaning};
use std::net::IpAddr;
use std::sync::Arc;

/// One set of one family.
#[derive(Debug, Clone)]
pub struct IpSet {
    /// its name, at most 31 bytes
    pub name: Arc<str>,
    /// its family
    pub family: Family,
    /// most members it may have
    pub max_elements: u64,
    /// its members
    pub members: Members,
    /// what it stands for; `None` for the sets that Felix always has
    pub meaning: Option<SetMeaning>,
}

/// Types of set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SetKind {
    HashIp,
    HashNet,
    HashIpPort,
}

impl SetKind {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            SetKind::HashIp => "hash:ip",
            SetKind::HashNet => "hash:net",
            SetKind::HashIpPort => "hash:ip,port",
        }
    }
}

/// Members, sorted by their text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// `hash:ip`
    Addresses(Vec<IpAddr>),
    /// `hash:net`; the half that is not of the set's family is not part of it
    Nets(Arc<NetMembers>),
    /// `hash:ip,port`
    Ports(Arc<[PortMember]>),
}

impl IpSet {
    /// Its type.
    pub fn kind(&self) -> SetKind {
        match self.members {
            Members::Addresses(_) => SetKind::HashIp,
            Members::Nets(_) => SetKind::HashNet,
            Members::Ports(_) => SetKind::HashIpPort,
        }
    }
}

impl IpSet {
    /// Number of members of the set's family.
    pub fn len(&self) -> usize {
        match (&self.members, self.family) {
            (Members::Addresses(addresses), _) => addresses.len(),
            (Members::Nets(nets), Family::V4) => nets.v4.len(),
            (Members::Nets(nets), Family::V6) => nets.v6.len(),
            (Members::Ports(ports), _) => ports.len(),
        }
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
