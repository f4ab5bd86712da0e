//! The API server's validation of NetworkPolicy
//! (`k8s.io/kubernetes/pkg/apis/networking/validation/validation.go`, 1.33).

use super::{label_selector, names};
use crate::diagnostic::Spanned;
use crate::model::findings::Findings;
use crate::model::lower::reader::Reader;
use crate::model::network_policy::{IntOrString, IpBlock, NetworkPolicy, NetworkPolicyRule, PolicyPort};
use crate::model::text::excerpt;
use crate::syntax::cidr::{self, Cidr};

/// Checks a NetworkPolicy; `spec` reads `spec`.
pub fn check(policy: &NetworkPolicy, spec: &Reader<'_>, findings: &mut Findings<'_>) {
    label_selector::check(&spec.sub("podSelector"), "podSelector", findings);
    let types = spec.texts("policyTypes");
    if let Some(third) = types.get(2) {
        findings.turn_away("wrong-value", third.at, "`policyTypes` has more than two entries");
    }
    for entry in &types {
        if !matches!(&*entry.value, "Ingress" | "Egress") {
            let reason =
                format!("`policyTypes` entry `{}` is neither `Ingress` nor `Egress`", excerpt(&entry.value));
            findings.turn_away("wrong-value", entry.at, &reason);
        }
    }
    rules(&policy.ingress, spec, "ingress", "from", findings);
    rules(&policy.egress, spec, "egress", "to", findings);
}

fn rules(
    rules: &[NetworkPolicyRule],
    spec: &Reader<'_>,
    direction: &str,
    peers: &str,
    findings: &mut Findings<'_>,
) {
    for (rule, reader) in rules.iter().zip(spec.subs(direction)) {
        for (port, reader) in rule.ports.iter().zip(reader.subs("ports")) {
            port_valid(port, &reader, findings);
        }
        for (peer, reader) in rule.peers.iter().zip(reader.subs(peers)) {
            let selectors = [
                ("podSelector", peer.pod_selector.is_some()),
                ("namespaceSelector", peer.namespace_selector.is_some()),
            ];
            for (name, _) in selectors.into_iter().filter(|(_, present)| *present) {
                label_selector::check(&reader.sub(name), name, findings);
            }
            let any = selectors.into_iter().any(|(_, present)| present);
            match &peer.ip_block {
                Some(_) if any => {
                    findings
                        .turn_away("bad-peer", peer.at, "`ipBlock` excludes selectors in the same peer")
                        .help("begin a second list item for the other");
                }
                Some(block) => ip_block(block, findings),
                None if !any => {
                    let reason = "a peer needs `podSelector`, `namespaceSelector` or `ipBlock`";
                    findings.turn_away("bad-peer", peer.at, reason);
                }
                None => {}
            }
        }
    }
}

fn port_valid(port: &PolicyPort, reader: &Reader<'_>, findings: &mut Findings<'_>) {
    if reader.has("protocol") && !matches!(&*port.protocol, "TCP" | "UDP" | "SCTP") {
        let reason = format!("`protocol: {}` is none of `TCP`, `UDP`, `SCTP`", excerpt(&port.protocol));
        let upper = port.protocol.to_ascii_uppercase();
        let note = findings.turn_away("bad-protocol", reader.at_of("protocol"), &reason);
        if matches!(&*upper, "TCP" | "UDP" | "SCTP") {
            note.help(format!("write `{upper}`"));
        }
    }
    match &port.port {
        Some(IntOrString::Int(number)) => {
            in_range(*number, "port", reader, findings);
            if let Some(end) = port.end_port {
                if end < *number {
                    let reason = format!("`endPort: {end}` is below `port: {number}`");
                    findings.turn_away("bad-port", reader.at_of("endPort"), &reason);
                }
                in_range(end, "endPort", reader, findings);
            }
        }
        Some(IntOrString::String(name)) => {
            if let Err(why) = names::port_name(name) {
                let reason = format!("`port: {}` is no name of a port: {why}", excerpt(name));
                let note = findings.turn_away("bad-port", reader.at_of("port"), &reason);
                if name.parse::<u16>().is_ok() {
                    note.help("remove the quotes");
                }
            }
            if port.end_port.is_some() {
                findings.turn_away(
                    "bad-port",
                    reader.at_of("endPort"),
                    "`endPort` needs a `port` that is a number",
                );
            }
        }
        None if port.end_port.is_some() => {
            findings.turn_away("bad-port", reader.at_of("endPort"), "`endPort` needs a `port`");
        }
        None => {}
    }
}

fn in_range(number: i64, field: &str, reader: &Reader<'_>, findings: &mut Findings<'_>) {
    if !(1..=65_535).contains(&number) {
        let reason = format!("`{field}: {number}` is out of range: 1 to 65535");
        findings.turn_away("bad-port", reader.at_of(field), &reason);
    }
}

fn ip_block(block: &IpBlock, findings: &mut Findings<'_>) {
    let outer = cidr_valid(&block.cidr, findings);
    for except in &block.except {
        let inner = cidr_valid(except, findings);
        if let (Some(outer), Some(inner)) = (outer, inner) {
            let inside =
                outer.net.contains(&inner.address) && outer.net.prefix_len() < inner.net.prefix_len();
            if !inside {
                let reason = format!(
                    "`{}` in `except` is no part of `{}`",
                    excerpt(&except.value),
                    excerpt(&block.cidr.value)
                );
                findings.schema_rule(except.at, &reason).related(block.cidr.at, "the block");
            }
        }
    }
}

/// A CIDR; host bits are allowed.
fn cidr_valid(text: &Spanned<Box<str>>, findings: &mut Findings<'_>) -> Option<Cidr> {
    let parsed = cidr::parse(&text.value);
    if parsed.is_none() {
        let reason = format!("`{}` in `ipBlock` is no CIDR", excerpt(&text.value));
        let note = findings.turn_away("bad-net", text.at, &reason);
        if let Some(address) = cidr::parse_or_address(&text.value) {
            note.help(format!("write `{}`", address.net));
        }
    }
    parsed
}
