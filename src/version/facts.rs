//! The differences, as a table.

use super::{CalicoVersion, V3_30, V3_31, V3_32};
use std::fmt;

/// What a difference is about, for a reader of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// which kinds are read
    Kinds,
    /// what a policy means
    Policies,
    /// what chains and rules are called and say
    Names,
    /// which rules there are
    Rules,
    /// which sets there are, and what is in them
    Sets,
    /// how Felix is configured
    Configuration,
    /// what the API server and calicoctl refuse
    Validation,
}

/// By what Felix knows a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// by its tier, and a name that begins with the tier
    Tiered,
    /// by its kind, namespace and name
    Kinded,
}

/// Where the tier of a Calico policy is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TierOf {
    /// what is before the first `.` of its name
    Name,
    /// `spec.tier`
    Spec,
}

/// The kinds for administrators of a whole cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminKinds {
    /// AdminNetworkPolicy and BaselineAdminNetworkPolicy
    Admin,
    /// ClusterNetworkPolicy
    Cluster,
}

/// Where the members of `all-hosts-net` come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostsFrom {
    /// the BGP annotation, else an address of the Node's status; IPv4 only
    AnyAddress,
    /// the BGP annotations with a length, both families
    Annotations,
}

/// How NFTablesMode is read where it is not about nftables: whether members of a set that others cover
/// are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NftablesMode {
    /// `Auto` is a value, and the default
    pub auto: bool,
    /// covered members are left out unless the mode is `Disabled`, not only where it is `Enabled`
    pub unless_disabled: bool,
}

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// the field of [`Facts`]
    pub name: &'static str,
    /// what it is about
    pub area: Area,
    /// the question
    pub question: &'static [&'static str],
    /// where Calico decides it
    pub source: &'static str,
    /// from which version on, and what holds from there
    pub steps: &'static [(CalicoVersion, &'static str)],
}

/// The value that holds in a version: that of the last step up to it.
const fn at<T: Copy>(steps: &[(CalicoVersion, T)], version: CalicoVersion) -> T {
    let mut index = steps.len() - 1;
    while steps[index].0.0 > version.0 {
        index -= 1;
    }
    steps[index].1
}

/// Declares [`Facts`], its value for each version, and the table.
macro_rules! facts {
    ($(
        $(#[doc = $question:literal])+
        $name:ident: $type:ty, $area:ident, $source:literal,
        $($version:ident: $value:expr, $words:literal;)+
    )+) => {
        /// What holds in one version of Calico. One field for each difference.
        pub struct Facts {
            /// the version
            pub version: CalicoVersion,
            $($(#[doc = $question])+ pub $name: $type,)+
        }

        const fn facts(version: CalicoVersion) -> Facts {
            Facts { version, $($name: at::<$type>(&[$(($version, $value)),+], version),)+ }
        }

        /// The whole table, in the order in which it is told.
        pub static TABLE: &[Row] = &[$(Row {
            name: stringify!($name),
            area: Area::$area,
            question: &[$($question),+],
            source: $source,
            steps: &[$(($version, $words)),+],
        }),+];
    };
}

facts! {
    /// Which kinds hold policies for the whole cluster.
    admin_kinds: AdminKinds, Kinds, "libcalico-go/lib/backend/syncersv1/felixsyncer/felixsyncerv1.go",
    V3_30: AdminKinds::Admin, "AdminNetworkPolicy and BaselineAdminNetworkPolicy of `policy.networking.k8s.io/v1alpha1`, in the tiers `adminnetworkpolicy` and `baselineadminnetworkpolicy`; a port with `namedPort`, which Felix does not know, stands for all ports";
    V3_32: AdminKinds::Cluster, "ClusterNetworkPolicy of `policy.networking.k8s.io/v1alpha2`, in the tiers `kube-admin` and `kube-baseline`; the older kinds have no effect";

    /// Which tiers Calico itself creates: name, order, whether the default action is Pass.
    built_in_tiers: &'static [(&'static str, f64, bool)], Kinds, "libcalico-go/lib/clientv3/client.go, api/pkg/apis/projectcalico/v3/tier.go",
    V3_30: &[("adminnetworkpolicy", 1e3, true), ("default", 1e6, false), ("baselineadminnetworkpolicy", 1e7, true)], "`adminnetworkpolicy` (order 1000, Pass), `default` (order 1000000, Deny), `baselineadminnetworkpolicy` (order 10000000, Pass)";
    V3_32: &[("kube-admin", 1e3, true), ("default", 1e6, false), ("kube-baseline", 1e7, true)], "`kube-admin` (order 1000, Pass), `default` (order 1000000, Deny), `kube-baseline` (order 10000000, Pass)";

    /// Which tier a Calico policy is in.
    tier_of_policy: TierOf, Policies, "libcalico-go/lib/names/policy.go, libcalico-go/lib/backend/syncersv1/updateprocessors/globalnetworkpolicyprocessor.go",
    V3_30: TierOf::Name, "that before the first `.` of its name, else `default`, whatever `spec.tier` says; calicoctl rejects a policy whose name does not begin with its tier, and stores `allow` as `default.allow`: both are one policy";
    V3_32: TierOf::Spec, "that of `spec.tier`; the name is any, and stored as it is";

    /// What decides among policies of equal order in a tier.
    equal_order: Naming, Policies, "felix/calc/policy_sorter.go, PolKVLess",
    V3_30: Naming::Tiered, "the text `namespace/name`, or the name of a policy without namespace, with `knp.default.` before the name of a Kubernetes NetworkPolicy and `staged:` before that of a staged policy";
    V3_32: Naming::Kinded, "the text `name/namespace/kind`";

    /// Whether a named port may be matched without a protocol.
    named_ports_of_any_protocol: bool, Policies, "felix/calc/rule_scanner.go, libcalico-go/lib/validator/v1/validator.go, v3/validator.go",
    V3_30: false, "no: calicoctl rejects the policy, and Felix ignores one that kubectl has stored";
    V3_32: true, "yes: it stands for the port of that name of any protocol, and the set's name is made with `any`";

    /// What names a policy's chains, and its NFLOG prefixes.
    policy_names: Naming, Names, "felix/rules/policy.go, PolicyChainName; felix/types/policy_id.go",
    V3_30: Naming::Tiered, "the tier and the stored name: `default/default.allow`, `default/web/knp.default.db`; the prefixes without the tier";
    V3_32: Naming::Kinded, "the kind, namespace and name: `gnp/allow`, `knp/web/db`";

    /// The comment of a policy's first rule.
    policy_comments: Naming, Names, "felix/rules/policy.go, PolicyToIptablesChains",
    V3_30: Naming::Tiered, "`Policy default.allow ingress`, `Policy web/knp.default.db ingress`";
    V3_32: Naming::Kinded, "`GlobalNetworkPolicy allow ingress`, `KubernetesNetworkPolicy web/db ingress`";

    /// What the hash in the name of a policy group's chain is made of.
    group_names: Naming, Names, "felix/rules/endpoints.go, PolicyGroup.UniqueID",
    V3_30: Naming::Tiered, "tier, selector, direction, and the stored names of the policies";
    V3_32: Naming::Kinded, "selector, direction, and name, namespace and kind of the policies";

    /// What the placeholders `%k`, `%n` and `%p` of LogPrefix become.
    log_words: Naming, Names, "felix/rules/policy.go, generateLogPrefix",
    V3_30: Naming::Tiered, "read from the stored name: a Kubernetes NetworkPolicy is of kind `np` and called `knp.default.db`; the name of a policy that kubectl stored without a tier is `unknown`";
    V3_32: Naming::Kinded, "kind and name of the policy: `knp` and `db`";

    /// Whether the chains that divide `cali-set-endpoint-mark` (kube-proxy in IPVS mode) are told apart for pods and hosts.
    endpoint_mark_infix: bool, Names, "felix/rules/dispatch.go, endpointMarkDispatchChains",
    V3_30: false, "no: where a pod's and a host's interfaces share a letter, the chain of the hosts replaces that of the pods, whose packets then lose their mark";
    V3_32: true, "yes: `cali-set-endpoint-mark-wep-` and `cali-set-endpoint-mark-hep-`";

    /// Whether the annotation `qos.projectcalico.org/dscp` marks packets that leave the cluster.
    dscp: bool, Rules, "felix/rules/static.go, StaticManglePostroutingChain; felix/dataplane/linux/dscp_mgr.go",
    V3_30: false, "no";
    V3_31: true, "yes: a rule in mangle `cali-POSTROUTING`, the chain `cali-egress-dscp` and the set `dscp-src-net`, also where nothing has the annotation";

    /// The id of the set of all pools.
    all_pools: &'static str, Sets, "felix/rules/rule_defs.go",
    V3_30: "all-ipam-pools", "`all-ipam-pools`";
    V3_31: "network-ip-pools", "`network-ip-pools`";

    /// Whether pools for load balancers alone are in that set: packets to its members keep their source address.
    load_balancer_pools: bool, Sets, "felix/dataplane/linux/masq_mgr.go",
    V3_30: true, "yes";
    V3_31: false, "no";

    /// Where the members of `all-hosts-net` come from.
    hosts_from: HostsFrom, Sets, "felix/dataplane/linux/ipip_mgr.go, ipset_hosts_mgr.go",
    V3_30: HostsFrom::AnyAddress, "the annotation `projectcalico.org/IPv4Address`, with or without a length, else InternalIP, else ExternalIP of the Node; there is no such set for IPv6";
    V3_31: HostsFrom::Annotations, "the annotations `projectcalico.org/IPv4Address` and `IPv6Address` alone, if they have a length";

    /// What an entry of a NetworkSet that is no CIDR does, where kubectl has stored one.
    bad_set_entry_stops_felix: bool, Sets, "libcalico-go/lib/backend/syncersv1/updateprocessors/networksetprocessor.go",
    V3_30: true, "it makes every Felix of the cluster fail before it programs anything";
    V3_31: false, "it is left out";

    /// What NFTablesMode can be, and whether it decides about members of sets that others cover.
    nftables_mode: NftablesMode, Configuration, "felix/config/config_params.go, felix/calc/calc_graph.go",
    V3_30: NftablesMode { auto: false, unless_disabled: false }, "`Enabled` or `Disabled`, the default; covered members are left out only where it is `Enabled`";
    V3_31: NftablesMode { auto: false, unless_disabled: true }, "the same; they are left out also where it is `none`";
    V3_32: NftablesMode { auto: true, unless_disabled: true }, "`Auto`, the default and filled in by the schema, `Enabled` or `Disabled`; covered members are kept only where it is `Disabled`";

    /// Whether a FelixConfiguration can have a `nodeSelector`.
    node_selectors: bool, Configuration, "felix/calc/config_batcher.go, libcalico-go/lib/backend/syncersv1/updateprocessors/configurationprocessor.go",
    V3_30: false, "no: Felix reads `default` and `node.NAME` only";
    V3_32: true, "yes: it stands between `default` and `node.NAME`";

    /// Parameters of Felix that change rules and that are not known yet.
    unknown_parameters: &'static [&'static str], Configuration, "felix/config/config_params.go",
    V3_30: &["IstioAmbientMode", "IstioDSCPMark", "NATOutgoingExclusions"], "IstioAmbientMode, IstioDSCPMark, NATOutgoingExclusions";
    V3_31: &["IstioAmbientMode", "IstioDSCPMark"], "IstioAmbientMode, IstioDSCPMark";
    V3_32: &[], "none";

    /// Whether the API server looks at values in Calico's policies, pools, sets and host endpoints, or at their types only.
    schemas_know_values: bool, Validation, "libcalico-go/config/crd/",
    V3_30: false, "at types: what kubectl stores is judged by Felix alone, which reads actions and types of policies in any case, and fails at an action that it does not know";
    V3_32: true, "at values: actions, types, ICMP numbers, modes, uses, CIDRs of pools and the like, and rules among fields";

    /// Whether pools as Calico v1 wrote them, with `ipip` and `nat-outgoing`, are still read behind kubectl.
    old_pool_fields: bool, Validation, "libcalico-go/lib/backend/k8s/resources/ippool.go",
    V3_30: true, "yes";
    V3_32: false, "no: the API server drops these fields";

    /// Whether calicoctl looks at selectors of pools beyond their grammar.
    pool_selectors_checked: bool, Validation, "libcalico-go/lib/validator/v3/validator.go, validateIPPoolSpec",
    V3_30: false, "no";
    V3_31: true, "yes: no `global()`, and no `namespaceSelector` for `Tunnel`";
}

/// The facts of each version, in the order of [`CalicoVersion::ALL`].
pub static ALL: [Facts; CalicoVersion::COUNT] = [facts(V3_30), facts(V3_31), facts(V3_32)];

impl Facts {
    /// The rows in which this version and another differ.
    pub fn differing(&self, other: &Facts) -> impl Iterator<Item = &'static Row> + use<> {
        let (one, other) = (self.version, other.version);
        TABLE.iter().filter(move |row| row.words(one) != row.words(other))
    }
}

impl Row {
    /// What holds in a version, in words.
    pub fn words(&self, version: CalicoVersion) -> &'static str {
        at(self.steps, version)
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.version, f)
    }
}

impl Default for &Facts {
    fn default() -> Self {
        CalicoVersion::LATEST.facts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_begins_with_the_oldest_version_and_goes_on_in_order() {
        for row in TABLE {
            assert_eq!(row.steps[0].0, CalicoVersion::ALL[0], "{}", row.name);
            assert!(row.steps.is_sorted_by(|a, b| a.0.0 < b.0.0), "{}", row.name);
            assert!(row.steps.len() > 1, "{} is no difference", row.name);
        }
    }

    #[test]
    fn a_value_holds_until_the_next_one() {
        let pools: Vec<_> = ALL.iter().map(|facts| facts.all_pools).collect();
        assert_eq!(pools, ["all-ipam-pools", "network-ip-pools", "network-ip-pools"]);
        let changed: Vec<_> = ALL[1].differing(&ALL[0]).map(|row| row.name).collect();
        assert!(changed.contains(&"dscp") && !changed.contains(&"policy_names"), "{changed:?}");
    }
}
