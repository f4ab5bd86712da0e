//! Names of chains: a word and 16 characters of a hash (`portProtoHash`, `pkg/proxy/iptables/proxier.go`).

use crate::model::core::TransportProtocol;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Names of the chains of one port of a service.
pub struct Names {
    /// `namespace/name:port`, without `:port` where it has no name; comments say it
    pub port: String,
    protocol: &'static str,
}

impl Names {
    /// `port`: the port's name, "" if it has none.
    pub fn new(namespace: &str, name: &str, port: &str, protocol: TransportProtocol) -> Option<Self> {
        let protocol = match protocol {
            TransportProtocol::Tcp => "tcp",
            TransportProtocol::Udp => "udp",
            TransportProtocol::Sctp => "sctp",
            TransportProtocol::Other => return None,
        };
        let port = if port.is_empty() { String::new() } else { format!(":{port}") };
        Some(Names { port: format!("{namespace}/{name}{port}"), protocol })
    }

    /// A chain for the port: `SVC`, `SVL`, `FW` or `EXT`.
    pub fn chain(&self, what: &str) -> Arc<str> {
        format!("KUBE-{what}-{}", hash(&format!("{}{}", self.port, self.protocol))).into()
    }

    /// The chain of an endpoint, `address:port`.
    pub fn endpoint(&self, endpoint: &str) -> Arc<str> {
        format!("KUBE-SEP-{}", hash(&format!("{}{}{endpoint}", self.port, self.protocol))).into()
    }
}

/// The first 80 bits of SHA-256 in base 32 (RFC 4648).
fn hash(text: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits = Sha256::digest(text)[..10].iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
    (0..16).rev().map(|place| char::from(ALPHABET[(bits >> (5 * place)) as usize & 31])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that kube-proxy gave (`pkg/proxy/iptables/proxier_test.go`).
    #[test]
    fn names_are_those_that_kube_proxy_gives() {
        let names = Names::new("ns4", "svc4", "p80", TransportProtocol::Tcp).unwrap();
        assert_eq!(&*names.endpoint("10.180.0.5:80"), "KUBE-SEP-C6EBXVWJJZMIWKLZ");
        let names = Names::new("ns5", "svc5", "p80", TransportProtocol::Tcp).unwrap();
        assert_eq!(&*names.chain("EXT"), "KUBE-EXT-NUKIZ6OKUXPJNT4C");
        assert_eq!(&*names.endpoint("10.180.0.3:80"), "KUBE-SEP-I77PXRDZVX7PMWMN");
        assert_eq!(names.port, "ns5/svc5:p80");
    }
}
