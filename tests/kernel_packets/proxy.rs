//! kube-proxy's rules as text, from the structure that kube-proxy documents, by nothing that the program uses.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

/// What the generator is told of a port of a service.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// a name for chains, of up to 12 characters
    pub name: String,
    pub cluster_ip: String,
    /// addresses that `loadBalancerSourceRanges` are about
    pub load_balancers: Vec<String>,
    pub external_ips: Vec<String>,
    /// `tcp`, `udp`
    pub protocol: String,
    pub port: u16,
    pub node_port: Option<u16>,
    pub external_local: bool,
    pub internal_local: bool,
    pub ranges: Vec<String>,
    pub health_port: Option<u16>,
    /// usable endpoints of all nodes, and of this one: address and port
    pub all: Vec<(String, u16)>,
    pub here: Vec<(String, u16)>,
}

/// kube-proxy's two tables for `iptables-restore --noflush`, in chains with names of their own: of a cluster with pods
/// in a network, at the node with an address.
pub fn rules(services: &[Service], pods: &str, node: &str) -> String {
    let (mut nat, mut filter) = (Vec::<String>::new(), Vec::<String>::new());
    for own in services {
        let (name, protocol) = (&own.name, &own.protocol);
        let external =
            !own.load_balancers.is_empty() || !own.external_ips.is_empty() || own.node_port.is_some();
        let any = !own.all.is_empty();
        let refuse = if any { "DROP" } else { "REJECT" };
        let policy = |local: bool| format!("{}-{name}", if local { "SVL" } else { "SVC" });
        let reached = |local: bool| any && !(local && own.here.is_empty());
        let port = own.port;
        let vip = |ip: &str| format!("-d {ip}/32 -p {protocol} -m {protocol} --dport {port}");
        let cluster = vip(&own.cluster_ip);
        if reached(own.internal_local) {
            let to = policy(own.internal_local);
            nat.push(format!("-A SERVICES {cluster} -j {to}"));
            nat.push(format!("-A {to} ! -s {pods} {cluster} -j MARK-MASQ"));
        } else {
            filter.push(format!("-A F-SERVICES {cluster} -j {refuse}"));
        }
        if external && any {
            if own.external_local {
                nat.push(format!("-A EXT-{name} -s {pods} -j SVC-{name}"));
                nat.push(format!("-A EXT-{name} -m addrtype --src-type LOCAL -j MARK-MASQ"));
                nat.push(format!("-A EXT-{name} -m addrtype --src-type LOCAL -j SVC-{name}"));
            } else {
                nat.push(format!("-A EXT-{name} -j MARK-MASQ"));
            }
            if reached(own.external_local) {
                nat.push(format!("-A EXT-{name} -j {}", policy(own.external_local)));
            }
        }
        let balanced = own.load_balancers.iter().map(|ip| (ip, !own.ranges.is_empty()));
        for (ip, guarded) in balanced.chain(own.external_ips.iter().map(|ip| (ip, false))) {
            let vip = vip(ip);
            if any && guarded {
                nat.push(format!("-A SERVICES {vip} -j FW-{name}"));
                own.ranges.iter().for_each(|net| nat.push(format!("-A FW-{name} -s {net} -j EXT-{name}")));
                if own.ranges.iter().any(|net| contains(net, node)) {
                    nat.push(format!("-A FW-{name} -s {ip}/32 -j EXT-{name}"));
                }
                filter.push(format!("-A F-FIREWALL {vip} -j DROP"));
            } else if any {
                nat.push(format!("-A SERVICES {vip} -j EXT-{name}"));
            }
            if !reached(own.external_local) {
                filter.push(format!("-A F-EXTERNAL {vip} -j {refuse}"));
            }
        }
        if let Some(port) = own.node_port {
            let to = format!("-p {protocol} -m {protocol} --dport {port}");
            if any {
                nat.push(format!("-A NODEPORTS {to} -j EXT-{name}"));
            }
            if !reached(own.external_local) {
                filter.push(format!("-A F-EXTERNAL -m addrtype --dst-type LOCAL {to} -j {refuse}"));
            }
        }
        if let Some(port) = own.health_port {
            filter.push(format!("-A F-NODEPORTS -p tcp -m tcp --dport {port} -j ACCEPT"));
        }
        for (chain, endpoints) in [(policy(false), &own.all), (policy(true), &own.here)] {
            for (place, (endpoint, to_port)) in endpoints.iter().enumerate() {
                let left = endpoints.len() - place;
                let chance = match left {
                    1 => String::new(),
                    left => format!("-m statistic --mode random --probability {:.10} ", 1.0 / left as f64),
                };
                let to = format!("SEP-{name}-{}", endpoint.rsplit_once('.').map_or("", |(_, last)| last));
                let to = format!("{to}-{}", endpoint.split('.').nth(2).unwrap_or_default());
                nat.push(format!("-A {chain} {chance}-j {to}"));
                let chain_of_it = format!("-A {to} -s {endpoint}/32 -j MARK-MASQ");
                if !nat.contains(&chain_of_it) {
                    nat.push(chain_of_it);
                    nat.push(format!("-A {to} -p {protocol} -j DNAT --to-destination {endpoint}:{to_port}"));
                }
            }
        }
    }
    nat.push("-A SERVICES -m addrtype --dst-type LOCAL -j NODEPORTS".into());
    nat.push("-A MARK-MASQ -j MARK --or-mark 0x4000".into());
    nat.push("-A KUBE-POST -m mark ! --mark 0x4000/0x4000 -j RETURN".into());
    nat.push("-A KUBE-POST -j MARK --xor-mark 0x4000".into());
    nat.push("-A KUBE-POST -j MASQUERADE --random-fully".into());
    // where kube-proxy was there before Felix: behind its jump, or before what it appends
    nat.push("-I PREROUTING 2 -j SERVICES".into());
    nat.push("-I OUTPUT 2 -j SERVICES".into());
    nat.push("-I POSTROUTING 1 -j KUBE-POST".into());
    filter.push("-A F-FORWARD -m conntrack --ctstate INVALID -j DROP".into());
    filter.push("-A F-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT".into());
    filter.push("-A F-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT".into());
    let known = "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT";
    filter.push(format!("-A F-KUBELET ! -s 127.0.0.0/8 -d 127.0.0.0/8 {known} -j DROP"));
    let new = "-m conntrack --ctstate NEW ";
    let jumps = [
        ("INPUT", vec![("", "F-KUBELET"), (new, "F-FIREWALL"), ("", "F-NODEPORTS"), (new, "F-EXTERNAL")]),
        ("FORWARD", vec![(new, "F-FIREWALL"), ("", "F-FORWARD"), (new, "F-SERVICES"), (new, "F-EXTERNAL")]),
        ("OUTPUT", vec![("", "F-KUBELET"), (new, "F-FIREWALL"), (new, "F-SERVICES")]),
    ];
    for (hook, chains) in jumps {
        for (place, (when, chain)) in chains.into_iter().enumerate() {
            filter.push(format!("-I {hook} {} {when}-j {chain}", place + 2));
        }
    }
    let mut text = String::new();
    for (table, lines) in [("nat", nat), ("filter", filter)] {
        let words = lines.iter().flat_map(|line| {
            line.split_whitespace()
                .collect::<Vec<_>>()
                .windows(2)
                .map(|pair| (pair[0].to_owned(), pair[1].to_owned()))
                .collect::<Vec<_>>()
        });
        let kernel = ["DROP", "REJECT", "ACCEPT", "RETURN", "MARK", "MASQUERADE", "DNAT"];
        let chains: BTreeSet<String> = words
            .filter(|(option, name)| (option == "-A" || option == "-j") && !kernel.contains(&&**name))
            .map(|(_, name)| name)
            .collect();
        writeln!(text, "*{table}").unwrap();
        chains.iter().for_each(|chain| writeln!(text, ":{chain} - [0:0]").unwrap());
        lines.iter().for_each(|line| writeln!(text, "{line}").unwrap());
        text.push_str("COMMIT\n");
    }
    text
}

fn contains(net: &str, address: &str) -> bool {
    let (net, length) = net.split_once('/').expect("a network");
    let number = |text: &str| match text.parse().expect("an address") {
        IpAddr::V4(own) => u32::from(own),
        IpAddr::V6(_) => unreachable!("of IPv4 only"),
    };
    let host = 32 - length.parse::<u32>().expect("a length");
    host == 32 || number(net) >> host == number(address) >> host
}
