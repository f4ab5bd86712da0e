//! All nodes in one run: the same files as one node at a time, in any form and in any number of shares.

mod common;

use common::{Run, netpolc, run};
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Folders with several nodes, and what to say of them besides.
const CLUSTERS: [(&str, &[&str]); 3] = [
    ("fixtures/iks/cluster", &[]),
    ("fixtures/iks/cluster", &["--explain-origin", "--dialect", "felix"]),
    ("fixtures/iks/cluster", &["-O", "2"]),
];

/// A folder that is empty now, and is left for whoever looks at a failure.
fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fleet-{name}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Compiles, which may find something to warn of.
fn compile(arguments: &[&str]) -> Run {
    let done = run(&[&["compile"], arguments].concat());
    assert!(matches!(done.status, Some(0 | 1)), "{arguments:?}: {}", done.stderr);
    done
}

/// All files below a folder, by their names in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            all.extend(
                files(&entry.path()).into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)),
            );
        } else {
            all.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    all
}

/// All files of an archive.
fn unpacked(archive: impl Read) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap().map(Result::unwrap) {
        let mut entry = entry;
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        assert!(all.insert(name, bytes).is_none());
    }
    all
}

/// One node at a time.
fn singly(cluster: &str, more: &[&str], out: &Path) -> BTreeMap<String, Vec<u8>> {
    let together = folder("names");
    compile(&[&[cluster, "--all-nodes", "--out", text(&together)], more].concat());
    for node in fs::read_dir(together).unwrap() {
        let node = node.unwrap().file_name().into_string().unwrap();
        compile(&[&[cluster, "--node", &node, "--out", text(&out.join(&node))], more].concat());
    }
    files(out)
}

#[test]
fn every_form_holds_what_single_nodes_give() {
    for (number, (cluster, more)) in CLUSTERS.into_iter().enumerate() {
        let out = folder(&format!("forms-{number}"));
        let expected = singly(cluster, more, &out.join("singly"));
        assert!(expected.len() >= 6 && expected.keys().any(|name| name.ends_with("/ipsets.txt")));
        let all = |form: &str, threads: &str| {
            let path = out.join(form);
            compile(&[&[cluster, "--all-nodes", "--out", text(&path), "--jobs", threads], more].concat());
            path
        };
        for threads in ["1", "3"] {
            assert!(files(&all("folder", threads)) == expected, "{cluster} {more:?}");
            let plain = fs::read(all("all.tar", threads)).unwrap();
            assert!(unpacked(&*plain) == expected, "{cluster} {more:?}");
            let packed = fs::read(all("all.tar.gz", threads)).unwrap();
            assert!(unpacked(MultiGzDecoder::new(&*packed)) == expected, "{cluster} {more:?}");
            // the same bytes again
            assert!(fs::read(all("again.tgz", "2")).unwrap() == packed);
            assert!(fs::read(all("again.tar", "2")).unwrap() == plain);
        }
        let left: Vec<String> = fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("part"))
            .collect();
        assert_eq!(left, [""; 0]);
    }
}

#[test]
fn shares_together_are_one_run() {
    let out = folder("shares");
    let cluster = generated(&out);
    compile(&[text(&cluster), "--all-nodes", "--out", text(&out.join("one"))]);
    let expected = files(&out.join("one"));
    assert_eq!(expected.len(), 3 * NODES);
    for count in [1, 3, NODES, NODES + 2] {
        let folder = out.join(format!("shares-{count}"));
        let mut archives = BTreeMap::new();
        for index in 0..count {
            let shard = format!("{index}/{count}");
            compile(&[text(&cluster), "--all-nodes", "--shard", &shard, "--out", text(&folder)]);
            let archive = out.join("share.tar.gz");
            compile(&[text(&cluster), "--all-nodes", "--shard", &shard, "--out", text(&archive)]);
            let share = unpacked(MultiGzDecoder::new(fs::File::open(archive).unwrap()));
            // every share has about as many
            assert!(share.len().abs_diff(expected.len() / count) <= 3, "{shard}: {}", share.len());
            share.into_iter().for_each(|(name, bytes)| assert!(archives.insert(name, bytes).is_none()));
        }
        assert!(archives == expected, "{count}");
        assert!(count > NODES || files(&folder) == expected, "{count}");
    }
    // and each node is what it is alone
    for node in ["n-00", "n-07"] {
        let single = out.join(format!("single-{node}"));
        compile(&[text(&cluster), "--node", node, "--out", text(&single)]);
        let single = files(&single);
        let share = expected.iter().filter_map(|(name, bytes)| Some((name.strip_prefix(node)?, bytes)));
        assert!(share.map(|(name, bytes)| (name[1..].to_owned(), bytes.clone())).eq(single));
    }
}

const NODES: usize = 13;

/// A cluster of nodes of which no two are alike, some with a configuration of their own, and enough of them to be
/// prepared for.
fn generated(folder: &Path) -> PathBuf {
    let mut all = String::new();
    for n in 0..NODES {
        all.push_str(&format!("---\napiVersion: v1\nkind: Node\nmetadata: {{name: n-{n:02}}}\n"));
        if n % 5 == 0 {
            all.push_str(&format!(
                "---\napiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {{name: node.n-{n:02}}}\nspec: {{defaultEndpointToHostAction: Accept, workloadSourceSpoofing: Any}}\n"
            ));
        }
        for p in 0..(n % 4 + 1) {
            // nodes differ in whether such pods exist for them
            let spoofs = if p == 1 {
                format!("cni.projectcalico.org/allowedSourcePrefixes: '[\"10.9.{n}.0/24\"]'")
            } else {
                String::new()
            };
            all.push_str(&format!(
                "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: p-{n}-{p}\n  namespace: default\n  labels: {{app: a{}, tier: t{}}}\n  annotations: {{{spoofs}}}\nspec: {{nodeName: n-{n:02}, containers: [{{name: c, ports: [{{name: web, containerPort: 80{p}}}]}}]}}\nstatus: {{phase: Running, podIP: 10.1.{n}.{p}}}\n",
                p % 3, n % 3
            ));
        }
    }
    for (n, (who, from)) in
        [("app: a0", "tier: t1"), ("tier: t2", "app: a1"), ("app: a2", "app: a2")].into_iter().enumerate()
    {
        all.push_str(&format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: k{n}, namespace: default}}\nspec:\n  podSelector: {{matchLabels: {{{who}}}}}\n  ingress:\n  - from: [{{podSelector: {{matchLabels: {{{from}}}}}}}]\n    ports: [{{port: web}}]\n"
        ));
    }
    all.push_str(
        "---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: everywhere}\nspec:\n  selector: app == 'nobody'\n  performanceHints: [AssumeNeededOnEveryNode]\n  ingress: [{action: Allow, source: {selector: has(tier)}}]\n",
    );
    all.push_str("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {kubernetes.io/metadata.name: default}}\n");
    let path = folder.join("cluster.yaml");
    fs::write(&path, all).unwrap();
    path
}

#[test]
fn a_document_of_a_node_speaks_of_that_node_alone() {
    let out = folder("json");
    let cluster = generated(&out);
    compile(&[text(&cluster), "--all-nodes", "--format", "json", "--out", text(&out.join("one"))]);
    for index in 0..2 {
        let shard = format!("{index}/2");
        let arguments = [text(&cluster), "--all-nodes", "--format", "json", "--shard", &shard];
        compile(&[&arguments[..], &["--out", text(&out.join("two"))]].concat());
    }
    assert!(files(&out.join("one")) == files(&out.join("two")));
}

#[test]
fn wrong_shares_are_refused_with_what_to_do() {
    let arguments =
        |shard| ["compile", "fixtures/iks/cluster", "--all-nodes", "--out", "x", "--shard", shard];
    for (shard, words) in [
        ("3/3", "shares count from 0, so the last of 3 is `2/3`"),
        ("0/0", "there are no shares"),
        ("1", "a share is written as `I/N`"),
        ("a/b", "a share is written as `I/N`"),
    ] {
        let done = Run::of(netpolc().args(arguments(shard)));
        assert_eq!(done.status, Some(2), "{shard}");
        assert!(done.stderr.contains(words), "{shard}: {}", done.stderr);
    }
}

/// An archive has its name only when it is complete.
#[test]
fn nothing_is_left_of_an_archive_that_cannot_be_made() {
    let out = folder("incomplete");
    let cluster = out.join("cluster.yaml");
    fs::write(&cluster, format!("apiVersion: v1\nkind: Node\nmetadata: {{name: a}}\n---\napiVersion: v1\nkind: Node\nmetadata: {{name: {}}}\n", "n".repeat(200))).unwrap();
    let archive = out.join("all.tar");
    let done = Run::of(netpolc().args(["compile", text(&cluster), "--all-nodes", "--out", text(&archive)]));
    assert_eq!(done.status, Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("all.tar"), "{}", done.stderr);
    assert_eq!(files(&out).into_keys().collect::<Vec<_>>(), ["cluster.yaml"]);
}

/// The entries of a cache.
fn entries(cache: &Path) -> BTreeMap<String, Vec<u8>> {
    let all = files(cache);
    assert!(all.keys().all(|name| !name.contains("part")), "{:?}", all.keys());
    all
}

#[test]
fn a_cache_changes_nothing_but_the_time() {
    for (number, more) in
        [&[][..], &["-O", "2"], &["--emit", "ip6tables", "--dialect", "felix"]].into_iter().enumerate()
    {
        let out = folder(&format!("cache-{number}"));
        let (cluster, cache) = (generated(&out), out.join("cache"));
        let compile = |out: &Path, cached: bool| {
            let mut arguments = vec![text(&cluster), "--all-nodes", "--out", text(out)];
            if cached {
                arguments.extend(["--cache", text(&cache)]);
            }
            compile(&[&arguments[..], more].concat()).stderr
        };
        let said = compile(&out.join("plain"), false);
        let expected = files(&out.join("plain"));
        for run in ["first", "second"] {
            // -O tells what it has saved, kept or not
            assert_eq!(compile(&out.join(run), true), said);
            assert!(files(&out.join(run)) == expected, "{run} {more:?}");
        }
        let kept = entries(&cache);
        assert_eq!(kept.len(), NODES);
        // damaged, cut and emptied entries, and what is no entry, are made again
        for (number, (name, bytes)) in kept.iter().enumerate() {
            let damaged = match number % 4 {
                0 => bytes[..bytes.len() / 2].to_vec(),
                1 => Vec::new(),
                2 => bytes.iter().map(|byte| byte ^ 1).collect(),
                _ => b"something else".to_vec(),
            };
            fs::write(cache.join(name), damaged).unwrap();
        }
        compile(&out.join("third"), true);
        assert!(files(&out.join("third")) == expected);
        assert!(entries(&cache) == kept);
        // an archive takes from the same cache as it is there, and adds nothing
        let archive = out.join("all.tar.gz");
        compile(&archive, true);
        assert!(unpacked(MultiGzDecoder::new(fs::File::open(&archive).unwrap())) == expected);
        assert!(entries(&cache) == kept);
        compile(&out.join("plain.tar.gz"), false);
        assert!(fs::read(out.join("plain.tar.gz")).unwrap() == fs::read(&archive).unwrap());
    }
}

#[test]
fn after_a_change_only_nodes_that_it_concerns_are_made_again() {
    let out = folder("cache-change");
    let (cluster, cache) = (generated(&out), out.join("cache"));
    let compile = |name: &str| {
        compile(&[text(&cluster), "--all-nodes", "--cache", text(&cache), "--out", text(&out.join(name))]);
        entries(&cache).len()
    };
    assert_eq!(compile("first"), NODES);
    // lines more, and other places: nothing changes
    let manifests = fs::read_to_string(&cluster).unwrap();
    fs::write(&cluster, format!("# a comment\n{manifests}")).unwrap();
    assert_eq!(compile("comment"), NODES);
    // a pod of one node has another name
    fs::write(&cluster, manifests.replace("name: p-4-0\n", "name: p-4-9\n")).unwrap();
    assert_eq!(compile("pod"), NODES + 1);
    // a policy has a rule more: for pods that are the third on their node
    let last = "from: [{podSelector: {matchLabels: {app: a2}}}]\n    ports: [{port: web}]\n";
    assert_eq!(manifests.matches(last).count(), 1);
    fs::write(&cluster, manifests.replace(last, &format!("{last}  - {{}}\n"))).unwrap();
    let concerned = (0..NODES).filter(|n| n % 4 >= 2).count();
    assert_eq!(compile("policy"), NODES + 1 + concerned);
    let alone = folder("cache-change-alone");
    common::run(&["compile", text(&cluster), "--all-nodes", "--out", text(&alone)]);
    assert!(files(&out.join("policy")) == files(&alone));
}

#[test]
fn runs_at_the_same_time_share_a_cache() {
    let out = folder("cache-together");
    let (cluster, cache) = (generated(&out), out.join("cache"));
    compile(&[text(&cluster), "--all-nodes", "--out", text(&out.join("plain"))]);
    let expected = files(&out.join("plain"));
    let run = |name: String| {
        netpolc()
            .args([
                "compile",
                text(&cluster),
                "--all-nodes",
                "--cache",
                text(&cache),
                "--out",
                text(&out.join(name)),
            ])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let running: Vec<_> = (0..4).map(|number| run(format!("out-{number}"))).collect();
    for (number, mut child) in running.into_iter().enumerate() {
        assert!(matches!(child.wait().unwrap().code(), Some(0 | 1)));
        assert!(files(&out.join(format!("out-{number}"))) == expected);
    }
    assert_eq!(entries(&cache).len(), NODES);
}

#[test]
fn a_cache_that_cannot_be_used_is_told() {
    let out = folder("cache-told");
    let cluster = generated(&out);
    let cache = |path: &Path, more: &[&str]| {
        let arguments = [text(&cluster), "--all-nodes", "--out", text(&out), "--cache", text(path)];
        run(&[&["compile"], &arguments[..], more].concat())
    };
    let refused = cache(&cluster, &[]);
    assert_eq!(refused.status, Some(2));
    assert!(
        refused.stderr.contains("cannot create folder") && refused.stderr.contains("cluster.yaml"),
        "{}",
        refused.stderr
    );
    let json = cache(&out.join("cache"), &["--format", "json"]);
    assert_eq!(json.status, Some(2));
    assert!(json.stderr.contains("leave out `--format json`"), "{}", json.stderr);
}

/// The one object of a kind in the manifests of the Job.
fn with_object<R: Send>(kind: &str, of: impl Fn(netpolc::source::tree::Node<'_>) -> R + Sync) -> R {
    let folder = netpolc::source::Input::Path(common::root().join("docs/fleet"));
    let read = netpolc::source::read(&[folder], &Default::default(), |object| {
        (object.kind == kind).then(|| of(object.root))
    });
    assert_eq!(read.diagnostics, []);
    let mut found: Vec<R> = read.values.into_iter().flatten().collect();
    assert_eq!(found.len(), 1, "objects of kind {kind}");
    found.remove(0)
}

/// The container of the Job does what is said of it: all of its shares together are one run. Its command and
/// arguments are run as they stand there, paths and the two variables aside.
#[test]
fn the_job_makes_all_nodes() {
    let (completions, shares, command) = with_object("Job", |job| {
        let container =
            job.path(&["spec", "template", "spec", "containers"]).unwrap().items().next().unwrap();
        let words = |field| container.get(field).unwrap().items().map(|word| word.text().to_owned());
        let shares =
            container.get("env").unwrap().items().find(|it| it.get("name").unwrap().text() == "SHARES");
        (
            job.path(&["spec", "completions"]).unwrap().text().to_owned(),
            shares.unwrap().get("value").unwrap().text().to_owned(),
            words("command").chain(words("args")).collect::<Vec<_>>(),
        )
    });
    assert_eq!(completions, shares);
    let out = folder("job");
    let (dump, rules) = (out.join("dump"), out.join("rules"));
    fs::create_dir_all(&dump).unwrap();
    fs::create_dir_all(&rules).unwrap();
    let cluster = generated(&dump);
    compile(&[text(&cluster), "--all-nodes", "--out", text(&out.join("one"))]);
    let program = Path::new(env!("CARGO_BIN_EXE_netpolc")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut together = BTreeMap::new();
    for index in 0..shares.parse::<usize>().unwrap() {
        let index = index.to_string();
        let words: Vec<String> = command
            .iter()
            .map(|word| {
                word.replace("$(JOB_COMPLETION_INDEX)", &index)
                    .replace("$(SHARES)", &shares)
                    .replace("/dump", text(&dump))
                    .replace("/rules", text(&rules))
            })
            .collect();
        assert!(words.iter().all(|word| !word.contains("$(")), "{words:?}");
        let done = Run::of(std::process::Command::new(&words[0]).args(&words[1..]).env("PATH", &path));
        assert_eq!(done.status, Some(0), "{}", done.stderr);
        let share = fs::File::open(rules.join(format!("share-{index}.tar.gz"))).unwrap();
        together.extend(unpacked(MultiGzDecoder::new(share)));
    }
    assert!(together == files(&out.join("one")));
}

#[test]
fn kustomize_takes_the_job() {
    let listed = with_object("Kustomization", |kustomization| {
        let resources = kustomization.get("resources").unwrap().items();
        resources.map(|it| it.text().to_owned()).collect::<Vec<_>>()
    });
    let there = common::files("docs/fleet");
    let there: Vec<_> = there.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    let mut named: Vec<&str> = listed.iter().map(String::as_str).chain(["kustomization.yaml"]).collect();
    named.sort_unstable();
    assert_eq!(named, there);
    let mut command = std::process::Command::new("kubectl");
    let Ok(done) = command.args(["kustomize", "docs/fleet"]).current_dir(common::root()).output() else {
        return eprintln!("kubectl is not here: what kustomize makes of docs/fleet is not looked at");
    };
    let made = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for words in ["name: SHARES\n          value: \"16\"", "image: registry.example/netpolc:0.1.0"] {
        assert!(made.contains(words), "{words} is not in {made}");
    }
    assert_eq!(made.matches("namespace: netpolc\n").count(), 3);
}
