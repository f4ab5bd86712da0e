//! One packet through hooks and tables, in the kernel's order.

use super::conntrack::{self, Connection};
use super::machine::Machine;
use super::packet::Packet;
use super::route::{LOOPBACK, Routes};
use super::walk::{End, Walk, Watch};
use crate::ir::{ChainPolicy, ConntrackStates, Family, Program, TableName};
use crate::syntax::ip_route::Way;

/// The kernel of a node: its rules, sets, addresses and routes.
#[derive(Debug)]
pub struct Kernel<'p> {
    /// tables of IPv4
    pub v4: Machine<'p>,
    /// tables of IPv6
    pub v6: Machine<'p>,
    /// addresses and routes
    pub routes: Routes,
}

/// Places in the kernel at which rules are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Hook {
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

impl Hook {
    /// The name of the hook's chain in each table.
    pub(super) fn chain(self) -> &'static str {
        match self {
            Hook::Prerouting => "PREROUTING",
            Hook::Input => "INPUT",
            Hook::Forward => "FORWARD",
            Hook::Output => "OUTPUT",
            Hook::Postrouting => "POSTROUTING",
        }
    }

    /// Whether translation here rewrites destinations; elsewhere it rewrites sources.
    pub(super) fn translates_destination(self) -> bool {
        matches!(self, Hook::Prerouting | Hook::Output)
    }

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Hook::Prerouting => "prerouting",
            Hook::Input => "input",
            Hook::Forward => "forward",
            Hook::Output => "output",
            Hook::Postrouting => "postrouting",
        }
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// a process of the node gets it
    Delivered,
    /// it came in and leaves on this interface
    Forwarded(&'a str),
    /// the node sends it on this interface
    Sent(&'a str),
    /// it is discarded at a hook, without an answer
    Dropped(Hook),
    /// it is discarded at a hook, and the sender is told
    Rejected(Hook),
    /// there is no route for it
    Unroutable,
}

/// Stops the way of a packet.
type Stopped<'a> = Outcome<'a>;

impl<'p> Kernel<'p> {
    /// A node's kernel with a program loaded.
    pub fn new(program: &'p Program, routes: Routes) -> Self {
        Kernel {
            v4: Machine::new(&program.v4, &program.sets),
            v6: Machine::new(&program.v6, &program.sets),
            routes,
        }
    }

    /// Sends a packet on its way: one that came in on its interface, or, if it has none, one that a
    /// process of the node sends. Afterwards `packet` is as it was when it ended.
    pub fn send<'a>(
        &'a self,
        packet: &mut Packet<'a>,
        connection: Connection,
        watch: &mut impl Watch,
    ) -> Outcome<'a> {
        let way = match packet.in_interface {
            "" => self.originate(packet, connection, watch),
            _ => self.arrive(packet, connection, watch),
        };
        way.unwrap_or_else(|stopped| stopped)
    }

    fn arrive<'a>(
        &'a self,
        packet: &mut Packet<'a>,
        connection: Connection,
        watch: &mut impl Watch,
    ) -> Result<Outcome<'a>, Stopped<'a>> {
        self.table(TableName::Raw, Hook::Prerouting, packet, watch)?;
        track(packet, connection);
        self.table(TableName::Mangle, Hook::Prerouting, packet, watch)?;
        let translates = is_translated(packet);
        if translates {
            self.table(TableName::Nat, Hook::Prerouting, packet, watch)?;
        }
        match self.routes.way(packet.family, packet.destination) {
            Some(Way::Local) => self.input(packet, translates, watch),
            Some(Way::Device(device)) => {
                packet.out_interface = device;
                self.table(TableName::Mangle, Hook::Forward, packet, watch)?;
                self.table(TableName::Filter, Hook::Forward, packet, watch)?;
                self.postrouting(packet, translates, watch)?;
                Ok(Outcome::Forwarded(device))
            }
            Some(Way::Discard) | None => Err(Outcome::Unroutable),
        }
    }

    fn originate<'a>(
        &'a self,
        packet: &mut Packet<'a>,
        connection: Connection,
        watch: &mut impl Watch,
    ) -> Result<Outcome<'a>, Stopped<'a>> {
        packet.out_interface = self.device(packet)?;
        self.table(TableName::Raw, Hook::Output, packet, watch)?;
        track(packet, connection);
        self.table(TableName::Mangle, Hook::Output, packet, watch)?;
        let translates = is_translated(packet);
        if translates {
            self.table(TableName::Nat, Hook::Output, packet, watch)?;
        }
        // the hook's interface stays what it was before the destination was rewritten
        self.table(TableName::Filter, Hook::Output, packet, watch)?;
        let device = self.device(packet)?;
        packet.out_interface = device;
        self.postrouting(packet, translates, watch)?;
        if device != LOOPBACK {
            return Ok(Outcome::Sent(device));
        }
        // over `lo`, with its mark and its connection
        packet.in_interface = LOOPBACK;
        packet.out_interface = "";
        self.table(TableName::Raw, Hook::Prerouting, packet, watch)?;
        self.table(TableName::Mangle, Hook::Prerouting, packet, watch)?;
        self.input(packet, false, watch)
    }

    /// The interface that a packet of the node itself leaves on.
    fn device<'a>(&'a self, packet: &Packet<'a>) -> Result<&'a str, Stopped<'a>> {
        match self.routes.way(packet.family, packet.destination) {
            Some(Way::Local) => Ok(LOOPBACK),
            Some(Way::Device(device)) => Ok(device),
            Some(Way::Discard) | None => Err(Outcome::Unroutable),
        }
    }

    fn input<'a>(
        &'a self,
        packet: &mut Packet<'a>,
        translates: bool,
        watch: &mut impl Watch,
    ) -> Result<Outcome<'a>, Stopped<'a>> {
        self.table(TableName::Mangle, Hook::Input, packet, watch)?;
        self.table(TableName::Filter, Hook::Input, packet, watch)?;
        if translates {
            self.table(TableName::Nat, Hook::Input, packet, watch)?;
        }
        Ok(Outcome::Delivered)
    }

    fn postrouting<'a>(
        &'a self,
        packet: &mut Packet<'a>,
        translates: bool,
        watch: &mut impl Watch,
    ) -> Result<(), Stopped<'a>> {
        self.table(TableName::Mangle, Hook::Postrouting, packet, watch)?;
        if translates {
            self.table(TableName::Nat, Hook::Postrouting, packet, watch)?;
        }
        Ok(())
    }

    /// Asks one table at one hook.
    fn table<'a>(
        &'a self,
        name: TableName,
        hook: Hook,
        packet: &mut Packet<'a>,
        watch: &mut impl Watch,
    ) -> Result<(), Stopped<'a>> {
        let machine = match packet.family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        let table = machine.table(name);
        let Some(chain) = table.hook(hook.chain()) else { return Ok(()) };
        let mut walk = Walk { kernel: self, machine, table, name, hook, packet };
        match walk.chain(chain, watch) {
            Some(End::Accept) => Ok(()),
            None if table.chain(chain).chain.policy == ChainPolicy::Drop => Err(Outcome::Dropped(hook)),
            None => Ok(()),
            Some(End::Reject(_)) if conntrack::is_answered(packet) => Err(Outcome::Rejected(hook)),
            Some(End::Drop | End::Reject(_)) => Err(Outcome::Dropped(hook)),
        }
    }
}

/// Gives a packet its state.
fn track(packet: &mut Packet<'_>, connection: Connection) {
    packet.state = match packet.untracked {
        true => ConntrackStates::UNTRACKED,
        false => conntrack::state(packet, connection),
    };
}

/// Only the first packet of a connection meets the nat table.
fn is_translated(packet: &Packet<'_>) -> bool {
    packet.state == ConntrackStates::NEW
}
