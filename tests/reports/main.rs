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
use readers::{assert_github, assert_html, assert_junit, assert_sarif};
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
const FORMATS: [&str; 7] = ["text", "json", "sarif", "markdown", "github", "junit", "html"];

fn in_form(command: &[&str], format: &str) -> Run {
    run(&[command, &["--format", format]].concat())
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn each_form_is_what_a_user_would_see() {
    for format in ["text", "sarif", "markdown", "github", "junit"] {
        let result = in_form(&ACCEPTED, format);
        assert_eq!(result.status, Some(1), "{format}: {}", result.stderr);
        let version = format!("ersion\": \"{}\"", env!("CARGO_PKG_VERSION"));
        let shown = result.stdout.replace(&version, "ersion\": \"[version]\"");
        insta::with_settings!({
            snapshot_path => root().join("snapshots/report"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!(format!("accepted-{format}"), shown) });
    }
}

#[test]
fn every_form_is_valid_whatever_is_found() {
    let nothing = ["check", "fixtures/check/cluster.yaml", "--min-severity", "warning"];
    let malformed = ["check", "fixtures/input/tab.yaml"];
    let unknown_node = ["check", "fixtures/check/cluster.yaml", "--node", "no-such"];
    let hostile = ["check", "fixtures/check/cluster.yaml", "fixtures/report/hostile.yaml"];
    let same = [&BY_HAND[..7], &["fixtures/verify/same.rules"]].concat();
    let cases: [(&[&str], i32); 7] = [
        (&nothing, 0),
        (&malformed, 2),
        (&unknown_node, 2),
        (&hostile, 1),
        (&ACCEPTED, 1),
        (&BY_HAND, 1),
        (&same, 0),
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
