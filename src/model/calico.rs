//! Calico's own kinds, as stored.

use super::Api;
use super::labels::Labels;
use super::meta::Meta;
use crate::diagnostic::{Location, Spanned};
use ipnet::IpNet;
use std::net::IpAddr;

/// Which of the four kinds a [`Policy`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum PolicyKind {
    NetworkPolicy,
    GlobalNetworkPolicy,
    StagedNetworkPolicy,
    StagedGlobalNetworkPolicy,
}

/// `stagedAction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum StagedAction {
    Set,
    Delete,
    Learn,
    Ignore,
}

/// NetworkPolicy, GlobalNetworkPolicy, StagedNetworkPolicy or StagedGlobalNetworkPolicy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// which kind
    pub kind: PolicyKind,
    /// which API it came through
    pub api: Api,
    /// metadata
    pub meta: Meta,
    /// `spec.tier`, "" only where nothing filled it in
    pub tier: Box<str>,
    /// `spec.order`
    pub order: Option<f64>,
    /// `spec.selector`, "" if absent
    pub selector: Spanned<Box<str>>,
    /// `spec.namespaceSelector` (global kinds), "" if absent
    pub namespace_selector: Spanned<Box<str>>,
    /// `spec.serviceAccountSelector`, "" if absent
    pub service_account_selector: Spanned<Box<str>>,
    /// `spec.types`, as stored (after calicoctl's defaulting for v3)
    pub types: Vec<Direction>,
    /// which of the fields that decide the directions the manifest has
    pub written: Written,
    /// `spec.ingress`
    pub ingress: Vec<Rule>,
    /// `spec.egress`
    pub egress: Vec<Rule>,
    /// `spec.doNotTrack`
    pub do_not_track: bool,
    /// `spec.preDNAT`
    pub pre_dnat: bool,
    /// `spec.applyOnForward`
    pub apply_on_forward: bool,
    /// `spec.performanceHints` has `AssumeNeededOnEveryNode`
    pub assume_needed: bool,
    /// `spec.performanceHints` has an entry that Felix does not know
    pub unknown_hint: bool,
    /// `types` has entries, of which Felix knows none
    pub unknown_types_only: bool,
    /// the name that it is stored under, which is its own but for a tier that calicoctl may add
    pub stored_name: Box<str>,
    /// `Some` for staged kinds
    pub staged: Option<StagedAction>,
}

/// Which fields of a policy the manifest has, before anything is filled in: an absent list and an
/// empty one can mean the same to Calico, and different things to the person who wrote it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// `types` or `policyTypes`, with at least one entry
    pub types: bool,
    /// `ingress`, even if empty
    pub ingress: bool,
    /// `egress`, even if empty
    pub egress: bool,
}

/// A direction of traffic, seen from the selected endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Direction {
    Ingress,
    Egress,
}

/// A rule of a Calico policy or profile.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `action`
    pub action: Action,
    /// `ipVersion`
    pub ip_version: Option<u8>,
    /// `protocol`
    pub protocol: Option<Spanned<Protocol>>,
    /// `notProtocol`
    pub not_protocol: Option<Spanned<Protocol>>,
    /// `icmp`
    pub icmp: Option<Icmp>,
    /// `notICMP`
    pub not_icmp: Option<Icmp>,
    /// `source`
    pub source: EntityRule,
    /// `destination`
    pub destination: EntityRule,
    /// `http` is present: iptables does not render it
    pub http: Option<Location>,
    /// `metadata.annotations`
    pub annotations: Labels,
    /// where the rule begins
    pub at: Location,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Action {
    Allow,
    Deny,
    Log,
    Pass,
}

/// `protocol`: a number or a name, which render differently.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// 0..=255
    Number(u8),
    /// as stored, e.g. `TCP`, `UDPLite`
    Name(Box<str>),
}

/// `icmp` and `notICMP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Icmp {
    /// `type`
    pub kind: Option<i64>,
    /// `code`
    pub code: Option<i64>,
}

/// `source` or `destination` of a rule.
#[derive(Debug, Clone)]
pub struct EntityRule {
    /// `nets`, as written: unparsable ones are dropped by Felix in silence
    pub nets: Vec<Spanned<Box<str>>>,
    /// `notNets`, as written
    pub not_nets: Vec<Spanned<Box<str>>>,
    /// `selector`, "" if absent
    pub selector: Spanned<Box<str>>,
    /// `notSelector`, "" if absent
    pub not_selector: Spanned<Box<str>>,
    /// `namespaceSelector`, "" if absent
    pub namespace_selector: Spanned<Box<str>>,
    /// `serviceAccounts`
    pub service_accounts: Option<ServiceAccountMatch>,
    /// `services`
    pub services: Option<ServiceMatch>,
    /// `ports`
    pub ports: Vec<Spanned<Port>>,
    /// `notPorts`
    pub not_ports: Vec<Spanned<Port>>,
}

/// `serviceAccounts` of a rule.
#[derive(Debug, Clone)]
pub struct ServiceAccountMatch {
    /// `names`
    pub names: Vec<Box<str>>,
    /// `selector`, "" if absent
    pub selector: Spanned<Box<str>>,
}

/// `services` of a rule.
#[derive(Debug, Clone)]
pub struct ServiceMatch {
    /// `name`
    pub name: Box<str>,
    /// `namespace`, "" if absent: Felix does not fill it in
    pub namespace: Box<str>,
    /// where it is written
    pub at: Location,
}

/// A port of a rule: a number, a range or a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// first and last port, equal for a single one
    Range(u16, u16),
    /// a named port
    Name(Box<str>),
}

/// Tier.
#[derive(Debug, Clone)]
pub struct Tier {
    /// metadata
    pub meta: Meta,
    /// which API it came through
    pub api: Api,
    /// `spec.order`
    pub order: Option<f64>,
    /// `spec.defaultAction` is `Pass`
    pub default_pass: bool,
}

/// NetworkSet (with a namespace) or GlobalNetworkSet (without).
#[derive(Debug, Clone)]
pub struct NetworkSet {
    /// metadata
    pub meta: Meta,
    /// which API it came through
    pub api: Api,
    /// whether this is a GlobalNetworkSet
    pub global: bool,
    /// `spec.nets` that parse, masked
    pub nets: Vec<Spanned<IpNet>>,
}

/// HostEndpoint.
#[derive(Debug, Clone)]
pub struct HostEndpoint {
    /// metadata
    pub meta: Meta,
    /// which API it came through
    pub api: Api,
    /// `spec.node`
    pub node: Box<str>,
    /// `spec.interfaceName`: "" if absent, `*` for all
    pub interface: Box<str>,
    /// `spec.expectedIPs` that parse
    pub expected_ips: Vec<Spanned<IpAddr>>,
    /// `spec.profiles`
    pub profiles: Vec<Spanned<Box<str>>>,
    /// `spec.ports`
    pub ports: Vec<EndpointPort>,
}

/// A named port of a HostEndpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointPort {
    /// `name`
    pub name: Box<str>,
    /// `protocol`
    pub protocol: Protocol,
    /// `port`
    pub port: u16,
}

/// Profile.
#[derive(Debug, Clone)]
pub struct Profile {
    /// metadata
    pub meta: Meta,
    /// which API it came through
    pub api: Api,
    /// `spec.ingress`
    pub ingress: Vec<Rule>,
    /// `spec.egress`
    pub egress: Vec<Rule>,
    /// `spec.labelsToApply`
    pub labels_to_apply: Labels,
}

/// IPPool.
#[derive(Debug, Clone)]
pub struct IpPool {
    /// metadata
    pub meta: Meta,
    /// which API it came through
    pub api: Api,
    /// `spec.cidr`
    pub cidr: Spanned<IpNet>,
    /// `spec.natOutgoing`
    pub nat_outgoing: bool,
    /// `spec.disabled`
    pub disabled: bool,
    /// `spec.ipipMode`, "" if stored without
    pub ipip_mode: Box<str>,
    /// `spec.vxlanMode`, "" if stored without
    pub vxlan_mode: Box<str>,
    /// `spec.allowedUses`
    pub allowed_uses: Vec<Box<str>>,
}

/// FelixConfiguration: the fields as raw scalars, interpreted by `resolve::config`.
#[derive(Debug, Clone)]
pub struct FelixConfiguration {
    /// metadata; the name says whom it is for (`default`, `node.<name>`, or any with a nodeSelector)
    pub meta: Meta,
    /// which API it came through
    pub api: Api,
    /// every field of `spec`, by its API name, in input order
    pub fields: Vec<(Spanned<Box<str>>, FieldValue)>,
    /// `metadata.creationTimestamp`, "" if absent
    pub created: Box<str>,
}

/// A field of a FelixConfiguration.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// a boolean
    Bool(bool),
    /// a number
    Int(i64),
    /// a number with a fraction
    Float(f64),
    /// a text
    String(Box<str>),
    /// a list of texts or numbers, as text
    List(Vec<Box<str>>),
    /// a list of mappings of scalars (failsafe ports, …)
    Maps(Vec<Vec<(Box<str>, Box<str>)>>),
}

/// BGPConfiguration.
#[derive(Debug, Clone)]
pub struct BgpConfiguration {
    /// metadata
    pub meta: Meta,
    /// which API it came through
    pub api: Api,
    /// `spec.serviceClusterIPs[].cidr`
    pub service_cluster_ips: Vec<Box<str>>,
    /// `spec.serviceExternalIPs[].cidr`
    pub service_external_ips: Vec<Box<str>>,
    /// `spec.serviceLoadBalancerIPs[].cidr`
    pub service_load_balancer_ips: Vec<Box<str>>,
}

/// ClusterInformation.
#[derive(Debug, Clone)]
pub struct ClusterInformation {
    /// metadata
    pub meta: Meta,
    /// `spec.calicoVersion`, "" if absent
    pub calico_version: Spanned<Box<str>>,
    /// `spec.clusterType`, "" if absent
    pub cluster_type: Box<str>,
}
