//! Rules of Calico policies → Felix's form.
//!
//! `libcalico-go/lib/backend/syncersv1/updateprocessors/rules.go:130`, v3.32.1.

use super::draft::{DraftRule, DraftSide, Written};
use super::selectors::{Peer, Selectors};
use crate::diagnostic::{Diagnostic, Spanned};
use crate::model::calico::{EntityRule, Protocol, Rule};
use crate::resolve::address;
use ipnet::IpNet;

/// Converts the rules of one direction. `namespace` is the policy's, "" for global ones.
pub fn rules(
    rules: &[Rule],
    namespace: &str,
    selectors: &mut Selectors,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<DraftRule> {
    rules.iter().map(|r| rule(r, namespace, selectors, diagnostics)).collect()
}

fn rule(
    rule: &Rule,
    namespace: &str,
    selectors: &mut Selectors,
    diagnostics: &mut Vec<Diagnostic>,
) -> DraftRule {
    let icmp = |icmp: &Option<crate::model::calico::Icmp>| icmp.map_or((None, None), |i| (i.kind, i.code));
    let mut annotations: Vec<(Box<str>, Box<str>)> =
        rule.annotations.iter().map(|(key, value)| (key.into(), value.into())).collect();
    annotations.sort();
    if annotations.len() > 1 {
        diagnostics.push(
            Diagnostic::warning(
                "unstable-rule-hash",
                rule.at,
                "a rule with several annotations gets them as comments in random order, so its hash changes at random",
            )
            .help("keep at most one annotation in `metadata.annotations` of a rule"),
        );
    }
    DraftRule {
        action: rule.action,
        ip_version: rule.ip_version,
        protocol: rule.protocol.as_ref().map(protocol),
        not_protocol: rule.not_protocol.as_ref().map(protocol),
        icmp: icmp(&rule.icmp),
        not_icmp: icmp(&rule.not_icmp),
        source: side(&rule.source, namespace, selectors, diagnostics),
        destination: side(&rule.destination, namespace, selectors, diagnostics),
        annotations,
        at: rule.at,
    }
}

fn protocol(protocol: &Spanned<Protocol>) -> Protocol {
    match &protocol.value {
        Protocol::Number(number) => Protocol::Number(*number),
        Protocol::Name(name) => Protocol::Name(name.to_lowercase().into()),
    }
}

fn side(
    entity: &EntityRule,
    namespace: &str,
    selectors: &mut Selectors,
    diagnostics: &mut Vec<Diagnostic>,
) -> DraftSide {
    let accounts = entity.service_accounts.as_ref();
    let peer = Peer {
        selector: &entity.selector.value,
        not_selector: &entity.not_selector.value,
        namespace_selector: &entity.namespace_selector.value,
        account_names: accounts.map_or(&[], |a| &a.names),
        account_selector: accounts.map_or("", |a| &a.selector.value),
    };
    let fields = [
        ("selector", Some(&entity.selector)),
        ("namespaceSelector", Some(&entity.namespace_selector)),
        ("notSelector", Some(&entity.not_selector)),
        ("serviceAccounts.selector", accounts.map(|a| &a.selector)),
    ];
    let written = fields
        .into_iter()
        .filter_map(|(field, text)| text.map(|text| (field, text)))
        .filter(|(_, text)| !text.value.is_empty())
        .map(|(field, text)| Written { field, text: text.value.clone(), at: text.at })
        .collect();
    DraftSide {
        nets: nets(&entity.nets, diagnostics),
        not_nets: nets(&entity.not_nets, diagnostics),
        selector: selectors.peer(&peer, namespace),
        not_selector: entity.not_selector.value.to_string(),
        ports: entity.ports.iter().map(|port| port.value.clone()).collect(),
        not_ports: entity.not_ports.iter().map(|port| port.value.clone()).collect(),
        service: entity
            .services
            .as_ref()
            .filter(|service| !service.name.is_empty())
            .map(|service| (service.namespace.clone(), service.name.clone())),
        written,
    }
}

/// Networks in their order, repetitions kept; what does not parse is left out, as Felix does.
fn nets(texts: &[Spanned<Box<str>>], diagnostics: &mut Vec<Diagnostic>) -> Vec<IpNet> {
    let mut nets = Vec::with_capacity(texts.len());
    for text in texts {
        match address::parse_cidr_or_ip(&text.value) {
            Some(net) => nets.push(net),
            None => diagnostics.push(
                Diagnostic::warning(
                    "unparsable-cidr",
                    text.at,
                    format!("felix leaves out `{}`, which is no CIDR", text.value),
                )
                .help("a list that loses all its entries restricts nothing; write it as `10.0.0.0/8`"),
            ),
        }
    }
    nets
}
