//! Networks that repeat, lie within others or stand side by side become as few as there can be.
//!
//! Felix renders each network of a list as a rule of its own, and lists repeat and overlap. Rules in a
//! row that differ only in the network on one side, and do the same, together apply to the union of
//! their networks; there is one smallest list of networks with that union, and it takes their place.
//! It is sound because what such a rule does, it may do to a packet twice: a verdict, or a mark that is
//! set, is the same after the second time.
//!
//! ```text
//! -s 10.0.0.0/25 -j ACCEPT
//! -s 10.0.0.128/25 -j ACCEPT      becomes      -s 10.0.0.0/24 -j ACCEPT
//! -s 10.0.0.7/32 -j ACCEPT
//! ```

use super::Pass;
use crate::ir::{Rule, Side};
use crate::optimize::edit;
use crate::space::nets::fewest;
use ipnet::IpNet;

pub const PASS: Pass = Pass {
    name: "cidrs",
    about: "drop networks that others contain, and join neighbours",
    level: 1,
    run: |program, _| edit::chains(program, |_, chain| fewer(&chain.rules)),
};

fn fewer(rules: &[Rule]) -> Option<Vec<Rule>> {
    edit::with_shorter_runs(rules, edit::split_address, |side, own, before| {
        let nets = fewest(before);
        let is_fewer = nets.len() < own.len() || nets.iter().any(|net| net.prefix_len() == 0);
        is_fewer.then(|| with_nets(own, before, &nets, side))
    })
}

/// The rules for fewer networks: each looks like the first rule that it takes the place of.
fn with_nets(own: &[Rule], before: &[IpNet], after: &[IpNet], side: Side) -> Vec<Rule> {
    let mut placed: Vec<(usize, Rule)> = after
        .iter()
        .map(|net| {
            let first = before.iter().position(|one| net.contains(one)).unwrap_or(0);
            let net = (net.prefix_len() > 0).then_some(*net);
            (first, edit::with_net(&own[first], side, net))
        })
        .collect();
    placed.sort_by_key(|(first, _)| *first);
    let mut rules: Vec<Rule> = placed.into_iter().map(|(_, rule)| rule).collect();
    // the comment that introduces a policy stays at its first rule
    rules[0].comments = own[0].comments.clone();
    rules
}
