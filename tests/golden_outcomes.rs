//! Against what calicoctl and the API server said about every object of the recorded clusters.
//!
//! The collection is kept outside the repository, and used where it is found: beside it, or where
//! `NETPOLC_SHARED` says.

use netpolc::model::{Fate, InvalidMode, collect, lower};
use netpolc::source::{self, Input, Options};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Outcome and object, to be counted.
type Fates = BTreeMap<String, usize>;

fn collection() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let golden = std::env::var_os("NETPOLC_SHARED").map_or(beside, PathBuf::from).join("golden");
    golden.is_dir().then_some(golden)
}

fn cases(golden: &Path) -> Vec<PathBuf> {
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let mut cases: Vec<_> = folders(golden).iter().flat_map(|folder| folders(folder)).collect();
    cases.retain(|case| case.join("cluster.yaml").exists());
    cases.sort();
    cases
}

fn count(fates: &mut Fates, fate: Fate, kind: &str, namespace: &str, name: &str) {
    *fates.entry(format!("{fate:?} {kind} {namespace}/{name}")).or_default() += 1;
}

/// What the recording says.
fn wanted(case: &Path) -> Fates {
    let mut fates = Fates::new();
    let json = |name: &str| -> Value {
        let text = fs::read_to_string(case.join(name)).unwrap_or_else(|_| "{}".to_owned());
        serde_json::from_str(&text).expect("JSON")
    };
    let findings = json("golden/findings.json");
    for (list, fate) in [("rejected_by_calicoctl", Fate::Rejected), ("refused_by_crd_schema", Fate::Refused)]
    {
        for object in findings[list].as_array().into_iter().flatten() {
            let text = |field: &str| object[field].as_str().unwrap_or_default();
            count(&mut fates, fate, text("kind"), text("namespace"), text("name"));
        }
    }
    // the recording names the list that cannot be decoded, not the object: it is the one of kubectl
    if json("outcome.json")["outcome"] == "never_in_sync" {
        assert_eq!(json("outcome.json")["resources"], "globalnetworkpolicies");
        count(&mut fates, Fate::NeverInSync, "GlobalNetworkPolicy", "", "default.web");
    }
    fates
}

#[test]
fn every_object_of_the_recorded_clusters_meets_its_fate() {
    let Some(golden) = collection() else {
        eprintln!("SKIPPED: the recorded clusters are not here; NETPOLC_SHARED says where they are");
        return;
    };
    let cases = cases(&golden);
    assert!(cases.len() > 100, "only {} cases in {}", cases.len(), golden.display());
    let mut wrong = Vec::new();
    for case in &cases {
        let loaded = source::read(&[Input::Path(case.join("cluster.yaml"))], &Options::default(), lower);
        assert_eq!(loaded.diagnostics, [], "{}", case.display());
        let collected = collect(loaded.values, InvalidMode::Skip);
        let mut fates = Fates::new();
        for object in &collected.turned_away {
            let subject = &object.subject;
            count(&mut fates, object.fate, &subject.kind, &subject.namespace, &subject.name);
        }
        let wanted = wanted(case);
        if fates != wanted {
            wrong.push(format!("{}:\n  wanted {wanted:?}\n  got    {fates:?}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
