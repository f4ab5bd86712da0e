//! Whether a selector that selects nothing is wrong, or whether the input does not say.
//!
//! A selector is asked in two steps: the terms about namespaces say where it looks, all terms say
//! for whom. Where it looks there must be pods in the input, or nothing is known. A controller that
//! makes such pods, a pod without address, and labels of objects that are only mentioned make it
//! unsure as well.

use super::super::ClusterContext;
use crate::model::core::Pod;
use crate::model::suggest;
use crate::resolve::convert::selectors::{NAMESPACE, NAMESPACE_PREFIX, ORCHESTRATOR};
use crate::resolve::prospects::Prospect;
use crate::resolve::query::Selection;
use crate::syntax::selector::{Node, Selector};
use std::collections::BTreeSet;

/// Pods that are looked at for the label that was meant.
const LOOKED_AT: usize = 1000;

/// Labels that say which application a pod is of; one is often taken for another.
const APPLICATION: [&str; 6] =
    ["app", "k8s-app", "app.kubernetes.io/name", "app.kubernetes.io/instance", "component", "name"];

/// What is known of a selector that selects nothing.
pub struct Nothing<'r, 's> {
    /// it can select pods only, not host endpoints or global network sets
    pub namespaced: bool,
    /// a pod on the host's network that it would select
    pub on_host: Option<&'r Pod>,
    /// the term that no pod fits; `None` if each fits some pod, and all together none
    term: Option<&'s Node>,
    /// the label of that pod that the term may have meant, key and value
    meant: Option<(&'r str, &'r str)>,
    /// pods have the labels that the term asks for, with other values
    pub uses_known_labels: bool,
}

/// What is known of a selector that selects nothing; `None` if that may be for want of input.
pub fn nothing<'r, 's>(ctx: &ClusterContext<'_, 'r>, selector: &'s Selector) -> Option<Nothing<'r, 's>> {
    let mut terms = Vec::new();
    each_term(selector.root(), &mut terms);
    let (place, own): (Vec<&Node>, Vec<&Node>) = terms.into_iter().partition(|term| is_about_place(term));
    let within = |term: &Node, there: &Selection<'_, 'r>| {
        let mut fitting = ctx.everyone.select_part(term);
        fitting.intersect(there);
        fitting.pods().next().is_some()
    };
    let mut there = ctx.everyone.select_part(&Node::All);
    place.iter().for_each(|term| there.intersect(&ctx.everyone.select_part(term)));
    let prospects = ctx.prospects();
    if prospects.asks_for_unknown(selector) {
        return None;
    }
    let mut on_host = None;
    for prospect in prospects.matching(selector) {
        match prospect {
            Prospect::HostNetwork(pod) => on_host = on_host.or(Some(pod)),
            Prospect::WithoutAddress(_) | Prospect::Made(_) => return None,
        }
    }
    if on_host.is_none() {
        there.pods().next()?;
    }
    let term = own.into_iter().find(|term| !within(term, &there));
    let meant = term.and_then(value).and_then(|wanted| meant(wanted, &there));
    let mut uses_known_labels = true;
    if let Some(term) = term {
        term.each_label(&mut |key| uses_known_labels &= within(&Node::Has(key.into()), &there));
    }
    let namespaced = place.iter().any(|term| !term.evaluate(&|_| None));
    Some(Nothing { namespaced, on_host, term, meant, uses_known_labels })
}

/// The label that was meant: a value like the wanted one, or the same value for a label that is as
/// good as the wanted one.
fn meant<'r>((key, wanted): (&str, &str), there: &Selection<'_, 'r>) -> Option<(&'r str, &'r str)> {
    let labels = || there.pods().take(LOOKED_AT).flat_map(|pod| pod.labels.iter());
    let values: BTreeSet<&str> = labels().filter(|(own, _)| *own == key).map(|(_, value)| value).collect();
    if let Some(near) = suggest(wanted, values) {
        return labels().find(|label| *label == (key, near));
    }
    let as_good = |own: &str| {
        (APPLICATION.contains(&own) && APPLICATION.contains(&key)) || suggest(key, [own]).is_some()
    };
    labels().find(|(own, value)| *value == wanted && as_good(own))
}

impl Nothing<'_, '_> {
    /// Whether there is a sign that the selector is wrong, and not only of no use yet.
    pub fn is_likely_wrong(&self) -> bool {
        self.on_host.is_some() || self.meant.is_some()
    }

    /// What no pod fits, and what may have been meant; "" if there is no single term to blame.
    pub fn hint(&self) -> String {
        let Some(term) = self.term else { return String::new() };
        let nobody = if self.namespaced { "no pod there has" } else { "no pod has" };
        let known = match (value(term), term) {
            (Some((key, wanted)), _) => format!("{nobody} the value `{wanted}` for the label `{key}`"),
            (None, Node::Has(key)) => format!("{nobody} the label `{key}`"),
            (None, _) => return String::new(),
        };
        match self.meant {
            Some((key, value)) => format!("{known}; did you mean `{value}` for `{key}`?"),
            None => known,
        }
    }
}

fn each_term<'s>(node: &'s Node, terms: &mut Vec<&'s Node>) {
    match node {
        Node::And(operands) => operands.iter().for_each(|operand| each_term(operand, terms)),
        other => terms.push(other),
    }
}

/// Whether a term asks for labels that the namespace alone decides.
fn is_about_place(term: &Node) -> bool {
    let (mut place, mut other) = (false, false);
    term.each_label(&mut |key| {
        let own = key == NAMESPACE || key == ORCHESTRATOR || key.starts_with(NAMESPACE_PREFIX);
        place |= own;
        other |= !own;
    });
    place && !other
}

/// The label and the only value that a term wants.
fn value(term: &Node) -> Option<(&str, &str)> {
    match term {
        Node::Equals(key, value) => Some((key, value)),
        Node::In(key, values) => match &**values {
            [value] => Some((key, value)),
            _ => None,
        },
        _ => None,
    }
}
