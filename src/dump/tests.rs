//! Mistakes in dumps, damaged dumps, and random rules that are printed and read.

use super::{Entry, parse, parse_sets};
use crate::diagnostic::{Diagnostic, FileId, Location};
use crate::emit::{self, Dialect};
use crate::fuzz;
use crate::ir::*;
use proptest::prelude::*;
use std::sync::Arc;

const FILE: FileId = FileId(3);

/// The first finding: line, column and text.
fn wrong(text: &str) -> String {
    told(parse(text, FILE).map(|_| ()))
}

fn told(result: Result<(), Vec<Diagnostic>>) -> String {
    let found = result.expect_err("a mistake");
    let first = &found[0];
    let Location { line, column, .. } = first.at.expect("a place");
    format!("{line}:{column}: {}", first.message)
}

#[test]
fn mistakes_are_told_with_their_place() {
    let table = |rule: &str| format!("*filter\n:cali-a - [0:0]\n{rule}\nCOMMIT\n");
    for (text, message) in [
        ("-A INPUT -j ACCEPT\n".to_owned(), "1:1: a rule is outside of any table"),
        (
            "Chain INPUT (policy ACCEPT)\n".to_owned(),
            "1:1: expected `*table`, `:chain`, `-A chain`, `COMMIT` or `#`, found `Chain`",
        ),
        ("*filter\n".to_owned(), "1:1: the table `filter` does not end: there is no `COMMIT`"),
        ("*filter\n*nat\n".to_owned(), "2:1: the table `filter` has not ended yet"),
        ("*filter\n:INPUT\n".to_owned(), "2:7: expected a policy, found the end"),
        ("*filter\n:INPUT QUEUE [0:0]\n".to_owned(), "2:8: expected `ACCEPT`, `DROP` or `-`, found `QUEUE`"),
        ("*filter\n:INPUT DROP [0;0]\n".to_owned(), "2:15: expected `:`, found `;0]`"),
        (
            "*filter\n:INPUT DROP [0:99999999999999999999]\n".to_owned(),
            "2:16: expected a number of 64 bits, found `99999999999999999999]`",
        ),
        (
            "*filter\n:INPUT DROP[0:0]\n".to_owned(),
            "2:12: expected a blank or the end of the line, found `[0:0]`",
        ),
        (table(":cali-a - [0:0]"), "3:2: the chain `cali-a` is declared twice"),
        (table("-A cali-b -j DROP"), "3:4: the table `filter` has no chain `cali-b`"),
        (table("-A PREROUTING -j DROP"), "3:4: the table `filter` has no chain `PREROUTING`"),
        (table("-A cali-a -s 10.0.0.256/32 -j DROP"), "3:14: `10.0.0.256/32` is no address"),
        (table("-A cali-a -p 256 -j DROP"), "3:14: protocol `256` is more than 255"),
        (table("-A cali-a -j"), "3:13: a value should follow `-j`"),
        (table("-A cali-a !"), "3:12: an option should follow `!`"),
        (table("-A cali-a ! -m mark --mark 1"), "3:11: `!` cannot stand before this option"),
        (table("-A cali-a -m ! tcp"), "3:13: a value should follow `-m`"),
        (table("-A cali-a -s \"10.0.0.1\""), "3:14: `10.0.0.1` should stand without quotes"),
        (table("-A cali-a -s 10.0.0.1/255.0.255.0,x"), "3:14: `10.0.0.1/255.0.255.0,x` is no address"),
        (table("-A cali-a ! -s 10.0.0.1,10.0.0.2"), "3:16: `!` cannot stand before several addresses"),
        (table("-A cali-a -c 0 x"), "3:16: expected a number of 64 bits, found `x`"),
        (table("-A cali-a -m comment --comment"), "3:31: a value should follow `--comment`"),
        (table("-A cali-a -m tcp 22"), "3:18: expected an option, found `22`"),
        (table("-A cali-a -j DROP -s 10.0.0.1"), "3:19: expected the end of the rule, found `-s`"),
        (table("-A cali-a ACCEPT"), "3:11: expected an option, found `ACCEPT`"),
        (
            table("-A cali-a -m comment --comment \"é it's -j DROP"),
            "3:32: a text begins with `\"` and does not end",
        ),
    ] {
        assert_eq!(wrong(&text), message, "{text}");
    }
}

#[test]
fn mistakes_in_sets_are_told_with_their_place() {
    for (text, message) in [
        ("Name: x\n", "1:1: expected `create` or `add`, found `Name:`"),
        ("add x 10.0.0.1\n", "1:5: there is no set `x` yet"),
        ("create x\n", "1:1: a name and a type should follow `create`"),
        ("create x hash:ip\ncreate x hash:ip\n", "2:8: the set `x` is created twice"),
    ] {
        assert_eq!(told(parse_sets(text, FILE).map(|_| ())), message);
    }
}

#[test]
fn no_more_than_ten_mistakes_are_told() {
    assert_eq!(parse(&"x\n".repeat(1000), FILE).expect_err("mistakes").len(), 10);
}

#[test]
fn chains_in_a_circle_are_refused() {
    let text = "*filter\n:a - [0:0]\n:b - [0:0]\n-A INPUT -j a\n-A a -j b\n-A b -g a\nCOMMIT\n";
    let dump = parse(text, FILE).expect("well-formed");
    assert!(dump.rule_sets().expect_err("a circle").message.contains("in a circle"));
    let mut deep = String::from("*filter\n");
    (0..5000).for_each(|at| deep.push_str(&format!(":c{at} - [0:0]\n")));
    (0..4999).for_each(|at| deep.push_str(&format!("-A c{at} -j c{}\n", at + 1)));
    deep.push_str("COMMIT\n");
    let dump = parse(&deep, FILE).expect("well-formed");
    assert!(dump.rule_sets().expect_err("too deep").message.contains("more than 1000 deep"));
}

fn one(rule: &str) -> Rule {
    let text = format!("*filter\n:cali-a - [0:0]\n-A cali-a {rule}\nCOMMIT\n");
    let dump = parse(&text, FILE).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    match &dump.lines[2].what {
        Entry::Rule { rule, .. } => (**rule).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn negation_stands_before_or_behind() {
    let not = Match::not(Matcher::Address(Side::Source, vec![Address::Net("10.0.0.0/8".parse().unwrap())]));
    for rule in ["! -s 10.0.0.0/8", "-s ! 10.0.0.0/255.0.0.0"] {
        assert_eq!(one(rule).matches, std::slice::from_ref(&not));
    }
    let port = [Match::not(Matcher::Port(Side::Destination, 22, 22))];
    assert_eq!(one("-p tcp -m tcp ! --dport 22").matches[1..], port);
    assert_eq!(one("-p tcp --dport ! 22").matches[1..], port);
}

#[test]
fn lists_on_both_sides_are_as_many_rules_as_iptables_makes() {
    let rule = one("-s 10.0.0.1,10.0.0.2 -d 192.0.2.1,192.0.2.2 -j DROP");
    let chains = vec![Arc::new(Chain::new("cali-a", vec![rule]))];
    let set =
        RuleSet { family: Family::V4, tables: vec![Table { name: TableName::Raw, hooks: vec![], chains }] };
    let mut text = String::new();
    emit::write_rules(&mut text, &set, Dialect::Save, &mut |_, _| {});
    let pairs = [(1, 1), (1, 2), (2, 1), (2, 2)];
    let wanted = pairs.map(|(source, destination)| {
        format!("-A cali-a -s 10.0.0.{source}/32 -d 192.0.2.{destination}/32 -j DROP")
    });
    assert!(text.lines().filter(|line| line.starts_with("-A")).eq(wanted), "{text}");
}

#[test]
fn only_the_first_comment_is_a_hash() {
    let rule =
        one(r#"-m comment --comment "cali:0123456789abcde_" -m comment --comment "cali:0123456789abcdef""#);
    assert_eq!(rule.hash.as_deref(), Some("0123456789abcde_"));
    assert_eq!(rule.comments, ["cali:0123456789abcdef"]);
    assert_eq!(one(r#"-m comment --comment x -m comment --comment "cali:0123456789abcde_""#).hash, None);
    // an unquoted text that looks like an option
    assert_eq!(one("-m comment --comment -j -j DROP").action, Some(Action::Drop));
}

#[test]
fn marks_are_turned_over_outside_of_the_mask() {
    let mark = |value, mask| Some(Action::Mark { value, mask, spelling: MarkSpelling::Hex });
    assert_eq!(one("-j MARK --or-mark 0x4000").action, mark(0x4000, 0x4000));
    assert_eq!(one("-j MARK --and-mark 0xffff").action, mark(0, 0xffff_0000));
    assert_eq!(one("-j MARK --xor-mark 0x4000").action, mark(0x4000, 0));
    assert_eq!(one("-j MARK --set-xmark 0x4000/0x0").action, mark(0x4000, 0));
    assert_eq!(one("-j MARK --set-mark 0x3/0x1").action, mark(3, 3));
}

/// As both kinds of iptables 1.8.9 print them: with what they are given, and what they print for it.
const PRINTED: [(&str, &str); 22] = [
    ("-m connmark --mark 1", "-m connmark --mark 0x1"),
    ("-m connmark ! --mark 0x5/0xf", "-m connmark ! --mark 0x5/0xf"),
    ("-j CONNMARK --set-mark 0x1/0x2", "-j CONNMARK --set-xmark 0x1/0x3"),
    ("-j CONNMARK --set-xmark 4/1", "-j CONNMARK --set-xmark 0x4/0x1"),
    ("-j CONNMARK --and-mark 4", "-j CONNMARK --set-xmark 0x0/0xfffffffb"),
    ("-j CONNMARK --save-mark", "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff"),
    ("-j CONNMARK --restore-mark --mask 0xf0", "-j CONNMARK --restore-mark --nfmask 0xf0 --ctmask 0xf0"),
    (
        "-j CONNMARK --restore-mark --nfmask 0xf --ctmask 0",
        "-j CONNMARK --restore-mark --nfmask 0xf --ctmask 0x0",
    ),
    ("-p tcp -j SNAT --to-source 1.2.3.4:80-80", "-p tcp -j SNAT --to-source 1.2.3.4:80"),
    (
        "-p tcp -j SNAT --to-source 1.2.3.4-1.2.3.9:80-90 --random --random-fully --persistent",
        "-p tcp -j SNAT --to-source 1.2.3.4-1.2.3.9:80-90 --random --random-fully --persistent",
    ),
    ("-p tcp -j SNAT --to-source :80-90", "-p tcp -j SNAT --to-source :80-90"),
    ("-p tcp -j MASQUERADE --to-ports 80-80", "-p tcp -j MASQUERADE --to-ports 80"),
    (
        "-p tcp -j MASQUERADE --to-ports 80-90 --random --random-fully",
        "-p tcp -j MASQUERADE --to-ports 80-90 --random --random-fully",
    ),
    ("-j MASQUERADE --random", "-j MASQUERADE --random"),
    ("-p tcp -j DNAT --to-destination 1.2.3.4-1.2.3.4:80", "-p tcp -j DNAT --to-destination 1.2.3.4:80"),
    (
        "-p tcp -j DNAT --to-destination 1.2.3.4-1.2.3.9:80-90 --random --persistent",
        "-p tcp -j DNAT --to-destination 1.2.3.4-1.2.3.9:80-90 --random --persistent",
    ),
    ("-p tcp -j DNAT --to-destination :80", "-p tcp -j DNAT --to-destination :80"),
    ("-j REDIRECT", "-j REDIRECT"),
    ("-p tcp -j REDIRECT --to-ports 80-90 --random", "-p tcp -j REDIRECT --to-ports 80-90 --random"),
    ("-d 10.0.0.0/24 -j NETMAP --to 10.1.0.0/24", "-d 10.0.0.0/24 -j NETMAP --to 10.1.0.0/24"),
    (
        "-p tcp -m connlimit --connlimit-above 20 --connlimit-mask 24 --connlimit-daddr -j DROP",
        "-p tcp -m connlimit --connlimit-above 20 --connlimit-mask 24 --connlimit-daddr -j DROP",
    ),
    (
        "-m hashlimit --hashlimit-above 1/min --hashlimit-burst 5 --hashlimit-name x -j DROP",
        "-m hashlimit --hashlimit-above 1/min --hashlimit-burst 5 --hashlimit-name x -j DROP",
    ),
];

#[test]
fn marks_of_connections_translations_and_limits_print_as_iptables_prints_them() {
    for (given, printed) in PRINTED {
        let rule = one(given);
        let unknown = |on: &Match| matches!(on.on, Matcher::Other(_));
        assert!(!matches!(rule.action, Some(Action::Other(_))), "{given}");
        assert!(!rule.matches.iter().any(unknown), "{given}");
        let mut text = String::new();
        emit::save::body(&mut text, &rule, Family::V4, 0);
        assert_eq!(text.trim_start(), printed);
        assert_eq!(one(printed), rule);
    }
    let v6 = "-p tcp -j DNAT --to-destination [fd00::1-fd00::9]:80";
    let mut text = String::new();
    emit::save::body(&mut text, &one(v6), Family::V6, 0);
    assert_eq!(text.trim_start(), v6);
}

#[test]
fn limits_hold_on_one_side() {
    let within = |rule: &str| one(rule).matches[0].on.holds_within_limit();
    assert_eq!(within("-m hashlimit --hashlimit-upto 1/min --hashlimit-name x"), Some(true));
    assert_eq!(within("-m hashlimit ! --hashlimit-upto 1/min --hashlimit-name x"), Some(false));
    assert_eq!(within("-m connlimit --connlimit-upto 2 --connlimit-mask 32 --connlimit-saddr"), Some(true));
    assert_eq!(within("-m connlimit --connlimit-above 2 --connlimit-mask 0 --connlimit-saddr"), Some(false));
    assert_eq!(within("-m limit --limit 3/min"), Some(true));
    assert_eq!(within("-m quota --quota 3"), None);
}

#[test]
fn what_is_not_understood_stays_as_it_is_written() {
    let other = |text: &str| Match::is(Matcher::Other(text.into()));
    assert_eq!(one("-m owner ! --uid-owner 0 -j DROP").matches, [other("-m owner ! --uid-owner 0")]);
    assert_eq!(one("-s 10.0.0.1/255.0.255.0").matches, [other("-s 10.0.0.1/255.0.255.0")]);
    assert_eq!(one("! -f").matches, [other("! -f")]);
    let queue = "NFQUEUE --queue-num 1 --queue-bypass";
    assert_eq!(one(&format!("-j {queue}")).action, Some(Action::Other(queue.into())));
    let shifted = "DNAT --to-destination 10.0.0.1:80-90/8080";
    assert_eq!(one(&format!("-p tcp -j {shifted}")).action, Some(Action::Other(shifted.into())));
    assert_eq!(one("-j cali-gone").action, Some(Action::Other("cali-gone".into())));
    assert_eq!(one("-j cali-a").action, Some(Action::Jump("cali-a".into())));
    let log = r#"LOG --log-prefix "x " --log-level 4"#;
    assert_eq!(one(&format!("-j {log}")).action, Some(Action::Neutral(log.into())));
}

#[test]
fn families_are_told_apart() {
    let table = |rule: &str| format!("*filter\n:INPUT ACCEPT [0:0]\n{rule}COMMIT\n");
    let families = |text: String| {
        let sets = parse(&text, FILE).expect("well-formed").rule_sets().expect("no circle");
        sets.iter().map(|set| set.family).collect::<Vec<_>>()
    };
    assert_eq!(families(table("")), [Family::V4]);
    assert_eq!(families(table("") + &table("")), [Family::V4, Family::V6]);
    assert_eq!(families(table("-A INPUT -s fe80::/10 -j ACCEPT\n") + &table("")), [Family::V6, Family::V4]);
    assert_eq!(families("# Generated by ip6tables-save v1.8.9\n".to_owned() + &table("")), [Family::V6]);
    assert_eq!(families("# ip6tables\n".to_owned() + &table("")), [Family::V6]);
    let both = format!("# iptables\n{}*raw\nCOMMIT\n# ip6tables\n*nat\nCOMMIT\n", table(""));
    assert_eq!(families(both), [Family::V4, Family::V6]);
    assert_eq!(families(String::new()), []);
}

/// A rule in the order in which the kernel keeps its parts, and with the spelling that it has.
fn any_rule(family: Family) -> impl Strategy<Value = Rule> {
    let icmp = if family == Family::V4 { "icmp" } else { "ipv6-icmp" };
    let name = |name: &str| Some(Protocol::Name(name.into()));
    let protocols = [None, name("tcp"), name("udp"), name(icmp), name("esp"), Some(Protocol::Number(200))];
    let front = (address(family), address(family), interface(), interface());
    (prop::sample::select(protocols.to_vec()), front)
        .prop_flat_map(move |(protocol, front)| {
            let more = prop::collection::vec(any_match(family, protocol.as_ref()), 0..4);
            let text = prop::option::of("[A-Za-z0-9_-]{16}");
            let comments = prop::collection::vec("[^\\x00-\\x1f]{0,20}", 0..2);
            let rest = (more, text, comments, prop::option::of(any_action(family)), any::<[bool; 5]>());
            (Just(protocol), Just(front), rest)
        })
        .prop_map(|(protocol, (source, destination, came, goes), (more, hash, comments, action, not))| {
            let on = [
                source.map(|net| Matcher::Address(Side::Source, vec![net])),
                destination.map(|net| Matcher::Address(Side::Destination, vec![net])),
                came.map(|name| Matcher::InInterface(name.as_str().into())),
                goes.map(|name| Matcher::OutInterface(name.as_str().into())),
                // what comes after needs the protocol
                protocol.map(Matcher::Protocol),
            ];
            let front = on.into_iter().zip(not).filter_map(|(on, negated)| {
                let negated = negated && !matches!(on, Some(Matcher::Protocol(_)));
                Some(Match { negated, on: on? })
            });
            Rule {
                hash: hash.as_deref().and_then(RuleHash::parse),
                comments: comments.into_iter().map(Into::into).collect(),
                matches: front.chain(more).collect(),
                action,
                origin: Origin::Static,
            }
        })
}

fn address(family: Family) -> impl Strategy<Value = Option<Address>> {
    let net = (any::<u128>(), 1u8..=128).prop_map(move |(bits, length)| {
        let net = match family {
            Family::V4 => ipnet::IpNet::new(std::net::Ipv4Addr::from(bits as u32).into(), length % 32 + 1),
            Family::V6 => ipnet::IpNet::new(std::net::Ipv6Addr::from(bits).into(), length),
        };
        Address::Net(net.expect("a length of the family").trunc())
    });
    prop::option::of(net)
}

fn interface() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[a-z][a-z0-9.]{0,8}\\+?")
}

fn any_match(family: Family, protocol: Option<&Protocol>) -> BoxedStrategy<Match> {
    let side = || prop::sample::select(vec![Side::Source, Side::Destination]);
    let range = || (any::<u16>(), any::<u16>()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let lookups =
        [SetLookup::Source, SetLookup::Destination, SetLookup::SourcePort, SetLookup::DestinationPort];
    let mut negatable = vec![
        (side(), prop::collection::vec(range(), 1..5)).prop_map(|(s, r)| Matcher::Ports(s, r)).boxed(),
        ("cali[46]0[a-z:]{1,20}", prop::sample::select(lookups.to_vec()))
            .prop_map(|(name, lookup)| Matcher::Set(name.as_str().into(), lookup))
            .boxed(),
        (any::<u32>(), any::<u32>())
            .prop_map(|(value, mask)| Matcher::Mark { value, mask, spelling: MarkSpelling::Hex })
            .boxed(),
        (any::<u32>(), any::<u32>())
            .prop_map(|(value, mask)| Matcher::ConnectionMark { value, mask })
            .boxed(),
        (1u8..128).prop_map(|states| Matcher::Conntrack(ConntrackStates(states))).boxed(),
        (side(), any::<bool>())
            .prop_map(|(side, limit_iface_out)| Matcher::LocalAddress { side, limit_iface_out })
            .boxed(),
        (0u32..=1 << 31).prop_map(Matcher::Random).boxed(),
    ];
    match protocol.and_then(Protocol::number) {
        Some(6 | 17) => {
            negatable.push((side(), range()).prop_map(|(s, (a, b))| Matcher::Port(s, a, b)).boxed());
        }
        Some(1 | 58) => {
            let kind = (0u8..255, any::<Option<u8>>()).prop_map(|(kind, code)| Matcher::Icmp(kind, code));
            negatable.push(kind.boxed());
        }
        _ => {}
    }
    if protocol.and_then(Protocol::number) == Some(6) {
        negatable.push(Just(Matcher::TcpSyn).boxed());
    }
    let _ = family;
    let rates = ["100/sec", "10/min", "3/hour", "1/day"];
    let plain = prop_oneof![
        Just(Matcher::ReversePathFails),
        any::<u32>().prop_map(|limit| Matcher::ConnectionsAbove(limit.into())),
        (prop::sample::select(rates.to_vec()), prop::option::of(6u32..100))
            .prop_map(|(rate, burst)| Matcher::Limit { rate: rate.into(), burst }),
        Just(Matcher::OtherLimit {
            text: "-m hashlimit --hashlimit-above 1/min --hashlimit-name x".into(),
            within: false,
        }),
        Just(Matcher::Other("-m owner ! --uid-owner 0".into())),
    ];
    prop_oneof![
        (prop::strategy::Union::new(negatable), any::<bool>())
            .prop_map(|(on, negated)| Match { negated, on }),
        plain.prop_map(Match::is),
    ]
    .boxed()
}

fn any_action(family: Family) -> impl Strategy<Value = Action> {
    let host = move |bits: u128| match family {
        Family::V4 => std::net::IpAddr::from(std::net::Ipv4Addr::from(bits as u32)),
        Family::V6 => std::net::Ipv6Addr::from(bits).into(),
    };
    let hosts = move |bits: u128, more: u8| (host(bits & !0xff), host(bits & !0xff | u128::from(more)));
    let ports = || prop::option::of((1u16..1000, prop_oneof![Just(0), 0u16..1000]));
    let translation = move || {
        (ports(), any::<[bool; 3]>()).prop_map(|(ports, [random, random_fully, persistent])| Translation {
            addresses: None,
            ports: ports.map(|(first, more)| (first, first + more)),
            random,
            random_fully,
            persistent,
        })
    };
    prop_oneof![
        Just(Action::Accept),
        Just(Action::Drop),
        Just(Action::Return),
        Just(Action::NoTrack),
        Just(Action::Jump("cali-other".into())),
        Just(Action::Goto("cali-other".into())),
        Just(Action::Reject(RejectWith::PortUnreachable)),
        Just(Action::Reject(RejectWith::TcpReset)),
        prop::sample::select(RejectWith::ERRORS.to_vec()).prop_map(|e| Action::Reject(RejectWith::Error(e))),
        (any::<u32>(), any::<u32>()).prop_map(|(value, mask)| Action::Mark {
            value,
            mask,
            spelling: MarkSpelling::Hex
        }),
        "[ -~]{0,27}".prop_map(|prefix| Action::Log { prefix: prefix.into() }),
        (any::<u16>(), "[ -~]{1,63}", any::<u32>(), any::<bool>()).prop_map(
            |(group, prefix, size, range)| Action::NfLog { group, prefix: prefix.into(), size, range }
        ),
        (any::<u128>(), any::<u8>(), translation()).prop_map(move |(bits, more, to)| {
            Action::Dnat(Translation { addresses: Some(hosts(bits, more)), ..to }.into())
        }),
        (any::<u128>(), any::<u8>(), translation()).prop_map(move |(bits, more, to)| {
            Action::Snat(Translation { addresses: Some(hosts(bits, more)), ..to }.into())
        }),
        translation().prop_map(|to| Action::Masquerade(to.into())),
        translation().prop_map(|to| Action::Redirect(to.into())),
        any::<u128>().prop_map(move |bits| Action::NetMap(host(bits).into())),
        (any::<u32>(), any::<u32>())
            .prop_map(|(value, mask)| { Action::ConnectionMark(ConnectionMark::Set { value, mask }) }),
        (any::<u32>(), any::<u32>(), any::<bool>()).prop_map(|(packet_mask, connection_mask, saves)| {
            Action::ConnectionMark(match saves {
                true => ConnectionMark::Save { packet_mask, connection_mask },
                false => ConnectionMark::Restore { packet_mask, connection_mask },
            })
        }),
        (0u8..64).prop_map(Action::Dscp),
        Just(Action::Other("NFQUEUE --queue-num 1".into())),
        Just(Action::Neutral("TRACE".into())),
    ]
}

#[test]
fn rules_that_are_printed_are_read_as_they_were() {
    let rules = |family| (Just(family), prop::collection::vec(any_rule(family), 1..4));
    fuzz::run(prop_oneof![rules(Family::V4), rules(Family::V6)], |(family, rules)| {
        let name = TableName::Filter;
        let hooks: Vec<Arc<Chain>> =
            name.hooks().iter().map(|hook| Arc::new(Chain::new(*hook, Vec::new()))).collect();
        let chains = [("cali-own", rules), ("cali-other", vec![])]
            .map(|(name, rules)| Arc::new(Chain::new(name, rules)));
        let chains: Vec<Arc<Chain>> = chains.into_iter().rev().collect();
        let set = RuleSet { family, tables: vec![Table { name, hooks, chains }] };
        let mut text = String::new();
        emit::write_rules(&mut text, &set, Dialect::Save, &mut |_, _| {});
        let dump = parse(&text, FILE).unwrap_or_else(|wrong| panic!("{wrong:?}\n{text}"));
        let read = dump.rule_sets().expect("no circle");
        assert_eq!(read[0].tables[0].chains, set.tables[0].chains, "{text}");
    });
}

#[test]
fn a_chain_that_is_alike_has_one_text_in_both_families() {
    fuzz::run(any_rule(Family::V4), |rule| {
        let chain = Chain::new("cali-own", vec![rule]);
        if !emit::is_alike(&chain) {
            return;
        }
        for dialect in [Dialect::Felix, Dialect::Save] {
            let [v4, v6] = [Family::V4, Family::V6].map(|family| {
                let mut text = String::new();
                emit::write_chain(&mut text, &chain, family, dialect, &mut |_, _| {});
                text
            });
            assert_eq!(v4, v6);
        }
    });
}

/// Pieces that a dump may be damaged with.
const PIECES: [&str; 24] = [
    "\"",
    "\\",
    "!",
    " ",
    "\n",
    "\r",
    "#",
    "*",
    ":",
    "[",
    "-A",
    " -m",
    " -j ",
    "--dport ",
    "-s ",
    " ! ",
    "/",
    "0x",
    ",",
    "99999999999999999999",
    "é",
    "\0",
    "COMMIT\n",
    "*nat\n",
];

#[test]
fn damaged_dumps_are_answered() {
    let dumps = [
        include_str!("../../fixtures/dump/kubeproxy.legacy-counters.rules"),
        include_str!("../../fixtures/dump/docker.nft.rules"),
        include_str!("../../fixtures/dump/firewalld.legacy.rules"),
        include_str!("../../fixtures/dump/both-families.rules"),
        include_str!("../../fixtures/dump/ipsets.txt"),
        include_str!("../../fixtures/golden/crd-3/golden/felix.v4.rules"),
    ];
    let damage = (any::<prop::sample::Index>(), 0usize..40, prop::sample::select(PIECES.to_vec()));
    let strategy = (prop::sample::select(dumps.to_vec()), prop::collection::vec(damage, 1..6));
    fuzz::run(strategy, |(dump, damages)| {
        let mut text = dump.to_owned();
        for (at, cut, piece) in damages {
            let mut start = at.index(text.len() + 1);
            let mut end = (start + cut).min(text.len());
            while !text.is_char_boundary(start) {
                start -= 1;
            }
            while !text.is_char_boundary(end) {
                end += 1;
            }
            text.replace_range(start..end, piece);
        }
        if let Ok(dump) = parse(&text, FILE) {
            assert_eq!(dump.text(), text);
            for rules in dump.rule_sets().into_iter().flatten() {
                for dialect in [Dialect::Felix, Dialect::Save] {
                    emit::write_rules(&mut String::new(), &rules, dialect, &mut |_, _| {});
                }
            }
        }
        if let Ok(sets) = parse_sets(&text, FILE) {
            assert_eq!(sets.text(), text);
            sets.sets().known.iter().for_each(|set| emit::ipset::write_set(&mut String::new(), set));
        }
    });
}
