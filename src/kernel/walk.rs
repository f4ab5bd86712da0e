//! One packet through one chain, rule by rule.

use super::machine::{CompiledRule, Condition, Machine, On, Table};
use super::packet::{ICMP, ICMP_V6, Packet, TCP, number};
use super::path::{Hook, Kernel};
use super::route::LOOPBACK;
use super::translate;
use crate::ir::{Action, ConnectionMark, Family, RejectWith, Rule, SetLookup, Side, TableName};
use crate::syntax::ip_route::Way;

/// How a table lets go of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// it goes on
    Accept,
    /// it is gone
    Drop,
    /// it is gone, and the sender is told
    Reject(RejectWith),
}

/// Is told of every rule that applies, in order.
pub trait Watch {
    /// A rule of a chain applies.
    fn rule(&mut self, table: TableName, chain: &str, rule: &Rule);
}

/// Does not want to know.
impl Watch for () {
    fn rule(&mut self, _: TableName, _: &str, _: &Rule) {}
}

/// Where a packet is walking.
pub(super) struct Walk<'k, 'a, 'p> {
    /// routes and addresses
    pub(super) kernel: &'k Kernel<'p>,
    /// the sets
    pub(super) machine: &'k Machine<'p>,
    /// the table
    pub(super) table: &'k Table<'p>,
    /// its name
    pub(super) name: TableName,
    /// the hook that asks it
    pub(super) hook: Hook,
    /// the packet
    pub(super) packet: &'k mut Packet<'a>,
}

impl Walk<'_, '_, '_> {
    /// Walks through a chain; `None` if it ends, or returns, without deciding.
    ///
    /// The depth of the recursion is that of the chains, which do not form circles.
    pub(super) fn chain(&mut self, number: usize, watch: &mut impl Watch) -> Option<End> {
        let table = self.table;
        let compiled = table.chain(number);
        for (rule, own) in compiled.rules.iter().zip(&compiled.chain.rules) {
            if !rule.conditions.iter().all(|condition| self.holds(condition)) {
                continue;
            }
            watch.rule(self.name, &compiled.chain.name, own);
            match self.act(rule, watch) {
                Next::Rule => {}
                Next::Return => return None,
                Next::End(end) => return Some(end),
            }
        }
        None
    }

    fn act(&mut self, rule: &CompiledRule<'_>, watch: &mut impl Watch) -> Next {
        let packet = &mut *self.packet;
        match rule.action {
            Some(Action::Accept) => return Next::End(End::Accept),
            Some(Action::Drop) => return Next::End(End::Drop),
            Some(Action::Reject(with)) => return Next::End(End::Reject(*with)),
            Some(Action::Return) => return Next::Return,
            Some(Action::Jump(_)) => {
                if let Some(end) = rule.target.and_then(|target| self.chain(target, watch)) {
                    return Next::End(end);
                }
            }
            Some(Action::Goto(_)) => {
                return match rule.target.and_then(|target| self.chain(target, watch)) {
                    Some(end) => Next::End(end),
                    None => Next::Return,
                };
            }
            Some(Action::Mark { value, mask, .. }) => packet.mark = (packet.mark & !mask) ^ value,
            Some(Action::NoTrack) => packet.untracked = true,
            Some(Action::ConnectionMark(what)) => connection_mark(packet, *what),
            Some(Action::Dnat(to)) => {
                translate::destination(packet, to);
                return Next::End(End::Accept);
            }
            Some(Action::Redirect(to)) => {
                let own = translate::own_address(packet, &self.kernel.routes, self.hook);
                let Some(own) = own else { return Next::End(End::Drop) };
                translate::to_address(packet, own, to);
                return Next::End(End::Accept);
            }
            Some(Action::NetMap(net)) if self.hook.translates_destination() => {
                translate::network(packet, *net);
                return Next::End(End::Accept);
            }
            // the translated source decides nothing after this, unless the node sends to itself: then that it is another
            // one of several, or has another port, is not followed
            Some(Action::Snat(to)) => {
                if let Some((address, _)) = to.addresses.filter(|(first, last)| first == last) {
                    translate::source(packet, number(address), to);
                }
                return Next::End(End::Accept);
            }
            Some(Action::Masquerade(to)) => {
                let own = self.kernel.routes.source_on(packet.family, packet.out_interface);
                let Some(own) = own else { return Next::End(End::Drop) };
                translate::source(packet, own, to);
                return Next::End(End::Accept);
            }
            Some(Action::NetMap(_)) => return Next::End(End::Accept),
            Some(
                Action::Log { .. }
                | Action::NfLog { .. }
                | Action::Dscp(_)
                | Action::Neutral(_)
                | Action::Other(_),
            )
            | None => {}
        }
        Next::Rule
    }

    fn holds(&self, condition: &Condition<'_>) -> bool {
        let packet = &*self.packet;
        let holds = match &condition.on {
            On::Protocol(number) => packet.protocol == *number,
            On::Addresses(side, ranges) => {
                let address = packet.address(*side);
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&address))
            }
            On::InInterface(pattern) => is_interface(packet.in_interface, pattern),
            On::OutInterface(pattern) => is_interface(packet.out_interface, pattern),
            On::Ports(side, ranges) => {
                let Some(port) = packet.port(*side) else { return false };
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&port))
            }
            On::Port(side, first, last) => {
                let Some(port) = packet.port(*side) else { return false };
                (*first..=*last).contains(&port)
            }
            On::Set(set, lookup) => self.in_set(*set, *lookup),
            On::Icmp(kind, code) => {
                packet.protocol == (if packet.family == Family::V4 { ICMP } else { ICMP_V6 })
                    && packet.source_port == u16::from(*kind)
                    && code.is_none_or(|code| packet.destination_port == u16::from(code))
            }
            On::Mark { value, mask } => packet.mark & mask == *value,
            On::ConnectionMark { .. } if !packet.has_connection() => return false,
            On::ConnectionMark { value, mask } => packet.connection_mark & mask == *value,
            On::Conntrack(states) => packet.state.intersects(*states),
            On::LocalAddress { side, of_interface } => {
                let (routes, address) = (&self.kernel.routes, packet.address(*side));
                match of_interface {
                    true => routes.is_on(packet.family, address, packet.out_interface),
                    false => routes.is_local(packet.family, address),
                }
            }
            On::ReversePathFails => self.reverse_path_fails(),
            On::TcpSyn => packet.protocol == TCP && packet.syn,
            On::Always => true,
            // it is not reached
            On::Limit(within) => *within,
            On::Unknown | On::Chance => return false,
        };
        holds != condition.negated
    }

    fn in_set(&self, set: usize, lookup: SetLookup) -> bool {
        let (packet, set) = (&*self.packet, &self.machine.sets[set]);
        let with_port = |side: Side| {
            let port = packet.port(side);
            port.is_some_and(|port| set.has_port(packet.address(side), packet.protocol, port))
        };
        match lookup {
            SetLookup::Source => set.has(packet.source),
            SetLookup::Destination => set.has(packet.destination),
            SetLookup::SourcePort => with_port(Side::Source),
            SetLookup::DestinationPort => with_port(Side::Destination),
        }
    }

    /// A source that is the node's own, or to which packets would leave on another interface.
    fn reverse_path_fails(&self) -> bool {
        let packet = &*self.packet;
        if packet.in_interface == LOOPBACK {
            return false;
        }
        let way = self.kernel.routes.way(packet.family, packet.source);
        !matches!(way, Some(Way::Device(device)) if **device == *packet.in_interface)
    }
}

/// CONNMARK; what has no connection is left alone (`net/netfilter/xt_connmark.c`, Linux 6.18).
fn connection_mark(packet: &mut Packet<'_>, what: ConnectionMark) {
    if !packet.has_connection() {
        return;
    }
    match what {
        ConnectionMark::Set { value, mask } => {
            packet.connection_mark = (packet.connection_mark & !mask) ^ value;
        }
        ConnectionMark::Save { packet_mask, connection_mask } => {
            packet.connection_mark =
                (packet.connection_mark & !connection_mask) ^ (packet.mark & packet_mask);
        }
        ConnectionMark::Restore { packet_mask, connection_mask } => {
            packet.mark = (packet.mark & !packet_mask) ^ (packet.connection_mark & connection_mask);
        }
    }
}

/// What comes after a rule that applies.
enum Next {
    Rule,
    Return,
    End(End),
}

/// `+` at the end stands for any rest.
fn is_interface(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('+') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}
