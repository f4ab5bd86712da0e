//! The members of sets, as data.

use super::sets::{Create, OtherSet, ReadSets, SetDump, SetText};
use super::values;
use crate::ir::{Family, IpSet, Members};
use crate::model::core::TransportProtocol;
use crate::resolve::view::{NetMembers, PortMember};
use ipnet::{Ipv4Net, Ipv6Net};
use std::collections::HashMap;
use std::net::IpAddr;
use std::str::FromStr;

/// Most members of a set where the dump does not say it.
const MAX_ELEMENTS: u64 = 65_536;

/// A set in the making: its members as text, until one is met that says more than `ir` can.
struct Draft<'t> {
    create: Create<'t>,
    members: Vec<&'t str>,
    plain: bool,
}

impl SetDump<'_> {
    /// The text that was read, byte for byte.
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| line.text).collect()
    }

    /// The sets as data.
    pub fn sets(&self) -> ReadSets {
        let mut drafts: Vec<Draft<'_>> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for line in &self.lines {
            match line.what {
                SetText::Blank => {}
                SetText::Create(create) => {
                    places.insert(create.name, drafts.len());
                    drafts.push(Draft { create, members: Vec::new(), plain: true });
                }
                SetText::Add { set, member, options } => {
                    if let Some(draft) = places.get(set).map(|place| &mut drafts[*place]) {
                        draft.plain &= options.is_empty();
                        draft.members.push(member);
                    }
                }
            }
        }
        let mut read = ReadSets::default();
        for mut draft in drafts {
            // members are in the order of the kernel's hash table
            draft.members.sort_unstable();
            match draft.set() {
                Some(set) => read.known.push(set),
                None => read.other.push(OtherSet {
                    name: draft.create.name.into(),
                    kind: draft.create.kind.into(),
                    len: draft.members.len(),
                }),
            }
        }
        read.known.sort_by(|a, b| a.name.cmp(&b.name));
        read.other.sort_by(|a, b| a.name.cmp(&b.name));
        read
    }
}

impl Draft<'_> {
    /// The set, if it is of a type that `ir` has and all its members are plain.
    fn set(&self) -> Option<IpSet> {
        let (family, max_elements) = create_options(self.create.options)?;
        let v4 = family == Family::V4;
        if !self.plain {
            return None;
        }
        let members = match self.create.kind {
            "hash:ip" => Members::Addresses(self.each(|text| address(text, v4))?),
            "hash:net" if v4 => Members::Nets(
                NetMembers {
                    v4: self.each(|text| net(text, 32, |host, length| Ipv4Net::new(host, length).ok()))?,
                    v6: vec![],
                }
                .into(),
            ),
            "hash:net" => Members::Nets(
                NetMembers {
                    v4: vec![],
                    v6: self.each(|text| net(text, 128, |host, length| Ipv6Net::new(host, length).ok()))?,
                }
                .into(),
            ),
            "hash:ip,port" => Members::Ports(self.each(|text| port_member(text, v4))?.into()),
            _ => return None,
        };
        Some(IpSet { name: self.create.name.into(), family, max_elements, members, meaning: None })
    }

    fn each<T>(&self, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        self.members.iter().map(|text| read(text)).collect()
    }
}

/// Family and most members; `None` where an option changes what members are.
fn create_options(options: &str) -> Option<(Family, u64)> {
    let (mut family, mut max_elements) = (Family::V4, MAX_ELEMENTS);
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "family" => {
                family = match words.next()? {
                    "inet" => Family::V4,
                    "inet6" => Family::V6,
                    _ => return None,
                }
            }
            "maxelem" => max_elements = values::decimal(words.next()?)?,
            // how the kernel stores them
            "hashsize" | "bucketsize" | "initval" | "probes" | "resize" => drop(words.next()?),
            _ => return None,
        }
    }
    Some((family, max_elements))
}

fn address(text: &str, v4: bool) -> Option<IpAddr> {
    text.parse().ok().filter(|address: &IpAddr| address.is_ipv4() == v4)
}

/// `10.0.0.0/8`; a single address has no length.
fn net<A: FromStr, N>(text: &str, full: u8, make: impl Fn(A, u8) -> Option<N>) -> Option<N> {
    match text.split_once('/') {
        Some((host, length)) => make(host.parse().ok()?, values::decimal(length)?),
        None => make(text.parse().ok()?, full),
    }
}

/// `10.0.0.1,tcp:80`
fn port_member(text: &str, v4: bool) -> Option<PortMember> {
    let (host, port) = text.split_once(',')?;
    let (protocol, port) = port.split_once(':')?;
    let protocol = match protocol {
        "tcp" => TransportProtocol::Tcp,
        "udp" => TransportProtocol::Udp,
        "sctp" => TransportProtocol::Sctp,
        _ => return None,
    };
    Some(PortMember { address: address(host, v4)?, protocol, port: values::decimal(port)? })
}
