//! Questions about one rule, answered without its sets: what it could match at all. Checks that must
//! not speak of a rule that may be right ask "could it", never "does it".

use crate::model::calico::{Action, Direction, Protocol};
use crate::model::core::TransportProtocol;
use crate::resolve::policy::Policy;
use crate::resolve::view::{Rule, RuleSide};
use std::net::IpAddr;

/// Both directions that a policy governs, with their rules.
pub fn governed(policy: &Policy) -> impl Iterator<Item = (Direction, &[Rule])> {
    let ingress = policy.ingress.then_some((Direction::Ingress, &*policy.inbound));
    ingress.into_iter().chain(policy.egress.then_some((Direction::Egress, &*policy.outbound)))
}

/// The rules of one direction, none if the policy does not govern it.
pub fn rules(policy: &Policy, direction: Direction) -> Option<&[Rule]> {
    governed(policy).find(|(own, _)| *own == direction).map(|(_, rules)| rules)
}

/// Whether the policy is evaluated where connections to services have been translated: the others
/// come before that, and are not for pods.
pub fn after_dnat(policy: &Policy) -> bool {
    !policy.id.kind.is_staged() && !policy.untracked && !policy.pre_dnat
}

/// Whether the rule matches every packet.
pub fn matches_everything(rule: &Rule) -> bool {
    let side = |side: &RuleSide| *side == RuleSide::default();
    let protocols = rule.protocol.is_none() && rule.not_protocol.is_none();
    let icmp = rule.icmp.is_none() && rule.not_icmp.is_none();
    protocols && icmp && rule.ip_version.is_none() && side(&rule.source) && side(&rule.destination)
}

/// Whether the rule says what becomes of all that is left: it matches everything, and does more
/// than log.
pub fn decides_everything(rule: &Rule) -> bool {
    rule.action != Action::Log && matches_everything(rule)
}

/// Whether a packet of a protocol could match the rule's `protocol` and `notProtocol`.
pub fn could_be(rule: &Rule, protocol: TransportProtocol) -> bool {
    let is = |given: &Protocol| match (given, protocol) {
        (Protocol::Number(number), TransportProtocol::Tcp) => *number == 6,
        (Protocol::Number(number), TransportProtocol::Udp) => *number == 17,
        (Protocol::Number(number), TransportProtocol::Sctp) => *number == 132,
        (Protocol::Name(name), TransportProtocol::Tcp) => name.eq_ignore_ascii_case("tcp"),
        (Protocol::Name(name), TransportProtocol::Udp) => name.eq_ignore_ascii_case("udp"),
        (Protocol::Name(name), TransportProtocol::Sctp) => name.eq_ignore_ascii_case("sctp"),
        (_, TransportProtocol::Other) => false,
    };
    rule.protocol.as_ref().is_none_or(is) && !rule.not_protocol.as_ref().is_some_and(is)
}

/// Whether a port could match one side; a named port could be any.
pub fn could_have_port(side: &RuleSide, port: u16) -> bool {
    let within = |ports: &[(u16, u16)]| ports.iter().any(|(first, last)| (*first..=*last).contains(&port));
    let any = side.ports.is_empty() && side.named_ports.is_empty();
    (any || !side.named_ports.is_empty() || within(&side.ports)) && !within(&side.not_ports)
}

/// Whether an address could match the networks of one side; what its sets say is left open.
pub fn could_have_address(side: &RuleSide, address: IpAddr) -> bool {
    (side.nets.is_empty() || side.nets.iter().any(|net| net.contains(&address)))
        && !side.not_nets.iter().any(|net| net.contains(&address))
}

/// Names in backticks, the first few of them.
pub fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const SHOWN: usize = 3;
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match (names.count(), &*shown) {
        (0, [rest @ .., last]) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        (0, shown) => shown.concat(),
        (more, shown) => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn long_lists_are_cut() {
        assert_eq!(super::list(["a"]), "`a`");
        assert_eq!(super::list(["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(super::list(["a", "b", "c", "d", "e"]), "`a`, `b`, `c` and 2 more");
    }
}
