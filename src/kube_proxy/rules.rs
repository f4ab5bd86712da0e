//! The rules that are always there, and where Felix's stand among them.

use super::endpoints::Slices;
use super::names::Names;
use super::service::Port;
use super::settings::{Mode, Settings};
use crate::felix;
use crate::ir::{
    Action, Address, Chain, ConntrackStates, Family, Match, Matcher, Origin, Program, Rule, RuleSet, Side,
    Table, TableName, Translation,
};
use crate::kernel::packet::transport;
use crate::model::Resources;
use crate::resolve::config::InsertMode;
use crate::resolve::view::NodeView;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Addresses of services, in both tables.
pub(super) const SERVICES: &str = "KUBE-SERVICES";
/// Addresses of services that are known outside.
pub(super) const EXTERNAL: &str = "KUBE-EXTERNAL-SERVICES";
/// Node ports in the nat table, ports of health checks in the filter table.
pub(super) const NODE_PORTS: &str = "KUBE-NODEPORTS";
/// What a load balancer's source ranges have not let through.
pub(super) const FIREWALL: &str = "KUBE-PROXY-FIREWALL";
/// Marks packets whose source is to be rewritten.
pub(super) const MARK_MASQ: &str = "KUBE-MARK-MASQ";
const FORWARD: &str = "KUBE-FORWARD";
const POSTROUTING: &str = "KUBE-POSTROUTING";
/// kubelet's, which kube-proxy writes as well
const KUBELET: &str = "KUBE-FIREWALL";

/// Where the kernel's chains go to kube-proxy's: table, hook, chain, comment, only for new connections. Each
/// is put in front of those before it.
const JUMPS: [(TableName, &str, &str, &str, bool); 14] = [
    (TableName::Filter, "INPUT", EXTERNAL, "kubernetes externally-visible service portals", true),
    (TableName::Filter, "FORWARD", EXTERNAL, "kubernetes externally-visible service portals", true),
    (TableName::Filter, "INPUT", NODE_PORTS, "kubernetes health check service ports", false),
    (TableName::Filter, "FORWARD", SERVICES, "kubernetes service portals", true),
    (TableName::Filter, "OUTPUT", SERVICES, "kubernetes service portals", true),
    (TableName::Filter, "FORWARD", FORWARD, "kubernetes forwarding rules", false),
    (TableName::Filter, "INPUT", FIREWALL, "kubernetes load balancer firewall", true),
    (TableName::Filter, "OUTPUT", FIREWALL, "kubernetes load balancer firewall", true),
    (TableName::Filter, "FORWARD", FIREWALL, "kubernetes load balancer firewall", true),
    (TableName::Nat, "OUTPUT", SERVICES, "kubernetes service portals", false),
    (TableName::Nat, "PREROUTING", SERVICES, "kubernetes service portals", false),
    (TableName::Nat, "POSTROUTING", POSTROUTING, "kubernetes postrouting rules", false),
    (TableName::Filter, "INPUT", KUBELET, "", false),
    (TableName::Filter, "OUTPUT", KUBELET, "", false),
];

/// Chains in the making, by table and name.
#[derive(Debug, Default)]
pub(super) struct Chains(BTreeMap<(TableName, Arc<str>), Vec<Rule>>);

impl Chains {
    /// Appends a rule to a chain.
    pub fn add(&mut self, table: TableName, chain: &str, rule: Rule) {
        self.0.entry((table, chain.into())).or_default().push(rule);
    }
}

/// Adds the rules of kube-proxy to those of Felix, if it works with iptables. In each family that services have
/// addresses of.
pub fn add(program: &mut Program, settings: &Settings, resources: &Resources, view: &NodeView) {
    if settings.mode != Mode::Iptables {
        return;
    }
    let slices = Slices::new(resources, &view.node);
    for rules in [&mut program.v4, &mut program.v6] {
        let v4 = rules.family == Family::V4;
        let mut chains = Chains::default();
        let mut is_needed = false;
        for service in resources.services.iter().filter(|service| super::is_served(service)) {
            let mut ips = service.cluster_ips.iter().map(|ip| ip.value.to_canonical());
            let Some(cluster_ip) = ips.find(|ip| ip.is_ipv4() == v4) else { continue };
            for port in &service.ports {
                let names =
                    Names::new(&service.meta.namespace, &service.meta.name, &port.name, port.protocol);
                let (Some(names), Some(protocol)) = (names, transport(port.protocol)) else { continue };
                is_needed = true;
                let endpoints = slices.endpoints(service, port, v4);
                Port::new(service, port, protocol, names, cluster_ip).write(
                    &endpoints,
                    settings,
                    &mut chains,
                );
            }
        }
        if is_needed {
            always(settings, view, v4, &mut chains);
            put(rules, view.config.chain_insert_mode, chains);
        }
    }
}

fn rule(matches: Vec<Match>, action: Action) -> Rule {
    Rule::new(matches, action, Origin::Static)
}

fn address(side: Side, net: &str) -> Matcher {
    Matcher::Address(side, vec![Address::Net(net.parse().expect("a network"))])
}

fn always(settings: &Settings, view: &NodeView, v4: bool, chains: &mut Chains) {
    let (mark, filter, nat) = (settings.mark, TableName::Filter, TableName::Nat);
    chains.add(nat, MARK_MASQ, rule(vec![], Action::set_mark(mark)));
    chains.add(nat, POSTROUTING, rule(vec![Match::not_mark(mark, mark)], Action::Return));
    // turned over, which clears it
    chains.add(nat, POSTROUTING, rule(vec![], Action::set_masked_mark(mark, 0)));
    let masquerade = Action::Masquerade(Box::new(Translation::default().random_fully(true)));
    let comment = "kubernetes service traffic requiring SNAT";
    chains.add(nat, POSTROUTING, rule(vec![], masquerade).comment(comment));
    if v4 && settings.localhost_node_ports {
        let known = ConntrackStates::RELATED.or(ConntrackStates::ESTABLISHED).or(ConntrackStates::DNAT);
        let matches = vec![
            Match::not(address(Side::Source, "127.0.0.0/8")),
            Match::is(address(Side::Destination, "127.0.0.0/8")),
            Match::not(Matcher::Conntrack(known)),
        ];
        chains.add(
            filter,
            KUBELET,
            rule(matches, Action::Drop).comment("block incoming localnet connections"),
        );
    }
    if !settings.forwards_invalid {
        let matches = vec![Match::is(Matcher::Conntrack(ConntrackStates::INVALID))];
        chains.add(filter, FORWARD, rule(matches, Action::Drop));
    }
    let matches = vec![Match::mark_set(mark)];
    chains.add(filter, FORWARD, rule(matches, Action::Accept).comment("kubernetes forwarding rules"));
    let known = ConntrackStates::RELATED.or(ConntrackStates::ESTABLISHED);
    let matches = vec![Match::is(Matcher::Conntrack(known))];
    let comment = "kubernetes forwarding conntrack rule";
    chains.add(filter, FORWARD, rule(matches, Action::Accept).comment(comment));
    for matches in node_port_destinations(settings, view, v4) {
        let comment = "kubernetes service nodeports; NOTE: this must be the last rule in this chain";
        chains.add(nat, SERVICES, rule(matches, Action::Jump(NODE_PORTS.into())).comment(comment));
    }
}

/// The addresses on which node ports are open, a rule for each.
fn node_port_destinations(settings: &Settings, view: &NodeView, v4: bool) -> Vec<Vec<Match>> {
    let nets = settings.node_port_addresses.iter().flatten();
    let nets: Vec<&IpNet> = nets.filter(|net| net.addr().is_ipv4() == v4).collect();
    // nets of the other family say nothing of this one
    if nets.is_empty() || nets.iter().any(|net| net.prefix_len() == 0) {
        let own = Match::is(Matcher::LocalAddress { side: Side::Destination, limit_iface_out: false });
        let not_loopback = match (v4, settings.localhost_node_ports) {
            (false, _) => Some("::1/128"),
            (true, false) => Some("127.0.0.0/8"),
            (true, true) => None,
        };
        let not_loopback = not_loopback.map(|net| Match::not(address(Side::Destination, net)));
        return vec![not_loopback.into_iter().chain([own]).collect()];
    }
    let own = view.interfaces.iter().flat_map(|interface| &interface.addresses).map(|net| net.addr());
    let own = own.filter(|address| nets.iter().any(|net| net.contains(address)));
    let own = own.filter(|address| !address.is_loopback() || (v4 && settings.localhost_node_ports));
    own.map(|address| {
        vec![Match::is(Matcher::Address(Side::Destination, vec![Address::Net(address.into())]))]
    })
    .collect()
}

/// Puts chains into the tables, and jumps to them into the kernel's: behind Felix's own where Felix inserts, as it
/// starts after kube-proxy, and before what Felix appends.
fn put(rules: &mut RuleSet, mode: InsertMode, mut chains: Chains) {
    for name in [TableName::Nat, TableName::Filter] {
        if !rules.tables.iter().any(|table| table.name == name) {
            let hooks = name.hooks().iter().map(|hook| Arc::new(Chain::new(*hook, Vec::new()))).collect();
            rules.tables.push(Table { name, hooks, chains: Vec::new() });
        }
    }
    rules.tables.sort_by_key(|table| table.name);
    for table in &mut rules.tables {
        let mut of_table = JUMPS.iter().filter(|(own, ..)| *own == table.name).peekable();
        if of_table.peek().is_none() {
            continue;
        }
        for (_, hook, to, comment, new_only) in of_table {
            let matches = new_only.then(|| Match::is(Matcher::Conntrack(ConntrackStates::NEW)));
            let mut jump = rule(matches.into_iter().collect(), Action::Jump((*to).into()));
            if !comment.is_empty() {
                jump = jump.comment(*comment);
            }
            let Some(chain) = table.hooks.iter_mut().find(|chain| *chain.name == **hook) else { continue };
            let chain = Arc::make_mut(chain);
            let before = match mode {
                InsertMode::Insert => felix::inserted(table.name, hook).min(chain.rules.len()),
                InsertMode::Append => 0,
            };
            chain.rules.insert(before, jump);
            chains.0.entry((table.name, (*to).into())).or_default();
        }
        // all chains that this table has are there now
        let own = std::mem::take(&mut chains.0).into_iter();
        let (own, others) = own.partition::<BTreeMap<_, _>, _>(|((of, _), _)| *of == table.name);
        chains.0 = others;
        table.chains.extend(own.into_iter().map(|((_, name), rules)| Arc::new(Chain::new(name, rules))));
        table.chains.sort_by(|a, b| a.name.cmp(&b.name));
    }
}
