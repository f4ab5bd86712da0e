//! Ports and ranges of ports that overlap or stand side by side are joined, and rules that differ in
//! their ports only become as few multiport matches as hold them.
//!
//! Rules in a row that differ only in the ports of one side, and do the same, together apply to the union
//! of their ports. A multiport match has 15 places, of which a range takes two
//! (`felix/rules/policy.go:578`, v3.32.1). Sound for the reason that is given at `cidrs`.
//!
//! ```text
//! -p tcp -m multiport --dports 80,81,82 -j ACCEPT
//! -p tcp -m multiport --dports 443 -j ACCEPT        becomes   -p tcp -m multiport --dports 80:82,443 -j ACCEPT
//! ```

use super::Pass;
use crate::felix::split_ports;
use crate::ir::{Match, Matcher, Rule, Side};
use crate::optimize::edit;
use crate::space::nets::joined;

pub const PASS: Pass = Pass {
    name: "ports",
    about: "join ports and ranges of ports, and rules that differ only in them",
    level: 1,
    run: |program, _| edit::chains(program, |_, chain| fewer(&chain.rules)),
};

type Ports = Vec<(u16, u16)>;

fn fewer(rules: &[Rule]) -> Option<Vec<Rule>> {
    edit::with_shorter_runs(rules, split_side, |side, own, before| {
        let ports = joined(before.concat());
        let pieces = split_ports(&ports);
        let places: usize = before.iter().map(|ports| slots(ports)).sum();
        let is_fewer = pieces.len() < own.len() || (pieces.len() == own.len() && slots(&ports) < places);
        is_fewer.then(|| own.iter().zip(pieces).map(|(rule, piece)| with_ports(rule, side, piece)).collect())
    })
}

/// Places that ports take in a multiport match.
fn slots(ports: &[(u16, u16)]) -> usize {
    ports.iter().map(|(first, last)| if first == last { 1 } else { 2 }).sum()
}

/// A rule's ports on a side, and its other matches.
fn split_side(rule: &Rule, side: Side) -> Option<(Ports, Vec<&Match>)> {
    let own = |one: &Match| match &one.on {
        Matcher::Ports(on, ports) if *on == side && !one.negated => Some(ports.clone()),
        Matcher::Port(on, first, last) if *on == side && !one.negated => Some(vec![(*first, *last)]),
        _ => None,
    };
    let mut found = rule.matches.iter().filter_map(own);
    let (Some(ports), None) = (found.next(), found.next()) else { return None };
    Some((ports, rule.matches.iter().filter(|one| own(one).is_none()).collect()))
}

fn with_ports(rule: &Rule, side: Side, ports: &[(u16, u16)]) -> Rule {
    let mut rule = rule.clone();
    let is_it = |one: &Match| {
        !one.negated
            && match &one.on {
                Matcher::Ports(on, _) | Matcher::Port(on, ..) => *on == side,
                _ => false,
            }
    };
    for one in rule.matches.iter_mut().filter(|one| is_it(one)) {
        one.on = Matcher::Ports(side, ports.to_vec());
    }
    rule
}
