//! Where a rule comes from, as a comment line after it.

use crate::diagnostic::FileId;
use crate::ir::Origin;
use crate::model::calico::Direction;
use std::fmt::Write;

/// Appends a comment line that says where a rule comes from: `# <file>:<line>: <what>`.
pub fn comment(out: &mut String, origin: &Origin, file_name: &dyn Fn(FileId) -> String) {
    out.push_str("# ");
    if let Some(at) = origin.at() {
        let _ = write!(out, "{}:{}: ", file_name(at.file), at.line);
    }
    out.push_str(&phrase(origin));
    out.push('\n');
}

/// What a rule was rendered for, without the place.
pub fn phrase(origin: &Origin) -> String {
    match origin {
        Origin::Static => "always there".to_owned(),
        Origin::Config(parameter) => format!("configuration {parameter}"),
        Origin::Endpoint(_) => "endpoint".to_owned(),
        Origin::Object(_) => "object".to_owned(),
        Origin::Dump(_) => "read from a dump".to_owned(),
        Origin::Service(rule) => rule.to_string(),
        Origin::Profile(name, _) => format!("profile {name}"),
        Origin::Policy(rule) => {
            let policy = format!("{} {}", rule.policy.kind.name(), rule.policy.path());
            match rule.rule {
                Some((direction, index)) => {
                    format!("{policy}, {} rule {}", direction_word(direction), index + 1)
                }
                None => policy,
            }
        }
    }
}

/// `ingress` or `egress`.
pub(super) fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}
