//! A validator of JSON Schema, for the keywords that our schemas use.

use regex_lite::Regex;
use serde_json::{Map, Value, json};

/// What a value has that a schema does not allow, with the path to it.
///
/// Knows the keywords that our schemas use; any other is a failure, so that none is ignored.
pub fn violations(root: &Value, schema: &Value, value: &Value, path: &str, out: &mut Vec<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').expect("references stay in their file");
            root.pointer(pointer).unwrap_or_else(|| panic!("`{reference}` leads nowhere"))
        }
        None => schema,
    };
    let mut bad = |what: String| out.push(format!("{path}: {what}"));
    let object = schema.as_object().expect("a schema is an object");
    for (keyword, wanted) in object {
        let fits = match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" | "properties" | "items" => true,
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "type" => match wanted.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                other => panic!("type `{other}`"),
            },
            "minimum" => value.as_f64().is_none_or(|n| n >= wanted.as_f64().unwrap()),
            "minLength" => {
                value.as_str().is_none_or(|s| s.chars().count() as u64 >= wanted.as_u64().unwrap())
            }
            "maxLength" => {
                value.as_str().is_none_or(|s| s.chars().count() as u64 <= wanted.as_u64().unwrap())
            }
            "minItems" => value.as_array().is_none_or(|a| a.len() as u64 >= wanted.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|a| a.len() as u64 <= wanted.as_u64().unwrap()),
            "pattern" => {
                value.as_str().is_none_or(|s| Regex::new(wanted.as_str().unwrap()).unwrap().is_match(s))
            }
            "required" => value.as_object().is_none_or(|map| has_all(map, wanted)),
            "dependentRequired" => value.as_object().is_none_or(|map| {
                wanted
                    .as_object()
                    .unwrap()
                    .iter()
                    .all(|(key, needs)| !map.contains_key(key) || has_all(map, needs))
            }),
            "additionalProperties" => {
                assert_eq!(*wanted, json!(false));
                let known = schema["properties"].as_object().unwrap();
                value.as_object().is_none_or(|map| map.keys().all(|key| known.contains_key(key)))
            }
            other => panic!("keyword `{other}` is not known to this test"),
        };
        if !fits {
            bad(format!("{keyword} {wanted}, but {:.200}", value.to_string()));
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(items) = object.get("items") {
            violations(root, items, item, &format!("{path}/{index}"), out);
        }
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        if let Some(property) = schema["properties"].get(key) {
            violations(root, property, item, &format!("{path}/{key}"), out);
        }
    }
}

fn has_all(map: &Map<String, Value>, names: &Value) -> bool {
    names.as_array().unwrap().iter().all(|name| map.contains_key(name.as_str().unwrap()))
}
