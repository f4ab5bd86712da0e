//! How plain scalars resolve: YAML 1.1 as go-yaml v2 does it, and JSON.

use super::tree::Value;

/// Resolves a YAML plain scalar.
pub fn resolve(text: &str) -> Value<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => text.parse().map(Value::Int).unwrap_or(Value::Str(text)),
    }
}

/// Resolves a JSON literal (number, `true`, `false`, `null`).
pub fn resolve_json(text: &str) -> Value<'_> {
    resolve(text)
}
