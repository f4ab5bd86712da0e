//! Names of Calico policies where they begin with the tier (`libcalico-go/lib/names/policy.go`, v3.31.7).

use crate::model::calico::PolicyKind;
use crate::model::findings::{Door, Findings};
use crate::model::meta::Meta;
use crate::model::text::excerpt;

/// Beginnings of names that Calico gives to policies of Kubernetes and OpenStack, and the tiers of those.
const GIVEN: [(&str, &str); 4] = [
    ("knp.default.", "default"),
    ("kanp.adminnetworkpolicy.", "adminnetworkpolicy"),
    ("kbanp.baselineadminnetworkpolicy.", "baselineadminnetworkpolicy"),
    ("ossg.", "default"),
];

fn given(name: &str) -> Option<&'static str> {
    GIVEN.into_iter().find(|(beginning, _)| name.starts_with(beginning)).map(|(_, tier)| tier)
}

/// The name under which a policy is stored: calicoctl adds the tier `default`, kubectl adds nothing.
pub fn stored_name(name: &str, door: Door) -> Box<str> {
    if door == Door::Calicoctl && given(name).is_none() && !name.contains('.') {
        return format!("default.{name}").into();
    }
    name.into()
}

/// The tier that Felix reads from a stored name.
pub fn tier(stored: &str) -> &str {
    given(stored).or_else(|| Some(stored.split_once('.')?.0)).unwrap_or("default")
}

/// calicoctl wants the name to begin with the tier, or to have none where that is `default`.
pub fn by_calicoctl(kind: PolicyKind, meta: &Meta, tier: &str, findings: &mut Findings<'_>) {
    let name = &*meta.name;
    if kind == PolicyKind::StagedNetworkPolicy && name.starts_with("knp.default.") {
        let reason = "its name begins with `knp.default.`, which is for Kubernetes NetworkPolicies";
        findings.turn_away("bad-name", meta.at, reason);
    }
    let fits = match name.split_once('.') {
        None => tier == "default",
        Some((first, _)) => first == tier,
    };
    if !fits && given(name).is_none() {
        let reason =
            format!("its name `{}` does not begin with its tier, `{}.`", excerpt(name), excerpt(tier));
        findings.turn_away("bad-name", meta.at, &reason).help(format!(
            "write `name: {}.{}`",
            excerpt(tier),
            excerpt(name.rsplit('.').next().unwrap_or(name))
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_tiers() {
        let stored = |name| stored_name(name, Door::Calicoctl);
        assert_eq!((&*stored("allow"), &*stored("app.allow")), ("default.allow", "app.allow"));
        assert_eq!(
            (&*stored_name("allow", Door::Crd), &*stored("knp.default.a")),
            ("allow", "knp.default.a")
        );
        for (name, own) in [
            ("allow", "default"),
            ("app.allow", "app"),
            ("knp.default.a", "default"),
            ("ossg.x.y", "default"),
        ] {
            assert_eq!(tier(name), own, "{name}");
        }
    }
}
