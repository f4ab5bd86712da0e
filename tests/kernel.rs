//! Against the real kernel, in network namespaces of its own: what `check` says it refuses, and
//! that it prints what `compile` prints.
//!
//! Needs `unshare`, `iptables-legacy-restore` and `ipset`, and a kernel that lets us use them; `make test` installs
//! them where it may. Without them these tests are skipped, unless `NETPOLC_KERNEL=1` says that they
//! must not be.

mod common;

use common::{files, in_parallel, relative, run};
use netpolc::check::loadable;
use netpolc::emit;
use netpolc::ir::{
    Action, Address, Family, MarkSpelling, Match, Matcher, Origin, Protocol, RejectWith, Rule, Side,
    TableName, Translation,
};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Runs a script of `sh` in a fresh network namespace; gives its output, or `None` if that fails.
fn in_namespace(script: &str) -> Option<String> {
    let mut child = Command::new("unshare")
        .args(["-rn", "sh"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    let text = script.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().ok()?;
    writer.join().expect("no panic").ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).expect("output is UTF-8"))
}

/// Whether the kernel can be asked.
fn kernel_is_here() -> bool {
    let script = "iptables-legacy-save -V && ip6tables-legacy-save -V && ipset create a hash:net && \
                  printf '*raw\nCOMMIT\n' | iptables-legacy-restore";
    if in_namespace(script).is_some() {
        return true;
    }
    assert!(std::env::var_os("NETPOLC_KERNEL").is_none(), "the kernel cannot be asked, and must be");
    eprintln!("SKIPPED: iptables (legacy), ipset or network namespaces are not here");
    false
}

fn restore(family: Family) -> &'static str {
    match family {
        Family::V4 => "iptables-legacy-restore",
        Family::V6 => "ip6tables-legacy-restore",
    }
}

/// A rule to try, and where.
struct Trial {
    family: Family,
    table: TableName,
    rule: Rule,
}

/// Every combination of a protocol, a match and an action in every table of both families.
fn trials() -> Vec<Trial> {
    let protocol = |number| Match::is(Matcher::Protocol(Protocol::Number(number)));
    let mut protocols = vec![vec![], vec![Match::not(Matcher::Protocol(Protocol::Number(0)))]];
    protocols.extend([1, 6, 17, 33, 47, 58, 132, 136].map(|number| vec![protocol(number)]));
    protocols.push(vec![Match::not(Matcher::Protocol(Protocol::Number(6)))]);
    protocols.push(vec![Match::not(Matcher::Protocol(Protocol::Number(1)))]);
    let limit = |rate: &str, burst| Match::is(Matcher::Limit { rate: rate.into(), burst });
    let matches = [
        vec![],
        vec![Match::is(Matcher::Icmp(8, None))],
        vec![Match::not(Matcher::Icmp(8, Some(0)))],
        vec![Match::is(Matcher::Ports(Side::Destination, vec![(80, 80), (8000, 8080)]))],
        vec![Match::not(Matcher::Ports(Side::Source, vec![(80, 80)]))],
        vec![Match::is(Matcher::Ports(Side::Source, vec![(90, 80)]))],
        vec![Match::is(Matcher::TcpSyn)],
        vec![Match::is(Matcher::InInterface("abcdefghijklmno".into()))],
        vec![Match::is(Matcher::InInterface("abcdefghijklmnop".into()))],
        vec![Match::is(Matcher::InInterface("abcdefghijklmno+".into()))],
        vec![Match::is(Matcher::ConnectionsAbove(4_294_967_295))],
        vec![Match::is(Matcher::ConnectionsAbove(4_294_967_296))],
        vec![limit("10/minute", Some(5))],
        vec![limit("10000/second", Some(10_000))],
        vec![limit("10001/second", None)],
        vec![limit("10/second", Some(10_001))],
        vec![limit("1/day", Some(10_000))],
        vec![limit("0/second", None)],
    ];
    let rule = |matches: Vec<Match>, action| Rule::new(matches, action, Origin::Static);
    let mut rules: Vec<Rule> = Vec::new();
    for own in &protocols {
        for more in &matches {
            rules.push(rule([&own[..], more].concat(), Action::Return));
        }
    }
    let v4: std::net::IpAddr = "203.0.113.1".parse().unwrap();
    let v6: std::net::IpAddr = "2001:db8::1".parse().unwrap();
    let actions = [
        Action::Accept,
        Action::Drop,
        Action::Reject(RejectWith::PortUnreachable),
        Action::Reject(RejectWith::TcpReset),
        Action::NoTrack,
        Action::Mark { value: 1, mask: 1, spelling: MarkSpelling::Hex },
        Action::Snat(Translation::to(v4).into()),
        Action::Snat(Translation::to(v6).random_fully(true).into()),
        Action::Snat(Translation::to(v4).ports(Some((100, 200))).random_fully(true).into()),
        Action::Snat(Translation::to(v4).ports(Some((200, 100))).random_fully(true).into()),
        Action::Masquerade(Translation::default().ports(Some((100, 200))).random_fully(true).into()),
        Action::Masquerade(Translation::default().ports(Some((200, 100))).into()),
        Action::Masquerade(Translation::default().into()),
        Action::Dnat(Translation::to(v4).into()),
        Action::Dnat(Translation::to(v6).into()),
    ];
    for action in &actions {
        for own in &protocols {
            rules.push(rule(own.clone(), action.clone()));
        }
    }
    rules.push(rule(vec![Match::is(Matcher::ReversePathFails)], Action::Drop));
    rules
        .push(rule(vec![Match::is(Matcher::Address(Side::Source, vec![Address::Host(v4)]))], Action::Return));
    let mut trials = Vec::new();
    for family in [Family::V4, Family::V6] {
        for table in TableName::ALL {
            for rule in &rules {
                let translates =
                    matches!(rule.action, Some(Action::Snat(_) | Action::Dnat(_) | Action::Masquerade(_)));
                let address = rule.matches.iter().any(|m| matches!(m.on, Matcher::Address(..)));
                // Felix writes these where they belong only
                if (translates && table != TableName::Nat) || (address && family == Family::V6) {
                    continue;
                }
                trials.push(Trial { family, table, rule: rule.clone() });
            }
        }
    }
    trials
}

fn text(trial: &Trial) -> String {
    let mut text = String::from("-A T");
    emit::felix::body(&mut text, &trial.rule, trial.family);
    text
}

#[test]
fn the_kernel_refuses_what_check_says_it_refuses() {
    if !kernel_is_here() {
        return;
    }
    let trials = trials();
    let chunks: Vec<&[Trial]> = trials.chunks(trials.len().div_ceil(8)).collect();
    let answers: Vec<bool> = in_parallel(&chunks, |chunk| {
        let mut script = String::new();
        for trial in *chunk {
            writeln!(
                script,
                "{} --noflush 2> /dev/null <<'END' && echo taken || echo refused\n*{}\n:T - [0:0]\n{}\nCOMMIT\nEND",
                restore(trial.family),
                trial.table.name(),
                text(trial)
            )
            .unwrap();
        }
        let answers = in_namespace(&script).expect("the script runs");
        answers.lines().map(|line| line == "refused").collect::<Vec<_>>()
    })
    .concat();
    assert_eq!(answers.len(), trials.len());
    let mut wrong = String::new();
    for (trial, refused) in trials.iter().zip(&answers) {
        let said = loadable::refused_rule(&trial.rule, trial.family, trial.table);
        if said.is_some() != *refused {
            let (table, text) = (trial.table.name(), text(trial));
            writeln!(wrong, "{:?} {table}: {text}: refused {refused}, said {said:?}", trial.family).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(answers.iter().any(|refused| *refused) && answers.iter().any(|refused| !*refused));
}

/// A dump as the recorded ones are: without comment lines, counters zeroed, tables in our order.
fn normalized(dump: &str) -> String {
    let mut tables: Vec<(usize, String)> = Vec::new();
    for line in dump.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let Some(name) = line.strip_prefix('*') {
            let place = TableName::ALL.iter().position(|table| table.name() == name).expect("a known table");
            tables.push((place, String::new()));
        }
        let (_, text) = tables.last_mut().expect("a table comes first");
        match line.strip_prefix(':').and_then(|rest| rest.rsplit_once(" [")) {
            Some((chain, _)) => writeln!(text, ":{chain} [0:0]").unwrap(),
            None => writeln!(text, "{line}").unwrap(),
        }
    }
    tables.sort();
    // chains and rules of a table in the order of a dump by name: sorted here for both sides
    let sorted = tables.into_iter().map(|(_, text)| {
        let mut lines: Vec<&str> = text.lines().collect();
        let first = lines.iter().position(|line| line.starts_with("-A")).unwrap_or(lines.len() - 1);
        lines[1..first].sort_unstable();
        let chain = |line: &&str| line.split(' ').nth(1).unwrap_or("").to_owned();
        let last = lines.len() - 1;
        lines[first..last].sort_by_key(chain);
        lines.join("\n")
    });
    sorted.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_kernel_prints_what_compile_prints() {
    if !kernel_is_here() {
        return;
    }
    let mut clusters: Vec<(String, &str)> =
        files("fixtures/compile").iter().map(|path| (relative(path), "worker-1")).collect();
    let golden = std::fs::read_dir(common::root().join("fixtures/golden")).unwrap();
    let folders = golden.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    clusters.extend(folders.map(|path| (format!("{}/cluster.yaml", relative(&path)), "node-1")));
    clusters.sort();
    let wrong: Vec<String> = in_parallel(&clusters, |(cluster, node)| {
        let part = |part: &str, dialect: &str| {
            run(&[
                "compile",
                cluster,
                "--node",
                node,
                "--invalid",
                "skip",
                "--emit",
                part,
                "--dialect",
                dialect,
            ])
            .stdout
        };
        let mut script = format!("ipset restore <<'END'\n{}END\n", part("ipsets", "save"));
        let mut wanted = Vec::new();
        for (name, family) in [("iptables", Family::V4), ("ip6tables", Family::V6)] {
            let restore = restore(family);
            writeln!(
                script,
                "{restore} <<'END' || echo FAILED\n{}END\n{}; echo ====",
                part(name, "felix"),
                restore.replace("restore", "save")
            )
            .unwrap();
            wanted.push(part(name, "save"));
        }
        let printed = in_namespace(&script).unwrap_or_else(|| panic!("{cluster}: the script fails"));
        let dumps: Vec<&str> = printed.split("====\n").collect();
        let differs = |(dump, wanted): (&&str, &String)| normalized(dump) != normalized(wanted);
        if printed.contains("FAILED") || dumps.iter().zip(&wanted).any(differs) {
            format!("{cluster}:\n{printed}\nwanted:\n{}", wanted.join("====\n"))
        } else {
            String::new()
        }
    });
    let wrong: Vec<&String> = wrong.iter().filter(|text| !text.is_empty()).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{:.20000}", wrong.len(), clusters.len(), wrong[0]);
}

/// What is saved on a node that has loaded the rules and sets of `compile` is what it should have, whoever
/// saves it.
#[test]
fn a_node_that_loaded_what_is_compiled_has_what_it_should() {
    if !kernel_is_here() {
        return;
    }
    let node = ["fixtures/compile/dual-stack.yaml", "--node", "worker-1", "--node-addresses"];
    let node = [&node[..], &["fixtures/compile/node/ip-addr.json"]].concat();
    let part =
        |part: &str| run(&[&["compile"], &node[..], &["--emit", part, "--dialect", "felix"]].concat()).stdout;
    for kind in ["legacy", "nft"] {
        let mut script = format!("ipset restore <<'END' || exit 1\n{}END\n", part("ipsets"));
        for name in ["iptables", "ip6tables"] {
            writeln!(script, "{name}-{kind}-restore <<'END' || exit 1\n{}END", part(name)).unwrap();
        }
        writeln!(script, "iptables-{kind}-save -c; ip6tables-{kind}-save; echo ====; ipset save").unwrap();
        let Some(saved) = in_namespace(&script) else {
            // not every kernel that has one kind of iptables has the other
            assert!(kind == "nft", "the script fails");
            eprintln!("SKIPPED: iptables (nft) cannot be used here");
            continue;
        };
        let (rules, sets) = saved.split_once("====\n").expect("both were saved");
        let file = |name: &str, text: &str| {
            let path = format!("{}/verify-{kind}.{name}", env!("CARGO_TARGET_TMPDIR"));
            std::fs::write(&path, text).expect("the build's folder can be written");
            path
        };
        let (rules, sets) = (file("rules", rules), file("ipsets", sets));
        let result = run(&[&["verify"], &node[..], &["--dump", &rules, "--ipsets", &sets]].concat());
        assert_eq!(result.status, Some(0), "{kind}: {}{}", result.stdout, result.stderr);
    }
}
