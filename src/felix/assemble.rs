//! The tables: the kernel's hooks, and of all chains those that the hooks reach.
//!
//! Felix hands every policy's chains to every table, but a chain reaches the kernel only while a
//! rule refers to it (`felix/iptables/table.go:593`, v3.32.1).

use super::common::{ByName, Common};
use super::context::{Context, jump};
use super::endpoint_mark::EndpointMarks;
use super::{
    dispatch, endpoint, failsafe, group, hash, ipvs, static_filter, static_mangle, static_nat, static_raw,
};
use crate::ir::{Chain, Family, Origin, Rule, RuleSet, Table, TableName};
use crate::model::calico::Direction;
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// The four tables of the context's family.
pub fn rule_set(ctx: &Context, common: &Common) -> RuleSet {
    let shared = common.by_name(ctx);
    let tables = TableName::ALL.map(|name| table(ctx, name, &shared));
    RuleSet { family: ctx.family, tables: tables.into() }
}

/// What the kernel has where IPv6 support is off: Felix writes nothing, but at its start it asks
/// for the mangle table, which loads it (`felix/environment/feature_detect_linux.go:356`, v3.32.1).
pub fn ipv6_off() -> RuleSet {
    let name = TableName::Mangle;
    let hook = |hook: &&str| Arc::new(Chain::new(*hook, Vec::new()));
    let table = Table { name, hooks: name.hooks().iter().map(hook).collect(), chains: Vec::new() };
    RuleSet { family: Family::V6, tables: vec![table] }
}

/// A table: its own chains, and of the others the ones that are reached from them.
fn table(ctx: &Context, name: TableName, shared: &ByName) -> Table {
    let own = match name {
        TableName::Raw => raw(ctx),
        TableName::Mangle => mangle(ctx),
        TableName::Nat => nat(ctx),
        TableName::Filter => filter(ctx),
    };
    let own: ByName = own.iter().map(|chain| (&*chain.name, chain)).collect();
    let hooks: Vec<Arc<Chain>> =
        name.hooks().iter().map(|hook| Arc::new(hook_chain(ctx, name, hook))).collect();
    let mut roots: Vec<Arc<str>> = targets(&hooks);
    if name == TableName::Filter {
        let forced = ctx.view.policies.iter().filter(|p| p.assume_needed && !p.id.kind.is_staged());
        roots.extend(forced.flat_map(|p| {
            [Direction::Ingress, Direction::Egress]
                .map(|direction| group::policy_chain(ctx.view, p, direction))
        }));
    }
    Table { name, hooks, chains: reachable(&roots, &own, shared) }
}

fn targets(chains: &[Arc<Chain>]) -> Vec<Arc<str>> {
    chains.iter().flat_map(|chain| targets_of(chain)).cloned().collect()
}

fn targets_of(chain: &Chain) -> impl Iterator<Item = &Arc<str>> {
    chain.rules.iter().filter_map(|rule| rule.action.as_ref()?.target())
}

/// The chains that can be reached from `roots`, sorted by name.
fn reachable(roots: &[Arc<str>], own: &ByName, shared: &ByName) -> Vec<Arc<Chain>> {
    let mut found: Vec<Arc<Chain>> = Vec::new();
    let mut known: FxHashSet<&str> = FxHashSet::default();
    let mut open: Vec<&str> = roots.iter().map(|name| &**name).collect();
    while let Some(name) = open.pop() {
        if !known.insert(name) {
            continue;
        }
        let chain = own
            .get(name)
            .or_else(|| shared.get(name))
            .unwrap_or_else(|| panic!("no chain `{name}` was rendered, but a rule goes there"));
        open.extend(targets_of(chain).map(|name| &**name));
        found.push((*chain).clone());
    }
    found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The rules that Felix puts into a chain of the kernel (`felix/dataplane/linux/int_dataplane.go:2212`,
/// v3.32.1). Inserted and appended rules are hashed apart.
fn hook_chain(ctx: &Context, table: TableName, hook: &str) -> Chain {
    let to_own = || vec![Rule::new(vec![], jump(&format!("cali-{hook}")), Origin::Static)];
    let (mut inserted, mut appended) = match (table, hook) {
        (TableName::Raw, _) | (TableName::Filter, "INPUT" | "OUTPUT") => (to_own(), vec![]),
        (TableName::Filter, _) => (to_own(), static_filter::forward_appends(ctx)),
        (TableName::Mangle, "PREROUTING" | "POSTROUTING") | (TableName::Nat, "PREROUTING" | "OUTPUT") => {
            (to_own(), vec![])
        }
        // after kube-proxy, which must have cleared its own mark
        (TableName::Nat, "POSTROUTING") => (vec![], to_own()),
        _ => (vec![], vec![]),
    };
    hash::fill_in(hook, &mut inserted, ctx.family);
    hash::fill_in(&hash::appends(hook), &mut appended, ctx.family);
    inserted.append(&mut appended);
    Chain::new(hook, inserted)
}

/// How many of Felix's rules in a chain of the kernel are inserted: the first ones. The others are
/// appended, behind whatever else is there.
pub fn inserted(table: TableName, hook: &str) -> usize {
    match (table, hook) {
        (TableName::Nat, "POSTROUTING") => 0,
        _ => 1,
    }
}

fn raw(ctx: &Context) -> Vec<Arc<Chain>> {
    let mut chains = vec![
        static_raw::prerouting(ctx),
        static_raw::output(ctx),
        static_raw::rpf_skip(ctx),
        static_raw::wireguard_incoming_mark(ctx),
        failsafe::inbound(ctx, TableName::Raw),
        failsafe::outbound(ctx, TableName::Raw),
    ];
    chains.extend(dispatch::hosts_raw(ctx));
    chains.extend(ctx.named_host_endpoints().flat_map(|host| endpoint::host_raw(ctx, host)));
    chains
}

fn mangle(ctx: &Context) -> Vec<Arc<Chain>> {
    let mut chains = vec![
        static_mangle::prerouting(ctx),
        static_mangle::postrouting(ctx),
        failsafe::inbound(ctx, TableName::Mangle),
        failsafe::outbound(ctx, TableName::Mangle),
    ];
    if ctx.view.facts.dscp {
        chains.push(static_mangle::egress_dscp(ctx));
    }
    chains.extend(dispatch::hosts_mangle(ctx));
    chains.extend(ctx.view.host_endpoints.iter().flat_map(|host| endpoint::host_mangle(ctx, host)));
    chains
}

fn nat(ctx: &Context) -> Vec<Arc<Chain>> {
    let mut chains = vec![
        static_nat::prerouting(ctx),
        static_nat::output(ctx),
        static_nat::postrouting(ctx),
        static_nat::nat_outgoing(ctx),
    ];
    chains.extend(static_nat::floating(ctx));
    chains
}

fn filter(ctx: &Context) -> Vec<Arc<Chain>> {
    let view = ctx.view;
    let mut chains = vec![
        static_filter::input(ctx),
        static_filter::workload_to_host(ctx),
        static_filter::forward(ctx),
        static_filter::output(ctx),
        static_filter::cidr_block(ctx),
        failsafe::inbound(ctx, TableName::Filter),
        failsafe::outbound(ctx, TableName::Filter),
    ];
    chains.extend(dispatch::workloads(ctx));
    chains.extend(dispatch::hosts_filter(ctx));
    chains.extend(view.host_endpoints.iter().flat_map(|host| endpoint::host_filter(ctx, host)));
    if ctx.ipvs() {
        let interfaces = view.workloads.iter().map(|w| &*w.interface);
        let hosts = view.host_endpoints.iter().map(|h| &*h.interface);
        let marks = EndpointMarks::new(ctx.marks.endpoint, interfaces.chain(hosts));
        chains.push(ipvs::forward_check(ctx));
        chains.push(ipvs::forward_endpoint_mark(ctx));
        chains.push(ipvs::from_endpoint_mark(ctx, &marks));
        chains.extend(dispatch::set_endpoint_mark(ctx));
        chains.extend(ipvs::set_marks(ctx, &marks));
    }
    chains
}
