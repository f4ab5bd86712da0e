//! Compares an object with its [`Schema`].

use super::leaf::leaf;
use super::{Check, FULL, Field, List, STR, Schema, Str, int, string, suggest};
use crate::model::findings::{Door, Findings};
use crate::model::text::excerpt;
use crate::source::tree::{Node, Value};
use crate::version::OldField;
use rustc_hash::FxHashMap;
use std::fmt;

/// Checks `node`, which stands at `name` of the object, against `schema`.
///
/// The depth of the recursion is the depth of the schema, whatever the input.
pub fn check(node: Node<'_>, schema: &Schema, name: &str, findings: &mut Findings<'_>) {
    walk(node, schema, &Path { parent: None, step: Step::Key(name) }, findings);
}

pub(super) enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

/// The way from the root, kept on the stack and written only into messages.
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

impl Path<'_> {
    /// The way from the root with the keys alone.
    fn without_places(&self) -> String {
        let before = self.parent.map(Path::without_places).unwrap_or_default();
        match self.step {
            Step::Index(_) | Step::Key("") => before,
            Step::Key(key) if before.is_empty() => key.to_owned(),
            Step::Key(key) => format!("{before}.{key}"),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.step {
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key("") => Ok(()),
            Step::Key(key) if self.parent.is_some_and(|p| !matches!(p.step, Step::Key(""))) => {
                write!(f, ".{key}")
            }
            Step::Key(key) => f.write_str(key),
        }
    }
}

fn walk(node: Node<'_>, schema: &Schema, path: &Path<'_>, findings: &mut Findings<'_>) {
    match schema {
        Schema::Any => {}
        Schema::Object(fields) => object(node, fields, path, findings),
        Schema::Map(item) => map(node, item, path, findings),
        Schema::List(spec) => list(node, spec, path, findings),
        scalar => leaf(node, scalar, path, findings),
    }
}

fn object(node: Node<'_>, fields: &'static [Field], path: &Path<'_>, findings: &mut Findings<'_>) {
    if !node.is_map() {
        return wrong_type(node, "a mapping", path, findings);
    }
    let mut seen = vec![false; fields.len()];
    for (key, value) in node.entries() {
        let name = key.text();
        let Some(index) = position(fields, name, findings.door()) else {
            let here = Path { parent: Some(path), step: Step::Key(name) };
            if let Some(old) = removed(&here, findings) {
                if !value.is_null() {
                    walk(value, old_schema(old), &here, findings);
                }
                continue;
            }
            unknown_field(key, fields, path, findings);
            continue;
        };
        let here = Path { parent: Some(path), step: Step::Key(fields[index].name) };
        let other = findings.facts.has_other_fields(findings.kind());
        if other && findings.facts.lacks_field(findings.kind(), &here.without_places()) {
            unknown_field(key, &[], path, findings);
            continue;
        }
        if fields[index].name != name {
            let message = format!(
                "calicoctl reads `{name}` as `{}`; kubectl and the API server do not",
                fields[index].name
            );
            findings.warn("field-case", key.at(), message).help(format!("write `{}`", fields[index].name));
        }
        // null is the zero value to Go, and pruned by the API server
        seen[index] = !value.is_null();
        if seen[index] {
            let schema = fields[index].schema;
            let old = other.then(|| findings.facts.old_field(findings.kind(), &here.without_places()));
            match (old.flatten(), schema) {
                (Some(OldField::Unchecked), Schema::Str(spec)) => {
                    let unchecked = Schema::Str(Str { schema: Check::Any, tag: spec.tag });
                    walk(value, &unchecked, &here, findings);
                }
                (Some(old), _) => walk(value, old_schema(old), &here, findings),
                (None, _) => walk(value, schema, &here, findings),
            }
        }
    }
    for (field, seen) in fields.iter().zip(seen) {
        if field.required && !seen {
            let here = Path { parent: Some(path), step: Step::Key(field.name) };
            findings.turn_away("missing-field", node.at(), &format!("`{here}` is missing"));
        }
    }
}

/// What a field is like that the newest schemas do not have. calicoctl takes the fields of Calico v1 for
/// errors (`mustBeNil`, `mustBeFalse`, `libcalico-go/lib/validator/v3/validator.go`, v3.31.7).
fn removed(here: &Path<'_>, findings: &Findings<'_>) -> Option<OldField> {
    let kind = findings.kind();
    if !findings.facts.has_other_fields(kind) || (kind == "IPPool" && findings.door() == Door::Calicoctl) {
        return None;
    }
    findings.facts.old_field(kind, &here.without_places())
}

/// The schema of a field as it was before a version changed it.
fn old_schema(old: OldField) -> &'static Schema {
    static REDIRECTION: Schema = string(Check::OneOf(&["Enabled", "Disabled", "L2Only"]), Check::Any);
    static BACKEND: Schema =
        string(Check::Fold(&["Auto", "Legacy", "NFT"]), Check::OneOf(&["Auto", "NFT", "Legacy"]));
    static PORT: Schema = int(FULL, FULL, (1, 65_535));
    match old {
        OldField::Bool => &Schema::Bool,
        OldField::Text | OldField::Unchecked => &STR,
        OldField::Duration => &Schema::Duration,
        OldField::Mapping => &Schema::Any,
        OldField::Redirection => &REDIRECTION,
        OldField::Backend => &BACKEND,
        OldField::Port => &PORT,
    }
}

/// Go's decoder takes a field's name in any case, the API server only as it is.
fn position(fields: &[Field], name: &str, door: Door) -> Option<usize> {
    fields.iter().position(|f| f.name == name).or_else(|| {
        (door == Door::Calicoctl)
            .then(|| fields.iter().position(|f| f.name.eq_ignore_ascii_case(name)))
            .flatten()
    })
}

fn unknown_field(key: Node<'_>, fields: &'static [Field], path: &Path<'_>, findings: &mut Findings<'_>) {
    let name = excerpt(key.text());
    let place = match path.to_string() {
        place if place.is_empty() => String::new(),
        place => format!(" of `{place}`"),
    };
    let near = suggest(key.text(), fields.iter().map(|f| f.name));
    let note = if findings.door() == Door::Crd {
        findings.warn(
            "pruned-field",
            key.at(),
            format!("`{name}` is no field{place}: the API server drops it in silence, and kubectl 1.27 and later refuse the object"),
        )
    } else {
        findings.turn_away("unknown-field", key.at(), &format!("`{name}` is no field{place}"))
    };
    match near {
        Some(near) => note.help(format!("did you mean `{near}`?")),
        None => note.help("remove it, or check the indentation"),
    };
}

fn map(node: Node<'_>, item: &Schema, path: &Path<'_>, findings: &mut Findings<'_>) {
    if !node.is_map() {
        return wrong_type(node, "a mapping", path, findings);
    }
    for (key, value) in node.entries() {
        if !value.is_null() {
            walk(value, item, &Path { parent: Some(path), step: Step::Key(key.text()) }, findings);
        }
    }
}

fn list(node: Node<'_>, spec: &List, path: &Path<'_>, findings: &mut Findings<'_>) {
    if !node.is_seq() {
        return wrong_type(node, "a list", path, findings);
    }
    let count = node.items().count();
    let values = findings.schema_knows_values();
    if values && count > spec.max {
        schema_says(node, &format!("`{path}` has {count} items, at most {} are allowed", spec.max), findings);
    }
    // calicoctl leaves an empty list out when it stores the object
    if values && count < spec.min && findings.door() != Door::Calicoctl {
        schema_says(node, &format!("`{path}` needs at least {} item", spec.min), findings);
    }
    let mut seen: FxHashMap<&str, Node<'_>> = FxHashMap::default();
    for (index, item) in node.items().enumerate() {
        let here = Path { parent: Some(path), step: Step::Index(index) };
        if item.is_null() {
            if findings.door() == Door::Crd {
                wrong_type(item, "a value", &here, findings);
            }
            continue;
        }
        if spec.set
            && let Some(first) = seen.insert(item.text(), item)
        {
            findings
                .schema_rule(
                    item.at(),
                    &format!("`{}` is twice in `{path}`, which is a set", excerpt(item.text())),
                )
                .related(first.at(), "first written here")
                .help("remove the repetition");
        }
        walk(item, spec.item, &here, findings);
    }
}

/// A bound of the schema that calicoctl does not look at.
fn schema_says(node: Node<'_>, reason: &str, findings: &mut Findings<'_>) {
    match findings.door() {
        Door::Calicoctl => findings.schema_rule(node.at(), reason),
        Door::Crd | Door::Kubernetes => findings.turn_away("wrong-value", node.at(), reason),
    };
}

pub(super) fn wrong_type(node: Node<'_>, wanted: &str, path: &Path<'_>, findings: &mut Findings<'_>) {
    let is = match node.value() {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => format!("the boolean `{}`", node.text()),
        Value::Int(_) | Value::Float(_) => format!("the number `{}`", excerpt(node.text())),
        Value::Str(text) => format!("the string `{}`", excerpt(text)),
        Value::Seq => "a list".to_owned(),
        Value::Map => "a mapping".to_owned(),
    };
    let place = path.to_string();
    let subject = if place.is_empty() { "it".to_owned() } else { format!("`{place}`") };
    let note =
        findings.turn_away("wrong-type", node.at(), &format!("{subject} must be {wanted}, and is {is}"));
    match node.value() {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) if wanted == "a string" => {
            note.help("put it in quotes");
        }
        Value::Str(text) if matches!(wanted, "an integer" | "a number") && text.parse::<f64>().is_ok() => {
            note.help("remove the quotes");
        }
        Value::Map if wanted == "a string" => {
            note.help("a colon and a space make a mapping: put the text in quotes");
        }
        _ => {}
    }
}
