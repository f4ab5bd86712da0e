//! `open-egress`: pods reach the whole internet, because no policy selects them for egress or one allows it. A note: many
//! clusters mean it.

use super::{Because, Context, Found, diagnostic};
use crate::audit::targets::Kind;
use crate::audit::words::list;
use crate::diagnostic::{Confidence, Severity};
use crate::model::calico::Direction;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Finds it: once for each namespace.
pub fn find(context: &Context<'_, '_>) -> Vec<Found> {
    let mut by_namespace: BTreeMap<&str, Vec<&crate::resolve::view::WorkloadEndpoint>> = BTreeMap::new();
    for (_, exposure, target) in context.exposures() {
        if target.kind != Kind::Internet {
            continue;
        }
        let open = |address: &IpAddr| exposure.fully.iter().any(|net| net.contains(address));
        for pod in &context.nodes[exposure.node].view.workloads {
            let own = by_namespace.entry(&pod.namespace).or_default();
            if pod.addresses.iter().any(open) && !own.iter().any(|other| other.pod == pod.pod) {
                own.push(pod);
            }
        }
    }
    let one = |(namespace, pods): (&str, Vec<&crate::resolve::view::WorkloadEndpoint>)| {
        let message = format!("pods of namespace `{namespace}` reach the whole internet");
        let said = diagnostic(
            "open-egress",
            Severity::Note,
            Confidence::Certain,
            pods.first().map(|pod| pod.at),
            message,
        )
        .help("select them with a policy of type `Egress` that allows what they need");
        let no_policy = |pod: &&crate::resolve::view::WorkloadEndpoint| !pod.has_policies(Direction::Egress);
        let (without, with): (Vec<_>, Vec<_>) = pods.into_iter().partition(no_policy);
        let names = |pods: &[&crate::resolve::view::WorkloadEndpoint]| {
            list(&pods.iter().map(|pod| format!("`{}`", pod.pod)).collect::<Vec<_>>())
        };
        let mut because = Vec::new();
        if !without.is_empty() {
            because.push(Because::text(format!("no policy selects {} for egress", names(&without))));
        }
        if !with.is_empty() {
            because.push(Because::text(format!("policies allow it to {}", names(&with))));
        }
        Found { because, ..Found::new(said, ("Namespace", namespace.to_owned())) }
    };
    by_namespace.into_iter().filter(|(_, pods)| !pods.is_empty()).map(one).collect()
}
