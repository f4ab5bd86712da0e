//! The words `all()` in a policy's own selector are replaced by something narrower. In a
//! GlobalNetworkPolicy with `namespaceSelector`, Calico joins the selectors as text and then replaces
//! every `all()`, also those in `selector`, by `has(projectcalico.org/namespace)`; with
//! `serviceAccountSelector`, by `has(projectcalico.org/serviceaccount)`. `selector: all()` with
//! `namespaceSelector: env != 'test'` then leaves out host endpoints, which have no namespace, although
//! `env != 'test'` is true of them; and `!all()`, which is nothing, becomes all host endpoints.
//!
//! Leave `selector` out instead of writing `all()`, or write `all( )`, which means the same and is not
//! replaced. Write a policy of its own for host endpoints.
//!
//! Nothing is said where both readings select the same endpoints of the input.
//!
//! Decided at `libcalico-go/lib/backend/syncersv1/updateprocessors/globalnetworkpolicyprocessor.go:63`
//! and `:69`, v3.32.1.

use super::super::ClusterContext;
use super::written;
use crate::diagnostic::Diagnostic;
use crate::model::calico::{Policy, PolicyKind as Kind};
use crate::model::core::Pod;
use crate::resolve::convert::calico_policy::within_namespaces;
use crate::resolve::convert::selectors::{SERVICE_ACCOUNT_PREFIX, Selectors, replace_all};
use crate::resolve::query::Selection;

check!("all-in-selector-replaced", Warning, Certain, Cluster);

const ALL: &str = "all()";

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let mut selectors = Selectors::default();
    for policy in written::policies(ctx.resources) {
        let global = matches!(policy.kind, Kind::GlobalNetworkPolicy | Kind::StagedGlobalNetworkPolicy);
        let (namespaces, accounts) =
            (&policy.namespace_selector.value, &policy.service_account_selector.value);
        let joined = !namespaces.is_empty() || !accounts.is_empty();
        if !global || !joined || !policy.selector.value.contains(ALL) {
            continue;
        }
        let Some((read, applied)) = both(ctx, policy, &mut selectors) else { continue };
        let (mut missed, mut added) = (read.clone(), applied.clone());
        missed.subtract(&applied);
        added.subtract(&read);
        if let Some(change) = describe("leaves out", &missed).or_else(|| describe("adds", &added)) {
            let message = format!(
                "`all()` in `selector` is replaced by `{}`, which {change}",
                if namespaces.is_empty() { ACCOUNT } else { NAMESPACE }
            );
            found.push(CHECK.finding(policy.selector.at, message).help(
                "leave `selector` out, write `all( )`, or write a policy of its own for host endpoints",
            ));
        }
    }
}

const NAMESPACE: &str = "has(projectcalico.org/namespace)";
const ACCOUNT: &str = "has(projectcalico.org/serviceaccount)";

/// Whom the policy selects as it reads, and as it is applied.
fn both<'c, 'r>(
    ctx: &ClusterContext<'c, 'r>,
    policy: &Policy,
    selectors: &mut Selectors,
) -> Option<(Selection<'c, 'r>, Selection<'c, 'r>)> {
    let mut joined = |own: &str| {
        let text = within_namespaces(own.to_owned(), &policy.namespace_selector.value, selectors);
        let accounts = &policy.service_account_selector.value;
        let text = selectors.and_prefixed(text, accounts, SERVICE_ACCOUNT_PREFIX);
        let text = if accounts.is_empty() { text } else { replace_all(text, ACCOUNT) };
        selectors.parse(&text).ok().map(|selector| ctx.everyone.select(&selector))
    };
    let mut read = joined("")?;
    let applied = joined(&policy.selector.value)?;
    read.intersect(&ctx.everyone.select(&*selectors.parse(&policy.selector.value).ok()?));
    Some((read, applied))
}

/// The endpoints that make the difference, by one of them.
fn describe(verb: &str, selection: &Selection<'_, '_>) -> Option<String> {
    if let Some(host) = selection.host_endpoints().next() {
        return Some(format!("{verb} host endpoint `{}`", host.meta.name));
    }
    let Pod { namespace, name, .. } = selection.pods().next()?;
    Some(format!("{verb} pod `{namespace}/{name}`"))
}
