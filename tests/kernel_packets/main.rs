//! Real packets through the real kernel, compared with what `trace` says of them.
//!
//! A node and the world around it are two network namespaces. The node has the rules and sets of a cluster, and rules
//! around them that report where a packet is; the world sends frames and sees what comes out. What that says about
//! each packet must be what `trace` says.
//!
//! Besides what is compiled there are rules of other software, with what Felix does not use.
//!
//! Needs what `tests/kernel.rs` needs, iproute2 and the table `security`. The namespaces belong to a process of their
//! own, this same test started again by `unshare`, and are gone with it. `NETPOLC_KERNEL_PACKETS` says how many
//! packets are sent.

mod audit;
mod case;
#[path = "../common/mod.rs"]
mod common;
mod draw;
mod foreign;
mod frame;
mod lab;
mod measure;
mod netlink;
mod proxy;
mod record;
mod sent;
mod services;
mod setup;

use case::Case;
use common::in_parallel;
use std::io::Write as _;
use std::process::Command;

/// Says that this process may do with its network what it likes.
const INSIDE: &str = "NETPOLC_KERNEL_PACKETS_INSIDE";

/// Packets that are sent unless more are asked for.
const PACKETS: usize = 40_000;

/// Random packets besides the recorded ones through the rules of each cluster that were made fewer.
const MORE_PACKETS: usize = 40;

/// What must become of some of them. POSTROUTING is not among them: only what a process sends and DNAT
/// redirects meets policy there.
const FATES: [&str; 8] = [
    "delivered_local",
    "forwarded",
    "sent",
    "rejected",
    "dropped:prerouting",
    "dropped:input",
    "dropped:forward",
    "dropped:output",
];

/// Prints past the test harness, which shows what a passing test prints only when asked.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether the kernel can be asked.
fn kernel_is_here() -> bool {
    let script = "echo 1 > /proc/sys/net/ipv4/ip_forward && ipset create a hash:net && \
                  ip link add name a type veth peer name b && \
                  for tables in iptables ip6tables; do \
                  $tables-legacy -t security -A INPUT -j NFLOG && $tables-legacy -t nat -S > /dev/null && \
                  printf '*raw\nCOMMIT\n' | $tables-legacy-restore || exit 1; done";
    let here = Command::new("unshare").args(["-rn", "sh", "-c", script]).output();
    if here.is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var_os("NETPOLC_KERNEL").is_none(), "the kernel cannot be asked, and must be");
    say("SKIPPED: iproute2, iptables (legacy), ipset or network namespaces are not here");
    false
}

#[test]
fn packets_meet_the_fate_that_trace_tells() {
    if std::env::var_os(INSIDE).is_some() {
        return compare();
    }
    if kernel_is_here() {
        again_inside("packets_meet_the_fate_that_trace_tells");
    }
}

/// Rules that were made fewer do in the kernel what `trace` says of the rules as they were.
#[test]
fn optimized_rules_do_the_same() {
    if std::env::var_os(INSIDE).is_none() {
        if kernel_is_here() {
            again_inside("optimized_rules_do_the_same");
        }
        return;
    }
    let cases = case::with_recorded_packets();
    for level in [1, 2] {
        let numbered: Vec<(usize, &Case)> = cases.iter().enumerate().collect();
        let reports =
            in_parallel(&numbered, |(number, case)| measure::run(case, *number, MORE_PACKETS, level));
        let count = |part: fn(&measure::Report) -> usize| reports.iter().map(part).sum::<usize>();
        let wrong: Vec<&str> =
            reports.iter().flat_map(|report| &report.wrong).map(|(_, text)| &**text).collect();
        say(&format!(
            "-O {level}: {} packets and {} answers in {} clusters, {} differ",
            count(|report| report.first),
            count(|report| report.answers),
            cases.len(),
            wrong.len()
        ));
        assert!(wrong.is_empty(), "{}", wrong[..wrong.len().min(20)].join("\n"));
    }
}

/// Starts a test again in namespaces of its own.
fn again_inside(test: &str) {
    let status = Command::new("unshare")
        .arg("-rn")
        .arg(std::env::current_exe().expect("this program"))
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .status();
    assert!(status.expect("unshare starts").success(), "the kernel and trace differ");
}

fn compare() {
    let packets =
        std::env::var("NETPOLC_KERNEL_PACKETS").map_or(PACKETS, |text| text.parse().expect("a number"));
    let cases: Vec<(usize, Case)> = case::all(packets).into_iter().enumerate().collect();
    let start = std::time::Instant::now();
    let each = packets.div_ceil(cases.len());
    let reports = in_parallel(&cases, |(number, case)| measure::run(case, *number, each, 0));
    let count = |part: fn(&measure::Report) -> usize| reports.iter().map(part).sum::<usize>();
    let wrong: Vec<&str> = reports.iter().flat_map(|report| &report.wrong).map(|(_, text)| &**text).collect();
    say(&format!(
        "{} packets and {} answers in {} clusters, {} differ, {:.0} s",
        count(|report| report.first),
        count(|report| report.answers),
        cases.len(),
        wrong.len(),
        start.elapsed().as_secs_f64()
    ));
    let mut fates = std::collections::BTreeMap::<&str, usize>::new();
    for fate in reports.iter().flat_map(|report| &report.fates) {
        *fates.entry(fate).or_default() += 1;
    }
    say(&format!("{fates:?}"));
    assert!(wrong.is_empty(), "{}", wrong[..wrong.len().min(20)].join("\n"));
    assert!(count(|report| report.first) >= packets, "too few packets could be measured");
    // a few packets need not show everything
    for fate in FATES.iter().filter(|_| packets >= PACKETS) {
        assert!(fates.contains_key(fate), "no packet was {fate}");
    }
}
