//! Workload controllers whose pods are not in the input. What depends on such pods is not guessed:
//! it is said to be missing, with the policies that would select them.

use super::convert::profile::{self, Profiles};
use super::convert::selectors::{NAMESPACE, ORCHESTRATOR};
use super::policy::Policy;
use crate::diagnostic::Diagnostic;
use crate::model::Resources;
use crate::model::core::Controller;
use rustc_hash::FxHashMap;

/// Policies that a note names before it only counts them.
const NAMED: usize = 5;

/// Namespace, key and value of a label.
type Key<'r> = (&'r str, &'r str, &'r str);

/// Notes every controller that wants pods and has none.
pub fn note(
    resources: &Resources,
    profiles: &Profiles<'_>,
    policies: &[Policy],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut absent: Vec<&Controller> = Vec::new();
    // controllers by the first label of their pods, so that pods are looked at once
    let mut by_label: FxHashMap<Key<'_>, Vec<usize>> = FxHashMap::default();
    for controller in resources.controllers.iter().filter(|controller| controller.wants_pods) {
        if let Some((key, value)) = controller.pod_labels.iter().next() {
            by_label.entry((&controller.meta.namespace, key, value)).or_default().push(absent.len());
        }
        absent.push(controller);
    }
    if absent.is_empty() {
        return;
    }
    let mut has_pods = vec![false; absent.len()];
    for pod in &resources.pods {
        for (key, value) in pod.labels.iter() {
            for &at in by_label.get(&(&*pod.namespace, key, value)).into_iter().flatten() {
                let mut labels = absent[at].pod_labels.iter();
                has_pods[at] |= labels.all(|(key, value)| pod.labels.get(key) == Some(value));
            }
        }
    }
    let without = absent.iter().zip(&has_pods).filter(|(_, has)| !**has).map(|(controller, _)| controller);
    diagnostics.extend(without.map(|controller| describe(controller, profiles, policies)));
}

fn describe(controller: &Controller, profiles: &Profiles<'_>, policies: &[Policy]) -> Diagnostic {
    let namespace = &*controller.meta.namespace;
    let inherited = profiles.get(&profile::of_namespace(namespace));
    let label = |key: &str| match key {
        NAMESPACE => Some(namespace),
        ORCHESTRATOR => Some("k8s"),
        _ => controller
            .pod_labels
            .get(key)
            .or_else(|| inherited?.labels.iter().find(|(own, _)| &**own == key).map(|(_, value)| *value)),
    };
    let selecting: Vec<&Policy> = policies.iter().filter(|policy| policy.selector.evaluate(&label)).collect();
    let policies = match selecting.len() {
        0 => "no policy would select them".to_owned(),
        1 => "1 policy would select them".to_owned(),
        count => format!("{count} policies would select them"),
    };
    let message = format!(
        "no pod of {} `{namespace}/{}` is in the input, so there are no rules for its pods and no set has their \
         addresses; {policies}",
        controller.kind, controller.meta.name
    );
    let mut note = Diagnostic::note("pods-not-given", controller.meta.at, message)
        .help("add its pods, as `kubectl get pods -o yaml` prints them");
    for policy in selecting.into_iter().take(NAMED) {
        note = note.related(
            policy.at,
            format!("{} `{}` would select them", policy.id.kind.name(), policy.id.path()),
        );
    }
    note
}
