//! NetworkPolicy, GlobalNetworkPolicy and their staged kinds.

use super::reader::Reader;
use super::{meta, rule, tiered};
use crate::model::Api;
use crate::model::calico::{Direction, Policy, PolicyKind, StagedAction, Written};
use crate::model::findings::{Door, Findings};
use crate::model::schema::{self, Schema};
use crate::model::validate::metadata::{NameRule, metadata};
use crate::model::validate::policy;
use crate::source::Object;
use crate::version::TierOf;

/// Lowers a policy; `None` if it is malformed.
pub fn lower(object: &Object<'_>, kind: PolicyKind, findings: &mut Findings<'_>) -> Option<Policy> {
    let (shape, global): (&Schema, bool) = match kind {
        PolicyKind::NetworkPolicy => (&schema::policy::NETWORK_POLICY, false),
        PolicyKind::GlobalNetworkPolicy => (&schema::policy::GLOBAL_NETWORK_POLICY, true),
        PolicyKind::StagedNetworkPolicy => (&schema::policy::STAGED_NETWORK_POLICY, false),
        PolicyKind::StagedGlobalNetworkPolicy => (&schema::policy::STAGED_GLOBAL_NETWORK_POLICY, true),
    };
    schema::check(object.root, shape, "", findings);
    if findings.is_fatal() {
        return None;
    }
    let door = findings.door();
    let root = Reader::new(object.root, door);
    let name_rule = if global { NameRule::GlobalNetworkPolicy } else { NameRule::NetworkPolicy };
    metadata(&root.sub("metadata"), name_rule, findings);
    let spec = root.sub("spec");
    let staged = matches!(kind, PolicyKind::StagedNetworkPolicy | PolicyKind::StagedGlobalNetworkPolicy);
    let meta = meta::read(object, !global, door);
    let written_tier = match spec.text("tier") {
        tier if tier.is_empty() => "default".into(),
        tier => tier,
    };
    let (stored_name, tier) = match findings.facts.tier_of_policy {
        TierOf::Spec => (meta.name.clone(), written_tier),
        TierOf::Name => {
            let stored = tiered::stored_name(&meta.name, door);
            let tier = tiered::tier(&stored).into();
            if door == Door::Calicoctl {
                tiered::by_calicoctl(kind, &meta, &written_tier, findings);
            }
            (stored, tier)
        }
    };
    let types = spec.texts("types");
    let mut lowered = Policy {
        kind,
        api: api(door),
        meta,
        stored_name,
        tier,
        order: spec.number("order"),
        selector: spec.spanned("selector"),
        namespace_selector: spec.spanned("namespaceSelector"),
        service_account_selector: spec.spanned("serviceAccountSelector"),
        types: types.iter().filter_map(|t| direction(&t.value, findings)).collect(),
        unknown_types_only: !types.is_empty()
            && types.iter().all(|t| direction(&t.value, findings).is_none()),
        written: written(&spec, "types"),
        ingress: rule::rules(&spec, "ingress", findings),
        egress: rule::rules(&spec, "egress", findings),
        do_not_track: spec.flag("doNotTrack"),
        pre_dnat: spec.flag("preDNAT"),
        apply_on_forward: spec.flag("applyOnForward"),
        assume_needed: spec.texts("performanceHints").iter().any(|h| &*h.value == "AssumeNeededOnEveryNode"),
        unknown_hint: spec.texts("performanceHints").iter().any(|h| &*h.value != "AssumeNeededOnEveryNode"),
        staged: staged.then(|| staged_action(&spec)),
    };
    match door {
        Door::Calicoctl => {
            default_types(&mut lowered);
            policy::by_calicoctl(&lowered, &spec, findings);
        }
        Door::Crd | Door::Kubernetes => policy::by_schema(&lowered, &spec, findings),
    }
    Some(lowered)
}

/// The API of a Calico object that came through a door.
pub fn api(door: Door) -> Api {
    match door {
        Door::Calicoctl => Api::V3,
        Door::Crd | Door::Kubernetes => Api::Crd,
    }
}

/// `stagedAction`, `Set` if absent.
pub fn staged_action(spec: &Reader<'_>) -> StagedAction {
    match &*spec.text("stagedAction") {
        "Delete" => StagedAction::Delete,
        "Learn" => StagedAction::Learn,
        "Ignore" => StagedAction::Ignore,
        _ => StagedAction::Set,
    }
}

/// What a policy's manifest has; `types` is the field for its directions.
pub fn written(spec: &Reader<'_>, types: &str) -> Written {
    Written {
        types: spec.items(types).next().is_some(),
        ingress: spec.has("ingress"),
        egress: spec.has("egress"),
    }
}

/// An entry of `types`. Felix reads them in any case, the API server's schema, if it knows values, does not
/// (`felix/calc/policy_sorter.go:195`, v3.31.7).
fn direction(text: &str, findings: &Findings<'_>) -> Option<Direction> {
    let is = |word: &str| {
        if findings.schema_knows_values() { text == word } else { text.eq_ignore_ascii_case(word) }
    };
    match () {
        () if is("Ingress") => Some(Direction::Ingress),
        () if is("Egress") => Some(Direction::Egress),
        () => None,
    }
}

/// calicoctl derives absent `types` from the rules (`api/pkg/defaults/networkpolicy.go`, v3.32.1);
/// a staged deletion keeps none (`libcalico-go/lib/clientv3/stagednetworkpolicy.go`, v3.32.1).
fn default_types(policy: &mut Policy) {
    if policy.staged == Some(StagedAction::Delete) {
        policy.types.clear();
    } else if policy.types.is_empty() {
        policy.types = match (policy.ingress.is_empty(), policy.egress.is_empty()) {
            (_, true) => vec![Direction::Ingress],
            (true, false) => vec![Direction::Egress],
            (false, false) => vec![Direction::Ingress, Direction::Egress],
        };
    }
}
