//! Several objects at once.

use super::lower_all;
use crate::diagnostic::Severity;
use crate::model::{Collected, Fate, InvalidMode, collect};

fn collected(text: &str, mode: InvalidMode) -> Collected {
    collect(lower_all(text), mode, Default::default())
}

const POLICY: &str = "{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: p}, spec: {tier: t}}\n---\n";
const TIER: &str =
    "{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: t}, spec: {order: 5}}\n---\n";

#[test]
fn the_later_text_of_an_object_replaces_the_earlier() {
    let pod = |name: &str, node: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{nodeName: {node}}}}}\n---\n"
        )
    };
    let text = pod("a", "n1") + &pod("b", "n1") + &pod("a", "n2");
    let collected = collected(&text, InvalidMode::Fail);
    let pods: Vec<_> = collected.resources.pods.iter().map(|p| (&*p.name, &*p.node)).collect();
    assert_eq!(pods, [("a", "n2"), ("b", "n1")]);
    let [note] = collected.diagnostics.as_slice() else { panic!("{:?}", collected.diagnostics) };
    assert_eq!((note.id, note.severity), ("replaced-object", Severity::Warning));
    assert_eq!(
        note.message,
        "this text of Pod `default/a` replaces an earlier one, of which nothing is used"
    );
    assert_eq!((note.at.unwrap().line, note.related[0].at.line), (5, 1));
    assert_eq!((collected.counts.stored, collected.counts.replaced), (3, 1));
    assert!(!collected.fatal);
}

#[test]
fn both_doors_lead_to_one_object_and_other_kinds_to_others() {
    let policy = |api: &str, kind: &str| {
        format!(
            "{{apiVersion: {api}, kind: {kind}, metadata: {{name: p, namespace: web}}, spec: {{}}}}\n---\n"
        )
    };
    let text = policy("projectcalico.org/v3", "NetworkPolicy")
        + &policy("crd.projectcalico.org/v1", "NetworkPolicy")
        + &policy("projectcalico.org/v3", "StagedNetworkPolicy")
        + &policy("projectcalico.org/v3", "GlobalNetworkPolicy")
        + &policy("networking.k8s.io/v1", "NetworkPolicy");
    let collected = collected(&text, InvalidMode::Fail);
    assert_eq!(collected.resources.policies.len(), 3);
    assert_eq!(collected.resources.network_policies.len(), 1);
}

#[test]
fn a_rejected_text_does_not_replace() {
    let good = POLICY.replace("tier: t", "order: 1");
    let text = good + &POLICY.replace("tier: t", "order: x") + POLICY;
    let collected = collected(&text, InvalidMode::Skip);
    assert_eq!(collected.resources.policies[0].order, Some(1.0));
    assert_eq!((collected.counts.rejected, collected.counts.replaced), (2, 0));
}

#[test]
fn calicoctl_asks_for_the_tier() {
    // in whatever order they are written
    assert_eq!(collected(&(POLICY.to_owned() + TIER), InvalidMode::Fail).turned_away, []);
    let missing = collected(POLICY, InvalidMode::Fail);
    assert_eq!((missing.diagnostics[0].id, missing.turned_away[0].fate), ("missing-tier", Fate::Rejected));
    assert!(missing.fatal);
    // kubectl does not ask
    let stored =
        collected(&POLICY.replace("projectcalico.org/v3", "crd.projectcalico.org/v1"), InvalidMode::Fail);
    assert_eq!(stored.resources.policies.len(), 1);
    // a tier that was itself rejected does not exist
    let both = collected(&(POLICY.to_owned() + &TIER.replace("order: 5", "order: x")), InvalidMode::Skip);
    assert_eq!(both.counts.rejected, 2);
    // the built-in ones do
    assert_eq!(
        collected(&POLICY.replace("tier: t", "tier: kube-baseline"), InvalidMode::Fail).turned_away,
        []
    );
}

#[test]
fn the_built_in_tiers_are_there() {
    let collected = collected(TIER, InvalidMode::Fail);
    let tiers: Vec<_> =
        collected.resources.tiers.iter().map(|t| (&*t.meta.name, t.order, t.default_pass)).collect();
    assert_eq!(
        tiers,
        [
            ("t", Some(5.0), false),
            ("kube-admin", Some(1e3), true),
            ("default", Some(1e6), false),
            ("kube-baseline", Some(1e7), true)
        ]
    );
}

#[test]
fn pools_that_overlap() {
    let pool = |name: &str, cidr: &str| {
        format!(
            "{{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {{name: {name}}}, spec: {{cidr: {cidr}}}}}\n---\n"
        )
    };
    let text = pool("a", "10.0.0.0/16")
        + &pool("b", "10.0.128.0/17")
        + &pool("c", "10.1.0.0/16")
        + &pool("a", "10.0.0.0/16");
    let collected = collected(&text, InvalidMode::Skip);
    let pools: Vec<_> = collected.resources.pools.iter().map(|p| &*p.meta.name).collect();
    assert_eq!(pools, ["a", "c"]);
    assert_eq!(collected.diagnostics[0].id, "pools-overlap");
}

#[test]
fn what_is_fatal() {
    let rejected = POLICY.replace("tier: t", "order: x");
    let never = POLICY
        .replace("projectcalico.org/v3", "crd.projectcalico.org/v1")
        .replace("tier: t", "ingress: [{action: Allow, protocol: 256}]");
    let malformed = "{kind: Pod}";
    for (text, fail, skip) in
        [(rejected.as_str(), true, false), (&never, true, true), (malformed, true, true)]
    {
        let (fails, skips) = (collected(text, InvalidMode::Fail), collected(text, InvalidMode::Skip));
        assert_eq!((fails.fatal, skips.fatal), (fail, skip), "{text}");
        let worst = |collected: &Collected| collected.diagnostics.iter().map(|d| d.severity).max();
        assert_eq!(worst(&fails), Some(Severity::Error));
        assert_eq!(worst(&skips), Some(if skip { Severity::Error } else { Severity::Warning }));
    }
}

#[test]
fn what_is_passed_over_is_counted() {
    let text = "{apiVersion: v1, kind: ConfigMap}\n---\n{apiVersion: measure/v1, kind: X}\n---\n{apiVersion: v1, kind: ConfigMap}\n";
    let counts = collected(text, InvalidMode::Fail).counts.passed_over;
    let counts: Vec<_> = counts.iter().map(|(kind, count)| (&**kind, *count)).collect();
    assert_eq!(counts, [("ConfigMap", 2), ("X.measure", 1)]);
}
