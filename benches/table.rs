//! What is measured for `docs/performance.md`, which it is written into.
//!
//! `cargo bench --bench table`. Every run is a process of its own, so that its CPU seconds and its peak of memory are
//! its own; beside it stands another program that does the same, run in turn with it, where one can be had, else what
//! Felix needs according to `SCALE.md` of the shared reference folder (`NETPOLC_SHARED`, default `../shared`), which
//! has the clusters too; without it there is nothing to measure.

mod audited;

use ipnet::{IpNet, Ipv4Net};
use netpolc::source::{Input, Options, read};
use netpolc::space::nets;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Counted runs, after one that is not counted.
const RUNS: usize = 5;
/// Says to a process to run its arguments as a child, and to tell what that took.
const RUN: &str = "NETPOLC_BENCH_RUN";
/// Says to a process what to do itself.
const TASK: &str = "NETPOLC_BENCH_TASK";
/// Where the table stands in its file.
const MARKS: [&str; 2] = ["<!-- measured by `make bench` -->\n", "<!-- end of what was measured -->\n"];
/// What Felix v3.32.1 needs: CPU seconds until its calculation graph is done, and peak MiB.
const FELIX: [(&str, f64, u64); 4] =
    [("S", 0.26, 105), ("M", 1.66, 174), ("L", 19.3, 814), ("XL", 64.3, 1956)];

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|it| it != "--bench");
    if std::env::var_os(RUN).is_some() {
        return run_child(&arguments.collect::<Vec<_>>());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("target/bench");
    if let Ok(task) = std::env::var(TASK) {
        return work(&task, &folder.join(arguments.next().expect("a file")));
    }
    let shared = std::env::var_os("NETPOLC_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    if !shared.join("tools/gen-scale").exists() {
        return println!("table: {} is not here, nothing measured", shared.display());
    }
    std::fs::create_dir_all(&folder).expect("target/bench can be made");
    prepare(&folder, &shared);
    let table = measure(&folder);
    let path = root.join("docs/performance.md");
    let text = std::fs::read_to_string(&path).expect("docs/performance.md is there");
    let (before, rest) = text.split_once(MARKS[0]).expect("the mark before the table");
    let (_, after) = rest.split_once(MARKS[1]).expect("the mark behind the table");
    let text = format!("{before}{}\n{}\n{table}\n{}{after}", MARKS[0], heading(), MARKS[1]);
    std::fs::write(&path, text).expect("docs/performance.md can be written");
}

/// When and where.
fn heading() -> String {
    let said = |program: &str, arguments: &[&str]| -> String {
        let output = Command::new(program).args(arguments).stderr(Stdio::null()).output();
        output.map_or_else(|_| "?".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let commit = said("git", &["describe", "--always", "--dirty", "--exclude", "*"]);
    format!(
        "{}, commit {commit}, {count} × {}, {}. Medians of {RUNS} runs: CPU seconds of all threads, and the peak of\nmemory, of whole processes.\n",
        said("date", &["-u", "+%Y-%m-%d"]),
        model.map_or("unknown processor", |(_, model)| model),
        said("rustc", &["--version"]),
    )
}

/// What one process took.
#[derive(Clone, Copy)]
struct Took {
    cpu: f64,
    peak: f64,
}

/// Runs a command, and prints what it took.
fn run_child(command: &[String]) {
    let status = Command::new(&command[0])
        .args(&command[1..])
        .env_remove(RUN)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the command starts");
    assert!(matches!(status.code(), Some(0 | 1)), "{command:?}: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage of children");
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    println!("{} {}", seconds(usage.user_time()) + seconds(usage.system_time()), usage.max_rss());
}

/// Medians of several commands that are run in turn.
fn medians(commands: &[Vec<String>]) -> Vec<Took> {
    let once = |command: &Vec<String>| {
        let program = std::env::current_exe().expect("this program has a path");
        let output = Command::new(program).args(command).env(RUN, "1").stderr(Stdio::inherit()).output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{command:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        let (cpu, peak) = text.trim().split_once(' ').expect("two figures");
        Took { cpu: cpu.parse().expect("seconds"), peak: peak.parse::<f64>().expect("KiB") / 1024.0 }
    };
    let mut runs: Vec<Vec<Took>> = vec![Vec::new(); commands.len()];
    for number in 0..=RUNS {
        for (command, runs) in commands.iter().zip(&mut runs) {
            let took = once(command);
            if number > 0 {
                runs.push(took);
            }
        }
    }
    let median = |runs: &mut Vec<Took>, figure: fn(&Took) -> f64| {
        runs.sort_by(|a, b| figure(a).total_cmp(&figure(b)));
        figure(&runs[RUNS / 2])
    };
    runs.iter_mut()
        .map(|runs| Took { cpu: median(runs, |it| it.cpu), peak: median(runs, |it| it.peak) })
        .collect()
}

/// This program itself, doing a task.
fn task(name: &str, file: &str) -> Vec<String> {
    let program = std::env::current_exe().expect("this program has a path");
    vec!["env".into(), format!("{TASK}={name}"), program.display().to_string(), file.into()]
}

fn measure(folder: &Path) -> String {
    let mut table = String::from(
        "| what | CPU s | peak MiB | beside it | CPU s | peak MiB |\n|---|--:|--:|---|--:|--:|\n",
    );
    let row = |table: &mut String, what: &str, took: Took, other: &str| {
        println!("{what}: {:.3} s, {:.0} MiB; {other}", took.cpu, took.peak);
        let _ = writeln!(table, "| {what} | {:.3} | {:.0} | {other} |", took.cpu, took.peak);
    };
    let beside = |name: &str, took: Took| format!("{name} | {:.3} | {:.0}", took.cpu, took.peak);
    let felix = |size: &str| {
        let (_, cpu, peak) = FELIX.iter().find(|(known, ..)| *known == size).expect("a size");
        format!("Felix, per `SCALE.md` | {cpu} | {peak}")
    };
    let netpolc = |words: &[&str]| -> Vec<String> {
        let paths = words.iter().map(|word| match word.strip_prefix('@') {
            Some(name) => folder.join(name).display().to_string(),
            None => (*word).to_owned(),
        });
        std::iter::once(env!("CARGO_BIN_EXE_netpolc").to_owned()).chain(paths).collect()
    };
    let node = |input: &str, more: &[&str]| {
        let words =
            ["compile", input, "--node", "node-1", "--node-addresses", "@ip-addr.json", "--out", "@out"];
        netpolc(&[&words[..], more].concat())
    };

    let found = medians(&[task("read", "L.json"), task("serde_json", "L.json")]);
    row(
        &mut table,
        "read L (73 MB of JSON) into objects, nothing else",
        found[0],
        &beside("serde_json::Value", found[1]),
    );
    let mut first = Vec::new();
    for (size, ..) in FELIX {
        let found = medians(&[node(&format!("@{size}.json"), &[])]);
        row(&mut table, &format!("compile one node of {size}"), found[0], &felix(size));
        first.push((size, found[0].cpu));
    }
    let found = medians(&[node("@L.json.gz", &[])]);
    row(&mut table, "compile one node of L, from `.json.gz`", found[0], " | | ");
    for (size, nodes) in [("M", 101), ("L", 1000)] {
        let all = |out: &str| netpolc(&["compile", &format!("@{size}.json"), "--all-nodes", "--out", out]);
        let found = medians(&[all("@all.tar.gz")]);
        let first = first.iter().find(|(known, _)| *known == size).expect("measured").1;
        let further = (found[0].cpu - first) / f64::from(nodes - 1);
        let other = format!(
            "each further node: {:.1} ms, {:.1} % of one alone | | ",
            further * 1e3,
            100.0 * further / first
        );
        row(&mut table, &format!("compile all {nodes} nodes of {size} into a `.tar.gz`"), found[0], &other);
        let _ = std::fs::remove_file(folder.join("all.tar.gz"));
    }
    // the first run, which is not counted, fills it
    let _ = std::fs::remove_dir_all(folder.join("cache"));
    let found = medians(&[netpolc(&[
        "compile",
        "@M.json",
        "--all-nodes",
        "--cache",
        "@cache",
        "--out",
        "@all.tar.gz",
    ])]);
    row(&mut table, "all nodes of M, from a `--cache` where nothing has changed", found[0], " | | ");
    let _ = std::fs::remove_dir_all(folder.join("cache"));
    let _ = std::fs::remove_file(folder.join("all.tar.gz"));
    let found = medians(&[netpolc(&["audit", "@audit.yaml"])]);
    let what = "audit 100 load balancers and their node ports on 50 nodes, with 150 policies offered";
    row(&mut table, what, found[0], " | | ");
    let found = medians(&[netpolc(&["diff", "@M.json", "@M-new.json"])]);
    row(&mut table, "diff two versions of M, of which 10 policies differ", found[0], " | | ");
    let found = medians(&[node("@S.json", &["-O", "2"])]);
    row(&mut table, "compile one node of S with `-O 2`, proof included", found[0], " | | ");
    let mut commands = vec![task("merge", "cidrs.txt"), task("aggregate", "cidrs.txt")];
    let has_iprange = Command::new("iprange").arg("--version").output().is_ok();
    if has_iprange {
        commands.push(vec!["iprange".into(), folder.join("cidrs.txt").display().to_string()]);
    }
    let found = medians(&commands);
    row(&mut table, "merge 1,000,000 CIDRs", found[0], &beside("ipnet's `aggregate`", found[1]));
    let other = found.get(2).map_or_else(
        || "iprange 1.0.4 (C), per `SCALE.md` | 0.565 | ".into(),
        |it| beside("iprange (C)", *it),
    );
    row(&mut table, "the same", found[0], &other);
    table
}

/// A task of this program itself.
fn work(task: &str, path: &Path) {
    match task {
        "read" => {
            let options = Options::default();
            let loaded = read(&[Input::Path(path.to_owned())], &options, |object| object.kind.len());
            assert!(loaded.diagnostics.is_empty() && loaded.objects() > 0);
        }
        "serde_json" => {
            let text = std::fs::read(path).expect("the file");
            let value: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
            assert!(value["items"].as_array().is_some_and(|items| !items.is_empty()));
        }
        "merge" => {
            let nets: Vec<IpNet> = list(path).map(IpNet::V4).collect();
            print(nets::fewest(&nets).into_iter());
        }
        "aggregate" => print(Ipv4Net::aggregate(&list(path).collect()).into_iter()),
        other => panic!("no task `{other}`"),
    }
}

fn list(path: &Path) -> impl Iterator<Item = Ipv4Net> {
    let text = std::fs::read_to_string(path).expect("the list");
    let nets: Vec<Ipv4Net> = text.lines().map(|line| line.parse().expect("a CIDR")).collect();
    nets.into_iter()
}

fn print(nets: impl Iterator<Item = impl std::fmt::Display>) {
    let mut out = String::new();
    for net in nets {
        let _ = writeln!(out, "{net}");
    }
    print!("{out}");
}

/// Makes what is not there yet.
fn prepare(folder: &Path, shared: &Path) {
    let make = |name: &str, program: &str, arguments: &[&str], to_stdout: bool| {
        let path = folder.join(name);
        if path.exists() {
            return;
        }
        let part = folder.join(format!("{name}.part"));
        let mut command = Command::new(shared.join("tools").join(program));
        command.args(arguments).stderr(Stdio::null());
        if to_stdout {
            command.stdout(std::fs::File::create(&part).expect("a file"));
        } else {
            command.stdout(Stdio::null()).arg("-o").arg(&part);
        }
        assert!(command.status().expect("it runs").success(), "{program} failed");
        std::fs::rename(part, path).expect("target/bench can be written");
    };
    for (size, ..) in FELIX {
        make(&format!("{size}.json"), "gen-scale", &["--size", size], false);
    }
    std::fs::write(folder.join("audit.yaml"), audited::cluster(50, 100))
        .expect("target/bench can be written");
    make("cidrs.txt", "gen-cidrs", &["1000000", "weighted", "7"], true);
    let addresses = r#"[{"ifname":"eth0","addr_info":[{"local":"10.0.0.11","prefixlen":16}]},
        {"ifname":"eth1","addr_info":[{"local":"203.0.113.11","prefixlen":28}]}]"#;
    std::fs::write(folder.join("ip-addr.json"), addresses).expect("target/bench can be written");
    let read = |name: &str| std::fs::read(folder.join(name)).expect("made above");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, &read("L.json")).expect("memory");
    std::fs::write(folder.join("L.json.gz"), packed.finish().expect("memory"))
        .expect("target/bench can be written");
    // ten policies with another port each
    let text = String::from_utf8(read("M.json")).expect("JSON is text");
    let mut changed = 0;
    let new: Vec<String> = text
        .lines()
        .map(|line| {
            let policy = line.contains("\"kind\":\"NetworkPolicy\"") && line.contains("\"port\":8080");
            let change = policy && changed < 10;
            changed += usize::from(change);
            if change { line.replacen("\"port\":8080", "\"port\":8081", 1) } else { line.to_owned() }
        })
        .collect();
    assert_eq!(changed, 10, "policies to change");
    std::fs::write(folder.join("M-new.json"), new.join("\n")).expect("target/bench can be written");
}
