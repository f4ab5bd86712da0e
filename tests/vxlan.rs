//! A tunnel between two nodes in the real kernel: two network namespaces with VXLAN between them, the compiled rules of
//! each node in its own, and datagrams of a pod behind one to a pod behind the other. How far they and what carries them
//! get must be what `trace` says.
//!
//! The namespaces belong to a process of their own and are gone with it. Needs what `tests/kernel_packets` needs, VXLAN
//! and bash; skipped, loudly, where that is not there.

mod common;

use common::{root, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes two nodes with a pod behind each and sends three datagrams to each port. Rules that only count stand where a
/// packet has to come by; in `security` after all of INPUT.
const SCRIPT: &str = r#"
set -e
mount -t tmpfs none /run
mkdir -p /run/netns
for n in client one two server; do
  ip netns add $n
  ip -n $n link set lo up
done
# all hardware addresses are known, so that nothing waits for an answer
link() {
  ip link add $2 netns $1 address 02:00:00:00:01:$5 type veth peer name $4 address 02:00:00:00:02:$5 netns $3
  ip -n $1 link set $2 up
  ip -n $3 link set $4 up
}
link client eth0 one caliaa50613ef2d 01
link one eth0 two eth0 02
link two calief55754bb84 server eth0 03
pod() {
  ip -n $1 addr add $2/32 dev eth0
  ip -n $1 route add 169.254.1.1 dev eth0
  ip -n $1 route add default via 169.254.1.1 dev eth0
  ip -n $1 neigh add 169.254.1.1 lladdr $3 dev eth0 nud permanent
  ip -n $4 neigh add $2 lladdr $5 dev $6 nud permanent
}
pod client 10.244.0.10 02:00:00:00:02:01 one 02:00:00:00:01:01 caliaa50613ef2d
pod server 10.244.1.10 02:00:00:00:01:03 two 02:00:00:00:02:03 calief55754bb84
ip -n one neigh add 10.0.0.12 lladdr 02:00:00:00:02:02 dev eth0 nud permanent
ip -n two neigh add 10.0.0.11 lladdr 02:00:00:00:01:02 dev eth0 nud permanent
# namespace, address, tunnel address, hardware address, pod, its interface; of the other: network, tunnel, hardware, address
node() {
  ip -n $1 addr add $2/24 dev eth0
  ip -n $1 link add vxlan.calico address 02:00:00:00:00:$4 type vxlan id 4096 local $2 dstport 4789 nolearning
  ip -n $1 addr add $3/32 dev vxlan.calico
  ip -n $1 link set vxlan.calico up
  ip -n $1 route add $7 via $8 dev vxlan.calico onlink
  ip -n $1 route add $5 dev $6
  ip -n $1 neigh add $8 lladdr 02:00:00:00:00:$9 dev vxlan.calico nud permanent
  bridge -n $1 fdb add 02:00:00:00:00:$9 dev vxlan.calico dst ${10}
  ip netns exec $1 bash -ec "
    echo 1 > /proc/sys/net/ipv4/ip_forward
    ipset restore < $RULES/$1/ipsets.txt
    iptables-legacy-restore < $RULES/$1/save.v4.rules
    iptables-legacy-restore --noflush < $RULES/counters"
}
node one 10.0.0.11 10.244.0.0 a1 10.244.0.10 caliaa50613ef2d 10.244.1.0/24 10.244.1.0 b1 10.0.0.12
node two 10.0.0.12 10.244.1.0 b1 10.244.1.10 calief55754bb84 10.244.0.0/24 10.244.0.0 a1 10.0.0.11
for port in 8080 8081; do
  for i in 1 2 3; do
    ip netns exec client bash -c "echo x > /dev/udp/10.244.1.10/$port"
  done
done
sleep 0.2
for n in one two; do
  for table in raw mangle security; do
    ip netns exec $n iptables-legacy-save -c -t $table |
      sed -n "s/^\[\([0-9]*\):[0-9]*\] -A \([A-Z]*\) .*count-\([0-9]*\).*/$n $table \2 \3 \1/p"
  done
done
"#;

/// Datagrams of each kind that are sent.
const SENT: u64 = 3;

/// Counters of what is carried, by its port, and of what carries.
fn counters() -> String {
    let mut text = String::new();
    for (table, hooks) in [
        ("raw", &["PREROUTING", "OUTPUT"][..]),
        ("mangle", &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]),
        ("security", &["INPUT"]),
    ] {
        text.push_str(&format!("*{table}\n"));
        for hook in hooks {
            for port in [4789, 8080, 8081] {
                text.push_str(&format!(
                    "-I {hook} -p udp -m udp --dport {port} -m comment --comment count-{port}\n"
                ));
            }
        }
        text.push_str("COMMIT\n");
    }
    text
}

fn is_here() -> bool {
    let script = "ip link add v type vxlan id 1 local 127.0.0.1 dstport 4789 && ipset create a hash:net && \
                  iptables-legacy -t security -S > /dev/null && command -v bash bridge > /dev/null";
    let output = Command::new("unshare").args(["-rnm", "sh", "-c", script]).output();
    if output.is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var_os("NETPOLC_KERNEL").is_none(), "the kernel cannot be asked, and must be");
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: VXLAN, iptables (legacy), ipset or network namespaces are not here"
    );
    false
}

/// How many packets came by, by `node table hook port`.
fn measure(manifests: &[&str], folder: &Path) -> BTreeMap<String, u64> {
    for (node, own) in [("node-1", "one"), ("node-2", "two")] {
        let out = folder.join(own);
        let out = out.to_str().expect("a path is UTF-8");
        let result = run(&[&["compile"], manifests, &["--node", node, "--out", out]].concat());
        // 1: there are warnings, here of an object that another one replaces
        assert!(matches!(result.status, Some(0 | 1)), "{}", result.stderr);
    }
    std::fs::write(folder.join("counters"), counters()).expect("the counters are written");
    let mut child = Command::new("unshare")
        .args(["-rnm", "bash", "-s"])
        .env("RULES", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare starts");
    child.stdin.take().expect("standard input is a pipe").write_all(SCRIPT.as_bytes()).expect("bash reads");
    let output = child.wait_with_output().expect("bash ends");
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{error}");
    let line = |line: &str| {
        line.rsplit_once(' ').map(|(key, count)| (key.to_owned(), count.parse().expect("a number")))
    };
    let counts: BTreeMap<String, u64> = text.lines().filter_map(line).collect();
    assert_eq!(counts.len(), 2 * 8 * 3, "a counter is missing:\n{text}");
    counts
}

/// What `trace` says of a port: fate and hook of what is carried and of what carries, node by node.
fn said(manifests: &[&str], port: &str) -> Vec<(String, String)> {
    let question = ["--from", "pod:shop/client", "--to", "pod:shop/server", "--proto", "udp", "--port", port];
    let arguments =
        [&["trace"], manifests, &["--node", "node-1", "--format", "json"], &question[..]].concat();
    let document: Value = serde_json::from_str(&run(&arguments).stdout).expect("a document");
    let stops = document["nodes"].as_array().expect("nodes");
    let fate = |stop: &Value| {
        let classes = stop["answers"][0]["classes"].as_array().expect("classes");
        assert_eq!(classes.len(), 1, "all packets of a question have one fate: {stop:#}");
        let text = |key: &str| classes[0][key].as_str().unwrap_or_default().to_owned();
        (text("fate"), text("hook"))
    };
    stops.iter().map(fate).collect()
}

#[test]
fn datagrams_get_as_far_as_trace_says() {
    if !is_here() {
        return;
    }
    // the first of these lets one port through, the others stop what carries
    let mut ends = Vec::new();
    for (name, beside) in
        [("open", None), ("untracked", Some("untracked-deny")), ("unknown", Some("node-without-tunnel"))]
    {
        let file = beside.map(|beside| format!("fixtures/trace/tunnels/{beside}.yaml"));
        let mut manifests = vec!["fixtures/trace/tunnels/vxlan.yaml"];
        manifests.extend(file.as_deref());
        let folder = root().join(env!("CARGO_TARGET_TMPDIR")).join("vxlan").join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let counts = measure(&manifests, &folder);
        let count = |key: &str| counts[key];
        for port in ["8080", "8081"] {
            let said = said(&manifests, port);
            let at = |stop: usize| said.get(stop).map(|(fate, hook)| (&**fate, &**hook));
            let case = format!("{name}, port {port}, trace says {said:?}, counted {counts:#?}");
            // what is carried leaves the first node, and so does what carries both ports
            assert_eq!(at(0), Some(("forwarded", "")), "{case}");
            assert_eq!(count(&format!("one mangle POSTROUTING {port}")), SENT, "{case}");
            assert_eq!(at(1), Some(("sent", "")), "{case}");
            assert_eq!(count("one mangle POSTROUTING 4789"), 2 * SENT, "{case}");
            assert_eq!(count("two raw PREROUTING 4789"), 2 * SENT, "{case}");
            let (prerouting, input) = (count("two mangle PREROUTING 4789"), count("two mangle INPUT 4789"));
            let carrier = match (prerouting, input, count("two security INPUT 4789")) {
                (0, 0, 0) => ("dropped", "prerouting"),
                (_, 6, 0) => ("dropped", "input"),
                (6, 6, 6) => ("delivered", ""),
                other => panic!("what carries is counted as {other:?}: {case}"),
            };
            assert_eq!(at(2), Some(carrier), "{case}");
            let came = count(&format!("two raw PREROUTING {port}"));
            let inner = match (
                came,
                count(&format!("two mangle FORWARD {port}")),
                count(&format!("two mangle POSTROUTING {port}")),
            ) {
                (0, 0, 0) => None,
                (SENT, SENT, 0) => Some(("dropped", "forward")),
                (SENT, SENT, SENT) => Some(("forwarded", "")),
                other => panic!("what is carried is counted as {other:?}: {case}"),
            };
            assert_eq!(at(3), inner, "{case}");
            ends.push((carrier, inner));
        }
    }
    // what the three are there to show
    assert_eq!(
        ends,
        [
            (("delivered", ""), Some(("forwarded", ""))),
            (("delivered", ""), Some(("dropped", "forward"))),
            (("dropped", "prerouting"), None),
            (("dropped", "prerouting"), None),
            (("dropped", "input"), None),
            (("dropped", "input"), None),
        ]
    );
}
