//! Kubernetes' label selectors → Calico's selector texts.
//!
//! `libcalico-go/lib/backend/k8s/conversion/conversion.go:386`, v3.32.1.

use super::selectors::ORCHESTRATOR;
use crate::model::network_policy::{LabelSelector, Operator};
use std::fmt::Write;

/// A selector of pods. Host endpoints carry no orchestrator, so they are left out; no selector
/// means every pod.
pub fn pods(selector: Option<&LabelSelector>) -> String {
    let mut text = format!("{ORCHESTRATOR} == 'k8s'");
    if let Some(selector) = selector {
        terms(selector, &mut text);
    }
    text
}

/// A selector of namespaces: "" for none, `all()` for one without terms.
pub fn namespaces(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else { return String::new() };
    if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
        return "all()".to_owned();
    }
    let mut text = String::new();
    terms(selector, &mut text);
    text
}

fn terms(selector: &LabelSelector, text: &mut String) {
    let mut labels: Vec<_> = selector.match_labels.iter().map(|(key, value)| (&**key, &**value)).collect();
    labels.sort_unstable();
    let and = |text: &mut String| {
        if !text.is_empty() {
            text.push_str(" && ");
        }
    };
    // writing to a String cannot fail
    for (key, value) in labels {
        and(text);
        let _ = write!(text, "{key} == '{value}'");
    }
    for expression in &selector.match_expressions {
        and(text);
        let key = &expression.key;
        let values = || expression.values.join("', '");
        let _ = match expression.operator {
            Operator::In => write!(text, "{key} in {{ '{}' }}", values()),
            Operator::NotIn => write!(text, "{key} not in {{ '{}' }}", values()),
            Operator::Exists => write!(text, "has({key})"),
            Operator::DoesNotExist => write!(text, "! has({key})"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::network_policy::LabelExpression;

    #[test]
    fn empty_and_absent_selectors_differ() {
        let empty = LabelSelector::default();
        assert_eq!(pods(None), "projectcalico.org/orchestrator == 'k8s'");
        assert_eq!(pods(Some(&empty)), "projectcalico.org/orchestrator == 'k8s'");
        assert_eq!(namespaces(None), "");
        assert_eq!(namespaces(Some(&empty)), "all()");
    }

    #[test]
    fn labels_are_sorted_and_expressions_keep_their_order() {
        let expression = |key: &str, operator, values: &[&str]| LabelExpression {
            key: key.into(),
            operator,
            values: values.iter().map(|v| Box::from(*v)).collect(),
        };
        let selector = LabelSelector {
            match_labels: vec![("b".into(), "2".into()), ("a".into(), "1".into())],
            match_expressions: vec![
                expression("z", Operator::In, &["y", "x"]),
                expression("c", Operator::NotIn, &["v"]),
                expression("e", Operator::Exists, &[]),
                expression("d", Operator::DoesNotExist, &[]),
            ],
        };
        assert_eq!(
            namespaces(Some(&selector)),
            "a == '1' && b == '2' && z in { 'y', 'x' } && c not in { 'v' } && has(e) && ! has(d)"
        );
    }
}
