//! What a rule of a policy matches, as a set of packets.
//!
//! This is the rule as it is written and as Felix means it, not as it renders it: the two differ where
//! a rule has three lists, which is a check of its own.

use crate::ir::{Family, Protocol};
use crate::kernel::packet::{ICMP, ICMP_V6, SCTP, TCP, UDP, UDP_LITE, number, range, ranges, transport};
use crate::model::calico;
use crate::resolve::Cluster;
use crate::resolve::view::{Rule, RuleSide, SetIndex, SetMembers};
use crate::space::{Field, PacketSet, Range, Space};
use rustc_hash::FxHashMap;

/// Makes sets of rules of one family, and keeps those of sets of addresses.
pub struct RuleSets<'c, 'r> {
    cluster: &'c Cluster<'r>,
    /// where the sets live
    pub space: Space,
    known: FxHashMap<(SetIndex, bool), PacketSet>,
}

/// The fields of a side.
#[derive(Clone, Copy)]
struct Fields {
    address: Field,
    port: Field,
}

const SOURCE: Fields = Fields { address: Field::Source, port: Field::SourcePort };
const DESTINATION: Fields = Fields { address: Field::Destination, port: Field::DestinationPort };

impl<'c, 'r> RuleSets<'c, 'r> {
    /// No sets yet.
    pub fn new(cluster: &'c Cluster<'r>, family: Family) -> Self {
        RuleSets { cluster, space: Space::new(family), known: FxHashMap::default() }
    }

    /// The packets that a rule matches.
    pub fn rule(&mut self, rule: &Rule) -> PacketSet {
        let v4 = self.space.family() == Family::V4;
        if rule.ip_version.is_some_and(|version| version != if v4 { 4 } else { 6 }) {
            return PacketSet::NONE;
        }
        let mut set = PacketSet::ALL;
        if let Some(protocol) = &rule.protocol {
            let own = self.protocol(protocol);
            set = self.space.intersection(set, own);
        }
        if let Some(protocol) = &rule.not_protocol {
            let own = self.protocol(protocol);
            set = self.space.difference(set, own);
        }
        for (asked, icmp) in [(true, rule.icmp), (false, rule.not_icmp)] {
            let Some(icmp) = icmp else { continue };
            let own = self.icmp(icmp);
            set = if asked { self.space.intersection(set, own) } else { self.space.difference(set, own) };
        }
        for (side, fields) in [(&rule.source, SOURCE), (&rule.destination, DESTINATION)] {
            let own = self.side(side, fields);
            set = self.space.intersection(set, own);
        }
        set
    }

    fn protocol(&mut self, protocol: &calico::Protocol) -> PacketSet {
        let number = match protocol {
            calico::Protocol::Number(number) => Some(*number),
            calico::Protocol::Name(name) => {
                name.parse().ok().or_else(|| Protocol::Name(name.clone()).number())
            }
        };
        number.map_or(PacketSet::NONE, |number| self.space.with_value(Field::Protocol, number.into()))
    }

    fn icmp(&mut self, (kind, code): (u8, Option<u8>)) -> PacketSet {
        let protocol = if self.space.family() == Family::V4 { ICMP } else { ICMP_V6 };
        let protocol = self.space.with_value(Field::Protocol, protocol.into());
        let kind = self.space.with_value(Field::SourcePort, kind.into());
        let set = self.space.intersection(protocol, kind);
        let Some(code) = code else { return set };
        let code = self.space.with_value(Field::DestinationPort, code.into());
        self.space.intersection(set, code)
    }

    fn side(&mut self, side: &RuleSide, fields: Fields) -> PacketSet {
        let mut set = PacketSet::ALL;
        for (nets, asked) in [(&side.nets, true), (&side.not_nets, false)] {
            if nets.is_empty() {
                continue;
            }
            let ranges = ranges(nets, self.space.family());
            // a list without a network of this family leaves the rule out of it
            if ranges.is_empty() {
                return PacketSet::NONE;
            }
            let own = self.space.with(fields.address, &ranges);
            set = if asked { self.space.intersection(set, own) } else { self.space.difference(set, own) };
        }
        for index in side.sets.iter().chain(&side.services) {
            let own = self.members(*index, fields);
            set = self.space.intersection(set, own);
        }
        for index in &side.not_sets {
            let own = self.members(*index, fields);
            set = self.space.difference(set, own);
        }
        for (ports, named, asked) in
            [(&side.ports, &side.named_ports, true), (&side.not_ports, &side.not_named_ports, false)]
        {
            if ports.is_empty() && named.is_empty() {
                continue;
            }
            let own = self.ports(ports, named, fields);
            set = if asked { self.space.intersection(set, own) } else { self.space.difference(set, own) };
        }
        set
    }

    /// Any of the ports, by number or by name.
    fn ports(&mut self, ports: &[(u16, u16)], named: &[SetIndex], fields: Fields) -> PacketSet {
        let ranges: Vec<Range> =
            ports.iter().map(|(first, last)| ((*first).into(), (*last).into())).collect();
        let numbered = self.space.with(fields.port, &ranges);
        let with_ports = [TCP, UDP, SCTP, UDP_LITE].map(|protocol| (protocol.into(), protocol.into()));
        let with_ports = self.space.with(Field::Protocol, &with_ports);
        let mut any = self.space.intersection(numbered, with_ports);
        for index in named {
            let own = self.members(*index, fields);
            any = self.space.union(any, own);
        }
        any
    }

    fn members(&mut self, index: SetIndex, fields: Fields) -> PacketSet {
        let key = (index, fields.address == Field::Source);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let v4 = self.space.family() == Family::V4;
        let set = match self.cluster.set_members(index) {
            SetMembers::Nets(nets) => {
                let ranges: Vec<Range> = match v4 {
                    true => nets.v4.iter().map(|net| range((*net).into())).collect(),
                    false => nets.v6.iter().map(|net| range((*net).into())).collect(),
                };
                self.space.with(fields.address, &ranges)
            }
            SetMembers::Ports(members) => {
                let own: Vec<PacketSet> = if v4 { &members.v4 } else { &members.v6 }
                    .iter()
                    .map(|member| {
                        let protocol = transport(member.protocol).unwrap_or(TCP);
                        let address = self.space.with_value(fields.address, number(member.address));
                        let port = self.space.with_value(fields.port, member.port.into());
                        let protocol = self.space.with_value(Field::Protocol, protocol.into());
                        let set = self.space.intersection(port, address);
                        self.space.intersection(protocol, set)
                    })
                    .collect();
                self.space.union_of(own)
            }
        };
        self.known.insert(key, set);
        set
    }
}
