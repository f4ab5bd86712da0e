//! The kernel's spelling: what `iptables-save` and `ip6tables-save` (legacy, 1.8.9) print.
//!
//! The kernel keeps addresses, interfaces and the protocol apart from the other matches, so they
//! come first in a fixed order; the other matches keep the order in which they were given.

use super::text::{
    address, choice, conntrack_states, dashed, endpoints, hex, number, own_port, ports, probability,
    to_ports, words,
};
use crate::ir::{
    Action, Address, ConnectionMark, Family, Match, Matcher, Protocol, RejectWith, Rule, SetLookup, Side,
};
use std::fmt::Write;

/// Longest LOG prefix that the kernel keeps, in bytes (`struct xt_log_info`, 30 with the NUL).
pub const LOG_PREFIX: usize = 29;
/// Longest NFLOG prefix that the kernel keeps, in bytes (`struct xt_nflog_info`, 64 with the NUL).
pub const NFLOG_PREFIX: usize = 63;

/// Appends the text of a rule after `-A <chain>`, each part with a space before it. A rule with
/// several addresses is several rules in the kernel: `expand` says which of them this is
/// (see [`expansions`]).
pub fn body(out: &mut String, rule: &Rule, family: Family, expand: usize) {
    let mut each = expansions(rule);
    for side in [Side::Source, Side::Destination] {
        for condition in &rule.matches {
            if let Matcher::Address(on, ranges) = &condition.on
                && *on == side
            {
                // as iptables goes through them: for each source all destinations
                each /= ranges.len();
                address_match(out, side, ranges[expand / each % ranges.len()], condition.negated);
            }
        }
    }
    let mut first = |wanted: fn(&Matcher) -> Option<(&'static str, &str)>| {
        for condition in &rule.matches {
            if let Some((flag, name)) = wanted(&condition.on) {
                words(out, [" ", not(condition), flag, " ", name]);
            }
        }
    };
    first(|on| match on {
        Matcher::InInterface(name) => Some(("-i", name)),
        _ => None,
    });
    first(|on| match on {
        Matcher::OutInterface(name) => Some(("-o", name)),
        _ => None,
    });
    let mut protocol = "";
    for condition in &rule.matches {
        if let Matcher::Protocol(on) = &condition.on {
            protocol_match(out, on, condition.negated);
            if let Some(name) = on.number().and_then(Protocol::name_of) {
                protocol = name;
            }
        }
    }
    if let Some(hash) = &rule.hash {
        words(out, [" -m comment --comment \"cali:", hash, "\""]);
    }
    for comment in &rule.comments {
        out.push_str(" -m comment --comment");
        quoted(out, comment);
    }
    // a protocol's own matches in a row are one
    let mut joins = false;
    for condition in &rule.matches {
        matching(out, condition, family, protocol, joins);
        joins = matches!(condition.on, Matcher::Port(..));
    }
    if let Some(action) = &rule.action {
        acting(out, action, family);
    }
}

/// How many rules of the kernel this rule is: one for each address of a list, and where there are lists for
/// both sides, one for each address of the one with each of the other.
pub fn expansions(rule: &Rule) -> usize {
    let lists = rule.matches.iter().filter_map(|condition| match &condition.on {
        Matcher::Address(_, ranges) => Some(ranges.len()),
        _ => None,
    });
    lists.product()
}

fn not(condition: &Match) -> &'static str {
    if condition.negated { "! " } else { "" }
}

fn address_match(out: &mut String, side: Side, range: Address, negated: bool) {
    let net = range.net();
    // a range of all addresses is the absence of a match
    if net.prefix_len() == 0 && net.addr().is_unspecified() && !negated {
        return;
    }
    let flag = match side {
        Side::Source => "-s",
        Side::Destination => "-d",
    };
    words(out, [" ", if negated { "! " } else { "" }, flag, " "]);
    address(out, net.addr());
    out.push('/');
    number(out, u64::from(net.prefix_len()));
}

fn protocol_match(out: &mut String, protocol: &Protocol, negated: bool) {
    let not = if negated { "! " } else { "" };
    match (protocol.number(), protocol) {
        // protocol 0 is the absence of a match
        (Some(0), _) => {}
        (Some(known), _) => match Protocol::name_of(known) {
            Some(name) => words(out, [" ", not, "-p ", name]),
            None => {
                words(out, [" ", not, "-p "]);
                number(out, u64::from(known));
            }
        },
        (None, Protocol::Name(name)) => words(out, [" ", not, "-p ", name]),
        (None, Protocol::Number(own)) => {
            words(out, [" ", not, "-p "]);
            number(out, u64::from(*own));
        }
    }
}

fn matching(out: &mut String, condition: &Match, family: Family, protocol: &str, joins: bool) {
    let not = not(condition);
    match &condition.on {
        // these have a place of their own at the front
        Matcher::Protocol(_) | Matcher::Address(..) | Matcher::InInterface(_) | Matcher::OutInterface(_) => {}
        Matcher::Ports(side, ranges) => {
            let word = match side {
                Side::Source => "sports",
                Side::Destination => "dports",
            };
            words(out, [" -m multiport ", not, "--", word, " "]);
            ports(out, ranges);
        }
        Matcher::Port(side, first, last) => {
            if !joins {
                words(out, [" -m ", protocol]);
            }
            out.push(' ');
            own_port(out, *side, (*first, *last), not);
        }
        Matcher::Set(name, lookup) => {
            let lookup = match lookup {
                SetLookup::Source => "src",
                SetLookup::Destination => "dst",
                SetLookup::SourcePort => "src,src",
                SetLookup::DestinationPort => "dst,dst",
            };
            words(out, [" -m set ", not, "--match-set ", name, " ", lookup]);
        }
        Matcher::Icmp(kind, code) => {
            match family {
                Family::V4 => words(out, [" -m icmp ", not, "--icmp-type "]),
                Family::V6 => words(out, [" -m icmp6 ", not, "--icmpv6-type "]),
            }
            if family == Family::V4 && *kind == 255 {
                out.push_str("any");
                return;
            }
            number(out, u64::from(*kind));
            if let Some(code) = code {
                out.push('/');
                number(out, u64::from(*code));
            }
        }
        Matcher::Mark { value, mask, .. } | Matcher::ConnectionMark { value, mask } => {
            let is_own = matches!(condition.on, Matcher::Mark { .. });
            let module = if is_own { "mark" } else { "connmark" };
            words(out, [" -m ", module, " ", not, "--mark "]);
            hex(out, *value);
            if *mask != u32::MAX {
                out.push('/');
                hex(out, *mask);
            }
        }
        Matcher::Conntrack(states) => {
            words(out, [" -m conntrack ", not, "--ctstate "]);
            conntrack_states(out, *states);
        }
        Matcher::LocalAddress { side, limit_iface_out } => {
            let word = match side {
                Side::Source => "src",
                Side::Destination => "dst",
            };
            let limit = if *limit_iface_out { " --limit-iface-out" } else { "" };
            words(out, [" -m addrtype ", not, "--", word, "-type LOCAL", limit]);
        }
        Matcher::ReversePathFails => out.push_str(" -m rpfilter --validmark --invert"),
        Matcher::Limit { rate, burst } => {
            out.push_str(" -m limit --limit ");
            limit_rate(out, rate);
            // 5 is the default and is not printed
            if let Some(burst) = burst.filter(|burst| *burst != 5) {
                out.push_str(" --limit-burst ");
                number(out, u64::from(burst));
            }
        }
        Matcher::TcpSyn => {
            out.push_str(if joins { " " } else { " -m tcp " });
            words(out, [not, "--tcp-flags FIN,SYN,RST,ACK SYN"]);
        }
        Matcher::ConnectionsAbove(limit) => {
            out.push_str(" -m connlimit --connlimit-above ");
            number(out, *limit);
            out.push_str(" --connlimit-mask 0 --connlimit-saddr");
        }
        Matcher::Random(count) => {
            words(out, [" -m statistic --mode random ", not, "--probability "]);
            probability(out, *count);
        }
        Matcher::OtherLimit { text, .. } | Matcher::Other(text) => words(out, [" ", text]),
    }
}

/// Appends a rate as the kernel's resolution leaves it: it stores the time between two packets in
/// units of 0.1 ms, and iptables prints the coarsest unit that divides it well
/// (`extensions/libxt_limit.c`, 1.8.9). A text that is no rate is printed as it is.
fn limit_rate(out: &mut String, rate: &str) {
    const SCALE: u64 = 10_000;
    const UNITS: [(&str, u64); 4] =
        [("day", SCALE * 86_400), ("hour", SCALE * 3_600), ("min", SCALE * 60), ("sec", SCALE)];
    let parsed = rate.split_once('/').and_then(|(count, unit)| {
        let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
        let letter = unit.chars().next()?.to_ascii_lowercase();
        let (_, ticks) = UNITS.iter().find(|(name, _)| name.starts_with(letter))?;
        Some(ticks / count)
    });
    let Some(period) = parsed.filter(|period| *period > 0) else {
        out.push_str(rate);
        return;
    };
    let fits = |ticks: u64| period <= ticks && ticks / period >= ticks % period;
    let finer = UNITS[1..].iter().take_while(|(_, ticks)| fits(*ticks)).count();
    let (name, ticks) = UNITS[finer];
    number(out, ticks / period);
    words(out, ["/", name]);
}

fn acting(out: &mut String, action: &Action, family: Family) {
    match action {
        Action::Accept => out.push_str(" -j ACCEPT"),
        Action::Drop => out.push_str(" -j DROP"),
        Action::Reject(RejectWith::TcpReset) => out.push_str(" -j REJECT --reject-with tcp-reset"),
        Action::Reject(RejectWith::PortUnreachable) => {
            let answer = match family {
                Family::V4 => "icmp-port-unreachable",
                Family::V6 => "icmp6-port-unreachable",
            };
            words(out, [" -j REJECT --reject-with ", answer]);
        }
        Action::Reject(RejectWith::Error(error)) => words(out, [" -j REJECT --reject-with ", error]),
        Action::Return => out.push_str(" -j RETURN"),
        Action::Jump(chain) => words(out, [" -j ", chain]),
        Action::Goto(chain) => words(out, [" -g ", chain]),
        Action::Mark { value, mask, .. } => {
            out.push_str(" -j MARK --set-xmark ");
            masked(out, *value, *mask);
        }
        Action::NoTrack => out.push_str(" -j NOTRACK"),
        Action::Log { prefix } => {
            out.push_str(" -j LOG --log-prefix");
            quoted(out, cut(&format!("{prefix}: "), LOG_PREFIX));
            out.push_str(" --log-level 5");
        }
        Action::NfLog { group, prefix, size, range } => {
            out.push_str(" -j NFLOG --nflog-prefix");
            quoted(out, cut(prefix, NFLOG_PREFIX));
            if *group != 0 {
                out.push_str(" --nflog-group ");
                number(out, u64::from(*group));
            }
            words(out, [" --nflog-", if *range { "range" } else { "size" }, " "]);
            number(out, u64::from(*size));
        }
        Action::ConnectionMark(_) | Action::Redirect(_) | Action::NetMap(_) => {
            out.push_str(" -j ");
            foreign(out, action);
        }
        Action::Dnat(to) => {
            out.push_str(" -j DNAT --to-destination ");
            endpoints(out, to, dashed);
            choice(out, to);
        }
        Action::Snat(to) => {
            out.push_str(" -j SNAT --to-source ");
            endpoints(out, to, dashed);
            choice(out, to);
        }
        Action::Masquerade(to) => {
            out.push_str(" -j MASQUERADE");
            to_ports(out, to, dashed);
        }
        Action::Dscp(value) => {
            let _ = write!(out, " -j DSCP --set-dscp {value:#04x}");
        }
        Action::Neutral(text) | Action::Other(text) => words(out, [" -j ", text]),
    }
}

/// Targets that Felix never uses, with their options; masks are always printed
/// (`extensions/libxt_CONNMARK.c`, 1.8.9).
pub(super) fn foreign(out: &mut String, action: &Action) {
    match action {
        Action::ConnectionMark(ConnectionMark::Set { value, mask }) => {
            out.push_str("CONNMARK --set-xmark ");
            masked(out, *value, *mask);
        }
        Action::ConnectionMark(ConnectionMark::Save { packet_mask, connection_mask }) => {
            out.push_str("CONNMARK --save-mark --nfmask ");
            hex(out, *packet_mask);
            out.push_str(" --ctmask ");
            hex(out, *connection_mask);
        }
        Action::ConnectionMark(ConnectionMark::Restore { packet_mask, connection_mask }) => {
            out.push_str("CONNMARK --restore-mark --nfmask ");
            hex(out, *packet_mask);
            out.push_str(" --ctmask ");
            hex(out, *connection_mask);
        }
        Action::Redirect(to) => {
            out.push_str("REDIRECT");
            to_ports(out, to, dashed);
        }
        Action::NetMap(net) => {
            out.push_str("NETMAP --to ");
            address(out, net.addr());
            out.push('/');
            number(out, u64::from(net.prefix_len()));
        }
        _ => {}
    }
}

/// Appends `0x1/0xff`.
fn masked(out: &mut String, value: u32, mask: u32) {
    hex(out, value);
    out.push('/');
    hex(out, mask);
}

/// Appends a space and the text, quoted and escaped where it is more than letters, digits, `_`
/// and `-` (`xtables_save_string`, 1.8.9).
fn quoted(out: &mut String, text: &str) {
    out.push(' ');
    if text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') && !text.is_empty() {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '\'') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// The longest prefix of at most `limit` bytes that ends between two characters.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> String {
        let mut out = String::new();
        limit_rate(&mut out, text);
        out
    }

    #[test]
    fn a_rate_prints_in_the_coarsest_unit_that_divides_it() {
        assert_eq!(rate("100/second"), "100/sec");
        assert_eq!(rate("60/minute"), "1/sec");
        assert_eq!(rate("10/minute"), "10/min");
        assert_eq!(rate("3/hour"), "3/hour");
        assert_eq!(rate("24/day"), "1/hour");
    }

    #[test]
    fn text_is_quoted_only_where_it_must_be() {
        let mut out = String::new();
        quoted(&mut out, "DRI");
        quoted(&mut out, "DPE|default");
        quoted(&mut out, "it's");
        assert_eq!(out, " DRI \"DPE|default\" \"it\\'s\"");
    }
}
