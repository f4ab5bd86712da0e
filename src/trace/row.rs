//! Packets as rows of text: eight columns, separated by tabs, under a line with their names.

use crate::ir::{ConntrackStates, Family};
use crate::kernel::Outcome;
use crate::kernel::conntrack::Connection;
use crate::kernel::packet::{self, Packet, number};
use std::fmt::Write;
use std::net::IpAddr;

/// The columns of a row, in order.
pub const COLUMNS: [&str; 8] =
    ["family", "in_iface", "src", "dst", "proto", "sport_or_type", "dport_or_code", "ct"];
/// The columns that are added.
pub const ANSWERS: [&str; 2] = ["outcome", "out_iface"];

/// Reads a row.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse(line: &str) -> Result<(Packet<'_>, Connection), String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [family, interface, source, destination, protocol, first, second, connection] = fields[..] else {
        return Err(format!("{} columns instead of {}", fields.len(), COLUMNS.len()));
    };
    let family = match family {
        "ipv4" => Family::V4,
        "ipv6" => Family::V6,
        other => return Err(format!("`{other}` is neither `ipv4` nor `ipv6`")),
    };
    let address = |text: &str| match text.parse::<IpAddr>() {
        Ok(address) if address.is_ipv4() == (family == Family::V4) => Ok(number(address)),
        _ => Err(format!("`{text}` is no address of this family")),
    };
    let port = |text: &str| match text {
        "-" => Ok(0),
        text => text.parse::<u16>().map_err(|_| format!("`{text}` is no port, type or code")),
    };
    let protocol = protocol_number(protocol)?;
    let connection = match connection {
        "new" => Connection::First,
        "reply" => Connection::Answer,
        "reply-untracked" => Connection::AnswerToUntracked,
        other => return Err(format!("`{other}` is none of `new`, `reply` and `reply-untracked`")),
    };
    let packet = Packet {
        family,
        source: address(source)?,
        destination: address(destination)?,
        protocol,
        source_port: port(first)?,
        destination_port: port(second)?,
        syn: protocol == packet::TCP && connection == Connection::First,
        in_interface: if interface == "local" { "" } else { interface },
        out_interface: "",
        mark: 0,
        connection_mark: 0,
        state: ConntrackStates::INVALID,
        untracked: false,
    };
    Ok((packet, connection))
}

/// A protocol by its name or number.
///
/// # Errors
///
/// It is neither.
pub fn protocol_number(text: &str) -> Result<u8, String> {
    Ok(match text {
        "tcp" => packet::TCP,
        "udp" => packet::UDP,
        "sctp" => packet::SCTP,
        "udplite" => packet::UDP_LITE,
        "icmp" => packet::ICMP,
        "icmpv6" => packet::ICMP_V6,
        number => number.parse().map_err(|_| format!("`{number}` is no protocol"))?,
    })
}

/// Appends a row with its answer.
pub fn answer(out: &mut String, line: &str, outcome: Outcome<'_>) {
    out.push_str(line);
    let _ = match outcome {
        Outcome::Delivered => writeln!(out, "\tdelivered_local\t-"),
        Outcome::Forwarded(interface) => writeln!(out, "\tforwarded:{interface}\t{interface}"),
        Outcome::Sent(interface) => writeln!(out, "\tsent:{interface}\t{interface}"),
        Outcome::Dropped(hook) => writeln!(out, "\tdropped:{}\t-", hook.name()),
        Outcome::Rejected(_) => writeln!(out, "\trejected\t-"),
        Outcome::Unroutable => writeln!(out, "\tunroutable\t-"),
    };
}
