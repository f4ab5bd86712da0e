//! The same objects give the same bytes, in whatever order they are written and however many threads
//! read them.

mod common;

use common::clusters::objects;
use netpolc::emit::{self, Dialect};
use netpolc::felix;
use netpolc::model::{InvalidMode, collect, lower};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A cluster, and the same in another order.
fn clusters() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    objects().prop_flat_map(|objects| (Just(objects.clone()), Just(objects).prop_shuffle()))
}

/// Everything that is emitted for both nodes.
fn compile(text: &str, threads: usize) -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("determinism-{}.yaml", NUMBER.fetch_add(1, Ordering::Relaxed));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    let read = source::read(&[Input::Path(path.clone())], &Options { threads }, |object| {
        lower(object, Default::default())
    });
    std::fs::remove_file(&path).unwrap();
    assert_eq!(read.diagnostics, [], "{text}");
    let collected = collect(read.values, InvalidMode::Fail, Default::default());
    assert!(!collected.fatal, "{:?}", collected.diagnostics);
    let cluster = Cluster::new(&collected.resources);
    let mut out = String::new();
    for node in ["node-1", "node-2"] {
        let view = cluster.view(&NodeRequest { node, interfaces: None }).view.expect("the node is there");
        let program = felix::render(&view);
        for rules in [&program.v4, &program.v6] {
            for dialect in [Dialect::Save, Dialect::Felix] {
                emit::write_rules(&mut out, rules, dialect, &mut |_, _| {});
            }
        }
        program.sets.iter().for_each(|set| emit::ipset::write_set(&mut out, set));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn order_and_threads_do_not_matter((objects, shuffled) in clusters()) {
        let text = |objects: &[String]| objects.join("---\n");
        let first = compile(&text(&objects), 1);
        prop_assert!(first.contains("*filter"));
        prop_assert_eq!(&first, &compile(&text(&objects), 2));
        prop_assert_eq!(&first, &compile(&text(&shuffled), 1));
        prop_assert_eq!(&first, &compile(&text(&shuffled), 2));
    }
}

/// The recorded clusters with their documents in reverse and in halves swapped.
#[test]
fn recorded_clusters_compile_to_the_same_in_any_order() {
    let folders = std::fs::read_dir(common::root().join("fixtures/golden")).unwrap();
    let mut count = 0;
    for folder in folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let text = std::fs::read_to_string(folder.join("cluster.yaml")).unwrap();
        let documents: Vec<String> = text.split("\n---\n").map(|document| format!("{document}\n")).collect();
        let reversed: Vec<String> = documents.iter().rev().cloned().collect();
        let compile = |documents: &[String], threads: usize| {
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("recorded-{threads}.yaml"));
            std::fs::write(&path, documents.join("---\n")).unwrap();
            let path = path.to_str().unwrap();
            let threads = threads.to_string();
            let arguments = ["compile", path, "--node", "node-1", "--invalid", "skip", "--jobs", &threads];
            common::run(&arguments).stdout
        };
        let first = compile(&documents, 1);
        assert!(first.contains("*filter"), "{}", folder.display());
        assert_eq!(first, compile(&reversed, 2), "{}", folder.display());
        count += 1;
    }
    assert!(count > 5, "only {count} clusters");
}
