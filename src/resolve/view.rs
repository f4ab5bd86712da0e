//! What one node's agent knows: the input of the renderer.
//!
//! Policies are referred to by index into the vectors of [`NodeView`], and those vectors are
//! sorted, so equal inputs give equal views. Policies and sets do not depend on the node: views
//! share them.

use super::config::FelixConfig;
use super::config::sources::Places;
use crate::diagnostic::Location;
use crate::model::calico::{Action, Direction, Protocol};
use crate::version::Facts;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// Index into [`NodeView::policies`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyIndex(pub u32);

/// Number of a set among all of its cluster; see [`NodeView::set`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetIndex(pub u32);

/// Everything the renderer needs.
#[derive(Debug, Clone)]
pub struct NodeView {
    /// what holds in the version of Calico that the node runs
    pub facts: &'static Facts,
    /// the node's name
    pub node: Box<str>,
    /// effective configuration
    pub config: FelixConfig,
    /// where the parameters that are set are written
    pub config_places: Places,
    /// the node's interfaces and their addresses
    pub interfaces: Vec<Interface>,
    /// local pods, sorted by interface name, one per name
    pub workloads: Vec<WorkloadEndpoint>,
    /// host endpoints that apply, sorted by interface name; the wildcard's name is
    /// [`WILDCARD_INTERFACE`]
    pub host_endpoints: Vec<HostEndpoint>,
    /// active policies, staged ones included, sorted by id
    pub policies: Vec<Arc<Policy>>,
    /// active profiles, sorted by name
    pub profiles: Vec<Profile>,
    /// sets that active policies and profiles refer to, sorted by id
    pub sets: Vec<Arc<IpSet>>,
    /// facts of the network at large
    pub network: Network,
    /// name of each tier and whether it exists (a missing tier's default action is deny)
    pub tiers: Vec<Tier>,
}

/// The name that chains of the all-interfaces host endpoint carry.
pub const WILDCARD_INTERFACE: &str = "any-interface-at-all";

pub use crate::syntax::ip_addr::Interface;

/// A tier, as far as rendering is concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct Tier {
    /// its name
    pub name: Box<str>,
    /// default action is `Pass`
    pub default_pass: bool,
    /// whether a Tier object exists
    pub exists: bool,
}

/// Index into [`NodeView::tiers`], which are in evaluation order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TierIndex(pub u32);

/// The policies of one tier that apply to one endpoint, in one of its lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TierPolicies {
    /// which tier
    pub tier: TierIndex,
    /// policies that govern ingress, in order, grouped
    pub ingress: Vec<PolicyGroup>,
    /// policies that govern egress, in order, grouped
    pub egress: Vec<PolicyGroup>,
}

/// A maximal run of consecutive policies with one selector
/// (`felix/dataplane/linux/endpoint_mgr.go:1724`, v3.32.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyGroup {
    /// canonical selector
    pub selector: Arc<str>,
    /// the policies in order, staged ones included
    pub policies: Vec<PolicyIndex>,
}

/// A local pod.
#[derive(Debug, Clone)]
pub struct WorkloadEndpoint {
    /// interface name, e.g. `cali5e92e48717b`
    pub interface: Box<str>,
    /// pod's namespace
    pub namespace: Box<str>,
    /// pod's name
    pub pod: Box<str>,
    /// pod's addresses
    pub addresses: Vec<IpAddr>,
    /// tiers with at least one normal policy, in order
    pub tiers: Vec<TierPolicies>,
    /// profile names in order
    pub profiles: Vec<Box<str>>,
    /// `allowedSourcePrefixes`, masked
    pub allowed_source_prefixes: Vec<IpNet>,
    /// `floatingIPs`: external and internal address
    pub floating_ips: Vec<(IpAddr, IpAddr)>,
    /// rate and connection limits
    pub qos: Qos,
    /// DSCP value of traffic that leaves the cluster, 0..=63
    pub dscp: Option<u8>,
    /// where the pod is written
    pub at: Location,
}

impl WorkloadEndpoint {
    /// Whether some policy governs traffic in a direction.
    pub fn has_policies(&self, direction: Direction) -> bool {
        self.tiers.iter().any(|tier| match direction {
            Direction::Ingress => !tier.ingress.is_empty(),
            Direction::Egress => !tier.egress.is_empty(),
        })
    }
}

/// Quality-of-service controls that iptables enforces; 0 means none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Qos {
    /// packets a second to the pod
    pub ingress_packet_rate: u64,
    /// burst to the pod, packets
    pub ingress_packet_burst: u64,
    /// packets a second from the pod
    pub egress_packet_rate: u64,
    /// burst from the pod, packets
    pub egress_packet_burst: u64,
    /// connections to the pod
    pub ingress_max_connections: u64,
    /// connections from the pod
    pub egress_max_connections: u64,
}

/// A host endpoint that applies to an interface of the node (or to all).
#[derive(Debug, Clone)]
pub struct HostEndpoint {
    /// the interface it applies to, or [`WILDCARD_INTERFACE`]
    pub interface: Box<str>,
    /// the object's name
    pub name: Box<str>,
    /// expected addresses
    pub addresses: Vec<IpAddr>,
    /// normal policies
    pub tiers: Vec<TierPolicies>,
    /// policies with applyOnForward
    pub forward_tiers: Vec<TierPolicies>,
    /// preDNAT policies (ingress only)
    pub pre_dnat_tiers: Vec<TierPolicies>,
    /// doNotTrack policies
    pub untracked_tiers: Vec<TierPolicies>,
    /// profile names in order
    pub profiles: Vec<Box<str>>,
    /// DSCP value, 0..=63
    pub dscp: Option<u8>,
    /// where the object is written
    pub at: Location,
}

/// Kinds of policy as Felix names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum PolicyKind {
    NetworkPolicy,
    GlobalNetworkPolicy,
    StagedNetworkPolicy,
    StagedGlobalNetworkPolicy,
    KubernetesNetworkPolicy,
    StagedKubernetesNetworkPolicy,
    KubernetesClusterNetworkPolicy,
    AdminNetworkPolicy,
    BaselineAdminNetworkPolicy,
}

impl PolicyKind {
    /// The kind as comments and group hashes spell it.
    pub fn name(self) -> &'static str {
        match self {
            PolicyKind::NetworkPolicy => "NetworkPolicy",
            PolicyKind::GlobalNetworkPolicy => "GlobalNetworkPolicy",
            PolicyKind::StagedNetworkPolicy => "StagedNetworkPolicy",
            PolicyKind::StagedGlobalNetworkPolicy => "StagedGlobalNetworkPolicy",
            PolicyKind::KubernetesNetworkPolicy => "KubernetesNetworkPolicy",
            PolicyKind::StagedKubernetesNetworkPolicy => "StagedKubernetesNetworkPolicy",
            PolicyKind::KubernetesClusterNetworkPolicy => "KubernetesClusterNetworkPolicy",
            PolicyKind::AdminNetworkPolicy => "AdminNetworkPolicy",
            PolicyKind::BaselineAdminNetworkPolicy => "BaselineAdminNetworkPolicy",
        }
    }

    /// The short form in chain names and log prefixes (`felix/types/policy_id.go:27`, v3.32.1).
    pub fn short_name(self) -> &'static str {
        match self {
            PolicyKind::NetworkPolicy => "np",
            PolicyKind::GlobalNetworkPolicy => "gnp",
            PolicyKind::StagedNetworkPolicy => "snp",
            PolicyKind::StagedGlobalNetworkPolicy => "sgnp",
            PolicyKind::KubernetesNetworkPolicy => "knp",
            PolicyKind::StagedKubernetesNetworkPolicy => "sknp",
            PolicyKind::KubernetesClusterNetworkPolicy => "kcnp",
            PolicyKind::AdminNetworkPolicy => "kanp",
            PolicyKind::BaselineAdminNetworkPolicy => "kbanp",
        }
    }

    /// What Felix puts before the name of a Kubernetes policy where names begin with the tier
    /// (`libcalico-go/lib/names/policy.go:27`, v3.31.7).
    fn name_prefix(self) -> &'static str {
        match self {
            PolicyKind::KubernetesNetworkPolicy | PolicyKind::StagedKubernetesNetworkPolicy => "knp.default.",
            PolicyKind::AdminNetworkPolicy => "kanp.adminnetworkpolicy.",
            PolicyKind::BaselineAdminNetworkPolicy => "kbanp.baselineadminnetworkpolicy.",
            _ => "",
        }
    }

    /// Whether policies of this kind are only looked at, never enforced.
    pub fn is_staged(self) -> bool {
        matches!(
            self,
            PolicyKind::StagedNetworkPolicy
                | PolicyKind::StagedGlobalNetworkPolicy
                | PolicyKind::StagedKubernetesNetworkPolicy
        )
    }
}

/// Which policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId {
    /// kind
    pub kind: PolicyKind,
    /// namespace, "" for global kinds
    pub namespace: Box<str>,
    /// name
    pub name: Box<str>,
}

impl PolicyId {
    /// The whole name of a policy where names begin with the tier: `default.allow`,
    /// `web/staged:default.allow`, `web/knp.default.db`
    /// (`libcalico-go/lib/names/policy.go:188`, v3.31.7).
    pub fn tiered(&self) -> String {
        let namespace = if self.namespace.is_empty() { "" } else { "/" };
        let staged = if self.kind.is_staged() { "staged:" } else { "" };
        format!("{}{namespace}{staged}{}{}", self.namespace, self.kind.name_prefix(), self.name)
    }
}

/// An active policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// which
    pub id: PolicyId,
    /// tier name
    pub tier: Box<str>,
    /// canonical selector
    pub selector: Arc<str>,
    /// rules for traffic to the endpoint
    pub inbound: Vec<Rule>,
    /// rules for traffic from the endpoint
    pub outbound: Vec<Rule>,
    /// doNotTrack
    pub untracked: bool,
    /// has the performance hint `AssumeNeededOnEveryNode`: its filter chains are programmed
    /// even where nothing refers to them
    pub assume_needed: bool,
    /// where the policy is written
    pub at: Location,
}

/// An active profile.
#[derive(Debug, Clone)]
pub struct Profile {
    /// its name, e.g. `kns.default`
    pub name: Box<str>,
    /// rules for traffic to the endpoint
    pub inbound: Vec<Rule>,
    /// rules for traffic from the endpoint
    pub outbound: Vec<Rule>,
    /// where the namespace, service account or profile is written; `None` for a missing one
    pub at: Option<Location>,
}

/// A rule with its selectors, named ports and services replaced by sets.
#[derive(Debug, Clone)]
pub struct Rule {
    /// what it does
    pub action: Action,
    /// `ipVersion`, given or implied by a protocol name (`felix/calc/rule_convert.go:216`, v3.32.1)
    pub ip_version: Option<u8>,
    /// `protocol`, names in lower case
    pub protocol: Option<Protocol>,
    /// `notProtocol`, names in lower case
    pub not_protocol: Option<Protocol>,
    /// `icmp`: type, and code if given
    pub icmp: Option<(u8, Option<u8>)>,
    /// `notICMP`: type, and code if given
    pub not_icmp: Option<(u8, Option<u8>)>,
    /// source
    pub source: RuleSide,
    /// destination
    pub destination: RuleSide,
    /// `metadata.annotations`, sorted by key
    pub annotations: Vec<(Box<str>, Box<str>)>,
    /// where the rule is written
    pub at: Location,
}

/// One side of a rule; every list keeps the order of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSide {
    /// CIDRs, masked
    pub nets: Vec<IpNet>,
    /// CIDRs to exclude, masked
    pub not_nets: Vec<IpNet>,
    /// sets that must all contain the address
    pub sets: Vec<SetIndex>,
    /// sets that must not contain the address
    pub not_sets: Vec<SetIndex>,
    /// numeric ports, first and last
    pub ports: Vec<(u16, u16)>,
    /// numeric ports to exclude
    pub not_ports: Vec<(u16, u16)>,
    /// named ports: sets of address and port, alternatives to `ports`
    pub named_ports: Vec<SetIndex>,
    /// named ports to exclude
    pub not_named_ports: Vec<SetIndex>,
    /// services: sets of address and port that must contain the destination
    pub services: Vec<SetIndex>,
}

impl NodeView {
    /// A set that rules of its policies refer to.
    pub fn set(&self, index: SetIndex) -> Option<&IpSet> {
        self.sets.iter().find(|set| set.index == index).map(|set| &**set)
    }
}

/// A set that rules refer to.
#[derive(Debug, Clone)]
pub struct IpSet {
    /// what rules call it
    pub index: SetIndex,
    /// Felix's id, e.g. `s:2dAotJA2sZ5pOhC_BaBuAFe…` (full, not cut)
    pub id: Box<str>,
    /// what it stands for
    pub meaning: SetMeaning,
    /// members
    pub members: SetMembers,
}

/// What a set stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetMeaning {
    /// endpoints and network sets that a selector selects (canonical text)
    Selector(Arc<str>),
    /// a named port of the endpoints that a selector selects
    NamedPort {
        /// canonical selector
        selector: Arc<str>,
        /// `tcp`, `udp`, `sctp` or `any`
        protocol: &'static str,
        /// the port's name
        port: Box<str>,
    },
    /// addresses and ports of a service, `namespace/name`
    Service(Box<str>),
    /// addresses of a service, `namespace/name`
    ServiceAddresses(Box<str>),
}

/// Members of a set, both families, each list sorted by its text and without repetition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetMembers {
    /// `hash:net`
    Nets(Arc<NetMembers>),
    /// `hash:ip,port`
    Ports(PortMembers),
}

/// Members of a `hash:ip,port` set, which nodes and programs share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PortMembers {
    /// IPv4
    pub v4: Arc<[PortMember]>,
    /// IPv6
    pub v6: Arc<[PortMember]>,
}

impl PortMembers {
    /// Of members of which IPv4 ones come first.
    pub fn new(mut v4: Vec<PortMember>) -> Self {
        let v6 = v4.split_off(v4.partition_point(|member| member.address.is_ipv4()));
        PortMembers { v4: v4.into(), v6: v6.into() }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &PortMember> {
        self.v4.iter().chain(&*self.v6)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Members of a `hash:net` set. Text order, not numeric order: `10.0.0.10` before `10.0.0.2`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetMembers {
    /// IPv4
    pub v4: Vec<ipnet::Ipv4Net>,
    /// IPv6
    pub v6: Vec<ipnet::Ipv6Net>,
}

/// A member of a `hash:ip,port` set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortMember {
    /// address
    pub address: IpAddr,
    /// protocol
    pub protocol: crate::model::core::TransportProtocol,
    /// port
    pub port: u16,
}

/// Facts of the network at large that static rules and sets need.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// pools as Felix keys them: one per CIDR, lowest name wins; sorted by CIDR
    pub pools: Vec<Pool>,
    /// members of `all-hosts-net`: Calico's address of every node, from the BGP annotation
    pub hosts: Vec<IpAddr>,
    /// members of `all-vxlan-net`: addresses of other nodes with a VXLAN tunnel, by family
    pub vxlan_hosts: Vec<IpAddr>,
    /// IPIP is on
    pub ipip: bool,
    /// VXLAN is on for IPv4
    pub vxlan_v4: bool,
    /// VXLAN is on for IPv6
    pub vxlan_v6: bool,
    /// this node's IPIP tunnel address
    pub ipip_tunnel_address: Option<IpAddr>,
    /// this node's IPv4 VXLAN tunnel address
    pub vxlan_tunnel_v4: Option<IpAddr>,
    /// this node's IPv6 VXLAN tunnel address
    pub vxlan_tunnel_v6: Option<IpAddr>,
    /// CIDRs of services, from BGPConfiguration `default`, masked, in the order of its fields
    pub service_cidrs: Vec<IpNet>,
    /// endpoints of all nodes that Istio ambient mode covers
    pub istio_members: Vec<IpAddr>,
}

/// An IPPool, reduced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// its CIDR
    pub cidr: IpNet,
    /// natOutgoing
    pub nat_outgoing: bool,
    /// allowedUses is exactly `[LoadBalancer]`
    pub load_balancer_only: bool,
    /// where it is written
    pub at: Location,
}

/// A direction, re-exported for readers of this module.
pub type PolicyDirection = Direction;
