//! Two of netfilter's services: packets that NFLOG rules report, and conntrack made empty.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto, socket,
    sockopt,
};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

// linux/netlink.h, linux/netfilter/nfnetlink.h, nfnetlink_log.h, nfnetlink_conntrack.h
const REQUEST_WITH_ANSWER: u16 = 1 | 4;
const ERROR: u16 = 2;
const CONNTRACK_DELETE: u16 = 1 << 8 | 2;
const LOG_PACKET: u16 = 4 << 8;
const LOG_CONFIG: u16 = 4 << 8 | 1;
const CONFIG_COMMAND: u16 = 1;
const CONFIG_MODE: u16 = 2;
const CONFIG_THRESHOLD: u16 = 5;
const COMMAND_BIND: u8 = 1;
const COPY_PACKET: u8 = 2;
const PAYLOAD: u16 = 9;
const PREFIX: u16 = 10;

/// Bytes of a packet that are reported: the headers, and those that an error of ICMP quotes.
const COPIED: u32 = 128;

/// A socket to netfilter, of the network namespace in which it was made.
pub struct Netfilter {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Netfilter {
    /// Opens one.
    pub fn open() -> Self {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)
            .expect("netlink");
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).expect("a netlink address");
        // as much as is allowed
        nix::sys::socket::setsockopt(&socket, sockopt::RcvBuf, &(1 << 22)).expect("a buffer");
        Netfilter { socket, buffer: vec![0; 1 << 16] }
    }

    /// Asks for the packets of an NFLOG group, each at once.
    pub fn listen(&mut self, group: u16) {
        let mode = [&COPIED.to_be_bytes()[..], &[COPY_PACKET, 0]].concat();
        let attributes = [
            attribute(CONFIG_COMMAND, &[COMMAND_BIND]),
            attribute(CONFIG_MODE, &mode),
            attribute(CONFIG_THRESHOLD, &1_u32.to_be_bytes()),
        ];
        self.ask(LOG_CONFIG, group, &attributes.concat());
    }

    /// Makes conntrack forget all connections.
    pub fn forget_connections(&mut self) {
        self.ask(CONNTRACK_DELETE, 0, &[]);
    }

    /// Sends a request and waits until it is done.
    fn ask(&mut self, kind: u16, resource: u16, attributes: &[u8]) {
        let mut message = u32::to_ne_bytes(20 + attributes.len() as u32).to_vec();
        message.extend([kind.to_ne_bytes(), REQUEST_WITH_ANSWER.to_ne_bytes()].concat());
        message.extend([0; 8]);
        message.extend([0, 0]);
        message.extend(resource.to_be_bytes());
        message.extend(attributes);
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.socket.as_raw_fd(), &message, &kernel, MsgFlags::empty()).expect("a request");
        loop {
            assert!(self.wait(), "netfilter does not answer");
            let mut done = None;
            self.receive(&mut |kind, body| {
                if kind == ERROR {
                    done = Some(i32::from_ne_bytes(body[..4].try_into().expect("4 bytes")));
                }
            });
            if let Some(error) = done {
                assert_eq!(error, 0, "netfilter refuses {kind:#x}");
                return;
            }
        }
    }

    /// Waits for a message; false if none comes for a long time.
    pub fn wait(&self) -> bool {
        let mut ready = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        poll(&mut ready, PollTimeout::from(20_000_u16)).expect("poll") > 0
    }

    /// Packets that were reported: the rule's prefix and the packet's bytes.
    pub fn packets(&mut self, each: &mut impl FnMut(u8, &[u8])) {
        self.receive(&mut |kind, body| {
            let (mut prefix, mut payload, mut rest) = (0, &[][..], &body[4..]);
            while kind == LOG_PACKET && rest.len() >= 4 {
                let field = |at: usize| u16::from_ne_bytes([rest[at], rest[at + 1]]);
                let (length, name) = (usize::from(field(0)), field(2));
                match name {
                    PREFIX => prefix = rest[4],
                    PAYLOAD => payload = &rest[4..length],
                    _ => {}
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
            if kind == LOG_PACKET {
                each(prefix, payload);
            }
        });
    }

    /// Messages that are there: type and what is behind the header.
    fn receive(&mut self, each: &mut impl FnMut(u16, &[u8])) {
        loop {
            let length = match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                Ok(length) => length,
                Err(Errno::EAGAIN) => return,
                Err(error) => panic!("reports were lost: {error}"),
            };
            let mut rest = &self.buffer[..length];
            while rest.len() >= 16 {
                let size = u32::from_ne_bytes(rest[..4].try_into().expect("4 bytes")) as usize;
                each(u16::from_ne_bytes([rest[4], rest[5]]), &rest[16..size]);
                rest = rest.get(size.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }
}

fn attribute(name: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = [(4 + value.len() as u16).to_ne_bytes(), name.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
