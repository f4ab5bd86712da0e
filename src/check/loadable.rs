//! What `iptables-restore`, `ipset` and the kernel refuse to take.
//!
//! Felix validates objects, not rules. A rule that cannot be loaded makes a whole table fail: Felix
//! retries for ever, restarts in between, and no later change of that table reaches the node.
//!
//! The conditions are those of iptables 1.8.9 (legacy) and Linux 6.18; `tests/kernel.rs` asks the
//! real ones where it may.

use crate::emit::saved_rule;
use crate::ir::{
    Action, Family, IpSet, Match, Matcher, Origin, Program, RejectWith, Rule, TableName, Translation,
};

/// A rule or set that cannot be loaded.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// address family
    pub family: Family,
    /// the table that cannot be loaded; `None` for a set
    pub table: Option<TableName>,
    /// the rule as `iptables-save` would print it, or the name of the set
    pub what: String,
    /// why, as the end of a sentence
    pub reason: String,
    /// the parameter of Felix that asks for it, if one does
    pub parameter: Option<&'static str>,
    /// where the rule comes from; `None` for a set
    pub origin: Option<Origin>,
}

/// Everything of a program that would be refused, in the order of the program.
pub fn refusals(program: &Program) -> Vec<Refusal> {
    let mut found = Vec::new();
    for rules in [&program.v4, &program.v6] {
        for table in &rules.tables {
            for chain in table.hooks.iter().chain(&table.chains) {
                for rule in &chain.rules {
                    if let Some((reason, parameter)) = refused_rule(rule, rules.family, table.name) {
                        found.push(Refusal {
                            family: rules.family,
                            table: Some(table.name),
                            what: saved_rule(chain, rule, rules.family),
                            reason,
                            parameter,
                            origin: Some(rule.origin.clone()),
                        });
                    }
                }
            }
        }
    }
    found.extend(program.sets.iter().filter_map(refused_set));
    found
}

/// Why a rule is refused, and the parameter that asks for it.
type Reason = (String, Option<&'static str>);

/// Why a rule would be refused in a table of a family.
pub fn refused_rule(rule: &Rule, family: Family, table: TableName) -> Option<Reason> {
    let protocol = Protocol::of(&rule.matches);
    rule.matches
        .iter()
        .find_map(|condition| refused_match(condition, &protocol, family, table))
        .or_else(|| rule.action.as_ref().and_then(|action| refused_action(action, &protocol, family, table)))
}

/// What a rule says of the packet's protocol.
struct Protocol {
    /// its number, if the rule asks for one
    asked: Option<u8>,
    /// the number that is written, asked for or excluded
    written: Option<u8>,
}

impl Protocol {
    fn of(matches: &[Match]) -> Self {
        let written = matches.iter().find_map(|condition| match &condition.on {
            Matcher::Protocol(protocol) => Some((condition.negated, protocol.number()?)),
            _ => None,
        });
        Protocol {
            asked: written.filter(|(negated, _)| !negated).map(|(_, number)| number),
            written: written.map(|(_, number)| number),
        }
    }

    fn is_one_of(&self, numbers: &[u8]) -> bool {
        self.asked.is_some_and(|number| numbers.contains(&number))
    }
}

const TCP: u8 = 6;
/// TCP, UDP, DCCP, SCTP, UDP-Lite
const WITH_PORTS: [u8; 5] = [TCP, 17, 33, 132, 136];
/// ICMP, TCP, UDP, DCCP, SCTP
const TRANSLATABLE: [u8; 5] = [1, TCP, 17, 33, 132];

fn refused_match(condition: &Match, protocol: &Protocol, family: Family, table: TableName) -> Option<Reason> {
    let reason = match &condition.on {
        Matcher::Icmp(..) if !protocol.is_one_of(&[icmp(family)]) => {
            format!("an ICMP type needs protocol {} in the same rule", icmp(family))
        }
        Matcher::Ports(..) | Matcher::Port(..) if !protocol.is_one_of(&WITH_PORTS) => {
            "ports need a protocol that has ports in the same rule".to_owned()
        }
        Matcher::Ports(_, ranges) if ranges.iter().any(|(first, last)| first > last) => {
            "a range of ports ends before it begins".to_owned()
        }
        Matcher::TcpSyn if !protocol.is_one_of(&[TCP]) => {
            "TCP flags need protocol TCP in the same rule".to_owned()
        }
        Matcher::Protocol(own) if condition.negated && own.number() == Some(0) => {
            "`! -p 0` can hold for no packet".to_owned()
        }
        Matcher::InInterface(name) | Matcher::OutInterface(name) if name.len() > 15 => {
            format!("`{name}` is longer than the 15 bytes that the name of an interface may have")
        }
        Matcher::ReversePathFails if !matches!(table, TableName::Raw | TableName::Mangle) => {
            "the reverse path can be asked for in the tables raw and mangle only".to_owned()
        }
        Matcher::Limit { rate, burst } => return limit(rate, burst.unwrap_or(5)),
        Matcher::ConnectionsAbove(limit) if *limit > u64::from(u32::MAX) => {
            format!("a limit of {limit} connections does not fit into 32 bits")
        }
        _ => return None,
    };
    Some((reason, None))
}

fn icmp(family: Family) -> u8 {
    match family {
        Family::V4 => 1,
        Family::V6 => 58,
    }
}

/// A limit as `xt_limit` keeps it: ten-thousandths of a second for each packet, and credits in 32 bits.
fn limit(rate: &str, burst: u32) -> Option<Reason> {
    const SCALE: u32 = 10_000;
    // jiffies in a second times credits in a jiffy, equal for kernels with 250 and with 1000
    const CREDITS: u32 = 32_000;
    let refused = |reason: String| Some((reason, None));
    let (count, unit) = rate.split_once('/')?;
    let seconds = match unit.bytes().next()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        _ => 86_400,
    };
    let Some(count) = count.parse::<u32>().ok().filter(|count| *count > 0) else {
        return refused(format!("`{rate}` is no rate"));
    };
    let interval = SCALE * seconds / count;
    if interval == 0 {
        return refused(format!("`{rate}` is too fast: more than {SCALE} packets a second"));
    }
    if burst > SCALE {
        return refused(format!("a burst of {burst} packets is more than {SCALE}"));
    }
    // in 32 bits, as the kernel calculates, overflow included
    let credits = |user: u32| {
        if user > u32::MAX / CREDITS { (user / SCALE).wrapping_mul(CREDITS) } else { user * CREDITS / SCALE }
    };
    if burst == 0 || credits(interval.wrapping_mul(burst)) < credits(interval) {
        return refused(format!("the kernel cannot count a burst of {burst} packets at `{rate}`"));
    }
    None
}

fn refused_action(action: &Action, protocol: &Protocol, family: Family, table: TableName) -> Option<Reason> {
    let wrong_address = |to: &Translation| {
        let (address, _) = to.addresses.filter(|(first, _)| first.is_ipv4() != (family == Family::V4))?;
        Some(format!("`{address}` is an address of the other family"))
    };
    let wrong_ports = |ports: &Option<(u16, u16)>| match ports {
        // iptables does not look whether the protocol is asked for or excluded
        Some(_) if !protocol.written.is_some_and(|number| TRANSLATABLE.contains(&number)) => {
            Some("a range of ports needs a protocol that has ports in the same rule")
        }
        Some((first, last)) if first > last => Some("a range of ports ends before it begins"),
        _ => None,
    };
    let (reason, parameter) = match action {
        Action::Reject(_) if table != TableName::Filter => {
            ("REJECT is possible in the filter table only".to_owned(), Some("IptablesFilterDenyAction"))
        }
        Action::Reject(RejectWith::TcpReset) if !protocol.is_one_of(&[TCP]) => {
            ("a TCP reset needs protocol TCP in the same rule".to_owned(), None)
        }
        Action::Drop if table == TableName::Nat => ("DROP is not possible in the nat table".to_owned(), None),
        Action::NoTrack if table != TableName::Raw => {
            ("NOTRACK is possible in the raw table only".to_owned(), None)
        }
        Action::Snat(to) if wrong_address(to).is_some() => (wrong_address(to)?, Some("NATOutgoingAddress")),
        Action::Dnat(to) => (wrong_address(to)?, None),
        Action::Snat(to) | Action::Masquerade(to) => {
            (wrong_ports(&to.ports)?.to_owned(), Some("NATPortRange"))
        }
        Action::Dscp(value) if *value > 63 => (format!("DSCP {value} is more than 63"), None),
        _ => return None,
    };
    Some((reason, parameter))
}

fn refused_set(set: &IpSet) -> Option<Refusal> {
    let reason = if set.max_elements > u64::from(u32::MAX) {
        format!("a set of at most {} members is more than 32 bits can count", set.max_elements)
    } else if set.len() as u64 > set.max_elements {
        format!("it is to have {} members, and may have {}", set.len(), set.max_elements)
    } else {
        return None;
    };
    Some(Refusal {
        family: set.family,
        table: None,
        what: set.name.to_string(),
        reason,
        parameter: Some("MaxIpsetSize"),
        origin: None,
    })
}
