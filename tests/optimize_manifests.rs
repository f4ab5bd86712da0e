//! Policies that are written with fewer networks, ports and rules mean the same, and their text is otherwise
//! what it was.

mod common;

use common::packets::{random, recorded, values};
use common::{Numbers, Run, clusters, files, netpolc, relative, root, run};
use ipnet::IpNet;
use netpolc::diagnostic::Severity;
use netpolc::felix;
use netpolc::ir::Family;
use netpolc::kernel::Kernel;
use netpolc::kernel::conntrack::Connection;
use netpolc::kernel::route::Routes;
use netpolc::model::{InvalidMode, Lowered, collect, lower};
use netpolc::optimize::compare;
use netpolc::optimize::manifests::{self, Fate, Optimized, Request};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Opened, Options};
use netpolc::space::nets::fewest;
use netpolc::trace::assume;
use netpolc::version::CalicoVersion;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Stories, each with what it becomes.
const STORIES: &str = "fixtures/optimize";

fn latest(object: &source::Object<'_>) -> Lowered {
    lower(object, CalicoVersion::LATEST.facts())
}

/// An empty folder for a test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn optimize_in(folder: &Path, arguments: &[&str]) -> Run {
    Run::of(netpolc().current_dir(folder).arg("optimize").args(arguments))
}

#[test]
fn every_story_gets_its_patch() {
    for path in files(STORIES) {
        let result = run(&["optimize", "--patch", &relative(&path)]);
        assert_eq!(result.status, Some(0), "{}: {}", path.display(), result.stderr);
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let text = format!("{}\n{}", result.stderr, result.stdout.replace('\r', "␍"));
        insta::with_settings!({
            snapshot_path => root().join("snapshots/optimize"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!(name, text) });
    }
}

#[test]
fn files_are_changed_in_place_once_and_as_the_patch_says() {
    for path in files(STORIES) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let (own, patched) = (folder("in-place"), folder("patched"));
        for folder in [&own, &patched] {
            std::fs::copy(&path, folder.join(name)).expect("a copy");
        }
        let before = std::fs::read(&path).expect("bytes");
        let checked = optimize_in(&own, &["--check", name]);
        assert_eq!(std::fs::read(own.join(name)).expect("bytes"), before, "--check writes nothing");
        let patch = optimize_in(&own, &["--patch", name]);
        assert_eq!(std::fs::read(own.join(name)).expect("bytes"), before, "--patch writes nothing");
        let done = optimize_in(&own, &[name]);
        assert_eq!(done.status, Some(0), "{name}: {}", done.stderr);
        let after = std::fs::read(own.join(name)).expect("bytes");
        assert_eq!(checked.status, Some(i32::from(after != before)), "{name}: {}", checked.stdout);

        // the patch does the same
        if !patch.stdout.is_empty() {
            let mut git = Command::new("git");
            git.current_dir(&patched).env("GIT_CEILING_DIRECTORIES", patched.parent().expect("a folder"));
            git.args(["-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"]);
            let mut child = git.stdin(Stdio::piped()).spawn().expect("git is there");
            child
                .stdin
                .take()
                .expect("a pipe")
                .write_all(patch.stdout.as_bytes())
                .expect("the patch is read");
            assert!(child.wait().expect("git ends").success(), "{name}:\n{}", patch.stdout);
        }
        assert_eq!(std::fs::read(patched.join(name)).expect("bytes"), after, "{name}");

        // and so does standard input
        let stdin = std::fs::File::open(&path).expect("a file");
        let mut command = netpolc();
        let piped = Run::of(command.args(["optimize", "-"]).stdin(stdin));
        assert_eq!(piped.stdout.into_bytes(), after, "{name}");

        // nothing is left to do
        let again = optimize_in(&own, &["--check", name]);
        assert_eq!(again.status, Some(0), "{name}: {}{}", again.stdout, again.stderr);
    }
}

fn opened(text: &str) -> Vec<Opened> {
    vec![Opened { name: "cluster.yaml".to_owned(), path: None, bytes: text.as_bytes().to_vec() }]
}

fn optimized(text: &str) -> (Optimized, String) {
    let request = Request { node: None, threads: 1, invalid: InvalidMode::Skip, version: None };
    let done = manifests::run(&opened(text), &request);
    let after = done
        .patched
        .first()
        .map_or(text.to_owned(), |patched| String::from_utf8(patched.bytes.clone()).expect("UTF-8"));
    (done, after)
}

/// Networks of a few addresses, so that they meet.
fn nets(v6: bool) -> impl Strategy<Value = String> {
    let net = (0..16u32, 24..=28u8).prop_map(move |(low, length)| match v6 {
        false => format!(
            "10.0.{}.{}/{length}",
            low / 8,
            (low * 32) % 256 / (1 << (32 - length)) * (1 << (32 - length))
        ),
        true => {
            format!("fd00::{:x}00/{}", low >> (length - 24).min(4) << (length - 24).min(4), 96 + length - 8)
        }
    });
    let net = net.prop_map(|text| text.parse::<IpNet>().expect("a network").trunc().to_string());
    (proptest::collection::btree_set(net, 1..7), any::<bool>()).prop_map(move |(nets, flow)| {
        let nets: Vec<String> =
            nets.iter().rev().map(|net| if v6 { format!("'{net}'") } else { net.clone() }).collect();
        match flow {
            true => format!("[{}]", nets.join(", ")),
            false => format!("[\n    {}\n    ]", nets.join(", # one of several\n    ")),
        }
    })
}

fn ports() -> impl Strategy<Value = String> {
    let port = prop_oneof![
        (80..90u16).prop_map(|port| port.to_string()),
        (80..90u16, 0..4u16).prop_map(|(first, more)| format!("'{first}:{}'", first + more)),
        Just("http".to_owned()),
    ];
    proptest::collection::vec(port, 1..7).prop_map(|ports| format!("[{}]", ports.join(", ")))
}

fn calico_rule() -> impl Strategy<Value = String> {
    let action = proptest::sample::select(vec!["Allow", "Allow", "Deny", "Deny", "Pass", "Log"]);
    let source = proptest::option::of((any::<bool>(), any::<bool>()).prop_flat_map(|(v6, not)| {
        nets(v6).prop_map(move |nets| format!("{}: {nets}", if not { "notNets" } else { "nets" }))
    }));
    let selector = proptest::option::weighted(0.3, proptest::sample::select(vec!["app == 'a'", "has(role)"]));
    (action, source, selector, proptest::option::of(ports())).prop_map(|(action, source, selector, ports)| {
        let mut rule = format!("- action: {action} # {action} it\n");
        if ports.is_some() {
            rule += "    protocol: TCP\n";
        }
        if source.is_some() || selector.is_some() {
            rule += "    source:\n";
            source.iter().for_each(|source| rule += &format!("      {source}\n"));
            selector.iter().for_each(|selector| rule += &format!("      selector: \"{selector}\"\n"));
        }
        ports.iter().for_each(|ports| rule += &format!("    destination: {{ports: {ports}}}\n"));
        rule
    })
}

fn calico_policy(number: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(calico_rule(), 1..7).prop_map(move |rules| {
        format!(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {{name: o-{number}}}\n\
             spec:\n  selector: all()\n  order: {number}\n  types: [Ingress]\n  ingress:\n  # rules\n  {}",
            rules.join("  ")
        )
    })
}

fn kubernetes_policy(number: usize) -> impl Strategy<Value = String> {
    let peer = prop_oneof![
        (0..8u8, 24..=26u8).prop_map(|(net, length)| {
            let net: IpNet = format!("10.0.0.{}/{length}", net * 32).parse().expect("a network");
            format!("{{ipBlock: {{cidr: {}}}}}", net.trunc())
        }),
        proptest::collection::btree_set(0..8u8, 1..4).prop_map(|nets| {
            let except: Vec<String> = nets.iter().map(|net| format!("10.0.0.{}/27", net * 32)).collect();
            format!("{{ipBlock: {{cidr: 10.0.0.0/23, except: [{}]}}}}", except.join(", "))
        }),
        proptest::sample::select(vec!["a", "b"])
            .prop_map(|app| format!("{{podSelector: {{matchLabels: {{app: {app}}}}}}}")),
    ];
    let port = prop_oneof![
        (80..88u16).prop_map(|port| format!("{{port: {port}}}")),
        (80..88u16, 1..4u16)
            .prop_map(|(port, more)| format!("{{port: {port}, endPort: {}, protocol: TCP}}", port + more)),
        (80..88u16).prop_map(|port| format!("\n        protocol: UDP\n        port: {port} # udp")),
        Just("{port: http}".to_owned()),
        Just("{protocol: SCTP}".to_owned()),
    ];
    let rule = (proptest::collection::vec(peer, 1..5), proptest::collection::vec(port, 1..5));
    proptest::collection::vec(rule, 1..4).prop_map(move |rules| {
        let rules = rules.iter().map(|(peers, ports)| {
            let list = |items: &[String]| items.iter().map(|item| format!("      - {item}\n")).collect::<String>();
            format!("    - from:\n{}      ports:\n{}", list(peers), list(ports))
        });
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: k-{number}, namespace: shop}}\n\
             spec:\n  podSelector: {{}}\n  ingress:\n{}",
            rules.collect::<String>()
        )
    })
}

fn network_set(number: usize) -> impl Strategy<Value = String> {
    (nets(false), any::<bool>()).prop_map(move |(nets, role)| {
        let labels = if role { "{role: x, app: a}" } else { "{app: b}" };
        format!(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {{name: o-{number}, labels: {labels}}}\n\
             spec:\n  nets: {nets}\n"
        )
    })
}

/// A random cluster with more policies, whose lists overlap.
fn crowded() -> impl Strategy<Value = String> {
    let more = prop_oneof![
        3 => (0..4usize).prop_flat_map(calico_policy),
        2 => (0..4usize).prop_flat_map(kubernetes_policy),
        1 => (0..4usize).prop_flat_map(network_set),
    ];
    (clusters::objects(), proptest::collection::vec(more, 1..5))
        .prop_map(|(objects, more)| [objects, more].concat().join("---\n"))
}

/// Compares two texts as clusters: every node, all packets, and some by the walk of packets.
fn assert_same(before: &str, after: &str, seed: u64) -> Result<(), TestCaseError> {
    let texts = [before, after].map(|text| opened(text).remove(0).input(None));
    let [own, now] = texts.map(|text| source::read(&[text], &Options { threads: 1 }, latest));
    prop_assert_eq!(&own.diagnostics, &now.diagnostics);
    let [own, now] =
        [own, now].map(|read| collect(read.values, InvalidMode::Skip, CalicoVersion::LATEST.facts()));
    let [own, now] = [&own, &now].map(|collected| Cluster::new(&collected.resources));
    for node in own.node_names() {
        let view = |cluster: &Cluster<'_>| cluster.view(&NodeRequest { node, interfaces: None }).view;
        let (before, after) = (view(&own).expect("a node"), view(&now).expect("a node"));
        let [own_rules, new_rules] = [&before, &after].map(felix::render);
        let compared = compare(&own_rules, &new_rules, felix::private_marks(&before));
        prop_assert!(compared.is_ok(), "{:?}", compared);
        let routes = Routes::new(&before.interfaces, &assume::routes(&own, &before, &mut Vec::new()));
        let [old, new] = [&own_rules, &new_rules].map(|rules| Kernel::new(rules, routes.clone()));
        let mut numbers = Numbers::new(seed);
        for family in [Family::V4, Family::V6] {
            let values = values(&own_rules, family, &routes);
            for _ in 0..1000 {
                let packet = random(&mut numbers, family, &values, Connection::First);
                let fates = [&old, &new].map(|kernel| {
                    let mut packet = packet;
                    let outcome = kernel.send(&mut packet, Connection::First, &mut ());
                    format!("{outcome:?} to {} port {}", packet.destination, packet.destination_port)
                });
                prop_assert_eq!(&fates[0], &fates[1], "{:?}", packet);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn random_policies_keep_their_meaning(text in crowded(), seed: u64) {
        let (done, after) = optimized(&text);
        prop_assert!(!done.unusable, "{:?}", done.diagnostics);
        assert_same(&text, &after, seed)?;
        // comments on lines of their own stay
        let notes = |text: &str| text.lines().filter(|line| line.trim() == "# rules").count();
        prop_assert_eq!(notes(&text), notes(&after));
        let (again, last) = optimized(&after);
        prop_assert_eq!(again.outcomes.len(), 0, "{}\n{:?}", after, again.outcomes);
        prop_assert_eq!(last, after);
    }
}

#[test]
fn an_edit_that_would_change_something_is_told_with_a_packet() {
    let text = std::fs::read_to_string(root().join(STORIES).join("list-that-must-stay.yaml")).expect("text");
    let (done, _) = optimized(&text);
    let told = done.diagnostics.iter().find(|said| said.id == "not-proved-equal").expect("it is told");
    assert_eq!(told.severity, Severity::Note);
    assert!(told.message.contains("tcp from "), "{}", told.message);
    assert!(told.message.contains("before: ") && told.message.contains("after: "), "{}", told.message);
}

/// Flow logs tell the number of a rule, so on a node that has them no rule may go before another.
#[test]
fn an_edit_that_one_node_does_not_bear_is_not_made() {
    let node = |number: u8| {
        format!(
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: worker-{number}}}\n\
             status: {{addresses: [{{type: InternalIP, address: 192.0.2.{number}}}]}}\n---\n\
             apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {{name: worker-{number}}}\n\
             spec: {{node: worker-{number}, interfaceName: '*'}}\n"
        )
    };
    let policy = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: hosts}\n\
         spec:\n  selector: all()\n  types: [Ingress]\n  ingress:\n  - {action: Allow, source: {nets: [10.0.0.0/8]}}\n  \
         - {action: Allow, source: {nets: [10.1.0.0/16]}}\n  - {action: Deny}\n";
    let logs = "---\napiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {name: node.worker-2}\n\
         spec: {flowLogsLocalReporter: Enabled}\n";
    let text = format!("{policy}{}{}", node(1), node(2));
    let (done, after) = optimized(&text);
    assert_eq!(done.nodes.iter().map(|own| &*own.node).collect::<Vec<_>>(), ["worker-1", "worker-2"]);
    assert!(!after.contains("10.1.0.0/16"), "{after}");
    let text = text + logs;
    let (done, after) = optimized(&text);
    assert_eq!(after, text);
    let told = done.diagnostics.iter().find(|said| said.id == "not-proved-equal").expect("it is told");
    assert!(told.message.contains("worker-2") && told.message.contains("a packet"), "{}", told.message);
}

/// All lists of networks of the recorded clusters, one family each.
fn recorded_lists() -> BTreeSet<Vec<IpNet>> {
    let mut lists = BTreeSet::new();
    let beside = std::env::var_os("NETPOLC_SHARED").map_or(root().join("../shared"), PathBuf::from);
    let real = std::fs::read_dir(beside.join("golden/real"));
    let more = real.into_iter().flatten().map(|entry| entry.expect("an entry").path());
    for path in recorded().into_iter().chain(more).map(|folder| folder.join("cluster.yaml")) {
        let Ok(text) = std::fs::read(&path) else { continue };
        let input = source::Input::Text { name: "cluster.yaml".to_owned(), bytes: text };
        let read = source::read(&[input], &Options { threads: 1 }, latest);
        let resources = collect(read.values, InvalidMode::Skip, CalicoVersion::LATEST.facts()).resources;
        let mut add = |texts: Vec<&str>| {
            let nets: Vec<IpNet> =
                texts.iter().filter_map(|text| Some(text.parse::<IpNet>().ok()?.trunc())).collect();
            let (v4, v6): (Vec<IpNet>, Vec<IpNet>) = nets.into_iter().partition(|net| net.addr().is_ipv4());
            lists.extend([v4, v6].into_iter().filter(|nets| nets.len() > 1));
        };
        for rule in resources.policies.iter().flat_map(|own| own.ingress.iter().chain(&own.egress)) {
            for side in [&rule.source, &rule.destination] {
                add(side.nets.iter().map(|net| &*net.value).collect());
                add(side.not_nets.iter().map(|net| &*net.value).collect());
            }
        }
        for rule in resources.network_policies.iter().flat_map(|own| own.ingress.iter().chain(&own.egress)) {
            add(rule.peers.iter().filter_map(|peer| Some(&*peer.ip_block.as_ref()?.cidr.value)).collect());
        }
        for set in &resources.network_sets {
            let texts: Vec<String> = set.nets.iter().map(|net| net.value.to_string()).collect();
            add(texts.iter().map(String::as_str).collect());
        }
    }
    lists
}

fn random_lists(numbers: &mut Numbers) -> Vec<Vec<IpNet>> {
    let one = |count: usize| -> Vec<IpNet> {
        let net = |numbers: &mut Numbers| {
            let address = std::net::Ipv4Addr::from(0x0a00_0000 | (numbers.below(1 << 12) << 4) as u32);
            let length = (20 + numbers.below(13)) as u8;
            IpNet::new(address.into(), length).expect("a network").trunc()
        };
        (0..count).map(|_| net(numbers)).collect()
    };
    (2..200).map(one).collect()
}

/// The list that a program prints for ours.
fn by(program: &str, arguments: &[&str], nets: &[IpNet]) -> Vec<IpNet> {
    let text: String = nets.iter().map(|net| format!("{net}\n")).collect();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("text");
    let net =
        |line: &str| line.parse().ok().or_else(|| Some(IpNet::from(line.parse::<std::net::IpAddr>().ok()?)));
    text.lines().map(|line| net(line.trim()).unwrap_or_else(|| panic!("{program}: {line}"))).collect()
}

#[test]
fn no_other_tool_finds_a_smaller_list() {
    let tools: [(&str, &[&str]); 2] = [("iprange", &["--optimize"]), ("aggregate", &["-q"])];
    let there = |program: &str| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths).any(|folder| folder.join(program).exists())
    };
    let mut lists: Vec<Vec<IpNet>> = recorded_lists().into_iter().collect();
    assert!(lists.len() > 5, "{}", lists.len());
    lists.extend(random_lists(&mut Numbers::new(7)));
    for nets in &lists {
        // what the patch leaves is the fewest
        let fates = manifests::networks(&nets.iter().copied().enumerate().collect::<Vec<_>>());
        let gone = fates.iter().filter(|(_, fate)| !matches!(fate, Fate::Becomes(_))).count();
        assert_eq!(nets.len() - gone, fewest(nets).len());
    }
    for (program, arguments) in tools {
        if !there(program) {
            println!(
                "SKIPPED: `{program}` is not installed, so lists were not compared with it (apt-get install {program})"
            );
            continue;
        }
        for nets in lists.iter().filter(|nets| nets[0].addr().is_ipv4()) {
            let own = fewest(nets);
            // `aggregate` takes all addresses for a mistake
            if program == "aggregate" && own[0].prefix_len() == 0 {
                continue;
            }
            let other = by(program, arguments, nets);
            assert_eq!(fewest(&other), own, "{program} has other addresses");
            assert!(own.len() <= other.len(), "{program}: {} of {}", other.len(), own.len());
        }
    }
}

#[test]
fn wrong_use_and_bad_input_exit_with_2() {
    let story = "fixtures/optimize/json.json";
    let cases: [(&[&str], &str); 6] = [
        (&["optimize", "-"], "no-objects"),
        (&["optimize", "no-such-file.yaml"], "does not exist"),
        (&["optimize", "fixtures/input/cut.json"], "json-syntax"),
        (&["optimize", "--check", "--patch", story], "--patch"),
        (&["optimize", "--check", "--node", "nobody", story], "nobody"),
        (&["optimize", "-", "--format", "json"], "--check"),
    ];
    for (arguments, word) in cases {
        let result = run(arguments);
        assert_eq!(result.status, Some(2), "{arguments:?}: {}", result.stderr);
        assert_eq!(result.stdout, "", "{arguments:?}");
        assert!(result.stderr.contains(word), "{arguments:?}: {}", result.stderr);
    }
}
