//! Protocols by number and by name.

/// An IP protocol, by number or by the name that was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Protocol {
    Number(u8),
    Name(Box<str>),
}

/// What `iptables-save` prints for a protocol: the name of `/etc/protocols` (Debian's netbase), else
/// iptables' own.
const NAMES: [(u8, &str); 54] = [
    (1, "icmp"),
    (2, "igmp"),
    (3, "ggp"),
    (4, "ipencap"),
    (5, "st"),
    (6, "tcp"),
    (8, "egp"),
    (9, "igp"),
    (12, "pup"),
    (17, "udp"),
    (20, "hmp"),
    (22, "xns-idp"),
    (27, "rdp"),
    (29, "iso-tp4"),
    (33, "dccp"),
    (36, "xtp"),
    (37, "ddp"),
    (38, "idpr-cmtp"),
    (41, "ipv6"),
    (43, "ipv6-route"),
    (44, "ipv6-frag"),
    (45, "idrp"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (57, "skip"),
    (58, "ipv6-icmp"),
    (59, "ipv6-nonxt"),
    (60, "ipv6-opts"),
    (73, "rspf"),
    (81, "vmtp"),
    (88, "eigrp"),
    (89, "ospf"),
    (93, "ax.25"),
    (94, "ipip"),
    (97, "etherip"),
    (98, "encap"),
    (103, "pim"),
    (108, "ipcomp"),
    (112, "vrrp"),
    (115, "l2tp"),
    (124, "isis"),
    (132, "sctp"),
    (133, "fc"),
    (135, "mobility-header"),
    (136, "udplite"),
    (137, "mpls-in-ip"),
    (138, "manet"),
    (139, "hip"),
    (140, "shim6"),
    (141, "wesp"),
    (142, "rohc"),
    (143, "ethernet"),
];

/// Further names that iptables takes, and those of other systems' `/etc/protocols`.
const ALIASES: [(u8, &str); 8] = [
    (0, "all"),
    (0, "ip"),
    (4, "ipv4"),
    (50, "ipv6-crypt"),
    (51, "ipv6-auth"),
    (58, "icmpv6"),
    (135, "ipv6-mh"),
    (135, "mh"),
];

impl Protocol {
    /// The protocol's number, if the name is known.
    pub fn number(&self) -> Option<u8> {
        match self {
            Protocol::Number(number) => Some(*number),
            Protocol::Name(name) => {
                let known = NAMES.iter().chain(&ALIASES).find(|(_, own)| *own == &**name);
                known.map(|(number, _)| *number)
            }
        }
    }

    /// The name that `iptables-save` prints for a number; `None` if it prints the number.
    pub fn name_of(number: u8) -> Option<&'static str> {
        NAMES.iter().find(|(own, _)| *own == number).map(|(_, name)| *name)
    }
}
