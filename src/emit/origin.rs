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
    let _ = match origin {
        Origin::Static => write!(out, "always there"),
        Origin::Config(parameter) => write!(out, "configuration {parameter}"),
        Origin::Endpoint(_) => write!(out, "endpoint"),
        Origin::Object(_) => write!(out, "object"),
        Origin::Profile(name, _) => write!(out, "profile {name}"),
        Origin::Policy(rule) => {
            let policy = &rule.policy;
            let _ = write!(out, "{} ", policy.kind.name());
            if !policy.namespace.is_empty() {
                let _ = write!(out, "{}/", policy.namespace);
            }
            let _ = write!(out, "{}", policy.name);
            match rule.rule {
                Some((direction, index)) => write!(out, ", {} rule {}", direction_word(direction), index + 1),
                None => Ok(()),
            }
        }
    };
    out.push('\n');
}

/// `ingress` or `egress`.
pub(super) fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}
