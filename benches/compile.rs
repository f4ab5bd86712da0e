//! Whole compiles of generated clusters: CPU seconds, wall seconds and peak memory of the release
//! binary, beside what Felix v3.32.1 needs for the same cluster.
//!
//! `cargo bench --bench compile [-- S M L XL]`. The clusters are those of `SCALE.md` in the shared
//! reference folder (`NETPOLC_SHARED`, default `../shared`); without it there is nothing to
//! measure and the bench says so. The bytes are compared with the hashes that stand there.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Counted runs of each compile, after one that is not counted.
const RUNS: usize = 5;

/// A size and Felix's figures for it: CPU seconds until its calculation graph is done, and peak
/// MiB (`SCALE.md`: medians of 3 on 2 cores of an AMD EPYC).
const SIZES: [(&str, f64, u64); 4] =
    [("S", 0.26, 105), ("M", 1.66, 174), ("L", 19.3, 814), ("XL", 64.3, 1956)];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("NETPOLC_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let generator = shared.join("tools/gen-scale");
    let Ok(scale) = std::fs::read_to_string(shared.join("SCALE.md")) else {
        println!("compile: {} is not here, nothing measured", shared.display());
        return;
    };
    let folder = root.join("target/bench");
    std::fs::create_dir_all(&folder).expect("target/bench can be made");
    let addresses = folder.join("ip-addr.json");
    std::fs::write(
        &addresses,
        r#"[{"ifname":"eth0","addr_info":[{"local":"10.0.0.11","prefixlen":16}]},
            {"ifname":"eth1","addr_info":[{"local":"203.0.113.11","prefixlen":28}]}]"#,
    )
    .expect("target/bench can be written");
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    println!("compile of node-1 to all rules and sets, median of {RUNS}; bytes as in SCALE.md");
    println!("size  input MB  CPU s (Felix)    wall s  peak MiB (Felix)  bytes");
    for (size, felix_cpu, felix_memory) in SIZES {
        if asked.is_empty() && size == "XL" || !asked.is_empty() && !asked.iter().any(|a| a == size) {
            continue;
        }
        let input = folder.join(format!("{size}.json"));
        if !input.exists() {
            let status = Command::new(&generator)
                .args(["--size", size, "-o"])
                .arg(&input)
                .stderr(Stdio::null())
                .status();
            assert!(status.expect("gen-scale runs").success(), "gen-scale failed for {size}");
        }
        let out = folder.join(size);
        let mut runs: Vec<Run> = (0..=RUNS).map(|_| Run::of(&input, &addresses, &out)).skip(1).collect();
        let megabytes = std::fs::metadata(&input).expect("the input is there").len() as f64 / 1e6;
        let bytes = compare(&scale, size, &out);
        let cpu = median(&mut runs, |run| run.cpu);
        let wall = median(&mut runs, |run| run.wall);
        let memory = median(&mut runs, |run| run.memory) as u64;
        println!(
            "{size:4} {megabytes:9.1} {cpu:6.3} ({felix_cpu:5.2}) {wall:9.3} {memory:9} ({felix_memory:5})   {bytes}"
        );
    }
}

struct Run {
    cpu: f64,
    wall: f64,
    memory: f64,
}

impl Run {
    fn of(input: &Path, addresses: &Path, out: &Path) -> Run {
        let before = cpu_of_children();
        let start = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_netpolc"))
            .args(["compile", "--node", "node-1", "--node-addresses"])
            .arg(addresses)
            .arg(input)
            .arg("--out")
            .arg(out)
            .stderr(Stdio::null())
            .status()
            .expect("netpolc runs");
        assert!(matches!(status.code(), Some(0 | 1)), "netpolc failed: {status}");
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage of children");
        // the largest child so far: sizes are measured in ascending order
        let memory = usage.max_rss() as f64 / 1024.0;
        Run { cpu: cpu_of_children() - before, wall: start.elapsed().as_secs_f64(), memory }
    }
}

fn cpu_of_children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage of children");
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn median(runs: &mut [Run], figure: fn(&Run) -> f64) -> f64 {
    runs.sort_by(|a, b| figure(a).total_cmp(&figure(b)));
    figure(&runs[runs.len() / 2])
}

/// Compares each file's hash with that in `SCALE.md`.
fn compare(scale: &str, size: &str, out: &Path) -> String {
    let names = ["save.v4.rules", "save.v6.rules", "ipsets.txt"];
    let wrong: Vec<&str> = names
        .into_iter()
        .filter(|name| {
            let wanted = scale.lines().find(|line| line.starts_with(&format!("| {size} | {name} |")));
            let bytes = std::fs::read(out.join(name)).unwrap_or_default();
            let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            wanted.is_some_and(|line| !line.contains(&hash))
        })
        .collect();
    if wrong.is_empty() { "same".to_owned() } else { format!("DIFFER: {}", wrong.join(", ")) }
}
