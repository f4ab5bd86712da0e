//! `netpolc snapshot`: what is in the folder, how it changes with the manifests, and what `--check` says.

mod common;

use common::{Run, root, run};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A fresh folder of this name.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("snapshot").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn snapshot(cluster: &str, folder: &Path, more: &[&str]) -> Run {
    run(&[&["snapshot", cluster, "--out", folder.to_str().unwrap()], more].concat())
}

/// All files below a folder, by their path in it.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn assert_snapshot(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => root().join("snapshots/snapshot"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

/// Without the path of the folder, which is another on every machine.
fn plain(text: &str, folder: &Path) -> String {
    text.replace(folder.to_str().unwrap(), "rules")
}

#[test]
fn a_folder_has_the_rules_of_every_node() {
    let folder = folder("whole");
    let result = snapshot("fixtures/snapshot/before", &folder, &[]);
    assert_eq!(result.status, Some(0), "{}", result.stderr);
    let mut text = plain(&result.stdout, &folder);
    for (name, own) in files(&folder) {
        text.push_str(&format!("\n==> {name}\n{own}"));
    }
    assert_snapshot("before", &text);
    let again = snapshot("fixtures/snapshot/before", &folder, &["--check"]);
    assert_eq!((again.status, &*plain(&again.stdout, &folder)), (Some(0), "rules: up to date\n"));
}

/// One more pod, and one more network: what `--check` shows is all that changes.
#[test]
fn a_small_edit_is_a_small_difference() {
    for story in ["pod-more", "cidr-more"] {
        let folder = folder(story);
        assert_eq!(snapshot("fixtures/snapshot/before", &folder, &[]).status, Some(0));
        let before = files(&folder);
        let new = format!("fixtures/snapshot/{story}");
        let result = snapshot(&new, &folder, &["--check"]);
        assert_eq!(result.status, Some(1), "{}", result.stderr);
        assert_eq!(files(&folder), before, "a check writes nothing");
        assert_snapshot(story, &plain(&result.stdout, &folder));
        let edits = |sign: char| -> Vec<&str> {
            let head = sign.to_string().repeat(3);
            let lines =
                result.stdout.lines().filter(|line| line.starts_with(sign) && !line.starts_with(&head));
            lines.map(|line| &line[1..]).filter(|line| !line.is_empty()).collect()
        };
        if story == "cidr-more" {
            assert_eq!(edits('-'), Vec::<&str>::new());
            assert_eq!(edits('+').len(), 1, "{}", result.stdout);
        } else {
            // Felix makes a tree of the names of interfaces, which is another with one more; beyond that, nothing
            // changes but what speaks of the pod
            let dispatch = |line: &&str| !line.contains("-wl-dispatch");
            assert_eq!(edits('-').into_iter().filter(dispatch).collect::<Vec<_>>(), Vec::<&str>::new());
            let of_pod = ["calib8419a605df", "shop/web-2", "10.244.0.13"];
            let strange = edits('+').into_iter().filter(dispatch);
            let strange = strange.filter(|line| !of_pod.iter().any(|word| line.contains(word)));
            assert_eq!(strange.collect::<Vec<_>>(), Vec::<&str>::new());
        }
        let written = snapshot(&new, &folder, &[]);
        assert_eq!(written.status, Some(0));
        assert_eq!(snapshot(&new, &folder, &["--check"]).status, Some(0));
    }
}

#[test]
fn only_files_of_the_program_are_removed() {
    let folder = folder("stale");
    assert_eq!(snapshot("fixtures/snapshot/two-nodes", &folder, &[]).status, Some(0));
    let foreign = [
        ("README.md", "ours"),
        ("worker-2/notes.txt", "ours"),
        ("other/v4.rules", "*filter\nCOMMIT\n"),
        ("v4.rules", "# netpolc snapshot, but not in the folder of a node"),
    ];
    for (name, text) in foreign {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let check = snapshot("fixtures/snapshot/before", &folder, &["--check"]);
    assert_eq!(check.status, Some(1));
    let said = plain(&check.stdout, &folder);
    for name in ["ipsets.txt", "v4.rules"] {
        assert!(said.contains(&format!("stale: rules/worker-2/{name} is of no node any more")), "{said}");
    }
    assert!(!said.contains("other/v4.rules") && !said.contains("notes.txt"), "{said}");
    // one node at a time leaves the others alone
    let one = snapshot("fixtures/snapshot/before", &folder, &["--node", "worker-1"]);
    assert_eq!(one.status, Some(0));
    assert!(folder.join("worker-2/v4.rules").exists());
    assert_eq!(snapshot("fixtures/snapshot/before", &folder, &[]).status, Some(0));
    let left = files(&folder);
    assert!(!left.contains_key("worker-2/v4.rules") && left.contains_key("worker-1/v4.rules"));
    for (name, text) in foreign {
        assert_eq!(left.get(name).map(String::as_str), Some(text), "{name}");
    }
    // what somebody else wrote is not written over either
    std::fs::write(folder.join("worker-1/v4.rules"), "*filter\nCOMMIT\n").unwrap();
    let over = snapshot("fixtures/snapshot/before", &folder, &[]);
    assert_eq!(over.status, Some(2));
    assert!(over.stderr.contains("no file of a snapshot"), "{}", over.stderr);
}

#[test]
fn input_that_cannot_be_used_changes_nothing() {
    let folder = folder("bad");
    let result = snapshot("fixtures/input/cut.json", &folder, &[]);
    assert_eq!((result.status, &*result.stdout), (Some(2), ""));
    let result = snapshot("fixtures/snapshot/before", &folder, &["--node", "nowhere"]);
    assert_eq!(result.status, Some(2));
    assert!(result.stderr.contains("there is no node `nowhere`"), "{}", result.stderr);
    assert!(files(&folder).is_empty());
    let path = folder.join("cluster.yaml");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\nspec: {nodeName: ../c, containers: [{name: a, image: a}]}\n\
               status: {phase: Running, podIPs: [{ip: 10.0.0.1}]}\n";
    std::fs::write(&path, pod).unwrap();
    let result = snapshot(path.to_str().unwrap(), &folder.join("out"), &[]);
    assert_eq!(result.status, Some(2), "{}", result.stdout);
    assert!(!folder.join("c").exists() && !folder.join("out").exists());
}
