//! How fast input becomes trees, beside `serde_json::Value` and the bare events of `granit-parser`.
//!
//!     cargo bench --bench parse                 # pods as kubectl prints them, generated
//!     cargo bench --bench parse -- FILE...      # files of your own
//!
//! Figures are medians of 5 in MB/s of text; nothing is done with the objects but to count their
//! nodes' kinds, so this is the cost of reading alone.

use granit_parser::Parser;
use netpolc::source::{Input, Options, read};
use std::time::{Duration, Instant};

/// Pods of the generated input: about 40 MB of YAML.
const PODS: usize = 20_000;
/// Runs of which the median counts.
const RUNS: usize = 5;

fn main() {
    let paths: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let inputs: Vec<(String, String)> = if paths.is_empty() {
        generated()
    } else {
        let open = |path: String| {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
            (path, text)
        };
        paths.into_iter().map(open).collect()
    };
    println!(
        "{:<24} {:>8} {:>9} {:>9} {:>9} {:>11} {:>9}",
        "input", "MB", "objects", "1 thread", "2 threads", "serde_json", "granit"
    );
    for (name, text) in inputs {
        let megabytes = text.len() as f64 / 1e6;
        let input = [Input::Text { name: name.clone(), bytes: text.clone().into_bytes() }];
        let mut objects = 0;
        let mut ours = |threads| {
            median(|| {
                let loaded = read(&input, &Options { threads }, |object| object.kind.len());
                assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics[0]);
                objects = loaded.objects();
            })
        };
        let (one, two) = (ours(1), ours(2));
        let json = text.trim_start().starts_with('{');
        let serde = json.then(|| {
            median(|| {
                let stream = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
                assert!(stream.map(Result::unwrap).count() > 0);
            })
        });
        let granit = (!json).then(|| {
            median(|| {
                let mut parser = Parser::new_from_str(&text);
                while let Some(event) = parser.next_event() {
                    event.unwrap();
                }
            })
        });
        let speed = |time: Duration| format!("{:.0}", megabytes / time.as_secs_f64());
        let maybe = |time: Option<Duration>| time.map_or("-".into(), speed);
        let name = name.rsplit('/').next().unwrap_or_default();
        println!(
            "{name:<24} {megabytes:>8.1} {objects:>9} {:>9} {:>9} {:>11} {:>9}",
            speed(one),
            speed(two),
            maybe(serde),
            maybe(granit)
        );
    }
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

/// The same pods in the shapes in which dumps of clusters come.
fn generated() -> Vec<(String, String)> {
    let pods: Vec<_> = (0..PODS).map(pod).collect();
    let mut list = String::from("apiVersion: v1\nitems:\n");
    let mut documents = String::new();
    for pod in &pods {
        let mut yaml = String::new();
        print_yaml(&mut yaml, pod, 0);
        documents.push_str("---\n");
        documents.push_str(&yaml);
        for (n, line) in yaml.lines().enumerate() {
            list.push_str(if n == 0 { "- " } else { "  " });
            list.push_str(line);
            list.push('\n');
        }
    }
    list.push_str("kind: List\nmetadata:\n  resourceVersion: \"\"\n");
    let lines: Vec<_> = pods.iter().map(ToString::to_string).collect();
    let json = serde_json::json!({"apiVersion": "v1", "items": pods, "kind": "List"});
    vec![
        ("list.yaml".into(), list),
        ("documents.yaml".into(), documents),
        ("list.json".into(), serde_json::to_string_pretty(&json).unwrap()),
        ("compact.json".into(), json.to_string()),
        ("lines.json".into(), lines.join("\n")),
    ]
}

fn pod(n: usize) -> serde_json::Value {
    let (namespace, ip) =
        (format!("team-{:03}", n % 200), format!("10.{}.{}.{}", n >> 14, n >> 7 & 127, n & 127));
    let name = format!("web-{:x}-{:05x}", n / 3 * 7919, n * 104_729 % 1_048_576);
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "annotations": {"cni.projectcalico.org/podIP": format!("{ip}/32"), "note": "prints \"quoted\" text: always"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "generateName": "web-",
            "labels": {"app": "web", "pod-template-hash": format!("{:x}", n / 3 * 7919), "tier": "front"},
            "name": name,
            "namespace": namespace,
            "uid": format!("{:08x}-1111-2222-3333-{:012x}", n, n * 31)
        },
        "spec": {
            "containers": [{
                "args": ["--listen", ":8080", "--level=info"],
                "image": "registry.example.com/team/web:1.2.3",
                "imagePullPolicy": "IfNotPresent",
                "name": "web",
                "ports": [
                    {"containerPort": 8080, "name": "http", "protocol": "TCP"},
                    {"containerPort": 9090, "name": "metrics", "protocol": "TCP"}
                ],
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "volumeMounts": [{
                    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                    "name": "kube-api-access",
                    "readOnly": true
                }]
            }],
            "dnsPolicy": "ClusterFirst",
            "nodeName": format!("node-{}", n % 500),
            "serviceAccountName": "default"
        },
        "status": {
            "hostIP": "10.0.0.11",
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "qosClass": "BestEffort",
            "startTime": "2026-01-01T00:00:00Z"
        }
    })
}

/// Block style, sequences not indented, as kubectl prints.
fn print_yaml(out: &mut String, value: &serde_json::Value, indent: usize) {
    use serde_json::Value;
    let nested = |value: &Value| match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    let scalar = |value: &Value| match value {
        Value::String(s) if s.contains([':', '"', '#']) || s.starts_with('-') => value.to_string(),
        Value::String(s) if s.parse::<f64>().is_ok() => value.to_string(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Object(map) => {
            for (n, (key, value)) in map.iter().enumerate() {
                if n > 0 {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str(key);
                out.push(':');
                if nested(value) {
                    let indent = indent + if value.is_object() { 2 } else { 0 };
                    out.push('\n');
                    out.push_str(&" ".repeat(indent));
                    print_yaml(out, value, indent);
                } else {
                    out.push_str(&format!(" {}\n", scalar(value)));
                }
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str("- ");
                if nested(item) {
                    print_yaml(out, item, indent + 2);
                } else {
                    out.push_str(&format!("{}\n", scalar(item)));
                }
            }
        }
        _ => out.push_str(&format!("{}\n", scalar(value))),
    }
}
