//! Clusters whose rules are loaded, each at one node; and nodes that have other rules.

use super::common::packets::{others, recorded};
use super::common::{Numbers, clusters, root};
use super::foreign;
use netpolc::diagnostic::FileId;
use netpolc::dump;
use netpolc::felix;
use netpolc::ir::{Family, Program, RuleSet};
use netpolc::model::{InvalidMode, Resources, collect, lower};
use netpolc::resolve::view::NodeView;
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use netpolc::syntax::ip_route::Route;
use netpolc::syntax::{ip_addr, ip_route};
use netpolc::trace::assume;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::path::{Path, PathBuf};

/// A cluster and one of its nodes.
pub struct Case {
    /// what messages call it
    pub name: String,
    cluster: PathBuf,
    node: String,
    addresses: PathBuf,
    routes: Vec<PathBuf>,
    /// of IPv4 and IPv6, instead of the cluster's
    dumps: Option<[PathBuf; 2]>,
}

/// Nodes with rules of other software. Each has many rules of few kinds.
const FOREIGN: usize = 40;

/// Packets of a random cluster: they are small, and many clusters show more than many packets.
const PACKETS_EACH: usize = 250;

/// The addresses of a node of a random cluster.
const ADDRESSES: &str = r#"[
 {"ifname": "eth0", "addr_info": [{"local": "10.0.0.11", "prefixlen": 24}, {"local": "2001:db8::b", "prefixlen": 64}]},
 {"ifname": "eth1", "addr_info": [{"local": "203.0.113.11", "prefixlen": 28}]}
]
"#;

/// Where files are that are needed to do it again.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernel-packets").join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The clusters for so many packets: recorded ones, the sample, and random ones.
pub fn all(packets: usize) -> Vec<Case> {
    let mut cases: Vec<Case> = recorded().iter().map(|folder| recording(folder)).collect();
    cases.push(Case {
        name: "iks".to_owned(),
        cluster: root().join("fixtures/iks/cluster"),
        node: "10.176.48.67".to_owned(),
        addresses: root().join("fixtures/iks/node/10.176.48.67/ip-addr.json"),
        routes: Vec::new(),
        dumps: None,
    });
    cases.extend((0..FOREIGN).map(foreign));
    let count = (packets / PACKETS_EACH).saturating_sub(cases.len()).max(10);
    cases.extend((0..count).map(random));
    cases
}

/// A recorded cluster.
fn recording(folder: &Path) -> Case {
    let golden = folder.join("golden");
    let routes = ["ip-route.json", "ip-route6.json"].map(|name| golden.join(name));
    let node = std::fs::read_to_string(folder.join("node")).unwrap_or_else(|_| "node-1".to_owned());
    Case {
        name: folder.file_name().expect("a folder").to_string_lossy().into_owned(),
        cluster: folder.join("cluster.yaml"),
        node: node.trim().to_owned(),
        addresses: golden.join("ip-addr.json"),
        routes: routes.into_iter().filter(|path| path.exists()).collect(),
        dumps: None,
    }
}

/// The clusters with recorded packets, other people's manifests among them where they are found, and the sample.
pub fn with_recorded_packets() -> Vec<Case> {
    let mut cases = all(0);
    cases.extend(others().iter().map(|folder| recording(folder)));
    cases.retain(|case| case.name == "iks" || !case.recorded().is_empty());
    cases
}

/// A random cluster, the same for the same number.
fn random(number: usize) -> Case {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let objects = clusters::objects().new_tree(&mut runner).expect("a cluster").current();
    let name = format!("random-{number}");
    let (cluster, addresses) = (folder(&name).join("cluster.yaml"), folder(&name).join("ip-addr.json"));
    std::fs::write(&cluster, objects.join("---\n")).expect("the cluster is written");
    std::fs::write(&addresses, ADDRESSES).expect("the addresses are written");
    Case { name, cluster, node: "node-1".to_owned(), addresses, routes: Vec::new(), dumps: None }
}

/// A node with random rules of other software, the same for the same number.
fn foreign(number: usize) -> Case {
    let name = format!("foreign-{number}");
    let folder = folder(&name);
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file is written");
        path
    };
    let mut numbers = Numbers::new(number as u64 + 1);
    let mut rules = |name: &str, family| write(name, &foreign::rules(&mut numbers, family));
    Case {
        cluster: write("cluster.yaml", "{apiVersion: v1, kind: Node, metadata: {name: node-1}}\n"),
        node: "node-1".to_owned(),
        addresses: write("ip-addr.json", foreign::ADDRESSES),
        routes: vec![write("ip-route.json", foreign::ROUTES)],
        dumps: Some([rules("v4.rules", Family::V4), rules("v6.rules", Family::V6)]),
        name,
    }
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Case {
    /// The node as its agent would see it, and its routes.
    pub fn view(&self) -> (NodeView, Vec<Route>) {
        let read = source::read(&[Input::Path(self.cluster.clone())], &Options::default(), |object| {
            lower(object, Default::default())
        });
        let resources: Resources = collect(read.values, InvalidMode::Skip, Default::default()).resources;
        let cluster = Cluster::new(&resources);
        let addresses = ip_addr::parse(&text(&self.addresses)).expect("addresses");
        let request = NodeRequest { node: &self.node, interfaces: Some(&addresses) };
        let view = cluster.view(&request).view.expect("the node is there");
        let routes = match &self.routes[..] {
            [] => assume::routes(&cluster, &view, &mut Vec::new()),
            given => given.iter().flat_map(|path| ip_route::parse(&text(path)).expect("routes")).collect(),
        };
        (view, routes)
    }

    /// The rules and sets that are loaded.
    pub fn program(&self, view: &NodeView) -> Program {
        let Some(dumps) = &self.dumps else { return felix::render(view) };
        let [v4, v6] = dumps.each_ref().map(|path| -> RuleSet {
            let text = text(path);
            let dump = dump::parse(&text, FileId(0)).unwrap_or_else(|wrong| panic!("{wrong:?}"));
            dump.rule_sets().expect("no circles").remove(0)
        });
        Program { v4, v6: RuleSet { family: Family::V6, ..v6 }, sets: Vec::new() }
    }

    /// The rows of packets that were sent when the cluster was recorded: first packets only, whose answers follow.
    pub fn recorded(&self) -> Vec<String> {
        let beside = self.cluster.with_file_name("verdicts.tsv");
        let Ok(verdicts) = std::fs::read_to_string(beside) else { return Vec::new() };
        let rows = verdicts.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
        let first = rows.filter(|columns| columns.get(7) == Some(&"new"));
        first.map(|columns| columns[..8].join("\t")).collect()
    }

    /// Writes rows of packets, and says how `trace` is asked about them.
    pub fn how_to_repeat(&self, rows: &str) -> String {
        let packets = folder(&self.name).join("packets.tsv");
        std::fs::write(&packets, rows).expect("the packets are written");
        let routes: String =
            self.routes.iter().map(|path| format!(" --node-routes {}", path.display())).collect();
        let dumps: String =
            self.dumps.iter().flatten().map(|path| format!(" --dump {}", path.display())).collect();
        format!(
            "netpolc trace {} --invalid skip --node {} --node-addresses {}{routes}{dumps} --packets {}",
            self.cluster.display(),
            self.node,
            self.addresses.display(),
            packets.display()
        )
    }
}
