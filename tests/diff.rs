//! What `netpolc diff` says about packets, against the interpreter that sends them one by one; and what a user sees.

mod common;

use common::packets::{Values, point, random, values};
use common::{Numbers, Run, clusters, root, run};
use netpolc::diff::exact::{self, Kind};
use netpolc::diff::side::{self, Compiled, Side};
use netpolc::diff::{self, State, objects};
use netpolc::ir::{ConntrackStates, Family};
use netpolc::kernel::conntrack::Connection;
use netpolc::kernel::packet::{Packet, TCP, number};
use netpolc::kernel::{Hook, Outcome};
use netpolc::kube_proxy::{Door, Kind as DoorKind, offers};
use netpolc::model::{Collected, InvalidMode, collect, lower};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use netpolc::space::{Field, Space};
use netpolc::version::CalicoVersion;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::net::IpAddr;
use std::process::Command;

/// Edits of one cluster, one story each.
const STORIES: [&str; 11] = [
    "rename",
    "formatting",
    "selected-direction",
    "widened-cidr",
    "pod-more",
    "node-more",
    "node-port-opened",
    "service-node-port",
    "service-external-ip",
    "service-endpoint",
    "service-local",
];

fn assert_snapshot(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => root().join("snapshots/diff"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

#[test]
fn every_story_is_told() {
    for story in STORIES {
        let new = format!("fixtures/diff/{story}");
        let Run { status, stdout, stderr } = run(&["diff", "fixtures/diff/before", &new]);
        let status = status.unwrap_or(-1);
        assert_snapshot(
            story,
            &format!("$ netpolc diff fixtures/diff/before {new}\nexit status {status}\n{stderr}\n{stdout}"),
        );
        // what was widened one way is narrowed the other way
        let back = run(&["diff", &new, "fixtures/diff/before"]);
        let count = |text: &str, word: &str| text.lines().filter(|line| line.starts_with(word)).count();
        for (one, other) in [("  widened", "  narrowed"), ("  narrowed", "  widened"), ("  came", "  went")] {
            assert_eq!(count(&stdout, one), count(&back.stdout, other), "{story}: {}", back.stdout);
        }
    }
}

#[test]
fn the_exit_status_is_that_of_what_was_asked_for() {
    let status = |story: &str, more: &[&str]| {
        let new = format!("fixtures/diff/{story}");
        run(&[&["diff", "fixtures/diff/before", &new], more].concat()).status
    };
    for (story, any, widened, narrowed) in [
        ("before", 0, 0, 0),
        ("formatting", 0, 0, 0),
        ("rename", 1, 0, 0),
        ("pod-more", 1, 0, 0),
        ("widened-cidr", 1, 1, 0),
        ("selected-direction", 1, 0, 1),
        ("node-port-opened", 1, 1, 0),
        ("node-more", 1, 0, 0),
        ("service-node-port", 1, 1, 1),
        ("service-local", 1, 0, 0),
    ] {
        assert_eq!(status(story, &[]), Some(any), "{story}");
        assert_eq!(status(story, &["--fail-on", "any"]), Some(any), "{story}");
        assert_eq!(status(story, &["--fail-on", "widened"]), Some(widened), "{story}");
        assert_eq!(status(story, &["--fail-on", "narrowed"]), Some(narrowed), "{story}");
    }
}

#[test]
fn nothing_is_one_line() {
    for story in ["before", "formatting"] {
        let result = run(&["diff", "fixtures/diff/before", &format!("fixtures/diff/{story}")]);
        assert_eq!(result.stdout.lines().count(), 1, "{}", result.stdout);
        assert!(result.stdout.starts_with("nothing changes"), "{}", result.stdout);
    }
}

/// A repository with two commits, read as revisions and as a folder.
#[test]
fn revisions_are_read_from_git() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("diff-repository");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("k8s")).unwrap();
    let git = |arguments: &[&str]| {
        let set = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
        let result = Run::of(Command::new("git").current_dir(&folder).args(set).args(arguments));
        assert_eq!(result.status, Some(0), "{}", result.stderr);
    };
    git(&["init", "-q"]);
    let copy = |story: &str| {
        for file in ["cluster.yaml", "policies.yaml"] {
            let from = root().join("fixtures/diff").join(story).join(file);
            std::fs::copy(from, folder.join("k8s").join(file)).unwrap();
        }
    };
    copy("before");
    std::fs::write(folder.join("k8s/notes.txt"), "not: a manifest").unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "before"]);
    copy("widened-cidr");
    git(&["commit", "-qam", "after"]);
    let diff = |old: &str, new: &str| {
        Run::of(Command::new(env!("CARGO_BIN_EXE_netpolc")).current_dir(&folder).args(["diff", old, new]))
    };
    let told = diff("HEAD~1:k8s", "HEAD:k8s");
    assert_eq!(told.status, Some(1), "{}", told.stderr);
    assert!(told.stdout.contains("HEAD:k8s/policies.yaml:"), "{}", told.stdout);
    let files = diff("HEAD~1:k8s", "k8s");
    assert_eq!(files.stdout.lines().next(), told.stdout.lines().next());
    assert_eq!(diff("HEAD:k8s", "k8s").status, Some(0));
    assert_eq!(diff("HEAD:./k8s/../k8s", "k8s").status, Some(0));
    for (old, message) in [
        ("nothing:k8s", "git does not know it as a revision and a path: fatal: "),
        ("HEAD:nothing", "git does not know it as a revision and a path: fatal: "),
        ("--exec=x:k8s", "unexpected argument"),
        ("HEAD:k8s/notes.txt", ""),
        ("nothing", "`nothing` does not exist"),
    ] {
        let result = diff(old, "k8s");
        assert_eq!((result.status, &*result.stdout), (Some(2), ""), "{old}");
        assert!(result.stderr.contains(message), "{old}: {}", result.stderr);
    }
    let twice = diff("-", "-");
    assert_eq!(twice.status, Some(2));
    assert!(twice.stderr.contains("standard input can be read once"), "{}", twice.stderr);
}

/// One state of a cluster, and its objects as they are noted.
fn read(objects: &[String]) -> (Collected, Vec<objects::Noted>) {
    let input = Input::Text { name: "cluster".to_owned(), bytes: objects.join("---\n").into_bytes() };
    let facts = CalicoVersion::LATEST.facts();
    let note = |object: &source::Object<'_>| (lower(object, facts), objects::note(object));
    let read = source::read(&[input], &Options { threads: 1 }, note);
    let (lowered, noted) = read.values.into_iter().unzip();
    (collect(lowered, InvalidMode::Skip, facts), noted)
}

/// Services, each with one endpoint at most, so that nothing is left to chance.
fn services(numbers: &mut Numbers) -> Vec<String> {
    let mut objects = Vec::new();
    for number in (0..3).filter(|_| numbers.one_in(2)).collect::<Vec<_>>() {
        let port = numbers.pick(&[80, 443]);
        let mut more = match numbers.below(3) {
            0 => String::new(),
            _ => format!(", nodePort: {}", 30_000 + numbers.below(3)),
        };
        more.push_str("}]");
        if numbers.one_in(3) {
            more.push_str(", externalIPs: [192.0.2.99]");
        }
        let policy = numbers.pick(&["Cluster", "Local"]);
        objects.push(format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: svc-{number}, namespace: shop}}\n\
             spec: {{type: NodePort, clusterIP: 172.16.0.{number}, externalTrafficPolicy: {policy}, \
             ports: [{{port: {port}, targetPort: 8000{more}}}\n"
        ));
        if !numbers.one_in(4) {
            let node = numbers.pick(&[1, 2]);
            let address = 1 + numbers.below(8);
            objects.push(format!(
                "apiVersion: v1\nkind: Endpoints\nmetadata: {{name: svc-{number}, namespace: shop}}\n\
                 subsets: [{{addresses: [{{ip: 10.244.0.{address}, nodeName: node-{node}}}], ports: [{{port: 8000}}]}}]\n"
            ));
        }
    }
    objects
}

/// A cluster and one that is another, or the same with some objects of another.
fn pair(runner: &mut TestRunner, numbers: &mut Numbers) -> (Vec<String>, Vec<String>) {
    let mut draw = || {
        let objects = clusters::objects().new_tree(runner).expect("a cluster").current();
        [objects, services(numbers)].concat()
    };
    let (before, other) = (draw(), draw());
    if numbers.one_in(4) {
        return (before, other);
    }
    let name = |object: &String| object.lines().take(3).collect::<String>();
    let mut after = before.clone();
    for own in &mut after {
        if let Some(there) = other.iter().find(|there| name(there) == name(own)).filter(|_| numbers.one_in(3))
        {
            own.clone_from(there);
        }
    }
    after.retain(|own| own.contains("kind: N") || !numbers.one_in(12));
    // a service that there was not may come with another's address
    let there = |own: &&String| !after.iter().any(|there| name(there) == name(own));
    let came = other.iter().filter(|own| own.contains("svc-")).filter(there).cloned().collect::<Vec<_>>();
    after.extend(came.into_iter().filter(|_| numbers.one_in(3)));
    (before, after)
}

/// What anybody outside of the node can see.
fn seen(outcome: Outcome<'_>) -> String {
    match outcome {
        Outcome::Dropped(_) => format!("{:?}", Outcome::Dropped(Hook::Input)),
        Outcome::Rejected(_) => format!("{:?}", Outcome::Rejected(Hook::Input)),
        other => format!("{other:?}"),
    }
}

fn is_accepted(outcome: Outcome<'_>) -> bool {
    matches!(outcome, Outcome::Delivered | Outcome::Forwarded(_) | Outcome::Sent(_))
}

/// What becomes of a packet on one side.
#[derive(Debug, PartialEq)]
struct Fate {
    /// it is let through
    accepted: bool,
    /// what can be seen of it
    seen: String,
    /// the destination that it gets instead of its own
    to: Option<(u128, u16)>,
}

/// Both fates of a packet.
fn fates(sides: [&Side<'_>; 2], packet: &Packet<'_>, connection: Connection) -> [Fate; 2] {
    let own = (packet.destination, packet.destination_port);
    sides.map(|side| {
        let mut packet = *packet;
        let outcome = side.kernel.send(&mut packet, connection, &mut ());
        let to = Some((packet.destination, packet.destination_port)).filter(|to| *to != own);
        Fate { accepted: is_accepted(outcome), seen: seen(outcome), to }
    })
}

fn packet<'a>(
    family: Family,
    values: &[u128; Field::ALL.len()],
    in_interface: &'a str,
    connection: Connection,
) -> Packet<'a> {
    let value = |field: Field| values[field as usize];
    let protocol = value(Field::Protocol) as u8;
    Packet {
        connection_mark: 0,
        family,
        source: value(Field::Source),
        destination: value(Field::Destination),
        protocol,
        source_port: value(Field::SourcePort) as u16,
        destination_port: value(Field::DestinationPort) as u16,
        syn: protocol == TCP && connection == Connection::First,
        in_interface,
        out_interface: "",
        mark: 0,
        state: ConntrackStates::INVALID,
        untracked: false,
    }
}

/// What a fate has to do with the kind that a difference is said to be.
fn is_of_kind(kind: Kind, [before, after]: &[Fate; 2]) -> bool {
    // let through, and lost on the other side; or by a service that does not take it there
    let only = |own: &Fate, other: &Fate| {
        own.accepted && (!other.accepted || own.to.is_some() && own.to != other.to)
    };
    before.seen != after.seen
        && match kind {
            Kind::Widened => only(after, before),
            Kind::Narrowed => only(before, after),
            Kind::Otherwise => before.accepted == after.accepted,
            Kind::Came | Kind::Went => true,
        }
}

#[derive(Default)]
struct Count {
    packets: usize,
    different: usize,
    sets: usize,
    witnesses: usize,
}

/// A node on both sides; where one has none, what stands for that.
fn sides(clusters: [&Cluster<'_>; 2], node: &str) -> [Compiled; 2] {
    let compile = |cluster: &Cluster<'_>| {
        let there = cluster.node_names().any(|name| name == node);
        let view = cluster.view(&NodeRequest { node, interfaces: None }).view.filter(|_| there);
        view.map(|view| Compiled::new(cluster, view, false))
    };
    match clusters.map(compile) {
        [Some(before), Some(after)] => [before, after],
        [Some(before), None] => {
            let after = Compiled::absent(&before);
            [before, after]
        }
        [None, Some(after)] => [Compiled::absent(&after), after],
        [None, None] => panic!("no node {node}"),
    }
}

/// Everything that is said of a pair of clusters, and packets that are drawn.
fn hold(
    pair: &(Vec<String>, Vec<String>),
    node: &str,
    packets: usize,
    numbers: &mut Numbers,
    count: &mut Count,
) {
    let ((old, old_noted), (new, new_noted)) = (read(&pair.0), read(&pair.1));
    let (old, new) = (Cluster::new(&old.resources), Cluster::new(&new.resources));
    let [before, after] = sides([&old, &new], node);
    let (before, after) = (Side::new(&before), Side::new(&after));
    let interfaces = side::interfaces(&before, &after);
    let moved = diff::moved(&old, &new);
    for family in [Family::V4, Family::V6] {
        let mut space = Space::new(family);
        let compared = exact::compare(&mut space, &before, &after, &interfaces, &moved, &exact::CONNECTIONS);
        let drawn = [&before, &after].map(|side| values(&side.own.with_proxy, family, &side.kernel.routes));
        for own in &compared {
            for kind in Kind::ALL {
                let Some(values) = space.sample(own.sets[kind as usize]) else { continue };
                let name =
                    interfaces.name(values[Field::InInterface as usize] as u16).replace('…', "unknown");
                let packet = packet(family, &values, &name, own.connection);
                let fates = fates([&before, &after], &packet, own.connection);
                assert!(is_of_kind(kind, &fates), "{kind:?} {:?}: {fates:?}, {packet:?}", own.connection);
                count.sets += 1;
            }
            for _ in 0..packets / 6 {
                let values: &Values = numbers.one_of(&drawn);
                let packet = random(numbers, family, values, own.connection);
                let fates = fates([&before, &after], &packet, own.connection);
                let point = point(&packet, &interfaces);
                let said =
                    Kind::ALL.into_iter().find(|kind| space.contains(own.sets[*kind as usize], &point));
                count.packets += 1;
                match said {
                    Some(kind) => {
                        assert!(is_of_kind(kind, &fates), "{kind:?} {fates:?} {packet:?}");
                        count.different += 1;
                    }
                    None => assert_eq!(fates[0].seen, fates[1].seen, "{:?} {packet:?}", own.connection),
                }
            }
        }
    }
    let old = State { cluster: &old, noted: &old_noted, digests: vec![0] };
    let new = State { cluster: &new, noted: &new_noted, digests: vec![1] };
    for change in diff::compare(&old, &new, Some(node), None).changes {
        let witness = &change.witness;
        let name = witness.in_interface.replace('…', "unknown");
        let packet = packet(witness.family, &witness.packet, &name, change.connection);
        let fates = fates([&before, &after], &packet, change.connection);
        assert!(is_of_kind(change.kind, &fates), "{change:?}: {fates:?}");
        assert_eq!((witness.before.accepted, witness.after.accepted), (fates[0].accepted, fates[1].accepted));
        count.witnesses += 1;
    }
}

/// Packets of random pairs of clusters: fewer in every run, a million with `NETPOLC_DIFF_PACKETS=1000000`.
#[test]
fn every_difference_is_one_for_packets_and_none_is_missing() {
    let wanted = std::env::var("NETPOLC_DIFF_PACKETS").ok().and_then(|text| text.parse().ok());
    let (pairs, packets): (usize, usize) = (24, wanted.unwrap_or(60_000));
    let mut runner = TestRunner::deterministic();
    let mut numbers = Numbers::new(7);
    let pairs: Vec<_> = (0..pairs).map(|_| pair(&mut runner, &mut numbers)).collect();
    let each = packets.div_ceil(pairs.len() * 6) * 6;
    let numbered: Vec<_> = (0..).zip(&pairs).collect();
    let counts = common::in_parallel(&numbered, |(number, pair)| {
        let mut count = Count::default();
        hold(pair, "node-1", each, &mut Numbers::new(*number + 100), &mut count);
        count
    });
    let sum = |of: fn(&Count) -> usize| counts.iter().map(of).sum::<usize>();
    let (packets, different) = (sum(|c| c.packets), sum(|c| c.different));
    let (sets, witnesses) = (sum(|c| c.sets), sum(|c| c.witnesses));
    println!("{packets} packets, {different} of them with another fate; {sets} sets, {witnesses} witnesses");
    assert!(different > packets / 100 && sets > 50 && witnesses > 50, "{different} {sets} {witnesses}");
}

/// A node that only one side has: everything that it lets through is said to come or to go with it, and nothing else.
#[test]
fn a_node_comes_and_goes_with_all_its_packets() {
    let mut runner = TestRunner::deterministic();
    let mut numbers = Numbers::new(11);
    let mut count = Count::default();
    for round in 0..6 {
        let with =
            [clusters::objects().new_tree(&mut runner).unwrap().current(), services(&mut numbers)].concat();
        let mut without = with.clone();
        without.retain(|own| !own.contains("name: node-2,") && !own.contains("nodeName: node-2,"));
        assert!(without.len() < with.len());
        let pair = if round % 2 == 0 { (without, with) } else { (with, without) };
        hold(&pair, "node-2", 600, &mut numbers, &mut count);
    }
    assert!(count.different > 100 && count.witnesses > 12, "{} {}", count.different, count.witnesses);
}

/// Where a packet to a door of a service ends up: its destination and port if it got new ones, its source, and its fate.
fn through_door(side: &Side<'_>, door: &Door, from: (&str, IpAddr)) -> (Option<(u128, u16)>, u128, bool) {
    let node = "203.0.113.11".parse().expect("an address");
    let destination = number(door.address.unwrap_or(node));
    let mut values = [0; Field::ALL.len()];
    for (field, value) in [
        (Field::Source, number(from.1)),
        (Field::Destination, destination),
        (Field::Protocol, u128::from(door.protocol)),
        (Field::SourcePort, 40_000),
        (Field::DestinationPort, u128::from(door.port)),
    ] {
        values[field as usize] = value;
    }
    let mut packet = packet(Family::V4, &values, from.0, Connection::First);
    let outcome = side.kernel.send(&mut packet, Connection::First, &mut ());
    let to = (packet.destination, packet.destination_port);
    let translated = (to != (destination, door.port)).then_some(to);
    (translated, packet.source, is_accepted(outcome))
}

/// What the first sentence says of services is what the interpreter does with packets to their doors, and if packets
/// go elsewhere, it says so.
#[test]
fn what_is_said_of_services_is_what_happens_to_packets() {
    let mut numbers = Numbers::new(5);
    let (mut said, mut moved, mut doors) = (0, 0, 0);
    for _ in 0..60 {
        let base: Vec<String> = clusters::base();
        let [before, after] = [(); 2].map(|()| {
            let pods = (0..8).map(|pod| {
                format!(
                    "apiVersion: v1\nkind: Pod\nmetadata: {{name: pod-{pod}, namespace: shop}}\n\
                     spec: {{nodeName: node-1, containers: [{{name: c, image: i}}]}}\n\
                     status: {{phase: Running, podIPs: [{{ip: 10.244.0.{}}}]}}\n",
                    pod + 1
                )
            });
            [base.clone(), pods.collect(), services(&mut numbers)].concat()
        });
        let ((before, old_noted), (after, new_noted)) = (read(&before), read(&after));
        let [old, new] = [&before, &after].map(|own| Cluster::new(&own.resources));
        let compiled = sides([&old, &new], "node-1");
        let sides = [Side::new(&compiled[0]), Side::new(&compiled[1])];
        let states = [(&old, &old_noted), (&new, &new_noted)].map(|(cluster, noted)| State {
            cluster,
            noted,
            digests: Vec::new(),
        });
        let difference = diff::compare(&states[0], &states[1], Some("node-1"), None);
        let sentence = difference.sentence();
        let of = |side: &Cluster<'_>| -> Vec<(String, Door, bool)> {
            let all = offers(side.resources()).collect::<Vec<_>>();
            let doors = all.into_iter().flat_map(|offer| {
                let name = format!("shop/{}", offer.service.meta.name);
                offer.doors.into_iter().map(move |(door, to)| (name.clone(), door, !to.is_empty()))
            });
            doors.collect()
        };
        let all = [of(&old), of(&new)];
        for (name, door, _) in all.iter().flatten() {
            doors += 1;
            // of two services with one door, the first has it
            if all.iter().flatten().any(|(other, there, _)| there == door && other != name) {
                continue;
            }
            let change = difference.services.iter().find(|change| change.name == *name);
            let words = change.map(|change| change.sentence()).unwrap_or_default();
            assert!(
                change.is_none() || difference.services.len() > 3 || sentence.contains(&words),
                "{sentence}"
            );
            let text = match door.kind {
                DoorKind::NodePort => format!("node port {}", door.port),
                kind => format!("{} {} port {}", kind.name(), door.address.unwrap(), door.port),
            };
            for from in [("eth1", [198, 51, 100, 7]), ("eth0", [10, 0, 0, 12]), ("", [203, 0, 113, 11])] {
                let from = (from.0, IpAddr::from(from.1));
                let [before, after] = [0, 1].map(|side| through_door(&sides[side], door, from));
                if before != after {
                    moved += 1;
                    assert!(change.is_some(), "nothing is said of {name}: {door:?} {before:?} {after:?}");
                }
                let has = |side: &[(String, Door, bool)]| {
                    side.iter().find(|(own, there, _)| own == name && there == door).map(|own| own.2)
                };
                let (was, is) = (has(&all[0]), has(&all[1]));
                if was.is_none() || is.is_none() {
                    said += 1;
                    assert!(words.contains(&text), "{words}: {text}");
                    // and it was no door before, or is none any more
                    let closed = if was.is_none() { before } else { after };
                    assert_eq!(closed.0, None, "{words}: {text}");
                }
            }
        }
    }
    assert!(said > 100 && moved > 100 && doors > 300, "{said} {moved} {doors}");
}

/// Comments and the order of objects are no difference; a policy that is called otherwise is one in names only.
#[test]
fn order_comments_and_names_change_nothing_for_packets() {
    let mut runner = TestRunner::deterministic();
    let mut numbers = Numbers::new(3);
    let mut renamed = 0;
    for _ in 0..12 {
        let before =
            [clusters::objects().new_tree(&mut runner).unwrap().current(), services(&mut numbers)].concat();
        let mut after = before.clone();
        for place in (1..after.len()).rev() {
            after.swap(place, numbers.below(place + 1));
        }
        let commented: Vec<String> = after
            .iter()
            .map(|own| format!("# {}\n{}", numbers.below(99), own.replace("\nspec:", "\n# why\n\nspec:")))
            .collect();
        let compared = |after: &[String]| {
            let ((old, old_noted), (new, new_noted)) = (read(&before), read(after));
            let (old, new) = (Cluster::new(&old.resources), Cluster::new(&new.resources));
            let before = State { cluster: &old, noted: &old_noted, digests: vec![0] };
            let after = State { cluster: &new, noted: &new_noted, digests: vec![1] };
            diff::compare(&before, &after, None, None)
        };
        let same = compared(&commented);
        assert!(same.is_empty() && same.services.is_empty(), "{same:?}");
        assert!(same.sentence().starts_with("nothing changes: only formatting"), "{}", same.sentence());
        let others: Vec<String> = after.iter().map(|own| own.replace("{name: k-", "{name: other-")).collect();
        if others != after {
            renamed += 1;
            let other = compared(&others);
            let (changes, sentence) = (&other.changes, other.sentence());
            assert!(changes.is_empty() && other.services.is_empty(), "{changes:?}");
            assert!(sentence.starts_with("nothing changes for packets, only names: "), "{sentence}");
        }
    }
    assert!(renamed > 5, "{renamed}");
}

/// One pod more in the sample cluster changes its own chains, those that lead to endpoints, and the sets that have its
/// address now; and for packets nothing but its own.
#[test]
fn a_pod_more_changes_only_what_is_its_own() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("diff-iks");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for file in common::files("fixtures/iks/cluster") {
        std::fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web-more, namespace: shop, labels: {app: web, tier: frontend}}\n\
               spec: {nodeName: 10.176.48.67, serviceAccountName: web, containers: [{name: web, image: web, ports: [{name: http, containerPort: 8080}, {name: https, containerPort: 8443}]}]}\n\
               status: {phase: Running, podIPs: [{ip: 172.30.9.9}]}\n";
    std::fs::write(folder.join("more.yaml"), pod).unwrap();
    let told = run(&["diff", "fixtures/iks/cluster", folder.to_str().unwrap(), "--format", "json"]);
    assert_eq!(told.status, Some(1), "{}", told.stderr);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let texts = |value: &serde_json::Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let (mut sets, mut chains) = (0, Vec::new());
    for rule in told["rules"].as_array().unwrap() {
        let (names, lines) = (texts(&rule["names"]), texts(&rule["lines"]));
        if rule.get("table").is_none() {
            assert!(lines.iter().all(|line| line.starts_with("+ 172.30.9.9")), "{rule}");
            assert_eq!(rule["what"], "changed", "{rule}");
            sets += 1;
        } else if !names.iter().all(|name| name.contains("-wl-dispatch")) {
            assert_eq!(rule["what"], "added", "{rule}");
            chains.extend(names);
        }
    }
    chains.sort();
    chains.dedup();
    let [one, other] = &chains[..] else { panic!("{chains:?}") };
    assert!(one.starts_with("cali-fw-cali") && other.starts_with("cali-tw-cali"), "{chains:?}");
    assert!(sets > 0);
    for change in told["changes"].as_array().unwrap() {
        assert_eq!(change["kind"], "came", "{change}");
        let text = change.to_string();
        assert!(text.contains("shop/web-more") || text.contains("172.30.9.9"), "{change}");
    }
    assert_eq!(told["objects"].as_array().unwrap().len(), 1);
}
