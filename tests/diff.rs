//! What `netpolc diff` says about packets, against the interpreter that sends them one by one; and what a user sees.

mod common;

use common::packets::{Values, point, random, values};
use common::{Numbers, Run, clusters, root, run};
use netpolc::diff::exact::{self, Kind};
use netpolc::diff::side::{self, Compiled, Side};
use netpolc::diff::{self, State, objects};
use netpolc::ir::{ConntrackStates, Family};
use netpolc::kernel::conntrack::Connection;
use netpolc::kernel::packet::{Packet, TCP};
use netpolc::kernel::{Hook, Outcome};
use netpolc::model::{Collected, InvalidMode, collect, lower};
use netpolc::resolve::{Cluster, NodeRequest};
use netpolc::source::{self, Input, Options};
use netpolc::space::{Field, Space};
use netpolc::version::CalicoVersion;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::process::Command;

/// Edits of one cluster, one story each.
const STORIES: [&str; 6] =
    ["rename", "formatting", "selected-direction", "widened-cidr", "pod-more", "node-port-opened"];

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

/// A cluster and one that is another, or the same with some objects of another.
fn pair(runner: &mut TestRunner, numbers: &mut Numbers) -> (Vec<String>, Vec<String>) {
    let mut draw = || clusters::objects().new_tree(runner).expect("a cluster").current();
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

/// Both fates of a packet: whether it is let through, and what can be seen of it.
fn fates(sides: [&Side<'_>; 2], packet: &Packet<'_>, connection: Connection) -> [(bool, String); 2] {
    sides.map(|side| {
        let mut packet = *packet;
        let outcome = side.kernel.send(&mut packet, connection, &mut ());
        (is_accepted(outcome), seen(outcome))
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
fn is_of_kind(kind: Kind, [before, after]: &[(bool, String); 2]) -> bool {
    before.1 != after.1
        && match kind {
            Kind::Widened => !before.0 && after.0,
            Kind::Narrowed => before.0 && !after.0,
            Kind::Otherwise => before.0 == after.0,
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

/// Everything that is said of a pair of clusters, and packets that are drawn.
fn hold(pair: &(Vec<String>, Vec<String>), packets: usize, numbers: &mut Numbers, count: &mut Count) {
    let ((old, old_noted), (new, new_noted)) = (read(&pair.0), read(&pair.1));
    let (old, new) = (Cluster::new(&old.resources), Cluster::new(&new.resources));
    let request = NodeRequest { node: "node-1", interfaces: None };
    let [before, after] = [&old, &new].map(|cluster| {
        let view = cluster.view(&request).view.expect("the node is there");
        Compiled::new(cluster, view, false)
    });
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
                    None => assert_eq!(fates[0].1, fates[1].1, "{:?} {packet:?}", own.connection),
                }
            }
        }
    }
    let old = State { cluster: &old, noted: &old_noted, digests: vec![0] };
    let new = State { cluster: &new, noted: &new_noted, digests: vec![1] };
    for change in diff::compare(&old, &new, Some("node-1"), None).changes {
        let witness = &change.witness;
        let name = witness.in_interface.replace('…', "unknown");
        let packet = packet(witness.family, &witness.packet, &name, change.connection);
        let fates = fates([&before, &after], &packet, change.connection);
        assert!(is_of_kind(change.kind, &fates), "{change:?}: {fates:?}");
        assert_eq!((witness.before.accepted, witness.after.accepted), (fates[0].0, fates[1].0));
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
        hold(pair, each, &mut Numbers::new(*number + 100), &mut count);
        count
    });
    let sum = |of: fn(&Count) -> usize| counts.iter().map(of).sum::<usize>();
    let (packets, different) = (sum(|c| c.packets), sum(|c| c.different));
    let (sets, witnesses) = (sum(|c| c.sets), sum(|c| c.witnesses));
    println!("{packets} packets, {different} of them with another fate; {sets} sets, {witnesses} witnesses");
    assert!(different > packets / 100 && sets > 50 && witnesses > 50, "{different} {sets} {witnesses}");
}
