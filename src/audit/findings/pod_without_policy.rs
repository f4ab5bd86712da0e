//! `exposed-pod-without-policy`: the internet reaches pods through a service, and no policy selects them for ingress.

use super::{Because, Context, Found, diagnostic};
use crate::audit::exposure::Verdict;
use crate::audit::targets::Kind;
use crate::audit::walk::End;
use crate::audit::words::list;
use crate::diagnostic::Severity;
use crate::model::calico::Direction;
use std::collections::{BTreeMap, BTreeSet};

/// Finds it: once for each service.
pub fn find(context: &Context<'_, '_>) -> Vec<Found> {
    let mut without: BTreeSet<(usize, &str, &str)> = BTreeSet::new();
    for (number, node) in context.nodes.iter().enumerate() {
        let open = |pod: &&crate::resolve::view::WorkloadEndpoint| !pod.has_policies(Direction::Ingress);
        without
            .extend(node.view.workloads.iter().filter(open).map(|pod| (number, &*pod.namespace, &*pod.pod)));
    }
    let mut reached: BTreeMap<(&str, usize), BTreeSet<&str>> = BTreeMap::new();
    for (_, exposure, target, _) in context.to_internet() {
        if target.kind.is_range() || target.kind.is_outside() || exposure.verdict == Verdict::Blocked {
            continue;
        }
        for end in exposure.ends.iter().filter(|end| end.counts) {
            let End::Pod { node, pod } = &end.end else { continue };
            let Some((namespace, name)) = pod.split_once('/') else { continue };
            if without.contains(&(*node, namespace, name)) {
                let first = reached.keys().find(|(of, _)| **of == *target.of).map(|(_, first)| *first);
                reached.entry((&target.of, first.unwrap_or(exposure.target))).or_default().insert(pod);
            }
        }
    }
    let one = |((of, target), pods): ((&str, usize), BTreeSet<&str>)| {
        let target = &context.audit.targets[target];
        let message = format!("the internet reaches pods of `{of}` that no policy selects for ingress");
        let confidence = context.confidence(context.audit.entered.clone());
        let said =
            diagnostic("exposed-pod-without-policy", Severity::Warning, confidence, target.at, message)
                .help("write a NetworkPolicy that selects them and allows what their clients need");
        let pods: Vec<String> = pods.into_iter().map(|pod| format!("`{pod}`")).collect();
        let because = vec![Because::text(format!("no policy selects {}", list(&pods)))];
        let of_pod = matches!(target.kind, Kind::HostPort | Kind::HostNetwork);
        let kind = if of_pod { "Pod" } else { "Service" };
        Found { because, ..Found::new(said, (kind, of.to_owned())) }
    };
    reached.into_iter().map(one).collect()
}
