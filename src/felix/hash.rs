//! Rule hashes: each covers its rule's text and, through the hash before it, the whole chain so far.

use crate::emit::felix;
use crate::ir::{Chain, Family, Rule};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha224};
use std::sync::Arc;

/// Characters of a rule hash (`felix/generictables/rules.go:29`, v3.32.1).
const LENGTH: usize = 16;

/// A chain with the hashes of its rules filled in.
pub fn chain(name: &str, mut rules: Vec<Rule>, family: Family) -> Arc<Chain> {
    fill_in(name, &mut rules, family);
    Arc::new(Chain { name: name.into(), rules })
}

/// Fills in the hashes of a list of rules: `h0 = sha224(chain)`, `h = sha224(h of the rule before,
/// text)`, where the text is the rule as Felix writes it with the word `HASH` for its hash comment
/// (`felix/generictables/rules.go:67`, v3.32.1). `chain` is the chain's name, or the pseudo name
/// under which appended hook rules are hashed.
pub fn fill_in(chain: &str, rules: &mut [Rule], family: Family) {
    let mut hash = Sha224::digest(chain.as_bytes());
    let mut text = String::new();
    for rule in rules {
        text.clear();
        text.push_str("-A ");
        text.push_str(chain);
        text.push_str(" HASH");
        felix::body(&mut text, rule, family);
        hash = Sha224::new().chain_update(hash).chain_update(text.as_bytes()).finalize();
        let mut shown = URL_SAFE_NO_PAD.encode(hash);
        shown.truncate(LENGTH);
        rule.hash = Some(shown.into_boxed_str());
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
