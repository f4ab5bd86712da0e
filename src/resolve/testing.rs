//! Manifests → resources and views, for the tests of this stage.

use super::view::{NodeView, SetMeaning, SetMembers};
use super::{Cluster, NodeRequest, Resolved};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{self, InvalidMode, Resources};
use crate::source::{self, Input, Options};

/// What a cluster would store of some manifests. None of them may be refused.
pub fn resources(text: &str) -> Resources {
    let input = Input::Text { name: "test.yaml".into(), bytes: text.as_bytes().to_vec() };
    let read =
        source::read(&[input], &Options { threads: 1 }, |object| model::lower(object, Default::default()));
    let collected = model::collect(read.values, InvalidMode::Fail, Default::default());
    let all: Vec<_> = read.diagnostics.iter().chain(&collected.diagnostics).collect();
    assert!(all.iter().all(|diagnostic| diagnostic.severity != Severity::Error), "{all:#?}");
    collected.resources
}

/// A look at `node-1`, and everything that there is to say.
pub fn look(resources: &Resources) -> (Option<NodeView>, Vec<Diagnostic>) {
    let cluster = Cluster::new(resources);
    let Resolved { view, diagnostics } = cluster.view(&NodeRequest { node: "node-1", interfaces: None });
    let all = cluster.diagnostics().iter().cloned().chain(diagnostics).collect();
    (view, all)
}

/// The view from `node-1`.
pub fn view(text: &str) -> NodeView {
    look(&resources(text)).0.expect("the node exists")
}

/// Messages of the diagnostics with an id.
pub fn messages(diagnostics: &[Diagnostic], id: &str) -> Vec<String> {
    diagnostics.iter().filter(|d| d.id == id).map(|d| d.message.clone()).collect()
}

/// Members of the set of a selector (canonical text) or of a service, as texts.
pub fn members(view: &NodeView, of: &str) -> Vec<String> {
    let set = view.sets.iter().find(|set| match &set.meaning {
        SetMeaning::Selector(text) => &**text == of,
        SetMeaning::NamedPort { selector, protocol, port } => format!("{selector},{protocol},{port}") == of,
        SetMeaning::Service(path) => format!("svc {path}") == of,
        SetMeaning::ServiceAddresses(path) => format!("svcnoport {path}") == of,
    });
    let set = set.unwrap_or_else(|| panic!("no set of {of} in {:#?}", view.sets));
    match &set.members {
        SetMembers::Nets(nets) => {
            nets.v4.iter().map(ToString::to_string).chain(nets.v6.iter().map(ToString::to_string)).collect()
        }
        SetMembers::Ports(ports) => ports
            .iter()
            .map(|p| format!("{},{:?}:{}", p.address, p.protocol, p.port).to_lowercase())
            .collect(),
    }
}

/// Canonical selectors of all sets, sorted.
pub fn selectors(view: &NodeView) -> Vec<String> {
    let mut texts: Vec<String> = view
        .sets
        .iter()
        .filter_map(|set| match &set.meaning {
            SetMeaning::Selector(text) => Some(text.to_string()),
            _ => None,
        })
        .collect();
    texts.sort();
    texts
}

/// A namespace with its default service account.
pub fn namespace(name: &str, labels: &str) -> String {
    format!(
        "---\nkind: Namespace\napiVersion: v1\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n\
         ---\nkind: ServiceAccount\napiVersion: v1\nmetadata: {{name: default, namespace: {name}}}\n"
    )
}

/// A running pod.
pub fn pod(node: &str, namespace: &str, name: &str, labels: &str, address: &str) -> String {
    format!(
        "---\nkind: Pod\napiVersion: v1\n\
         metadata: {{name: {name}, namespace: {namespace}, labels: {{{labels}}}}}\n\
         spec: {{nodeName: {node}, containers: [{{name: c, ports: [{{name: http, containerPort: 8080}}]}}]}}\n\
         status: {{phase: Running, podIPs: [{{ip: '{address}'}}]}}\n"
    )
}

/// An object of Calico's stored API, which is not validated.
pub fn stored(kind: &str, name: &str, spec: &str) -> String {
    let (namespace, name) = name
        .split_once('/')
        .map_or((String::new(), name), |(namespace, name)| (format!("namespace: {namespace}, "), name));
    format!(
        "---\nkind: {kind}\napiVersion: crd.projectcalico.org/v1\nmetadata: {{{namespace}name: {name}}}\nspec:\n{}\n",
        spec.lines().map(|line| format!("  {line}\n")).collect::<String>()
    )
}
