//! Fields of Calico's kinds that came or went (`api/pkg/apis/projectcalico/v3/` and
//! `libcalico-go/config/crd/`). The schemas of `model` have the newest version's.

use super::{CalicoVersion, Facts, V3_31, V3_32};

/// A field that some versions do not have, or have in another form.
#[derive(Debug)]
pub struct FieldChange {
    /// the kind
    pub kind: &'static str,
    /// the field, from the object's root, lists left out
    pub path: &'static str,
    /// what became of it
    pub change: Change,
    /// in which version
    pub version: CalicoVersion,
}

/// What became of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// it came
    Added,
    /// it went; what it was
    Removed(OldField),
    /// it takes other values; what it was
    Changed(OldField),
}

/// What a field was like before a version changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldField {
    /// true or false
    Bool,
    /// any text
    Text,
    /// a duration
    Duration,
    /// a mapping that is not looked into
    Mapping,
    /// `Enabled`, `Disabled` or `L2Only`
    Redirection,
    /// `Auto`, `Legacy` or `NFT`, to the API server in any case
    Backend,
    /// the same, but the API server does not look at the text
    Unchecked,
    /// an integer that calicoctl wants to be at least 1 and at most 65535
    Port,
}

const fn change(
    kind: &'static str,
    path: &'static str,
    change: Change,
    version: CalicoVersion,
) -> FieldChange {
    FieldChange { kind, path, change, version }
}

const fn added(kind: &'static str, path: &'static str, version: CalicoVersion) -> FieldChange {
    change(kind, path, Change::Added, version)
}

const FELIX: &str = "FelixConfiguration";
const BGP: &str = "BGPConfiguration";
const CONTROLLERS: &str = "KubeControllersConfiguration";

/// All of them, by version.
pub static FIELDS: &[FieldChange] = &[
    added(FELIX, "spec.bpfAttachType", V3_31),
    added(FELIX, "spec.bpfJITHardening", V3_31),
    added(FELIX, "spec.natOutgoingExclusions", V3_31),
    added(FELIX, "spec.programClusterRoutes", V3_31),
    added(FELIX, "spec.requireMTUFile", V3_31),
    added("IPPool", "spec.namespaceSelector", V3_31),
    added(BGP, "spec.serviceLoadBalancerAggregation", V3_31),
    added(CONTROLLERS, "spec.controllers.node.hostEndpoint.templates.interfacePattern", V3_31),
    added(FELIX, "spec.bpfMaglevMaxEndpointsPerService", V3_32),
    added(FELIX, "spec.bpfMaglevMaxServices", V3_32),
    added(FELIX, "spec.ipv4ElevatedRoutePriority", V3_32),
    added(FELIX, "spec.ipv4NormalRoutePriority", V3_32),
    added(FELIX, "spec.ipv6ElevatedRoutePriority", V3_32),
    added(FELIX, "spec.ipv6NormalRoutePriority", V3_32),
    added(FELIX, "spec.istioAmbientMode", V3_32),
    added(FELIX, "spec.istioDSCPMark", V3_32),
    added(FELIX, "spec.liveMigrationRouteConvergenceTime", V3_32),
    added(FELIX, "spec.nodeSelector", V3_32),
    added(FELIX, "spec.prometheusMetricsCAFile", V3_32),
    added(FELIX, "spec.prometheusMetricsCertFile", V3_32),
    added(FELIX, "spec.prometheusMetricsClientAuth", V3_32),
    added(FELIX, "spec.prometheusMetricsKeyFile", V3_32),
    change(FELIX, "spec.bpfKubeProxyEndpointSlicesEnabled", Change::Removed(OldField::Bool), V3_32),
    change(FELIX, "spec.iptablesLockFilePath", Change::Removed(OldField::Text), V3_32),
    change(FELIX, "spec.iptablesLockTimeout", Change::Removed(OldField::Duration), V3_32),
    change(FELIX, "spec.bpfRedirectToPeer", Change::Changed(OldField::Redirection), V3_32),
    change(FELIX, "spec.iptablesBackend", Change::Changed(OldField::Backend), V3_32),
    change(FELIX, "spec.bpfKubeProxyHealthzPort", Change::Changed(OldField::Port), V3_32),
    change("IPPool", "spec.ipip", Change::Removed(OldField::Mapping), V3_32),
    change("IPPool", "spec.nat-outgoing", Change::Removed(OldField::Bool), V3_32),
    added("IPPool", "status", V3_32),
    added("Tier", "status", V3_32),
    change(BGP, "spec.bindMode", Change::Changed(OldField::Unchecked), V3_32),
    change(BGP, "spec.logSeverityScreen", Change::Changed(OldField::Unchecked), V3_32),
    change(BGP, "spec.prefixAdvertisements.cidr", Change::Changed(OldField::Unchecked), V3_32),
    change(BGP, "spec.serviceClusterIPs.cidr", Change::Changed(OldField::Unchecked), V3_32),
    change(BGP, "spec.serviceExternalIPs.cidr", Change::Changed(OldField::Unchecked), V3_32),
    change(BGP, "spec.serviceLoadBalancerIPs.cidr", Change::Changed(OldField::Unchecked), V3_32),
    added(BGP, "spec.ipv4NormalRoutePriority", V3_32),
    added(BGP, "spec.ipv6NormalRoutePriority", V3_32),
    added(BGP, "spec.programClusterRoutes", V3_32),
    added(CONTROLLERS, "spec.controllers.policyMigration", V3_32),
];

impl Facts {
    /// Whether a field of the newest schemas does not exist yet. `path` is its way from the object's root,
    /// without the places in lists.
    pub fn lacks_field(&self, kind: &str, path: &str) -> bool {
        self.not_yet(kind, path).any(|field| field.change == Change::Added)
    }

    /// What a field is like that the newest schemas do not have, or have in another form.
    pub fn old_field(&self, kind: &str, path: &str) -> Option<OldField> {
        self.not_yet(kind, path).find_map(|field| match field.change {
            Change::Added => None,
            Change::Removed(old) | Change::Changed(old) => Some(old),
        })
    }

    /// Whether any field of the kind is another one than in the newest schemas.
    pub fn has_other_fields(&self, kind: &str) -> bool {
        FIELDS.iter().any(|field| field.kind == kind && self.version.0 < field.version.0)
    }

    /// The changes of a field that are still to come.
    fn not_yet(&self, kind: &str, path: &str) -> impl Iterator<Item = &'static FieldChange> {
        let version = self.version;
        FIELDS
            .iter()
            .filter(move |field| version.0 < field.version.0 && field.kind == kind && field.path == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_and_go() {
        let [old, middle, new] = CalicoVersion::ALL.map(CalicoVersion::facts);
        let lacks = |facts: &Facts| facts.lacks_field(FELIX, "spec.natOutgoingExclusions");
        assert!(lacks(old) && !lacks(middle) && !lacks(new));
        let locks = |facts: &Facts| facts.old_field(FELIX, "spec.iptablesLockTimeout");
        assert_eq!((locks(middle), locks(new)), (Some(OldField::Duration), None));
        assert!(old.has_other_fields("IPPool") && !new.has_other_fields("IPPool"));
        assert!(!old.has_other_fields("GlobalNetworkPolicy"));
    }
}
