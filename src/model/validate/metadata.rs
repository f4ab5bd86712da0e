//! `metadata`: names, labels and annotations.

use super::names;
use crate::model::findings::{Door, Findings};
use crate::model::lower::reader::Reader;
use crate::model::text::{excerpt, scalar_text};

/// All annotations of an object together, in bytes.
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// What a kind asks of the name of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// any DNS subdomain
    Subdomain,
    /// Calico's NetworkPolicy and its staged kind
    NetworkPolicy,
    /// GlobalNetworkPolicy and its staged kind
    GlobalNetworkPolicy,
    /// Tier: no dots, and short enough for a label
    Tier,
}

/// Checks name, labels and annotations of an object. `metadata` reads `metadata`.
pub fn metadata(metadata: &Reader<'_>, rule: NameRule, findings: &mut Findings<'_>) {
    name(metadata, rule, findings);
    let labels = metadata.get("labels");
    for (key, value) in labels.iter().flat_map(|node| node.entries()) {
        if let Err(why) = names::qualified_name(key.text()) {
            let reason = format!("`{}` is no key of a label: {why}", excerpt(key.text()));
            findings.turn_away("bad-label", key.at(), &reason);
        }
        let text = scalar_text(value);
        if let Err(why) = names::label_value(&text) {
            let reason = format!("`{}` is no value of a label: {why}", excerpt(&text));
            findings.turn_away("bad-label", value.at(), &reason);
        }
    }
    let annotations = metadata.get("annotations");
    let mut size = 0;
    for (key, value) in annotations.iter().flat_map(|node| node.entries()) {
        if let Err(why) = names::qualified_name(&key.text().to_lowercase()) {
            let reason = format!("`{}` is no key of an annotation: {why}", excerpt(key.text()));
            findings.turn_away("bad-annotation", key.at(), &reason);
        }
        size += key.text().len() + value.text().len();
    }
    if size > MAX_ANNOTATIONS {
        let reason = format!("its annotations have {size} bytes, at most {MAX_ANNOTATIONS} are allowed");
        findings.turn_away("bad-annotation", metadata.at_of("annotations"), &reason);
    }
}

fn name(metadata: &Reader<'_>, rule: NameRule, findings: &mut Findings<'_>) {
    let name = metadata.text("name");
    let at = metadata.at_of("name");
    let longest = if rule == NameRule::Tier { names::MAX_LABEL } else { names::MAX_SUBDOMAIN };
    if name.len() > longest {
        findings.turn_away(
            "bad-name",
            at,
            &format!("its name has {} characters, at most {longest} are allowed", name.len()),
        );
    }
    if !names::is_subdomain_form(&name) {
        let reason = format!(
            "`{}` is no name: only lower-case letters, digits, `-` and `.` are allowed, with a letter or digit at both ends of each part",
            excerpt(&name)
        );
        let note = findings.turn_away("bad-name", at, &reason);
        if name.contains(['<', '{', '$']) {
            note.help("it looks like a placeholder: put the real name in its place");
        } else if name.bytes().any(|b| b.is_ascii_uppercase()) {
            note.help(format!("`{}` would do", name.to_ascii_lowercase()));
        }
        return;
    }
    // the narrower forms are calicoctl's: the API server asks only for a subdomain
    if findings.door() != Door::Calicoctl {
        return;
    }
    let narrower = match rule {
        NameRule::Subdomain => None,
        NameRule::NetworkPolicy => {
            (!names::is_network_policy_name(&name)).then_some("the name of a policy has at most one `.`")
        }
        NameRule::GlobalNetworkPolicy => {
            (!names::is_global_policy_name(&name)).then_some("the name of a policy has at most one `.`")
        }
        NameRule::Tier => (!names::is_label_form(&name)).then_some("the name of a tier has no `.`"),
    };
    if let Some(why) = narrower {
        findings.turn_away("bad-name", at, &format!("`{}` is no name for it: {why}", excerpt(&name)));
    }
}
