//! Rules of Calico policies.

use super::reader::{Reader, as_int};
use crate::diagnostic::Spanned;
use crate::model::calico::{
    Action, EntityRule, Icmp, Port, Protocol, Rule, ServiceAccountMatch, ServiceMatch,
};
use crate::model::findings::{Door, Findings};
use crate::model::text::excerpt;
use crate::model::validate::rule;
use crate::source::tree::{Node, Value};
use crate::syntax::port::{self, PortText};

/// The rules of one direction, checked as the door does.
pub fn rules(spec: &Reader<'_>, direction: &str, findings: &mut Findings<'_>) -> Vec<Rule> {
    spec.subs(direction)
        .map(|reader| {
            let rule = read(&reader, findings);
            match findings.door() {
                Door::Calicoctl => rule::by_calicoctl(&rule, &reader, findings),
                Door::Crd | Door::Kubernetes => rule::by_schema(&rule, findings),
            }
            rule
        })
        .collect()
}

/// Reads an action. One that no schema has looked at Felix reads in any case, none for Allow, and at another it
/// fails (`libcalico-go/lib/backend/syncersv1/updateprocessors/rules.go:291` and `felix/rules/policy.go:639`,
/// v3.31.7).
fn action(reader: &Reader<'_>, findings: &mut Findings<'_>) -> Action {
    let written = reader.text("action");
    match &*written.to_ascii_lowercase() {
        "deny" => Action::Deny,
        "log" => Action::Log,
        // the other name is Felix's own
        "pass" | "next-tier" => Action::Pass,
        "allow" | "" => Action::Allow,
        _ => {
            if findings.door() == Door::Crd && !findings.schema_knows_values() {
                let reason =
                    format!("`action: {}` makes it fail wherever the policy applies", excerpt(&written));
                findings.never_in_sync(reader.at_of("action"), &reason);
            }
            Action::Allow
        }
    }
}

fn read(reader: &Reader<'_>, findings: &mut Findings<'_>) -> Rule {
    Rule {
        action: action(reader, findings),
        ip_version: reader.int("ipVersion").map(|v| u8::try_from(v).unwrap_or(u8::MAX)),
        protocol: reader.get("protocol").map(|node| Spanned::new(protocol(node), node.at())),
        not_protocol: reader.get("notProtocol").map(|node| Spanned::new(protocol(node), node.at())),
        icmp: icmp(reader, "icmp"),
        not_icmp: icmp(reader, "notICMP"),
        source: entity(&reader.sub("source")),
        destination: entity(&reader.sub("destination")),
        http: reader.get("http").map(Node::at),
        annotations: reader.sub("metadata").labels("annotations"),
        at: reader.at(),
    }
}

fn icmp(reader: &Reader<'_>, field: &str) -> Option<Icmp> {
    let icmp = reader.sub_if(field)?;
    Some(Icmp { kind: icmp.int("type"), code: icmp.int("code") })
}

fn entity(reader: &Reader<'_>) -> EntityRule {
    EntityRule {
        nets: reader.texts("nets"),
        not_nets: reader.texts("notNets"),
        selector: reader.spanned("selector"),
        not_selector: reader.spanned("notSelector"),
        namespace_selector: reader.spanned("namespaceSelector"),
        service_accounts: reader.sub_if("serviceAccounts").map(|accounts| ServiceAccountMatch {
            names: accounts.texts("names").into_iter().map(|name| name.value).collect(),
            selector: accounts.spanned("selector"),
        }),
        services: reader.sub_if("services").map(|services| ServiceMatch {
            name: services.text("name"),
            namespace: services.text("namespace"),
            at: services.at(),
        }),
        ports: ports(reader, "ports"),
        not_ports: ports(reader, "notPorts"),
    }
}

fn ports(reader: &Reader<'_>, field: &str) -> Vec<Spanned<Port>> {
    reader.items(field).filter_map(|node| Some(Spanned::new(calico_port(node)?, node.at()))).collect()
}

/// A port that the schema has vouched for.
fn calico_port(node: Node<'_>) -> Option<Port> {
    match node.value() {
        Value::Str(text) => match port::parse(text).ok()? {
            PortText::Range(first, last) => Some(Port::Range(first, last)),
            PortText::Name(name) => Some(Port::Name(name.into())),
        },
        _ => {
            let port = u16::try_from(as_int(node)?).ok()?;
            Some(Port::Range(port, port))
        }
    }
}

/// A protocol that the schema has vouched for: digits in quotes are a number too
/// (`api/pkg/lib/numorstring/uint8orstring.go`, v3.32.1).
pub fn protocol(node: Node<'_>) -> Protocol {
    let number = match node.value() {
        Value::Str(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        Value::Str(_) => None,
        _ => as_int(node).and_then(|n| u8::try_from(n).ok()),
    };
    match number {
        Some(number) => Protocol::Number(number),
        None => Protocol::Name(node.text().into()),
    }
}
