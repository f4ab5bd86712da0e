//! Names: of objects, labels, ports, interfaces.

/// The longest name of an object (DNS-1123 subdomain).
pub const MAX_SUBDOMAIN: usize = 253;
/// The longest DNS-1123 label.
pub const MAX_LABEL: usize = 63;

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, any length.
pub fn is_label_form(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => {
            inner(first) && inner(last) && bytes.iter().all(|&b| inner(b) || b == b'-')
        }
        _ => false,
    }
}

/// Label forms joined by dots, any length: calicoctl's `name` tag.
pub fn is_subdomain_form(text: &str) -> bool {
    text.split('.').all(is_label_form)
}

/// A DNS-1123 label as Kubernetes asks for it.
pub fn is_dns_label(text: &str) -> bool {
    text.len() <= MAX_LABEL && is_label_form(text)
}

/// A DNS-1123 subdomain as Kubernetes asks for it.
pub fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= MAX_SUBDOMAIN && is_subdomain_form(text)
}

/// A name of a NetworkPolicy of Calico: one label, two with a dot between, or anything behind
/// `knp.default.` or `ossg.default.` (`libcalico-go/lib/validator/v3/validator.go:75`, v3.32.1).
pub fn is_network_policy_name(text: &str) -> bool {
    is_global_policy_name(text)
        || ["knp.default.", "ossg.default."]
            .iter()
            .any(|prefix| text.strip_prefix(prefix).is_some_and(is_subdomain_form))
}

/// A name of a GlobalNetworkPolicy: one label, or two with a dot between (`:79`).
pub fn is_global_policy_name(text: &str) -> bool {
    is_subdomain_form(text) && text.matches('.').count() <= 1
}

/// A name of an interface, or `*` (`:84`).
pub fn is_interface(text: &str) -> bool {
    text == "*" || chars(text, 1..=15, |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// A name of an interface that may end with a wildcard `+` (`:89`).
pub fn is_interface_filter(text: &str) -> bool {
    chars(text, 1..=15, |b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'.' | b'_' | b'+' | b'-'))
}

/// A host name or address for Prometheus to listen on (`:82`).
pub fn is_prometheus_host(text: &str) -> bool {
    chars(text, 1..=64, |b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'.' | b'_' | b'+' | b'-'))
}

fn chars(text: &str, length: std::ops::RangeInclusive<usize>, allowed: impl Fn(u8) -> bool) -> bool {
    length.contains(&text.len()) && text.bytes().all(allowed)
}

/// An AS number: decimal, or two numbers of 16 bits joined by a dot.
pub fn is_as_number(text: &str) -> bool {
    match text.split_once('.') {
        Some((high, low)) => high.parse::<u16>().is_ok() && low.parse::<u16>().is_ok(),
        None => text.parse::<u32>().is_ok(),
    }
}

/// An IANA service name, as Kubernetes asks of port names; the error says what is wrong
/// (`IsValidPortName`, `k8s.io/apimachinery/pkg/util/validation`).
pub fn port_name(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > 15 {
        return Err("it is longer than 15 characters");
    }
    if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err("only lower-case letters, digits and `-` are allowed");
    }
    if !text.bytes().any(|b| b.is_ascii_lowercase()) {
        return Err("it has no letter");
    }
    if text.contains("--") {
        return Err("it has two `-` in a row");
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err("it begins or ends with `-`");
    }
    Ok(())
}

/// A key of a label or annotation: an optional DNS subdomain and `/`, then a name
/// (`IsQualifiedName`).
pub fn qualified_name(text: &str) -> Result<(), &'static str> {
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => return Err("it has more than one `/`"),
        Some((prefix, name)) => {
            if !is_dns_subdomain(prefix) {
                return Err("the part before `/` must be a DNS name in lower case");
            }
            name
        }
    };
    if name.is_empty() {
        return Err("the name is empty");
    }
    if name.len() > MAX_LABEL {
        return Err("the name is longer than 63 characters");
    }
    if !is_label_text(name) {
        return Err(
            "letters, digits, `-`, `_` and `.` are allowed, beginning and ending with a letter or digit",
        );
    }
    Ok(())
}

/// A value of a label (`IsValidLabelValue`).
pub fn label_value(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_LABEL {
        return Err("it is longer than 63 characters");
    }
    if !text.is_empty() && !is_label_text(text) {
        return Err(
            "letters, digits, `-`, `_` and `.` are allowed, beginning and ending with a letter or digit",
        );
    }
    Ok(())
}

fn is_label_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => {
            first.is_ascii_alphanumeric()
                && last.is_ascii_alphanumeric()
                && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_policies() {
        for name in ["a", "default.web", "a-1"] {
            assert!(is_global_policy_name(name) && is_network_policy_name(name), "{name}");
        }
        for name in ["", "a.b.c", "Web", "-a", "a-", "a..b", "a_b", "<worker>"] {
            assert!(!is_global_policy_name(name), "{name}");
        }
        assert!(is_network_policy_name("knp.default.a.b.c"));
        assert!(!is_network_policy_name("knp.other.a.b.c"));
    }

    #[test]
    fn names_of_ports() {
        assert!(port_name("http-2").is_ok());
        for name in ["", "8080", "30000-32767", "a--b", "-a", "a-", "HTTP", "longer-than-15-ch"] {
            assert!(port_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn keys_and_values_of_labels() {
        for key in ["app", "example.com/zone", "A_b.c-d"] {
            assert!(qualified_name(key).is_ok(), "{key}");
        }
        for key in ["", "/a", "a/", "a/b/c", "Example.com/a", "a b", &"x".repeat(64)] {
            assert!(qualified_name(key).is_err(), "{key}");
        }
        assert!(label_value("").is_ok());
        assert!(label_value("-a").is_err());
    }

    #[test]
    fn interfaces() {
        assert!(is_interface("*") && is_interface("eth0.100"));
        assert!(!is_interface("eth+") && is_interface_filter("eth+"));
        assert!(!is_interface("sixteen-letters-"));
    }
}
