//! Everything there is to find out about an input.

use super::loadable::{self, Refusal};
use super::outcome::{self, Object};
use super::{CHECKS, ClusterContext, NodeContext, Run};
use crate::diagnostic::{Diagnostic, Location, Severity, order};
use crate::felix;
use crate::ir::{Family, TableName};
use crate::model::Collected;
use crate::resolve::view::{Interface, NodeView};
use crate::resolve::{Cluster, NodeRequest};
use rayon::prelude::*;

/// What is said where the checks about order were left out.
pub(super) const ORDER_NOT_CHECKED: &str = "order-not-checked";

/// What to look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'q> {
    /// one node only
    pub node: Option<&'q str>,
    /// its interfaces
    pub interfaces: Option<&'q [Interface]>,
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// every object and what becomes of it, in input order
    pub objects: Vec<Object>,
    /// everything that is said, in reading order
    pub diagnostics: Vec<Diagnostic>,
    /// the node that was asked for does not exist
    pub unknown_node: bool,
}

/// Finds out everything about what a cluster stores and what it turned away.
pub fn run(collected: &Collected, request: &Request<'_>) -> Report {
    let cluster = Cluster::new(&collected.resources);
    let mut diagnostics = collected.diagnostics.clone();
    diagnostics.extend_from_slice(cluster.diagnostics());
    let context = ClusterContext::new(&cluster);
    for check in CHECKS {
        if let Run::Cluster(run) = check.run {
            run(&context, &mut diagnostics);
        }
    }
    if context.reach().is_none() {
        let message = "the cluster is too large to find out which rules packets reach: nothing is said about the order of \
                       policies and rules";
        diagnostics.push(Diagnostic::new(ORDER_NOT_CHECKED, Severity::Note, None, message));
    }
    let nodes: Vec<&str> = match request.node {
        Some(node) => vec![node],
        None => cluster.node_names().collect(),
    };
    let found: Vec<_> = nodes.par_iter().map(|node| on_node(&cluster, node, request)).collect();
    let mut unknown_node = false;
    for on_node in found {
        unknown_node |= on_node.unknown;
        diagnostics.extend(on_node.diagnostics);
    }
    join_assumed_interfaces(&mut diagnostics, nodes.len());
    order(&mut diagnostics);
    Report { objects: outcome::objects(collected, &diagnostics), diagnostics, unknown_node }
}

struct OnNode {
    diagnostics: Vec<Diagnostic>,
    unknown: bool,
}

fn on_node(cluster: &Cluster<'_>, node: &str, request: &Request<'_>) -> OnNode {
    let resolved = cluster.view(&NodeRequest { node, interfaces: request.interfaces });
    let mut diagnostics = resolved.diagnostics;
    let Some(view) = resolved.view else { return OnNode { diagnostics, unknown: true } };
    let program = felix::render(&view);
    diagnostics.extend(unloadable(&view, loadable::refusals(&program)));
    let context = NodeContext { view: &view, program: &program, resources: cluster.resources() };
    for check in CHECKS {
        if let Run::Node(run) = check.run {
            run(&context, &mut diagnostics);
        }
    }
    OnNode { diagnostics, unknown: false }
}

/// A refusal, where its cause is written, and all that cannot be loaded because of it.
struct Cause {
    at: Option<Location>,
    first: Refusal,
    tables: Vec<(Family, Option<TableName>)>,
}

/// Refusals, one diagnostic for each cause.
fn unloadable(view: &NodeView, refusals: Vec<Refusal>) -> Vec<Diagnostic> {
    let mut causes: Vec<Cause> = Vec::new();
    for refusal in refusals {
        let set_by = refusal.parameter.and_then(|parameter| {
            view.config_places.iter().find(|(name, _)| *name == parameter).map(|(_, at)| *at)
        });
        let at = set_by.or_else(|| refusal.origin.as_ref()?.at());
        let table = (refusal.family, refusal.table);
        match causes.iter_mut().find(|cause| cause.at == at && cause.first.reason == refusal.reason) {
            Some(cause) if cause.tables.contains(&table) => {}
            Some(cause) => cause.tables.push(table),
            None => causes.push(Cause { at, first: refusal, tables: vec![table] }),
        }
    }
    causes.iter().map(describe).collect()
}

fn describe(Cause { at, first: refusal, tables }: &Cause) -> Diagnostic {
    let named: Vec<String> = tables
        .iter()
        .map(|(of, table)| match table {
            Some(table) => format!("{} {}", of.name(), table.name()),
            None => format!("{} sets", of.name()),
        })
        .collect();
    let (what, reason) = (&refusal.what, &refusal.reason);
    let message = match refusal.table {
        Some(_) => {
            format!("felix cannot program {}: the kernel refuses `{what}`: {reason}", named.join(", "))
        }
        None => format!("felix cannot program the set `{what}`: {reason}"),
    };
    let help = match refusal.parameter {
        Some(parameter) => format!(
            "change {parameter}; until then felix retries and restarts for ever, and nothing new in what it \
             cannot program reaches a node"
        ),
        None => {
            "change or remove the rule; until then felix retries and restarts for ever, and nothing new in \
                 that table reaches a node"
                .to_owned()
        }
    };
    Diagnostic::new("cannot-program", Severity::Error, *at, message).help(help)
}

/// Notes of assumed interfaces, one for each node, become one for all where there are several.
fn join_assumed_interfaces(diagnostics: &mut Vec<Diagnostic>, nodes: usize) {
    const ID: &str = "assumed-interfaces";
    if nodes < 2 || !diagnostics.iter().any(|diagnostic| diagnostic.id == ID) {
        return;
    }
    diagnostics.retain(|diagnostic| diagnostic.id != ID);
    let message = format!(
        "the interfaces of {nodes} nodes are not given; they are assumed from Node objects and host endpoints"
    );
    diagnostics.push(Diagnostic::new(ID, Severity::Note, None, message).help(
        "check one node with `--node`, and give the output of `ip -j addr` there with `--node-addresses`",
    ));
}
