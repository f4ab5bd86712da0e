//! `cali-failsafe-in` and `cali-failsafe-out`: ports that stay open on host endpoints whatever
//! policy says.

use super::context::Context;
use super::names;
use crate::ir::{Action, Address, Chain, Match, Matcher, Origin, Protocol, Rule, Side, TableName};
use crate::resolve::config::FailsafePort;
use std::sync::Arc;

/// `cali-failsafe-in` (`felix/rules/static.go:475`, v3.32.1).
pub fn inbound(ctx: &Context, table: TableName) -> Arc<Chain> {
    let config = ctx.config();
    let mut rules =
        entries(ctx, &config.failsafe_inbound, Side::Destination, Side::Source, "FailsafeInboundHostPorts");
    if table == TableName::Raw {
        // raw comes before conntrack, so answers to outbound connections need rules of their own
        let answers = &config.failsafe_outbound;
        rules.extend(entries(ctx, answers, Side::Source, Side::Source, "FailsafeOutboundHostPorts"));
    }
    ctx.chain(names::FAILSAFE_IN, rules)
}

/// `cali-failsafe-out` (`felix/rules/static.go:541`, v3.32.1).
pub fn outbound(ctx: &Context, table: TableName) -> Arc<Chain> {
    let config = ctx.config();
    let far = Side::Destination;
    let mut rules =
        entries(ctx, &config.failsafe_outbound, Side::Destination, far, "FailsafeOutboundHostPorts");
    if table == TableName::Raw {
        rules.extend(entries(ctx, &config.failsafe_inbound, Side::Source, far, "FailsafeInboundHostPorts"));
    }
    ctx.chain(names::FAILSAFE_OUT, rules)
}

/// One rule for each entry of the table's family: `ports` is the side its port is on, `far` the
/// side that its net restricts.
fn entries(
    ctx: &Context,
    list: &[FailsafePort],
    ports: Side,
    far: Side,
    parameter: &'static str,
) -> Vec<Rule> {
    list.iter()
        .filter(|entry| entry.net.is_none_or(|net| net.addr().is_ipv4() == ctx.is_v4()))
        .map(|entry| {
            let mut matches = vec![
                Match::is(Matcher::Protocol(Protocol::Name(entry.protocol.clone()))),
                Match::is(Matcher::Ports(ports, vec![(entry.port, entry.port)])),
            ];
            matches.extend(entry.net.map(|net| Match::is(Matcher::Address(far, vec![Address::Net(net)]))));
            Rule::new(matches, Action::Accept, Origin::Config(parameter))
        })
        .collect()
}
