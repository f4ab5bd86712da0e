//! Match blocks: rules that together express one alternative that a single rule cannot.
//!
//! A rule of iptables holds one source and one destination range, and at most 15 ports; Calico's
//! rules hold lists. A list becomes a block of rules that note their result in a mark bit, and the
//! main rule asks for that bit (`felix/rules/policy.go:246`, v3.32.1).

use super::context::Context;
use crate::ir::{Action, Address, Match, Matcher, Origin, Rule, SetLookup, Side};
use crate::resolve::view::SetIndex;
use ipnet::IpNet;

/// Ports that a multiport match holds; a range takes two.
const PORT_SLOTS: usize = 15;

/// Splits a list of ports into pieces that a multiport match can hold, in order
/// (`felix/rules/policy.go:578`, v3.32.1).
pub fn split_ports(ports: &[(u16, u16)]) -> Vec<&[(u16, u16)]> {
    let mut pieces = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, (first, last)) in ports.iter().enumerate() {
        let slots = if first == last { 1 } else { 2 };
        if used + slots > PORT_SLOTS {
            pieces.push(&ports[start..at]);
            (start, used) = (at, 0);
        }
        used += slots;
    }
    if start < ports.len() {
        pieces.push(&ports[start..]);
    }
    pieces
}

/// The blocks of one rule, in the making.
pub struct Blocks<'a> {
    ctx: &'a Context<'a>,
    origin: &'a Origin,
    rules: Vec<Rule>,
    had_positive: bool,
}

impl<'a> Blocks<'a> {
    pub fn new(ctx: &'a Context<'a>, origin: &'a Origin) -> Self {
        Blocks { ctx, origin, rules: Vec::new(), had_positive: false }
    }

    /// The rules so far, and the match that the main rule needs on their result, if there are any.
    pub fn finish(self) -> (Vec<Rule>, Option<Match>) {
        let result = (!self.rules.is_empty()).then(|| Match::mark_set(self.ctx.marks.scratch0));
        (self.rules, result)
    }

    /// One of the ports, or one of the named ports, must match.
    pub fn ports(
        &mut self,
        side: Side,
        protocol: Option<&Match>,
        pieces: &[&[(u16, u16)]],
        named: &[SetIndex],
    ) {
        let lookup = match side {
            Side::Source => SetLookup::SourcePort,
            Side::Destination => SetLookup::DestinationPort,
        };
        let numeric = pieces.iter().map(|piece| {
            protocol.cloned().into_iter().chain([Match::is(Matcher::Ports(side, piece.to_vec()))]).collect()
        });
        let named = named.iter().map(|set| vec![self.ctx.in_set(*set, lookup)]);
        let alternatives: Vec<Vec<Match>> = numeric.chain(named).collect();
        self.positive(alternatives);
    }

    /// The address must be in one of the ranges.
    pub fn nets(&mut self, side: Side, nets: &[IpNet]) {
        self.positive(nets.iter().map(|net| vec![address(side, *net)]).collect());
    }

    /// The address must be in none of the ranges.
    pub fn not_nets(&mut self, side: Side, nets: &[IpNet]) {
        let holds = self.ctx.marks.scratch0;
        self.begin(holds);
        for net in nets {
            self.push(vec![address(side, *net)], Action::clear_mark(holds));
        }
    }

    fn positive(&mut self, alternatives: Vec<Vec<Match>>) {
        self.begin(0);
        let (all, this) = (self.ctx.marks.scratch0, self.ctx.marks.scratch1);
        // the first block writes the overall result itself; a later one notes its own result and
        // takes the overall one away where it failed. Nothing clears that note between blocks, so
        // a third block is weaker than it reads: that is Felix (`felix/rules/policy.go:490`, v3.32.1)
        let noted = if self.had_positive { this } else { all };
        for matches in alternatives {
            self.push(matches, Action::set_mark(noted));
        }
        if self.had_positive {
            self.push(vec![Match::mark_clear(this)], Action::clear_mark(all));
        }
        self.had_positive = true;
    }

    /// The first block sets both bits to a known state: `initially`.
    fn begin(&mut self, initially: u32) {
        if self.rules.is_empty() {
            let both = self.ctx.marks.scratch0 | self.ctx.marks.scratch1;
            self.push(vec![], Action::set_masked_mark(initially, both));
        }
    }

    fn push(&mut self, matches: Vec<Match>, action: Action) {
        self.rules.push(Rule::new(matches, action, self.origin.clone()));
    }
}

fn address(side: Side, net: IpNet) -> Match {
    Match::is(Matcher::Address(side, vec![Address::Net(net)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_split_at_fifteen_slots() {
        let singles: Vec<_> = (1..=16).map(|port| (port, port)).collect();
        let lengths: Vec<_> = split_ports(&singles).iter().map(|piece| piece.len()).collect();
        assert_eq!(lengths, [15, 1]);
        // a range takes two slots: it does not fit after 14 single ports
        let mut ports: Vec<_> = (1..=14).map(|port| (port, port)).collect();
        ports.push((20, 30));
        let lengths: Vec<_> = split_ports(&ports).iter().map(|piece| piece.len()).collect();
        assert_eq!(lengths, [14, 1]);
        assert!(split_ports(&[]).is_empty());
    }
}
