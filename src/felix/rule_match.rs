//! The matches of a rule's main rule, in Felix's order (`felix/rules/policy.go:796`, v3.32.1).

use super::blocks::split_ports;
use super::context::Context;
use crate::ir::{Address, Match, Matcher, Protocol, SetLookup, Side};
use crate::model::calico;
use crate::resolve::view::{Rule, RuleSide};
use ipnet::IpNet;

/// A rule reduced to one family. Lists that went into match blocks have been emptied.
pub struct Reduced<'r> {
    pub rule: &'r Rule,
    pub source: ReducedSide<'r>,
    pub destination: ReducedSide<'r>,
}

/// One side of a rule, its ranges reduced to one family.
pub struct ReducedSide<'r> {
    pub side: &'r RuleSide,
    pub nets: Vec<IpNet>,
    pub not_nets: Vec<IpNet>,
    /// whether ports and named ports went into a block
    pub ports_done: bool,
}

/// The protocol match of a rule, if it has one.
pub fn protocol(protocol: &calico::Protocol) -> Match {
    Match::is(Matcher::Protocol(match protocol {
        calico::Protocol::Number(number) => Protocol::Number(*number),
        calico::Protocol::Name(name) => Protocol::Name(name.clone()),
    }))
}

/// All matches of the main rule. At most one range is left on each side.
pub fn matches(ctx: &Context, reduced: &Reduced) -> Vec<Match> {
    let rule = reduced.rule;
    let mut out = Vec::new();
    out.extend(rule.protocol.as_ref().map(protocol));
    source(ctx, &reduced.source, &mut out);
    destination(ctx, &reduced.destination, &mut out);
    out.extend(rule.icmp.map(|(kind, code)| Match::is(Matcher::Icmp(kind, code))));

    out.extend(rule.not_protocol.as_ref().map(|p| Match { negated: true, ..protocol(p) }));
    negated(ctx, &reduced.source, Side::Source, &mut out);
    negated(ctx, &reduced.destination, Side::Destination, &mut out);
    out.extend(rule.not_icmp.map(|(kind, code)| Match::not(Matcher::Icmp(kind, code))));
    out
}

fn source(ctx: &Context, from: &ReducedSide, out: &mut Vec<Match>) {
    out.extend(from.nets.first().map(|net| address(Side::Source, *net)));
    out.extend(from.side.sets.iter().map(|set| ctx.in_set(*set, SetLookup::Source)));
    if !from.ports_done {
        if !from.side.ports.is_empty() {
            out.push(Match::is(Matcher::Ports(Side::Source, from.side.ports.clone())));
        }
        out.extend(from.side.named_ports.iter().map(|set| ctx.in_set(*set, SetLookup::SourcePort)));
    }
}

fn destination(ctx: &Context, to: &ReducedSide, out: &mut Vec<Match>) {
    out.extend(to.nets.first().map(|net| address(Side::Destination, *net)));
    out.extend(to.side.sets.iter().map(|set| ctx.in_set(*set, SetLookup::Destination)));
    out.extend(to.side.services.iter().map(|set| ctx.in_set(*set, SetLookup::DestinationPort)));
    if !to.ports_done {
        if !to.side.ports.is_empty() {
            out.push(Match::is(Matcher::Ports(Side::Destination, to.side.ports.clone())));
        }
        out.extend(to.side.named_ports.iter().map(|set| ctx.in_set(*set, SetLookup::DestinationPort)));
    }
}

fn negated(ctx: &Context, reduced: &ReducedSide, side: Side, out: &mut Vec<Match>) {
    let (address_lookup, port_lookup) = match side {
        Side::Source => (SetLookup::Source, SetLookup::SourcePort),
        Side::Destination => (SetLookup::Destination, SetLookup::DestinationPort),
    };
    let not = |matching: Match| Match { negated: true, ..matching };
    let from = reduced.side;
    out.extend(reduced.not_nets.first().map(|net| not(address(side, *net))));
    out.extend(from.not_sets.iter().map(|set| not(ctx.in_set(*set, address_lookup))));
    // negated ports need no blocks: "none of these" is a conjunction
    out.extend(
        split_ports(&from.not_ports)
            .into_iter()
            .map(|ports| Match::not(Matcher::Ports(side, ports.to_vec()))),
    );
    out.extend(from.not_named_ports.iter().map(|set| not(ctx.in_set(*set, port_lookup))));
}

fn address(side: Side, net: IpNet) -> Match {
    Match::is(Matcher::Address(side, vec![Address::Net(net)]))
}
