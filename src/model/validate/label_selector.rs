//! Kubernetes' label selectors (`ValidateLabelSelector`, `k8s.io/apimachinery/pkg/apis/meta/v1/validation`).

use super::names;
use crate::model::findings::Findings;
use crate::model::lower::reader::Reader;
use crate::model::text::{excerpt, scalar_text};

/// Checks a label selector, which stands at `field`.
pub fn check(selector: &Reader<'_>, field: &str, findings: &mut Findings<'_>) {
    for (key, value) in selector.get("matchLabels").iter().flat_map(|node| node.entries()) {
        label_key(key.text(), key.at(), field, findings);
        label_value(&scalar_text(value), value.at(), field, findings);
    }
    for expression in selector.subs("matchExpressions") {
        label_key(&expression.text("key"), expression.at_of("key"), field, findings);
        let operator = expression.text("operator");
        let values = expression.texts("values");
        let reason = match &*operator {
            "In" | "NotIn" if values.is_empty() => {
                format!("`{operator}` in `{field}` needs `values`")
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                format!("`{operator}` in `{field}` takes no `values`")
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {
                for value in &values {
                    label_value(&value.value, value.at, field, findings);
                }
                continue;
            }
            other => format!(
                "`operator: {}` in `{field}` is none of `In`, `NotIn`, `Exists`, `DoesNotExist`",
                excerpt(other)
            ),
        };
        findings.turn_away("bad-label-selector", expression.at(), &reason);
    }
}

fn label_key(key: &str, at: crate::diagnostic::Location, field: &str, findings: &mut Findings<'_>) {
    if let Err(why) = names::qualified_name(key) {
        let reason = format!("`{}` in `{field}` is no key of a label: {why}", excerpt(key));
        findings.turn_away("bad-label-selector", at, &reason);
    }
}

fn label_value(value: &str, at: crate::diagnostic::Location, field: &str, findings: &mut Findings<'_>) {
    if let Err(why) = names::label_value(value) {
        let reason = format!("`{}` in `{field}` is no value of a label: {why}", excerpt(value));
        findings.turn_away("bad-label-selector", at, &reason);
    }
}
