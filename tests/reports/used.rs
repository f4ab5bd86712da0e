//! Where reports are used: GitHub, GitLab and kubectl.

use crate::common::{Run, netpolc, root};
use crate::readers::{assert_html, assert_junit};
use crate::{ACCEPTED, in_form, temporary};
use std::path::{Path, PathBuf};

#[test]
fn kubectl_finds_its_plugin() {
    let folder = empty("plugin");
    let plugin = folder.join("kubectl-netpolc");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_netpolc"), &plugin).unwrap();
    let run = |arguments: &[&str]| {
        Run::of(std::process::Command::new(&plugin).args(arguments).current_dir(root()).env("NO_COLOR", "1"))
    };
    assert!(run(&["check", "--help"]).stdout.contains("Usage: kubectl netpolc check"));
    let same = in_form(&ACCEPTED, "text");
    let result = run(&ACCEPTED);
    assert_eq!((result.status, result.stdout), (same.status, same.stdout));
    assert!(Run::of(netpolc().args(["check", "--help"])).stdout.contains("Usage: netpolc check"));
}

/// Runs a script as a runner of CI would, in a folder.
fn sh(folder: &Path, script: &str, environment: &[(&str, &str)]) -> Run {
    let mut shell = std::process::Command::new("bash");
    shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).current_dir(folder);
    Run::of(shell.envs(environment.iter().copied()).env("NO_COLOR", "1"))
}

/// Packs a release: an archive and its sum. The program in it only calls the one that was built.
fn release(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let program = env!("CARGO_BIN_EXE_netpolc");
    let pack = format!(
        "printf '#!/bin/sh\\nexec {program} \"$@\"\\n' > netpolc; chmod +x netpolc; a=netpolc-$(uname -m)-linux.tar.gz; \
         tar -czf $a netpolc; sha256sum $a > $a.sha256"
    );
    assert_eq!(sh(folder, &pack, &[]).status, Some(0));
}

/// A folder of its own, empty.
fn empty(name: &str) -> PathBuf {
    let folder = temporary(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The scripts of the action, as GitHub's runner would run them.
fn scripts() -> Vec<String> {
    let action = std::fs::read_to_string(root().join("action.yml")).unwrap();
    let mut scripts = Vec::new();
    for part in action.split("      run: |\n").skip(1) {
        let lines = part.lines().take_while(|line| line.is_empty() || line.starts_with("        "));
        scripts.push(lines.map(|line| format!("{}\n", line.trim_start_matches("        "))).collect());
    }
    scripts
}

#[test]
fn the_action_gets_a_release_and_reports() {
    let folder = empty("action");
    let packed = folder.join("releases/v1");
    release(&packed);
    let scripts = scripts();
    assert_eq!(scripts.len(), 2, "{scripts:?}");

    let at = |name: &str| folder.join(name).display().to_string();
    let (paths, bin, summary, sarif) = (at("paths"), at("bin"), at("summary.md"), at("netpolc.sarif"));
    let releases = format!("file://{}", at("releases"));
    let get = [("VERSION", "v1"), ("RELEASES", &*releases), ("FOLDER", &*bin), ("GITHUB_PATH", &*paths)];
    let result = sh(root(), &scripts[0], &get);
    assert_eq!(result.status, Some(0), "{}{}", result.stdout, result.stderr);
    assert_eq!(std::fs::read_to_string(&paths).unwrap().trim(), bin);

    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let manifests = "fixtures/check/cluster.yaml\nfixtures/report/accepted.yaml\n";
    let check = [
        ("PATH", &*path),
        ("PATHS", manifests),
        ("ARGUMENTS", "--min-severity\nwarning\n"),
        ("BASELINE", ""),
        ("SARIF", &*sarif),
        ("GITHUB_STEP_SUMMARY", &*summary),
    ];
    let result = sh(root(), &scripts[1], &check);
    assert_eq!(result.status, Some(1), "{}{}", result.stdout, result.stderr);
    assert_eq!(result.stdout, in_form(&ACCEPTED, "github").stdout);
    assert_eq!(std::fs::read_to_string(&summary).unwrap(), in_form(&ACCEPTED, "markdown").stdout);
    assert_eq!(std::fs::read_to_string(&sarif).unwrap(), in_form(&ACCEPTED, "sarif").stdout);

    // what was changed on the way is not used
    let archive = "netpolc-$(uname -m)-linux.tar.gz";
    assert_eq!(sh(&packed, &format!("echo x >> {archive}"), &[]).status, Some(0));
    assert_ne!(sh(root(), &scripts[0], &get).status, Some(0));
}

#[test]
fn the_example_for_gitlab_runs() {
    let page = std::fs::read_to_string(root().join("docs/ci.md")).unwrap();
    let example = page.split("# .gitlab-ci.yml").nth(1).unwrap().split("```").next().unwrap();
    let lines = example.lines().filter_map(|line| line.strip_prefix("  - "));
    let script: Vec<&str> = lines.filter(|line| !line.starts_with("apt-get")).collect();
    assert!(script.len() >= 5, "{script:?}");

    let folder = empty("gitlab");
    release(&folder.join("release"));
    let bin = empty("gitlab-bin").display().to_string();
    let cluster = format!(
        "mkdir cluster; cp {0}/fixtures/check/cluster.yaml {0}/fixtures/report/accepted.yaml cluster",
        root().display()
    );
    assert_eq!(sh(&folder, &cluster, &[]).status, Some(0));
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let release = format!("file://{}", folder.join("release").display());
    let environment = [("RELEASE", &*release), ("PATH", &*path)];
    let script = script.join("\n").replace("/usr/local/bin", &bin);
    // the job is green once everything is in the baseline, and red where something is not
    for (baseline, status) in
        [("--write-baseline", Some(0)), ("--min-severity error --write-baseline", Some(1))]
    {
        let write = format!("{} check cluster {baseline} netpolc.baseline", env!("CARGO_BIN_EXE_netpolc"));
        assert_eq!(sh(&folder, &write, &[]).status, Some(0));
        let result = sh(&folder, &script, &environment);
        assert_eq!(result.status, status, "{}{}", result.stdout, result.stderr);
    }
    assert_junit(&std::fs::read_to_string(folder.join("netpolc.xml")).unwrap(), "GitLab");
    assert_html(&std::fs::read_to_string(folder.join("netpolc.html")).unwrap(), "GitLab");
}
