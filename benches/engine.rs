//! The engine of packet sets: the verdict function of a node, a large list of CIDRs, many packets, two clusters.
//!
//! `cargo bench --bench engine`. Every measurement runs in a process of its own, so that its peak of
//! memory is its own. Beside the list of CIDRs stands Debian's `iprange` on the same file, where it is
//! installed. The clusters that are compared are size M of the shared reference folder, where that is there.

use ipnet::Ipv4Net;
use netpolc::diff::{self, State, objects};
use netpolc::felix;
use netpolc::ir::Family;
use netpolc::kernel::Kernel;
use netpolc::kernel::conntrack::Connection;
use netpolc::kernel::route::Routes;
use netpolc::kernel::symbolic::{Arrival, Attribution, Interfaces, Symbolic};
use netpolc::model::{InvalidMode, collect, lower};
use netpolc::optimize;
use netpolc::resolve::view::{Interface, NodeView};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use netpolc::space::nets;
use netpolc::space::{Field, PacketSet, Space};
use netpolc::syntax::{ip_addr, ip_route};
use nix::sys::resource::{UsageWho, getrusage};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const RUNS: usize = 5;
/// Clusters with 1,000 and 500 policies; the rules of a node of the second are some 10,000.
const LARGE: &str = "engine.yaml";
const SMALL: &str = "engine-small.yaml";
/// A cluster with 10,000 pods and 1,000 policies, and the same with one rule more in one of them.
const BEFORE: &str = "M.json";
const AFTER: &str = "M-after.json";
/// Says to a process what to measure.
const TASK: &str = "NETPOLC_BENCH_TASK";

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&folder).expect("target/bench can be made");
    if let Ok(task) = std::env::var(TASK) {
        return measured(&task, &folder);
    }
    prepare(&folder);
    println!("engine: median of {RUNS} processes");
    for (task, what) in [
        ("verdicts", "verdict function of a node, 110 pods, 1,000 policies"),
        ("cidrs", "1,000,000 random CIDRs read, merged, written"),
        ("packets", "200,000 packets through a node's rules"),
        ("optimize-1", "fewer rules on a node, -O 1, with proof"),
        ("optimize-2", "fewer rules on a node, -O 2, with proof"),
        ("differences", "diff of two clusters, 10,000 pods, 1,000 policies, all nodes"),
    ] {
        if task == "differences" && !folder.join(AFTER).exists() {
            println!("{what}: the generator of clusters is not here");
            continue;
        }
        let mut runs: Vec<(f64, u64, String)> = (0..RUNS).map(|_| child(task)).collect();
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (seconds, kib, note) = &runs[RUNS / 2];
        println!("{what}: {seconds:.3} s, {} MiB{note}", kib / 1024);
    }
    iprange(&folder);
}

/// Runs a measurement in a process of its own: seconds, peak KiB, and a note.
fn child(task: &str) -> (f64, u64, String) {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program).env(TASK, task).stderr(Stdio::inherit()).output().expect("it runs");
    assert!(output.status.success(), "{task} failed");
    let text = String::from_utf8(output.stdout).expect("output is UTF-8");
    let mut fields = text.trim_end().splitn(3, '\t');
    let mut next = || fields.next().unwrap_or_default();
    (next().parse().expect("seconds"), next().parse().expect("KiB"), next().to_owned())
}

fn measured(task: &str, folder: &Path) {
    let (seconds, note) = match task {
        "verdicts" => verdicts(folder),
        "cidrs" => cidrs(folder),
        "packets" => packets(folder),
        "optimize-1" => optimized(folder, 1),
        "optimize-2" => optimized(folder, 2),
        "differences" => differences(folder),
        other => panic!("no task `{other}`"),
    };
    let peak = getrusage(UsageWho::RUSAGE_SELF).expect("usage").max_rss();
    println!("{seconds}\t{peak}\t{note}");
}

/// A small generator of numbers (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}

fn prepare(folder: &Path) {
    let mut numbers = Numbers(42);
    let mut list = String::new();
    for _ in 0..1_000_000 {
        // lengths as lists of addresses have them: mostly hosts and /24
        let length = match numbers.next() % 10_000 {
            0 => 8 + numbers.next() % 8,
            1..=100 => 16 + numbers.next() % 8,
            101..=2_100 => 24,
            2_101..=4_100 => 25 + numbers.next() % 7,
            _ => 32,
        } as u8;
        let address = std::net::Ipv4Addr::from(numbers.next() as u32);
        let net = Ipv4Net::new(address, length).expect("a length of at most 32").trunc();
        let _ = writeln!(list, "{net}");
    }
    std::fs::write(folder.join("cidrs.txt"), list).expect("target/bench can be written");
    for (name, policies) in [(LARGE, 1_000), (SMALL, 500)] {
        let text = cluster(&mut numbers, policies);
        std::fs::write(folder.join(name), text).expect("target/bench can be written");
    }
    two_clusters(folder);
}

/// Writes size M, and the same with one more rule in a policy that selects pods on most nodes.
fn two_clusters(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("NETPOLC_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let (generator, before) = (shared.join("tools/gen-scale"), folder.join(BEFORE));
    if !before.exists() {
        let made =
            Command::new(generator).args(["--size", "M", "-o"]).arg(&before).stderr(Stdio::null()).status();
        if !made.is_ok_and(|status| status.success()) {
            return;
        }
    }
    let text = std::fs::read_to_string(before).expect("the cluster can be read");
    let policy = text.find(r#""name":"gnp-2""#).expect("the cluster has the policy");
    let rules =
        policy + text[policy..].find(r#""ingress":["#).expect("it has rules") + r#""ingress":["#.len();
    let rule = r#"{"action":"Allow","source":{"nets":["198.51.100.0/24"]}},"#;
    let after = format!("{}{rule}{}", &text[..rules], &text[rules..]);
    std::fs::write(folder.join(AFTER), after).expect("target/bench can be written");
}

/// 110 pods on a node, and policies with selectors, networks and ports.
fn cluster(numbers: &mut Numbers, policies: usize) -> String {
    let mut text = String::from(
        "apiVersion: v1\nkind: Node\nmetadata: {name: node-1, annotations: {projectcalico.org/IPv4Address: 10.0.0.11/24}}\n\
         status: {addresses: [{type: InternalIP, address: 10.0.0.11}, {type: ExternalIP, address: 203.0.113.11}]}\n\
         ---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
    );
    for pod in 0..110 {
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: pod-{pod}, namespace: shop, labels: {{app: a{}, tier: t{}}}}}\n\
             spec: {{nodeName: node-1, containers: [{{name: c, image: i, ports: [{{name: http, containerPort: 8080}}]}}]}}\n\
             status: {{phase: Running, podIPs: [{{ip: 10.244.0.{}}}]}}\n",
            pod % 10,
            pod % 3,
            pod + 1
        );
    }
    for policy in 0..policies {
        let mut net = || {
            let n = numbers.next();
            format!("{}.{}.{}.0/24", 1 + n % 200, n >> 8 & 0xff, n >> 16 & 0xff)
        };
        let (first, second) = (net(), net());
        let n = numbers.next();
        let _ = write!(
            text,
            "---\napiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {{name: p-{policy}, namespace: shop}}\n\
             spec:\n  order: {}\n  selector: app == 'a{}'\n  types: [Ingress, Egress]\n  ingress:\n\
             \x20 - {{action: {}, protocol: TCP, source: {{nets: [{first}, {second}]}}, destination: {{ports: [{}, '{}:{}']}}}}\n\
             \x20 egress:\n  - {{action: Allow, protocol: UDP, destination: {{nets: [{first}], ports: [53]}}}}\n\
             \x20 - {{action: Allow, destination: {{selector: tier == 't{}'}}}}\n",
            n % 100,
            n % 10,
            if n.is_multiple_of(5) { "Deny" } else { "Allow" },
            80 + n % 40,
            8000 + n % 100,
            8100 + n % 100,
            n % 3
        );
    }
    text
}

/// A cluster's node as its agent would see it, handed to `work` with its addresses.
fn with_view<T>(cluster: &Path, work: impl FnOnce(NodeView, &[Interface]) -> T) -> T {
    let read = source::read(&[Input::Path(cluster.to_owned())], &Options::default(), |object| {
        lower(object, Default::default())
    });
    let collected = collect(read.values, InvalidMode::Fail, Default::default());
    assert!(!collected.fatal, "{:?}", collected.diagnostics.first());
    let cluster = Cluster::new(&collected.resources);
    let addresses = ip_addr::parse(
        r#"[{"ifname":"eth0","addr_info":[{"local":"10.0.0.11","prefixlen":24}]},
            {"ifname":"eth1","addr_info":[{"local":"203.0.113.11","prefixlen":28}]}]"#,
    )
    .expect("addresses");
    let request = NodeRequest { node: "node-1", interfaces: Some(&addresses) };
    work(cluster.view(&request).view.expect("the node is there"), &addresses)
}

/// The large cluster's node, compiled, and its kernel handed to `work`.
fn with_kernel<T>(folder: &Path, work: impl FnOnce(&netpolc::ir::Program, &Kernel<'_>) -> T) -> T {
    with_view(&folder.join(LARGE), |view, addresses| {
        let program = felix::render(&view);
        let mut routes =
            String::from(r#"[{"dst": "default", "dev": "eth1"}, {"dst": "10.0.0.0/24", "dev": "eth0"}"#);
        for pod in &view.workloads {
            for address in &pod.addresses {
                let _ = write!(routes, r#", {{"dst": "{address}", "dev": "{}"}}"#, pod.interface);
            }
        }
        routes.push(']');
        let routes = Routes::new(addresses, &ip_route::parse(&routes).expect("routes"));
        work(&program, &Kernel::new(&program, routes))
    })
}

fn verdicts(folder: &Path) -> (f64, String) {
    with_kernel(folder, |program, kernel| {
        let start = Instant::now();
        let interfaces = Interfaces::new(program, &kernel.routes, []);
        let mut symbolic =
            Symbolic::new(Family::V4, &kernel.v4, &kernel.routes, &interfaces, Attribution::Off);
        let outside = symbolic.send(PacketSet::ALL, Arrival::Outside, Connection::First);
        let process = symbolic.send(PacketSet::ALL, Arrival::Process, Connection::First);
        let seconds = start.elapsed().as_secs_f64();
        let rules: usize =
            program.v4.tables.iter().flat_map(|t| &t.chains).map(|chain| chain.rules.len()).sum();
        let flows = outside.len() + process.len();
        (seconds, format!(" ({rules} rules, {flows} flows, {} nodes)", symbolic.space.len()))
    })
}

fn cidrs(folder: &Path) -> (f64, String) {
    let start = Instant::now();
    let text = std::fs::read_to_string(folder.join("cidrs.txt")).expect("the list");
    let ranges: Vec<(u128, u128)> = text
        .lines()
        .map(|line| {
            let net: Ipv4Net = line.parse().expect("a CIDR");
            (u128::from(u32::from(net.network())), u128::from(u32::from(net.broadcast())))
        })
        .collect();
    let mut space = Space::new(Family::V4);
    let set = space.with(Field::Source, &ranges);
    let (cubes, _) = space.cubes(set, 1);
    let mut out = String::new();
    let mut count = 0;
    for range in cubes.iter().flat_map(|cube| &cube.sides).flat_map(|(_, ranges)| ranges) {
        for net in nets::of_range(*range, Family::V4) {
            let _ = writeln!(out, "{net}");
            count += 1;
        }
    }
    std::fs::write(folder.join("merged.txt"), out).expect("target/bench can be written");
    (start.elapsed().as_secs_f64(), format!(" ({count} left)"))
}

fn packets(folder: &Path) -> (f64, String) {
    let mut numbers = Numbers(7);
    let mut rows = String::from("family\tin_iface\tsrc\tdst\tproto\tsport_or_type\tdport_or_code\tct\n");
    const COUNT: usize = 200_000;
    for _ in 0..COUNT {
        let n = numbers.next();
        let _ = writeln!(
            rows,
            "ipv4\teth1\t{}.{}.{}.7\t10.244.0.{}\t{}\t{}\t{}\tnew",
            1 + n % 200,
            n >> 8 & 0xff,
            n >> 16 & 0xff,
            1 + n % 110,
            if n.is_multiple_of(4) { "udp" } else { "tcp" },
            1024 + n % 60_000,
            [80, 443, 8080, 8150, 53][(n % 5) as usize]
        );
    }
    with_kernel(folder, |_, kernel| {
        let start = Instant::now();
        let mut out = String::new();
        for line in rows.lines().skip(1) {
            let (mut packet, connection) = netpolc::trace::row::parse(line).expect("a row");
            let outcome = kernel.send(&mut packet, connection, &mut ());
            netpolc::trace::row::answer(&mut out, line, outcome);
        }
        let seconds = start.elapsed().as_secs_f64();
        (seconds, format!(" ({:.0} packets a second)", COUNT as f64 / seconds))
    })
}

fn optimized(folder: &Path, level: u8) -> (f64, String) {
    with_view(&folder.join(SMALL), |view, _| {
        let program = felix::render(&view);
        let start = Instant::now();
        let optimized = optimize::optimize(&program, level, felix::private_marks(&view));
        let seconds = start.elapsed().as_secs_f64();
        assert!(optimized.proof.is_ok() && optimized.faults.is_empty());
        let rules = |program: &netpolc::ir::Program| -> usize {
            let tables = program.v4.tables.iter().chain(&program.v6.tables);
            tables.flat_map(|table| &table.chains).map(|chain| chain.rules.len()).sum()
        };
        let (before, after) = (rules(&program), rules(&optimized.program));
        let share = 100.0 * optimized.proving.as_secs_f64() / seconds;
        (seconds, format!(" ({before} rules to {after}, {share:.0} % of it the proof)"))
    })
}

/// From both texts to the answer, over all nodes.
fn differences(folder: &Path) -> (f64, String) {
    let start = Instant::now();
    let facts = netpolc::version::CalicoVersion::LATEST.facts();
    let [before, after] = [BEFORE, AFTER].map(|name| {
        let input = Input::Path(folder.join(name));
        let read = source::read(&[input], &Options::default(), |object| {
            (lower(object, facts), objects::note(object))
        });
        let (lowered, noted): (Vec<_>, Vec<_>) = read.values.into_iter().unzip();
        (collect(lowered, InvalidMode::Fail, facts), noted)
    });
    let clusters = [&before, &after].map(|(collected, _)| Cluster::new(&collected.resources));
    let state =
        |number: usize, noted| State { cluster: &clusters[number], noted, digests: vec![number as u64] };
    let difference = diff::compare(&state(0, &before.1), &state(1, &after.1), None, None);
    let seconds = start.elapsed().as_secs_f64();
    let (changes, nodes) = (difference.changes.len(), difference.nodes.len());
    assert!(changes > 0 && difference.rules.len() == 1, "{}", difference.sentence());
    (seconds, format!(" ({changes} changes on {nodes} nodes)"))
}

fn iprange(folder: &Path) {
    let list: PathBuf = folder.join("cidrs.txt");
    let once = || {
        let start = Instant::now();
        let output = Command::new("iprange").arg(&list).output().ok()?;
        let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
        Some((start.elapsed().as_secs_f64(), lines))
    };
    let mut runs: Vec<(f64, usize)> = (0..RUNS).map_while(|_| once()).collect();
    if runs.len() < RUNS {
        return println!("iprange is not here");
    }
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (seconds, lines) = runs[RUNS / 2];
    println!("the same list, Debian's iprange: {seconds:.3} s ({lines} left)");
}
