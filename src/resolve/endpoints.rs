//! The node's pods.

use super::config::FelixConfig;
use super::contributors::Contributors;
use super::convert::annotations;
use super::convert::pod;
use super::policies;
use super::view::{TierPolicies, WorkloadEndpoint};
use crate::diagnostic::Diagnostic;
use crate::model::Resources;

/// The prefix of pods' interface names. Calico's clients take it from the environment alone,
/// whatever a FelixConfiguration says
/// (`libcalico-go/lib/backend/k8s/conversion/workload_endpoint_default.go:84`, v3.32.1).
pub fn interface_prefix(resources: &Resources) -> String {
    let variables = resources.calico_node.iter().flat_map(|node| &node.env);
    let set =
        variables.filter(|(name, _)| &*name.value == "FELIX_INTERFACEPREFIX").filter_map(|(_, v)| v.as_ref());
    let text = set.last().map_or("", |value| &*value.value);
    match text.split(',').next() {
        Some(first) if !first.is_empty() => first.to_owned(),
        _ => "cali".to_owned(),
    }
}

/// Numbers of the node's pods, without those that Felix leaves out because they ask to send from
/// addresses of others and it does not allow that (`felix/calc/validation_filter.go:97`, v3.32.1).
pub fn local(
    contributors: &Contributors<'_>,
    node: &str,
    config: &FelixConfig,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<u32> {
    let mut pods = contributors.by_node.get(node).cloned().unwrap_or_default();
    if !config.workload_source_spoofing {
        pods.retain(|number| !contributors.spoofing.contains(number));
        for number in &contributors.spoofing {
            if let Ok(pod) = contributors.get(*number) {
                let message = format!(
                    "felix ignores pod `{}/{}`, so it gets no rules and is in no set: it has `{}`, and \
                     workloadSourceSpoofing is not `Any`",
                    pod.namespace,
                    pod.name,
                    annotations::SOURCE_PREFIXES
                );
                diagnostics.push(
                    Diagnostic::warning("ignored-by-felix", pod.at, message)
                        .help("set workloadSourceSpoofing to `Any`, or remove the annotation"),
                );
            }
        }
    }
    pods
}

/// One of the node's pods, with the policies that apply to it.
pub fn workload(
    contributors: &Contributors<'_>,
    number: u32,
    prefix: &str,
    tiers: Vec<TierPolicies>,
) -> WorkloadEndpoint {
    let Ok(pod) = contributors.get(number) else { unreachable!("only pods are numbered as local pods") };
    let addresses = contributors.addresses(number);
    // both have been read before, or the pod would be no contributor
    let floating_ips = annotations::floating_ips(&pod.annotations, &addresses).unwrap_or_default();
    let allowed_source_prefixes = annotations::source_prefixes(&pod.annotations).unwrap_or_default();
    WorkloadEndpoint {
        interface: pod::interface_name(prefix, &pod.namespace, &pod.name),
        namespace: pod.namespace.clone(),
        pod: pod.name.clone(),
        tiers,
        profiles: policies::of_pod(&pod.namespace, &pod.service_account),
        allowed_source_prefixes,
        floating_ips,
        qos: annotations::qos(&pod.annotations),
        dscp: annotations::dscp(&pod.annotations),
        addresses,
        at: pod.at,
    }
}
