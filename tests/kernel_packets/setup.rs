//! How a node's network namespace is made: settings, links, addresses, routes, sets, rules.

use super::frame::SENTINEL;
use super::lab::place;
use netpolc::emit::{self, Dialect};
use netpolc::ir::Program;
use netpolc::kernel::route::LOOPBACK;
use netpolc::resolve::view::NodeView;
use netpolc::syntax::ip_route::{Route, Way};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::LinkAddr;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The NFLOG group of the rules that report where a packet is; Felix uses 1 and 2.
pub const GROUP: u16 = 77;

/// The hardware address of all of the node's interfaces.
pub const NODE: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// The hardware address of all that is outside.
pub const WORLD: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// Moves the calling thread, and what it starts, into a network namespace of its own.
pub fn enter_new_namespace() -> File {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
    File::open("/proc/thread-self/ns/net").expect("this thread's network namespace")
}

/// Sets a parameter of the thread's network namespace.
pub fn set(name: &str, value: &str) {
    let path = format!("/proc/sys/net/{name}");
    std::fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}"));
}

/// Settings under which policy alone decides: no validation of sources, no redirects, no addresses that were not
/// given, no limits on answers. They hold for the interfaces that are made afterwards.
pub fn node_settings() {
    for scope in ["all", "default"] {
        for (name, value) in
            [("rp_filter", "0"), ("accept_local", "1"), ("send_redirects", "0"), ("accept_redirects", "0")]
        {
            set(&format!("ipv4/conf/{scope}/{name}"), value);
        }
        // 1: no link-local address
        for (name, value) in [
            ("forwarding", "1"),
            ("accept_ra", "0"),
            ("accept_dad", "0"),
            ("autoconf", "0"),
            ("addr_gen_mode", "1"),
        ] {
            set(&format!("ipv6/conf/{scope}/{name}"), value);
        }
    }
    set("ipv4/ip_forward", "1");
    set("ipv4/icmp_ratemask", "0");
    // a type that is never sent; an empty list is not taken
    set("ipv6/icmp/ratemask", "0");
    set("netfilter/nf_conntrack_checksum", "1");
    set("netfilter/nf_conntrack_tcp_loose", "1");
}

/// The interfaces that the node needs, without the one that it always has.
pub fn interfaces(view: &NodeView, routes: &[Route]) -> Vec<String> {
    let own = view.interfaces.iter().map(|interface| &*interface.name);
    let pods = view.workloads.iter().map(|pod| &*pod.interface);
    let routed = routes.iter().filter_map(|route| match &route.way {
        Way::Device(device) => Some(&**device),
        Way::Local | Way::Discard => None,
    });
    let names: BTreeSet<&str> = own.chain(pods).chain(routed).filter(|name| *name != LOOPBACK).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Makes the node's interfaces, with their other ends in the world.
pub fn node_links(names: &[String], world: &File) {
    let mut script = String::from("link set lo up\n");
    // a loaded tunnel module puts a device of its own into every namespace
    for name in names
        .iter()
        .filter(|name| std::fs::exists(format!("/proc/sys/net/ipv4/conf/{name}")).unwrap_or(false))
    {
        writeln!(script, "link set dev {name} name {:.8}-kernel", name).unwrap();
    }
    let world = format!("/proc/{}/fd/{}", std::process::id(), world.as_raw_fd());
    let [own, other] = [NODE, WORLD].map(|bytes| bytes.map(|byte| format!("{byte:02x}")).join(":"));
    for (number, name) in names.iter().enumerate() {
        // ends with one number on both sides are up only after a second (`linkwatch_urgent_event`)
        writeln!(
            script,
            "link add name {name} index {} address {own} type veth peer name world{number} address {other} netns {world}\n\
             link set dev {name} arp off up",
            1000 + number
        )
        .unwrap();
    }
    pipe("ip", &["-batch", "-"], &script);
}

/// Makes the world's ends ready; gives each by the name of the node's end, and those names by number.
pub fn world_links(names: &[String]) -> (HashMap<String, LinkAddr>, HashMap<usize, String>) {
    let script = (0..names.len()).map(|number| format!("link set dev world{number} arp off up\n"));
    pipe("ip", &["-batch", "-"], &script.collect::<String>());
    let (mut links, mut by_number) = (HashMap::new(), HashMap::new());
    for found in nix::ifaddrs::getifaddrs().expect("the world's interfaces") {
        let number =
            found.interface_name.strip_prefix("world").and_then(|number| number.parse::<usize>().ok());
        let link = found.address.as_ref().and_then(|address| address.as_link_addr());
        if let (Some(number), Some(link)) = (number, link) {
            links.insert(names[number].clone(), *link);
            by_number.insert(link.ifindex(), names[number].clone());
        }
    }
    assert_eq!(links.len(), names.len(), "an interface is missing");
    (links, by_number)
}

/// Gives the node its addresses and routes, and no others.
pub fn addresses_and_routes(view: &NodeView, routes: &[Route]) {
    let mut script = String::new();
    let (mut known, mut of_v6) = (HashSet::new(), Vec::new());
    for interface in &view.interfaces {
        // addresses that every interface has need not be there
        let special = |net: &&ipnet::IpNet| match net.addr() {
            IpAddr::V4(address) => !address.is_loopback(),
            IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
        };
        for net in interface.addresses.iter().filter(special) {
            if let IpAddr::V6(address) = net.addr() {
                of_v6.push(address);
            }
            let nodad = if net.addr().is_ipv6() { "nodad" } else { "" };
            writeln!(script, "address add {net} dev {} {nodad} noprefixroute", interface.name).unwrap();
        }
    }
    // of several routes for the same, the first counts
    let mut sorted: Vec<&Route> = routes.iter().collect();
    sorted.sort_by_key(|route| route.metric);
    for route in sorted.into_iter().filter(|route| known.insert(route.net)) {
        let net = route.net;
        match &route.way {
            // what is not there is not assumed to be routed either
            Way::Device(device) if !net.to_string().starts_with("fe80:") => {
                writeln!(script, "route add {net} dev {device}")
            }
            Way::Device(_) | Way::Local => Ok(()),
            Way::Discard => writeln!(script, "route add blackhole {net}"),
        }
        .unwrap();
    }
    pipe("ip", &["-batch", "-"], &script);
    wait_for_addresses(&of_v6);
    for pod in &view.workloads {
        // as Felix does
        set(&format!("ipv4/conf/{}/route_localnet", pod.interface), "1");
    }
}

/// Loads sets and rules, and rules around them that report where a packet is.
pub fn load(program: &Program) {
    let mut sets = String::new();
    program.sets.iter().for_each(|set| emit::ipset::write_set(&mut sets, set));
    pipe("ipset", &["restore"], &sets);
    let report = |place: u8| {
        format!("-j NFLOG --nflog-group {GROUP} --nflog-threshold 1 --nflog-prefix {}", char::from(place))
    };
    let at = |hook: &str, place: u8| format!("-I {hook} {}\n", report(place));
    // what is delivered ends there, so that no process answers
    let reports = format!(
        "*raw\n{}-I PREROUTING -p {SENTINEL} -j DROP\n-I PREROUTING -p {SENTINEL} {}\n{}COMMIT\n\
         *mangle\n{}{}{}COMMIT\n\
         *security\n-A INPUT {}\n-A INPUT -j DROP\nCOMMIT\n",
        at("PREROUTING", place::ARRIVED),
        report(place::SENTINEL),
        at("OUTPUT", place::OUTPUT),
        at("INPUT", place::INPUT),
        at("FORWARD", place::FORWARD),
        at("POSTROUTING", place::POSTROUTING),
        report(place::DELIVERED),
    );
    for (rules, restore) in
        [(&program.v4, "iptables-legacy-restore"), (&program.v6, "ip6tables-legacy-restore")]
    {
        let mut text = String::new();
        emit::write_rules(&mut text, rules, Dialect::Save, &mut |_, _| {});
        pipe(restore, &[], &text);
        pipe(restore, &["--noflush"], &reports);
    }
}

/// Loads more rules of IPv4 beside those that are there.
pub fn restore_more(rules: &str) {
    pipe("iptables-legacy-restore", &["--noflush"], rules);
}

/// Waits for what the kernel does in its own time.
fn wait(what: &str, mut is_done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_done() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what} do not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits for the links of the thread's namespace. A link that the kernel has not noticed to be up sends nothing
/// (`linkwatch_do_dev`, `net/core/link_watch.c`).
pub fn wait_for_links(count: usize) {
    wait("links", || {
        let shown = pipe("ip", &["-brief", "link", "show", "type", "veth"], "");
        shown.lines().filter(|line| line.split_whitespace().nth(1) == Some("UP")).count() == count
    });
}

/// Waits until IPv6 takes addresses for its own, which is left to a queue of work (`addrconf_dad_start`,
/// `net/ipv6/addrconf.c`).
fn wait_for_addresses(addresses: &[Ipv6Addr]) {
    wait("addresses", || {
        let routes = std::fs::read_to_string("/proc/thread-self/net/ipv6_route").expect("the routes");
        let is_local = |address: &Ipv6Addr| {
            let start = format!("{:032x} 80 ", u128::from(*address));
            // RTF_LOCAL, linux/ipv6_route.h
            let is_local = |line: &str| {
                line.starts_with(&start) && line.split_whitespace().nth(8).is_some_and(|f| f.starts_with('8'))
            };
            routes.lines().any(is_local)
        };
        addresses.iter().all(is_local)
    });
}

/// Runs a program in the thread's namespace with this for its input; gives its output.
fn pipe(program: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    let text = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("the program ends");
    let _ = writer.join();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {error}\n{input}");
    String::from_utf8(output.stdout).expect("output is UTF-8")
}
