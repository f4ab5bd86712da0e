//! Felix's own checks: what fails them is treated as missing.
//!
//! `felix/calc/validation_filter.go:54` and `libcalico-go/lib/validator/v1/validator.go`, v3.32.1.

use super::convert::draft::{Draft, DraftRule, DraftSide};
use super::convert::pod::is_port_name;
use super::convert::selectors::Selectors;
use crate::diagnostic::Location;
use crate::model::calico::{HostEndpoint, Port, Protocol};
use crate::version::Facts;

/// Why Felix does not take an object, or why we do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// what is wrong, as the end of a sentence
    pub reason: String,
    /// where
    pub at: Location,
    /// Felix would take it, but it is beyond our limits
    pub beyond_limits: bool,
}

impl Refusal {
    fn new(at: Location, reason: impl Into<String>) -> Self {
        Refusal { reason: reason.into(), at, beyond_limits: false }
    }
}

/// Checks a policy (`libcalico-go/lib/backend/model/policy.go:87`).
///
/// # Errors
///
/// The first thing that is wrong with it.
pub fn policy(draft: &Draft, facts: &Facts, selectors: &mut Selectors) -> Result<(), Refusal> {
    selector("its selector", &draft.selector, draft.selector_at, selectors)?;
    if draft.unknown_hint {
        return Err(Refusal::new(draft.at, "it has a performance hint other than `AssumeNeededOnEveryNode`"));
    }
    for rules in [&draft.inbound, &draft.outbound] {
        rules.iter().try_for_each(|r| rule(r, facts, selectors))?;
    }
    Ok(())
}

fn selector(what: &str, text: &str, at: Location, selectors: &mut Selectors) -> Result<(), Refusal> {
    match selectors.parse(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(Refusal {
            reason: format!("{what} `{}` does not parse: {error}", text.trim_end()),
            at,
            beyond_limits: error.too_deep,
        }),
    }
}

fn rule(rule: &DraftRule, facts: &Facts, selectors: &mut Selectors) -> Result<(), Refusal> {
    if let Some(version) = rule.ip_version.filter(|version| !matches!(version, 4 | 6)) {
        return Err(Refusal::new(rule.at, format!("ipVersion `{version}` is neither 4 nor 6")));
    }
    for protocol in [&rule.protocol, &rule.not_protocol].into_iter().flatten() {
        self::protocol(protocol, rule.at)?;
    }
    for (field, (kind, code)) in [("icmp", rule.icmp), ("notICMP", rule.not_icmp)] {
        let outside = |value: Option<i64>, max| value.filter(|value| !(0..=max).contains(value));
        if let Some(value) = outside(kind, 254) {
            return Err(Refusal::new(rule.at, format!("{field} type `{value}` is not between 0 and 254")));
        }
        if let Some(value) = outside(code, 255) {
            return Err(Refusal::new(rule.at, format!("{field} code `{value}` is not between 0 and 255")));
        }
    }
    side(rule, &rule.source, "source", facts, selectors)?;
    side(rule, &rule.destination, "destination", facts, selectors)
}

fn protocol(protocol: &Protocol, at: Location) -> Result<(), Refusal> {
    match protocol {
        Protocol::Number(0) => Err(Refusal::new(at, "protocol `0` is none")),
        Protocol::Number(_) => Ok(()),
        Protocol::Name(name) => match &**name {
            "tcp" | "udp" | "icmp" | "icmpv6" | "sctp" | "udplite" => Ok(()),
            // a number in quotes is a number
            digits if digits.parse::<u8>().is_ok_and(|number| number != 0) => Ok(()),
            other => Err(Refusal::new(at, format!("protocol `{other}` is not known"))),
        },
    }
}

fn side(
    rule: &DraftRule,
    side: &DraftSide,
    name: &str,
    facts: &Facts,
    selectors: &mut Selectors,
) -> Result<(), Refusal> {
    // what the user wrote comes first, so that messages speak of it
    for written in &side.written {
        selector(&format!("{name}.{}", written.field), &written.text, written.at, selectors)?;
    }
    let (positive, negative) = side.set_selectors();
    for text in [positive, negative].into_iter().flatten() {
        selector(&format!("the selector of its {name}"), &text, rule.at, selectors)?;
    }
    for (field, ports) in [("ports", &side.ports), ("notPorts", &side.not_ports)] {
        for port in ports {
            if let Port::Range(first, last) = port
                && (*first == 0 || first > last)
            {
                let reason = format!("{name}.{field} `{}` is no range of ports", range(*first, *last));
                return Err(Refusal::new(rule.at, reason));
            }
        }
        let numeric = ports.iter().find_map(|port| match port {
            Port::Range(first, last) => Some(range(*first, *last)),
            Port::Name(_) => None,
        });
        let named = ports.iter().find_map(|port| match port {
            Port::Name(name) if !facts.named_ports_of_any_protocol => Some(name.to_string()),
            _ => None,
        });
        match (&rule.protocol, numeric.or(named), ports.first()) {
            (None, Some(port), _) => {
                let reason = format!("{name}.{field} `{port}` needs protocol TCP, UDP or SCTP");
                return Err(Refusal::new(rule.at, reason));
            }
            (Some(protocol), _, Some(_)) if !has_ports(protocol) => {
                let reason = format!("{name}.{field} needs protocol TCP, UDP or SCTP");
                return Err(Refusal::new(rule.at, reason));
            }
            _ => {}
        }
    }
    Ok(())
}

fn range(first: u16, last: u16) -> String {
    if first == last { first.to_string() } else { format!("{first}:{last}") }
}

fn has_ports(protocol: &Protocol) -> bool {
    match protocol {
        Protocol::Number(number) => matches!(number, 6 | 17 | 132),
        Protocol::Name(name) => matches!(&**name, "tcp" | "udp" | "sctp" | "6" | "17" | "132"),
    }
}

/// Checks a host endpoint (`libcalico-go/lib/backend/model/hostendpoint.go:117`).
///
/// # Errors
///
/// The first thing that is wrong with it.
pub fn host_endpoint(endpoint: &HostEndpoint) -> Result<(), Refusal> {
    let at = endpoint.meta.at;
    let interface = &*endpoint.interface;
    if interface != "*" && !interface.is_empty() && !(interface.len() <= 15 && is_port_name(interface)) {
        return Err(Refusal::new(at, format!("`{interface}` is no name of an interface")));
    }
    for profile in &endpoint.profiles {
        if !is_port_name(&profile.value) {
            return Err(Refusal::new(profile.at, format!("`{}` is no name of a profile", profile.value)));
        }
    }
    for port in &endpoint.ports {
        if !is_port_name(&port.name) {
            return Err(Refusal::new(at, format!("`{}` is no name of a port", port.name)));
        }
        if port.port == 0 {
            return Err(Refusal::new(at, format!("port `{}` is 0", port.name)));
        }
        let known = match &port.protocol {
            Protocol::Name(name) => matches!(&*name.to_lowercase(), "tcp" | "udp" | "sctp"),
            Protocol::Number(_) => false,
        };
        if !known {
            return Err(Refusal::new(
                at,
                format!("the protocol of port `{}` is not TCP, UDP or SCTP", port.name),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::FileId;
    use crate::model::calico::Action;
    use crate::version::CalicoVersion;

    const AT: Location = Location { file: FileId(0), line: 1, column: 1 };

    fn refusal(change: impl FnOnce(&mut DraftRule)) -> Option<String> {
        let mut draft = DraftRule::new(Action::Allow, AT);
        change(&mut draft);
        rule(&draft, CalicoVersion::LATEST.facts(), &mut Selectors::default())
            .err()
            .map(|refusal| refusal.reason)
    }

    /// What the schema refuses as well, and so never gets here from a manifest.
    #[test]
    fn rules_that_the_schema_refuses_are_refused_too() {
        let reason = |text: &str| Some(text.to_owned());
        assert_eq!(refusal(|rule| rule.icmp = (Some(254), Some(255))), None);
        assert_eq!(
            refusal(|rule| rule.icmp = (Some(255), None)),
            reason("icmp type `255` is not between 0 and 254")
        );
        assert_eq!(
            refusal(|rule| rule.not_icmp = (None, Some(-1))),
            reason("notICMP code `-1` is not between 0 and 255")
        );
        assert_eq!(refusal(|rule| rule.ip_version = Some(5)), reason("ipVersion `5` is neither 4 nor 6"));
        let tcp = || Some(Protocol::Number(6));
        let range = |first, last| {
            move |rule: &mut DraftRule| {
                rule.protocol = tcp();
                rule.source.not_ports = vec![Port::Range(first, last)];
            }
        };
        assert_eq!(refusal(range(1, 65535)), None);
        assert_eq!(refusal(range(2, 1)), reason("source.notPorts `2:1` is no range of ports"));
    }
}
