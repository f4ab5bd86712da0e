//! Scalars against their [`Schema`].

use super::check::{Path, wrong_type};
use super::{Check, Int, Schema, Str, suggest};
use crate::model::findings::{Door, Findings};
use crate::model::text::{excerpt, go_duration, scalar_text};
use crate::model::validate::names;
use crate::source::tree::{Node, Value};
use crate::syntax::port;

/// Checks a scalar.
pub(super) fn leaf(node: Node<'_>, schema: &Schema, path: &Path<'_>, findings: &mut Findings<'_>) {
    match (schema, node.value()) {
        (Schema::Bool, Value::Bool(_)) => {}
        (Schema::Number, Value::Int(_)) => {}
        (Schema::Number, Value::Float(x)) if x.is_finite() => {}
        (Schema::Int(spec), value) => match integer(value) {
            Some(n) => bounds(n, spec, node, path, findings),
            None => wrong_type(node, "an integer", path, findings),
        },
        (Schema::IpVersion, value) => match integer(value) {
            Some(4 | 6) => {}
            // Felix ignores the policy
            Some(_) if findings.door() == Door::Crd && !findings.schema_knows_values() => {}
            Some(n) => {
                findings.turn_away("wrong-value", node.at(), &format!("`{path}: {n}` is neither 4 nor 6"));
            }
            None => wrong_type(node, "an integer", path, findings),
        },
        (Schema::Str(spec), Value::Str(text)) => string(text, spec, node, path, findings),
        (Schema::Str(spec), Value::Bool(_) | Value::Int(_) | Value::Float(_))
            if findings.door() == Door::Calicoctl =>
        {
            string(&scalar_text(node), spec, node, path, findings);
        }
        (Schema::Duration, Value::Str(text)) => {
            if !go_duration(text) {
                let reason = format!("`{path}: {}` is no duration", excerpt(text));
                findings.undecodable(node.at(), &reason).help("durations look like `90s` or `1m30s`");
            }
        }
        (Schema::Port, Value::Str(text)) => match port::parse(text) {
            Ok(port) => port_bounds(port, node, path, findings),
            Err(error) => {
                findings
                    .undecodable(node.at(), &format!("`{}` in `{path}` is no port: {error}", excerpt(text)));
            }
        },
        (Schema::Port, value) => match integer(value) {
            Some(n) => match u16::try_from(n) {
                Ok(n) => port_bounds(port::PortText::Range(n, n), node, path, findings),
                Err(_) => {
                    findings.undecodable(
                        node.at(),
                        &format!("`{n}` in `{path}` is no port: ports go from 0 to 65535"),
                    );
                }
            },
            None => wrong_type(node, "a port number, `first:last` or a port name", path, findings),
        },
        (Schema::ByteOrString, Value::Str(_)) => {}
        (Schema::ByteOrString, value) => match integer(value) {
            Some(0..=255) => {}
            Some(n) => {
                findings.undecodable(node.at(), &format!("`{path}: {n}` is out of range: 0 to 255"));
            }
            None => wrong_type(node, "a number or a name", path, findings),
        },
        (Schema::IntOrString, Value::Str(_)) => {}
        (Schema::IntOrString, value) => match integer(value) {
            Some(n) if i32::try_from(n).is_ok() => {}
            Some(n) => {
                findings.undecodable(node.at(), &format!("`{path}: {n}` does not fit 32 bits"));
            }
            None => wrong_type(node, "an integer or a string", path, findings),
        },
        (Schema::AsNumber, Value::Str(text)) if findings.door() == Door::Calicoctl => {
            if !names::is_as_number(text) {
                findings.undecodable(node.at(), &format!("`{path}: {}` is no AS number", excerpt(text)));
            }
        }
        (Schema::AsNumber, value) => match integer(value) {
            Some(n) => {
                bounds(n, &Int { go: super::U32, schema: super::I32, tag: super::FULL }, node, path, findings)
            }
            None => wrong_type(node, "an integer", path, findings),
        },
        (Schema::Bool, _) => wrong_type(node, "`true` or `false`", path, findings),
        (Schema::Number, _) => wrong_type(node, "a number", path, findings),
        _ => wrong_type(node, "a string", path, findings),
    }
}

/// Integers may be written with a fraction of zero: YAML readers make `80` of `80.0`.
fn integer(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Int(n) => Some(n),
        Value::Float(x) if x.fract() == 0.0 && x.abs() < 9e18 => Some(x as i64),
        _ => None,
    }
}

fn bounds(n: i64, spec: &Int, node: Node<'_>, path: &Path<'_>, findings: &mut Findings<'_>) {
    let schema = if findings.schema_knows_values() { spec.schema } else { super::FULL };
    let outside = |(low, high): (i64, i64)| {
        (n < low || n > high).then(|| match (low, high) {
            (i64::MIN, high) => format!("`{path}: {n}` is above {high}"),
            (low, i64::MAX) => format!("`{path}: {n}` is below {low}"),
            (low, high) => format!("`{path}: {n}` is out of range: {low} to {high}"),
        })
    };
    match findings.door() {
        Door::Calicoctl => {
            if let Some(reason) = outside(spec.go).or_else(|| outside(spec.tag)) {
                findings.turn_away("wrong-value", node.at(), &reason);
            } else if let Some(reason) = outside(schema) {
                findings.schema_rule(node.at(), &reason);
            }
        }
        Door::Crd | Door::Kubernetes => {
            if let Some(reason) = outside(schema) {
                findings.turn_away("wrong-value", node.at(), &reason);
            } else if let Some(reason) = outside(spec.go) {
                findings.undecodable(node.at(), &reason);
            }
        }
    }
}

/// calicoctl alone looks into a port (`validatePort`, `libcalico-go/lib/validator/v3/validator.go`, v3.32.1).
fn port_bounds(port: port::PortText<'_>, node: Node<'_>, path: &Path<'_>, findings: &mut Findings<'_>) {
    if findings.door() != Door::Calicoctl {
        return;
    }
    match port {
        port::PortText::Range(0, _) => {
            findings.turn_away("wrong-value", node.at(), &format!("`{path}` must not begin with port 0"));
        }
        port::PortText::Range(..) => {}
        port::PortText::Name(name) => {
            if let Err(why) = names::port_name(name) {
                let reason = format!("`{}` in `{path}` is no port name: {why}", excerpt(name));
                let note = findings.turn_away("wrong-value", node.at(), &reason);
                if let Some((first, last)) = name.split_once('-')
                    && let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>())
                {
                    note.help(format!("write a range as `{first}:{last}`"));
                }
            }
        }
    }
}

fn string(text: &str, spec: &Str, node: Node<'_>, path: &Path<'_>, findings: &mut Findings<'_>) {
    let schema = if findings.schema_knows_values() { spec.schema } else { Check::Any };
    let (first, second) = match findings.door() {
        // calicoctl leaves an empty string out when it stores the object
        Door::Calicoctl if text.is_empty() => return,
        Door::Calicoctl => (spec.tag, schema),
        Door::Crd | Door::Kubernetes => (schema, Check::Any),
    };
    if let Some((reason, help)) = fails(text, first, path) {
        let note = findings.turn_away("wrong-value", node.at(), &reason);
        if let Some(help) = help {
            note.help(help);
        }
    } else if let Some((reason, _)) = fails(text, second, path) {
        findings.schema_rule(node.at(), &reason);
    }
}

/// Why a text fails a check, and what may have been meant.
fn fails(text: &str, check: Check, path: &Path<'_>) -> Option<(String, Option<String>)> {
    let written = excerpt(text);
    match check {
        Check::Any => None,
        Check::OneOf(values) if values.contains(&text) => None,
        Check::Fold(values) if text.is_empty() || values.iter().any(|v| v.eq_ignore_ascii_case(text)) => None,
        Check::OneOf(values) | Check::Fold(values) => {
            let all = values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ");
            let help = suggest(text, values.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            Some((format!("`{path}: {written}` is none of {all}"), help))
        }
        Check::MaxLen(max) if text.chars().count() <= max => None,
        Check::MaxLen(max) => Some((format!("`{path}` is longer than {max} characters"), None)),
        Check::Test(test, _) if test(text) => None,
        Check::Test(_, what) => Some((format!("`{path}: {written}` is no {what}"), None)),
    }
}
