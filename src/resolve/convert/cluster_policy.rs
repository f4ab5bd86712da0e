//! ClusterNetworkPolicy, and AdminNetworkPolicy and BaselineAdminNetworkPolicy before it.
//!
//! `libcalico-go/lib/backend/k8s/conversion/clusternetworkpolicy.go`, v3.32.1; `conversion.go:278` there, v3.31.7.

use super::calico_policy::within_namespaces;
use super::draft::{Converted, Draft, DraftRule, DraftSide, ignored_policy};
use super::label_selector;
use super::pod::is_port_name;
use super::ports::PortsByProtocol;
use super::selectors::{Peer as PeerSelectors, Selectors};
use crate::diagnostic::Diagnostic;
use crate::model::calico::{Action, Port};
use crate::model::cluster_policy::{
    ClusterNetworkPolicy, ClusterPeer, ClusterProtocol, ClusterRule, Kind, PortMatch, Subject,
};
use crate::resolve::address;
use crate::resolve::view::{PolicyId, PolicyKind};

/// Key of the annotation that carries a rule's name.
const RULE_NAME: &str = "name";

/// Converts one policy. A rule that cannot be converted becomes an unconditional Deny, or is
/// dropped if it accepts.
pub fn convert(policy: &ClusterNetworkPolicy, selectors: &mut Selectors) -> Converted {
    let kind = match policy.kind {
        Kind::Cluster => PolicyKind::KubernetesClusterNetworkPolicy,
        Kind::Admin => PolicyKind::AdminNetworkPolicy,
        Kind::Baseline => PolicyKind::BaselineAdminNetworkPolicy,
    };
    let ignored = |reason: &str| Converted {
        draft: None,
        diagnostics: vec![ignored_policy(kind, &policy.meta.name, policy.meta.at, reason)],
    };
    let tier = match (policy.kind, &*policy.tier) {
        (Kind::Admin, _) => "adminnetworkpolicy",
        (Kind::Baseline, _) => "baselineadminnetworkpolicy",
        (_, "Admin") => "kube-admin",
        (_, "Baseline") => "kube-baseline",
        (_, other) => return ignored(&format!("tier `{other}` is neither `Admin` nor `Baseline`")),
    };
    let Some((selector, namespace_selector)) = subject(&policy.subject) else {
        return ignored("its subject selects neither `namespaces` nor `pods`");
    };
    let mut diagnostics = Vec::new();
    let inbound = rules(&policy.ingress, true, selectors, &mut diagnostics);
    let outbound = rules(&policy.egress, false, selectors, &mut diagnostics);
    // no rules at all means no types, which Felix reads as both
    let neither = inbound.is_empty() && outbound.is_empty();
    let draft = Draft {
        id: PolicyId { kind, namespace: "".into(), name: policy.meta.name.clone() },
        tier: tier.into(),
        order: policy.priority as f64,
        selector: within_namespaces(selector, &namespace_selector, selectors),
        ingress: neither || !inbound.is_empty(),
        egress: neither || !outbound.is_empty(),
        untracked: false,
        pre_dnat: false,
        apply_on_forward: false,
        assume_needed: false,
        unknown_hint: false,
        inbound,
        outbound,
        selector_at: policy.meta.at,
        at: policy.meta.at,
    };
    Converted { draft: Some(draft), diagnostics }
}

/// Pod selector and namespace selector.
fn subject(subject: &Subject) -> Option<(String, String)> {
    if let Some(namespaces) = &subject.namespaces {
        return Some((label_selector::pods(None), label_selector::namespaces(Some(namespaces))));
    }
    let (namespaces, pods) = subject.pods.as_ref()?;
    Some((label_selector::pods(Some(pods)), label_selector::namespaces(Some(namespaces))))
}

fn rules(
    rules: &[ClusterRule],
    ingress: bool,
    selectors: &mut Selectors,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<DraftRule> {
    let mut out = Vec::new();
    for rule in rules {
        match convert_rule(rule, ingress, selectors) {
            Ok(made) => out.extend(made),
            Err(reason) => {
                let denies = matches!(&*rule.action, "Deny" | "Pass");
                let fate = if denies {
                    "turns this rule into one that denies everything"
                } else {
                    "drops this rule"
                };
                let message = format!("felix {fate}: {reason}");
                diagnostics.push(Diagnostic::warning("rule-ignored-by-felix", rule.at, message));
                if denies {
                    out.push(DraftRule::new(Action::Deny, rule.at));
                }
            }
        }
    }
    out
}

fn convert_rule(
    rule: &ClusterRule,
    ingress: bool,
    selectors: &mut Selectors,
) -> Result<Vec<DraftRule>, String> {
    let action = match &*rule.action {
        // the schemas know one of the two each
        "Accept" | "Allow" => Action::Allow,
        "Deny" => Action::Deny,
        "Pass" => Action::Pass,
        other => return Err(format!("action `{other}` is none of `Accept`, `Deny` and `Pass`")),
    };
    let ports = ports(rule.protocols.as_deref().unwrap_or_default())?;
    let mut sides = Vec::new();
    for peer in &rule.peers {
        sides.push((side(peer, ingress, selectors)?, peer.at));
    }
    let mut out = Vec::new();
    for (protocol, ports) in ports.into_groups() {
        for (side, at) in &sides {
            let mut made = DraftRule::new(action, *at);
            made.protocol = protocol.clone();
            if ingress {
                made.source = side.clone();
            } else {
                made.destination = side.clone();
            }
            made.destination.ports = ports.clone();
            if !rule.name.is_empty() {
                made.annotations = vec![(RULE_NAME.into(), rule.name.clone())];
            }
            out.push(made);
        }
    }
    Ok(out)
}

fn side(peer: &ClusterPeer, ingress: bool, selectors: &mut Selectors) -> Result<DraftSide, String> {
    let mut found = false;
    let (mut selector, mut namespace_selector) = (String::new(), String::new());
    if let Some(namespaces) = &peer.subject.namespaces {
        namespace_selector = label_selector::namespaces(Some(namespaces));
        found = true;
    }
    if let Some((namespaces, pods)) = &peer.subject.pods {
        selector = label_selector::pods(Some(pods));
        namespace_selector = label_selector::namespaces(Some(namespaces));
        found = true;
    }
    let mut nets = Vec::new();
    for text in peer.networks.iter().flatten().filter(|_| !ingress) {
        let net = address::parse_cidr(&text.value).ok_or_else(|| format!("`{}` is no CIDR", text.value))?;
        nets.push(net);
        found = true;
    }
    if !found {
        return Err("a peer has none of the fields that felix knows".into());
    }
    let peer = PeerSelectors {
        selector: &selector,
        namespace_selector: &namespace_selector,
        ..PeerSelectors::default()
    };
    Ok(DraftSide { nets, selector: selectors.peer(&peer, ""), ..DraftSide::default() })
}

fn ports(items: &[ClusterProtocol]) -> Result<PortsByProtocol, String> {
    let mut ports = PortsByProtocol::default();
    for item in items {
        let known = [("TCP", item.tcp), ("UDP", item.udp), ("SCTP", item.sctp)];
        if let Some((name, port)) = &item.port {
            ports.add(Some(name), number(*port)?);
        } else if let Some((name, Some(port))) = known.into_iter().find(|(_, port)| port.is_some()) {
            ports.add(Some(name), number(port)?);
        } else if !item.destination_named_port.is_empty() {
            let name = &*item.destination_named_port;
            if !is_port_name(name) {
                return Err(format!("`{name}` is no name of a port"));
            }
            ports.add(None, Some(Port::Name(name.into())));
        } else {
            return Ok(PortsByProtocol::anything());
        }
    }
    Ok(if items.is_empty() { PortsByProtocol::anything() } else { ports })
}

/// Numbers are cut to 16 bits, and a number 0 counts as absent, as in Felix.
fn number(port: PortMatch) -> Result<Option<Port>, String> {
    match port {
        PortMatch::Any | PortMatch::Number(0) => Ok(None),
        PortMatch::Number(number) => Ok(Some(Port::Range(number as u16, number as u16))),
        PortMatch::Range(first, last) => {
            let (first, last) = (first as u16, last as u16);
            if first > last {
                return Err(format!("the ports `{first}` to `{last}` are none"));
            }
            Ok(Some(Port::Range(first, last)))
        }
    }
}
