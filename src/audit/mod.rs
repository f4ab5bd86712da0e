//! A cluster → what of it can be reached, from where, through which hops, and because of which rules.
//!
//! | file | what |
//! |---|---|
//! | `config`, `expectation` | the file with zones, and what must hold |
//! | `zones` | who may send packets: the internet, private networks, nodes, pods, and networks with names |
//! | `targets` | what can be addressed: services, node ports, ports of hosts, endpoints outside |
//! | `nodes` | the nodes with their rules |
//! | `ways` | where packets enter a node, and which |
//! | `walk` | those packets through all nodes on their way |
//! | `decisions` | the rules that decide, in words |
//! | `exposure` | for each target, way and zone: who gets there |
//! | `summary` | the same over all nodes |
//! | `why` | why a target is open, in words |
//! | `findings` | what somebody may not have meant, one file for each |
//! | `fix` | policies that would close what is open, tried out |
//! | `questions` | the three questions that people ask first |
//! | `words`, `text`, `json`, `document`, `picture` | the forms for people, for programs, and for reports |

pub mod config;
pub mod decisions;
pub mod document;
pub mod expectation;
pub mod exposure;
pub mod findings;
pub mod fix;
pub mod json;
pub mod nodes;
pub mod picture;
pub mod questions;
pub mod summary;
pub mod targets;
pub mod text;
pub mod walk;
pub mod ways;
pub mod why;
pub mod words;
pub mod zones;

use crate::diagnostic::Diagnostic;
use crate::ir::Family;
use crate::resolve::Cluster;
use config::Config;
use exposure::Exposure;
use findings::Found;
use nodes::{Compiled, Given, Ready};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use summary::Row;
use targets::Target;
use walk::Walker;
use ways::Way;
use zones::{INTERNET, Zone};

/// Nodes that are walked through with the sets of one space.
const TOGETHER: usize = 4;

/// What is asked.
#[derive(Debug, Default)]
pub struct Request<'q> {
    /// only packets that enter this node
    pub node: Option<&'q str>,
    /// only targets of this service or pod, `namespace/name`
    pub of: Option<&'q str>,
    /// what is known of nodes
    pub given: BTreeMap<String, Given>,
    /// zones and expectations
    pub config: Config,
}

/// Everything that was found.
#[derive(Debug)]
pub struct Audit {
    /// the nodes, in the order of their names
    pub nodes: Vec<Compiled>,
    /// those that packets enter
    pub entered: Range<usize>,
    /// what can be reached
    pub targets: Vec<Target>,
    /// who may send packets
    pub zones: Vec<Zone>,
    /// who reaches what, by target, way, zone, node and family
    pub exposures: Vec<Exposure>,
    /// the same over all nodes
    pub rows: Vec<Row>,
    /// what somebody may not have meant
    pub found: Vec<Found>,
    /// what was assumed
    pub said: Vec<Diagnostic>,
}

/// Audits a cluster. A node that is asked for must be one of it.
pub fn run(cluster: &Cluster<'_>, request: &Request<'_>) -> Audit {
    let mut said = Vec::new();
    let nodes = nodes::compile(cluster, &request.given, &mut said);
    let of = |target: &Target| request.of.is_none_or(|of| *target.of == *of);
    let targets: Vec<Target> = targets::all(cluster).into_iter().filter(of).collect();
    let zones = zones::zones(cluster, &request.config.zones);
    let place = request.node.and_then(|name| nodes.iter().position(|own| *own.view.node == *name));
    let entered = place.map_or(0..nodes.len(), |place| place..place + 1);
    let ready: Vec<Ready<'_>> = nodes.par_iter().map(Ready::new).collect();
    let ready: Vec<&Ready<'_>> = ready.iter().collect();
    let exposures = exposures(cluster, &ready, entered.clone(), &targets, &zones);
    let rows = summary::rows(&exposures);
    let mut audit =
        Audit { entered, targets, zones, exposures, rows, found: Vec::new(), said, nodes: Vec::new() };
    let mut found = findings::all(&audit, &nodes, cluster, &request.config);
    fix::offer(&mut found, &audit, cluster, &nodes, &ready, &request.given);
    audit.found = found;
    drop(ready);
    audit.nodes = nodes;
    audit
}

/// Who reaches what, of those who enter these nodes, in the order of [`Audit::exposures`].
pub fn exposures(
    cluster: &Cluster<'_>,
    ready: &[&Ready<'_>],
    entered: Range<usize>,
    targets: &[Target],
    zones: &[Zone],
) -> Vec<Exposure> {
    let starts: Vec<usize> = entered.clone().step_by(TOGETHER).collect();
    let mut work: Vec<(Family, Range<usize>)> = Vec::new();
    for family in [Family::V4, Family::V6] {
        // without addresses of a family nothing of it enters
        if ready.iter().any(|node| !node.local(family).is_empty()) {
            let chunk = |start: &usize| (family, *start..(start + TOGETHER).min(entered.end));
            work.extend(starts.iter().map(chunk));
        }
    }
    let walk = |(family, nodes): &(Family, Range<usize>)| {
        let mut walker = Walker::new(cluster, ready, *family);
        exposure::expose(&mut walker, targets, zones, nodes.clone())
    };
    let mut exposures: Vec<Exposure> = work.par_iter().flat_map_iter(walk).collect();
    exposures.sort_by(|a, b| {
        let key = |own: &Exposure| (own.target, own.zone, own.way.clone(), own.node, own.family);
        key(a).cmp(&key(b))
    });
    exposures
}

impl Audit {
    /// The interfaces on which the internet comes in, of all nodes that are entered.
    pub fn public_interfaces(&self) -> Vec<&str> {
        let on = |own: &&Exposure| own.zone == INTERNET;
        let names = self.exposures.iter().filter(on).filter_map(|own| match &own.way {
            Way::Interface(name) => Some(&**name),
            Way::Pods | Way::Host => None,
        });
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
