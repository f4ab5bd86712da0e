//! Calico's policies and rules at both doors.

use super::{first_message, lower_one, stored, verdicts};
use crate::model::calico::{Direction, Policy, Port, Protocol, StagedAction};
use crate::model::{Api, Outcome, Resource};

fn global(spec: &str) -> String {
    format!(
        "{{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {{name: p}}, spec: {{{spec}}}}}"
    )
}

fn crd(spec: &str) -> String {
    global(spec).replace("projectcalico.org/v3", "crd.projectcalico.org/v1")
}

fn rule(rule: &str) -> String {
    global(&format!("ingress: [{{{rule}}}]"))
}

fn egress(rule: &str) -> String {
    global(&format!("egress: [{{{rule}}}]"))
}

fn crd_rule(rule: &str) -> String {
    crd(&format!("ingress: [{{{rule}}}]"))
}

fn policy(text: &str) -> Policy {
    match stored(text) {
        Resource::Policy(policy) => *policy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fields_of_a_policy() {
    let policy = policy(&global(
        "tier: t, order: 5, selector: a == 'b', namespaceSelector: has(x), applyOnForward: true, doNotTrack: true, \
         performanceHints: [AssumeNeededOnEveryNode], ingress: [{action: Pass, protocol: 6, source: {nets: [10.0.0.0/8]}, \
         destination: {ports: [80, '8000:8080', http]}, metadata: {annotations: {why: x}}}]",
    ));
    assert_eq!((&*policy.tier, policy.order, policy.api), ("t", Some(5.0), Api::V3));
    assert_eq!((&*policy.selector.value, &*policy.namespace_selector.value), ("a == 'b'", "has(x)"));
    assert!(policy.do_not_track && policy.apply_on_forward && policy.assume_needed && !policy.pre_dnat);
    let rule = &policy.ingress[0];
    assert_eq!(rule.protocol.as_ref().map(|p| &p.value), Some(&Protocol::Number(6)));
    let ports: Vec<_> = rule.destination.ports.iter().map(|p| p.value.clone()).collect();
    assert_eq!(ports, [Port::Range(80, 80), Port::Range(8000, 8080), Port::Name("http".into())]);
    assert_eq!(rule.annotations.get("why"), Some("x"));
}

#[test]
fn types_are_derived_by_calicoctl_only() {
    use Direction::{Egress, Ingress};
    let allow = "[{action: Allow}]";
    for (spec, types) in [
        ("selector: all()".to_owned(), vec![Ingress]),
        (format!("ingress: {allow}"), vec![Ingress]),
        (format!("egress: {allow}"), vec![Egress]),
        (format!("ingress: {allow}, egress: {allow}"), vec![Ingress, Egress]),
        ("types: []".to_owned(), vec![Ingress]),
        ("types: [Egress, Ingress]".to_owned(), vec![Egress, Ingress]),
    ] {
        assert_eq!(policy(&global(&spec)).types, types, "{spec}");
    }
    assert_eq!(policy(&crd(&format!("egress: {allow}"))).types, []);
    assert_eq!(&*policy(&crd("order: 1")).tier, "default");
}

#[test]
fn strict_decoding_at_calicoctls_door() {
    verdicts(
        global,
        &[
            ("seletor: all()", "rejected: unknown-field"),
            ("order: '5'", "rejected: wrong-type"),
            ("order: 5.5", "stored"),
            ("order: null", "stored"),
            ("SELECTOR: all()", "stored: field-case"),
            ("tier: 5", "stored"),
            ("doNotTrack: 'true'", "rejected: wrong-type"),
            ("selector: [all()]", "rejected: wrong-type"),
            ("types: Ingress", "rejected: wrong-type"),
            ("types: [{Ingress: null}]", "rejected: wrong-type"),
            ("types: [Engress]", "rejected: wrong-value"),
            ("types: [Ingress, Ingress]", "rejected: schema-rule repeated-item"),
            ("ingress: [{action: Allow, icmp: {type: '8'}}]", "rejected: wrong-type"),
            ("tier: My_Tier", "rejected: wrong-value"),
            ("performanceHints: [Fast]", "rejected: wrong-value"),
        ],
    );
    let text =
        "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: t}\nspec:\n  order: 1\n  order: 2\n";
    assert_eq!(super::verdict(text), "rejected: duplicate-key");
}

#[test]
fn numbers_become_texts_where_go_wants_texts() {
    let policy = policy(&global("tier: 010, selector: all()"));
    assert_eq!(&*policy.tier, "8");
}

#[test]
fn messages_name_the_place_and_what_was_meant() {
    let text = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: p}\nspec:\n  ingress:\n  - action: Allow\n    destination:\n      prots: [80]\n";
    let lowered = lower_one(text);
    let diagnostic = &lowered.diagnostics[0];
    assert_eq!(
        diagnostic.message,
        "calicoctl rejects this GlobalNetworkPolicy: `prots` is no field of `spec.ingress[0].destination`"
    );
    assert_eq!(diagnostic.help.as_deref(), Some("did you mean `ports`?"));
    let at = diagnostic.at.unwrap();
    assert_eq!((at.line, at.column), (8, 7));
}

#[test]
fn ports_and_protocols() {
    verdicts(
        rule,
        &[
            ("action: Allow, protocol: TCP, destination: {ports: [80]}", "stored"),
            ("action: Allow, protocol: 132, destination: {ports: [80]}", "stored"),
            ("action: Allow, destination: {ports: [80]}", "rejected: ports-without-protocol"),
            ("action: Allow, destination: {ports: [http]}", "stored"),
            ("action: Allow, protocol: ICMP, source: {notPorts: [http]}", "rejected: ports-without-protocol"),
            ("action: Allow, protocol: UDPLite, source: {ports: [80]}", "rejected: ports-without-protocol"),
            ("action: Allow, protocol: TCP, destination: {ports: [30000-32767]}", "rejected: wrong-value"),
            ("action: Allow, protocol: TCP, destination: {ports: [65536]}", "rejected: wrong-value"),
            ("action: Allow, protocol: TCP, destination: {ports: ['80:70']}", "rejected: wrong-value"),
            ("action: Allow, protocol: TCP, destination: {ports: [0]}", "rejected: wrong-value"),
            ("action: Allow, protocol: TCP, destination: {ports: [true]}", "rejected: wrong-type"),
            ("action: Allow, protocol: TCP, destination: {ports: [80.0]}", "stored"),
            ("action: Allow, protocol: tcp", "rejected: bad-protocol"),
            ("action: Allow, protocol: 0", "rejected: bad-protocol"),
            ("action: Allow, notProtocol: HTTP", "rejected: bad-protocol"),
            ("action: Allow, protocol: 256", "rejected: wrong-value"),
            ("action: Accept", "rejected: wrong-value"),
            ("protocol: TCP", "rejected: missing-field"),
        ],
    );
}

#[test]
fn digits_in_quotes_are_a_protocol_number() {
    let policy = policy(&rule("action: Allow, protocol: '6'"));
    assert_eq!(policy.ingress[0].protocol.as_ref().map(|p| &p.value), Some(&Protocol::Number(6)));
}

#[test]
fn nets_and_families() {
    verdicts(
        rule,
        &[
            ("action: Allow, source: {nets: [10.0.0.1]}", "rejected: bad-net"),
            ("action: Allow, source: {nets: [10.0.0.1/8]}", "rejected: bad-net"),
            ("action: Allow, source: {nets: ['10.0.0.0/8  pods']}", "rejected: bad-net"),
            ("action: Allow, source: {nets: [0.0.0.0/0]}", "stored"),
            ("action: Allow, source: {notNets: [0.0.0.0/0]}", "rejected: bad-net"),
            ("action: Allow, source: {notNets: ['::/0']}", "rejected: bad-net"),
            ("action: Allow, source: {nets: [10.0.0.0/8, 'fd00::/8']}", "rejected: mixed-families"),
            (
                "action: Allow, source: {nets: [10.0.0.0/8]}, destination: {nets: ['fd00::/8']}",
                "rejected: mixed-families",
            ),
            ("action: Allow, ipVersion: 6, source: {nets: [10.0.0.0/8]}", "rejected: mixed-families"),
            ("action: Allow, ipVersion: 5", "rejected: wrong-value"),
            ("action: Allow, source: {nets: [10.0.0.0/8, 10.0.0.0/8]}", "stored: schema-rule"),
        ],
    );
}

#[test]
fn icmp_http_and_services() {
    verdicts(
        rule,
        &[
            ("action: Allow, protocol: ICMP, icmp: {type: 8, code: 0}", "stored"),
            ("action: Allow, icmp: {type: 8}", "rejected: icmp-without-protocol"),
            ("action: Allow, protocol: ICMP, icmp: {code: 8}", "rejected: icmp-without-type"),
            ("action: Allow, notICMP: {type: 8}", "stored"),
            ("action: Allow, protocol: ICMP, icmp: {type: 255}", "rejected: wrong-value"),
            ("action: Allow, protocol: ICMPv6, ipVersion: 4", "rejected: mixed-families"),
            ("action: Allow, http: {methods: [GET]}", "stored"),
            ("action: Deny, http: {methods: [GET]}", "rejected: bad-http-match"),
            (
                "action: Allow, protocol: UDP, http: {methods: [GET, GET]}",
                "rejected: bad-http-match bad-http-match",
            ),
            ("action: Allow, http: {paths: [{exact: /a, prefix: /b}]}", "rejected: bad-http-match"),
            ("action: Allow, http: {paths: [{exact: a}]}", "rejected: bad-http-match"),
            ("action: Allow, source: {services: {name: s, namespace: n}}", "stored"),
            ("action: Allow, source: {services: {name: s}}", "rejected: bad-service-match"),
            ("action: Allow, source: {services: {namespace: n}}", "rejected: bad-service-match"),
            (
                "action: Allow, source: {services: {name: s, namespace: n}, selector: all()}",
                "rejected: bad-service-match",
            ),
            (
                "action: Allow, destination: {services: {name: s, namespace: n}}",
                "rejected: bad-service-match",
            ),
        ],
    );
    verdicts(
        egress,
        &[
            ("action: Allow, destination: {services: {name: s, namespace: n}}", "stored"),
            ("action: Allow, source: {services: {name: s, namespace: n}}", "rejected: bad-service-match"),
            (
                "action: Allow, protocol: TCP, destination: {services: {name: s, namespace: n}, ports: [80]}",
                "rejected: bad-service-match",
            ),
            ("action: Allow, http: {methods: [GET]}", "rejected: bad-http-match"),
        ],
    );
}

#[test]
fn selectors_and_global() {
    verdicts(
        global,
        &[
            ("selector: app = 'x'", "rejected: bad-selector"),
            ("selector: \"app == 'x'\\n\"", "rejected: bad-selector"),
            ("selector: global()", "rejected: misplaced-global"),
            ("namespaceSelector: global()", "rejected: misplaced-global"),
            ("serviceAccountSelector: has(", "rejected: bad-selector"),
            ("ingress: [{action: Allow, source: {namespaceSelector: global()}}]", "stored"),
            (
                "ingress: [{action: Allow, source: {namespaceSelector: 'global() || all()'}}]",
                "rejected: misplaced-global",
            ),
            ("ingress: [{action: Allow, source: {selector: global()}}]", "rejected: misplaced-global"),
            ("ingress: [{action: Allow, source: {notSelector: '(a'}}]", "rejected: bad-selector"),
            (
                "ingress: [{action: Allow, source: {serviceAccounts: {selector: '&'}}}]",
                "rejected: bad-selector",
            ),
        ],
    );
}

#[test]
fn host_policies() {
    verdicts(
        global,
        &[
            ("preDNAT: true, applyOnForward: true, types: [Ingress]", "stored"),
            ("preDNAT: true", "rejected: bad-host-policy"),
            ("doNotTrack: true", "rejected: bad-host-policy"),
            ("preDNAT: true, doNotTrack: true, applyOnForward: true", "rejected: bad-host-policy"),
            ("preDNAT: true, applyOnForward: true, types: [Egress]", "rejected: bad-host-policy"),
            // the type is derived from the rule
            (
                "preDNAT: true, applyOnForward: true, egress: [{action: Allow}]",
                "rejected: bad-host-policy bad-host-policy",
            ),
        ],
    );
    verdicts(
        crd,
        &[("preDNAT: true", "stored: schema-rule"), ("doNotTrack: true, applyOnForward: true", "stored")],
    );
}

#[test]
fn what_kubectl_stores() {
    verdicts(
        crd,
        &[
            ("seletor: all()", "stored: pruned-field"),
            ("SELECTOR: all()", "stored: pruned-field"),
            ("order: '5'", "refused: wrong-type"),
            ("order: null", "stored"),
            ("types: []", "refused: wrong-value"),
            ("types: [Engress]", "refused: wrong-value"),
            ("tier: 5", "refused: wrong-type"),
            ("selector: app = 'x'", "stored"),
            ("stagedAction: Set", "stored: pruned-field"),
        ],
    );
    verdicts(
        crd_rule,
        &[
            ("action: allow", "refused: wrong-value"),
            ("protocol: TCP", "refused: missing-field"),
            ("action: Allow, protocol: 256", "never in sync: never-in-sync"),
            ("action: Allow, protocol: nonsense", "stored"),
            ("action: Allow, destination: {ports: [65536]}", "never in sync: never-in-sync"),
            ("action: Allow, destination: {ports: ['a b']}", "never in sync: never-in-sync"),
            ("action: Allow, destination: {ports: [1.5]}", "refused: wrong-type"),
            ("action: Allow, icmp: {code: 1}", "stored: schema-rule"),
            ("action: Allow, icmp: {type: 255}", "refused: wrong-value"),
            ("action: Deny, http: {methods: [GET]}", "stored: schema-rule"),
            ("action: Allow, source: {nets: [10.1.2.3]}", "stored"),
            ("action: Allow, source: {nets: [null]}", "refused: wrong-type"),
        ],
    );
    let text = crd("order: 1").replace("{name: p}", "{name: p, labels: {a: 5}}");
    assert_eq!(super::verdict(&text), "refused: wrong-type");
    let text = crd("order: 1").replace("{name: p}", "{name: default.p}");
    assert_eq!(&*policy(&text).meta.name, "default.p");
}

#[test]
fn a_key_written_twice_by_kubectl() {
    let text = "apiVersion: crd.projectcalico.org/v1\nkind: GlobalNetworkPolicy\nmetadata: {name: p}\nspec:\n  order: 1\n  order: 2\n";
    let lowered = lower_one(text);
    assert_eq!(lowered.diagnostics[0].id, "duplicate-key");
    let Outcome::Stored(resource) = lowered.outcome else { panic!("not stored") };
    let Resource::Policy(policy) = resource else { panic!("no policy") };
    assert_eq!(policy.order, Some(2.0));
}

#[test]
fn names_of_policies() {
    let named = |name: &str| global("order: 1").replace("{name: p}", &format!("{{name: {name}}}"));
    verdicts(
        named,
        &[
            ("allow-x", "stored"),
            ("t.allow-x", "stored"),
            ("a.b.c", "rejected: bad-name"),
            ("Allow", "rejected: bad-name"),
            ("<worker>", "rejected: bad-name"),
            ("a_b", "rejected: bad-name"),
        ],
    );
    let long = "a".repeat(254);
    assert_eq!(super::verdict(&named(&long)), "rejected: bad-name");
}

#[test]
fn namespaces() {
    let text = global("order: 1").replace("GlobalNetworkPolicy", "NetworkPolicy");
    assert_eq!(&*policy(&text).meta.namespace, "default");
    let text = global("order: 1").replace("{name: p}", "{name: p, namespace: web}");
    assert_eq!(&*policy(&text).meta.namespace, "");
    // a field of the global kind only
    let text = global("preDNAT: true").replace("GlobalNetworkPolicy", "NetworkPolicy");
    assert_eq!(super::verdict(&text), "rejected: unknown-field");
    // a Service in the policy's own namespace may leave it out
    let text = egress("action: Allow, destination: {services: {name: s}}").replace("Global", "");
    assert_eq!(super::verdict(&text), "stored");
}

#[test]
fn staged_policies() {
    let staged = |spec: &str| global(spec).replace("kind: Global", "kind: StagedGlobal");
    assert_eq!(policy(&staged("order: 1")).staged, Some(StagedAction::Set));
    let deletion = policy(&staged("stagedAction: Delete, tier: t"));
    assert_eq!((deletion.staged, deletion.types.len()), (Some(StagedAction::Delete), 0));
    verdicts(
        staged,
        &[
            ("stagedAction: Delete, order: 1", "rejected: bad-staged-delete"),
            ("stagedAction: Remove", "rejected: wrong-value"),
            ("stagedAction: Ignore, preDNAT: true", "rejected: bad-host-policy"),
        ],
    );
    assert_eq!(policy(&global("order: 1")).staged, None);
}

#[test]
fn a_value_is_shown_short_and_on_one_line() {
    let (message, _) = first_message(&global(&format!("selector: \"{}\\nb\"", "a".repeat(5000))));
    assert!(message.len() < 400 && !message.contains('\n'), "{message}");
}
