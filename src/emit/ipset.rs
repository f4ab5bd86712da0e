//! Sets as `ipset save` prints them, without hash size, bucket size and seed: sets sorted by
//! name, members by text.

use super::text::{ipv4, ipv6, number};
use crate::ir::{Family, IpSet, Members};
use crate::model::core::TransportProtocol;
use std::net::IpAddr;

/// Appends one set: its `create` line and an `add` line for each member.
pub fn write_set(out: &mut String, set: &IpSet) {
    let family = match set.family {
        Family::V4 => "inet",
        Family::V6 => "inet6",
    };
    out.push_str("create ");
    out.push_str(&set.name);
    out.push(' ');
    out.push_str(set.kind().name());
    out.push_str(" family ");
    out.push_str(family);
    out.push_str(" maxelem ");
    number(out, set.max_elements);
    out.push('\n');
    let add = format!("add {} ", set.name);
    each_member(set, |member| {
        out.push_str(&add);
        out.push_str(member);
        out.push('\n');
    });
}

/// Calls `visit` with the text of each member of the set's family, in order.
pub fn each_member(set: &IpSet, mut visit: impl FnMut(&str)) {
    let mut text = String::with_capacity(64);
    let mut visit = |write: &dyn Fn(&mut String)| {
        text.clear();
        write(&mut text);
        visit(&text);
    };
    match (&set.members, set.family) {
        (Members::Nets(nets), Family::V4) => {
            for net in &nets.v4 {
                visit(&|out| {
                    ipv4(out, net.addr());
                    length(out, net.prefix_len(), 32);
                });
            }
        }
        (Members::Nets(nets), Family::V6) => {
            for net in &nets.v6 {
                visit(&|out| {
                    ipv6(out, net.addr());
                    length(out, net.prefix_len(), 128);
                });
            }
        }
        (Members::Addresses(addresses), _) => {
            for address in addresses {
                visit(&|out| host(out, *address));
            }
        }
        (Members::Ports(ports), _) => {
            for member in &**ports {
                visit(&|out| {
                    host(out, member.address);
                    out.push(',');
                    out.push_str(match member.protocol {
                        TransportProtocol::Udp => "udp",
                        TransportProtocol::Sctp => "sctp",
                        TransportProtocol::Tcp | TransportProtocol::Other => "tcp",
                    });
                    out.push(':');
                    number(out, u64::from(member.port));
                });
            }
        }
    }
}

fn host(out: &mut String, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => ipv4(out, v4),
        IpAddr::V6(v6) => ipv6(out, v6),
    }
}

/// `ipset` leaves the length of a single address out.
fn length(out: &mut String, prefix: u8, full: u8) {
    if prefix != full {
        out.push('/');
        number(out, u64::from(prefix));
    }
}
