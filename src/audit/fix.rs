//! Policies that would close what is open: written, compiled into the cluster, and offered only if they do just that.
//!
//! Each is tried out alone on one node, where it must close what it is to close; and all together on all nodes, where
//! everything must be closed, and nothing else may change.

use super::Audit;
use super::exposure::{Exposure, Verdict};
use super::findings::{Close, Found};
use super::nodes::{self, Compiled, Given, Ready};
use super::targets::{Kind, Target};
use super::ways::Way;
use super::why::guard;
use crate::model::{InvalidMode, Resources, collect, lower};
use crate::report::Fix;
use crate::resolve::Cluster;
use crate::source::{self, Input, Options};
use crate::trace::words::protocol;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Ports to close, by the network of the address, if it is one, and the protocol.
type Ports = BTreeMap<(Option<String>, u8), BTreeSet<(u16, u16)>>;

/// Adds to findings the policies that mend them.
pub fn offer(
    found: &mut [Found],
    audit: &Audit,
    cluster: &Cluster<'_>,
    compiled: &[Compiled],
    ready: &[&Ready<'_>],
    given: &BTreeMap<String, Given>,
) {
    let lab = Lab { audit, cluster, compiled, ready, given };
    let written: Vec<(usize, String)> = found
        .iter()
        .enumerate()
        .filter_map(|(place, one)| Some((place, lab.write(one.close.as_ref()?, &one.subject.1)?)))
        .collect();
    let closes = |(place, text): &&(usize, String)| {
        found[*place].close.as_ref().is_some_and(|close| lab.closes_alone(close, text))
    };
    let alone: Vec<&(usize, String)> = written.par_iter().filter(closes).collect();
    let together: Vec<(&Close, &str)> =
        alone.iter().filter_map(|(place, text)| Some((found[*place].close.as_ref()?, &**text))).collect();
    let closed = lab.close_together(&together);
    let offers: Vec<(usize, Fix)> = alone
        .into_iter()
        .zip(closed)
        .filter(|(_, closed)| *closed)
        .filter_map(|((place, text), _)| {
            let close = found[*place].close.as_ref()?;
            let what = format!(
                "this policy blocks it on `{}`; compiled into the cluster, it closes this and nothing else",
                close.interface
            );
            Some((*place, Fix { what, text: text.clone() }))
        })
        .collect();
    for (place, fix) in offers {
        found[place].fix = Some(fix);
    }
}

/// A cluster to try policies in.
struct Lab<'l, 'r> {
    audit: &'l Audit,
    cluster: &'l Cluster<'r>,
    compiled: &'l [Compiled],
    ready: &'l [&'l Ready<'l>],
    given: &'l BTreeMap<String, Given>,
}

impl Lab<'_, '_> {
    /// The policy; `None` if nothing selects just the host endpoints of the interface.
    fn write(&self, close: &Close, name: &str) -> Option<String> {
        let selector = self.selector(&close.interface, &close.nodes)?;
        let mut ports = Ports::new();
        let mut kinds = BTreeSet::new();
        for target in close.targets.iter().map(|target| &self.audit.targets[*target]) {
            kinds.insert(target.kind);
            let net = target.address.map(|ip| format!("{ip}/{}", if ip.is_ipv4() { 32 } else { 128 }));
            let protocols: &[u8] = if target.protocol == 0 { &[6, 17] } else { &[target.protocol] };
            for protocol in protocols {
                ports.entry((net.clone(), *protocol)).or_default().insert(target.ports);
            }
        }
        let kind = match kinds.first()? {
            Kind::LoadBalancer => "load-balancer",
            Kind::ExternalIp => "external-ip",
            Kind::NodePort => "node-port",
            Kind::HealthCheck => "health-check",
            Kind::HostPort => "host-port",
            Kind::HostNetwork => "host-network",
            _ => "node-ports",
        };
        let of = match kinds.first()? {
            Kind::NodePortRange => String::new(),
            _ => format!("-{}", name.replace('/', "-")),
        };
        let name = self.free_name(&format!("deny-{kind}{of}-on-{}", close.interface));
        let mut text = format!(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata:\n  name: {name}\nspec:\n  \
             order: {}\n  preDNAT: true\n  applyOnForward: true\n  selector: {selector}\n  types: [Ingress]\n  \
             ingress:\n",
            self.order()
        );
        for ((net, number), ports) in ports {
            let port = |(first, last): &(u16, u16)| match first == last {
                true => first.to_string(),
                false => format!("'{first}:{last}'"),
            };
            let ports: Vec<String> = ports.iter().map(port).collect();
            let protocol = protocol(number.into()).to_uppercase();
            let _ = write!(text, "  - action: Deny\n    protocol: {protocol}\n    destination:\n");
            if let Some(net) = net {
                let _ = writeln!(text, "      nets: [{net}]");
            }
            let _ = writeln!(text, "      ports: [{}]", ports.join(", "));
        }
        Some(text)
    }

    /// A name that no policy has.
    fn free_name(&self, wanted: &str) -> String {
        let valid = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' };
        let base: String = wanted.to_lowercase().chars().map(valid).take(200).collect();
        let taken = |name: &str| self.cluster.policies().iter().any(|policy| *policy.id.name == *name);
        let names = (1..).map(|number| if number == 1 { base.clone() } else { format!("{base}-{number}") });
        names.into_iter().find(|name| !taken(name)).unwrap_or(base)
    }

    /// Before every policy that is asked before DNAT.
    fn order(&self) -> String {
        let orders = self.cluster.resources().policies.iter().filter(|policy| policy.pre_dnat);
        let first = orders.filter_map(|policy| policy.order).fold(f64::INFINITY, f64::min);
        if first.is_finite() { (first - 1.0).to_string() } else { "500".to_owned() }
    }

    /// A label that all host endpoints of an interface have, and no other: as a selector.
    fn selector(&self, interface: &str, nodes: &[usize]) -> Option<String> {
        let covers = |node: usize| guard(&self.compiled[node].view, interface).host.map(|host| &*host.name);
        let wanted: BTreeSet<&str> = nodes.iter().map(|node| covers(*node)).collect::<Option<_>>()?;
        let all: BTreeSet<&str> = (0..self.compiled.len()).filter_map(covers).collect();
        let hosts = &self.cluster.resources().host_endpoints;
        let own: Vec<_> = hosts.iter().filter(|host| all.contains(&*host.meta.name)).collect();
        let first = own.first()?;
        let has = |host: &&crate::model::calico::HostEndpoint, key: &str, value: &str| {
            host.meta.labels.get(key) == Some(value)
        };
        let quoted = |value: &str| match value.contains('\'') {
            true => format!("\"{value}\""),
            false => format!("'{value}'"),
        };
        for (key, value) in first.meta.labels.iter() {
            let selects = || hosts.iter().filter(|host| has(host, key, value));
            let selected: BTreeSet<&str> = selects().map(|host| &*host.meta.name).collect();
            // also those of nodes that are not in the input
            let fits = |host: &crate::model::calico::HostEndpoint| {
                all.contains(&*host.meta.name) || *host.interface == *interface
            };
            if selects().all(fits) && wanted.is_subset(&selected) {
                return Some(format!("{key} == {}", quoted(value)));
            }
        }
        None
    }

    /// The resources with more policies; `None` if they are not what the API server takes.
    fn with(&self, texts: &[&str]) -> Option<Resources> {
        let mut resources = self.cluster.resources().clone();
        let facts = resources.facts;
        let input = Input::Text { name: "offered".to_owned(), bytes: texts.join("---\n").into_bytes() };
        let read = source::read(&[input], &Options { threads: 1 }, |object| lower(object, facts));
        let collected = collect(read.values, InvalidMode::Fail, facts);
        if collected.fatal || collected.resources.policies.len() != texts.len() {
            return None;
        }
        resources.policies.extend(collected.resources.policies);
        Some(resources)
    }

    /// Whether it closes by itself what it is to close, on the first of its nodes.
    fn closes_alone(&self, close: &Close, text: &str) -> bool {
        let Some(resources) = self.with(&[text]) else { return false };
        let cluster = Cluster::new(&resources);
        let number = close.nodes[0];
        let Some(compiled) = self.compile(&cluster, &[number]) else { return false };
        let own: Vec<Ready<'_>> = compiled.iter().map(Ready::new).collect();
        let mut ready: Vec<&Ready<'_>> = self.ready.to_vec();
        ready[number] = &own[0];
        let targets: Vec<Target> =
            close.targets.iter().map(|target| self.audit.targets[*target].clone()).collect();
        let zones = &self.audit.zones;
        let after = super::exposures(&cluster, &ready, number..number + 1, &targets, zones);
        let on_it = |exposure: &&Exposure| exposure.way == Way::Interface(close.interface.clone());
        after.iter().filter(on_it).all(|exposure| exposure.verdict == Verdict::Blocked)
    }

    /// Which of them are closed on all their nodes, if all policies together change nothing but what they are to close.
    /// As each does nothing but deny, what all of them leave alone each of them does.
    fn close_together(&self, offers: &[(&Close, &str)]) -> Vec<bool> {
        let texts: Vec<&str> = offers.iter().map(|(_, text)| *text).collect();
        let tried = || -> Option<Vec<bool>> {
            let resources = self.with(&texts)?;
            let cluster = Cluster::new(&resources);
            let all: Vec<usize> = (0..self.compiled.len()).collect();
            let compiled = self.compile(&cluster, &all)?;
            let ready: Vec<Ready<'_>> = compiled.par_iter().map(Ready::new).collect();
            let ready: Vec<&Ready<'_>> = ready.iter().collect();
            let (targets, zones) = (&self.audit.targets, &self.audit.zones);
            let after = super::exposures(&cluster, &ready, self.audit.entered.clone(), targets, zones);
            let before = &self.audit.exposures;
            let may_change = |old: &Exposure| offers.iter().any(|(close, _)| self.is_meant(close, old));
            let else_same = before.len() == after.len()
                && before.iter().zip(&after).all(|(old, new)| is_same(old, new) || may_change(old));
            let closed = |(close, _): &(&Close, &str)| {
                after.iter().filter(|exposure| close.nodes.contains(&exposure.node)).all(|exposure| {
                    !self.is_closed_by_it(close, exposure) || exposure.verdict == Verdict::Blocked
                })
            };
            Some(offers.iter().map(|offer| else_same && closed(offer)).collect())
        };
        match offers {
            [] => Vec::new(),
            _ => tried().unwrap_or_else(|| vec![false; offers.len()]),
        }
    }

    fn compile(&self, cluster: &Cluster<'_>, numbers: &[usize]) -> Option<Vec<Compiled>> {
        let one = |number: &usize| {
            let name = &*self.compiled[*number].view.node;
            nodes::one(cluster, name, self.given.get(name)).0
        };
        numbers.par_iter().map(one).collect()
    }

    /// Whether it is one of those that are to be closed.
    fn is_closed_by_it(&self, close: &Close, exposure: &Exposure) -> bool {
        exposure.way == Way::Interface(close.interface.clone()) && close.targets.contains(&exposure.target)
    }

    /// Whether it may change: what is to be closed, and the ranges of ports that it is part of.
    fn is_meant(&self, close: &Close, exposure: &Exposure) -> bool {
        let target = &self.audit.targets[exposure.target];
        let is_part = |own: &Target| {
            let protocols = own.protocol == 0 || target.protocol == 0 || own.protocol == target.protocol;
            let ports = own.ports.0 <= target.ports.1 && target.ports.0 <= own.ports.1;
            protocols && ports && (own.address.is_none() || own.address == target.address)
        };
        exposure.way == Way::Interface(close.interface.clone())
            && (matches!(target.kind, Kind::Host | Kind::NodePortRange)
                || close.targets.iter().any(|number| is_part(&self.audit.targets[*number])))
    }
}

/// Whether the same ones get to the same ends.
fn is_same(old: &Exposure, new: &Exposure) -> bool {
    let ends = |own: &Exposure| -> Vec<_> {
        own.ends.iter().map(|end| (end.end.clone(), end.to, end.sources.clone(), end.counts)).collect()
    };
    (old.target, old.zone, &old.way, old.verdict, &old.sources, &old.open)
        == (new.target, new.zone, &new.way, new.verdict, &new.sources, &new.open)
        && ends(old) == ends(new)
}
