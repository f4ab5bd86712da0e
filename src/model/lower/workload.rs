//! Workload controllers, among them the `calico-node` DaemonSet, which holds Felix's environment.

use super::reader::Reader;
use super::{meta, pod};
use crate::model::Resource;
use crate::model::core::{CalicoNode, Controller, EnvVariable};
use crate::model::findings::{Door, Findings};
use crate::model::meta::Meta;
use crate::source::Object;
use crate::source::tree::{Node, Value};

/// Lowers a controller.
pub fn controller(object: &Object<'_>, findings: &mut Findings<'_>) -> Resource {
    let root = Reader::new(object.root, Door::Kubernetes);
    let meta = meta::read_leniently(object, true, findings);
    if object.kind == "DaemonSet"
        && (&*meta.name == "calico-node" || meta.labels.get("k8s-app") == Some("calico-node"))
        && let Some(container) = calico_container(&root)
    {
        return Resource::CalicoNode(Box::new(calico_node(meta, &container)));
    }
    let mut spec = root.sub("spec");
    if object.kind == "CronJob" {
        spec = spec.sub("jobTemplate").sub("spec");
    }
    let is = |node: Option<Node<'_>>, value: Value<'_>| node.is_some_and(|node| node.value() == value);
    let idle = is(spec.get("replicas"), Value::Int(0))
        || is(object.root.path(&["spec", "suspend"]), Value::Bool(true))
        || object.root.path(&["status", "completionTime"]).is_some();
    let template = spec.get("template");
    let on_host =
        is(template.and_then(|template| template.path(&["spec", "hostNetwork"])), Value::Bool(true));
    Resource::Controller(Box::new(Controller {
        kind: object.kind.into(),
        meta,
        pod_labels: pod::template_labels(template),
        wants_pods: !idle && !on_host,
    }))
}

fn calico_container<'t>(root: &Reader<'t>) -> Option<Reader<'t>> {
    root.sub("spec")
        .sub("template")
        .sub("spec")
        .subs("containers")
        .find(|container| &*container.text("name") == "calico-node")
}

fn calico_node(meta: Meta, container: &Reader<'_>) -> CalicoNode {
    let mut env: Vec<EnvVariable> = Vec::new();
    for variable in container.subs("env") {
        let name = variable.spanned("name");
        let value = match (variable.has("valueFrom"), variable.has("value")) {
            (true, _) => None,
            (false, _) => Some(variable.spanned("value")),
        };
        // of a variable set twice the kubelet passes on the last
        env.retain(|(earlier, _)| earlier != &name);
        env.push((name, value));
    }
    CalicoNode { meta, env, image: container.spanned("image") }
}
