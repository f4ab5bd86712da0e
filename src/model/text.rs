//! Scalars as text, the way Go's YAML and JSON libraries turn them.

use crate::source::scalar::as_go_string;
use crate::source::tree::Node;
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

/// A scalar as the text it becomes where a string is wanted; "" for null and for collections.
pub fn scalar_text(node: Node<'_>) -> Cow<'_, str> {
    node.style().and_then(|style| as_go_string(node.text(), style)).unwrap_or_default()
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
