//! Random clusters of two nodes, `node-1` and `node-2`: a few objects of each kind that rules come from.

use proptest::prelude::*;

const NAMESPACES: [&str; 3] = ["shop", "web", "kube-system"];
const KEYS: [&str; 3] = ["app", "role", "zone"];
const VALUES: [&str; 3] = ["a", "b", "c"];

fn one_of<T: Clone + std::fmt::Debug + 'static>(items: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(items)
}

fn labels() -> impl Strategy<Value = String> {
    proptest::collection::btree_map(one_of(&KEYS), one_of(&VALUES), 0..3).prop_map(|map| {
        let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        format!("{{{}}}", pairs.join(", "))
    })
}

fn selector() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (one_of(&KEYS), one_of(&VALUES)).prop_map(|(key, value)| format!("{key} == '{value}'")),
        one_of(&KEYS).prop_map(|key| format!("has({key})")),
        (one_of(&KEYS), one_of(&VALUES)).prop_map(|(key, value)| format!("{key} not in {{'{value}', 'x'}}")),
        Just("all()".to_owned()),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

/// A rule of ingress, whose peer is its source, or of egress.
fn rule(peer: &'static str) -> impl Strategy<Value = String> {
    let side = prop_oneof![
        Just(String::new()),
        selector().prop_map(move |s| format!(", {peer}: {{selector: \"{s}\"}}")),
        one_of(&["UDP", "SCTP", "112"]).prop_map(|protocol| format!(", protocol: {protocol}")),
        one_of(&["TCP", "UDPLite", "4"]).prop_map(|protocol| format!(", notProtocol: {protocol}")),
        one_of(&["{type: 8}", "{type: 3, code: 1}"])
            .prop_map(|icmp| format!(", protocol: ICMP, icmp: {icmp}")),
        one_of(&["{type: 128}", "{type: 137}"]).prop_map(|icmp| format!(", protocol: ICMPv6, icmp: {icmp}")),
        (1..30u8).prop_map(move |net| format!(", {peer}: {{notNets: ['fd00:10:244::{net:x}/128']}}")),
        (1..250u8, 1..4usize).prop_map(move |(net, count)| {
            let nets: Vec<String> = (0..count).map(|n| format!("10.{net}.{n}.0/24")).collect();
            format!(", {peer}: {{nets: [{}]}}", nets.join(", "))
        }),
        (1..30u16)
            .prop_map(|port| format!(", protocol: TCP, destination: {{ports: [{port}, '80:90', http]}}")),
    ];
    (one_of(&["Allow", "Deny", "Log", "Pass"]), side)
        .prop_map(|(action, side)| format!("{{action: {action}{side}}}"))
}

fn policy(number: usize) -> impl Strategy<Value = String> {
    let rules = |peer: &'static str| {
        proptest::collection::vec(rule(peer), 0..3).prop_map(|rules| format!("[{}]", rules.join(", ")))
    };
    let rules = (rules("source"), rules("destination"));
    let order = prop_oneof![Just(String::new()), (0..3u8).prop_map(|order| format!(", order: {order}"))];
    let kind =
        one_of(&["GlobalNetworkPolicy", "NetworkPolicy", "StagedGlobalNetworkPolicy", "StagedNetworkPolicy"]);
    let host = one_of(&[
        "",
        ", applyOnForward: true",
        ", applyOnForward: true, preDNAT: true",
        ", applyOnForward: true, doNotTrack: true",
    ]);
    (kind, one_of(&NAMESPACES), one_of(&["default", "secure"]), order, selector(), rules, host).prop_map(
        move |(kind, namespace, tier, order, selector, (ingress, egress), host)| {
            let global = kind.ends_with("GlobalNetworkPolicy");
            let (scope, host) = if global { (String::new(), host) } else { (format!(", namespace: {namespace}"), "") };
            // before DNAT nothing leaves
            let (types, egress) = match host.contains("preDNAT") {
                true => ("[Ingress]", String::new()),
                false => ("[Ingress, Egress]", format!(", egress: {egress}")),
            };
            format!(
                "apiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: p-{number}{scope}}}\n\
                 spec: {{tier: {tier}{order}, selector: \"{selector}\", types: {types}, ingress: {ingress}{egress}{host}}}\n"
            )
        },
    )
}

fn kubernetes_policy(number: usize) -> impl Strategy<Value = String> {
    let peer = prop_oneof![
        labels().prop_map(|labels| format!("{{podSelector: {{matchLabels: {labels}}}}}")),
        labels().prop_map(|labels| format!("{{namespaceSelector: {{matchLabels: {labels}}}}}")),
        (0..200u8)
            .prop_map(|net| format!("{{ipBlock: {{cidr: 10.{net}.0.0/16, except: [10.{net}.1.0/24]}}}}")),
    ];
    let peers = proptest::collection::vec(peer, 0..3);
    (one_of(&NAMESPACES), labels(), peers).prop_map(move |(namespace, labels, peers)| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: k-{number}, namespace: {namespace}}}\n\
             spec: {{podSelector: {{matchLabels: {labels}}}, ingress: [{{from: [{}], ports: [{{port: http}}, {{port: 80, protocol: UDP}}]}}]}}\n",
            peers.join(", ")
        )
    })
}

fn pod(number: usize) -> impl Strategy<Value = String> {
    (one_of(&NAMESPACES), labels(), 1..3u8).prop_map(move |(namespace, labels, node)| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: pod-{number}, namespace: {namespace}, labels: {labels}}}\n\
             spec: {{nodeName: node-{node}, containers: [{{name: c, image: i, ports: [{{name: http, containerPort: {}}}]}}]}}\n\
             status: {{phase: Running, podIPs: [{{ip: 10.244.0.{}}}, {{ip: 'fd00:10:244::{:x}'}}]}}\n",
            8000 + number,
            number + 1,
            number + 1
        )
    })
}

fn network_set(number: usize) -> impl Strategy<Value = String> {
    (labels(), 0..200u8).prop_map(move |(labels, net)| {
        format!(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {{name: set-{number}, labels: {labels}}}\n\
             spec: {{nets: [172.{net}.0.0/16, 172.{net}.3.0/24, 192.0.2.{number}, 'fd00:{net:x}::/32']}}\n"
        )
    })
}

fn host_endpoint(number: usize) -> impl Strategy<Value = String> {
    (labels(), one_of(&["eth0", "eth1", "*"])).prop_map(move |(labels, interface)| {
        format!(
            "apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {{name: host-{number}, labels: {labels}}}\n\
             spec: {{node: node-1, interfaceName: \"{interface}\", expectedIPs: [10.0.0.1{number}]}}\n"
        )
    })
}

/// What allowing is, and what becomes of packets for services that nobody takes.
fn configuration() -> impl Strategy<Value = String> {
    let spec = one_of(&[
        "{}",
        "{serviceLoopPrevention: Reject}",
        "{serviceLoopPrevention: Reject, defaultEndpointToHostAction: Accept}",
        "{defaultEndpointToHostAction: Return, iptablesFilterAllowAction: Return}",
        "{iptablesMangleAllowAction: Return}",
    ]);
    spec.prop_map(|spec| {
        format!("apiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {{name: default}}\nspec: {spec}\n")
    })
}

/// What every cluster has.
pub fn base() -> Vec<String> {
    let mut objects: Vec<String> = NAMESPACES
        .iter()
        .map(|name| {
            format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{app: a}}}}\n")
        })
        .collect();
    objects.extend([1, 2].map(|node| {
        format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: node-{node}, annotations: {{projectcalico.org/IPv4Address: 10.0.0.1{node}/24}}}}\n\
             status: {{addresses: [{{type: InternalIP, address: 10.0.0.1{node}}}, {{type: ExternalIP, address: 203.0.113.1{node}}}]}}\n"
        )
    }));
    objects.push(
        "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: secure}\nspec: {order: 50}\n"
            .to_owned(),
    );
    objects.push("apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: pods}\nspec: {cidr: 10.244.0.0/16, natOutgoing: true}\n".to_owned());
    objects.push("apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: pods-v6}\nspec: {cidr: 'fd00:10:244::/48', natOutgoing: true}\n".to_owned());
    objects.push("apiVersion: projectcalico.org/v3\nkind: BGPConfiguration\nmetadata: {name: default}\nspec: {serviceClusterIPs: [{cidr: 172.16.0.0/14}, {cidr: 'fd00:96::/112'}]}\n".to_owned());
    objects
}

fn numbered<S: Strategy<Value = String> + 'static>(
    most: usize,
    object: fn(usize) -> S,
) -> BoxedStrategy<Vec<String>> {
    (0..=most).prop_flat_map(move |count| (0..count).map(object).collect::<Vec<_>>()).boxed()
}

/// The objects of a cluster.
pub fn objects() -> impl Strategy<Value = Vec<String>> {
    let objects = (
        numbered(8, pod),
        numbered(5, policy),
        numbered(4, kubernetes_policy),
        numbered(3, network_set),
        numbered(3, host_endpoint),
        configuration(),
    );
    objects.prop_map(|(a, b, c, d, e, f)| [base(), a, b, c, d, e, vec![f]].concat())
}
