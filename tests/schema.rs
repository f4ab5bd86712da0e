//! JSON output against the schemas in `docs/schema`.

mod common;

use common::json_schema::violations;
use common::{files, relative, root, run};
use serde_json::{Value, json};
use std::path::Path;

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
fn what_does_not_count_is_valid() {
    let result =
        run(&["check", "fixtures/check/cluster.yaml", "fixtures/report/accepted.yaml", "--format", "json"]);
    assert!(result.stdout.contains("\"suppressed\""), "{}", result.stdout);
    assert_valid(&schema("check.schema.json"), &result.stdout, "accepted findings");

    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("known.baseline");
    let verify = ["verify", "fixtures/iks/cluster", "--node", "10.176.48.67", "--format", "json"];
    let with = |option| {
        run(&[&verify[..], &["--dump", "fixtures/verify/by-hand.rules", option, path.to_str().unwrap()]]
            .concat())
    };
    with("--write-baseline");
    let result = with("--baseline");
    assert!(result.stdout.contains("\"known\""), "{}", result.stdout);
    assert_valid(&schema("verify.schema.json"), &result.stdout, "known differences");
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
fn what_can_go_from_policies_is_valid() {
    let proof = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("policies-proof.json");
    let more = ["--check", "--format", "json", "--proof", proof.to_str().expect("a path")];
    let cluster = "fixtures/iks/cluster".into();
    let mut found = 0;
    for path in files("fixtures/optimize").iter().map(|path| relative(path)).chain([cluster]) {
        let result = run(&[&["optimize", &path], &more[..]].concat());
        assert!(matches!(result.status, Some(0 | 1)), "{path}: {}", result.stderr);
        assert_valid(&schema("optimized-policies.schema.json"), &result.stdout, &path);
        let text = std::fs::read_to_string(&proof).expect("the proof is written");
        assert_valid(&schema("policies-proof.schema.json"), &text, &path);
        found += usize::from(text.contains("\"fate\""));
    }
    assert!(found > 5, "only {found} proofs");
}

#[test]
fn differences_are_valid() {
    let schema = schema("diff.schema.json");
    for story in [
        "before",
        "rename",
        "selected-direction",
        "widened-cidr",
        "pod-more",
        "node-port-opened",
        "node-more",
        "service-endpoint",
    ] {
        let new = format!("fixtures/diff/{story}");
        let result = run(&["diff", "fixtures/diff/before", &new, "--format", "json"]);
        assert!(result.stdout.contains("netpolc.diff/1"), "{}", result.stderr);
        assert_valid(&schema, &result.stdout, story);
    }
    let upgrade = ["diff", "fixtures/diff/before", "--calico-version", "v3.31..v3.32", "--format", "json"];
    let result = run(&upgrade);
    assert!(result.stdout.contains("\"differ_in\": [\n"), "{}", result.stderr);
    assert_valid(&schema, &result.stdout, "an upgrade");
}

#[test]
fn audits_are_valid() {
    let schema = schema("audit.schema.json");
    let base = "fixtures/audit/cluster.yaml";
    for files in [&["web"][..], &["web", "guard"], &["local"], &["hosts"], &["refused"], &["outside"]] {
        let files: Vec<String> = files.iter().map(|file| format!("fixtures/audit/{file}.yaml")).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let result = run(&[&["audit", base], &*files, &["--format", "json"]].concat());
        assert!(result.stdout.contains("netpolc.audit/1"), "{}", result.stderr);
        assert_valid(&schema, &result.stdout, &files.join(" "));
    }
    for more in [&["fixtures/audit/bare.yaml"][..], &["fixtures/iks/cluster"]] {
        let zones = ["--zones", "fixtures/audit/zones.toml", "--format", "json"];
        let result = run(&[&["audit"], more, &zones].concat());
        assert_valid(&schema, &result.stdout, &more.join(" "));
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
    let others = ["compile", "check", "verify", "optimized-policies", "diff", "audit"];
    for other in others.map(|name| format!("{name}.schema.json")) {
        assert_eq!(strip(schema(&other)), wanted, "{other}");
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
