//! The rules of one port of a service (`syncProxyRules`, `pkg/proxy/iptables/proxier.go`).

use super::endpoints::{Endpoint, Used};
use super::names::Names;
use super::rules::{Chains, EXTERNAL, FIREWALL, MARK_MASQ, NODE_PORTS, SERVICES};
use super::settings::{Local, Settings};
use super::{Kind, ServiceRule};
use crate::ir::{
    Action, Address, Match, Matcher, Origin, Protocol, RejectWith, Rule, Side, TableName, Translation,
};
use crate::model::core::{Service, ServicePort};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// One port of a service, in one family.
pub struct Port<'r> {
    /// the service
    pub service: &'r Service,
    /// its port
    pub port: &'r ServicePort,
    /// IP protocol
    pub protocol: u8,
    /// names of its chains
    pub names: Names,
    /// its address; of a service without one kube-proxy knows nothing
    pub cluster_ip: IpAddr,
    external_ips: Vec<IpAddr>,
    load_balancer_ips: Vec<IpAddr>,
    sources: Vec<IpNet>,
}

impl<'r> Port<'r> {
    /// A port in the family of one of the service's cluster IPs.
    pub fn new(
        service: &'r Service,
        port: &'r ServicePort,
        protocol: u8,
        names: Names,
        cluster_ip: IpAddr,
    ) -> Self {
        let v4 = cluster_ip.is_ipv4();
        let of_family = |list: &[crate::diagnostic::Spanned<IpAddr>]| -> Vec<IpAddr> {
            list.iter().map(|ip| ip.value.to_canonical()).filter(|ip| ip.is_ipv4() == v4).collect()
        };
        let sources = service.load_balancer_source_ranges.iter().map(|net| net.value);
        Port {
            service,
            port,
            protocol,
            names,
            cluster_ip,
            external_ips: of_family(&service.external_ips),
            load_balancer_ips: of_family(&service.load_balancer_ips),
            sources: sources.filter(|net| net.addr().is_ipv4() == v4).collect(),
        }
    }

    fn node_port(&self) -> Option<u16> {
        self.port.node_port.filter(|number| *number != 0)
    }

    /// Somebody outside of the cluster can address it.
    fn is_external(&self) -> bool {
        self.node_port().is_some() || !self.external_ips.is_empty() || !self.load_balancer_ips.is_empty()
    }

    fn external_local(&self) -> bool {
        self.service.external_local && self.is_external()
    }

    /// Writes its rules.
    pub fn write(&self, endpoints: &[Endpoint], settings: &Settings, chains: &mut Chains) {
        let internal_local = self.service.internal_local;
        let uses_cluster = !internal_local || self.is_external();
        let used = Used::of(endpoints, uses_cluster, internal_local || self.external_local());
        let reached = |local: bool| used.any && !(local && used.local.is_empty());
        let (internal, external) = (reached(internal_local), reached(self.external_local()));
        self.capture(&used, internal, chains);
        self.unreachable(&used, internal, external, chains);
        if internal {
            self.cluster_ip_masquerade(settings, chains);
        }
        if used.any && self.is_external() {
            self.external_chain(external, settings, chains);
            self.firewall_chain(settings, chains);
        }
        for (what, list) in [("SVC", &used.cluster), ("SVL", &used.local)] {
            self.spread(what, list, chains);
        }
        for endpoint in used.reachable() {
            self.endpoint(endpoint, chains);
        }
        self.health_check(chains);
    }

    /// A rule of this port.
    fn rule(&self, matches: Vec<Match>, action: Action) -> Rule {
        self.rule_that_takes(None, matches, action)
    }

    fn rule_that_takes(&self, takes: Option<Kind>, matches: Vec<Match>, action: Action) -> Rule {
        let meta = &self.service.meta;
        let about = ServiceRule {
            service: format!("{}/{}", meta.namespace, meta.name).into(),
            takes,
            client_affinity: self.service.client_affinity,
            at: self.port.at,
        };
        Rule::new(matches, action, Origin::Service(Arc::new(about)))
    }

    fn protocol_and_port(&self, port: u16) -> Vec<Match> {
        vec![
            Match::is(Matcher::Protocol(Protocol::Number(self.protocol))),
            Match::is(Matcher::Port(Side::Destination, port, port)),
        ]
    }

    fn to(&self, address: IpAddr) -> Vec<Match> {
        let mut matches = vec![is_address(Side::Destination, address.into())];
        matches.extend(self.protocol_and_port(self.port.port));
        matches
    }

    /// The addresses of which the service is told from outside, with what to call them.
    fn external_addresses(&self) -> impl Iterator<Item = (Kind, IpAddr)> + '_ {
        let external = self.external_ips.iter().map(|ip| (Kind::ExternalIp, *ip));
        external.chain(self.load_balancer_ips.iter().map(|ip| (Kind::LoadBalancer, *ip)))
    }

    fn has_firewall(&self) -> bool {
        !self.load_balancer_ips.is_empty() && !self.sources.is_empty()
    }

    /// The rules that take its packets.
    fn capture(&self, used: &Used, internal: bool, chains: &mut Chains) {
        if internal {
            let target = self.names.chain(if self.service.internal_local { "SVL" } else { "SVC" });
            let comment = format!("{} cluster IP", self.names.port);
            let rule =
                self.rule_that_takes(Some(Kind::ClusterIp), self.to(self.cluster_ip), Action::Jump(target));
            chains.add(TableName::Nat, SERVICES, rule.comment(comment));
        }
        if !used.any {
            return;
        }
        for (kind, address) in self.external_addresses() {
            let (word, chain) = match kind {
                Kind::LoadBalancer if self.has_firewall() => ("loadbalancer IP", "FW"),
                Kind::LoadBalancer => ("loadbalancer IP", "EXT"),
                _ => ("external IP", "EXT"),
            };
            let target = Action::Jump(self.names.chain(chain));
            let rule = self.rule_that_takes(Some(kind), self.to(address), target);
            chains.add(TableName::Nat, SERVICES, rule.comment(format!("{} {word}", self.names.port)));
            if chain == "FW" {
                // what the nat table has let go of
                let comment =
                    format!("{} traffic not accepted by {}", self.names.port, self.names.chain("FW"));
                let rule = self.rule_that_takes(Some(kind), self.to(address), Action::Drop);
                chains.add(TableName::Filter, FIREWALL, rule.comment(comment));
            }
        }
        if let Some(port) = self.node_port() {
            let target = Action::Jump(self.names.chain("EXT"));
            let rule = self.rule_that_takes(Some(Kind::NodePort), self.protocol_and_port(port), target);
            chains.add(TableName::Nat, NODE_PORTS, rule.comment(self.names.port.to_string()));
        }
    }

    /// What the filter table does with packets that nothing takes: without any endpoint senders are told,
    /// without one on this node they are not.
    fn unreachable(&self, used: &Used, internal: bool, external: bool, chains: &mut Chains) {
        let (action, what) = match used.any {
            true => (Action::Drop, "has no local endpoints"),
            false => (Action::Reject(RejectWith::PortUnreachable), "has no endpoints"),
        };
        let comment = format!("{} {what}", self.names.port);
        let mut add = |chain: &'static str, kind: Kind, matches: Vec<Match>| {
            let rule = self.rule_that_takes(Some(kind), matches, action.clone()).comment(comment.clone());
            chains.add(TableName::Filter, chain, rule);
        };
        if !internal {
            add(SERVICES, Kind::ClusterIp, self.to(self.cluster_ip));
        }
        if !external {
            for (kind, address) in self.external_addresses() {
                add(EXTERNAL, kind, self.to(address));
            }
            if let Some(port) = self.node_port() {
                let mut matches = vec![Match::is(Matcher::LocalAddress {
                    side: Side::Destination,
                    limit_iface_out: false,
                })];
                matches.extend(self.protocol_and_port(port));
                add(EXTERNAL, Kind::NodePort, matches);
            }
        }
    }

    /// Whoever is no pod and comes to the cluster IP is masqueraded, as the answer must come back here.
    fn cluster_ip_masquerade(&self, settings: &Settings, chains: &mut Chains) {
        let mut matches = self.to(self.cluster_ip);
        match from_pods(&settings.local, self.cluster_ip.is_ipv4()) {
            _ if settings.masquerade_all => {}
            Some(pods) => matches.push(Match { negated: true, ..pods }),
            None => return,
        }
        let chain = self.names.chain(if self.service.internal_local { "SVL" } else { "SVC" });
        let rule = self.rule(matches, Action::Jump(MARK_MASQ.into()));
        chains.add(TableName::Nat, &chain, rule.comment(format!("{} cluster IP", self.names.port)));
    }

    /// What becomes of packets to an address from outside.
    fn external_chain(&self, external: bool, settings: &Settings, chains: &mut Chains) {
        let (chain, port) = (self.names.chain("EXT"), &self.names.port);
        let mut add = |rule: Rule| chains.add(TableName::Nat, &chain, rule);
        let masquerade = || Action::Jump(MARK_MASQ.into());
        let cluster = || Action::Jump(self.names.chain("SVC"));
        if self.external_local() {
            // the node and its pods see all endpoints, as if they went out and came in again
            if let Some(pods) = from_pods(&settings.local, self.cluster_ip.is_ipv4()) {
                let comment = format!("pod traffic for {port} external destinations");
                add(self.rule(vec![pods], cluster()).comment(comment));
            }
            let own =
                || vec![Match::is(Matcher::LocalAddress { side: Side::Source, limit_iface_out: false })];
            let comment = format!("masquerade LOCAL traffic for {port} external destinations");
            add(self.rule(own(), masquerade()).comment(comment));
            let comment = format!("route LOCAL traffic for {port} external destinations");
            add(self.rule(own(), cluster()).comment(comment));
        } else {
            let comment = format!("masquerade traffic for {port} external destinations");
            add(self.rule(vec![], masquerade()).comment(comment));
        }
        if external {
            let policy = if self.external_local() { "SVL" } else { "SVC" };
            add(self.rule(vec![], Action::Jump(self.names.chain(policy))));
        }
    }

    /// Of packets to a load balancer's address, those from `loadBalancerSourceRanges`. What comes back from here
    /// is dropped in the filter table, whoever sent it.
    fn firewall_chain(&self, settings: &Settings, chains: &mut Chains) {
        if !self.has_firewall() {
            return;
        }
        let chain = self.names.chain("FW");
        let comment = format!("{} loadbalancer IP", self.names.port);
        let mut allow = |net: IpNet| {
            let to = Action::Jump(self.names.chain("EXT"));
            let rule = self.rule(vec![is_address(Side::Source, net)], to);
            chains.add(TableName::Nat, &chain, rule.comment(comment.clone()));
        };
        self.sources.iter().for_each(|net| allow(*net));
        // a node has the address itself, and asks with it
        let of_node = |net: &IpNet| settings.node_addresses.iter().any(|address| net.contains(address));
        if self.sources.iter().any(of_node) {
            self.load_balancer_ips.iter().for_each(|address| allow((*address).into()));
        }
        let comment = format!("other traffic to {} will be dropped by KUBE-PROXY-FIREWALL", self.names.port);
        let last = Rule { action: None, ..self.rule(vec![], Action::Return) };
        chains.add(TableName::Nat, &chain, last.comment(comment));
    }

    /// One of the endpoints, each as likely as the others. Where a client's connections stay together, rules
    /// that know it come first; of a first packet nothing is known.
    fn spread(&self, what: &str, list: &[SocketAddr], chains: &mut Chains) {
        let chain = self.names.chain(what);
        for (place, endpoint) in list.iter().enumerate() {
            let left = (list.len() - place) as u32;
            // of 2³¹, as iptables counts
            let by_chance = (left > 1).then(|| Match::is(Matcher::Random((1 << 31) / left)));
            let target = Action::Jump(self.names.endpoint(&endpoint.to_string()));
            let comment = format!("{} -> {endpoint}", self.names.port);
            chains.add(
                TableName::Nat,
                &chain,
                self.rule(by_chance.into_iter().collect(), target).comment(comment),
            );
        }
    }

    /// The chain of an endpoint. A pod that comes back to itself is masqueraded.
    fn endpoint(&self, endpoint: SocketAddr, chains: &mut Chains) {
        let chain = self.names.endpoint(&endpoint.to_string());
        let own = vec![is_address(Side::Source, endpoint.ip().into())];
        let rule = self.rule(own, Action::Jump(MARK_MASQ.into()));
        chains.add(TableName::Nat, &chain, rule.comment(self.names.port.to_string()));
        let matches = vec![Match::is(Matcher::Protocol(Protocol::Number(self.protocol)))];
        let port = Some((endpoint.port(), endpoint.port()));
        let to = Action::Dnat(Box::new(Translation::to(endpoint.ip()).ports(port)));
        chains.add(TableName::Nat, &chain, self.rule(matches, to).comment(self.names.port.to_string()));
    }

    /// kube-proxy itself answers on this port, whether or not the node has endpoints.
    fn health_check(&self, chains: &mut Chains) {
        let Some(port) = &self.service.health_check_node_port else { return };
        let matches = vec![
            Match::is(Matcher::Protocol(Protocol::Number(crate::kernel::packet::TCP))),
            Match::is(Matcher::Port(Side::Destination, port.value, port.value)),
        ];
        let comment = format!("{} health check node port", self.names.port);
        chains.add(TableName::Filter, NODE_PORTS, self.rule(matches, Action::Accept).comment(comment));
    }
}

fn is_address(side: Side, net: IpNet) -> Match {
    Match::is(Matcher::Address(side, vec![Address::Net(net)]))
}

/// Packets of the cluster's pods, if they can be told from others.
fn from_pods(local: &Local, v4: bool) -> Option<Match> {
    match local {
        Local::Unknown => None,
        Local::Interface(name) => Some(Match::is(Matcher::InInterface((**name).into()))),
        Local::Nets(nets) => {
            let nets = nets.iter().filter(|net| net.addr().is_ipv4() == v4);
            let nets: Vec<Address> = nets.map(|net| Address::Net(*net)).collect();
            (!nets.is_empty()).then(|| Match::is(Matcher::Address(Side::Source, nets)))
        }
    }
}
