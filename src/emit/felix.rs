//! Felix's spelling: what it sends to `iptables-restore` and `ip6tables-restore`.
//!
//! Rule hashes are computed over this text, so every space counts. Facts: `felix/iptables/renderer.go:48`,
//! `felix/iptables/match_builder.go:71`, `felix/iptables/actions.go:30`, v3.32.1.

use super::text::{
    address, choice, conntrack_states, dashed, endpoints, own_port, ports, probability, to_ports,
};
use crate::ir::{
    Action, Address, Family, MarkSpelling, Match, Matcher, Protocol, RejectWith, Rule, SetLookup, Side,
};
use std::fmt::Write;

/// Appends everything after the hash comment: further comments, matches and action, each with a
/// space before it. This is the part of the text that the hash covers, besides the chain's name.
pub fn body(out: &mut String, rule: &Rule, family: Family) {
    for comment in &rule.comments {
        out.push_str(" -m comment --comment \"");
        escaped_comment(out, comment);
        out.push('"');
    }
    conditions(out, &rule.matches, family);
    if let Some(action) = &rule.action {
        out.push(' ');
        acting(out, action);
    }
}

/// Appends a comment with every character outside `[\w @%+=:,./-]` replaced by `_`, cut to 256
/// bytes (`felix/iptables/renderer.go:115`, v3.32.1).
fn escaped_comment(out: &mut String, comment: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_ @%+=:,./-".contains(c);
    out.extend(comment.chars().map(|c| if plain(c) { c } else { '_' }).take(256));
}

/// Appends the matches only, each with a space before it.
pub fn conditions<'m>(out: &mut String, matches: impl IntoIterator<Item = &'m Match>, family: Family) {
    for condition in matches {
        out.push(' ');
        matching(out, condition, family);
    }
}

/// Appends an action.
pub fn action(out: &mut String, action: &Action) {
    acting(out, action);
}

fn matching(out: &mut String, condition: &Match, family: Family) {
    let not = if condition.negated { "! " } else { "" };
    let _ = match &condition.on {
        Matcher::Protocol(Protocol::Name(name)) => write!(out, "{not}-p {name}"),
        Matcher::Protocol(Protocol::Number(number)) => write!(out, "{not}-p {number}"),
        Matcher::Address(side, ranges) => {
            out.push_str(not);
            out.push_str(match side {
                Side::Source => "--source ",
                Side::Destination => "--destination ",
            });
            for (i, range) in ranges.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                match range {
                    Address::Net(net) => {
                        let _ = write!(out, "{net}");
                    }
                    Address::Host(host) => address(out, *host),
                }
            }
            Ok(())
        }
        Matcher::InInterface(name) => write!(out, "{not}--in-interface {name}"),
        Matcher::OutInterface(name) => write!(out, "{not}--out-interface {name}"),
        Matcher::Ports(side, ranges) => {
            let word = match side {
                Side::Source => "source",
                Side::Destination => "destination",
            };
            let _ = write!(out, "-m multiport {not}--{word}-ports ");
            ports(out, ranges);
            Ok(())
        }
        Matcher::Port(side, first, last) => {
            own_port(out, *side, (*first, *last), not);
            Ok(())
        }
        Matcher::Set(name, lookup) => {
            let lookup = match lookup {
                SetLookup::Source => "src",
                SetLookup::Destination => "dst",
                SetLookup::SourcePort => "src,src",
                SetLookup::DestinationPort => "dst,dst",
            };
            write!(out, "-m set {not}--match-set {name} {lookup}")
        }
        Matcher::Icmp(kind, code) => {
            let _ = match family {
                Family::V4 => write!(out, "-m icmp {not}--icmp-type {kind}"),
                Family::V6 => write!(out, "-m icmp6 {not}--icmpv6-type {kind}"),
            };
            match code {
                Some(code) => write!(out, "/{code}"),
                None => Ok(()),
            }
        }
        Matcher::Mark { value, mask, spelling } => {
            let _ = write!(out, "-m mark {not}--mark ");
            mark(out, *value, *mask, *spelling);
            Ok(())
        }
        Matcher::ConnectionMark { value, mask } => {
            write!(out, "-m connmark {not}--mark {value:#x}/{mask:#x}")
        }
        Matcher::Conntrack(states) => {
            let _ = write!(out, "-m conntrack {not}--ctstate ");
            conntrack_states(out, *states);
            Ok(())
        }
        Matcher::LocalAddress { side, limit_iface_out } => {
            let word = match side {
                Side::Source => "src",
                Side::Destination => "dst",
            };
            let limit = if *limit_iface_out { " --limit-iface-out" } else { "" };
            write!(out, "-m addrtype {not}--{word}-type LOCAL{limit}")
        }
        Matcher::ReversePathFails => write!(out, "-m rpfilter --invert --validmark"),
        Matcher::Limit { rate, burst } => {
            let _ = write!(out, "-m limit --limit {rate}");
            match burst {
                Some(burst) => write!(out, " --limit-burst {burst}"),
                None => Ok(()),
            }
        }
        Matcher::TcpSyn => write!(out, "-m tcp {not}--tcp-flags FIN,SYN,RST,ACK SYN"),
        Matcher::ConnectionsAbove(limit) => {
            write!(out, "-m connlimit --connlimit-above {limit} --connlimit-mask 0")
        }
        Matcher::Random(count) => {
            let _ = write!(out, "-m statistic --mode random {not}--probability ");
            probability(out, *count);
            Ok(())
        }
        Matcher::OtherLimit { text, .. } | Matcher::Other(text) => write!(out, "{text}"),
    };
}

fn mark(out: &mut String, value: u32, mask: u32, spelling: MarkSpelling) {
    let _ = match spelling {
        MarkSpelling::Clear => write!(out, "{value}/{mask:#x}"),
        MarkSpelling::Hex => write!(out, "{value:#x}/{mask:#x}"),
    };
}

/// Appends `80-90`, also where both are the same: a range of ports is text to Felix
/// (`felix/rules/nat.go:55`, v3.32.1).
fn both(out: &mut String, (first, last): (u16, u16)) {
    let _ = write!(out, "{first}-{last}");
}

fn acting(out: &mut String, action: &Action) {
    let _ = match action {
        Action::Accept => write!(out, "--jump ACCEPT"),
        Action::Drop => write!(out, "--jump DROP"),
        Action::Reject(RejectWith::PortUnreachable) => write!(out, "--jump REJECT"),
        // Felix's connection limit is one fragment with a short option in it
        Action::Reject(RejectWith::TcpReset) => write!(out, "-j REJECT --reject-with tcp-reset"),
        Action::Reject(RejectWith::Error(error)) => write!(out, "--jump REJECT --reject-with {error}"),
        Action::Return => write!(out, "--jump RETURN"),
        Action::Jump(chain) => write!(out, "--jump {chain}"),
        Action::Goto(chain) => write!(out, "--goto {chain}"),
        Action::Mark { value, mask: bits, spelling } => {
            // `--set-mark` replaces the bits of the value as well
            let turns_over = value & !bits != 0;
            out.push_str(if turns_over { "--jump MARK --set-xmark " } else { "--jump MARK --set-mark " });
            mark(out, *value, *bits, *spelling);
            Ok(())
        }
        Action::NoTrack => write!(out, "--jump NOTRACK"),
        Action::Log { prefix } => write!(out, "--jump LOG --log-prefix \"{prefix}: \" --log-level 5"),
        Action::NfLog { group, prefix, size, range } => {
            let word = if *range { "range" } else { "size" };
            write!(out, "--jump NFLOG --nflog-group {group} --nflog-prefix {prefix} --nflog-{word} {size}")
        }
        Action::ConnectionMark(_) | Action::Redirect(_) | Action::NetMap(_) => {
            out.push_str("--jump ");
            super::save::foreign(out, action)
        }
        Action::Dnat(to) => {
            out.push_str("--jump DNAT --to-destination ");
            endpoints(out, to, dashed);
            choice(out, to);
            Ok(())
        }
        Action::Snat(to) => {
            out.push_str("--jump SNAT --to-source ");
            endpoints(out, to, both);
            choice(out, to);
            Ok(())
        }
        Action::Masquerade(to) => {
            out.push_str("--jump MASQUERADE");
            to_ports(out, to, both);
            Ok(())
        }
        Action::Dscp(value) => write!(out, "--jump DSCP --set-dscp {value}"),
        Action::Neutral(text) | Action::Other(text) => write!(out, "--jump {text}"),
    };
}
