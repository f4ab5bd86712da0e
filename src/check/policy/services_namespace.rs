//! A rule of a namespaced policy names a service without its namespace, so that it matches nothing.
//! Calico does not fill in the namespace of the policy: Felix looks for a service of that name in the
//! namespace with the empty name, and finds none. The rule is programmed with an empty set.
//!
//! Write `services.namespace`, also if it is the policy's own.
//!
//! Decided at `libcalico-go/lib/backend/syncersv1/updateprocessors/rules.go:156` and
//! `felix/calc/rule_scanner.go:428`, v3.32.1.

use super::super::ClusterContext;
use super::written;
use crate::diagnostic::Diagnostic;

check!("services-without-namespace", Warning, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    for policy in written::policies(ctx.resources) {
        for (_, rule) in written::rules(policy) {
            for (side, entity) in written::sides(rule) {
                let Some(services) = &entity.services else { continue };
                if services.name.is_empty() || !services.namespace.is_empty() {
                    continue;
                }
                let message = format!(
                    "`{side}.services` names `{}` without a namespace, so this rule matches nothing",
                    services.name
                );
                let own = &*policy.meta.namespace;
                let help = match own {
                    "" => "write `namespace` beside `name`".to_owned(),
                    own => format!(
                        "write `namespace` beside `name`, also if it is the policy's own: `namespace: {own}`"
                    ),
                };
                found.push(CHECK.finding(services.at, message).help(help));
            }
        }
    }
}
