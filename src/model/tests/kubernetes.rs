//! NetworkPolicy, StagedKubernetesNetworkPolicy and ClusterNetworkPolicy.

use super::{stored, verdict, verdicts};
use crate::model::Resource;
use crate::model::calico::StagedAction;
use crate::model::cluster_policy::{ClusterNetworkPolicy, PortMatch};
use crate::model::network_policy::{IntOrString, NetworkPolicy, Operator};

fn network_policy(spec: &str) -> String {
    format!(
        "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: web}}, spec: {{{spec}}}}}"
    )
}

fn peer(peer: &str) -> String {
    network_policy(&format!("podSelector: {{}}, ingress: [{{from: [{{{peer}}}]}}]"))
}

fn port(port: &str) -> String {
    network_policy(&format!("podSelector: {{}}, ingress: [{{ports: [{{{port}}}]}}]"))
}

fn lowered(text: &str) -> NetworkPolicy {
    match stored(text) {
        Resource::NetworkPolicy(policy) => *policy,
        other => panic!("{other:?}"),
    }
}

fn cluster(spec: &str) -> String {
    format!(
        "{{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {{name: p}}, spec: {{{spec}}}}}"
    )
}

fn cluster_rule(rule: &str) -> String {
    cluster(&format!("tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, egress: [{{{rule}}}]"))
}

#[test]
fn fields_of_a_network_policy() {
    let policy = lowered(&network_policy(
        "podSelector: {matchLabels: {b: x, a: 'y'}, matchExpressions: [{key: k, operator: NotIn, values: [v]}]}, \
         policyTypes: [Egress], egress: [{ports: [{port: 80, endPort: 90}, {protocol: UDP, port: dns}, {}], \
         to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}, {podSelector: {}, namespaceSelector: {}}]}]",
    ));
    assert_eq!((policy.ingress_type, policy.egress_type), (false, true));
    // in input order
    assert_eq!(&*policy.pod_selector.match_labels[0].0, "b");
    assert_eq!(policy.pod_selector.match_expressions[0].operator, Operator::NotIn);
    let rule = &policy.egress[0];
    assert_eq!(rule.ports[0].port, Some(IntOrString::Int(80)));
    assert_eq!(rule.ports[0].end_port, Some(90));
    assert_eq!(rule.ports[1].port, Some(IntOrString::String("dns".into())));
    assert_eq!((&rule.ports[2].port, &*rule.ports[2].protocol), (&None, ""));
    let block = rule.peers[0].ip_block.as_ref().unwrap();
    assert_eq!((&*block.cidr.value, &*block.except[0].value), ("10.0.0.0/8", "10.1.0.0/16"));
    assert!(rule.peers[1].pod_selector.is_some() && rule.peers[1].namespace_selector.is_some());
}

#[test]
fn absent_types_are_filled_in_by_the_api_server() {
    for (spec, types) in [
        ("podSelector: {}", (true, false)),
        ("podSelector: {}, egress: [{}]", (true, true)),
        ("podSelector: {}, egress: []", (true, false)),
        ("podSelector: {}, policyTypes: [Egress]", (false, true)),
    ] {
        let policy = lowered(&network_policy(spec));
        assert_eq!((policy.ingress_type, policy.egress_type), types, "{spec}");
    }
}

#[test]
fn strict_decoding_at_the_api_servers_door() {
    verdicts(
        network_policy,
        &[
            ("podSelectr: {}", "refused: unknown-field"),
            ("PodSelector: {}", "refused: unknown-field"),
            ("podSelector: {matchLabels: {a: 1}}", "refused: wrong-type"),
            ("podSelector: {matchLabels: {'a b': c}}", "refused: bad-label-selector"),
            (
                "podSelector: {matchExpressions: [{key: a, operator: in, values: [b]}]}",
                "refused: bad-label-selector",
            ),
            ("podSelector: {matchExpressions: [{key: a, operator: In}]}", "refused: bad-label-selector"),
            (
                "podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}",
                "refused: bad-label-selector",
            ),
            ("podSelector: {}, policyTypes: [ingress]", "refused: wrong-value"),
            ("podSelector: {}, ingress: {}", "refused: wrong-type"),
            ("podSelector: {}, ingress: null", "stored"),
        ],
    );
    // what a dump carries
    let text = network_policy("podSelector: {}").replace(
        "{name: p,",
        "{name: p, uid: u, managedFields: [{manager: m}], generation: 1, creationTimestamp: null,",
    );
    assert_eq!(verdict(&text.replace("spec:", "status: {}, spec:")), "stored");
}

#[test]
fn peers() {
    verdicts(
        peer,
        &[
            ("podSelector: {}", "stored"),
            ("", "refused: bad-peer"),
            ("ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}", "refused: bad-peer"),
            ("ipBlock: {cidr: 10.0.0.1}", "refused: bad-net"),
            ("ipBlock: {cidr: 10.1.2.3/8}", "stored"),
            ("ipBlock: {}", "refused: missing-field"),
            ("ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}", "stored: schema-rule"),
            ("ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}", "stored: schema-rule"),
            ("ipBlock: {cidr: 10.0.0.0/8, except: ['fd00::/8']}", "stored: schema-rule"),
            ("ipBlock: {cidr: 10.0.0.0/8, except: [nonsense]}", "refused: bad-net"),
        ],
    );
}

#[test]
fn ports() {
    verdicts(
        port,
        &[
            ("", "stored"),
            ("protocol: SCTP", "stored"),
            ("protocol: tcp", "refused: bad-protocol"),
            ("protocol: ICMP", "refused: bad-protocol"),
            ("port: 0", "refused: bad-port"),
            ("port: 65536", "refused: bad-port"),
            ("port: '80'", "refused: bad-port"),
            ("port: http", "stored"),
            ("port: 80, endPort: 79", "refused: bad-port"),
            ("port: 80, endPort: 65536", "refused: bad-port"),
            ("port: http, endPort: 80", "refused: bad-port"),
            ("endPort: 80", "refused: bad-port"),
            ("port: 99999999999", "refused: wrong-value"),
            ("port: [80]", "refused: wrong-type"),
        ],
    );
}

#[test]
fn staged_network_policies() {
    let staged = |spec: &str| {
        network_policy(spec)
            .replace("networking.k8s.io/v1", "projectcalico.org/v3")
            .replace("kind: NetworkPolicy", "kind: StagedKubernetesNetworkPolicy")
    };
    let policy = lowered(&staged("podSelector: {}, policyTypes: [Ingress]"));
    assert_eq!((policy.staged, &*policy.meta.namespace), (Some(StagedAction::Set), "web"));
    verdicts(
        staged,
        &[
            ("stagedAction: Delete", "stored"),
            ("stagedAction: Delete, policyTypes: [Ingress]", "rejected: bad-staged-delete"),
            ("selector: all()", "rejected: unknown-field"),
        ],
    );
}

#[test]
fn fields_of_a_cluster_network_policy() {
    let text = cluster(
        "tier: Baseline, priority: 7, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {a: b}}}}, \
         ingress: [{name: r, action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}, \
         {udp: {destinationPort: {range: {start: 1, end: 2}}}}, {destinationNamedPort: http}]}], \
         egress: [{action: Deny, to: [{networks: [10.0.0.0/8]}]}]",
    );
    let Resource::ClusterNetworkPolicy(policy) = stored(&text) else { panic!("no ClusterNetworkPolicy") };
    let ClusterNetworkPolicy { tier, priority, subject, ingress, egress, .. } = *policy;
    assert_eq!((&*tier, priority), ("Baseline", 7));
    assert_eq!(subject.pods.unwrap().1.match_labels.len(), 1);
    let protocols = ingress[0].protocols.as_ref().unwrap();
    assert_eq!(protocols[0].tcp, Some(PortMatch::Number(80)));
    assert_eq!(protocols[1].udp, Some(PortMatch::Range(1, 2)));
    assert_eq!(&*protocols[2].destination_named_port, "http");
    assert!(egress[0].protocols.is_none());
    assert_eq!(&*egress[0].peers[0].networks.as_ref().unwrap()[0].value, "10.0.0.0/8");
}

#[test]
fn what_the_schema_of_cluster_network_policy_refuses() {
    verdicts(
        cluster,
        &[
            ("tier: Admin, priority: 1001, subject: {namespaces: {}}", "refused: wrong-value"),
            ("tier: admin, priority: 1, subject: {namespaces: {}}", "refused: wrong-value"),
            ("tier: Admin, subject: {namespaces: {}}", "refused: missing-field"),
            ("tier: Admin, priority: 1, subject: {}", "refused: wrong-value"),
            ("tier: Admin, priority: 1, subject: {pods: {}}", "refused: missing-field"),
            ("tier: Admin, priority: 1, subject: {namespaces: {}}, ingres: []", "refused: unknown-field"),
        ],
    );
    verdicts(
        cluster_rule,
        &[
            ("action: Allow, to: [{namespaces: {}}]", "refused: wrong-value"),
            ("action: Pass, to: []", "refused: wrong-value"),
            ("action: Pass", "refused: missing-field"),
            ("action: Pass, to: [{}]", "refused: wrong-value"),
            ("action: Pass, to: [{nodes: {}}]", "refused: unknown-field"),
            ("action: Pass, to: [{networks: [10.0.0.1]}]", "stored: schema-rule"),
            ("action: Pass, to: [{namespaces: {}}], protocols: []", "refused: wrong-value"),
            ("action: Pass, to: [{namespaces: {}}], protocols: [{tcp: {}}]", "refused: wrong-value"),
            (
                "action: Pass, to: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 2, end: 2}}}}]",
                "stored: schema-rule",
            ),
        ],
    );
}
