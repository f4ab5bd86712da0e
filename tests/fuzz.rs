//! Damaged manifests and dumps through the whole program: whatever comes in, it answers, with status 0, 1 or 2.
//!
//! Two seconds, or `NETPOLC_FUZZ_SECONDS`. Seeds are the same in every run, and a longer run begins
//! with those of a shorter one; what failed is left in the build's temporary folder.

mod common;

use common::{files, in_parallel, netpolc};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// No answer in this time is a hang. Debug builds on a busy machine are slow, not this slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// Values that some reader somewhere takes for something else, and values at the edge of a range.
const VALUES: &[&str] = &[
    "",
    "~",
    "yes",
    "off",
    "0",
    "-1",
    "010",
    "1_000",
    "0x7fffffffffffffff",
    "99999999999999999999",
    "1e999",
    ".nan",
    "2001-12-14",
    "''",
    "\"\\uD800\"",
    "\"\\0\"",
    "[]",
    "{}",
    "[[]]",
    "{a: }",
    "[a, {b: [c]}]",
    "&a [*a]",
    "*nowhere",
    "!!binary AAAA",
    "!!int x",
    "|",
    ">-",
    "? x",
    "@x",
    "`x`",
    "%x",
    "{{ .x }}",
    "${X}",
    "0.0.0.0/0",
    "::/0",
    "10.0.0.1/33",
    "10.0.0.0/-1",
    "::ffff:1.2.3.4/120",
    "fe80::1%eth0",
    "256.1.1.1",
    "0:70000",
    "9:1",
    "1:2:3",
    "http",
    "all()",
    "global()",
    "all( )",
    "!!!!has(a)",
    "a in {}",
    "a == 'b' &&",
    "((((((((((((((((((((((a",
    "a == \"'\"",
    "has(",
    "TCP",
    "tcp",
    "UDPLite",
    "132",
    "256",
    "ICMPv6",
    "Pass",
    "Allow",
    "default",
    "kube-admin",
    "default.web",
    "List",
    "PodList",
    "NetworkPolicy",
    "GlobalNetworkPolicy",
    "v1",
    "projectcalico.org/v3",
    "crd.projectcalico.org/v1",
];

/// A small generator of its own, so that a seed means the same for ever (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Does something to the lines of a text that an editor, a script or an attacker might do.
fn damage(lines: &mut Vec<Vec<u8>>, random: &mut Random) {
    if lines.is_empty() {
        return;
    }
    let at = random.below(lines.len());
    match random.below(10) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => {
            let other = random.below(lines.len());
            lines.swap(at, other);
        }
        3 => {
            let spaces = vec![b' '; random.below(4)];
            let keep = lines[at].iter().position(|&b| b != b' ').unwrap_or(0);
            lines[at].splice(..keep, spaces);
        }
        4 => lines.truncate(at),
        5 => {
            let column = random.below(lines[at].len() + 1);
            lines[at].insert(column, random.below(256) as u8);
        }
        6 => {
            // the same piece again and again
            let count = 1 << random.below(10);
            let piece = lines[at].clone();
            lines.splice(at..at, std::iter::repeat_n(piece, count));
        }
        7 => {
            let opening = random
                .pick(&[&b"["[..], b"{", b"- ", b"a: ", b"{\"a\":[", b"&x "])
                .repeat(1 << random.below(12));
            let column = random.below(lines[at].len() + 1);
            lines[at].splice(column..column, opening);
        }
        _ => {
            // another value for the key, or another item for the list
            let line = &lines[at];
            let colon = line.windows(2).position(|pair| pair == b": ").map(|p| p + 2);
            let start =
                colon.or_else(|| line.iter().position(|&b| b == b'-').map(|p| p + 1)).unwrap_or(line.len());
            let start = start.min(line.len());
            let value = random.pick(VALUES).as_bytes();
            lines[at].splice(start.., [b" ", value].concat());
        }
    }
}

fn damaged(seed: u64, manifests: &[Vec<u8>]) -> Vec<u8> {
    let mut random = Random(seed);
    let text = random.pick(manifests);
    let mut lines: Vec<Vec<u8>> = text.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    for _ in 0..=random.below(4) {
        damage(&mut lines, &mut random);
    }
    lines.join(&b'\n')
}

/// Runs the program with a text as its input; says what is wrong with the answer.
fn fault(text: &[u8], arguments: &[&str]) -> Option<String> {
    let mut child = netpolc()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // the program may stop reading early; that is its right
            let _ = stdin.write_all(text);
        });
        let mut stderr = child.stderr.take().expect("a pipe");
        let messages = scope.spawn(move || {
            let mut messages = String::new();
            std::io::Read::read_to_string(&mut stderr, &mut messages).map(|_| messages)
        });
        let status = loop {
            match child.try_wait().expect("a child can be asked") {
                Some(status) => break status,
                None if started.elapsed() > PATIENCE => {
                    child.kill().expect("a child can be ended");
                    break child.wait().expect("a child ends");
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        let messages = messages.join().expect("no panic");
        match (status.code(), messages) {
            (Some(0..=2), Ok(messages)) => {
                // two texts that a terminal would act on would be one too many
                let control = messages.chars().find(|c| c.is_control() && *c != '\n');
                control.map(|c| format!("prints control character {c:?}"))
            }
            (Some(0..=2), Err(error)) => Some(format!("messages are not text: {error}")),
            (code, messages) => {
                Some(format!("exit status {code:?} after {:?}: {messages:?}", started.elapsed()))
            }
        }
    })
}

fn manifests() -> Vec<Vec<u8>> {
    let folders = ["fixtures/compile", "fixtures/input", "fixtures/iks/cluster"];
    folders.iter().flat_map(|folder| files(folder)).map(|path| fs::read(path).expect("a fixture")).collect()
}

fn dumps() -> Vec<Vec<u8>> {
    let all = ["fixtures/verify", "fixtures/dump"].iter().flat_map(|folder| files(folder));
    all.map(|path| fs::read(path).expect("a fixture")).collect()
}

const COMPILE: [&str; 7] = [
    "compile",
    "fixtures/compile/no-policy.yaml",
    "-",
    "--node",
    "worker-1",
    "--explain-origin",
    "--invalid",
];

const VERIFY: [&str; 6] =
    ["verify", "fixtures/compile/no-policy.yaml", "--node", "worker-1", "--dump", "/dev/stdin"];

#[test]
fn damaged_manifests_are_answered() {
    run("manifests", &manifests(), |seed| {
        [&COMPILE[..], &[if seed % 2 == 0 { "skip" } else { "fail" }]].concat()
    });
}

#[test]
fn damaged_dumps_are_answered() {
    run("dumps", &dumps(), |seed| {
        let mut arguments = VERIFY.to_vec();
        if seed % 4 == 0 {
            arguments[4] = "--ipsets";
        }
        if seed % 3 == 0 {
            arguments.extend(["--format", "json"]);
        }
        arguments
    });
}

/// Damages texts and gives them to the program until the time is over.
fn run(what: &str, texts: &[Vec<u8>], arguments: impl Fn(u64) -> Vec<&'static str> + Sync) {
    let seconds = std::env::var("NETPOLC_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut tried = 0;
    while tried == 0 || Instant::now() < end {
        let seeds: Vec<u64> = (tried..tried + 64).collect();
        tried += 64;
        let faults = in_parallel(&seeds, |seed| {
            let text = damaged(*seed, texts);
            fault(&text, &arguments(*seed)).map(|fault| {
                let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{what}-{seed}"));
                fs::write(&path, &text).expect("the build's folder can be written");
                (path, fault)
            })
        });
        let faults: Vec<(PathBuf, String)> = faults.into_iter().flatten().collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
    eprintln!("{tried} damaged {what} in {seconds} s");
}
