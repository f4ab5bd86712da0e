//! Prefixes of NFLOG rules, which tell a listener what decided (`felix/rules/nflogprefix.go:34`, v3.32.1).

use super::names;
use crate::model::calico::{Action, Direction};

/// Longest prefix, in bytes.
const LIMIT: usize = 63;
/// Bytes kept of each end of a prefix that is too long.
const KEPT: usize = 10;

/// The netlink group of a direction.
pub fn group(direction: Direction) -> u16 {
    match direction {
        Direction::Ingress => 1,
        Direction::Egress => 2,
    }
}

/// A rule of a policy or profile decided. `owner` is `P` or `R`, `id` as in chain names.
pub fn rule(action: Action, owner: char, direction: Direction, index: usize, id: &str) -> String {
    let action = match action {
        Action::Allow => 'A',
        Action::Deny => 'D',
        Action::Pass | Action::Log => 'P',
    };
    shortened(format!("{action}{owner}{}{index}|{id}", letter(direction)))
}

/// The end of a tier decided: `D` denies, `P` passes.
pub fn end_of_tier(verdict: char, direction: Direction, tier: &str) -> String {
    shortened(format!("{verdict}P{}|{tier}", letter(direction)))
}

/// No profile accepted the packet.
pub fn no_profile(direction: Direction) -> String {
    format!("DR{}", letter(direction))
}

fn letter(direction: Direction) -> char {
    match direction {
        Direction::Ingress => 'I',
        Direction::Egress => 'E',
    }
}

/// Hashes the middle of a prefix that is too long. One of exactly the full length is hashed too,
/// so that nobody can write one that looks hashed.
fn shortened(prefix: String) -> String {
    if prefix.len() < LIMIT || !prefix.is_ascii() {
        return prefix;
    }
    let hash = names::limited("", &prefix, LIMIT - 2 * KEPT - 1);
    format!("{}{hash}_{}", &prefix[..KEPT], &prefix[prefix.len() - KEPT..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_says_what_decided() {
        assert_eq!(rule(Action::Allow, 'P', Direction::Ingress, 0, "np/web/p"), "API0|np/web/p");
        assert_eq!(rule(Action::Pass, 'P', Direction::Egress, 12, "gnp/p"), "PPE12|gnp/p");
        assert_eq!(end_of_tier('D', Direction::Ingress, "default"), "DPI|default");
        assert_eq!(no_profile(Direction::Egress), "DRE");
    }

    #[test]
    fn a_long_prefix_keeps_both_ends() {
        let long = rule(Action::Allow, 'P', Direction::Egress, 0, &"n".repeat(80));
        assert_eq!(long.len(), LIMIT);
        assert!(long.starts_with("APE0|nnnnn_") && long.ends_with("_nnnnnnnnnn"), "{long}");
    }
}
