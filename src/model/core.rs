//! Kubernetes core kinds, reduced to what policy and its dataplane look at.

use super::labels::Labels;
use super::meta::Meta;
use crate::diagnostic::{Location, Spanned};
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::net::IpAddr;

/// `v1` Namespace.
#[derive(Debug, Clone)]
pub struct Namespace {
    /// metadata
    pub meta: Meta,
}

/// `v1` ServiceAccount.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// metadata
    pub meta: Meta,
}

/// `v1` Node.
#[derive(Debug, Clone)]
pub struct Node {
    /// metadata; Calico keeps addresses and tunnel addresses in annotations
    pub meta: Meta,
    /// `spec.podCIDR` and `spec.podCIDRs`, valid ones, without repetition
    pub pod_cidrs: Vec<IpNet>,
    /// `status.addresses`, as text: a Hostname need not be an address
    pub addresses: Vec<NodeAddress>,
}

/// An entry of `status.addresses` of a Node.
#[derive(Debug, Clone)]
pub struct NodeAddress {
    /// `InternalIP`, `ExternalIP`, `Hostname`, …
    pub kind: Box<str>,
    /// the text
    pub address: Box<str>,
}

/// `v1` Pod, compact: a cluster has hundreds of thousands.
#[derive(Debug, Clone)]
pub struct Pod {
    /// `metadata.name`
    pub name: Box<str>,
    /// `metadata.namespace`
    pub namespace: Box<str>,
    /// `metadata.labels`
    pub labels: Labels,
    /// `spec.nodeName`, "" if unscheduled
    pub node: Box<str>,
    /// `spec.serviceAccountName` (or the deprecated `serviceAccount`), `default` if absent
    pub service_account: Box<str>,
    /// `spec.hostNetwork`
    pub host_network: bool,
    /// whether `metadata.deletionTimestamp` is set
    pub deleting: bool,
    /// `status.phase`, "" if absent
    pub phase: Box<str>,
    /// `status.podIPs`, else `status.podIP`, as written
    pub status_ips: Vec<Box<str>>,
    /// ports of containers, then of init containers
    pub ports: Vec<ContainerPort>,
    /// the annotations that Calico reads (`cni.projectcalico.org/*`, `qos.projectcalico.org/*`,
    /// `vpc.amazonaws.com/pod-ips`); others are dropped
    pub annotations: Labels,
    /// where the object begins
    pub at: Location,
}

/// A declared port of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerPort {
    /// `name`, "" if absent
    pub name: Box<str>,
    /// `containerPort`
    pub port: u16,
    /// `hostPort`, 0 if absent
    pub host_port: u16,
    /// `hostIP`, if it is an address
    pub host_ip: Option<IpAddr>,
    /// `protocol`, `TCP` if absent
    pub protocol: TransportProtocol,
}

/// Protocols of pods and services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum TransportProtocol {
    Tcp,
    Udp,
    Sctp,
    /// anything else (Calico passes such a port over)
    Other,
}

/// `v1` Service.
#[derive(Debug, Clone)]
pub struct Service {
    /// metadata
    pub meta: Meta,
    /// `spec.type`, `ClusterIP` if absent
    pub kind: Box<str>,
    /// `spec.selector`; empty for a Service whose endpoints are written by hand
    pub selector: Labels,
    /// `spec.clusterIPs`, else `spec.clusterIP`; `None` (headless) left out
    pub cluster_ips: Vec<Spanned<IpAddr>>,
    /// `spec.externalIPs`
    pub external_ips: Vec<Spanned<IpAddr>>,
    /// `status.loadBalancer.ingress[].ip`, and `spec.loadBalancerIP`; an entry whose `ipMode` is `Proxy` is left
    /// out, as nodes do not answer for it
    pub load_balancer_ips: Vec<Spanned<IpAddr>>,
    /// `spec.loadBalancerSourceRanges`
    pub load_balancer_source_ranges: Vec<Spanned<IpNet>>,
    /// `spec.externalTrafficPolicy` is `Local`
    pub external_local: bool,
    /// `spec.internalTrafficPolicy` is `Local`
    pub internal_local: bool,
    /// `spec.sessionAffinity` is `ClientIP`
    pub client_affinity: bool,
    /// the label `service.kubernetes.io/service-proxy-name` gives it to another proxy than kube-proxy
    pub of_another_proxy: bool,
    /// `spec.healthCheckNodePort`
    pub health_check_node_port: Option<Spanned<u16>>,
    /// `spec.ports`
    pub ports: Vec<ServicePort>,
}

/// An entry of `spec.ports` of a Service.
#[derive(Debug, Clone)]
pub struct ServicePort {
    /// `name`, "" if absent
    pub name: Box<str>,
    /// `protocol`, `TCP` if absent
    pub protocol: TransportProtocol,
    /// `port`
    pub port: u16,
    /// `targetPort` as text: a number or a name; "" if absent
    pub target_port: Box<str>,
    /// `nodePort`
    pub node_port: Option<u16>,
    /// where the entry begins
    pub at: Location,
}

/// `v1` Endpoints.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// metadata
    pub meta: Meta,
    /// `subsets`
    pub subsets: Vec<EndpointSubset>,
}

/// A subset of `v1` Endpoints: every address has every port.
#[derive(Debug, Clone)]
pub struct EndpointSubset {
    /// `addresses[].ip`
    pub addresses: Vec<Spanned<IpAddr>>,
    /// `addresses[].nodeName`, "" if absent, by address
    pub nodes: FxHashMap<IpAddr, Box<str>>,
    /// `ports`
    pub ports: Vec<EndpointPort>,
}

/// `discovery.k8s.io/v1` EndpointSlice.
#[derive(Debug, Clone)]
pub struct EndpointSlice {
    /// metadata; the label `kubernetes.io/service-name` names the Service
    pub meta: Meta,
    /// `endpoints`
    pub endpoints: Vec<SliceEndpoint>,
    /// `ports`
    pub ports: Vec<EndpointPort>,
}

/// An entry of `endpoints` of an EndpointSlice.
#[derive(Debug, Clone)]
pub struct SliceEndpoint {
    /// `addresses` that parse
    pub addresses: Vec<IpAddr>,
    /// `nodeName`, "" if absent
    pub node: Box<str>,
    /// `conditions.ready`, true if absent
    pub ready: bool,
    /// `conditions.serving`, `ready` if absent
    pub serving: bool,
    /// `conditions.terminating`
    pub terminating: bool,
    /// `hints.forNodes[].name`
    pub for_nodes: Vec<Box<str>>,
    /// `hints.forZones[].name`
    pub for_zones: Vec<Box<str>>,
}

/// A port of Endpoints or of an EndpointSlice.
#[derive(Debug, Clone)]
pub struct EndpointPort {
    /// `name`, "" if absent
    pub name: Box<str>,
    /// `port`; `None` (all ports) is skipped by Felix
    pub port: Option<u16>,
    /// `protocol`, `TCP` if absent
    pub protocol: TransportProtocol,
}

/// `KubeProxyConfiguration`, on its own or in a ConfigMap `kube-system/kube-proxy`: what decides how services are
/// reached.
#[derive(Debug, Clone)]
pub struct KubeProxy {
    /// metadata: the ConfigMap's, or a name of its own
    pub meta: Meta,
    /// `mode`, "" if absent: iptables
    pub mode: Box<str>,
    /// CIDRs of `nodePortAddresses`
    pub node_port_addresses: Vec<IpNet>,
    /// `nodePortAddresses` is `primary`: the addresses that the Node object names first
    pub node_ports_on_primary: bool,
    /// `clusterCIDR`, one for each family
    pub cluster_cidrs: Vec<IpNet>,
    /// `detectLocalMode`, "" if absent: ClusterCIDR
    pub detect_local: Box<str>,
    /// `detectLocal.bridgeInterface`, or `detectLocal.interfaceNamePrefix` and `+`, by the mode; "" for neither
    pub local_interface: Box<str>,
    /// `iptables.masqueradeAll`
    pub masquerade_all: bool,
    /// `iptables.masqueradeBit`, 14 if absent
    pub masquerade_bit: u8,
    /// `iptables.localhostNodePorts`, true if absent
    pub localhost_node_ports: bool,
    /// `conntrack.tcpBeLiberal`
    pub conntrack_is_liberal: bool,
}

/// A variable of a container's environment: name, and value unless it comes from elsewhere.
pub type EnvVariable = (Spanned<Box<str>>, Option<Spanned<Box<str>>>);

/// The `calico-node` DaemonSet: what it tells Felix.
#[derive(Debug, Clone)]
pub struct CalicoNode {
    /// metadata
    pub meta: Meta,
    /// environment of the container `calico-node`: name and value, in order; variables that take
    /// their value from elsewhere (`valueFrom`) have `None`
    pub env: Vec<EnvVariable>,
    /// the image, for its version; "" if absent
    pub image: Spanned<Box<str>>,
}

/// A workload controller (Deployment, StatefulSet, DaemonSet, Job, CronJob, ReplicaSet).
#[derive(Debug, Clone)]
pub struct Controller {
    /// its kind
    pub kind: Box<str>,
    /// metadata
    pub meta: Meta,
    /// labels of the pods it would make
    pub pod_labels: Labels,
    /// it is to have pods with addresses of their own: neither scaled to nothing, suspended or
    /// completed, nor on the host's network
    pub wants_pods: bool,
}
