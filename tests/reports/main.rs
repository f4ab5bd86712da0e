//! Reports in every form: what a user would see, whether others can read it, and whether a hostile name breaks out.
//!
//! After a change: `INSTA_UPDATE=always cargo test --test reports`, then read the difference.

#[path = "../common/mod.rs"]
mod common;
mod hostile;
mod known;
mod readers;
mod used;

use common::{Run, root, run};
use readers::{assert_github, assert_html, assert_junit, assert_markdown, assert_sarif};
use std::path::{Path, PathBuf};

const ACCEPTED: [&str; 5] =
    ["check", "fixtures/check/cluster.yaml", "fixtures/report/accepted.yaml", "--min-severity", "warning"];
const BY_HAND: [&str; 8] = [
    "verify",
    "fixtures/iks/cluster",
    "--node",
    "10.176.48.67",
    "--node-addresses",
    "fixtures/iks/node/10.176.48.67/ip-addr.json",
    "--dump",
    "fixtures/verify/by-hand.rules",
];
/// One story of `diff`, and one in which nothing changes.
const DIFF: [&str; 3] = ["diff", "fixtures/diff/before", "fixtures/diff/widened-cidr"];
const DIFF_OF_NOTHING: [&str; 3] = ["diff", "fixtures/diff/before", "fixtures/diff/formatting"];
const AUDIT: [&str; 4] =
    ["audit", "fixtures/audit/cluster.yaml", "fixtures/audit/local.yaml", "fixtures/audit/hosts.yaml"];
const FORMATS: [&str; 7] = ["text", "json", "sarif", "markdown", "github", "junit", "html"];

fn in_form(command: &[&str], format: &str) -> Run {
    run(&[command, &["--format", format]].concat())
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn each_form_is_what_a_user_would_see() {
    for (name, command) in [("accepted", &ACCEPTED[..]), ("diff", &DIFF), ("audit", &AUDIT)] {
        for format in ["text", "sarif", "markdown", "github", "junit"] {
            let result = in_form(command, format);
            assert_eq!(result.status, Some(1), "{format}: {}", result.stderr);
            let version = format!("ersion\": \"{}\"", env!("CARGO_PKG_VERSION"));
            let shown = result.stdout.replace(&version, "ersion\": \"[version]\"");
            insta::with_settings!({
                snapshot_path => root().join("snapshots/report"),
                prepend_module_to_snapshot => false,
                omit_expression => true,
            }, { insta::assert_snapshot!(format!("{name}-{format}"), shown) });
        }
    }
}

/// What was found of services is known and accepted as mistakes of policies are.
#[test]
fn audit_knows_what_is_open() {
    let baseline = temporary("audit.baseline");
    let path = baseline.to_str().unwrap();
    let written = run(&[&AUDIT[..], &["--write-baseline", path]].concat());
    assert_eq!(written.status, Some(0), "{}", written.stderr);
    assert!(written.stdout.contains("in the baseline"), "{}", written.stdout);
    let known = run(&[&AUDIT[..], &["--baseline", path, "--fail-on-new"]].concat());
    assert_eq!(known.status, Some(0), "{}", known.stdout);
    let more = [&AUDIT[..], &["fixtures/audit/web.yaml", "--baseline", path, "--fail-on-new"]].concat();
    let new = run(&more);
    assert_eq!(new.status, Some(1), "{}", new.stdout);
    assert!(new.stdout.contains("[open-load-balancer]"), "{}", new.stdout);
    let accepted = run(&["audit", "fixtures/audit/bare.yaml", "--format", "json"]);
    let reason = "\"reason\": \"a demonstration that everybody may see\"";
    assert!(accepted.stdout.contains(reason), "{}", accepted.stdout);
}

/// What changes is told at the lines of the new state, and a change that no line of it makes has no line.
#[test]
fn differences_are_told_at_the_new_lines() {
    for story in ["widened-cidr", "node-port-opened", "selected-direction", "service-node-port", "node-more"]
    {
        for [old, new] in [["before", story], [story, "before"]] {
            let command = ["diff", &format!("fixtures/diff/{old}"), &format!("fixtures/diff/{new}")];
            let log = assert_sarif(&in_form(&command, "sarif").stdout, story);
            let results = log["runs"][0]["results"].as_array().unwrap();
            assert!(!results.is_empty(), "{story}");
            let mut placed = 0;
            for result in results {
                let Some(place) = result["locations"][0].get("physicalLocation") else { continue };
                let file = place["artifactLocation"]["uri"].as_str().unwrap();
                assert!(file.starts_with(&format!("fixtures/diff/{new}/")), "{story}: {file}");
                placed += 1;
            }
            assert!(placed > 0, "{story}: no change has a line");
        }
    }
}

/// A comment with everything that changes in a large cluster says what it leaves out.
#[test]
fn a_comment_about_many_differences_is_cut() {
    let rules = |pod: usize, net: usize| -> String {
        let rule = |n| format!("  - {{action: Allow, source: {{nets: [10.{pod}.{n}.0/24]}}}}\n");
        (0..40 * net).map(rule).collect()
    };
    let files = [1, 4].map(|net| {
        let path = temporary(&format!("many-{net}.yaml"));
        let node = "apiVersion: v1\nkind: Node\nmetadata: {name: n}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
        let pod = |pod| format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p-{pod}, namespace: a, labels: {{app: p-{pod}}}}}\n\
             spec: {{nodeName: n, containers: [{{name: c, image: i}}]}}\n\
             status: {{phase: Running, podIPs: [{{ip: 10.244.0.{pod}}}]}}\n\
             ---\napiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {{name: p-{pod}, namespace: a}}\n\
             spec:\n  selector: app == 'p-{pod}'\n  ingress:\n{}",
            rules(pod, net)
        );
        let pods: String = (1..120).map(pod).collect();
        std::fs::write(&path, format!("{node}{pods}")).unwrap();
        path
    });
    let [old, new] = files.map(|path| path.display().to_string());
    let comment = in_form(&["diff", &old, &new], "markdown").stdout;
    assert_markdown(&comment, "many differences");
    assert!(comment.starts_with("### netpolc diff\n\n**"), "{}", &comment[..200]);
    assert!(comment.contains("**Cut to what a comment holds: "), "{} bytes", comment.len());
}

#[test]
fn every_form_is_valid_whatever_is_found() {
    let nothing = ["check", "fixtures/check/cluster.yaml", "--min-severity", "warning"];
    let malformed = ["check", "fixtures/input/tab.yaml"];
    let unknown_node = ["check", "fixtures/check/cluster.yaml", "--node", "no-such"];
    let hostile = ["check", "fixtures/check/cluster.yaml", "fixtures/report/hostile.yaml"];
    let same = [&BY_HAND[..7], &["fixtures/verify/same.rules"]].concat();
    let many = ["diff", "fixtures/diff/before", "fixtures/diff/node-more"];
    let service = ["diff", "fixtures/diff/before", "fixtures/diff/service-endpoint"];
    let upgrade = ["diff", "fixtures/diff/before", "--calico-version", "v3.31..v3.32"];
    let superfluous = ["optimize", "--check", "fixtures/optimize/comments-stay.yaml"];
    let nothing_to_go = ["optimize", "--check", "fixtures/check/log-only-denies/bad.yaml"];
    let no_text = ["optimize", "--check", "fixtures/input/tab.yaml"];
    let unreadable = ["diff", "fixtures/diff/before", "fixtures/input/tab.yaml"];
    let wrong_zones = [&AUDIT[..], &["--zones", "fixtures/audit/zones-wrong.toml"]].concat();
    let guarded = ["audit", "fixtures/iks/cluster"];
    let cases: [(&[&str], i32); 19] = [
        (&nothing, 0),
        (&malformed, 2),
        (&unknown_node, 2),
        (&hostile, 1),
        (&ACCEPTED, 1),
        (&BY_HAND, 1),
        (&same, 0),
        (&DIFF, 1),
        (&DIFF_OF_NOTHING, 0),
        (&many, 1),
        (&service, 1),
        (&upgrade, 1),
        (&superfluous, 1),
        (&nothing_to_go, 0),
        (&no_text, 2),
        (&unreadable, 2),
        (&AUDIT, 1),
        (&guarded, 0),
        (&wrong_zones, 2),
    ];
    for (command, status) in cases {
        for format in FORMATS {
            let result = in_form(command, format);
            let what = format!("{command:?} {format}");
            assert_eq!(result.status, Some(status), "{what}: {}{}", result.stdout, result.stderr);
            match format {
                "sarif" => drop(assert_sarif(&result.stdout, &what)),
                "junit" => assert_junit(&result.stdout, &what),
                "html" => assert_html(&result.stdout, &what),
                "github" => assert_github(&result.stdout, &what),
                "markdown" => assert_markdown(&result.stdout, &what),
                _ => {}
            }
        }
    }
}

#[test]
fn output_goes_to_a_file() {
    let path = temporary("report.sarif");
    let result = run(&[&ACCEPTED[..], &["--format", "sarif", "--output", path.to_str().unwrap()]].concat());
    assert_eq!((result.status, &*result.stdout), (Some(1), ""));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), in_form(&ACCEPTED, "sarif").stdout);
    let nowhere = run(&[&ACCEPTED[..], &["--output", "no/such/folder/file"]].concat());
    assert_eq!(nowhere.status, Some(2));
    assert!(nowhere.stderr.contains("cannot write `no/such/folder/file`"), "{}", nowhere.stderr);
}
