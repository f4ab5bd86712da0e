use super::testing::*;
use super::view::{NodeView, TierPolicies, WILDCARD_INTERFACE};
use super::{Cluster, NodeRequest};
use crate::diagnostic::Diagnostic;
use crate::model::Resources;
use crate::syntax::selector;
use proptest::prelude::*;
use std::sync::Arc;

const NODE: &str = "---\nkind: Node\napiVersion: v1\nmetadata: {name: node-1}\n\
                    status: {addresses: [{type: InternalIP, address: 10.0.0.11}, {type: ExternalIP, address: 203.0.113.11}]}\n";

fn names(view: &NodeView, tiers: &[TierPolicies]) -> Vec<String> {
    tiers
        .iter()
        .map(|tier| {
            let list = |groups: &[super::view::PolicyGroup]| {
                let groups: Vec<String> = groups
                    .iter()
                    .map(|group| {
                        let names: Vec<&str> = group
                            .policies
                            .iter()
                            .map(|index| &*view.policies[index.0 as usize].id.name)
                            .collect();
                        names.join("+")
                    })
                    .collect();
                groups.join(",")
            };
            let name = &view.tiers[tier.tier.0 as usize].name;
            format!("{name}: {} / {}", list(&tier.ingress), list(&tier.egress))
        })
        .collect()
}

fn policy(name: &str, spec: &str) -> String {
    stored("GlobalNetworkPolicy", name, spec)
}

#[test]
fn an_unknown_node_is_an_error_that_names_the_nodes() {
    let resources =
        resources(&(NODE.to_owned() + &namespace("web", "") + &pod("node-22", "web", "a", "", "10.0.0.1")));
    let cluster = Cluster::new(&resources);
    assert_eq!(cluster.node_names().collect::<Vec<_>>(), ["node-1", "node-22"]);
    let resolved = cluster.view(&NodeRequest { node: "node-2", interfaces: None });
    assert!(resolved.view.is_none());
    assert_eq!(
        resolved.diagnostics[0].message,
        "there is no node `node-2`: neither a Node of that name nor a pod on it"
    );
    let help = resolved.diagnostics[0].help.as_deref().unwrap();
    assert!(help.starts_with("did you mean `node-1`?") && help.ends_with("`node-1`, `node-22`"), "{help}");
}

#[test]
fn interface_names_are_felix_names() {
    let view = view(
        &(namespace("default", "")
            + &namespace("web", "")
            + &pod("node-1", "default", "worker-1", "", "10.0.0.1")
            + &pod("node-1", "web", "db-2", "", "10.0.0.2")),
    );
    let names: Vec<&str> = view.workloads.iter().map(|endpoint| &*endpoint.interface).collect();
    assert_eq!(names, ["cali5e92e48717b", "calia6abe78ab67"]);
    assert_eq!(view.workloads[0].profiles, ["kns.default".into(), "ksa.default.default".into()]);
}

#[test]
fn pods_without_address_or_on_the_host_are_no_endpoints() {
    let text = namespace("web", "")
        + &pod("node-1", "web", "a", "", "10.0.0.1").replace("Running", "Succeeded")
        + &pod("node-1", "web", "b", "", "10.0.0.2").replace("containers", "hostNetwork: true, containers")
        + &pod("''", "web", "c", "", "10.0.0.3")
        + &pod("node-1", "web", "d", "", "10.0.0.4/24")
        + &pod("node-1", "web", "e", "", "no-address")
        + &pod("node-1", "web", "f", "", "::ffff:10.0.0.6");
    let (view, diagnostics) = look(&resources(&text));
    let view = view.unwrap();
    let found: Vec<_> = view.workloads.iter().map(|w| format!("{} {}", w.pod, w.addresses[0])).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.contains(&"d 10.0.0.0".into()) && found.contains(&"f 10.0.0.6".into()), "{found:?}");
    assert_eq!(
        messages(&diagnostics, "pods-without-address"),
        ["pod `web/a` has no address, so felix has no rules for it"]
    );
    assert!(messages(&diagnostics, "ignored-by-calico")[0].contains("`no-address` is no address"));
}

#[test]
fn missing_profiles_deny() {
    let text = namespace("web", "")
        + &pod("node-1", "web", "a", "", "10.0.0.1")
            .replace("containers", "serviceAccountName: ghost, containers")
        + &pod("node-1", "db", "b", "", "10.0.0.2");
    let (view, diagnostics) = look(&resources(&text));
    let shown: Vec<String> = view
        .unwrap()
        .profiles
        .iter()
        .map(|profile| {
            let rules: Vec<String> =
                profile.inbound.iter().map(|rule| format!("{:?}", rule.action)).collect();
            format!("{} {} {}", profile.name, rules.join(","), profile.at.is_some())
        })
        .collect();
    assert_eq!(
        shown,
        ["kns.db Deny false", "kns.web Allow true", "ksa.db.default Deny false", "ksa.web.ghost Deny false"]
    );
    assert_eq!(messages(&diagnostics, "missing-profile").len(), 3);
}

#[test]
fn tiers_and_policies_are_in_felix_order() {
    let order = |order: &str| format!("tier: default\nselector: all()\ntypes: [Ingress]\n{order}");
    let text = namespace("web", "")
        + &pod("node-1", "web", "a", "", "10.0.0.1")
        + &stored("Tier", "late", "order: 2000000\ndefaultAction: Pass")
        + &stored("Tier", "early", "order: 5")
        + &policy("b", &order("order: 10"))
        + &policy("a", &order(""))
        + &policy("z", &order("order: 10"))
        + &policy("m", &order("order: -1.5"))
        + &policy("ghost", "tier: ghost\nselector: all()")
        + &policy("in-late", "tier: late\nselector: all()\ntypes: [Egress]")
        + &policy("in-early", "tier: early\nselector: all()\ntypes: [Egress]")
        + "---\nkind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: {name: k, namespace: web}\nspec: {podSelector: {}}\n";
    let view = view(&text);
    let tiers: Vec<String> =
        view.tiers.iter().map(|t| format!("{} {} {}", t.name, t.default_pass, t.exists)).collect();
    assert_eq!(
        tiers,
        [
            "early false true",
            "kube-admin true true",
            "default false true",
            "late true true",
            "kube-baseline true true",
            "ghost false false"
        ]
    );
    assert_eq!(
        names(&view, &view.workloads[0].tiers),
        ["early:  / in-early", "default: m+b+z,k,a / ", "late:  / in-late", "ghost: ghost / ghost"]
    );
}

#[test]
fn ties_break_by_name_then_namespace_then_kind() {
    let both = "tier: default\norder: 1000\nselector: all()\ntypes: [Ingress]";
    let text = namespace("web", "")
        + &pod("node-1", "web", "a", "", "10.0.0.1")
        + &policy("p", both)
        + &stored("NetworkPolicy", "web/p", both)
        + &stored("NetworkPolicy", "web/p-1", both)
        + "---\nkind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: {name: p, namespace: web}\nspec: {podSelector: {}}\n";
    let view = view(&text);
    let order: Vec<String> = view.workloads[0].tiers[0]
        .ingress
        .iter()
        .flat_map(|group| &group.policies)
        .map(|index| {
            let id = &view.policies[index.0 as usize].id;
            format!("{} {}", id.kind.short_name(), id.path())
        })
        .collect();
    // `p-1/…` is before `p/…`, because `-` is before `/`
    assert_eq!(order, ["np web/p-1", "gnp p", "knp web/p", "np web/p"]);
}

#[test]
fn host_endpoints_have_four_lists_and_pods_one() {
    let spec = |more: &str| format!("tier: default\nselector: all()\norder: 1\n{more}");
    let text = NODE.to_owned()
        + &namespace("web", "")
        + &pod("node-1", "web", "a", "", "10.244.0.1")
        + &stored("HostEndpoint", "h", "node: node-1\ninterfaceName: eth0\nexpectedIPs: [10.0.0.11]")
        + &policy("normal", &spec("ingress: [{action: Allow}]"))
        + &policy("forward", &spec("applyOnForward: true"))
        + &policy("pre", &spec("applyOnForward: true\npreDNAT: true"))
        + &policy("untracked", &spec("applyOnForward: true\ndoNotTrack: true"))
        + &policy("both", &spec("preDNAT: true\ndoNotTrack: true"));
    let view = view(&text);
    let host = &view.host_endpoints[0];
    assert_eq!((&*host.interface, &*host.name), ("eth0", "h"));
    assert_eq!(names(&view, &host.tiers), ["default: forward+normal / forward+normal"]);
    assert_eq!(names(&view, &host.forward_tiers), ["default: forward / forward"]);
    assert_eq!(names(&view, &host.pre_dnat_tiers), ["default: pre / "]);
    assert_eq!(names(&view, &host.untracked_tiers), ["default: both+untracked / both+untracked"]);
    assert_eq!(names(&view, &view.workloads[0].tiers), ["default: forward+normal / forward+normal"]);
}

#[test]
fn groups_are_runs_of_one_selector_staged_policies_included() {
    let spec = |order: u8, selector: &str| {
        format!("tier: default\nselector: {selector}\norder: {order}\ntypes: [Ingress]")
    };
    let text = namespace("web", "")
        + &pod("node-1", "web", "a", "app: a", "10.244.0.1")
        + &policy("p1", &spec(1, "app == 'a'"))
        + &policy("p2", &spec(2, "app==\"a\""))
        + &stored("StagedGlobalNetworkPolicy", "s3", &spec(3, "has(app)"))
        + &policy("p4", &spec(4, "app == 'a'"))
        + &stored("StagedGlobalNetworkPolicy", "gone", &(spec(5, "has(app)") + "\nstagedAction: Delete"));
    let view = view(&text);
    assert_eq!(names(&view, &view.workloads[0].tiers), ["default: p1+p2,s3,p4 / "]);
}

#[test]
fn policies_are_active_where_they_select_or_are_needed_everywhere() {
    let text = NODE.to_owned()
        + &namespace("web", "")
        + &pod("node-2", "web", "b", "app: b", "10.244.1.1")
        + &stored("HostEndpoint", "h", "node: node-1\ninterfaceName: eth9")
        + &policy("elsewhere", "selector: app == 'b'")
        + &policy("needed", "selector: app == 'b'\nperformanceHints: [AssumeNeededOnEveryNode]")
        + &policy(
            "host",
            "selector: '!has(app)'\negress: [{action: Deny, source: {selector: \"app == 'c'\"}}]\ntypes: [Ingress]",
        );
    let view = view(&text);
    let active: Vec<_> = view.policies.iter().map(|p| (&*p.id.name, p.assume_needed)).collect();
    assert_eq!(active, [("host", false), ("needed", true)]);
    // sets of a direction that the policy does not govern exist all the same
    assert_eq!(selectors(&view), [r#"app == "c""#]);
}

#[test]
fn rules_become_sets() {
    let rule =
        |rule: &str| format!("selector: all()\ntypes: [Ingress]\ningress:\n- {{action: Allow, {rule}}}");
    let base = namespace("web", "") + &pod("node-1", "web", "a", "app: a", "10.244.0.1");
    let sides = |spec: &str| {
        let view = view(&(base.clone() + &policy("p", &rule(spec))));
        let id = |set: &super::view::SetIndex| view.set(*set).unwrap().id.to_string();
        let side = &view.policies[0].inbound[0].source;
        let lists = [&side.sets, &side.not_sets, &side.named_ports, &side.not_named_ports, &side.services];
        lists.map(|list| list.iter().map(id).collect::<Vec<_>>().join(" "))
    };
    let none = String::new;
    let [sets, not_sets, ..] =
        sides("source: {namespaceSelector: global(), selector: app == 'y', notSelector: app == 'z'}");
    assert_eq!((&sets[..25], not_sets), ("s:rb3GQasmxv9uOvtrVmIqII_", none()), "one set for both selectors");
    let [_, negative, ..] = sides("source: {notSelector: app == 'z'}");
    assert!(negative.starts_with("s:"));
    let [sets, _, named, ..] = sides("protocol: TCP, source: {ports: [http]}");
    assert_eq!((sets, &named[..23]), (none(), "n:cl9_Kgeu4H0OGLbhovVR3"));
    let [.., named, _, _] = sides("source: {ports: [http]}");
    assert_eq!(&named[..23], "n:FvKMFOOSYvkZZJ0ch1bwT");
    let [sets, _, named, ..] = sides("protocol: TCP, source: {ports: [http, 80], selector: all()}");
    assert!(!sets.is_empty() && !named.is_empty(), "numeric ports keep the selector");
    let [sets, ..] = sides("source: {services: {name: svc, namespace: web}}");
    assert_eq!(&sets[..25], "svcnoport:uJ1l2cw3LLVlMPA");
}

#[test]
fn selector_sets_hold_pods_hosts_and_network_sets_but_nothing_twice() {
    let text = namespace("web", "env: prod")
        + &namespace("db", "env: test")
        + &pod("node-1", "web", "a", "app: a", "10.244.0.10")
        + &pod("node-2", "web", "b", "app: a", "10.244.0.2")
        + &pod("node-2", "db", "c", "app: a", "fd00::2")
        + &pod("node-2", "db", "d", "app: a", "172.16.5.5")
        + &stored(
            "HostEndpoint",
            "h",
            "node: node-3\ninterfaceName: eth0\nexpectedIPs: [10.244.0.10, 10.0.0.3]",
        )
        .replace("{name: h}", "{name: h, labels: {app: a}}")
        + &stored(
            "GlobalNetworkSet",
            "g",
            "nets: [172.16.0.0/12, 172.16.0.0/16, 0.0.0.0/0, '::ffff:9.9.9.9']",
        )
        .replace("{name: g}", "{name: g, labels: {wide: ''}}")
        + &stored("NetworkSet", "web/set", "nets: [172.16.0.0/12, 198.51.100.7]")
        + &policy(
            "p",
            "selector: all()\ningress:\n- {action: Allow, source: {selector: app == 'a'}}\n\
             - {action: Allow, source: {selector: has(wide)}}\n\
             - {action: Allow, source: {namespaceSelector: env == 'prod'}}\n\
             - {action: Allow, source: {selector: \"app == 'a' || pcns.env == 'prod'\"}}",
        );
    let view = view(&text);
    assert_eq!(
        members(&view, r#"app == "a""#),
        ["10.0.0.3/32", "10.244.0.10/32", "10.244.0.2/32", "172.16.5.5/32", "fd00::2/128"]
    );
    assert_eq!(members(&view, "has(wide)"), ["0.0.0.0/1", "128.0.0.0/1"]);
    assert_eq!(
        members(&view, r#"pcns.env == "prod""#),
        ["10.244.0.10/32", "10.244.0.2/32", "172.16.0.0/12", "198.51.100.7/32"]
    );
    assert_eq!(
        members(&view, r#"(app == "a" || pcns.env == "prod")"#),
        ["10.0.0.3/32", "10.244.0.10/32", "10.244.0.2/32", "172.16.0.0/12", "198.51.100.7/32", "fd00::2/128"]
    );
}

#[test]
fn covered_members_stay_where_nftables_is_disabled() {
    let text = namespace("web", "")
        + &pod("node-1", "web", "a", "app: a", "10.244.0.10")
        + &stored("NetworkSet", "web/set", "nets: [10.244.0.0/16, 10.0.0.0/8]")
        + &policy("p", "selector: all()\ningress: [{action: Allow, source: {namespaceSelector: all()}}]");
    let selector = "has(projectcalico.org/namespace)";
    assert_eq!(members(&view(&text), selector), ["10.0.0.0/8"]);
    let text = text + &stored("FelixConfiguration", "default", "nftablesMode: Disabled");
    assert_eq!(members(&view(&text), selector), ["10.0.0.0/8", "10.244.0.0/16", "10.244.0.10/32"]);
}

#[test]
fn named_ports_take_the_protocol_of_the_rule_and_no_network_sets() {
    let text = namespace("web", "")
        + &pod("node-1", "web", "a", "app: a", "10.244.0.10")
        + &pod("node-2", "web", "b", "app: a", "10.244.0.2").replace("8080", "80")
        + &pod("node-2", "web", "c", "app: a", "10.244.0.3").replace("8080}", "9, protocol: UDP}")
        + &pod("node-2", "web", "d", "app: d", "10.244.0.4")
        + &stored("NetworkSet", "web/set", "nets: [10.0.0.0/8]")
        + &stored(
            "HostEndpoint",
            "h",
            "node: node-3\ninterfaceName: eth0\nexpectedIPs: [10.0.0.3]\nports: [{name: http, protocol: SCTP, port: 7}]",
        )
        + &policy(
            "p",
            "selector: all()\ningress:\n- {action: Allow, protocol: TCP, source: {ports: [http], selector: app == 'a'}}\n\
             - {action: Allow, destination: {ports: [http]}}",
        );
    let view = view(&text);
    assert_eq!(members(&view, r#"app == "a",tcp,http"#), ["10.244.0.10,tcp:8080", "10.244.0.2,tcp:80"]);
    assert_eq!(
        members(&view, "all(),any,http"),
        [
            "10.0.0.3,sctp:7",
            "10.244.0.10,tcp:8080",
            "10.244.0.2,tcp:80",
            "10.244.0.3,udp:9",
            "10.244.0.4,tcp:8080"
        ]
    );
}

#[test]
fn services_are_their_endpoint_slices_ready_or_not() {
    let slice = |name: &str, ports: &str| {
        format!(
            "---\nkind: EndpointSlice\napiVersion: discovery.k8s.io/v1\n\
             metadata: {{name: {name}, namespace: web, labels: {{kubernetes.io/service-name: svc}}}}\naddressType: IPv4\n\
             endpoints: [{{addresses: [10.244.0.10], conditions: {{ready: false}}}}, {{addresses: [10.244.0.9]}}]\nports: {ports}\n"
        )
    };
    let text = namespace("web", "")
        + &pod("node-1", "web", "a", "app: a", "10.244.0.10")
        + &slice("first", "[{port: 80}, {port: 443}, {name: none}]")
        + &slice("second", "[{port: 53, protocol: UDP}, {port: 80}]")
        + &policy(
            "p",
            "selector: all()\negress: [{action: Allow, destination: {services: {name: svc, namespace: web}}}]\n\
             ingress: [{action: Allow, source: {services: {name: svc, namespace: web}}}]",
        )
        + &stored(
            "NetworkPolicy",
            "web/set",
            "selector: all()\negress: [{action: Allow, destination: {services: {name: svc}}}]",
        );
    let view = view(&text);
    assert_eq!(
        members(&view, "svc web/svc"),
        [
            "10.244.0.10,tcp:443",
            "10.244.0.10,tcp:80",
            "10.244.0.10,udp:53",
            "10.244.0.9,tcp:443",
            "10.244.0.9,tcp:80",
            "10.244.0.9,udp:53"
        ]
    );
    assert_eq!(members(&view, "svcnoport web/svc"), ["10.244.0.10/32", "10.244.0.9/32"]);
    assert_eq!(members(&view, "svc /svc"), Vec::<String>::new(), "the namespace is not filled in");
    let ids: Vec<&str> = view.sets.iter().map(|set| &*set.id).filter(|id| id.starts_with("svc")).collect();
    assert!(ids.iter().any(|id| id.starts_with("svc:bAIIAydFkrAAq_x8NMoeA")), "{ids:?}");
    assert!(ids.iter().any(|id| id.starts_with("svc:swi7lwuH0G9xK1-NzbCs5")), "{ids:?}");
}

#[test]
fn pods_that_may_spoof_are_ignored_unless_that_is_allowed() {
    let annotated = pod("node-1", "web", "a", "app: a", "10.244.0.10").replace(
        "metadata: {name: a,",
        "metadata: {annotations: {cni.projectcalico.org/allowedSourcePrefixes: '[\"10.9.8.7/8\"]'}, name: a,",
    );
    let text = namespace("web", "")
        + &annotated
        + &pod("node-1", "web", "b", "app: a", "10.244.0.11")
        + &policy("p", "selector: all()\ningress: [{action: Allow, source: {selector: app == 'a'}}]");
    let (found, diagnostics) = look(&resources(&text));
    let found = found.unwrap();
    assert_eq!(found.workloads.len(), 1);
    assert_eq!(members(&found, r#"app == "a""#), ["10.244.0.11/32"]);
    assert!(messages(&diagnostics, "ignored-by-felix")[0].contains("WorkloadSourceSpoofing is not `Any`"));
    let allowed = view(&(text + &stored("FelixConfiguration", "default", "workloadSourceSpoofing: Any")));
    assert_eq!(members(&allowed, r#"app == "a""#), ["10.244.0.10/32", "10.244.0.11/32"]);
    let prefixes: Vec<_> = allowed.workloads.iter().flat_map(|w| &w.allowed_source_prefixes).collect();
    assert_eq!(prefixes[0].to_string(), "10.0.0.0/8");
}

#[test]
fn the_first_host_endpoint_by_name_gets_the_interface() {
    let host = |name: &str, spec: &str| stored("HostEndpoint", name, &format!("node: node-1\n{spec}"));
    let text = NODE.to_owned()
        + &host("b-named", "interfaceName: eth0")
        + &host("a-by-address", "expectedIPs: [10.0.0.11]")
        + &host("named-elsewhere", "interfaceName: eth7\nexpectedIPs: [203.0.113.11]")
        + &host("w2", "interfaceName: '*'")
        + &host("w1", "interfaceName: '*'")
        + &host("pod-like", "interfaceName: cali123")
        + &host("lost", "expectedIPs: [192.0.2.1]")
        + &stored("HostEndpoint", "remote", "node: node-2\ninterfaceName: eth0");
    let resources = resources(&text);
    let cluster = Cluster::new(&resources);
    let interfaces: Vec<super::view::Interface> = [("eth1", "203.0.113.11/28"), ("eth0", "10.0.0.11/24")]
        .map(|(name, address)| super::view::Interface {
            name: name.into(),
            addresses: vec![address.parse().unwrap()],
            near: Vec::new(),
        })
        .into();
    let resolved = cluster.view(&NodeRequest { node: "node-1", interfaces: Some(&interfaces) });
    let applied: Vec<_> = resolved
        .view
        .unwrap()
        .host_endpoints
        .iter()
        .map(|host| format!("{} {}", host.interface, host.name))
        .collect();
    assert_eq!(applied, [format!("{WILDCARD_INTERFACE} w1"), "eth0 a-by-address".into()]);
    let shadowed = messages(&resolved.diagnostics, "host-endpoint-shadowed");
    assert_eq!(
        shadowed,
        [
            "host endpoint `b-named` has no effect: `a-by-address` applies to interface `eth0` because its name comes first",
            "host endpoint `w2` has no effect: `w1` applies to all interfaces because its name comes first",
        ]
    );
    let idle = messages(&resolved.diagnostics, "host-endpoint-without-interface");
    assert_eq!(
        idle,
        [
            "host endpoint `lost` has no effect: none of its `expectedIPs` is on the node",
            "host endpoint `named-elsewhere` has no effect: the node has no interface `eth7`",
            "host endpoint `pod-like` has no effect: felix takes `cali123` for a pod's interface, or is told to exclude it",
        ]
    );
}

#[test]
fn interfaces_are_assumed_from_the_node_and_its_host_endpoints() {
    let host = |name: &str, spec: &str| stored("HostEndpoint", name, &format!("node: node-1\n{spec}"));
    let assumed = |text: &str| {
        let (view, diagnostics) = look(&resources(text));
        let hosts: Vec<String> = view
            .unwrap()
            .host_endpoints
            .iter()
            .map(|host| format!("{} {}", host.interface, host.name))
            .collect();
        (messages(&diagnostics, "assumed-interfaces").join(" "), hosts.join(", "))
    };
    let (message, hosts) = assumed(NODE);
    assert_eq!(
        message,
        "the interfaces of node `node-1` are not given; assumed `eth0` (10.0.0.11), `eth1` (203.0.113.11)"
    );
    assert_eq!(hosts, "");
    let text = NODE.to_owned()
        + &host("private", "interfaceName: bond0\nexpectedIPs: [10.0.0.11]")
        + &host("public", "expectedIPs: [203.0.113.11]")
        + &host("third", "expectedIPs: [192.0.2.1]")
        + &host("bare", "interfaceName: ens5");
    let (message, hosts) = assumed(&text);
    assert!(
        message.ends_with("`bond0` (10.0.0.11), `ens5`, `eth0` (192.0.2.1), `eth1` (203.0.113.11)"),
        "{message}"
    );
    assert_eq!(hosts, "bond0 private, ens5 bare, eth0 third, eth1 public");
}

#[test]
fn invalid_host_endpoints_are_ignored() {
    for (spec, reason) in [
        ("interfaceName: 'eth 0'", "`eth 0` is no name of an interface"),
        ("interfaceName: eth0\nprofiles: ['a b']", "`a b` is no name of a profile"),
        ("interfaceName: eth0\nports: [{name: x, protocol: 6, port: 1}]", "the protocol of port `x`"),
    ] {
        let text = NODE.to_owned() + &stored("HostEndpoint", "h", &format!("node: node-1\n{spec}"));
        let (_, diagnostics) = look(&resources(&text));
        let found = messages(&diagnostics, "ignored-by-felix");
        assert!(found.len() == 1 && found[0].contains(reason), "{spec}: {diagnostics:#?}");
    }
}

#[test]
fn the_network_is_what_pools_and_nodes_say() {
    let node = |name: &str, annotations: &str| {
        format!(
            "---\nkind: Node\napiVersion: v1\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\nspec: {{podCIDR: 10.244.7.0/24}}\n"
        )
    };
    let text = node(
        "node-1",
        "projectcalico.org/IPv4Address: 10.0.0.11/24, projectcalico.org/IPv4IPIPTunnelAddr: 10.244.0.1, projectcalico.org/IPv4VXLANTunnelAddr: 10.244.0.2",
    ) + &node(
        "node-2",
        "projectcalico.org/IPv4Address: 10.0.0.12/24, projectcalico.org/IPv4VXLANTunnelAddr: 10.244.1.2",
    ) + &node(
        "node-3",
        "projectcalico.org/IPv4Address: 10.0.0.13, projectcalico.org/IPv6Address: 'fd00::13/64', projectcalico.org/IPv6VXLANTunnelAddr: 'fd00::1'",
    ) + &node("node-4", "projectcalico.org/IPv4Address: nonsense")
        + &stored(
            "IPPool",
            "b",
            "cidr: 10.244.0.0/16\nipipMode: Always\nvxlanMode: Never\nnatOutgoing: true",
        )
        + &stored(
            "IPPool",
            "a",
            "cidr: 10.244.0.0/16\nipipMode: Never\nvxlanMode: CrossSubnet\ndisabled: true",
        )
        + &stored(
            "IPPool",
            "lb",
            "cidr: 10.9.0.0/16\nipipMode: Never\nvxlanMode: Never\nallowedUses: [LoadBalancer]",
        )
        + &stored(
            "BGPConfiguration",
            "default",
            "serviceClusterIPs: [{cidr: 10.96.0.0/12}]\nserviceExternalIPs: [{cidr: 'fd01::/64'}]",
        );
    let network = view(&text).network;
    assert!(!network.ipip, "of two pools with one CIDR the first by name counts");
    assert!(network.vxlan_v4 && !network.vxlan_v6);
    let text_of = |list: &[std::net::IpAddr]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(text_of(&network.hosts), ["10.0.0.11", "10.0.0.12", "fd00::13"]);
    assert_eq!(text_of(&network.vxlan_hosts), ["10.0.0.12", "fd00::13"]);
    assert_eq!(network.ipip_tunnel_address.unwrap().to_string(), "10.244.0.1");
    assert_eq!(network.vxlan_tunnel_v4.unwrap().to_string(), "10.244.0.2");
    let pools: Vec<_> = network
        .pools
        .iter()
        .map(|p| format!("{} {} {}", p.cidr, p.nat_outgoing, p.load_balancer_only))
        .collect();
    assert_eq!(pools, ["10.9.0.0/16 false true", "10.244.0.0/16 false false"]);
    let services: Vec<_> = network.service_cidrs.iter().map(ToString::to_string).collect();
    assert_eq!(services, ["10.96.0.0/12", "fd01::/64"]);
    let host_local = text
        + "---\nkind: DaemonSet\napiVersion: apps/v1\nmetadata: {name: calico-node, namespace: kube-system}\n\
         spec: {template: {spec: {containers: [{name: calico-node, image: x, env: [{name: USE_POD_CIDR, value: 'true'}]}]}}}\n";
    assert_eq!(view(&host_local).network.ipip_tunnel_address.unwrap().to_string(), "10.244.7.1");
}

#[test]
fn a_service_cidr_with_host_bits_loses_the_others() {
    let text = NODE.to_owned()
        + &stored(
            "BGPConfiguration",
            "default",
            "serviceClusterIPs: [{cidr: 10.96.0.0/12}, {cidr: 10.1.2.3/8}]",
        );
    let (view, diagnostics) = look(&resources(&text));
    assert!(view.unwrap().network.service_cidrs.is_empty());
    assert!(messages(&diagnostics, "ignored-by-felix")[0].contains("`10.1.2.3/8`"));
}

#[test]
fn labels_that_do_not_fit_are_lost_together() {
    let long = "a".repeat(60);
    let text = namespace("web", &format!("env: prod, {long}: x"))
        + &pod("node-1", "web", "a", "", "10.244.0.10")
        + &policy(
            "p",
            "selector: all()\ningress: [{action: Allow, source: {namespaceSelector: env == 'prod'}}]",
        );
    let (view, diagnostics) = look(&resources(&text));
    assert_eq!(members(&view.unwrap(), r#"pcns.env == "prod""#), Vec::<String>::new());
    assert_eq!(messages(&diagnostics, "labels-ignored-by-felix").len(), 1);
}

/// Selectors of all shapes over few labels.
fn selector_text() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "app",
        "tier",
        "pcns.env",
        "pcns.projectcalico.org/name",
        "pcsa.projectcalico.org/name",
        "projectcalico.org/namespace",
        "projectcalico.org/orchestrator",
        "projectcalico.org/serviceaccount",
        "none",
    ]);
    let value = prop::sample::select(vec!["a", "b", "prod", "web", "db", "k8s", "default", ""]);
    let leaf = (key, value, 0u8..9).prop_map(|(key, value, shape)| match shape {
        0 | 1 => format!("{key} == '{value}'"),
        2 => format!("{key} != '{value}'"),
        3 => format!("{key} in {{'{value}', 'x'}}"),
        4 => format!("{key} not in {{'{value}', 'b'}}"),
        5 => format!("{key} contains '{value}'"),
        6 => format!("{key} starts with '{value}'"),
        7 => format!("{key} ends with '{value}'"),
        _ => format!("has({key})"),
    });
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|operand| format!("!({operand})")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" && "))),
            prop::collection::vec(inner, 2..4).prop_map(|all| format!("({})", all.join(" || "))),
        ]
    })
}

fn varied() -> String {
    let mut text = namespace("web", "env: prod") + &namespace("db", "env: a, b: ''");
    for number in 0..70 {
        let namespace = ["web", "db", "nowhere"][number % 3];
        let labels =
            ["app: a", "app: b, tier: a", "tier: b, pcns.env: x", "projectcalico.org/orchestrator: x"]
                [number % 4];
        let account = ["serviceAccountName: ghost, containers", "containers"][number % 2];
        text += &pod("node-1", namespace, &format!("p{number}"), labels, &format!("10.244.0.{number}"))
            .replace("containers", account);
    }
    let labelled = |text: String, name: &str, labels: &str| {
        text.replace(&format!("name: {name}}}"), &format!("name: {name}, labels: {{{labels}}}}}"))
    };
    text += &labelled(
        stored("NetworkSet", "web/n1", "nets: [10.0.0.0/8]"),
        "n1",
        "app: a, projectcalico.org/namespace: x",
    );
    text += &labelled(stored("GlobalNetworkSet", "n2", "nets: [10.0.0.0/9]"), "n2", "pcns.env: prod");
    text += &labelled(
        stored("HostEndpoint", "h1", "node: node-2\ninterfaceName: eth0\nprofiles: [kns.web, kns.db]"),
        "h1",
        "app: b",
    );
    text
}

/// A cluster and its contributors, all labels indexed.
fn select_both_ways(resources: &Resources, texts: &[String]) {
    let cluster = Cluster::new(resources);
    let mut keys: Vec<String> = Vec::new();
    let parsed: Vec<_> = texts.iter().map(|text| selector::parse(text).unwrap()).collect();
    parsed.iter().for_each(|selector| selector.root().each_label(&mut |key| keys.push(key.to_owned())));
    let labels = super::label_index::LabelIndex::of_keys(keys.iter().map(String::as_str));
    let scanned = super::contributor_scan::scan(
        resources,
        &cluster.profiles,
        labels,
        Default::default(),
        &mut Vec::new(),
    );
    for (selector, text) in parsed.iter().zip(texts) {
        let selected = scanned.labels.select(selector.root());
        for number in 0..scanned.contributors.len() as u32 {
            let mut own = Vec::new();
            scanned.contributors.each_label(number, &cluster.profiles, &mut |key, value| {
                own.push((key.to_owned(), value));
            });
            let label = |key: &str| own.iter().find(|(own, _)| own == key).map(|(_, value)| *value);
            assert_eq!(selected.contains(number), selector.evaluate(&label), "{text} on {number}: {own:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn all_at_once_selects_what_one_by_one_does(texts in prop::collection::vec(selector_text(), 1..12)) {
        thread_local! {
            static RESOURCES: Arc<Resources> = Arc::new(resources(&varied()));
        }
        let resources = RESOURCES.with(Arc::clone);
        select_both_ways(&resources, &texts);
    }
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    let text = varied()
        + &stored("HostEndpoint", "h0", "node: node-1\ninterfaceName: eth0\nexpectedIPs: [10.244.0.0]")
        + &stored(
            "IPPool",
            "b",
            "cidr: 10.244.0.0/16\nipipMode: Always\nvxlanMode: Never\nnatOutgoing: true",
        )
        + &stored("IPPool", "a", "cidr: 10.244.0.0/16\nipipMode: Never\nvxlanMode: Never")
        + &stored("Tier", "x", "order: 5")
        + &policy(
            "p1",
            "tier: x\nselector: all()\ningress: [{action: Allow, source: {selector: app == 'a'}}]",
        )
        + &policy(
            "p2",
            "selector: app == 'a'\negress: [{action: Allow, protocol: TCP, destination: {ports: [http]}}]",
        )
        + &policy(
            "p3",
            "selector: app == 'a'\ningress: [{action: Pass, source: {notSelector: tier == 'b'}}]",
        );
    let resources = resources(&text);
    // places in the input differ by nature; the objects' own places stay with them
    let shown = |resources: &Resources| format!("{:#?}", look(resources).0.unwrap());
    let expected = shown(&resources);
    let mut shuffled = resources;
    macro_rules! reverse {
        ($($field:ident)*) => {{ $(shuffled.$field.reverse();)* }};
    }
    reverse!(namespaces service_accounts nodes pods policies tiers network_sets host_endpoints pools);
    assert!(shown(&shuffled) == expected, "reversed input gives another view");
    macro_rules! rotate {
        ($($field:ident)*) => {{ $(let half = shuffled.$field.len() / 3; shuffled.$field.rotate_left(half);)* }};
    }
    rotate!(namespaces service_accounts pods policies tiers network_sets host_endpoints pools);
    assert!(shown(&shuffled) == expected, "rotated input gives another view");
}

#[test]
fn members_are_shared_between_nodes() {
    let text = namespace("web", "")
        + &pod("node-1", "web", "a", "", "10.244.0.1")
        + &pod("node-2", "web", "b", "", "10.244.0.2")
        + &policy("p", "selector: all()\ningress: [{action: Allow, source: {selector: all()}}]");
    let resources = resources(&text);
    let cluster = Cluster::new(&resources);
    let members =
        |node| match &cluster.view(&NodeRequest { node, interfaces: None }).view.unwrap().sets[0].members {
            super::view::SetMembers::Nets(nets) => nets.clone(),
            super::view::SetMembers::Ports(_) => panic!("a set of networks"),
        };
    assert!(Arc::ptr_eq(&members("node-1"), &members("node-2")));
}

#[test]
fn controllers_whose_pods_are_not_given_are_noted_with_the_policies_that_would_select_them() {
    let deployment = |name: &str, replicas: u32| {
        format!(
            "---\nkind: Deployment\napiVersion: apps/v1\nmetadata: {{name: {name}, namespace: web}}\n\
             spec: {{replicas: {replicas}, selector: {{matchLabels: {{app: {name}}}}}, \
             template: {{metadata: {{labels: {{app: {name}}}}}}}}}\n"
        )
    };
    let text = NODE.to_owned()
        + &namespace("web", "")
        + &pod("node-1", "web", "a", "app: given", "10.0.0.1")
        + &deployment("given", 1)
        + &deployment("absent", 2)
        + &deployment("idle", 0)
        + &policy("default.guard", "selector: app == 'absent'\ntypes: [Ingress]")
        + &policy("default.other", "selector: app == 'given'\ntypes: [Ingress]");
    let (_, diagnostics) = look(&resources(&text));
    let notes: Vec<&Diagnostic> = diagnostics.iter().filter(|d| d.id == "pods-not-given").collect();
    assert_eq!(notes.len(), 1, "{notes:#?}");
    assert!(notes[0].message.starts_with("no pod of Deployment `web/absent` "), "{}", notes[0].message);
    assert!(notes[0].message.ends_with("; 1 policy would select them"), "{}", notes[0].message);
    assert_eq!(notes[0].related.len(), 1);
    assert!(notes[0].related[0].message.contains("default.guard"), "{:?}", notes[0].related);
}
