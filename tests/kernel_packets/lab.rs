//! A node in a network namespace of its own, with its interfaces, addresses, routes, sets and rules, and the world
//! around it in another. Each interface of the node is one end of a veth pair.

use super::frame::{self, SENTINEL};
use super::netlink::Netfilter;
use super::setup::{self, GROUP, NODE, WORLD, enter_new_namespace};
use netpolc::ir::{Family, Program};
use netpolc::resolve::view::NodeView;
use netpolc::syntax::ip_route::Route;
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, recvfrom,
    sendto, socket,
};
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};

/// Where a packet can be seen, as the prefix of the rule that reports it.
pub mod place {
    /// at the start of PREROUTING
    pub const ARRIVED: u8 = b'A';
    /// at the start of INPUT
    pub const INPUT: u8 = b'I';
    /// after all rules of INPUT
    pub const DELIVERED: u8 = b'D';
    /// at the start of FORWARD
    pub const FORWARD: u8 = b'F';
    /// at the start of OUTPUT
    pub const OUTPUT: u8 = b'O';
    /// at the start of POSTROUTING, and so after all rules of FORWARD or OUTPUT
    pub const POSTROUTING: u8 = b'P';
    /// a packet that only says that all before it are through
    pub const SENTINEL: u8 = b'S';
}

/// What was seen of packets.
pub trait Watch {
    /// A rule reports a packet.
    fn reported(&mut self, place: u8, bytes: &[u8]);
    /// A packet left the node.
    fn left(&mut self, interface: &str, bytes: &[u8]);
}

/// A node and the world around it. Both go away with the sockets and the thread that made them.
pub struct Lab {
    netfilter: Netfilter,
    capture: OwnedFd,
    inject: OwnedFd,
    raw_v4: OwnedFd,
    raw_v6: OwnedFd,
    links: HashMap<String, LinkAddr>,
    names: HashMap<usize, String>,
}

impl Lab {
    /// Moves the calling thread into the node's namespace, where it stays.
    pub fn new(view: &NodeView, routes: &[Route], program: &Program) -> Lab {
        let names = setup::interfaces(view, routes);
        let world = enter_new_namespace();
        setup::set("ipv6/conf/default/disable_ipv6", "1");
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let inject = socket(AddressFamily::Packet, SockType::Raw, flags, None).expect("a socket for frames");
        let capture =
            socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).expect("a capture");
        let node = enter_new_namespace();
        setup::node_settings();
        setup::node_links(&names, &world);
        setns(&world, CloneFlags::CLONE_NEWNET).expect("the world");
        let (links, by_index) = setup::world_links(&names);
        setup::wait_for_links(names.len());
        setns(&node, CloneFlags::CLONE_NEWNET).expect("the node");
        setup::wait_for_links(names.len());
        setup::addresses_and_routes(view, routes);
        setup::load(program);
        let mut netfilter = Netfilter::open();
        netfilter.listen(GROUP);
        let raw = |family| {
            socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw)
                .expect("a socket for packets")
        };
        let (raw_v4, raw_v6) = (raw(AddressFamily::Inet), raw(AddressFamily::Inet6));
        Lab { netfilter, capture, inject, raw_v4, raw_v6, links, names: by_index }
    }

    /// A packet comes in on an interface.
    pub fn arrive(&mut self, interface: &str, family: Family, packet: &[u8], watch: &mut impl Watch) {
        let kind: [u8; 2] = if family == Family::V4 { [0x08, 0x00] } else { [0x86, 0xdd] };
        let frame = [&NODE[..], &WORLD, &kind, packet].concat();
        let link = &self.links[interface];
        sendto(self.inject.as_raw_fd(), &frame, link, MsgFlags::empty()).expect("a frame is sent");
        self.look(watch);
    }

    /// A process of the node sends a packet. False if there is no route for it.
    pub fn originate(&mut self, family: Family, to: u128, packet: &[u8], watch: &mut impl Watch) -> bool {
        let sent = match family {
            Family::V4 => {
                let to = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::from(to as u32), 0));
                sendto(self.raw_v4.as_raw_fd(), packet, &to, MsgFlags::empty())
            }
            Family::V6 => {
                let to = SockaddrIn6::from(SocketAddrV6::new(Ipv6Addr::from(to), 0, 0, 0));
                sendto(self.raw_v6.as_raw_fd(), packet, &to, MsgFlags::empty())
            }
        };
        self.look(watch);
        match sent {
            // a rule discarded it
            Ok(_) | Err(Errno::EPERM) => true,
            Err(Errno::ENETUNREACH | Errno::EHOSTUNREACH) => false,
            Err(error) => panic!("a packet of the node cannot be sent: {error}"),
        }
    }

    /// Waits until nothing is under way any more. Frames wait in one queue for each processor, and this thread stays
    /// on one: when the sentinel is through, so is what was sent before it, and when the second is, so is what that
    /// led to.
    pub fn settle(&mut self, watch: &mut impl Watch) {
        for _ in 0..2 {
            let name = self.links.keys().next().expect("an interface").clone();
            let (source, destination) = (0xc000_0201, 0xc000_0202);
            let sentinel = frame::plain(source, destination, SENTINEL);
            let mut until = Until { watch, seen: false };
            self.arrive(&name, Family::V4, &sentinel, &mut until);
            while !until.seen {
                assert!(self.netfilter.wait(), "the sentinel is lost");
                self.look(&mut until);
            }
        }
    }

    /// Makes the node forget all connections.
    pub fn forget_connections(&mut self) {
        self.netfilter.forget_connections();
    }

    /// Reads what there is to see, so that no buffer fills up.
    fn look(&mut self, watch: &mut impl Watch) {
        self.netfilter.packets(&mut |place, bytes| watch.reported(place, bytes));
        let mut buffer = [0; 2048];
        loop {
            match recvfrom::<LinkAddr>(self.capture.as_raw_fd(), &mut buffer) {
                // 4: a frame of ours on its way out (PACKET_OUTGOING, linux/if_packet.h)
                Ok((length, Some(from))) if from.pkttype() != 4 && length > 14 => {
                    watch.left(&self.names[&from.ifindex()], &buffer[14..length]);
                }
                Ok(_) => {}
                Err(Errno::EAGAIN) => return,
                Err(error) => panic!("the capture fails: {error}"),
            }
        }
    }
}

/// Passes on what is seen, and waits for the sentinel.
struct Until<'w, W> {
    watch: &'w mut W,
    seen: bool,
}

impl<W: Watch> Watch for Until<'_, W> {
    fn reported(&mut self, place: u8, bytes: &[u8]) {
        match place {
            place::SENTINEL => self.seen = true,
            _ => self.watch.reported(place, bytes),
        }
    }

    fn left(&mut self, interface: &str, bytes: &[u8]) {
        self.watch.left(interface, bytes);
    }
}
