//! Policies in the form that Felix receives them in: Calico's backend model
//! (`libcalico-go/lib/backend/model/policy.go` and `rule.go`, v3.32.1).

use crate::diagnostic::{Diagnostic, Location};
use crate::model::calico::{Action, Port, Protocol};
use crate::resolve::view::{PolicyId, PolicyKind};
use ipnet::IpNet;

/// A policy before its selectors are parsed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// which
    pub id: PolicyId,
    /// tier name, never empty
    pub tier: Box<str>,
    /// order; infinite if none is given
    pub order: f64,
    /// selector text, not canonical
    pub selector: String,
    /// governs traffic to the endpoint
    pub ingress: bool,
    /// governs traffic from the endpoint
    pub egress: bool,
    /// doNotTrack
    pub untracked: bool,
    /// preDNAT
    pub pre_dnat: bool,
    /// applyOnForward
    pub apply_on_forward: bool,
    /// has the performance hint `AssumeNeededOnEveryNode`
    pub assume_needed: bool,
    /// has a performance hint that Felix does not know
    pub unknown_hint: bool,
    /// rules for traffic to the endpoint
    pub inbound: Vec<DraftRule>,
    /// rules for traffic from the endpoint
    pub outbound: Vec<DraftRule>,
    /// where the selector is written, or the policy
    pub selector_at: Location,
    /// where the policy is written
    pub at: Location,
}

/// A rule before its selectors, named ports and services become sets.
#[derive(Debug, Clone)]
pub struct DraftRule {
    /// what it does
    pub action: Action,
    /// `ipVersion` as given
    pub ip_version: Option<u8>,
    /// `protocol`, names in lower case
    pub protocol: Option<Protocol>,
    /// `notProtocol`, names in lower case
    pub not_protocol: Option<Protocol>,
    /// `icmp`: type and code
    pub icmp: (Option<i64>, Option<i64>),
    /// `notICMP`: type and code
    pub not_icmp: (Option<i64>, Option<i64>),
    /// source
    pub source: DraftSide,
    /// destination
    pub destination: DraftSide,
    /// annotations, sorted by key
    pub annotations: Vec<(Box<str>, Box<str>)>,
    /// where the rule is written
    pub at: Location,
}

/// One side of a rule.
#[derive(Debug, Clone, Default)]
pub struct DraftSide {
    /// CIDRs, masked, in order, repetitions kept
    pub nets: Vec<IpNet>,
    /// CIDRs to exclude
    pub not_nets: Vec<IpNet>,
    /// selector text after namespaces and service accounts have been worked into it; "" for none
    pub selector: String,
    /// selector text to exclude; "" for none
    pub not_selector: String,
    /// ports
    pub ports: Vec<Port>,
    /// ports to exclude
    pub not_ports: Vec<Port>,
    /// namespace and name of a service
    pub service: Option<(Box<str>, Box<str>)>,
    /// the selectors that the user wrote: field, text, place. Felix checks each of them.
    pub written: Vec<Written>,
}

impl DraftSide {
    /// The selectors of the sets that must and must not contain the address. Where there are
    /// both, one set does (`felix/calc/rule_scanner.go:593`, v3.32.1).
    pub fn set_selectors(&self) -> (Option<String>, Option<String>) {
        match (self.selector.is_empty(), self.not_selector.is_empty()) {
            (true, true) => (None, None),
            (false, true) => (Some(self.selector.clone()), None),
            (true, false) => (None, Some(self.not_selector.clone())),
            (false, false) => (Some(format!("({}) && (!({}))", self.selector, self.not_selector)), None),
        }
    }
}

/// A selector as the user wrote it.
#[derive(Debug, Clone)]
pub struct Written {
    /// the field's name
    pub field: &'static str,
    /// its text
    pub text: Box<str>,
    /// where it is written
    pub at: Location,
}

impl DraftRule {
    /// A rule that matches everything.
    pub fn new(action: Action, at: Location) -> Self {
        DraftRule {
            action,
            ip_version: None,
            protocol: None,
            not_protocol: None,
            icmp: (None, None),
            not_icmp: (None, None),
            source: DraftSide::default(),
            destination: DraftSide::default(),
            annotations: Vec::new(),
            at,
        }
    }
}

impl PolicyId {
    /// `namespace/name`, or the name of a policy without namespace.
    pub fn path(&self) -> String {
        if self.namespace.is_empty() {
            self.name.to_string()
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }
}

/// What a conversion gives: the policy, unless it has none to give, and what there is to say.
#[derive(Debug, Default)]
pub struct Converted {
    /// `None` for a policy that Felix never sees
    pub draft: Option<Draft>,
    /// what is odd about it
    pub diagnostics: Vec<Diagnostic>,
}

/// The diagnostic for an object that Felix treats as missing.
pub fn ignored(what: &str, path: &str, at: Location, reason: &str) -> Diagnostic {
    Diagnostic::warning(
        "ignored-by-felix",
        at,
        format!("felix ignores {what} `{path}` as if it did not exist: {reason}"),
    )
}

/// [`ignored`] for a policy.
pub fn ignored_policy(kind: PolicyKind, path: &str, at: Location, reason: &str) -> Diagnostic {
    ignored(kind.name(), path, at, reason)
}
