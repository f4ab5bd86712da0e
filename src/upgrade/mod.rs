//! One cluster under several versions of Calico: what its nodes have under each, and what holds in one and not in
//! the other.

use crate::diagnostic::Diagnostic;
use crate::felix;
use crate::ir::Program;
use crate::model::Collected;
use crate::resolve::view::{Interface, NodeView};
use crate::resolve::{Cluster, NodeRequest};
use crate::version::{CalicoVersion, Row};

/// A node under one version.
#[derive(Debug)]
pub struct Under {
    /// the version
    pub version: CalicoVersion,
    /// what the node's agent knows
    pub view: NodeView,
    /// what it programs
    pub program: Program,
    /// what there is to say about the cluster and the node under this version
    pub diagnostics: Vec<Diagnostic>,
}

/// A node before and after an upgrade.
#[derive(Debug)]
pub struct Upgrade {
    /// before
    pub old: Under,
    /// after
    pub new: Under,
    /// what holds in one of the versions and not in the other, in the order in which it is told
    pub differences: Vec<&'static Row>,
}

/// A node under the version that `collected` was read for; `None` if the cluster has no such node.
pub fn under(collected: &Collected, node: &str, interfaces: Option<&[Interface]>) -> Option<Under> {
    let cluster = Cluster::new(&collected.resources);
    let resolved = cluster.view(&NodeRequest { node, interfaces });
    let view = resolved.view?;
    let diagnostics = [&*collected.diagnostics, cluster.diagnostics(), &*resolved.diagnostics].concat();
    let program = felix::render(&view);
    Some(Under { version: collected.resources.facts.version, view, program, diagnostics })
}

/// What an upgrade makes of a node. `old` and `new` are the same input, read for the two versions; `None` if one
/// of them has no such node.
pub fn upgrade(
    old: &Collected,
    new: &Collected,
    node: &str,
    interfaces: Option<&[Interface]>,
) -> Option<Upgrade> {
    let (old, new) = (under(old, node, interfaces)?, under(new, node, interfaces)?);
    let differences = old.view.facts.differing(new.view.facts).collect();
    Some(Upgrade { old, new, differences })
}
