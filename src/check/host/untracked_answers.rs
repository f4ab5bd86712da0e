//! A `doNotTrack` policy allows a connection, and no `doNotTrack` rule allows its answers. Untracked
//! packets are unknown to the kernel's connection tracking, so an answer is not recognised as one.
//! Unless an untracked rule of the other direction allows it, it is tracked: the answer to a TCP
//! connection that was never seen to begin is invalid, and Felix drops it.
//!
//! For each untracked `Allow` write its mirror image for the other direction: the same protocol,
//! `destination.ports` as `source.ports`, and the networks changed over. An untracked `Allow` without
//! conditions for the other direction is enough, too.
//!
//! Nothing is said of rules for other protocols than TCP, of named ports, of ports that are failsafe
//! ports, whose answers Felix allows, and where DisableConntrackInvalidCheck is set.
//!
//! Decided at `felix/rules/endpoints.go:672` and `felix/rules/endpoints.go:801`, v3.32.1.

use super::super::NodeContext;
use super::super::rule_facts::could_be;
use super::applied::rules;
use crate::diagnostic::Diagnostic;
use crate::model::calico::{Action, Direction};
use crate::model::core::TransportProtocol::Tcp;
use crate::resolve::config::FailsafePort;
use crate::resolve::view::WILDCARD_INTERFACE;
use crate::resolve::view::{HostEndpoint, Rule, RuleSide};
use ipnet::IpNet;

check!("do-not-track-without-return", Warning, Likely, Node);

fn run(ctx: &NodeContext<'_>, found: &mut Vec<Diagnostic>) {
    let config = &ctx.view.config;
    if config.disable_conntrack_invalid_check {
        return;
    }
    let named = ctx.view.host_endpoints.iter().filter(|host| &*host.interface != WILDCARD_INTERFACE);
    for host in named {
        one_way(ctx, host, Direction::Ingress, Direction::Egress, &config.failsafe_inbound, found);
        one_way(ctx, host, Direction::Egress, Direction::Ingress, &config.failsafe_outbound, found);
    }
}

/// Looks at what is allowed in one direction and answered in the other.
fn one_way(
    ctx: &NodeContext<'_>,
    host: &HostEndpoint,
    there: Direction,
    back: Direction,
    failsafe: &[FailsafePort],
    found: &mut Vec<Diagnostic>,
) {
    let tiers = &host.untracked_tiers;
    let allows = |rule: &Rule| rule.action == Action::Allow && could_be(rule, Tcp);
    let answers: Vec<&Rule> =
        rules(ctx.view, tiers, back).map(|(_, rule)| rule).filter(|rule| allows(rule)).collect();
    for (policy, rule) in rules(ctx.view, tiers, there).filter(|(_, rule)| allows(rule)) {
        let named = [&rule.source, &rule.destination].iter().any(|side| !side.named_ports.is_empty());
        let lacking: Vec<String> = ports(&rule.destination)
            .filter(|ports| !is_failsafe(failsafe, *ports))
            .filter(|ports| !answers.iter().any(|answer| answers_to(answer, rule, *ports)))
            .map(
                |(first, last)| {
                    if first == last { format!("`{first}`") } else { format!("`{first}:{last}`") }
                },
            )
            .collect();
        if named || lacking.is_empty() {
            continue;
        }
        let word = match back {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        };
        let of = match &*lacking {
            [all] if all == "`0:65535`" => String::new(),
            ports => format!(" on port {}", ports.join(", ")),
        };
        let message = format!(
            "`{}` allows connections{of} untracked, but no `doNotTrack` {word} rule allows the answers: felix drops them as invalid",
            policy.id.path()
        );
        found.push(CHECK.finding(rule.at, message).help(format!(
            "add the mirror image of this rule as a `doNotTrack` {word} rule: `destination.ports` as `source.ports`, and source and destination changed over"
        )));
    }
}

/// The ranges of a side's ports; all of them if it names none.
fn ports(side: &RuleSide) -> impl Iterator<Item = (u16, u16)> {
    let all = side.ports.is_empty().then_some((0, u16::MAX));
    side.ports.iter().copied().chain(all)
}

/// Whether answers are allowed because the raw table has failsafe rules for them.
fn is_failsafe(failsafe: &[FailsafePort], (first, last): (u16, u16)) -> bool {
    first == last && failsafe.iter().any(|entry| &*entry.protocol == "tcp" && entry.port == first)
}

/// Whether a rule could allow an answer to what another one allows on these ports.
fn answers_to(answer: &Rule, rule: &Rule, (first, last): (u16, u16)) -> bool {
    let meets =
        |own: &RuleSide| !own.named_ports.is_empty() || ports(own).any(|(a, b)| a <= last && first <= b);
    let client = |own: &RuleSide| {
        let named = !own.named_ports.is_empty() || !rule.source.named_ports.is_empty();
        named || ports(own).any(|(a, b)| ports(&rule.source).any(|(c, d)| a <= d && c <= b))
    };
    meets(&answer.source)
        && client(&answer.destination)
        && overlap(&answer.source.nets, &rule.destination.nets)
        && overlap(&answer.destination.nets, &rule.source.nets)
}

/// Whether an address could be in both lists.
fn overlap(a: &[IpNet], b: &[IpNet]) -> bool {
    let meet = |x: &IpNet| b.iter().any(|y| x.contains(y) || y.contains(x));
    a.is_empty() || b.is_empty() || a.iter().any(meet)
}
