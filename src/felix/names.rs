//! Names of chains and sets, and the lengths they must keep.

use crate::ir::Family;
use crate::resolve::view::PolicyId;
use crate::version::Naming;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Longest chain name (`felix/iptables/table.go:41`, v3.32.1), in bytes.
const CHAIN_NAME: usize = 28;
/// Longest set name (`felix/ipsets/ipset_defs.go:67`, v3.32.1), in bytes.
const SET_NAME: usize = 31;

// Chains that other chains refer to by name (`felix/rules/rule_defs.go`, v3.32.1).
pub const FROM_WORKLOAD_DISPATCH: &str = "cali-from-wl-dispatch";
pub const TO_WORKLOAD_DISPATCH: &str = "cali-to-wl-dispatch";
pub const FROM_HOST_ENDPOINT: &str = "cali-from-host-endpoint";
pub const TO_HOST_ENDPOINT: &str = "cali-to-host-endpoint";
pub const FROM_HOST_FORWARD: &str = "cali-from-hep-forward";
pub const TO_HOST_FORWARD: &str = "cali-to-hep-forward";
pub const WORKLOAD_TO_HOST: &str = "cali-wl-to-host";
pub const FAILSAFE_IN: &str = "cali-failsafe-in";
pub const FAILSAFE_OUT: &str = "cali-failsafe-out";
pub const CIDR_BLOCK: &str = "cali-cidr-block";
pub const RPF_SKIP: &str = "cali-rpf-skip";
pub const EGRESS_DSCP: &str = "cali-egress-dscp";
pub const NAT_OUTGOING: &str = "cali-nat-outgoing";
pub const FLOATING_DNAT: &str = "cali-fip-dnat";
pub const FLOATING_SNAT: &str = "cali-fip-snat";
pub const WIREGUARD_INCOMING_MARK: &str = "cali-wireguard-incoming-mark";
pub const FORWARD_CHECK: &str = "cali-forward-check";
pub const FORWARD_ENDPOINT_MARK: &str = "cali-forward-endpoint-mark";
pub const SET_ENDPOINT_MARK: &str = "cali-set-endpoint-mark";
pub const FROM_ENDPOINT_MARK: &str = "cali-from-endpoint-mark";

// Prefixes of chains that exist once for each endpoint, policy or profile.
pub const TO_WORKLOAD: &str = "cali-tw-";
pub const FROM_WORKLOAD: &str = "cali-fw-";
pub const TO_HOST: &str = "cali-th-";
pub const FROM_HOST: &str = "cali-fh-";
pub const TO_HOST_FW: &str = "cali-thfw-";
pub const FROM_HOST_FW: &str = "cali-fhfw-";
pub const SET_MARK: &str = "cali-sm-";
pub const POLICY_IN: &str = "cali-pi-";
pub const POLICY_OUT: &str = "cali-po-";
pub const PROFILE_IN: &str = "cali-pri-";
pub const PROFILE_OUT: &str = "cali-pro-";
pub const GROUP_IN: &str = "cali-gi-";
pub const GROUP_OUT: &str = "cali-go-";

/// The name of an endpoint's, policy's or profile's chain.
pub fn chain(prefix: &str, suffix: &str) -> String {
    limited(prefix, suffix, CHAIN_NAME)
}

/// `prefix` and `suffix`, the latter replaced by `_` and the beginning of its hash where the whole
/// would be too long, or where it could be taken for such a hash
/// (`libcalico-go/lib/hash/unique_id.go:40`, v3.32.1).
pub fn limited(prefix: &str, suffix: &str, limit: usize) -> String {
    let suffix = if suffix.is_empty() { "_" } else { suffix };
    let length = prefix.len() + suffix.len();
    if length < limit || (length == limit && !suffix.starts_with('_')) {
        return format!("{prefix}{suffix}");
    }
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(suffix.as_bytes()));
    format!("{prefix}_{}", &hash[..limit - 1 - prefix.len()])
}

/// The text that stands for a policy in log prefixes: `np/web/allow`
/// (`felix/types/policy_id.go:27`, v3.32.1), or `web/default.allow`.
pub fn policy(naming: Naming, id: &PolicyId) -> String {
    let kind = id.kind.short_name();
    match (naming, &*id.namespace) {
        (Naming::Tiered, _) => id.tiered(),
        (Naming::Kinded, "") => format!("{kind}/{}", id.name),
        (Naming::Kinded, namespace) => format!("{kind}/{namespace}/{}", id.name),
    }
}

/// The name of a policy's chain: made of the text that stands for the policy, and of its tier where that
/// is not part of the text (`felix/rules/policy.go:1051`, v3.31.7).
pub fn policy_chain(naming: Naming, prefix: &str, id: &PolicyId, tier: &str) -> String {
    let text = policy(naming, id);
    match naming {
        Naming::Tiered => chain(prefix, &format!("{tier}/{text}")),
        Naming::Kinded => chain(prefix, &text),
    }
}

/// The name of the set with this id (`felix/ipsets/ipset_defs.go:273`, v3.32.1).
pub fn set(family: Family, id: &str) -> String {
    let prefix = match family {
        Family::V4 => "cali40",
        Family::V6 => "cali60",
    };
    let mut name = format!("{prefix}{id}");
    name.truncate(SET_NAME);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::view::PolicyKind;

    #[test]
    fn long_names_are_hashed_and_short_ones_kept() {
        assert_eq!(chain(PROFILE_OUT, "ksa.kube-system.default"), "cali-pro-_hNSGmJYNT8uLIzxesP");
        assert_eq!(chain(PROFILE_IN, "projectcalico-default-allow"), "cali-pri-_TI1Jm4dJqQzYb0Rx3u");
        assert_eq!(chain(TO_HOST_FW, "any-interface-at-all"), "cali-thfw-_Nqh4HyA73udmyanQI");
        // exactly 28 bytes
        assert_eq!(chain(TO_HOST, "any-interface-at-all"), "cali-th-any-interface-at-all");
    }

    #[test]
    fn a_name_of_full_length_that_looks_like_a_hash_is_hashed() {
        assert_eq!(limited("p-", "abcdef", 8), "p-abcdef");
        assert_ne!(limited("p-", "_bcdef", 8), "p-_bcdef");
        assert_eq!(limited("p-", "_bcdef", 8).len(), 8);
    }

    #[test]
    fn one_policy_has_one_tail_in_both_directions() {
        let id = PolicyId {
            kind: PolicyKind::NetworkPolicy,
            namespace: "kube-system".into(),
            name: "a-policy-with-quite-a-long-name-that-needs-hashing-50".into(),
        };
        let named = |naming, prefix| policy_chain(naming, prefix, &id, "platform");
        assert_eq!(named(Naming::Kinded, POLICY_IN), "cali-pi-_zm1UNOVirzDPMH9qNCs");
        assert_eq!(named(Naming::Kinded, POLICY_OUT), "cali-po-_zm1UNOVirzDPMH9qNCs");
    }

    #[test]
    fn names_may_begin_with_the_tier() {
        let id = PolicyId {
            kind: PolicyKind::NetworkPolicy,
            namespace: "kube-system".into(),
            name: "platform.a-policy-with-quite-a-long-name-that-needs-hashing-51".into(),
        };
        let name = policy_chain(Naming::Tiered, POLICY_IN, &id, "platform");
        assert_eq!(name, "cali-pi-_fSLotMyl3mIotqMZJNz");
        let global = PolicyId { namespace: "".into(), name: "app.deny-1".into(), ..id.clone() };
        assert_eq!(policy_chain(Naming::Tiered, POLICY_OUT, &global, "app"), "cali-po-app/app.deny-1");
        let staged = PolicyId { kind: PolicyKind::StagedKubernetesNetworkPolicy, ..id };
        assert!(staged.tiered().starts_with("kube-system/staged:knp.default.platform."));
    }

    #[test]
    fn set_names_are_cut() {
        assert_eq!(set(Family::V6, "this-host"), "cali60this-host");
        assert_eq!(set(Family::V4, "s:2dAotJA2sZ5pOhC_BaBuAFeXXXXXXX"), "cali40s:2dAotJA2sZ5pOhC_BaBuAFe");
    }
}
