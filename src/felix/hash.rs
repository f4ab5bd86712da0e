//! Rule hashes: each covers its rule's text and, through the hash before it, the whole chain so far.
//!
//! `h0 = sha224(chain)`, `h = sha224(h of the rule before, text)`, where the text is the rule as Felix
//! writes it with the word `HASH` for its hash comment (`felix/generictables/rules.go:67`, v3.32.1).

use crate::emit::felix;
use crate::ir::{Chain, Family, Rule, RuleHash};
use sha2::{Digest, Sha224};
use std::sync::Arc;

/// The hash of a chain up to some rule.
#[derive(Debug, Clone)]
pub struct Hash([u8; 28]);

impl Hash {
    /// That of a chain without rules. `chain` is the chain's name, or the pseudo name under which
    /// appended hook rules are hashed (see [`appends`]).
    pub fn of_chain(chain: &str) -> Self {
        Hash(Sha224::digest(chain.as_bytes()).into())
    }

    /// That of the chain with one rule more. `text` is room to work in.
    #[must_use]
    pub fn and(&self, chain: &str, rule: &Rule, family: Family, text: &mut String) -> Self {
        text.clear();
        text.push_str("-A ");
        text.push_str(chain);
        text.push_str(" HASH");
        felix::body(text, rule, family);
        Hash(Sha224::new().chain_update(self.0).chain_update(text.as_bytes()).finalize().into())
    }

    /// What stands in the rule's comment after `cali:`.
    pub fn shown(&self) -> RuleHash {
        let (beginning, _) = self.0.split_first_chunk().expect("28 bytes are more than 12");
        RuleHash::new(beginning)
    }
}

/// The pseudo name under which rules that are appended to a hook's chain are hashed.
pub fn appends(hook: &str) -> String {
    format!("{hook}*appends*")
}

/// A chain with the hashes of its rules filled in.
pub fn chain(name: &str, mut rules: Vec<Rule>, family: Family) -> Arc<Chain> {
    fill_in(name, &mut rules, family);
    Arc::new(Chain::new(name, rules))
}

/// Fills in the hashes of a list of rules. `chain` is a name, or a pseudo name (see [`appends`]).
pub fn fill_in(chain: &str, rules: &mut [Rule], family: Family) {
    let mut hash = Hash::of_chain(chain);
    let mut text = String::new();
    for rule in rules {
        hash = hash.and(chain, rule, family, &mut text);
        rule.hash = Some(hash.shown());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Action, Origin};

    #[test]
    fn a_hash_depends_on_the_rules_before() {
        let mut rules = vec![
            Rule::new(vec![], Action::Jump("cali-from-wl-dispatch".into()), Origin::Static),
            Rule::new(vec![], Action::Drop, Origin::Static).comment("Configured DefaultEndpointToHostAction"),
        ];
        fill_in("cali-wl-to-host", &mut rules, Family::V4);
        let hashes: Vec<_> = rules.iter().map(|rule| rule.hash.as_deref().unwrap()).collect();
        assert_eq!(hashes, ["Ee9Sbo10IpVujdIY", "eFOMW3jAdcq1gnVZ"]);
    }

    #[test]
    fn a_rule_may_be_only_a_comment() {
        let mut rules = vec![Rule {
            hash: None,
            comments: vec!["Profile ksa.web.default egress".into()],
            matches: vec![],
            action: None,
            origin: Origin::Static,
        }];
        fill_in("cali-pro-ksa.web.default", &mut rules, Family::V6);
        assert_eq!(rules[0].hash.as_deref(), Some("xFETWPjlC_QvfdVe"));
    }
}
