//! Every name in a dump can be explained.

mod common;

use common::{root, run};
use netpolc::explain::{Explanation, Name, explain};
use netpolc::felix;
use netpolc::model::{InvalidMode, collect, lower};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use netpolc::syntax::ip_addr;
use std::collections::BTreeSet;

fn clusters() -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(root().join("fixtures/golden")).expect("the folder is there");
    let mut folders: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

fn explained(text: &str, cluster: &Cluster<'_>) -> Vec<Explanation> {
    explain(&Name::parse(text), Some(cluster), Some("node-1"))
}

#[test]
fn every_chain_set_and_hash_of_the_recorded_nodes_is_explained() {
    let mut names = 0;
    for folder in clusters() {
        let read = source::read(&[Input::Path(folder.join("cluster.yaml"))], &Options::default(), |object| {
            lower(object, Default::default())
        });
        let collected = collect(read.values, InvalidMode::Skip, Default::default());
        let cluster = Cluster::new(&collected.resources);
        let text = std::fs::read_to_string(folder.join("golden/ip-addr.json")).unwrap();
        let interfaces = ip_addr::parse(&text).unwrap();
        let request = NodeRequest { node: "node-1", interfaces: Some(&interfaces) };
        let program = felix::render(&cluster.view(&request).view.unwrap());
        let tables = program.v4.tables.iter().chain(&program.v6.tables);
        let chains: Vec<_> = tables.clone().flat_map(|table| &table.chains).collect();
        let chain_names: BTreeSet<&str> = chains.iter().map(|chain| &*chain.name).collect();
        let set_names = program.sets.iter().map(|set| &*set.name);
        for name in chain_names.into_iter().chain(set_names) {
            names += 1;
            assert!(!explained(name, &cluster).is_empty(), "{}: {name}", folder.display());
        }
        // the interfaces of the request are not known to `explain`, so host endpoints may differ: the
        // hashes of policies do not depend on them
        let policies = chains.iter().filter(|chain| chain.name.starts_with("cali-pi-"));
        for hash in policies.filter_map(|chain| chain.rules.last()?.hash.as_deref()) {
            let found = explained(&format!("cali:{hash}"), &cluster);
            assert!(found.iter().any(|one| one.thing == "rule"), "{}: cali:{hash}", folder.display());
        }
    }
    assert!(names > 500, "only {names} names");
}

#[test]
fn every_interface_of_the_sample_cluster_leads_to_its_pod() {
    let rules = run(&["compile", "fixtures/iks/cluster", "--node", "10.176.48.67", "--emit", "iptables"]);
    let chains = rules.stdout.lines().filter_map(|line| line.strip_prefix(":cali-tw-"));
    let interfaces: Vec<&str> = chains.filter_map(|line| line.split(' ').next()).collect();
    assert!(interfaces.len() > 3, "{interfaces:?}");
    for interface in interfaces {
        let result = run(&["explain", interface, "fixtures/iks/cluster"]);
        assert_eq!(result.status, Some(0), "{interface}: {}", result.stderr);
        assert!(result.stdout.contains("pod `"), "{}", result.stdout);
    }
}

#[test]
fn what_is_not_there_is_said() {
    let result = run(&["explain", "cali-pi-nosuch", "fixtures/iks/cluster"]);
    assert_eq!((result.status, &*result.stdout), (Some(1), ""));
    assert!(result.stderr.starts_with("nothing is called `cali-pi-nosuch`; "), "{}", result.stderr);
    let result = run(&["explain", "cali-INPUT", "fixtures/iks/cluster", "--node", "10.0.0.1"]);
    assert_eq!((result.status, &*result.stdout), (Some(2), ""));
    assert!(result.stderr.contains("there is no node `10.0.0.1`"), "{}", result.stderr);
    let result = run(&["explain", "cali-INPUT", "fixtures/input/cut.json"]);
    assert_eq!((result.status, &*result.stdout), (Some(2), ""));
    assert!(result.stderr.contains("error[json-syntax]"), "{}", result.stderr);
}

#[test]
fn constants_need_no_manifests() {
    let result = run(&["explain", ":cali-failsafe-in"]);
    assert_eq!(result.status, Some(0));
    assert!(result.stdout.starts_with("chain cali-failsafe-in\n"), "{}", result.stdout);
}
