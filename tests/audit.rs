//! `netpolc audit`: what can be reached, from where and why; what is found, what would close it, and what must hold.

mod common;

use common::{Run, root, run};
use serde_json::Value;

/// Stories, each with the base of them all.
const STORIES: [(&str, &[&str]); 7] = [
    ("open", &["web.yaml"]),
    ("guarded", &["web.yaml", "guard.yaml"]),
    ("local", &["local.yaml"]),
    ("hosts", &["hosts.yaml"]),
    ("refused", &["web.yaml", "guard.yaml", "refused.yaml"]),
    ("outside", &["outside.yaml"]),
    ("zones", &["web.yaml", "guard.yaml"]),
];

fn audit(files: &[&str], more: &[&str]) -> Run {
    let paths: Vec<String> = files.iter().map(|file| format!("fixtures/audit/{file}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    run(&[&["audit"], &*paths, more].concat())
}

fn with_base<'f>(files: &[&'f str]) -> Vec<&'f str> {
    [&["cluster.yaml"], files].concat()
}

fn assert_snapshot(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => root().join("snapshots/audit"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

fn json(files: &[&str], more: &[&str]) -> Value {
    let result = audit(files, &[&["--format", "json"], more].concat());
    serde_json::from_str(&result.stdout).unwrap_or_else(|error| panic!("{error}: {}", result.stderr))
}

fn all<'v>(value: &'v Value, key: &str) -> &'v Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("no {key}"))
}

#[test]
fn a_mode_of_kube_proxy_that_is_not_known_is_told() {
    let files = ["fixtures/trace/services/nodes.yaml", "fixtures/trace/services/ipvs.yaml"];
    let told = "warning[kube-proxy-mode]: kube-proxy works in IPVS mode on node `node-1`, whose rules are not known here: \
                packets to services are followed as if nothing translated them; likewise for 1 other node\n";
    let result = run(&[&["audit"], &files[..]].concat());
    assert_eq!(result.stderr.matches("kube-proxy-mode").count(), 1, "{}", result.stderr);
    assert!(result.stderr.contains(told), "{}", result.stderr);
    let result = run(&[&["audit"], &files[..], &["--format", "json"]].concat());
    let document: Value = serde_json::from_str(&result.stdout).unwrap();
    let said = all(&document, "diagnostics").iter().map(|own| own["id"].as_str().unwrap());
    assert!(said.into_iter().any(|id| id == "kube-proxy-mode"), "{document}");
}

#[test]
fn stories_are_told() {
    for (name, files) in STORIES {
        let zones = ["--zones", "fixtures/audit/zones.toml"];
        let more: &[&str] = if name == "zones" { &zones } else { &[] };
        let result = audit(&with_base(files), more);
        assert!(matches!(result.status, Some(0 | 1)), "{name}: {}", result.stderr);
        assert_snapshot(name, &result.stdout);
    }
    let result = audit(&["bare.yaml"], &[]);
    assert_eq!(result.status, Some(1), "{}", result.stderr);
    assert_snapshot("bare", &result.stdout);
}

#[test]
fn a_service_is_told_down_to_the_rule() {
    let result = audit(&with_base(&["web.yaml", "guard.yaml"]), &["--of", "shop/web", "--node", "worker-1"]);
    assert_snapshot("details", &result.stdout);
}

/// Whatever is offered is tried by hand: in the cluster, it leaves nothing of the finding, and nothing new is found.
#[test]
fn what_is_offered_closes_what_was_found() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit");
    std::fs::create_dir_all(&folder).unwrap();
    for files in [&["web.yaml"][..], &["local.yaml"], &["hosts.yaml"]] {
        let files = with_base(files);
        let before = json(&files, &[]);
        let ids = |value: &Value| -> Vec<(String, String)> {
            let findings = all(value, "findings").iter();
            findings.map(|one| (one["id"].to_string(), one["message"].to_string())).collect()
        };
        let offered: Vec<&Value> =
            all(&before, "findings").iter().filter(|one| one["fix"].is_string()).collect();
        assert!(!offered.is_empty(), "nothing is offered for {files:?}");
        for finding in offered {
            let path = folder.join("fix.yaml");
            std::fs::write(&path, finding["fix"].as_str().unwrap()).unwrap();
            let paths: Vec<String> = files.iter().map(|file| format!("fixtures/audit/{file}")).collect();
            let mut arguments = vec!["audit", "--format", "json", path.to_str().unwrap()];
            arguments.extend(paths.iter().map(String::as_str));
            let after: Value = serde_json::from_str(&run(&arguments).stdout).unwrap();
            let own = (finding["id"].to_string(), finding["message"].to_string());
            let (old, new) = (ids(&before), ids(&after));
            assert!(!new.contains(&own), "{own:?} is still found with\n{}", finding["fix"]);
            for one in new {
                // a load balancer that nobody reaches is one that was closed
                let closed = one.0.contains("unreachable-service") || one.0.contains("open-node-port-range");
                assert!(old.contains(&one) || closed, "{one:?} is new with\n{}", finding["fix"]);
            }
        }
    }
}

#[test]
fn expectations_decide_the_status() {
    let files = with_base(&["web.yaml", "guard.yaml"]);
    let kept = audit(&files, &["--zones", "fixtures/audit/zones.toml"]);
    assert_eq!(kept.status, Some(0), "{}{}", kept.stdout, kept.stderr);
    let broken = json(&with_base(&["web.yaml"]), &["--zones", "fixtures/audit/zones.toml"]);
    let unmet: Vec<&str> = all(&broken, "findings")
        .iter()
        .filter(|one| one["id"] == "unmet-expectation")
        .map(|one| one["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        unmet,
        [
            "not as expected: `only office may reach nodeports on eth1`",
            "not as expected: `internet may not reach externalips`"
        ]
    );
}

#[test]
fn a_wrong_zones_file_is_bad_input() {
    let result = audit(&with_base(&["web.yaml"]), &["--zones", "fixtures/audit/zones-wrong.toml"]);
    assert_eq!((result.status, &*result.stdout), (Some(2), ""));
    assert_snapshot("zones-wrong", &result.stderr);
}

#[test]
fn wrong_words_are_answered() {
    let said = |more: &[&str]| {
        let result = audit(&with_base(&["web.yaml"]), more);
        assert_eq!(result.status, Some(2), "{more:?}: {}", result.stdout);
        result.stderr.lines().last().unwrap_or_default().to_owned()
    };
    assert_eq!(said(&["--node", "worker"]), "error: there is no node `worker`; did you mean `worker-1`?");
    assert_eq!(
        said(&["--of", "shop/wep"]),
        "error: there is no service, and no pod with ports of its host, `shop/wep`; did you mean `shop/web`?"
    );
    assert_eq!(
        said(&["--node-addresses", "a.json"]),
        "error: say which node `a.json` is of: write NODE=a.json, or name the node with `--node`"
    );
    assert!(said(&["--zones", "no-such.toml"]).starts_with("error: cannot read `no-such.toml`"));
}

/// The answers of the sample cluster, as its README tells them.
#[test]
fn the_sample_cluster_is_guarded() {
    let result = run(&["audit", "fixtures/iks/cluster"]);
    assert_eq!(result.status, Some(0), "{}", result.stderr);
    assert_snapshot("iks", &result.stdout);
    let threads = run(&["audit", "fixtures/iks/cluster", "--jobs", "1"]);
    assert_eq!(result.stdout, threads.stdout);
}
