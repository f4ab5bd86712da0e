use crate::resolve::testing::*;
use crate::resolve::view::{NodeView, Policy, Rule};

fn base() -> String {
    namespace("web", "env: prod") + &pod("node-1", "web", "a", "app: a", "10.244.0.2")
}

fn only_policy(view: &NodeView) -> &Policy {
    assert_eq!(view.policies.len(), 1, "{:#?}", view.policies);
    &view.policies[0]
}

/// Protocol, sets, nets and ports of a rule in one line.
fn short(rule: &Rule, view: &NodeView) -> String {
    let mut parts = vec![format!("{:?}", rule.action)];
    parts.extend(rule.protocol.iter().map(|protocol| format!("{protocol:?}")));
    for (name, side) in [("from", &rule.source), ("to", &rule.destination)] {
        parts.extend(side.sets.iter().map(|set| format!("{name} {:.10}", view.set(*set).unwrap().id)));
        parts.extend(side.nets.iter().map(|net| format!("{name} {net}")));
        parts.extend(side.not_nets.iter().map(|net| format!("{name} not {net}")));
        parts.extend(side.ports.iter().map(|(first, last)| format!("{name} {first}-{last}")));
        parts.extend(side.named_ports.iter().map(|set| format!("{name} {:.10}", view.set(*set).unwrap().id)));
    }
    parts.join(" ")
}

fn kubernetes(spec: &str) -> String {
    let indented: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "---\nkind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: {{name: p, namespace: web}}\nspec:\n{indented}"
    )
}

#[test]
fn kubernetes_policies_select_pods_of_their_namespace() {
    let view = view(&(base() + &kubernetes("podSelector: {matchLabels: {app: a}}")));
    let policy = only_policy(&view);
    assert_eq!(policy.id.kind.name(), "KubernetesNetworkPolicy");
    assert_eq!(&*policy.tier, "default");
    assert_eq!(
        &*policy.selector,
        r#"((projectcalico.org/orchestrator == "k8s" && app == "a") && projectcalico.org/namespace == "web")"#
    );
}

#[test]
fn kubernetes_rules_are_one_for_each_protocol_and_peer() {
    let spec = "\
podSelector: {}
policyTypes: [Ingress]
ingress:
- from: [{namespaceSelector: {}}, {ipBlock: {cidr: 10.1.2.3/8, except: [10.1.0.0/16]}}]
  ports: [{port: 53, protocol: UDP}, {port: 81}, {port: 80}, {port: 9, protocol: SCTP}, {port: http}]";
    let view = view(&(base() + &kubernetes(spec)));
    let rules: Vec<String> = only_policy(&view).inbound.iter().map(|rule| short(rule, &view)).collect();
    assert_eq!(
        rules,
        [
            r#"Allow Name("sctp") from s:Vbl4aLps to 9-9"#,
            r#"Allow Name("sctp") from 10.0.0.0/8 from not 10.1.0.0/16 to 9-9"#,
            r#"Allow Name("tcp") from s:Vbl4aLps to 80-81 to n:cl9_Kgeu"#,
            r#"Allow Name("tcp") from 10.0.0.0/8 from not 10.1.0.0/16 to 80-81 to n:cl9_Kgeu"#,
            r#"Allow Name("udp") from s:Vbl4aLps to 53-53"#,
            r#"Allow Name("udp") from 10.0.0.0/8 from not 10.1.0.0/16 to 53-53"#,
        ]
    );
}

#[test]
fn kubernetes_types_are_those_listed_or_ingress() {
    let tiers = |spec: &str| {
        let view = view(&(base() + &kubernetes(spec)));
        let tier = &view.workloads[0].tiers[0];
        (tier.ingress.len(), tier.egress.len(), only_policy(&view).outbound.len())
    };
    assert_eq!(tiers("podSelector: {}"), (1, 0, 0));
    assert_eq!(tiers("podSelector: {}\npolicyTypes: [Egress]\negress: [{}]"), (0, 1, 1));
    // rules without the type exist but do not govern
    assert_eq!(tiers("podSelector: {}\npolicyTypes: [Ingress]\negress: [{}]"), (1, 0, 1));
}

#[test]
fn a_port_without_number_is_every_port_of_its_protocol() {
    let spec = "podSelector: {}\ningress:\n- ports: [{port: 80}, {protocol: TCP}, {protocol: UDP, port: 53, endPort: 60}]";
    let view = view(&(base() + &kubernetes(spec)));
    let rules: Vec<String> = only_policy(&view).inbound.iter().map(|rule| short(rule, &view)).collect();
    assert_eq!(rules, [r#"Allow Name("tcp")"#, r#"Allow Name("udp") to 53-60"#]);
}

#[test]
fn an_unparsable_block_of_a_staged_policy_is_no_restriction() {
    let spec = "\
podSelector: {}
ingress:
- from: [{ipBlock: {cidr: nonsense}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, x, 10.2.0.0/16]}}]";
    let resources = resources(&(base() + &stored("StagedKubernetesNetworkPolicy", "web/p", spec)));
    let (view, diagnostics) = look(&resources);
    let view = view.unwrap();
    let rules: Vec<String> = only_policy(&view).inbound.iter().map(|rule| short(rule, &view)).collect();
    assert_eq!(rules, ["Allow", "Allow from 10.0.0.0/8 from not 10.1.0.0/16"]);
    assert_eq!(
        messages(&diagnostics, "unparsable-cidr"),
        [
            "felix takes `nonsense`, which is no CIDR, for any address",
            "felix leaves out `x`, which is no CIDR, and the exceptions after it",
        ]
    );
}

#[test]
fn a_staged_policy_with_a_bad_port_is_lost_whole() {
    let spec = "podSelector: {}\ningress:\n- ports: [{port: 80, endPort: 79}]\n- {}";
    let resources = resources(&(base() + &stored("StagedKubernetesNetworkPolicy", "web/p", spec)));
    let (view, diagnostics) = look(&resources);
    assert_eq!(view.unwrap().policies.len(), 0);
    assert_eq!(
        messages(&diagnostics, "rule-ignored-by-felix"),
        ["felix drops this rule: `80:79` is no port: the range ends before it begins"]
    );
}

fn cluster_policy(spec: &str) -> String {
    let indented: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "---\nkind: ClusterNetworkPolicy\napiVersion: policy.networking.k8s.io/v1alpha2\nmetadata: {{name: c}}\nspec:\n{indented}"
    )
}

#[test]
fn cluster_policies_go_to_their_tier_and_name_their_rules() {
    let spec = "\
tier: Admin
priority: 7
subject: {namespaces: {}}
ingress:
- name: gate
  action: Accept
  from: [{namespaces: {matchLabels: {env: prod}}}]
  protocols: [{tcp: {destinationPort: {number: 80}}}, {destinationNamedPort: http}]";
    let view = view(&(base() + &cluster_policy(spec)));
    let policy = only_policy(&view);
    assert_eq!((&*policy.tier, policy.id.kind.name()), ("kube-admin", "KubernetesClusterNetworkPolicy"));
    assert_eq!(
        &*policy.selector,
        r#"(projectcalico.org/orchestrator == "k8s" && has(projectcalico.org/namespace))"#
    );
    let protocols: Vec<_> = policy.inbound.iter().map(|rule| rule.protocol.is_some()).collect();
    assert_eq!(protocols, [false, true], "the named port has no protocol and sorts first");
    assert_eq!(policy.inbound[0].annotations, [("name".into(), "gate".into())]);
    assert_eq!((view.workloads[0].tiers[0].ingress.len(), view.workloads[0].tiers[0].egress.len()), (1, 0));
}

#[test]
fn a_cluster_policy_without_rules_governs_both_directions() {
    let view = view(&(base() + &cluster_policy("tier: Baseline\npriority: 1\nsubject: {namespaces: {}}")));
    let tier = &view.workloads[0].tiers[0];
    assert_eq!((tier.ingress.len(), tier.egress.len()), (1, 1));
}

#[test]
fn all_in_a_global_policy_with_namespace_selector_is_rewritten_everywhere() {
    let spec = "selector: all()\nnamespaceSelector: env == 'prod' || all()\nserviceAccountSelector: all()";
    let view = view(&(base() + &stored("GlobalNetworkPolicy", "g", spec)));
    assert_eq!(
        &*only_policy(&view).selector,
        "((has(projectcalico.org/namespace) && (pcns.env == \"prod\" || has(projectcalico.org/namespace))) \
         && has(projectcalico.org/serviceaccount))"
    );
    let spec = "selector: all( )\nnamespaceSelector: env == 'prod'";
    let view = super::super::testing::view(&(base() + &stored("GlobalNetworkPolicy", "g", spec)));
    assert_eq!(&*only_policy(&view).selector, r#"(all() && pcns.env == "prod")"#, "with a blank it stays");
}

#[test]
fn a_namespace_selector_that_does_not_parse_is_lost_and_said_so() {
    let spec = "selector: app == 'a'\nnamespaceSelector: env = 'prod'";
    let resources = resources(&(base() + &stored("GlobalNetworkPolicy", "g", spec)));
    let (view, diagnostics) = look(&resources);
    assert_eq!(&*only_policy(&view.unwrap()).selector, r#"app == "a""#);
    assert!(messages(&diagnostics, "selector-dropped")[0].contains("`env = 'prod'`"));
}

#[test]
fn namespaced_policies_are_never_untracked_nor_pre_dnat() {
    let spec = "selector: all()\nserviceAccountSelector: role == 'x'\ningress: [{action: Allow}]";
    let text = base() + &stored("NetworkPolicy", "web/p", spec);
    let text = text.replace(
        "kind: ServiceAccount\napiVersion: v1\nmetadata: {name: default, namespace: web}",
        "kind: ServiceAccount\napiVersion: v1\nmetadata: {name: default, namespace: web, labels: {role: x}}",
    );
    let view = view(&text);
    assert_eq!(
        &*only_policy(&view).selector,
        r#"((all() && projectcalico.org/namespace == "web") && pcsa.role == "x")"#
    );
    assert_eq!((view.workloads[0].tiers[0].ingress.len(), view.workloads[0].tiers[0].egress.len()), (1, 1));
}

#[test]
fn what_felix_refuses_is_ignored_with_the_reason() {
    let rule = |rule: &str| format!("selector: all()\ningress:\n- {{action: Allow, {rule}}}");
    for (spec, reason) in [
        ("selector: app='a'".to_owned(), "its selector `app='a'` does not parse"),
        (rule("destination: {ports: [80]}"), "destination.ports `80` needs protocol TCP, UDP or SCTP"),
        (rule("protocol: ICMP, destination: {notPorts: [80]}"), "destination.notPorts needs protocol"),
        (rule("protocol: UDPLite, source: {ports: ['1:2']}"), "source.ports needs protocol"),
        (rule("protocol: TCP, source: {ports: [0]}"), "source.ports `0` is no range of ports"),
        (rule("protocol: 0"), "protocol `0` is none"),
        (rule("protocol: GRE"), "protocol `gre` is not known"),
        (rule("source: {selector: a ==}"), "source.selector `a ==` does not parse"),
        (rule("source: {notSelector: a ==}"), "source.notSelector `a ==` does not parse"),
        (rule("source: {namespaceSelector: a ==}"), "source.namespaceSelector `a ==` does not parse"),
        (rule("source: {serviceAccounts: {selector: a ==}}"), "source.serviceAccounts.selector `a ==`"),
    ] {
        let resources = resources(&(base() + &stored("GlobalNetworkPolicy", "g", &spec)));
        let (view, diagnostics) = look(&resources);
        let found = messages(&diagnostics, "ignored-by-felix");
        assert_eq!(found.len(), 1, "{spec}: {diagnostics:#?}");
        assert!(
            found[0].starts_with("felix ignores GlobalNetworkPolicy `g` as if it did not exist: "),
            "{found:?}"
        );
        assert!(found[0].contains(reason), "{found:?} lacks {reason}");
        assert_eq!(view.unwrap().policies.len(), 0);
    }
}

#[test]
fn a_selector_beyond_our_limits_is_an_error_not_a_fate_of_felix() {
    let deep = format!("selector: '{}has(a){}'", "(".repeat(400), ")".repeat(400));
    let input = base() + &stored("GlobalNetworkPolicy", "g", &deep);
    let (_, diagnostics) = look(&resources(&input));
    assert_eq!(messages(&diagnostics, "ignored-by-felix"), Vec::<String>::new());
    assert_eq!(messages(&diagnostics, "selector-too-deep").len(), 1, "{diagnostics:#?}");
}
