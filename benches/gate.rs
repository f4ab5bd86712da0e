//! Instructions of three hot paths, held to what they were.
//!
//! `cargo bench --bench gate [-- FILE]`. Times differ from run to run and from machine to machine; instructions hardly
//! do. Valgrind counts those of a process for each path, and a path that needs [`MARGIN`] more than stands in
//! `benches/instructions.txt` (or in FILE) fails. The counts are those of one compiler on one kind of processor: under
//! another one they are told and not held against anybody. `NETPOLC_GATE=write` writes new ones.

use netpolc::emit::{self, Dialect};
use netpolc::felix;
use netpolc::model::{InvalidMode, Resources, collect, lower};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// By how much a path may need more, in percent.
const MARGIN: f64 = 3.0;
/// Says to a process which path to go.
const TASK: &str = "NETPOLC_BENCH_TASK";
/// The paths, each of which includes those before it.
const PATHS: [(&str, &str); 3] = [
    ("read", "manifests to typed objects, JSON and YAML"),
    ("resolve", "and to a node's view"),
    ("render", "and to the text of its rules and sets"),
];

fn main() -> ExitCode {
    if let Ok(task) = std::env::var(TASK) {
        work(&task);
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("gate: SKIPPED, valgrind is not here: no instructions were counted");
        return ExitCode::SUCCESS;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let given = std::env::args().skip(1).find(|it| !it.starts_with('-'));
    let path = given.map_or_else(|| root.join("benches/instructions.txt"), PathBuf::from);
    let here = compiler();
    if std::env::var_os("NETPOLC_GATE").is_some_and(|it| it == "write") {
        let mut text = format!("{here}\n");
        for (name, _) in PATHS {
            let _ = writeln!(text, "{name} {}", count(name));
        }
        std::fs::write(&path, text).expect("the file can be written");
        println!("gate: wrote {}", path.display());
        return ExitCode::SUCCESS;
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (there, counts) = text.split_once('\n').expect("a line with the compiler");
    if there != here {
        println!("gate: SKIPPED, the counts are those of `{there}`, and this is `{here}`");
    }
    let mut failed = false;
    for (name, what) in PATHS {
        let bound = counts.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        let bound = bound.unwrap_or_else(|| panic!("no count of `{name}` in {}", path.display()));
        let now = count(name) as f64;
        let change = 100.0 * (now / bound - 1.0);
        let verdict = match change {
            _ if there != here => "not compared",
            change if change > MARGIN => "FAILED",
            change if change < -MARGIN => "passed; write the new count, so that it stays so",
            _ => "passed",
        };
        failed |= verdict == "FAILED";
        println!("gate: {name:8} {:8.1} million instructions, {change:+.2} %, {verdict} ({what})", now / 1e6);
    }
    if failed {
        println!(
            "gate: more than {MARGIN} % over {}; if that is meant: NETPOLC_GATE=write make gate",
            path.display()
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Compiler and processor, on which counts depend.
fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("rustc runs");
    format!("{} on {}", String::from_utf8_lossy(&output.stdout).trim(), std::env::consts::ARCH)
}

/// Instructions of a process that goes one path.
fn count(name: &str) -> u64 {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(program)
        .env(TASK, name)
        .output()
        .expect("valgrind runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let line = text
        .lines()
        .find(|line| line.contains(" I ") && line.contains("refs:"))
        .expect("valgrind tells a count");
    let digits: String =
        line.rsplit(':').next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a count")
}

fn work(name: &str) {
    let resources = resources();
    if name == "read" {
        return;
    }
    let cluster = Cluster::new(&resources);
    let request = NodeRequest { node: "node-1", interfaces: None };
    let view = cluster.view(&request).view.expect("the node is there");
    if name == "resolve" {
        return;
    }
    let program = felix::render(&view);
    let mut text = String::new();
    for rules in [&program.v4, &program.v6] {
        emit::write_rules(&mut text, rules, Dialect::Save, &mut |_, _| {});
    }
    program.sets.iter().for_each(|set| emit::ipset::write_set(&mut text, set));
    assert!(text.len() > 100_000, "{} bytes", text.len());
}

/// A cluster of 2,000 pods and 200 policies, half of it JSON and half YAML.
fn resources() -> Resources {
    let mut json = String::from("{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\n");
    let mut yaml = String::from("apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n");
    for n in 0..20 {
        let _ = write!(
            yaml,
            "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  labels:\n    team: t{}\n  name: ns-{n}\n",
            n % 4
        );
    }
    for n in 0..2000 {
        let (space, app, node) = (n % 20, n % 37, 1 + n % 40);
        let ip = format!("10.65.{}.{}", n / 250, n % 250);
        if n % 2 == 0 {
            let _ = write!(
                json,
                "{}{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{{\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{{\"app\":\"a{app}\",\"hash\":\"h{n}\"}},\"name\":\"pod-{n}\",\"namespace\":\"ns-{space}\",\"uid\":\"00000000-{n:04}\"}},\"spec\":{{\"containers\":[{{\"image\":\"registry.example/a:1\",\"name\":\"c\",\"ports\":[{{\"containerPort\":8080,\"name\":\"http\",\"protocol\":\"TCP\"}}]}}],\"nodeName\":\"node-{node}\"}},\"status\":{{\"phase\":\"Running\",\"podIPs\":[{{\"ip\":\"{ip}\"}}]}}}}",
                if n == 0 { "" } else { ",\n" }
            );
        } else {
            let _ = write!(
                yaml,
                "---\napiVersion: v1\nkind: Pod\nmetadata:\n  creationTimestamp: \"2026-01-01T00:00:00Z\"\n  labels:\n    app: a{app}\n    hash: h{n}\n  name: pod-{n}\n  namespace: ns-{space}\n  uid: 00000000-{n:04}\nspec:\n  containers:\n  - image: registry.example/a:1\n    name: c\n    ports:\n    - containerPort: 8080\n      name: http\n      protocol: TCP\n  nodeName: node-{node}\nstatus:\n  phase: Running\n  podIPs:\n  - ip: {ip}\n"
            );
        }
    }
    json.push_str("\n]}\n");
    for n in 0..200 {
        let _ = write!(
            yaml,
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: np-{n}, namespace: ns-{}}}\nspec:\n  podSelector: {{matchLabels: {{app: a{}}}}}\n  ingress:\n  - from:\n    - podSelector: {{matchExpressions: [{{key: app, operator: In, values: [a{}, a{}]}}]}}\n    - namespaceSelector: {{matchLabels: {{team: t{}}}}}\n    ports: [{{port: http}}, {{port: 443}}]\n",
            n % 20,
            n % 37,
            (n + 1) % 37,
            (n + 5) % 37,
            n % 4
        );
    }
    let texts = [("pods.json", json), ("others.yaml", yaml)];
    let inputs: Vec<Input> = texts
        .into_iter()
        .map(|(name, text)| Input::Text { name: name.into(), bytes: text.into_bytes() })
        .collect();
    let read = source::read(&inputs, &Options { threads: 1 }, |object| lower(object, Default::default()));
    assert_eq!(read.diagnostics, []);
    let collected = collect(read.values, InvalidMode::Fail, Default::default());
    assert!(!collected.fatal, "{:?}", collected.diagnostics);
    collected.resources
}
