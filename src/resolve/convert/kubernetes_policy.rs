//! Kubernetes' NetworkPolicy, and StagedKubernetesNetworkPolicy.
//!
//! `libcalico-go/lib/backend/k8s/conversion/conversion.go:278`, v3.32.1.

use super::calico_policy::{DEFAULT_TIER, within_namespace};
use super::draft::{Converted, Draft, DraftRule, DraftSide};
use super::label_selector;
use super::ports::PortsByProtocol;
use super::selectors::{Peer as PeerSelectors, Selectors};
use crate::diagnostic::Diagnostic;
use crate::model::calico::{Action, Port, StagedAction};
use crate::model::network_policy::{
    IntOrString, IpBlock, NetworkPolicy, NetworkPolicyRule, Peer, PolicyPort,
};
use crate::resolve::address;
use crate::resolve::view::{PolicyId, PolicyKind};
use crate::syntax::port::{self, PortText};
use ipnet::IpNet;

/// Order of Kubernetes' policies among those of the tier `default`.
const ORDER: f64 = 1000.0;

/// Converts one policy. A rule whose ports make no sense is dropped; a staged policy with such a
/// rule is dropped whole.
pub fn convert(policy: &NetworkPolicy, selectors: &mut Selectors) -> Converted {
    if policy.staged == Some(StagedAction::Delete) {
        return Converted::default();
    }
    let kind = match policy.staged {
        None => PolicyKind::KubernetesNetworkPolicy,
        Some(_) => PolicyKind::StagedKubernetesNetworkPolicy,
    };
    let mut conversion =
        Conversion { namespace: &policy.meta.namespace, selectors, diagnostics: Vec::new(), failed: false };
    let inbound = conversion.rules(&policy.ingress, true);
    let outbound = conversion.rules(&policy.egress, false);
    let Conversion { diagnostics, failed, .. } = conversion;
    if failed && policy.staged.is_some() {
        return Converted { draft: None, diagnostics };
    }
    let draft = Draft {
        id: PolicyId { kind, namespace: policy.meta.namespace.clone(), name: policy.meta.name.clone() },
        tier: DEFAULT_TIER.into(),
        order: ORDER,
        selector: within_namespace(&label_selector::pods(Some(&policy.pod_selector)), &policy.meta.namespace),
        ingress: policy.ingress_type || !policy.egress_type,
        egress: policy.egress_type,
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

struct Conversion<'c> {
    namespace: &'c str,
    selectors: &'c mut Selectors,
    diagnostics: Vec<Diagnostic>,
    failed: bool,
}

impl Conversion<'_> {
    fn rules(&mut self, rules: &[NetworkPolicyRule], ingress: bool) -> Vec<DraftRule> {
        let mut out = Vec::new();
        for rule in rules {
            match ports(&rule.ports) {
                Ok(ports) => self.rule(rule, ports, ingress, &mut out),
                Err((port, reason)) => {
                    self.failed = true;
                    let message = format!("felix drops this rule: {reason}");
                    self.diagnostics.push(Diagnostic::warning("rule-ignored-by-felix", port.at, message));
                }
            }
        }
        out
    }

    /// One rule for each protocol and peer, protocols outermost.
    fn rule(
        &mut self,
        rule: &NetworkPolicyRule,
        ports: PortsByProtocol,
        ingress: bool,
        out: &mut Vec<DraftRule>,
    ) {
        let sides: Vec<_> = if rule.peers.is_empty() {
            vec![(DraftSide::default(), rule.at)]
        } else {
            rule.peers.iter().map(|peer| (self.peer(peer), peer.at)).collect()
        };
        for (protocol, ports) in ports.into_groups() {
            for (side, at) in &sides {
                let mut made = DraftRule::new(Action::Allow, *at);
                made.protocol = protocol.clone();
                if ingress {
                    made.source = side.clone();
                } else {
                    made.destination = side.clone();
                }
                made.destination.ports = ports.clone();
                out.push(made);
            }
        }
    }

    fn peer(&mut self, peer: &Peer) -> DraftSide {
        if let Some(block) = &peer.ip_block {
            let (nets, not_nets) = self.block(block);
            return DraftSide { nets, not_nets, ..DraftSide::default() };
        }
        let selector = label_selector::pods(peer.pod_selector.as_ref());
        let namespace_selector = label_selector::namespaces(peer.namespace_selector.as_ref());
        let peer = PeerSelectors {
            selector: &selector,
            namespace_selector: &namespace_selector,
            ..PeerSelectors::default()
        };
        DraftSide { selector: self.selectors.peer(&peer, self.namespace), ..DraftSide::default() }
    }

    /// A range that does not parse is no restriction; an exception that does not parse ends the
    /// list of exceptions (`conversion.go:661`).
    fn block(&mut self, block: &IpBlock) -> (Vec<IpNet>, Vec<IpNet>) {
        let Some(net) = address::parse_cidr(&block.cidr.value) else {
            self.diagnostics.push(
                Diagnostic::warning(
                    "unparsable-cidr",
                    block.cidr.at,
                    format!("felix takes `{}`, which is no CIDR, for any address", block.cidr.value),
                )
                .help("write it as `10.0.0.0/8`"),
            );
            return (Vec::new(), Vec::new());
        };
        let mut except = Vec::new();
        for text in &block.except {
            let Some(net) = address::parse_cidr(&text.value) else {
                self.diagnostics.push(
                    Diagnostic::warning(
                        "unparsable-cidr",
                        text.at,
                        format!(
                            "felix leaves out `{}`, which is no CIDR, and the exceptions after it",
                            text.value
                        ),
                    )
                    .help("write it as `10.0.0.0/8`"),
                );
                break;
            };
            except.push(net);
        }
        (vec![net], except)
    }
}

fn ports(items: &[PolicyPort]) -> Result<PortsByProtocol, (&PolicyPort, String)> {
    if items.is_empty() {
        return Ok(PortsByProtocol::anything());
    }
    let mut ports = PortsByProtocol::default();
    for item in items {
        let protocol = if item.protocol.is_empty() { "TCP" } else { &*item.protocol };
        ports.add(Some(protocol), port(item).map_err(|reason| (item, reason))?);
    }
    Ok(ports)
}

/// The port as Calico reads it from its text: a number, a range, or a name.
fn port(item: &PolicyPort) -> Result<Option<Port>, String> {
    let first = match &item.port {
        None => return Ok(None),
        Some(IntOrString::Int(number)) => number.to_string(),
        Some(IntOrString::String(text)) => text.to_string(),
    };
    let text = item.end_port.map_or(first.clone(), |last| format!("{first}:{last}"));
    match port::parse(&text) {
        Ok(PortText::Range(first, last)) => Ok(Some(Port::Range(first, last))),
        Ok(PortText::Name(name)) => Ok(Some(Port::Name(name.into()))),
        Err(error) => Err(format!("`{text}` is no port: {error}")),
    }
}
