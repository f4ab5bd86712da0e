//! Fingerprints and baselines.

use crate::common::{root, run};
use crate::readers::assert_sarif;
use crate::{ACCEPTED, BY_HAND, DIFF, in_form, temporary};
use std::path::Path;

fn fingerprints(path: &Path) -> Vec<String> {
    let log = in_form(&["check", "fixtures/check/cluster.yaml", path.to_str().unwrap()], "sarif").stdout;
    let log = assert_sarif(&log, "fingerprints");
    let results = log["runs"][0]["results"].as_array().unwrap().iter();
    let own = results.filter(|result| !result.to_string().contains("cluster.yaml"));
    own.map(|result| result["partialFingerprints"]["netpolcFinding/v1"].to_string()).collect()
}

#[test]
fn fingerprints_stay_when_lines_move_and_files_are_renamed() {
    let text = std::fs::read_to_string(root().join("fixtures/report/accepted.yaml")).unwrap();
    let (before, after) = (temporary("before.yaml"), temporary("after.yaml"));
    std::fs::write(&before, &text).unwrap();
    std::fs::write(&after, format!("# more\n# lines\n\n{}", text.replace("spec:", "# a remark\nspec:")))
        .unwrap();
    let prints = fingerprints(&before);
    assert!(prints.len() > 3, "{prints:?}");
    assert_eq!(prints, fingerprints(&after));
    std::fs::write(&after, text.replace("log-egress", "another-name")).unwrap();
    assert_ne!(prints, fingerprints(&after));
}

#[test]
fn what_is_in_the_baseline_is_known() {
    let path = temporary("check.baseline");
    let with =
        |option: &str, more: &[&str]| run(&[&ACCEPTED[..], &[option, path.to_str().unwrap()], more].concat());
    let written = with("--write-baseline", &[]);
    assert_eq!(written.status, Some(0), "{}", written.stdout);
    let baseline = std::fs::read_to_string(&path).unwrap();
    insta::with_settings!({
        snapshot_path => root().join("snapshots/report"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!("accepted-baseline", baseline) });

    let known = with("--baseline", &["--fail-on-new"]);
    assert_eq!(known.status, Some(0), "{}", known.stdout);
    assert!(
        known.stdout.ends_with("not counted: 1 accepted by annotations, 4 in the baseline\n"),
        "{}",
        known.stdout
    );
    assert_eq!(with("--baseline", &[]).status, Some(1));

    // one is new, one is mended
    let less: String = baseline
        .lines()
        .filter(|line| !line.contains("log-only-denies\t"))
        .map(|l| format!("{l}\n"))
        .collect();
    std::fs::write(&path, format!("{less}0123456789abcdef\tgone\tPolicy x\twas mended\n")).unwrap();
    let new = with("--baseline", &["--fail-on-new"]);
    assert_eq!(new.status, Some(1), "{}", new.stdout);
    assert!(new.stdout.starts_with("warning[log-only-denies]"), "{}", new.stdout);
    let stale = run(&[
        "check",
        "fixtures/check/cluster.yaml",
        "fixtures/report/accepted.yaml",
        "--baseline",
        path.to_str().unwrap(),
    ]);
    assert!(stale.stdout.contains("note[baseline-stale]"), "{}", stale.stdout);
    assert!(stale.stdout.contains("gone Policy x was mended"), "{}", stale.stdout);

    for text in ["", "<<<<<<< ours\n", "# netpolc baseline 1\n<<<<<<< ours\n"] {
        std::fs::write(&path, text).unwrap();
        let wrong = with("--baseline", &[]);
        assert_eq!(wrong.status, Some(2), "{}", wrong.stdout);
        assert!(wrong.stderr.contains("error[baseline-syntax]"), "{}", wrong.stderr);
    }
}

#[test]
fn verify_knows_differences_too() {
    let path = temporary("verify.baseline");
    let with = |options: &[&str]| run(&[&BY_HAND[..], options].concat());
    let file = path.to_str().unwrap();
    assert_eq!(with(&["--write-baseline", file]).status, Some(0));
    let known = with(&["--baseline", file, "--fail-on-new"]);
    assert_eq!(known.status, Some(0), "{}", known.stdout);
    assert!(known.stdout.ends_with("not counted: 9 in the baseline\n"), "{}", known.stdout);
    let alone = with(&["--fail-on-new"]);
    assert_eq!(alone.status, Some(2), "{}", alone.stdout);
}

#[test]
fn diff_knows_changes_too() {
    let path = temporary("diff.baseline");
    let file = path.to_str().unwrap();
    let with = |command: &[&str], options: &[&str]| run(&[command, options].concat());
    assert_eq!(with(&DIFF, &["--write-baseline", file]).status, Some(0));
    let known = with(&DIFF, &["--baseline", file, "--fail-on", "new"]);
    assert_eq!(known.status, Some(0), "{}", known.stdout);
    assert!(known.stdout.ends_with("not counted: 1 in the baseline\n"), "{}", known.stdout);
    for (options, status) in [
        (&["--fail-on-new"][..], 0),
        (&["--fail-on", "widened", "--fail-on-new"], 0),
        (&["--fail-on", "widened"], 1),
        (&[], 1),
    ] {
        let result = with(&DIFF, &[&["--baseline", file], options].concat());
        assert_eq!(result.status, Some(status), "{options:?}: {}", result.stdout);
    }
    let json = with(&DIFF, &["--baseline", file, "--format", "json"]).stdout;
    assert!(json.contains("\"known\": true"), "{json}");
    let log = assert_sarif(&with(&DIFF, &["--baseline", file, "--format", "sarif"]).stdout, "known");
    assert_eq!(log["runs"][0]["results"][0]["baselineState"], "unchanged");

    // another change is new, and the one that is known is not found any more
    let other = ["diff", "fixtures/diff/before", "fixtures/diff/node-port-opened"];
    let new = with(&other, &["--baseline", file, "--fail-on", "new"]);
    assert_eq!(new.status, Some(1), "{}", new.stdout);
    assert!(
        new.stdout.contains("note[baseline-stale]: the baseline has a finding that is not found"),
        "{}",
        new.stdout
    );
    let log = assert_sarif(&with(&other, &["--baseline", file, "--format", "sarif"]).stdout, "new");
    assert_eq!(log["runs"][0]["results"][0]["baselineState"], "new");
    for options in [&["--fail-on", "new"][..], &["--fail-on-new"]] {
        assert_eq!(with(&DIFF, options).status, Some(2), "{options:?}");
    }
}
