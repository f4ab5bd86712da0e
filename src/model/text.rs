//! Scalars as text, the way Go's YAML and JSON libraries turn them.

use crate::source::tree::{Node, Value};
use std::borrow::Cow;

/// A value fit for a message: control characters replaced, at most 80 characters.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    const MAX: usize = 80;
    if text.len() <= MAX && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut short = String::new();
    for c in text.chars().take(MAX) {
        if c.is_control() {
            short.extend(c.escape_default());
        } else {
            short.push(c);
        }
    }
    if text.chars().nth(MAX).is_some() {
        short.push('…');
    }
    Cow::Owned(short)
}

/// A scalar as the text it becomes where a string is wanted (`sigs.k8s.io/yaml`): numbers and
/// booleans in Go's spelling; "" for null and for collections.
pub fn scalar_text(node: Node<'_>) -> Cow<'_, str> {
    match node.value() {
        Value::Str(text) => Cow::Borrowed(text),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Int(n) => Cow::Owned(n.to_string()),
        Value::Float(x) => Cow::Owned(go_float(x)),
        Value::Null | Value::Seq | Value::Map => Cow::Borrowed(""),
    }
}

/// Go's `strconv.FormatFloat(x, 'g', -1, 64)`.
pub fn go_float(x: f64) -> String {
    if !x.is_finite() {
        return if x.is_nan() {
            "NaN"
        } else if x > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        }
        .to_owned();
    }
    let scientific = format!("{x:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        format!("{x}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    }
}

/// Whether Go's `time.ParseDuration` takes the text.
pub fn go_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() || text.len() > 64 {
        return false;
    }
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (value, tail) = rest.split_at(number);
        if value.matches('.').count() > 1 || !value.bytes().any(|b| b.is_ascii_digit()) {
            return false;
        }
        let Some(unit) = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"]
            .into_iter()
            .filter(|unit| tail.starts_with(unit))
            .max_by_key(|unit| unit.len())
        else {
            return false;
        };
        rest = &tail[unit.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_go_prints_them() {
        for (x, text) in [
            (1.5, "1.5"),
            (1.1, "1.1"),
            (1e6, "1e+06"),
            (100_000.0, "100000"),
            (1_234_567.0, "1.234567e+06"),
            (1_234_567.5, "1.2345675e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-2.5, "-2.5"),
            (1e21, "1e+21"),
            (123_456.0, "123456"),
            (0.0, "0"),
        ] {
            assert_eq!(go_float(x), text);
        }
    }

    #[test]
    fn durations_as_go_reads_them() {
        for text in ["90s", "1m30s", "0", "1.5h", "-2ms", ".5s", "1h1m1s1ms1us1ns"] {
            assert!(go_duration(text), "{text}");
        }
        for text in ["", "90", "s", "1 s", "1.2.3s", "1d", "."] {
            assert!(!go_duration(text), "{text}");
        }
    }

    #[test]
    fn excerpts_are_short_and_on_one_line() {
        assert_eq!(excerpt("a\nb"), "a\\nb");
        assert_eq!(excerpt(&"x".repeat(500)).chars().count(), 81);
    }
}
