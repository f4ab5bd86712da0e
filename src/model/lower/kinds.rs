//! Which kinds there are, and what becomes of them.

use crate::model::calico::PolicyKind;
use crate::model::findings::Door;
use crate::model::schema::suggest;
use crate::version::{AdminKinds, Facts};

/// The kinds that are looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Namespace,
    ServiceAccount,
    Node,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    Controller,
    NetworkPolicy,
    StagedNetworkPolicyOfKubernetes,
    ClusterNetworkPolicy,
    AdminNetworkPolicy { baseline: bool },
    Policy(PolicyKind),
    Tier,
    NetworkSet { global: bool },
    HostEndpoint,
    Profile,
    IpPool,
    FelixConfiguration,
    BgpConfiguration,
    ClusterInformation,
    KubeControllersConfiguration,
    ConfigMap,
    KubeProxyConfiguration,
}

/// What is known about an `apiVersion` and `kind`.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// looked into
    Kind(Kind, Door),
    /// has nothing to do with rules
    PassedOver,
    /// policy that no version of Calico that is known reads in this form
    Unreadable {
        /// what it is
        message: String,
        /// what to do
        help: &'static str,
    },
    /// policy that other versions of Calico read, and that has no effect in this one
    OfOtherVersion {
        /// what it is
        message: String,
        /// what to do
        help: &'static str,
    },
    /// no such kind in a group that holds policy
    Unknown {
        /// the kind that may be meant
        near: Option<&'static str>,
    },
}

/// Kinds of Calico that are looked into.
const CALICO: [(&str, Kind); 15] = [
    ("NetworkPolicy", Kind::Policy(PolicyKind::NetworkPolicy)),
    ("GlobalNetworkPolicy", Kind::Policy(PolicyKind::GlobalNetworkPolicy)),
    ("StagedNetworkPolicy", Kind::Policy(PolicyKind::StagedNetworkPolicy)),
    ("StagedGlobalNetworkPolicy", Kind::Policy(PolicyKind::StagedGlobalNetworkPolicy)),
    ("StagedKubernetesNetworkPolicy", Kind::StagedNetworkPolicyOfKubernetes),
    ("Tier", Kind::Tier),
    ("NetworkSet", Kind::NetworkSet { global: false }),
    ("GlobalNetworkSet", Kind::NetworkSet { global: true }),
    ("HostEndpoint", Kind::HostEndpoint),
    ("Profile", Kind::Profile),
    ("IPPool", Kind::IpPool),
    ("FelixConfiguration", Kind::FelixConfiguration),
    ("BGPConfiguration", Kind::BgpConfiguration),
    ("ClusterInformation", Kind::ClusterInformation),
    ("KubeControllersConfiguration", Kind::KubeControllersConfiguration),
];

/// Kinds of Calico that have nothing to do with rules.
const CALICO_OTHER: [&str; 13] = [
    "BGPPeer",
    "BGPFilter",
    "IPReservation",
    "CalicoNodeStatus",
    "IPAMBlock",
    "IPAMConfig",
    "IPAMConfiguration",
    "IPAMHandle",
    "BlockAffinity",
    "LiveMigration",
    // calicoctl's own views of Kubernetes' Nodes and Pods
    "Node",
    "WorkloadEndpoint",
    "RemoteClusterConfiguration",
];

/// Kinds of `networking.k8s.io` that have nothing to do with rules.
const NETWORKING_OTHER: [&str; 4] = ["Ingress", "IngressClass", "IPAddress", "ServiceCIDR"];

/// Kinds that calicoctl read before v3, as `apiVersion: v1`.
const CALICO_V1: [&str; 7] =
    ["policy", "profile", "hostEndpoint", "ipPool", "bgpPeer", "node", "workloadEndpoint"];

const ADMIN: [&str; 2] = ["AdminNetworkPolicy", "BaselineAdminNetworkPolicy"];

/// Says what is known about a kind.
pub fn classify(api_version: &str, kind: &str, facts: &Facts) -> Known {
    let kubernetes = |kind| Known::Kind(kind, Door::Kubernetes);
    match (api_version, kind) {
        ("v1", "Pod") => kubernetes(Kind::Pod),
        ("v1", "Namespace") => kubernetes(Kind::Namespace),
        ("v1", "ServiceAccount") => kubernetes(Kind::ServiceAccount),
        ("v1", "Node") => kubernetes(Kind::Node),
        ("v1", "Service") => kubernetes(Kind::Service),
        ("v1", "Endpoints") => kubernetes(Kind::Endpoints),
        // only kube-proxy's is looked into
        ("v1", "ConfigMap") => kubernetes(Kind::ConfigMap),
        ("kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration") => {
            kubernetes(Kind::KubeProxyConfiguration)
        }
        ("v1", "ReplicationController")
        | ("apps/v1", "DaemonSet" | "Deployment" | "StatefulSet" | "ReplicaSet")
        | ("batch/v1", "Job" | "CronJob") => kubernetes(Kind::Controller),
        ("discovery.k8s.io/v1", "EndpointSlice") => kubernetes(Kind::EndpointSlice),
        ("networking.k8s.io/v1", "NetworkPolicy") => kubernetes(Kind::NetworkPolicy),
        ("v1", kind) if CALICO_V1.contains(&kind) => Known::Unreadable {
            message: format!(
                "`{kind}` of `apiVersion: v1` is Calico's API of before v3.0, which calicoctl no longer reads"
            ),
            help: "write it anew as `projectcalico.org/v3`: a `policy` is a GlobalNetworkPolicy now",
        },
        ("networking.k8s.io/v1beta1" | "extensions/v1beta1", "NetworkPolicy") => Known::Unreadable {
            message: format!("`{api_version}` NetworkPolicy is no longer served by any API server"),
            help: "write `apiVersion: networking.k8s.io/v1`",
        },
        _ => in_group(api_version, kind, facts),
    }
}

fn in_group(api_version: &str, kind: &str, facts: &Facts) -> Known {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    match group {
        "projectcalico.org" if version == "v3" => calico(kind, Door::Calicoctl),
        // kubectl cannot store what has no custom resource
        "crd.projectcalico.org"
            if version == "v1" && !matches!(kind, "Profile" | "Node" | "WorkloadEndpoint") =>
        {
            calico(kind, Door::Crd)
        }
        "projectcalico.org" | "crd.projectcalico.org" => Known::Unknown { near: None },
        "networking.k8s.io" if NETWORKING_OTHER.contains(&kind) => Known::PassedOver,
        "networking.k8s.io" => {
            Known::Unknown { near: suggest(kind, NETWORKING_OTHER.into_iter().chain(["NetworkPolicy"])) }
        }
        "policy.networking.k8s.io" => policy_api(version, kind, facts),
        _ => Known::PassedOver,
    }
}

/// The group of the kinds for administrators, of which Calico reads one generation at a time.
fn policy_api(version: &str, kind: &str, facts: &Facts) -> Known {
    let (admin, cluster) = (ADMIN.contains(&kind), kind == "ClusterNetworkPolicy");
    if !admin && !cluster {
        return Known::Unknown { near: suggest(kind, ADMIN.into_iter().chain(["ClusterNetworkPolicy"])) };
    }
    let read = if admin { "v1alpha1" } else { "v1alpha2" };
    if version != read {
        let help = match read {
            "v1alpha1" => "write `apiVersion: policy.networking.k8s.io/v1alpha1`",
            _ => "write `apiVersion: policy.networking.k8s.io/v1alpha2`",
        };
        return Known::Unreadable {
            message: format!("Calico reads {kind} as `{read}`, not as `{version}`"),
            help,
        };
    }
    match (facts.admin_kinds, admin) {
        (AdminKinds::Admin, true) => Known::Kind(
            Kind::AdminNetworkPolicy { baseline: kind == "BaselineAdminNetworkPolicy" },
            Door::Kubernetes,
        ),
        (AdminKinds::Cluster, false) => Known::Kind(Kind::ClusterNetworkPolicy, Door::Kubernetes),
        (AdminKinds::Admin, false) => Known::OfOtherVersion {
            message: format!("Calico {} does not read `{kind}`: it has no effect", facts.version),
            help: "write an AdminNetworkPolicy of `policy.networking.k8s.io/v1alpha1` instead",
        },
        (AdminKinds::Cluster, true) => Known::OfOtherVersion {
            message: format!("Calico {} does not read `{kind}`: it has no effect", facts.version),
            help: "write a ClusterNetworkPolicy of `policy.networking.k8s.io/v1alpha2` instead",
        },
    }
}

fn calico(kind: &str, door: Door) -> Known {
    if let Some((_, kind)) = CALICO.iter().find(|(name, _)| *name == kind) {
        return Known::Kind(*kind, door);
    }
    if CALICO_OTHER.contains(&kind) {
        return Known::PassedOver;
    }
    Known::Unknown { near: suggest(kind, CALICO.iter().map(|(name, _)| *name).chain(CALICO_OTHER)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::CalicoVersion;

    fn classify(api_version: &str, kind: &str) -> Known {
        super::classify(api_version, kind, CalicoVersion::LATEST.facts())
    }

    #[test]
    fn kinds_and_their_doors() {
        assert_eq!(classify("projectcalico.org/v3", "Tier"), Known::Kind(Kind::Tier, Door::Calicoctl));
        assert_eq!(classify("crd.projectcalico.org/v1", "Tier"), Known::Kind(Kind::Tier, Door::Crd));
        assert_eq!(classify("v1", "Secret"), Known::PassedOver);
        assert_eq!(classify("measure/v1", "NodeInterfaces"), Known::PassedOver);
        assert_eq!(classify("networking.k8s.io/v1", "Ingress"), Known::PassedOver);
        assert_eq!(classify("projectcalico.org/v3", "BGPPeer"), Known::PassedOver);
    }

    #[test]
    fn unknown_kinds_of_policy_groups_are_not_passed_over() {
        assert_eq!(
            classify("projectcalico.org/v3", "GlobalNetworkPolcy"),
            Known::Unknown { near: Some("GlobalNetworkPolicy") }
        );
        assert_eq!(
            classify("networking.k8s.io/v1", "networkpolicy"),
            Known::Unknown { near: Some("NetworkPolicy") }
        );
        assert_eq!(classify("projectcalico.org/v4", "Tier"), Known::Unknown { near: None });
        assert_eq!(classify("crd.projectcalico.org/v1", "Profile"), Known::Unknown { near: None });
    }

    #[test]
    fn old_and_other_policy_is_named() {
        for (version, kind) in [
            ("v1", "policy"),
            ("extensions/v1beta1", "NetworkPolicy"),
            ("policy.networking.k8s.io/v1alpha1", "ClusterNetworkPolicy"),
        ] {
            assert!(matches!(classify(version, kind), Known::Unreadable { .. }), "{version} {kind}");
        }
    }

    #[test]
    fn each_version_reads_one_generation_of_the_kinds_for_administrators() {
        let admin = ("policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy");
        let cluster = ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy");
        for version in CalicoVersion::ALL {
            let read = [admin, cluster].map(|(api, kind)| super::classify(api, kind, version.facts()));
            let kinds = read.iter().filter(|known| matches!(known, Known::Kind(..))).count();
            let others = read.iter().filter(|known| matches!(known, Known::OfOtherVersion { .. })).count();
            assert_eq!((kinds, others), (1, 1), "{version}: {read:?}");
        }
    }
}
