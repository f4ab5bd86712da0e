//! Against what calicoctl, the API server, Felix and the kernel said about every object of the recorded
//! clusters.
//!
//! The collection is kept outside the repository, and used where it is found: beside it, or where
//! `NETPOLC_SHARED` says.

use netpolc::check::outcome::Outcome;
use netpolc::check::{Request, run};
use netpolc::model::{InvalidMode, collect, lower};
use netpolc::source::{self, Input, Options};
use netpolc::syntax::ip_addr;
use netpolc::version::{AdminKinds, CalicoVersion};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Outcomes and the objects that meet them. The recordings name an object once, however many of its
/// texts met the same end.
type Outcomes = BTreeSet<String>;

/// The clusters of the newest version, and those of older ones.
fn collections() -> Option<[PathBuf; 2]> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("NETPOLC_SHARED").map_or(beside, PathBuf::from);
    let collections = ["golden", "golden-versions"].map(|name| shared.join(name));
    collections.iter().all(|folder| folder.is_dir()).then_some(collections)
}

/// The version of Calico that a case was recorded with.
fn version(case: &Path) -> CalicoVersion {
    let text = fs::read_to_string(case.join("calico-version"));
    text.map_or(CalicoVersion::LATEST, |text| CalicoVersion::parse(text.trim()).expect("a known version"))
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

fn entry(outcome: Outcome, kind: &str, namespace: &str, name: &str) -> String {
    format!("{} {kind} {namespace}/{name}", outcome.name())
}

/// An object as Felix calls it in its log: `Policy(Name=p, Namespace=, Kind=GlobalNetworkPolicy)`.
fn ignored(object: &str) -> String {
    let field = |name: &str| {
        let rest = object.split_once(&format!("{name}=")).map_or("", |(_, rest)| rest);
        rest.split([',', ')']).next().unwrap_or_default()
    };
    if object.starts_with("WorkloadEndpoint(") {
        let (namespace, pod) = field("workload").split_once('/').expect("a pod has a namespace");
        return entry(Outcome::IgnoredByFelix, "Pod", namespace, pod);
    }
    assert!(object.starts_with("Policy("), "what is `{object}`?");
    if object.starts_with("Policy(tier=") {
        return match field("name").split_once('/') {
            Some((namespace, name)) => entry(Outcome::IgnoredByFelix, "NetworkPolicy", namespace, name),
            None => entry(Outcome::IgnoredByFelix, "GlobalNetworkPolicy", "", field("name")),
        };
    }
    entry(Outcome::IgnoredByFelix, field("Kind"), field("Namespace"), field("Name"))
}

/// What the recording says.
fn wanted(case: &Path) -> Outcomes {
    let mut outcomes = Outcomes::new();
    let json = |name: &str| -> Value {
        let text = fs::read_to_string(case.join(name)).unwrap_or_else(|_| "{}".to_owned());
        serde_json::from_str(&text).expect("JSON")
    };
    let findings = json("golden/findings.json");
    for outcome in [Outcome::RejectedByCalicoctl, Outcome::RefusedBySchema] {
        for object in findings[outcome.name()].as_array().into_iter().flatten() {
            let text = |field: &str| object[field].as_str().unwrap_or_default();
            outcomes.insert(entry(outcome, text("kind"), text("namespace"), text("name")));
        }
    }
    for object in findings[Outcome::IgnoredByFelix.name()].as_array().into_iter().flatten() {
        outcomes.insert(ignored(object[0].as_str().expect("a text")));
    }
    // the recording names the list that cannot be decoded, or the table, but no object: it is the one
    // that the case is about
    let recorded = json("outcome.json");
    match recorded["outcome"].as_str() {
        Some("never_in_sync") => {
            assert_eq!(recorded["resources"], "globalnetworkpolicies");
            outcomes.insert(entry(Outcome::NeverInSync, "GlobalNetworkPolicy", "", "default.web"));
        }
        Some("cannot_program") => {
            let policy = recorded["table"] == "filter";
            let (kind, name) =
                if policy { ("GlobalNetworkPolicy", "web") } else { ("FelixConfiguration", "default") };
            outcomes.insert(entry(Outcome::CannotProgram, kind, "", name));
        }
        _ => {}
    }
    outcomes
}

#[test]
fn every_object_of_the_recorded_clusters_meets_its_fate() {
    let Some(collections) = collections() else {
        eprintln!("SKIPPED: the recorded clusters are not here; NETPOLC_SHARED says where they are");
        return;
    };
    let cases: Vec<_> = collections.iter().flat_map(|folder| cases(folder)).collect();
    assert!(cases.len() > 180, "only {} cases in {collections:?}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let facts = version(case).facts();
        let loaded = source::read(&[Input::Path(case.join("cluster.yaml"))], &Options::default(), |object| {
            lower(object, facts)
        });
        assert_eq!(loaded.diagnostics, [], "{}", case.display());
        let collected = collect(loaded.values, InvalidMode::Skip, facts);
        let interfaces = fs::read_to_string(case.join("golden/ip-addr.json"));
        let interfaces = interfaces.ok().map(|text| ip_addr::parse(&text).expect("addresses"));
        let report = run(&collected, &Request { node: Some("node-1"), interfaces: interfaces.as_deref() });
        let ends = report
            .objects
            .iter()
            .filter(|object| !matches!(object.outcome, Outcome::Programmed | Outcome::Replaced))
            // the recordings left out the kinds that the version does not have
            .filter(|object| {
                facts.admin_kinds == AdminKinds::Cluster || &*object.subject.kind != "ClusterNetworkPolicy"
            });
        let outcomes: Outcomes = ends
            .map(|object| {
                let subject = &object.subject;
                entry(object.outcome, &subject.kind, &subject.namespace, &subject.name)
            })
            .collect();
        let wanted = wanted(case);
        if outcomes != wanted {
            wrong.push(format!("{}:\n  wanted {wanted:?}\n  got    {outcomes:?}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
