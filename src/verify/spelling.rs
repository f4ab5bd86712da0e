//! How Felix may have written a rule that the kernel prints.
//!
//! The kernel forgets what Felix's hashes depend on: where addresses, interfaces and the protocol
//! stood among the other matches, and how marks, protocols, addresses and rates were spelled. What
//! Felix may have written is little enough to be tried.

use crate::ir::{Action, Address, Family, MarkSpelling, Match, Matcher, Protocol, Rule, SetLookup, Side};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Orders of matches to try at most; Felix's own rules have few matches.
const MOST_ORDERS: usize = 800;
/// Spellings of one rule, in one order, to try at most.
const MOST_SPELLINGS: u64 = 64;

/// Calls `test` with one spelling after another, until it says that it is the one.
pub(super) fn each(rule: &Rule, family: Family, mut test: impl FnMut(&Rule) -> bool) -> bool {
    let mut attempt = rule.clone();
    // a range of all addresses is not kept: the rule may have had one, on either side
    let sides = [Side::Source, Side::Destination];
    let more = [&[][..], &sides[..1], &sides[1..], &sides];
    more.into_iter().any(|more| {
        let mut matches = rule.matches.clone();
        matches.extend(more.iter().map(|side| everything(*side, family)));
        orders(&matches, &mut |matches| {
            attempt.matches.clear();
            attempt.matches.extend_from_slice(matches);
            attempt.action.clone_from(&rule.action);
            spellings(&mut attempt, &mut test)
        })
    })
}

fn everything(side: Side, family: Family) -> Match {
    let net = match family {
        Family::V4 => IpNet::V4(Ipv4Net::default()),
        Family::V6 => IpNet::V6(Ipv6Net::default()),
    };
    Match::is(Matcher::Address(side, vec![Address::Net(net)]))
}

/// Parts that the kernel keeps apart from the other matches.
fn is_apart(one: &Match) -> bool {
    matches!(
        one.on,
        Matcher::Address(..) | Matcher::InInterface(_) | Matcher::OutInterface(_) | Matcher::Protocol(_)
    )
}

fn orders(matches: &[Match], test: &mut impl FnMut(&[Match]) -> bool) -> bool {
    // most rules: as in a rule of a policy (`felix/rules/policy.go:796`, v3.32.1)
    let mut policy = matches.to_vec();
    policy.sort_by_key(place_in_policy);
    if test(&policy) {
        return true;
    }
    let (apart, rest): (Vec<&Match>, Vec<&Match>) = matches.iter().partition(|one| is_apart(one));
    // each part put in at each place, and so on: depth first, without calling itself
    let mut open: Vec<(Vec<&Match>, usize)> = vec![(rest, 0)];
    let mut tried = 0;
    while let Some((list, next)) = open.pop() {
        let Some(part) = apart.get(next) else {
            tried += 1;
            let list: Vec<Match> = list.into_iter().cloned().collect();
            if test(&list) {
                return true;
            }
            if tried == MOST_ORDERS {
                return false;
            }
            continue;
        };
        for place in (0..=list.len()).rev() {
            let mut longer = list.clone();
            longer.insert(place, part);
            open.push((longer, next + 1));
        }
    }
    false
}

/// Where a match stands in a rule of a policy.
fn place_in_policy(one: &Match) -> u8 {
    let side = |side: Side| match side {
        Side::Source => 0,
        Side::Destination => 3,
    };
    let (place, negated) = match &one.on {
        Matcher::Protocol(_) => (0, one.negated),
        Matcher::Address(on, _) => (1 + side(*on), one.negated),
        Matcher::Set(_, SetLookup::Source | SetLookup::SourcePort) => (2, one.negated),
        Matcher::Set(_, SetLookup::Destination | SetLookup::DestinationPort) => (5, one.negated),
        Matcher::Ports(on, _) => (2 + side(*on), one.negated),
        Matcher::Icmp(..) => (7, one.negated),
        // not in such a rule
        _ => (0, false),
    };
    place + if negated { 10 } else { 0 }
}

/// One thing that may be spelled in several ways.
fn ways(rule: &Rule) -> Vec<u64> {
    let of_match = |one: &Match| match &one.on {
        Matcher::Mark { value: 0, .. } | Matcher::Protocol(_) => 2,
        Matcher::Address(_, list) if list.len() == 1 && is_single(list[0]) => 2,
        Matcher::Limit { .. } => 4,
        _ => 1,
    };
    let of_action = match rule.action {
        Some(Action::Mark { value: 0, .. }) => 2,
        _ => 1,
    };
    rule.matches.iter().map(of_match).chain([of_action]).collect()
}

fn is_single(address: Address) -> bool {
    let net = address.net();
    net.prefix_len() == net.max_prefix_len()
}

fn spellings(rule: &mut Rule, test: &mut impl FnMut(&Rule) -> bool) -> bool {
    let ways = ways(rule);
    let all: u64 = ways.iter().product();
    let plain = rule.clone();
    for number in 0..all.min(MOST_SPELLINGS) {
        let mut rest = number;
        for (place, ways) in ways.iter().enumerate() {
            let way = rest % ways;
            rest /= ways;
            match plain.matches.get(place) {
                Some(one) => rule.matches[place].on = spelled(&one.on, way),
                None => rule.action = plain.action.as_ref().map(|action| spelled_action(action, way)),
            }
        }
        if test(rule) {
            return true;
        }
    }
    false
}

fn zero(way: u64) -> MarkSpelling {
    if way == 0 { MarkSpelling::Clear } else { MarkSpelling::Hex }
}

fn spelled(on: &Matcher, way: u64) -> Matcher {
    match on {
        Matcher::Mark { value: 0, mask, .. } => Matcher::Mark { value: 0, mask: *mask, spelling: zero(way) },
        Matcher::Protocol(protocol) => Matcher::Protocol(match (way, protocol.number()) {
            // Calico's name for what iptables calls `ipv6-icmp`
            (0, Some(58)) => Protocol::Name("icmpv6".into()),
            (0, Some(number)) => match Protocol::name_of(number) {
                Some(name) => Protocol::Name(name.into()),
                None => Protocol::Number(number),
            },
            (_, Some(number)) => Protocol::Number(number),
            (_, None) => protocol.clone(),
        }),
        Matcher::Address(side, list) => match list[..] {
            [one] if is_single(one) => {
                let net = one.net();
                let one = if way == 0 { Address::Net(net) } else { Address::Host(net.addr()) };
                Matcher::Address(*side, vec![one])
            }
            _ => on.clone(),
        },
        Matcher::Limit { rate, burst } => {
            // whole words or iptables' short ones; a burst of 5 is not printed
            let words = [("/sec", "/second"), ("/min", "/minute")];
            let long =
                words.iter().find_map(|(short, long)| Some(format!("{}{long}", rate.strip_suffix(short)?)));
            let rate = if way.is_multiple_of(2) {
                long.map_or_else(|| rate.clone(), Into::into)
            } else {
                rate.clone()
            };
            Matcher::Limit { rate, burst: if way < 2 { *burst } else { burst.or(Some(5)) } }
        }
        other => other.clone(),
    }
}

fn spelled_action(action: &Action, way: u64) -> Action {
    match action {
        Action::Mark { value: 0, mask, .. } => Action::Mark { value: 0, mask: *mask, spelling: zero(way) },
        other => other.clone(),
    }
}
