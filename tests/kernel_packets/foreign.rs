//! Random rules of other software: marks of connections, and translations that choose among addresses and ports.

use super::common::Numbers;
use netpolc::ir::Family;
use std::fmt::Write as _;

/// The addresses of the node; one interface has none.
pub const ADDRESSES: &str = r#"[
 {"ifname": "eth0", "addr_info": [{"local": "10.0.0.11", "prefixlen": 24}, {"local": "10.0.0.12", "prefixlen": 24},
  {"local": "2001:db8::b", "prefixlen": 64}]},
 {"ifname": "eth1", "addr_info": [{"local": "203.0.113.11", "prefixlen": 28}, {"local": "2001:db8:1::b", "prefixlen": 64}]}
]
"#;

/// Its routes.
pub const ROUTES: &str = r#"[
 {"dst": "10.0.0.0/24", "dev": "eth0"}, {"dst": "203.0.113.0/28", "dev": "eth1"}, {"dst": "172.17.0.0/16", "dev": "eth2"},
 {"dst": "0.0.0.0/0", "dev": "eth1"},
 {"dst": "2001:db8::/64", "dev": "eth0"}, {"dst": "2001:db8:1::/64", "dev": "eth1"}, {"dst": "2001:db8:2::/64", "dev": "eth2"},
 {"dst": "::/0", "dev": "eth1"}
]
"#;

/// What rules of a family are about.
struct Places {
    hosts: &'static [&'static str],
    nets: &'static [&'static str],
    /// first and last address of ranges
    ranges: &'static [(&'static str, &'static str)],
    /// networks of one size
    blocks: &'static [&'static str],
}

const V4: Places = Places {
    hosts: &[
        "10.0.0.5",
        "10.0.0.11",
        "203.0.113.5",
        "203.0.113.11",
        "172.17.0.2",
        "172.17.0.9",
        "198.51.100.7",
    ],
    nets: &["10.0.0.0/24", "203.0.113.0/28", "172.17.0.0/16", "172.17.0.0/30", "0.0.0.0/0"],
    ranges: &[
        ("172.17.0.1", "172.17.0.6"),
        ("10.0.0.4", "10.0.0.13"),
        ("172.16.255.250", "172.17.0.9"),
        ("203.0.113.9", "203.0.113.11"),
    ],
    blocks: &["10.0.0.0/28", "172.17.0.0/28", "203.0.113.0/28", "198.51.100.0/28"],
};

const V6: Places = Places {
    hosts: &[
        "2001:db8::5",
        "2001:db8::b",
        "2001:db8:1::5",
        "2001:db8:1::b",
        "2001:db8:2::2",
        "2001:db8:f::7",
    ],
    nets: &["2001:db8::/64", "2001:db8:1::/64", "2001:db8:2::/64", "2001:db8:2::/126", "::/0"],
    ranges: &[
        ("2001:db8:2::1", "2001:db8:2::6"),
        ("2001:db8::4", "2001:db8::d"),
        // words of 32 bits are chosen one after the other
        ("2001:db8:1::ffff:0:5", "2001:db8:2::3:0:2"),
        ("2001:db8:2::1:0:5", "2001:db8:2::3:0:2"),
    ],
    blocks: &["2001:db8::/124", "2001:db8:1::/124", "2001:db8:2::/124"],
};

const PORTS: [&str; 6] = ["22", "80", "80:90", "443", "1024:2000", "8080"];
/// What tells ports of the same range apart.
const PARTS: [&str; 5] = ["80", "81:90", "1024", "1025:2000", "8080"];

struct Rules<'n> {
    numbers: &'n mut Numbers,
    places: &'static Places,
    text: String,
}

/// Rules as `iptables-save` prints them.
pub fn rules(numbers: &mut Numbers, family: Family) -> String {
    let places = if family == Family::V4 { &V4 } else { &V6 };
    let mut rules = Rules { numbers, places, text: String::new() };
    rules.table("mangle", &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"], Rules::mark);
    rules.table("nat", &["PREROUTING", "OUTPUT"], Rules::destination);
    rules.table("nat", &["INPUT", "POSTROUTING"], Rules::source);
    rules.table("filter", &["INPUT", "FORWARD", "OUTPUT"], Rules::verdict);
    rules.text
}

impl Rules<'_> {
    fn table(&mut self, table: &str, hooks: &[&str], rule: fn(&mut Self, &str) -> String) {
        let table = format!("*{table}\n");
        // hooks of both kinds of translation are in one table
        let mut added = String::new();
        for hook in hooks {
            for _ in 0..2 + self.numbers.below(4) {
                let rule = rule(self, hook);
                writeln!(added, "-A {hook}{rule}").unwrap();
            }
        }
        match self.text.contains(&table) {
            true => self.text.insert_str(self.text.rfind("COMMIT").expect("an end"), &added),
            false => writeln!(self.text, "{table}{added}COMMIT").unwrap(),
        }
    }

    /// What many rules ask.
    fn ends(&mut self, hook: &str) -> String {
        let mut text = String::new();
        let not = if self.numbers.one_in(5) { "! " } else { "" };
        match self.numbers.below(5) {
            0 => write!(text, " {not}-d {}", self.numbers.pick(self.places.nets)).unwrap(),
            1 => write!(text, " {not}-d {}", self.numbers.pick(self.places.hosts)).unwrap(),
            2 => write!(text, " -s {}", self.numbers.pick(self.places.nets)).unwrap(),
            _ => {}
        }
        if !matches!(hook, "OUTPUT" | "POSTROUTING") && self.numbers.one_in(3) {
            write!(text, " {not}-i {}", self.numbers.pick(&["eth0", "eth1", "eth2", "lo"])).unwrap();
        }
        // one that holds for none cannot be loaded
        text.replace("! -d 0.0.0.0/0", "").replace("! -d ::/0", "")
    }

    fn bits(&mut self) -> String {
        let mask = self.numbers.pick(&[1, 2, 3, 7]);
        format!("{:#x}/{mask:#x}", self.numbers.below(8) & mask)
    }

    fn mark(&mut self, hook: &str) -> String {
        let ends = self.ends(hook);
        let not = if self.numbers.one_in(3) { "! " } else { "" };
        let asked = match self.numbers.below(4) {
            0 => format!(" -m connmark {not}--mark {}", self.bits()),
            1 => format!(" -m mark {not}--mark {}", self.bits()),
            _ => String::new(),
        };
        let masks = format!("--nfmask {:#x} --ctmask {:#x}", self.numbers.below(8), self.numbers.below(8));
        let action = match self.numbers.below(6) {
            0 => format!("MARK --set-xmark {}", self.bits()),
            1 | 2 => {
                format!("CONNMARK --set-xmark {:#x}/{:#x}", self.numbers.below(8), self.numbers.below(8))
            }
            3 => format!("CONNMARK --save-mark {masks}"),
            _ => format!("CONNMARK --restore-mark {masks}"),
        };
        format!("{ends}{asked} -j {action}")
    }

    /// Ports as NAT writes them.
    fn range(&mut self) -> String {
        self.numbers.pick(&PORTS).replace(':', "-")
    }

    fn destination(&mut self, hook: &str) -> String {
        let ends = self.ends(hook);
        let protocol = self.numbers.pick(&["tcp", "udp", "sctp"]);
        let asked = match self.numbers.below(3) {
            0 => format!(" -p {protocol} -m {protocol} --dport {}", self.numbers.pick(&PORTS)),
            _ => format!(" -p {protocol}"),
        };
        let (first, last) = self.numbers.pick(self.places.ranges);
        let host = self.numbers.pick(self.places.hosts);
        let persistent = if self.numbers.one_in(2) { " --persistent" } else { "" };
        let with_ports = |addresses: String, ports: String| match addresses.contains(':') {
            true => format!("[{addresses}]:{ports}"),
            false => format!("{addresses}:{ports}"),
        };
        match self.numbers.below(9) {
            0 => {
                let (from, to) =
                    (self.numbers.pick(self.places.blocks), self.numbers.pick(self.places.blocks));
                format!(" -d {from} -j NETMAP --to {to}")
            }
            1 => format!("{ends} -j DNAT --to-destination {first}-{last}{persistent}"),
            2 => format!("{ends}{asked} -j REDIRECT"),
            3 => format!("{ends}{asked} -j REDIRECT --to-ports {}", self.range()),
            4 => format!("{ends}{asked} -j DNAT --to-destination :{}", self.range()),
            5 | 6 => {
                let to = with_ports(host.to_owned(), self.range());
                format!("{ends}{asked} -j DNAT --to-destination {to}")
            }
            7 => {
                let to = with_ports(format!("{first}-{last}"), self.range());
                format!("{ends}{asked} -j DNAT --to-destination {to}{persistent}")
            }
            _ => format!(" -m connmark --mark {} -j DNAT --to-destination {host}", self.bits()),
        }
    }

    fn source(&mut self, hook: &str) -> String {
        let ends = self.ends(hook);
        let (first, last) = self.numbers.pick(self.places.ranges);
        match self.numbers.below(3) {
            // ports at random must not matter to what comes after
            0 if hook == "POSTROUTING" => match self.numbers.one_in(2) {
                true => format!(" -o eth0{ends} -j MASQUERADE --random"),
                false => format!(" -o lo{ends} -j MASQUERADE"),
            },
            // the walk does not follow what the node sends to itself with one of several sources
            1 => {
                let out = if hook == "POSTROUTING" { " ! -o lo" } else { "" };
                let mark = self.bits();
                format!("{out}{ends} -m connmark --mark {mark} -j SNAT --to-source {first}-{last}")
            }
            _ => format!("{ends} -m connmark ! --mark {} -j ACCEPT", self.bits()),
        }
    }

    fn verdict(&mut self, hook: &str) -> String {
        let ends = self.ends(hook);
        let not = if self.numbers.one_in(3) { "! " } else { "" };
        let protocol = self.numbers.pick(&["tcp", "udp", "sctp"]);
        let asked = match self.numbers.below(8) {
            0 => format!(" -m connmark {not}--mark {}", self.bits()),
            1 => format!(" -m mark {not}--mark {}", self.bits()),
            3 if !ends.contains("-d ") => format!(" -d {}", self.numbers.pick(self.places.hosts)),
            2 => format!(" -m conntrack {not}--ctstate DNAT"),
            _ => format!(" -p {protocol} -m {protocol} --dport {}", self.numbers.pick(&PARTS)),
        };
        format!("{ends}{asked} -j {}", self.numbers.pick(&["ACCEPT", "DROP", "REJECT", "DROP"]))
    }
}
