//! IPPool (`libcalico-go/lib/clientv3/ippool.go:263-495` and `validateIPPoolSpec`, v3.32.1).

use super::selector;
use crate::diagnostic::Location;
use crate::model::calico::IpPool;
use crate::model::findings::Findings;
use crate::model::lower::reader::Reader;
use ipnet::IpNet;

/// Everything calicoctl asks of a pool by itself; pools that overlap are found when all are known.
/// The modes have been filled in. `spec` reads `spec`.
pub fn by_calicoctl(pool: &IpPool, spec: &Reader<'_>, findings: &mut Findings<'_>) {
    modes(pool, spec, |at, reason| {
        findings.turn_away("bad-pool", at, reason);
    });
    let cidr = pool.cidr.value;
    let v4 = matches!(cidr, IpNet::V4(_));
    let (smallest, largest, default) = if v4 { (20, 32, 26) } else { (116, 128, 122) };
    let block = match spec.int("blockSize") {
        None | Some(0) => default,
        Some(size) => size,
    };
    if !(smallest..=largest).contains(&block) {
        let reason = format!("`blockSize: {block}` is out of range: {smallest} to {largest}");
        findings.turn_away("bad-pool", spec.at_of("blockSize"), &reason);
    }
    if !pool.disabled && i64::from(cidr.prefix_len()) > block {
        let reason = format!("`{cidr}` is smaller than one block of /{block}");
        findings.turn_away("bad-pool", pool.cidr.at, &reason);
    }
    let link_local = if v4 { "169.254.0.0/16" } else { "fe80::/10" };
    if let Ok(net) = link_local.parse::<IpNet>()
        && (net.contains(&cidr) || cidr.contains(&net))
    {
        findings.turn_away(
            "bad-pool",
            pool.cidr.at,
            &format!("`{cidr}` overlaps the link-local range {link_local}"),
        );
    }
    for field in ["nodeSelector", "namespaceSelector"] {
        let text = spec.spanned(field);
        selector::check(&text, field, findings);
        if findings.facts.pool_selectors_checked && text.value.contains("global(") {
            findings.turn_away("misplaced-global", text.at, &format!("`global()` cannot stand in `{field}`"));
        }
    }
    let has = |wanted: &str| pool.allowed_uses.iter().any(|u| &**u == wanted);
    let node_selector = spec.text("nodeSelector");
    if has("LoadBalancer") && !matches!(&*node_selector, "" | "all()") {
        findings.turn_away(
            "bad-pool",
            spec.at_of("nodeSelector"),
            "a `LoadBalancer` pool needs `nodeSelector: all()`",
        );
    }
    if has("LoadBalancer") && spec.flag("disableBGPExport") {
        findings.turn_away(
            "bad-pool",
            spec.at_of("disableBGPExport"),
            "a `LoadBalancer` pool cannot set `disableBGPExport`",
        );
    }
    let checked = findings.facts.pool_selectors_checked;
    if checked && has("Tunnel") && !spec.text("namespaceSelector").is_empty() {
        findings.turn_away(
            "bad-pool",
            spec.at_of("namespaceSelector"),
            "a `Tunnel` pool cannot have a `namespaceSelector`",
        );
    }
}

/// The rules about pools that are part of the custom resource definition.
pub fn by_schema(pool: &IpPool, spec: &Reader<'_>, findings: &mut Findings<'_>) {
    modes(pool, spec, |at, reason| {
        findings.schema_rule(at, reason);
    });
}

/// Encapsulation modes and allowed uses among themselves.
fn modes(pool: &IpPool, spec: &Reader<'_>, mut report: impl FnMut(Location, &str)) {
    let on = |mode: &str| matches!(mode, "Always" | "CrossSubnet");
    let (ipip, vxlan) = (on(&pool.ipip_mode), on(&pool.vxlan_mode));
    let has = |wanted: &str| pool.allowed_uses.iter().any(|u| &**u == wanted);
    if ipip && vxlan {
        report(spec.at_of("vxlanMode"), "`ipipMode` and `vxlanMode` cannot both be enabled");
    }
    if ipip && matches!(pool.cidr.value, IpNet::V6(_)) {
        report(spec.at_of("ipipMode"), "IPIP is for IPv4 pools only");
    }
    if has("LoadBalancer") && (ipip || vxlan) {
        report(spec.at_of("allowedUses"), "a `LoadBalancer` pool has no encapsulation");
    }
    if has("LoadBalancer") && (has("Workload") || has("Tunnel")) {
        report(spec.at_of("allowedUses"), "`LoadBalancer` cannot be combined with other uses");
    }
}
