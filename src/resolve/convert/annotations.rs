//! What the annotations of pods and host endpoints ask for.
//!
//! `libcalico-go/lib/backend/k8s/conversion/workload_endpoint_default.go:169` and `:341`, v3.32.1.

use super::quantity;
use crate::model::labels::Labels;
use crate::resolve::address;
use crate::resolve::view::Qos;
use ipnet::IpNet;
use std::net::IpAddr;

/// A JSON list of floating addresses.
pub const FLOATING_IPS: &str = "cni.projectcalico.org/floatingIPs";
/// A JSON list of CIDRs that the pod may send from.
pub const SOURCE_PREFIXES: &str = "cni.projectcalico.org/allowedSourcePrefixes";
const DSCP: &str = "qos.projectcalico.org/dscp";

const MAX_PACKETS: i64 = 10_000;
const MAX_CONNECTIONS: i64 = u32::MAX as i64;
const DEFAULT_BURST: u64 = 5;

/// Floating addresses, each with the last of the pod's addresses of its family.
///
/// # Errors
///
/// Says why the annotation, and with it the pod, is not understood.
pub fn floating_ips(annotations: &Labels, own: &[IpAddr]) -> Result<Vec<(IpAddr, IpAddr)>, String> {
    let Some(text) = annotations.get(FLOATING_IPS).filter(|_| !own.is_empty()) else { return Ok(Vec::new()) };
    let texts = strings(FLOATING_IPS, text)?;
    let last = |v6: bool| own.iter().rev().find(|address| address.is_ipv6() == v6);
    // an entry that is no address, or of a family that the pod lacks, has no effect
    let pair = |text: &String| Some((address::parse_ip(text)?, *last(text.contains(':'))?));
    Ok(texts.iter().filter_map(pair).collect())
}

/// CIDRs that the pod may send from, masked.
///
/// # Errors
///
/// As [`floating_ips`].
pub fn source_prefixes(annotations: &Labels) -> Result<Vec<IpNet>, String> {
    let Some(text) = annotations.get(SOURCE_PREFIXES).filter(|text| !text.is_empty()) else {
        return Ok(Vec::new());
    };
    strings(SOURCE_PREFIXES, text)?
        .iter()
        .map(|text| {
            address::parse_cidr(text).ok_or_else(|| format!("`{text}` in `{SOURCE_PREFIXES}` is no CIDR"))
        })
        .collect()
}

fn strings(key: &str, text: &str) -> Result<Vec<String>, String> {
    // Go reads `null` as an empty list, and a `null` in it as an empty text
    serde_json::from_str::<Option<Vec<Option<String>>>>(text)
        .map(|list| list.unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect())
        .map_err(|error| format!("`{key}` is no JSON list of texts: {error}"))
}

/// Rate and connection limits: values out of range are moved to the bound, unparsable ones are 0,
/// which is none.
pub fn qos(annotations: &Labels) -> Qos {
    let value = |name: &str, max: i64| {
        let text = annotations.get(&format!("qos.projectcalico.org/{name}"))?;
        Some(quantity::whole(text)?.clamp(1, max) as u64)
    };
    let packets = |name: &str| value(name, MAX_PACKETS).unwrap_or(0);
    let burst = |rate: u64, name: &str| match (rate, packets(name)) {
        (0, _) => 0,
        (_, 0) => DEFAULT_BURST,
        (_, burst) => burst,
    };
    let (ingress, egress) = (packets("ingressPacketRate"), packets("egressPacketRate"));
    Qos {
        ingress_packet_rate: ingress,
        ingress_packet_burst: burst(ingress, "ingressPacketBurst"),
        egress_packet_rate: egress,
        egress_packet_burst: burst(egress, "egressPacketBurst"),
        ingress_max_connections: value("ingressMaxConnections", MAX_CONNECTIONS).unwrap_or(0),
        egress_max_connections: value("egressMaxConnections", MAX_CONNECTIONS).unwrap_or(0),
    }
}

/// The DSCP value, by number or by name; anything else is none
/// (`api/pkg/lib/numorstring/dscp.go`, v3.32.1).
pub fn dscp(annotations: &Labels) -> Option<u8> {
    let text = annotations.get(DSCP)?;
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u8>().is_ok() {
        return text.parse().ok().filter(|value| *value <= 63);
    }
    let name = text.trim().to_ascii_uppercase();
    let class = |name: &str| name.parse::<u8>().ok().filter(|_| name.len() == 1);
    Some(match &*name {
        "DF" => 0,
        "EF" => 46,
        _ if name.starts_with("CS") => class(&name[2..]).filter(|c| *c <= 6)? * 8,
        _ if name.starts_with("AF") && name.len() == 4 => {
            let class_of = |index: usize, max: u8| {
                class(name.get(index..=index)?).filter(|value| (1..=max).contains(value))
            };
            class_of(2, 4)? * 8 + class_of(3, 3)? * 2
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Labels {
        Labels::new(pairs.iter().copied())
    }

    #[test]
    fn dscp_by_number_and_name() {
        for (text, expected) in [
            ("0", Some(0)),
            ("63", Some(63)),
            ("64", None),
            ("ef", Some(46)),
            ("AF11", Some(10)),
            ("af43", Some(38)),
            ("AF14", None),
            ("AF51", None),
            ("CS0", Some(0)),
            ("CS6", Some(48)),
            ("CS7", None),
            (" DF ", Some(0)),
            ("", None),
            ("AFéé", None),
        ] {
            assert_eq!(dscp(&with(&[("qos.projectcalico.org/dscp", text)])), expected, "{text}");
        }
    }

    #[test]
    fn limits_clamp_and_bursts_need_a_rate() {
        let limits = qos(&with(&[
            ("qos.projectcalico.org/ingressPacketRate", "1M"),
            ("qos.projectcalico.org/egressPacketBurst", "7"),
            ("qos.projectcalico.org/ingressMaxConnections", "0"),
            ("qos.projectcalico.org/egressMaxConnections", "many"),
        ]));
        let expected = Qos {
            ingress_packet_rate: 10_000,
            ingress_packet_burst: 5,
            ingress_max_connections: 1,
            ..Qos::default()
        };
        assert_eq!(limits, expected);
    }

    #[test]
    fn floating_addresses_pair_with_the_last_own_address_of_their_family() {
        let own = ["10.0.0.1", "fd00::1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let found = floating_ips(&with(&[(FLOATING_IPS, r#"["1.1.1.1","2001:db8::1","x"]"#)]), &own).unwrap();
        let texts: Vec<_> = found.iter().map(|(external, own)| format!("{external} {own}")).collect();
        assert_eq!(texts, ["1.1.1.1 10.0.0.2", "2001:db8::1 fd00::1"]);
        assert!(floating_ips(&with(&[(FLOATING_IPS, "1.1.1.1")]), &own).is_err());
        assert_eq!(floating_ips(&with(&[(FLOATING_IPS, "nonsense")]), &[]), Ok(Vec::new()));
    }

    #[test]
    fn source_prefixes_are_masked_and_must_parse() {
        let prefixes = |text| source_prefixes(&with(&[(SOURCE_PREFIXES, text)]));
        assert_eq!(prefixes(r#"["10.1.2.3/8"]"#).unwrap()[0].to_string(), "10.0.0.0/8");
        assert_eq!(prefixes(""), Ok(Vec::new()));
        assert_eq!(prefixes("null"), Ok(Vec::new()));
        assert!(prefixes(r#"["10.1.2.3"]"#).unwrap_err().contains("`10.1.2.3`"));
        assert!(prefixes("{}").is_err());
    }
}
