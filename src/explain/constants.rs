//! The chains and sets that Felix always calls by the same name, and what they are for.

use crate::felix::names;
use crate::version::CalicoVersion;

/// Name and purpose of chains that stand for no object. Some exist in several tables.
const CHAINS: &[(&str, &str)] = &[
    (
        "cali-PREROUTING",
        "where PREROUTING goes first: doNotTrack policy and reverse path (raw), preDNAT policy (mangle), floating IPs (nat)",
    ),
    (
        "cali-INPUT",
        "where INPUT goes first: traffic to the node itself, from pods and through host endpoints",
    ),
    (
        "cali-FORWARD",
        "where FORWARD goes first: traffic between interfaces, through the chains of pods and host endpoints",
    ),
    (
        "cali-OUTPUT",
        "where OUTPUT goes first: traffic of the node itself, through the chains of host endpoints",
    ),
    (
        "cali-POSTROUTING",
        "where POSTROUTING goes: masquerading (nat), DSCP and policy for what was forwarded by DNAT (mangle)",
    ),
    (
        names::FROM_WORKLOAD_DISPATCH,
        "from a pod's interface to the chain of the pod, for traffic that the pod sends",
    ),
    (
        names::TO_WORKLOAD_DISPATCH,
        "from a pod's interface to the chain of the pod, for traffic that the pod gets",
    ),
    (
        names::FROM_HOST_ENDPOINT,
        "from a host interface to the chain of its host endpoint, for traffic that comes in",
    ),
    (
        names::TO_HOST_ENDPOINT,
        "from a host interface to the chain of its host endpoint, for traffic that goes out",
    ),
    (
        names::FROM_HOST_FORWARD,
        "from a host interface to its host endpoint's chain for forwarded traffic that comes in",
    ),
    (
        names::TO_HOST_FORWARD,
        "from a host interface to its host endpoint's chain for forwarded traffic that goes out",
    ),
    (
        names::WORKLOAD_TO_HOST,
        "traffic from a pod to the node itself: the pod's egress policy, then DefaultEndpointToHostAction",
    ),
    (
        names::FAILSAFE_IN,
        "ports that are open to host endpoints whatever policy says: FailsafeInboundHostPorts",
    ),
    (names::FAILSAFE_OUT, "ports that host endpoints can always reach: FailsafeOutboundHostPorts"),
    (names::CIDR_BLOCK, "service loop prevention: traffic to addresses of services that no service took"),
    (names::RPF_SKIP, "pods that may send from other addresses than their own pass the reverse path check"),
    (
        names::EGRESS_DSCP,
        "the DSCP values that pods and host endpoints ask for, on traffic that leaves the cluster",
    ),
    (
        names::NAT_OUTGOING,
        "masquerading of pods whose pool has natOutgoing, to addresses outside of all pools",
    ),
    (names::FLOATING_DNAT, "floating IPs: from the outer address to the pod's own"),
    (
        names::FLOATING_SNAT,
        "floating IPs: from the pod's own address to the outer one, for a pod that reaches itself",
    ),
    (names::WIREGUARD_INCOMING_MARK, "marks what comes in through WireGuard, for the reverse path check"),
    (
        names::FORWARD_CHECK,
        "kube-proxy in IPVS mode: endpoint marks for traffic that IPVS forwards through INPUT",
    ),
    (
        names::FORWARD_ENDPOINT_MARK,
        "kube-proxy in IPVS mode: from an endpoint's mark to its chain, for what IPVS forwarded",
    ),
    (names::SET_ENDPOINT_MARK, "kube-proxy in IPVS mode: notes in the packet mark which endpoint sent it"),
    (
        names::FROM_ENDPOINT_MARK,
        "kube-proxy in IPVS mode: from the mark back to the chain of the endpoint that sent it",
    ),
];

/// Ids and purposes of sets that stand for no selector.
const SETS: &[(&str, &str)] = &[
    ("all-ipam-pools", "the CIDRs of all IPPools: addresses that are not masqueraded"),
    (
        "network-ip-pools",
        "the CIDRs of all IPPools (not those for load balancers only): addresses that are not masqueraded",
    ),
    (
        "masq-ipam-pools",
        "the CIDRs of IPPools with natOutgoing: addresses that are masqueraded when they leave the pools",
    ),
    ("this-host", "the addresses of the node itself"),
    ("dscp-src-net", "the addresses of pods and host endpoints that ask for a DSCP value"),
    ("all-hosts-net", "the addresses of all nodes, from which tunnelled packets may come"),
    ("all-vxlan-net", "the addresses of other nodes with a VXLAN tunnel"),
    ("all-istio-weps", "the addresses of pods in Istio's ambient mode"),
];

/// What a chain of this name is for. A child of a dispatch chain has its parent's name, a `-` and
/// what the interfaces have in common.
pub fn chain(name: &str) -> Option<String> {
    if let Some((_, purpose)) = CHAINS.iter().find(|(own, _)| *own == name) {
        return Some((*purpose).to_owned());
    }
    let dispatch = [
        names::FROM_WORKLOAD_DISPATCH,
        names::TO_WORKLOAD_DISPATCH,
        names::FROM_HOST_ENDPOINT,
        names::TO_HOST_ENDPOINT,
        names::FROM_HOST_FORWARD,
        names::TO_HOST_FORWARD,
        names::SET_ENDPOINT_MARK,
    ];
    let parent =
        dispatch.into_iter().find(|own| name.strip_prefix(own).is_some_and(|rest| rest.starts_with('-')))?;
    Some(format!("a part of `{parent}`, for interfaces whose names begin alike: {}", chain(parent)?))
}

/// What a set of this id is for.
pub fn set(id: &str) -> Option<&'static str> {
    SETS.iter().find(|(own, _)| *own == id).map(|(_, purpose)| *purpose)
}

/// The versions that have a set of this id, unless all have it.
pub fn versions_of_set(id: &str) -> Option<Vec<CalicoVersion>> {
    some(CalicoVersion::in_which(|facts| match id {
        "all-ipam-pools" | "network-ip-pools" => facts.all_pools == id,
        "dscp-src-net" => facts.dscp,
        "all-istio-weps" => !facts.unknown_parameters.contains(&"IstioAmbientMode"),
        _ => true,
    }))
}

/// The versions that have a chain of this name, unless all have it.
pub fn versions_of_chain(name: &str) -> Option<Vec<CalicoVersion>> {
    let divided =
        |infix| name.strip_prefix(names::SET_ENDPOINT_MARK).is_some_and(|rest| rest.starts_with(infix));
    some(CalicoVersion::in_which(|facts| match name {
        names::EGRESS_DSCP => facts.dscp,
        _ if divided("-wep-") || divided("-hep-") => facts.endpoint_mark_infix,
        _ if divided("-") => !facts.endpoint_mark_infix,
        _ => true,
    }))
}

fn some(versions: Vec<CalicoVersion>) -> Option<Vec<CalicoVersion>> {
    (versions.len() < CalicoVersion::ALL.len()).then_some(versions)
}
