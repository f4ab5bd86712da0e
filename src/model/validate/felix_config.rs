//! FelixConfiguration as a whole (`validateFelixConfigSpec`, `validateRouteTableRange`,
//! `validateHealthTimeoutOverride`, `libcalico-go/lib/validator/v3/validator.go`, v3.32.1).

use super::names;
use crate::model::findings::Findings;
use crate::model::lower::reader::Reader;
use crate::model::text::excerpt;
use crate::source::tree::Value;
use crate::syntax::{cidr, port};

/// Everything calicoctl asks but of fields one by one. `spec` reads `spec`.
pub fn by_calicoctl(spec: &Reader<'_>, findings: &mut Findings<'_>) {
    let ranges: Vec<_> = spec.items("kubeNodePortRanges").collect();
    if let Some(eighth) = ranges.get(7) {
        findings.turn_away(
            "bad-felix-configuration",
            eighth.at(),
            "`kubeNodePortRanges` takes at most 7 ranges",
        );
    }
    for range in ranges {
        if let Value::Str(text) = range.value()
            && matches!(port::parse(text), Ok(port::PortText::Name(_)))
        {
            let reason =
                format!("`{}` in `kubeNodePortRanges` is a name: only numbers are allowed", excerpt(text));
            findings.turn_away("bad-felix-configuration", range.at(), &reason);
        }
    }
    for text in spec.texts("externalNodesList") {
        if cidr::parse_or_address(&text.value).is_none_or(|cidr| cidr.version() != 4) {
            let reason = format!("`{}` in `externalNodesList` is no IPv4 CIDR", excerpt(&text.value));
            findings.turn_away("bad-felix-configuration", text.at, &reason);
        }
    }
    for (field, version) in
        [("natOutgoingAddress", 4), ("deviceRouteSourceAddress", 4), ("deviceRouteSourceAddressIPv6", 6)]
    {
        let text = spec.spanned(field);
        let address = text.value.parse::<std::net::IpAddr>();
        if !text.value.is_empty() && !address.is_ok_and(|a| a.is_ipv4() == (version == 4)) {
            let reason = format!("`{field}: {}` is no IPv{version} address", excerpt(&text.value));
            findings.turn_away("bad-felix-configuration", text.at, &reason);
        }
    }
    let region = spec.spanned("openstackRegion");
    if !region.value.is_empty() && (region.value.len() > 46 || !names::is_dns_label(&region.value)) {
        let reason = "`openstackRegion` must be a DNS label of at most 46 characters";
        findings.turn_away("bad-felix-configuration", region.at, reason);
    }
    for timeout in spec.subs("healthTimeoutOverrides") {
        let name = timeout.text("name");
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b' ' | b'-');
        if name.is_empty() || !name.bytes().all(known) {
            findings.turn_away(
                "bad-felix-configuration",
                timeout.at(),
                "a health timeout needs a `name` of letters, digits, `_`, `-` and spaces",
            );
        }
        if timeout.text("timeout").starts_with('-') {
            findings.turn_away(
                "bad-felix-configuration",
                timeout.at_of("timeout"),
                "a health timeout cannot be negative",
            );
        }
    }
    table_ranges(spec, findings);
    if both_table_ranges(spec) {
        let reason = "`routeTableRange` and `routeTableRanges` exclude each other";
        findings.turn_away("bad-felix-configuration", spec.at_of("routeTableRange"), reason);
    }
}

/// The rule about fields among themselves that is part of the custom resource definition.
pub fn by_schema(spec: &Reader<'_>, findings: &mut Findings<'_>) {
    if both_table_ranges(spec) {
        let reason = "`routeTableRange` and `routeTableRanges` exclude each other";
        findings.schema_rule(spec.at_of("routeTableRange"), reason);
    }
}

fn both_table_ranges(spec: &Reader<'_>) -> bool {
    spec.has("routeTableRange") && spec.has("routeTableRanges")
}

fn table_ranges(spec: &Reader<'_>, findings: &mut Findings<'_>) {
    let bounds = |range: &Reader<'_>| (range.int("min").unwrap_or(0), range.int("max").unwrap_or(0));
    if let Some(range) = spec.sub_if("routeTableRange") {
        let (min, max) = bounds(&range);
        if !(min >= 1 && max >= min && max <= 250) {
            findings.turn_away(
                "bad-felix-configuration",
                range.at(),
                "`routeTableRange` must lie within 1 to 250",
            );
        }
    }
    let mut tables: i64 = 0;
    for range in spec.subs("routeTableRanges") {
        let (min, max) = bounds(&range);
        if min < 1 || max < min || max > i64::from(u32::MAX) {
            let reason = "an entry of `routeTableRanges` must have 1 ≤ `min` ≤ `max` ≤ 4294967295";
            findings.turn_away("bad-felix-configuration", range.at(), reason);
            return;
        }
        tables = tables.saturating_add(max - min + 1);
    }
    if tables > 0xffff {
        let reason = format!("`routeTableRanges` covers {tables} tables, at most 65535 are allowed");
        findings.turn_away("bad-felix-configuration", spec.at_of("routeTableRanges"), &reason);
    }
}
