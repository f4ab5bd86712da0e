//! Exit status and behaviour of the program as such.

mod common;

use common::{Run, netpolc, root, run};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

const CLUSTER: &str = "fixtures/compile/default-deny.yaml";

#[test]
fn a_good_cluster_exits_with_0() {
    let result = run(&["compile", CLUSTER, "--node", "worker-1", "--emit", "iptables"]);
    assert_eq!(result.status, Some(0), "{}", result.stderr);
    assert!(result.stdout.starts_with("*raw\n"), "{}", result.stdout);
}

#[test]
fn standard_input_is_a_dash() {
    let from_file = run(&["compile", CLUSTER, "--node", "worker-1"]);
    let file = std::fs::File::open(root().join(CLUSTER)).unwrap();
    let result = Run::of(netpolc().args(["compile", "-", "--node", "worker-1"]).stdin(file));
    assert_eq!(result.status, Some(0), "{}", result.stderr);
    assert_eq!(result.stdout, from_file.stdout);
}

#[test]
fn the_output_does_not_depend_on_the_number_of_threads() {
    let with = |jobs| run(&["compile", "fixtures/iks/cluster", "--node", "10.176.48.67", "--jobs", jobs]);
    let (one, many) = (with("1"), with("8"));
    assert!(one.stdout.contains("cali-INPUT"), "{}", one.stderr);
    assert_eq!(one.stdout, many.stdout);
    assert_eq!(one.stderr, many.stderr);
}

#[test]
fn help_and_version_exit_with_0() {
    for arguments in [&["--help"][..], &["compile", "--help"], &["--version"]] {
        let result = run(arguments);
        assert_eq!(result.status, Some(0));
        assert!(result.stdout.contains("netpolc"), "{}", result.stdout);
        assert_eq!(result.stderr, "");
    }
}

#[test]
fn wrong_use_exits_with_2_and_says_what_is_wrong() {
    let cases: [(&[&str], &str); 6] = [
        (&[], "Usage"),
        (&["compil"], "compile"),
        (&["compile"], "PATH"),
        (&["compile", CLUSTER], "--node"),
        (&["compile", CLUSTER, "--node", "worker-1", "--emits", "all"], "--emit"),
        (&["compile", CLUSTER, "--node", "worker-1", "--dialect", "nft"], "save"),
    ];
    for (arguments, word) in cases {
        let result = run(arguments);
        assert_eq!(result.status, Some(2), "{arguments:?}");
        assert_eq!(result.stdout, "", "{arguments:?}");
        assert!(result.stderr.contains(word), "{arguments:?}: {}", result.stderr);
    }
}

#[test]
fn what_is_not_there_is_named() {
    let cases: [(&[&str], &str); 3] = [
        (&["compile", "no/such/file.yaml", "--node", "worker-1"], "no/such/file.yaml"),
        (&["compile", CLUSTER, "--node", "worker-1", "--node-addresses", "no/such.json"], "no/such.json"),
        (&["compile", CLUSTER, "--node", "worker-9"], "worker-9"),
    ];
    for (arguments, word) in cases {
        let result = run(arguments);
        assert_eq!(result.status, Some(2), "{arguments:?}: {}", result.stderr);
        assert_eq!(result.stdout, "", "{arguments:?}");
        assert!(result.stderr.contains(word), "{arguments:?}: {}", result.stderr);
    }
}

#[test]
fn input_without_any_object_is_an_error() {
    let folder = tempfile("empty");
    std::fs::create_dir_all(&folder).unwrap();
    let result = Run::of(netpolc().arg("compile").arg(&folder).args(["--node", "worker-1"]));
    assert_eq!(result.status, Some(2), "{}", result.stderr);

    let result = run(&["compile", "-", "--node", "worker-1"]);
    assert_eq!(result.status, Some(2), "{}", result.stderr);
}

#[test]
fn one_bad_document_is_an_error_whatever_is_skipped() {
    for file in ["bad-indent.yaml", "cut.json", "tab.yaml"] {
        let path = format!("fixtures/input/{file}");
        for invalid in ["fail", "skip"] {
            let result = run(&["compile", &path, CLUSTER, "--node", "worker-1", "--invalid", invalid]);
            assert_eq!(result.status, Some(2), "{file}, {invalid}: {}", result.stderr);
            assert_eq!(result.stdout, "", "{file}, {invalid}");
            assert!(result.stderr.contains(&path), "{}", result.stderr);
        }
    }
}

#[test]
fn a_refused_object_stops_or_is_left_out() {
    let path = "fixtures/input/wrong-selector.yaml";
    let fail = run(&["compile", path, CLUSTER, "--node", "worker-1"]);
    assert_eq!(fail.status, Some(2), "{}", fail.stderr);
    assert_eq!(fail.stdout, "");

    let skip = run(&["compile", path, CLUSTER, "--node", "worker-1", "--invalid", "skip"]);
    assert_eq!(skip.status, Some(1), "{}", skip.stderr);
    assert_eq!(skip.stdout, run(&["compile", CLUSTER, "--node", "worker-1"]).stdout);
    assert!(skip.stderr.contains(path), "{}", skip.stderr);
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    // More than a pipe holds, so that the program is still writing when the reader goes away.
    let mut child = netpolc()
        .args(["compile", "fixtures/iks/cluster", "--node", "10.176.48.67", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0u8; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let rest = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&rest.stderr);
    assert!(!stderr.contains("panic") && !stderr.contains("roken pipe"), "{stderr}");
    assert!(matches!(rest.status.code(), Some(0 | 1)), "{:?}: {stderr}", rest.status);
}

#[test]
fn out_writes_files_and_prints_no_rules() {
    let folder = tempfile("out");
    let mut command = netpolc();
    command.args(["compile", CLUSTER, "--node", "worker-1", "--out"]).arg(&folder);
    let result = Run::of(&mut command);
    assert_eq!(result.status, Some(0), "{}", result.stderr);
    assert_eq!(result.stdout, "");
    let printed = |emit| run(&["compile", CLUSTER, "--node", "worker-1", "--emit", emit]).stdout;
    for (name, emit) in
        [("save.v4.rules", "iptables"), ("save.v6.rules", "ip6tables"), ("ipsets.txt", "ipsets")]
    {
        assert_eq!(std::fs::read_to_string(folder.join(name)).unwrap(), printed(emit), "{name}");
    }
}

#[test]
fn all_nodes_get_a_folder_each() {
    let folder = tempfile("all-nodes");
    let mut command = netpolc();
    command.args(["compile", "fixtures/iks/cluster", "--all-nodes", "--out"]).arg(&folder);
    let result = Run::of(&mut command);
    assert!(matches!(result.status, Some(0 | 1)), "{}", result.stderr);
    for node in ["10.176.48.67", "10.176.48.78"] {
        let rules = std::fs::read_to_string(folder.join(node).join("save.v4.rules")).unwrap();
        assert_eq!(
            rules,
            run(&["compile", "fixtures/iks/cluster", "--node", node, "--emit", "iptables"]).stdout
        );
    }
}

#[test]
fn origins_are_comments_after_the_rules() {
    let with = run(&["compile", CLUSTER, "--node", "worker-1", "--emit", "iptables", "--explain-origin"]);
    let without = run(&["compile", CLUSTER, "--node", "worker-1", "--emit", "iptables"]);
    let rules: String =
        with.stdout.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    assert_eq!(rules, without.stdout);
    assert!(with.stdout.contains(&format!("# {CLUSTER}:")), "{}", with.stdout);
}

#[test]
fn colours_are_for_terminals() {
    let result =
        Run::of(netpolc().env_remove("NO_COLOR").args(["compile", "fixtures/input/tab.yaml", "--node", "n"]));
    assert!(!result.stderr.contains('\x1b'), "{}", result.stderr);
}

#[test]
fn input_that_never_ends_a_line_is_read_once_and_answered() {
    let mut child = netpolc()
        .args(["compile", "-", "--node", "worker-1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        // the program may stop reading early; that is its right
        let _ = stdin.write_all("[".repeat(4 << 20).as_bytes());
    });
    let result = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let stderr = String::from_utf8_lossy(&result.stderr);
    assert_eq!(result.status.code(), Some(2), "{stderr}");
    assert!(stderr.len() < 4096, "a message of {} bytes", stderr.len());
}

/// A folder of its own for each test below the build's temporary folder, empty at first.
fn tempfile(name: &str) -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

#[test]
fn the_program_needs_no_environment() {
    let result = Run::of(
        Command::new(env!("CARGO_BIN_EXE_netpolc"))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .arg("compile")
            .arg(root().join(CLUSTER))
            .args(["--node", "worker-1"]),
    );
    assert_eq!(result.status, Some(0), "{}", result.stderr);
}
