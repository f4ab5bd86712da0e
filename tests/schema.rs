//! JSON output against the schemas in `docs/schema`.

mod common;

use common::{files, relative, root, run};
use regex_lite::Regex;
use serde_json::{Map, Value, json};
use std::path::Path;

/// What a value has that a schema does not allow, with the path to it.
///
/// Knows the keywords that our schemas use; any other is a failure, so that none is ignored.
fn violations(root: &Value, schema: &Value, value: &Value, path: &str, out: &mut Vec<String>) {
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

fn schema(name: &str) -> Value {
    let path = root().join("docs/schema").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn assert_valid(schema: &Value, text: &str, what: &str) {
    let value: Value =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{what}: {error}: {text:.200}"));
    let mut found = Vec::new();
    violations(schema, schema, &value, "", &mut found);
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn compiled_rules_are_valid() {
    let schema = schema("compile.schema.json");
    for path in files("fixtures/compile") {
        let path = relative(&path);
        let result = run(&["compile", &path, "--node", "worker-1", "--format", "json"]);
        assert!(matches!(result.status, Some(0 | 1)), "{path}: {}", result.stderr);
        assert_valid(&schema, &result.stdout, &path);
    }
    let sample = run(&["compile", "fixtures/iks/cluster", "--node", "10.176.48.67", "--format", "json"]);
    assert_valid(&schema, &sample.stdout, "the sample cluster");
}

#[test]
fn messages_are_valid() {
    let schema = schema("diagnostics.schema.json");
    let mut refused = 0;
    for path in files("fixtures/input") {
        let path = relative(&path);
        let result = run(&["compile", &path, "--node", "worker-1", "--format", "json"]);
        if result.status == Some(2) {
            assert_valid(&schema, &result.stdout, &path);
            refused += 1;
        }
    }
    assert!(refused > 10, "only {refused} mistakes are refused");
}

#[test]
fn what_check_finds_is_valid() {
    let schema = schema("check.schema.json");
    for path in files("fixtures/compile").iter().chain(&files("fixtures/input")) {
        let path = relative(path);
        let result = run(&["check", &path, "--format", "json"]);
        // input that cannot be read has no objects to speak of
        if result.status != Some(2) || result.stdout.contains("netpolc.check/1") {
            assert_valid(&schema, &result.stdout, &path);
        }
    }
    let sample = run(&["check", "fixtures/iks/cluster", "--format", "json"]);
    assert_valid(&schema, &sample.stdout, "the sample cluster");
}

#[test]
fn traces_are_valid() {
    let schema = schema("trace.schema.json");
    let ends = [
        ("internet", "service:shop/web"),
        ("node", "8.8.8.8"),
        ("internet", "node"),
        ("shop/nosuch", "node"),
    ];
    for (from, to) in ends {
        let question =
            ["trace", "fixtures/iks/cluster", "--node", "10.176.48.67", "--from", from, "--to", to];
        let result = run(&[&question[..], &["--format", "json"]].concat());
        if from.ends_with("nosuch") {
            assert_eq!(result.status, Some(2));
        } else {
            assert_valid(&schema, &result.stdout, from);
        }
    }
    // limits, and addresses that may be chosen
    let result = run(&[
        "trace",
        "--dump",
        "fixtures/dump/gateway.nft.rules",
        "--node-addresses",
        "fixtures/trace/ip-addr.json",
        "--node-routes",
        "fixtures/trace/ip-route.json",
        "--from",
        "internet",
        "--to",
        "node",
        "--port",
        "80",
        "--format",
        "json",
    ]);
    assert!(
        result.stdout.contains("\"limits\"") && result.stdout.contains("\"chosen\""),
        "{}",
        result.stderr
    );
    assert_valid(&schema, &result.stdout, "a gateway");
    // services, notes and rewritten sources
    let services = "fixtures/trace/services";
    for (file, to) in [
        ("affinity", "service:shop/cart"),
        ("ipvs", "service:shop/old"),
        ("no-endpoints", "service:shop/nobody"),
    ] {
        let (nodes, file) = (format!("{services}/nodes.yaml"), format!("{services}/{file}.yaml"));
        let question = ["trace", &nodes, &file, "--node", "node-1", "--from", "pod:shop/client", "--to", to];
        assert_valid(&schema, &run(&[&question[..], &["--format", "json"]].concat()).stdout, to);
    }
}

#[test]
fn explanations_are_valid() {
    let schema = schema("explain.schema.json");
    for name in ["cali-INPUT", "cali-pi-gnp/deny-nodeports", "cali40this-host", "eth1", "nothing-at-all"] {
        let result = run(&["explain", name, "fixtures/iks/cluster", "--format", "json"]);
        assert_valid(&schema, &result.stdout, name);
    }
}

#[test]
fn what_verify_finds_is_valid() {
    let schema = schema("verify.schema.json");
    for (rules, sets) in [("same", "same"), ("by-hand", "same"), ("other-objects", "other-members")] {
        let (rules, sets) =
            (format!("fixtures/verify/{rules}.rules"), format!("fixtures/verify/{sets}.ipsets"));
        let node = ["verify", "fixtures/iks/cluster", "--node", "10.176.48.67", "--format", "json"];
        let result = run(&[&node[..], &["--dump", &rules, "--ipsets", &sets]].concat());
        assert!(result.stdout.contains("netpolc.verify/1"), "{}", result.stderr);
        assert_valid(&schema, &result.stdout, &rules);
    }
}

#[test]
fn what_optimizing_writes_is_valid() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (saved, proof) = (folder.join("saved.json"), folder.join("proof.json"));
    for level in ["1", "2"] {
        let cluster = ["compile", "fixtures/iks/cluster", "--node", "10.176.48.67", "--format", "json"];
        let files = ["--saved", saved.to_str().unwrap(), "--proof", proof.to_str().unwrap(), "-O", level];
        let result = run(&[&cluster[..], &files].concat());
        assert_valid(&schema("compile.schema.json"), &result.stdout, level);
        for (path, name) in [(&saved, "optimized-rules.schema.json"), (&proof, "proof.schema.json")] {
            assert_valid(&schema(name), &std::fs::read_to_string(path).expect("it was written"), name);
        }
    }
}

#[test]
fn differences_are_valid() {
    let schema = schema("diff.schema.json");
    for story in ["before", "rename", "selected-direction", "widened-cidr", "pod-more", "node-port-opened"] {
        let new = format!("fixtures/diff/{story}");
        let result = run(&["diff", "fixtures/diff/before", &new, "--format", "json"]);
        assert!(result.stdout.contains("netpolc.diff/1"), "{}", result.stderr);
        assert_valid(&schema, &result.stdout, story);
    }
}

#[test]
fn the_schemas_agree_on_diagnostics() {
    let strip = |mut value: Value| {
        for definition in ["diagnostic", "related"] {
            let properties = value["$defs"][definition]["properties"].as_object_mut().unwrap();
            for property in properties.values_mut() {
                property.as_object_mut().unwrap().remove("description");
            }
            value["$defs"][definition].as_object_mut().unwrap().remove("description");
        }
        (value["$defs"]["diagnostic"].clone(), value["$defs"]["related"].clone())
    };
    let wanted = strip(schema("diagnostics.schema.json"));
    for other in ["compile.schema.json", "check.schema.json", "verify.schema.json", "diff.schema.json"] {
        assert_eq!(strip(schema(other)), wanted, "{other}");
    }
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let schema = schema("diagnostics.schema.json");
    let cases = [
        (json!({"schema": "netpolc.diagnostics/2"}), "/schema: const"),
        (json!({"summary": {"errors": 1, "warnings": 0}}), "/summary: required"),
        (
            json!({"diagnostics": [{"id": "Bad Id", "severity": "error", "message": "m"}]}),
            "/diagnostics/0/id: pattern",
        ),
        (
            json!({"diagnostics": [{"id": "a", "severity": "fatal", "message": "m"}]}),
            "/diagnostics/0/severity: enum",
        ),
        (
            json!({"diagnostics": [{"id": "a", "severity": "note", "message": "m", "file": "f"}]}),
            "/diagnostics/0: dependentRequired",
        ),
        (json!({"more": 1}), ": additionalProperties"),
    ];
    for (changes, wanted) in cases {
        let mut value = json!({
            "schema": "netpolc.diagnostics/1",
            "summary": {"errors": 0, "warnings": 0, "notes": 0},
            "diagnostics": [],
        });
        value.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut found = Vec::new();
        violations(&schema, &schema, &value, "", &mut found);
        assert!(found.iter().any(|violation| violation.starts_with(wanted)), "{wanted}: {found:?}");
    }
}
