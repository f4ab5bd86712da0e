//! The selector texts that Calico composes before Felix sees them.
//!
//! Calico works on texts, with effects that a tree would not have (`all()` is replaced wherever it
//! stands, even inside a quoted value), so this does too. Every distinct text is parsed once.

use crate::syntax::selector::{self, Selector, SelectorError};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Label of the namespace on pods and network sets.
pub const NAMESPACE: &str = "projectcalico.org/namespace";
/// Label of the orchestrator on pods; its value is `k8s`.
pub const ORCHESTRATOR: &str = "projectcalico.org/orchestrator";
/// Label of the service account on pods.
pub const SERVICE_ACCOUNT: &str = "projectcalico.org/serviceaccount";
/// Prefix of labels inherited from the namespace.
pub const NAMESPACE_PREFIX: &str = "pcns.";
/// Prefix of labels inherited from the service account.
pub const SERVICE_ACCOUNT_PREFIX: &str = "pcsa.";
/// Label of its own name, before the prefix, on namespaces and service accounts.
pub const NAME: &str = "projectcalico.org/name";

type Parsed = Result<Arc<Selector>, SelectorError>;

/// Parsed selectors by text.
#[derive(Debug, Default)]
pub struct Selectors {
    by_text: FxHashMap<Box<str>, Parsed>,
    /// canonical texts with a prefix before every label; "" for text that does not parse
    prefixed: FxHashMap<(Box<str>, &'static str), Arc<str>>,
}

impl Selectors {
    /// Parses a text.
    ///
    /// # Errors
    ///
    /// As [`selector::parse`].
    pub fn parse(&mut self, text: &str) -> Parsed {
        if let Some(known) = self.by_text.get(text) {
            return known.clone();
        }
        let parsed = selector::parse_derived(text).map(Arc::new);
        self.by_text.insert(text.into(), parsed.clone());
        parsed
    }

    /// The canonical text with `prefix` before every label, "" if the text does not parse
    /// (`libcalico-go/lib/backend/syncersv1/updateprocessors/selectors.go:28`, v3.32.1).
    pub fn prefixed(&mut self, text: &str, prefix: &'static str) -> Arc<str> {
        let key = (Box::from(text), prefix);
        if let Some(known) = self.prefixed.get(&key) {
            return known.clone();
        }
        let made = match self.parse(text) {
            Ok(parsed) => parsed.with_prefix(prefix).canonical().clone(),
            Err(_) => "".into(),
        };
        self.prefixed.insert(key, made.clone());
        made
    }

    /// `(current) && prefixed`, or what there is of the two (`selectors.go:42`, v3.32.1).
    pub fn and_prefixed(&mut self, current: String, more: &str, prefix: &'static str) -> String {
        if more.is_empty() {
            return current;
        }
        let more = self.prefixed(more, prefix);
        match (current.is_empty(), more.is_empty()) {
            (_, true) => current,
            (true, false) => more.to_string(),
            (false, false) => format!("({current}) && {more}"),
        }
    }
}

/// Replaces the literal text `all()`, if it is there.
pub fn replace_all(text: String, replacement: &str) -> String {
    if text.contains("all()") { text.replace("all()", replacement) } else { text }
}

/// What a rule says about its peer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Peer<'t> {
    /// `selector`
    pub selector: &'t str,
    /// `notSelector`
    pub not_selector: &'t str,
    /// `namespaceSelector`
    pub namespace_selector: &'t str,
    /// `serviceAccounts.names`
    pub account_names: &'t [Box<str>],
    /// `serviceAccounts.selector`
    pub account_selector: &'t str,
}

impl Selectors {
    /// One selector for all endpoints that a peer of a rule stands for; "" for no restriction.
    /// `namespace` is the policy's, "" for global policies
    /// (`libcalico-go/lib/backend/syncersv1/updateprocessors/rules.go:60`, v3.32.1).
    pub fn peer(&mut self, peer: &Peer<'_>, namespace: &str) -> String {
        let within = if !peer.namespace_selector.is_empty() {
            let text = self.prefixed(peer.namespace_selector, NAMESPACE_PREFIX).to_string();
            let text = replace_all(text, "has(projectcalico.org/namespace)");
            if text.contains("global()") {
                text.replace("global()", "!has(projectcalico.org/namespace)")
            } else {
                text
            }
        } else if !namespace.is_empty() {
            format!("{NAMESPACE} == '{namespace}'")
        } else {
            String::new()
        };
        let accounts = self.accounts(peer);
        let selector = match (accounts.is_empty(), peer.selector.is_empty()) {
            (true, _) => peer.selector.to_owned(),
            (false, true) => accounts,
            (false, false) => format!("({accounts}) && ({})", peer.selector),
        };
        let restricted =
            !selector.is_empty() || !peer.not_selector.is_empty() || !peer.namespace_selector.is_empty();
        match (within.is_empty() || !restricted, selector.is_empty()) {
            (true, _) => selector,
            (false, true) => within,
            (false, false) => format!("({within}) && ({selector})"),
        }
    }

    /// Service accounts by name and by label (`rules.go:221`, v3.32.1). Names that make no
    /// selector drop the whole restriction, as in Felix.
    fn accounts(&mut self, peer: &Peer<'_>) -> String {
        let mut by_label = String::new();
        if !peer.account_selector.is_empty() {
            by_label = self.prefixed(peer.account_selector, SERVICE_ACCOUNT_PREFIX).to_string();
        }
        if peer.account_names.is_empty() {
            return by_label;
        }
        let names = peer.account_names.join("', '");
        let Ok(by_name) = self.parse(&format!("{SERVICE_ACCOUNT} in {{ '{names}' }}")) else {
            return String::new();
        };
        if by_label.is_empty() {
            by_name.canonical().to_string()
        } else {
            format!("({by_label}) && ({})", by_name.canonical())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(peer: &Peer<'_>, namespace: &str) -> String {
        let mut selectors = Selectors::default();
        let text = selectors.peer(peer, namespace);
        if text.is_empty() { text } else { selectors.parse(&text).unwrap().canonical().to_string() }
    }

    #[test]
    fn a_peer_of_a_namespaced_policy_stays_in_its_namespace_if_it_selects_anything() {
        assert_eq!(canonical(&Peer::default(), "web"), "");
        assert_eq!(
            canonical(&Peer { selector: "app == 'a'", ..Peer::default() }, "web"),
            r#"(projectcalico.org/namespace == "web" && app == "a")"#
        );
        assert_eq!(
            canonical(&Peer { not_selector: "app == 'a'", ..Peer::default() }, "web"),
            r#"projectcalico.org/namespace == "web""#
        );
        assert_eq!(canonical(&Peer { not_selector: "app == 'a'", ..Peer::default() }, ""), "");
        assert_eq!(canonical(&Peer { selector: "app == 'a'", ..Peer::default() }, ""), r#"app == "a""#);
    }

    #[test]
    fn namespace_selectors_are_about_inherited_labels() {
        let peer = |namespace_selector| Peer { namespace_selector, ..Peer::default() };
        assert_eq!(canonical(&peer("all()"), "web"), "has(projectcalico.org/namespace)");
        assert_eq!(canonical(&peer("global()"), "web"), "!has(projectcalico.org/namespace)");
        assert_eq!(canonical(&peer("env != 'x'"), ""), r#"pcns.env != "x""#);
        let both = Peer { selector: "app == 'y'", not_selector: "app == 'z'", ..peer("global()") };
        assert_eq!(canonical(&both, ""), r#"(!has(projectcalico.org/namespace) && app == "y")"#);
    }

    #[test]
    fn service_accounts_by_name_and_label() {
        let names: Vec<Box<str>> = vec!["zz".into(), "aa".into()];
        let peer = Peer {
            selector: "all()",
            namespace_selector: "env == 'prod'",
            account_names: &names,
            account_selector: "x == 'y'",
            ..Peer::default()
        };
        assert_eq!(
            canonical(&peer, ""),
            r#"(pcns.env == "prod" && ((pcsa.x == "y" && projectcalico.org/serviceaccount in {"aa", "zz"}) && all()))"#
        );
        let odd: Vec<Box<str>> = vec!["it's".into()];
        assert_eq!(canonical(&Peer { account_names: &odd, ..peer }, ""), r#"(pcns.env == "prod" && all())"#);
    }

    #[test]
    fn the_literal_is_replaced_wherever_it_stands() {
        let peer = Peer { namespace_selector: "env == 'all()'", ..Peer::default() };
        assert_eq!(Selectors::default().peer(&peer, ""), r#"pcns.env == "has(projectcalico.org/namespace)""#);
    }
}
