//! Tier.

use super::calico_policy::api;
use super::meta;
use super::reader::Reader;
use crate::model::calico::Tier;
use crate::model::findings::{Door, Findings};
use crate::model::schema;
use crate::model::validate::metadata::{NameRule, metadata};
use crate::source::Object;

/// Lowers a Tier; `None` if it is malformed.
pub fn lower(object: &Object<'_>, findings: &mut Findings<'_>) -> Option<Tier> {
    schema::check(object.root, &schema::resource::TIER, "", findings);
    if findings.is_fatal() {
        return None;
    }
    let door = findings.door();
    let root = Reader::new(object.root, door);
    metadata(&root.sub("metadata"), NameRule::Tier, findings);
    let spec = root.sub("spec");
    if door == Door::Crd && findings.facts.schemas_know_values && spec.node().is_none() {
        findings.turn_away("missing-field", root.at(), "`spec` is missing");
    }
    let tier = Tier {
        meta: meta::read(object, false, door),
        api: api(door),
        // calicoctl and Felix both read an absent order so (`libcalico-go/lib/resources/tier.go:21`)
        order: Some(spec.number("order").unwrap_or(1e6)),
        default_pass: &*spec.text("defaultAction") == "Pass",
    };
    built_in(&tier, &spec, findings);
    Some(tier)
}

fn built_in(tier: &Tier, spec: &Reader<'_>, findings: &mut Findings<'_>) {
    let mut built_in = findings.facts.built_in_tiers.iter().copied();
    let Some((name, order, pass)) = built_in.find(|(name, ..)| *name == &*tier.meta.name) else {
        return;
    };
    if findings.door() == Door::Calicoctl && tier.order != Some(order) {
        let reason = format!("the order of the tier `{name}` must be {order}");
        findings.turn_away("bad-tier", spec.at_of("order"), &reason).help(format!("write `order: {order}`"));
    }
    if tier.default_pass != pass {
        let action = if pass { "Pass" } else { "Deny" };
        findings.schema_rule(
            spec.at_of("defaultAction"),
            &format!("the default action of the tier `{name}` must be `{action}`"),
        );
    }
}
