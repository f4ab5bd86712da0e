//! Felix's spelling: what it sends to `iptables-restore` and `ip6tables-restore`.
//!
//! Rule hashes are computed over this text, so every space counts. Facts: `felix/iptables/renderer.go:48`,
//! `felix/iptables/match_builder.go:71`, `felix/iptables/actions.go:30`, v3.32.1.

use super::text::{
    address, choice, conntrack_states, dashed, endpoints, hex, number, own_port, ports, probability,
    to_ports, words,
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
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_ @%+=:,./-".contains(&byte);
    if comment.len() <= 256 && comment.bytes().all(plain) {
        out.push_str(comment);
        return;
    }
    let plain = |c: char| u8::try_from(c).is_ok_and(plain);
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
    match &condition.on {
        Matcher::Protocol(Protocol::Name(name)) => words(out, [not, "-p ", name]),
        Matcher::Protocol(Protocol::Number(protocol)) => {
            words(out, [not, "-p "]);
            number(out, u64::from(*protocol));
        }
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
        }
        Matcher::InInterface(name) => words(out, [not, "--in-interface ", name]),
        Matcher::OutInterface(name) => words(out, [not, "--out-interface ", name]),
        Matcher::Ports(side, ranges) => {
            let word = match side {
                Side::Source => "source",
                Side::Destination => "destination",
            };
            words(out, ["-m multiport ", not, "--", word, "-ports "]);
            ports(out, ranges);
        }
        Matcher::Port(side, first, last) => own_port(out, *side, (*first, *last), not),
        Matcher::Set(name, lookup) => {
            let lookup = match lookup {
                SetLookup::Source => "src",
                SetLookup::Destination => "dst",
                SetLookup::SourcePort => "src,src",
                SetLookup::DestinationPort => "dst,dst",
            };
            words(out, ["-m set ", not, "--match-set ", name, " ", lookup]);
        }
        Matcher::Icmp(kind, code) => {
            match family {
                Family::V4 => words(out, ["-m icmp ", not, "--icmp-type "]),
                Family::V6 => words(out, ["-m icmp6 ", not, "--icmpv6-type "]),
            }
            number(out, u64::from(*kind));
            if let Some(code) = code {
                out.push('/');
                number(out, u64::from(*code));
            }
        }
        Matcher::Mark { value, mask, spelling } => {
            words(out, ["-m mark ", not, "--mark "]);
            mark(out, *value, *mask, *spelling);
        }
        Matcher::ConnectionMark { value, mask } => {
            words(out, ["-m connmark ", not, "--mark "]);
            mark(out, *value, *mask, MarkSpelling::Hex);
        }
        Matcher::Conntrack(states) => {
            words(out, ["-m conntrack ", not, "--ctstate "]);
            conntrack_states(out, *states);
        }
        Matcher::LocalAddress { side, limit_iface_out } => {
            let word = match side {
                Side::Source => "src",
                Side::Destination => "dst",
            };
            let limit = if *limit_iface_out { " --limit-iface-out" } else { "" };
            words(out, ["-m addrtype ", not, "--", word, "-type LOCAL", limit]);
        }
        Matcher::ReversePathFails => out.push_str("-m rpfilter --invert --validmark"),
        Matcher::Limit { rate, burst } => {
            words(out, ["-m limit --limit ", rate]);
            if let Some(burst) = burst {
                out.push_str(" --limit-burst ");
                number(out, u64::from(*burst));
            }
        }
        Matcher::TcpSyn => words(out, ["-m tcp ", not, "--tcp-flags FIN,SYN,RST,ACK SYN"]),
        Matcher::ConnectionsAbove(limit) => {
            out.push_str("-m connlimit --connlimit-above ");
            number(out, *limit);
            out.push_str(" --connlimit-mask 0");
        }
        Matcher::Random(count) => {
            words(out, ["-m statistic --mode random ", not, "--probability "]);
            probability(out, *count);
        }
        Matcher::OtherLimit { text, .. } | Matcher::Other(text) => out.push_str(text),
    }
}

fn mark(out: &mut String, value: u32, mask: u32, spelling: MarkSpelling) {
    match spelling {
        MarkSpelling::Clear => number(out, u64::from(value)),
        MarkSpelling::Hex => hex(out, value),
    }
    out.push('/');
    hex(out, mask);
}

/// Appends `80-90`, also where both are the same: a range of ports is text to Felix
/// (`felix/rules/nat.go:55`, v3.32.1).
fn both(out: &mut String, (first, last): (u16, u16)) {
    number(out, u64::from(first));
    out.push('-');
    number(out, u64::from(last));
}

fn acting(out: &mut String, action: &Action) {
    match action {
        Action::Accept => out.push_str("--jump ACCEPT"),
        Action::Drop => out.push_str("--jump DROP"),
        Action::Reject(RejectWith::PortUnreachable) => out.push_str("--jump REJECT"),
        // Felix's connection limit is one fragment with a short option in it
        Action::Reject(RejectWith::TcpReset) => out.push_str("-j REJECT --reject-with tcp-reset"),
        Action::Reject(RejectWith::Error(error)) => words(out, ["--jump REJECT --reject-with ", error]),
        Action::Return => out.push_str("--jump RETURN"),
        Action::Jump(chain) => words(out, ["--jump ", chain]),
        Action::Goto(chain) => words(out, ["--goto ", chain]),
        Action::Mark { value, mask: bits, spelling } => {
            // `--set-mark` replaces the bits of the value as well
            let turns_over = value & !bits != 0;
            out.push_str(if turns_over { "--jump MARK --set-xmark " } else { "--jump MARK --set-mark " });
            mark(out, *value, *bits, *spelling);
        }
        Action::NoTrack => out.push_str("--jump NOTRACK"),
        Action::Log { prefix } => {
            words(out, ["--jump LOG --log-prefix \"", prefix, ": \" --log-level 5"]);
        }
        Action::NfLog { group, prefix, size, range } => {
            let word = if *range { "range" } else { "size" };
            out.push_str("--jump NFLOG --nflog-group ");
            number(out, u64::from(*group));
            words(out, [" --nflog-prefix ", prefix, " --nflog-", word, " "]);
            number(out, u64::from(*size));
        }
        Action::ConnectionMark(_) | Action::Redirect(_) | Action::NetMap(_) => {
            out.push_str("--jump ");
            super::save::foreign(out, action);
        }
        Action::Dnat(to) => {
            out.push_str("--jump DNAT --to-destination ");
            endpoints(out, to, dashed);
            choice(out, to);
        }
        Action::Snat(to) => {
            out.push_str("--jump SNAT --to-source ");
            endpoints(out, to, both);
            choice(out, to);
        }
        Action::Masquerade(to) => {
            out.push_str("--jump MASQUERADE");
            to_ports(out, to, both);
        }
        Action::Dscp(value) => {
            out.push_str("--jump DSCP --set-dscp ");
            number(out, u64::from(*value));
        }
        Action::Neutral(text) | Action::Other(text) => words(out, ["--jump ", text]),
    }
}
