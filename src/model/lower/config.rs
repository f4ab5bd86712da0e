//! FelixConfiguration, BGPConfiguration, ClusterInformation, Profile and KubeControllersConfiguration.

use super::calico_policy::api;
use super::meta;
use super::reader::Reader;
use crate::diagnostic::Spanned;
use crate::model::Resource;
use crate::model::calico::{BgpConfiguration, ClusterInformation, FelixConfiguration, FieldValue};
use crate::model::findings::{Door, Findings};
use crate::model::schema::{self, Schema};
use crate::model::text::scalar_text;
use crate::model::validate::felix_config;
use crate::model::validate::metadata::{NameRule, metadata};
use crate::source::Object;
use crate::source::tree::{Node, Value};

/// Lowers a FelixConfiguration; `None` if it is malformed.
pub fn felix(object: &Object<'_>, findings: &mut Findings<'_>) -> Option<FelixConfiguration> {
    let root = checked(object, &schema::felix_config::FELIX_CONFIGURATION, findings)?;
    let door = findings.door();
    let spec = root.sub("spec");
    if door == Door::Calicoctl {
        felix_config::by_calicoctl(&spec, findings);
    } else {
        felix_config::by_schema(&spec, findings);
    }
    let mut fields = Vec::new();
    for (key, value) in spec.node().into_iter().flat_map(|node| node.entries()) {
        let known = schema::felix_config::field_name(key.text(), door == Door::Calicoctl);
        let exists = |name: &&str| !findings.facts.lacks_field("FelixConfiguration", &format!("spec.{name}"));
        let Some(name) = known.filter(exists) else {
            continue;
        };
        // of a field written twice the last counts
        fields.retain(|(field, _): &(Spanned<Box<str>>, FieldValue)| &*field.value != name);
        if let Some(value) = field_value(value) {
            fields.push((Spanned::new(name.into(), key.at()), value));
        }
    }
    // what is filled in where it is absent, in every object, so that it also hides the value of an
    // object of lower priority: `libcalico-go/lib/clientv3/felixconfig.go:114` and the schema's default
    let filled = [
        ("floatingIPs", "Disabled", door == Door::Calicoctl),
        ("nftablesMode", "Auto", findings.facts.nftables_mode.auto),
    ];
    for (name, value, _) in filled.into_iter().filter(|(.., applies)| *applies) {
        if root.has("spec") && !fields.iter().any(|(field, _)| &*field.value == name) {
            fields.push((Spanned::new(name.into(), spec.at()), FieldValue::String(value.into())));
        }
    }
    Some(FelixConfiguration {
        meta: meta::read(object, false, door),
        api: api(door),
        fields,
        created: root.sub("metadata").text("creationTimestamp"),
    })
}

fn field_value(node: Node<'_>) -> Option<FieldValue> {
    Some(match node.value() {
        Value::Null => return None,
        Value::Bool(value) => FieldValue::Bool(value),
        Value::Int(value) => FieldValue::Int(value),
        Value::Float(value) => FieldValue::Float(value),
        Value::Str(value) => FieldValue::String(value.into()),
        Value::Map => FieldValue::Maps(vec![pairs(node)]),
        Value::Seq if node.items().next().is_some_and(Node::is_map) => {
            FieldValue::Maps(node.items().map(pairs).collect())
        }
        Value::Seq => FieldValue::List(node.items().map(|item| scalar_text(item).into()).collect()),
    })
}

fn pairs(node: Node<'_>) -> Vec<(Box<str>, Box<str>)> {
    node.entries().map(|(key, value)| (key.text().into(), scalar_text(value).into())).collect()
}

/// Lowers a BGPConfiguration; `None` if it is malformed.
pub fn bgp(object: &Object<'_>, findings: &mut Findings<'_>) -> Option<BgpConfiguration> {
    let root = checked(object, &schema::resource::BGP_CONFIGURATION, findings)?;
    let door = findings.door();
    let spec = root.sub("spec");
    let meta = meta::read(object, false, door);
    if door == Door::Calicoctl && &*meta.name != "default" {
        // `libcalico-go/lib/clientv3/bgpconfig.go:117`, v3.32.1
        let only_default = [
            "nodeToNodeMeshEnabled",
            "asNumber",
            "serviceLoadBalancerIPs",
            "serviceExternalIPs",
            "serviceClusterIPs",
            "nodeMeshPassword",
            "nodeMeshMaxRestartTime",
        ];
        for field in only_default {
            if spec.get(field).is_some_and(|node| !node.is_seq() || node.items().next().is_some()) {
                let reason = format!("`{field}` belongs into the BGPConfiguration `default`");
                findings.turn_away("bad-bgp-configuration", spec.at_of(field), &reason);
            }
        }
    }
    let cidrs =
        |field: &str| spec.subs(field).map(|block| block.text("cidr")).filter(|c| !c.is_empty()).collect();
    Some(BgpConfiguration {
        api: api(door),
        service_cluster_ips: cidrs("serviceClusterIPs"),
        service_external_ips: cidrs("serviceExternalIPs"),
        service_load_balancer_ips: cidrs("serviceLoadBalancerIPs"),
        meta,
    })
}

/// Lowers a ClusterInformation; `None` if it is malformed.
pub fn cluster_information(object: &Object<'_>, findings: &mut Findings<'_>) -> Option<ClusterInformation> {
    let root = checked(object, &schema::resource::CLUSTER_INFORMATION, findings)?;
    let spec = root.sub("spec");
    Some(ClusterInformation {
        meta: meta::read(object, false, findings.door()),
        calico_version: spec.spanned("calicoVersion"),
        cluster_type: spec.text("clusterType"),
    })
}

/// Checks a KubeControllersConfiguration, of which nothing is kept.
pub fn kube_controllers(object: &Object<'_>, findings: &mut Findings<'_>) {
    checked(object, &schema::resource::KUBE_CONTROLLERS_CONFIGURATION, findings);
}

/// Profiles cannot be written where Kubernetes is the datastore: Calico derives one from every
/// Namespace and ServiceAccount, and has one built in
/// (`libcalico-go/lib/backend/k8s/resources/profile.go:53-70`, v3.32.1).
pub fn profile(object: &Object<'_>, findings: &mut Findings<'_>) -> Option<Resource> {
    let root = Reader::new(object.root, findings.door());
    let name = root.sub("metadata").text("name");
    let derived =
        name.starts_with("kns.") || name.starts_with("ksa.") || &*name == "projectcalico-default-allow";
    if !derived {
        findings
            .turn_away(
                "profile-not-writable",
                root.sub("metadata").at_of("name"),
                "with Kubernetes as its datastore Calico makes profiles from Namespaces and ServiceAccounts, and takes no others",
            )
            .help("write a GlobalNetworkPolicy or NetworkPolicy instead");
    }
    None
}

fn checked<'t>(object: &Object<'t>, shape: &Schema, findings: &mut Findings<'_>) -> Option<Reader<'t>> {
    schema::check(object.root, shape, "", findings);
    if findings.is_fatal() {
        return None;
    }
    let root = Reader::new(object.root, findings.door());
    metadata(&root.sub("metadata"), NameRule::Subdomain, findings);
    Some(root)
}
