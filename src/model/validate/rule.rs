//! One rule of a Calico policy (`validateRule`, `validateEntityRule`,
//! `libcalico-go/lib/validator/v3/validator.go:1326-1503`, v3.32.1).

use super::selector;
use crate::diagnostic::{Location, Spanned};
use crate::model::calico::{Action, EntityRule, Port, Protocol, Rule};
use crate::model::findings::Findings;
use crate::model::lower::reader::Reader;
use crate::model::text::excerpt;
use crate::syntax::cidr;

const PROTOCOLS: [&str; 6] = ["TCP", "UDP", "ICMP", "ICMPv6", "SCTP", "UDPLite"];

/// Everything calicoctl asks of a rule. `reader` reads the rule's mapping.
pub fn by_calicoctl(rule: &Rule, reader: &Reader<'_>, findings: &mut Findings<'_>) {
    for (protocol, name) in [(&rule.protocol, "protocol"), (&rule.not_protocol, "notProtocol")] {
        if let Some(spanned) = protocol {
            protocol_known(spanned, name, findings);
        }
    }
    ports_need_protocol(rule, findings);
    icmp(rule, reader, findings);
    for (entity, name) in [(&rule.source, "source"), (&rule.destination, "destination")] {
        entity_rule(entity, name, &reader.sub(name), findings);
    }
    families(rule, findings);
    http(rule, reader, findings);
    service_ports(rule, findings);
    if let Some(annotations) = reader.sub("metadata").get("annotations") {
        for (key, _) in annotations.entries() {
            if let Err(why) = super::names::qualified_name(&key.text().to_lowercase()) {
                let reason = format!("`{}` is no key of an annotation: {why}", excerpt(key.text()));
                findings.turn_away("bad-annotation", key.at(), &reason);
            }
        }
    }
}

/// The rules about rules that are part of the custom resource definitions.
pub fn by_schema(rule: &Rule, findings: &mut Findings<'_>) {
    for icmp in [rule.icmp, rule.not_icmp].into_iter().flatten() {
        if icmp.code.is_some() && icmp.kind.is_none() {
            findings.schema_rule(rule.at, "an ICMP `code` needs a `type`");
        }
    }
    if let Some(at) = rule.http {
        let tcp = rule.protocol.as_ref().is_none_or(|p| match &p.value {
            Protocol::Number(number) => *number == 6,
            Protocol::Name(name) => &**name == "TCP",
        });
        if !tcp {
            findings.schema_rule(at, "`http` needs protocol `TCP`, or none");
        }
        if rule.action != Action::Allow {
            findings.schema_rule(at, "`http` goes only with action `Allow`");
        }
    }
    if let Some(services) = &rule.destination.services
        && !(rule.destination.ports.is_empty() && rule.destination.not_ports.is_empty())
    {
        findings.schema_rule(services.at, "`services` and ports exclude each other in a `destination`");
    }
}

/// `validateProtocol`: one of the known names, or a number but 0.
pub fn protocol_known(protocol: &Spanned<Protocol>, field: &str, findings: &mut Findings<'_>) {
    match &protocol.value {
        Protocol::Number(0) => {
            findings.turn_away(
                "bad-protocol",
                protocol.at,
                &format!("`{field}: 0` is no protocol: 1 to 255 are"),
            );
        }
        Protocol::Number(_) => {}
        Protocol::Name(name) if PROTOCOLS.contains(&&**name) => {}
        Protocol::Name(name) => {
            let reason = format!("`{field}: {}` is none of the protocols it knows", excerpt(name));
            let help = match PROTOCOLS.iter().find(|p| p.eq_ignore_ascii_case(name)) {
                Some(known) => format!("write `{known}`"),
                None => "use `TCP`, `UDP`, `SCTP`, `ICMP`, `ICMPv6`, `UDPLite` or a number from 1 to 255"
                    .to_owned(),
            };
            findings.turn_away("bad-protocol", protocol.at, &reason).help(help);
        }
    }
}

/// `numorstring.Protocol.SupportsPorts` (`api/pkg/lib/numorstring/protocol.go`, v3.32.1).
pub fn supports_ports(protocol: &Protocol) -> bool {
    match protocol {
        Protocol::Number(number) => matches!(number, 6 | 17 | 132),
        Protocol::Name(name) => matches!(&**name, "TCP" | "UDP" | "SCTP" | "tcp" | "udp" | "sctp"),
    }
}

fn ports_need_protocol(rule: &Rule, findings: &mut Findings<'_>) {
    let any_protocol = findings.facts.named_ports_of_any_protocol;
    let lists = [
        ("source.ports", &rule.source.ports),
        ("source.notPorts", &rule.source.not_ports),
        ("destination.ports", &rule.destination.ports),
        ("destination.notPorts", &rule.destination.not_ports),
    ];
    for (name, ports) in lists {
        let offending = match &rule.protocol {
            None => ports.iter().find(|port| !(any_protocol && matches!(port.value, Port::Name(_)))),
            Some(protocol) if supports_ports(&protocol.value) => None,
            Some(_) => ports.first(),
        };
        if let Some(port) = offending {
            let reason = format!("`{name}` needs protocol `TCP`, `UDP` or `SCTP`");
            let note = findings.turn_away("ports-without-protocol", port.at, &reason);
            match &rule.protocol {
                Some(protocol) => note.related(protocol.at, "this protocol has no ports"),
                None => note.help(
                    "add `protocol: TCP` (or `UDP`, `SCTP`) to the rule; one rule each if several are meant",
                ),
            };
        }
    }
}

fn icmp(rule: &Rule, reader: &Reader<'_>, findings: &mut Findings<'_>) {
    let is = |protocol: &Option<Spanned<Protocol>>, wanted: &str| {
        protocol.as_ref().is_some_and(|p| matches!(&p.value, Protocol::Name(name) if &**name == wanted))
    };
    if rule.icmp.is_some() && !is(&rule.protocol, "ICMP") && !is(&rule.protocol, "ICMPv6") {
        findings
            .turn_away(
                "icmp-without-protocol",
                reader.at_of("icmp"),
                "`icmp` needs protocol `ICMP` or `ICMPv6`",
            )
            .help("add `protocol: ICMP` to the rule");
    }
    for (icmp, name) in [(rule.icmp, "icmp"), (rule.not_icmp, "notICMP")] {
        if icmp.is_some_and(|icmp| icmp.code.is_some() && icmp.kind.is_none()) {
            let reason = format!("`{name}` has a `code` without a `type`");
            findings.turn_away("icmp-without-type", reader.at_of(name), &reason);
        }
    }
    for (name, version) in [("ICMP", 4), ("ICMPv6", 6)] {
        if (is(&rule.protocol, name) || is(&rule.not_protocol, name))
            && rule.ip_version.is_some_and(|v| v != version)
        {
            let reason = format!("protocol `{name}` goes only with `ipVersion: {version}`");
            findings.turn_away("mixed-families", reader.at_of("ipVersion"), &reason);
        }
    }
}

fn entity_rule(entity: &EntityRule, name: &str, reader: &Reader<'_>, findings: &mut Findings<'_>) {
    selector::check(&entity.selector, &format!("{name}.selector"), findings);
    selector::check(&entity.not_selector, &format!("{name}.notSelector"), findings);
    selector::check(&entity.namespace_selector, &format!("{name}.namespaceSelector"), findings);
    if let Some(accounts) = &entity.service_accounts {
        selector::check(&accounts.selector, &format!("{name}.serviceAccounts.selector"), findings);
    }
    selector::no_global(&entity.selector, findings);
    let namespaces = &*entity.namespace_selector.value;
    if namespaces.contains("global(") && namespaces.trim_matches([' ', '\t']) != "global()" {
        findings.turn_away(
            "misplaced-global",
            entity.namespace_selector.at,
            "`global()` cannot be combined with other selectors",
        );
    }
    let Some(services) = &entity.services else {
        return;
    };
    if services.name.is_empty() {
        findings.turn_away(
            "bad-service-match",
            services.at,
            &format!("`{name}.services` needs the name of a Service"),
        );
    }
    let others = [
        ("namespaceSelector", !namespaces.is_empty()),
        ("selector", !entity.selector.value.is_empty()),
        ("notSelector", !entity.not_selector.value.is_empty()),
        ("serviceAccounts", entity.service_accounts.is_some()),
        ("nets", !entity.nets.is_empty()),
        ("notNets", !entity.not_nets.is_empty()),
    ];
    for (other, _) in others.into_iter().filter(|(_, present)| *present) {
        let reason = format!("`services` and `{other}` exclude each other in a `{name}`");
        findings
            .turn_away("bad-service-match", services.at, &reason)
            .related(reader.at_of(other), format!("`{other}` is here"))
            .help("use two rules");
    }
}

/// Which families the CIDRs of a rule name, list by list in the validator's order.
fn families(rule: &Rule, findings: &mut Findings<'_>) {
    let lists = [
        ("source.nets", &rule.source.nets, false),
        ("source.notNets", &rule.source.not_nets, true),
        ("destination.nets", &rule.destination.nets, false),
        ("destination.notNets", &rule.destination.not_nets, true),
    ];
    let mut seen: [Option<Location>; 2] = [None, None];
    for (name, nets, negated) in lists {
        let mut here: [Option<Location>; 2] = [None, None];
        for net in nets {
            let Some(cidr) = net_valid(net, name, findings) else {
                continue;
            };
            here[usize::from(cidr.version() == 6)].get_or_insert(net.at);
            if negated && cidr.net.prefix_len() == 0 && (&*net.value == "0.0.0.0/0" || cidr.version() == 6) {
                let reason = format!("`{}` in `{name}` leaves nothing that could match", excerpt(&net.value));
                findings.turn_away("bad-net", net.at, &reason);
            }
        }
        if let Some(version) = rule.ip_version {
            let other = here[usize::from(version == 4)];
            if let Some(at) = other {
                let reason = format!("`{name}` names a CIDR that is not of `ipVersion: {version}`");
                findings.turn_away("mixed-families", at, &reason);
            }
        }
        let mixed = match (here, seen) {
            ([Some(v4), Some(v6)], _) => Some((v6, v4)),
            ([Some(v4), None], [_, Some(v6)]) => Some((v4, v6)),
            ([None, Some(v6)], [Some(v4), _]) => Some((v6, v4)),
            _ => None,
        };
        if let Some((at, first)) = mixed {
            findings
                .turn_away("mixed-families", at, "one rule cannot name both IPv4 and IPv6 CIDRs")
                .related(first, "the other family begins here")
                .help("write one rule for each family");
        }
        seen = [seen[0].or(here[0]), seen[1].or(here[1])];
    }
}

fn net_valid(net: &Spanned<Box<str>>, name: &str, findings: &mut Findings<'_>) -> Option<cidr::Cidr> {
    let written = excerpt(&net.value);
    match cidr::parse(&net.value) {
        Some(cidr) if cidr.is_masked() => Some(cidr),
        Some(cidr) => {
            let reason = format!("`{written}` in `{name}` has bits set beyond its prefix");
            findings.turn_away("bad-net", net.at, &reason).help(format!("write `{}`", cidr.net));
            Some(cidr)
        }
        None => {
            let note = findings.turn_away("bad-net", net.at, &format!("`{written}` in `{name}` is no CIDR"));
            if let Some(address) = cidr::parse_or_address(&net.value) {
                note.help(format!("write `{}`", address.net));
            } else {
                note.help("a CIDR is an address, `/` and a prefix length: `10.0.0.0/8`");
            }
            None
        }
    }
}

fn http(rule: &Rule, reader: &Reader<'_>, findings: &mut Findings<'_>) {
    let Some(at) = rule.http else { return };
    if let Some(protocol) = &rule.protocol
        && !matches!(&protocol.value, Protocol::Name(name) if &**name == "TCP")
    {
        findings.turn_away("bad-http-match", protocol.at, "`http` needs protocol `TCP`, or none");
    }
    if rule.action != Action::Allow {
        findings.turn_away("bad-http-match", at, "`http` goes only with action `Allow`");
    }
    let http = reader.sub("http");
    let methods = http.texts("methods");
    for (index, method) in methods.iter().enumerate() {
        if methods[..index].contains(method) {
            findings.turn_away(
                "bad-http-match",
                method.at,
                &format!("method `{}` is twice", excerpt(&method.value)),
            );
        }
    }
    for path in http.subs("paths") {
        let (exact, prefix) = (path.text("exact"), path.text("prefix"));
        let text = if exact.is_empty() { &prefix } else { &exact };
        let reason = if !exact.is_empty() && !prefix.is_empty() {
            "a path has either `exact` or `prefix`".to_owned()
        } else if text.is_empty() {
            "a path needs `exact` or `prefix`".to_owned()
        } else if !text.starts_with('/') || text.contains(['?', ' ', '#']) {
            format!("path `{}` must begin with `/`, without `?`, `#` and spaces", excerpt(text))
        } else {
            continue;
        };
        findings.turn_away("bad-http-match", path.at(), &reason);
    }
}

fn service_ports(rule: &Rule, findings: &mut Findings<'_>) {
    let destination = &rule.destination;
    let Some(services) = &destination.services else {
        return;
    };
    for (name, ports) in [("ports", &destination.ports), ("notPorts", &destination.not_ports)] {
        if let Some(port) = ports.first() {
            let reason = format!("`services` and `{name}` exclude each other in a `destination`");
            findings
                .turn_away("bad-service-match", port.at, &reason)
                .related(services.at, "the Service brings its own ports")
                .help(format!("remove `{name}`"));
        }
    }
}
