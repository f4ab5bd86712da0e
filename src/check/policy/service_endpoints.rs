//! A rule names a service that has no EndpointSlice, so that it matches nothing. Felix takes the
//! addresses of a service from the EndpointSlices that carry its name in the label
//! `kubernetes.io/service-name`; it looks at no Service and at no Endpoints.
//!
//! Correct the name or the namespace. For a service without selector, write EndpointSlices.
//!
//! Nothing is said where the input has no EndpointSlice in that namespace at all, and where a controller
//! makes pods that the service selects.
//!
//! Decided at `felix/serviceindex/serviceindex.go:186`, v3.32.1.

use super::super::ClusterContext;
use super::written;
use crate::diagnostic::Diagnostic;
use crate::model::core::Service;
use crate::model::{Resources, suggest};
use rustc_hash::{FxHashMap, FxHashSet};

check!("service-without-endpoints", Warning, Likely, Cluster);

/// What the input has of services.
struct Known<'r> {
    /// names of services with EndpointSlices, by namespace
    with_slices: FxHashMap<&'r str, FxHashSet<&'r str>>,
    /// Service objects by namespace and name
    objects: FxHashMap<(&'r str, &'r str), &'r Service>,
}

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let mut known: Option<Known<'_>> = None;
    for policy in written::policies(ctx.resources) {
        for (_, rule) in written::rules(policy) {
            for services in written::sides(rule).into_iter().filter_map(|(_, side)| side.services.as_ref()) {
                if services.name.is_empty() || services.namespace.is_empty() {
                    continue;
                }
                let known = known.get_or_insert_with(|| Known::new(ctx.resources));
                let (namespace, name) = (&*services.namespace, &*services.name);
                let Some(names) = known.with_slices.get(namespace).filter(|names| !names.contains(name))
                else {
                    continue;
                };
                let service = known.objects.get(&(namespace, name)).copied();
                if service.is_some_and(|service| may_get_endpoints(ctx, service)) {
                    continue;
                }
                let message = format!(
                    "service `{namespace}/{name}` has no EndpointSlice, so this rule matches nothing"
                );
                let finding = CHECK.finding(services.at, message);
                found.push(match service {
                    Some(service) if service.selector.is_empty() => finding
                        .help("write EndpointSlices for it: felix looks neither at Services nor at Endpoints")
                        .related(service.meta.at, "the service has no selector"),
                    Some(service) => finding
                        .help("add its EndpointSlices to the input, or correct the name")
                        .related(service.meta.at, "the service"),
                    None => finding.help(nearest(name, names)),
                });
            }
        }
    }
}

impl<'r> Known<'r> {
    fn new(resources: &'r Resources) -> Self {
        let mut with_slices: FxHashMap<&str, FxHashSet<&str>> = FxHashMap::default();
        for slice in &resources.endpoint_slices {
            let name = slice.meta.labels.get("kubernetes.io/service-name").unwrap_or_default();
            with_slices.entry(&slice.meta.namespace).or_default().insert(name);
        }
        let objects = resources
            .services
            .iter()
            .map(|service| ((&*service.meta.namespace, &*service.meta.name), service));
        Known { with_slices, objects: objects.collect() }
    }
}

/// Whether a controller of the input makes pods that the service selects.
fn may_get_endpoints(ctx: &ClusterContext<'_, '_>, service: &Service) -> bool {
    !service.selector.is_empty()
        && ctx.resources.controllers.iter().any(|controller| {
            let mut wanted = service.selector.iter();
            controller.meta.namespace == service.meta.namespace
                && wanted.all(|(key, value)| controller.pod_labels.get(key) == Some(value))
        })
}

fn nearest(name: &str, names: &FxHashSet<&str>) -> String {
    let mut names: Vec<&str> = names.iter().copied().collect();
    names.sort_unstable();
    match suggest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "correct the name or the namespace, or add the EndpointSlices of the service to the input"
            .to_owned(),
    }
}
