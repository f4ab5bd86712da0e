//! Resources and a node → what that node's agent would know.
//!
//! The outcome is a [`view::NodeView`]: the node's endpoints with the policies that select them in
//! order, the rules with selectors replaced by set ids, the members of those sets, and the
//! effective configuration.
//!
//! [`Cluster::new`] does once what is the same for every node: it converts policies, pods and
//! profiles to the form that Felix is given ([`convert`]), drops what Felix ignores
//! (`validate`), and indexes everything that can be a member of a set. [`Cluster::view`] then
//! looks at one node. Members of a set are worked out when the first node asks for them.

mod absent_pods;
mod active;
pub mod address;
mod bits;
mod cluster;
pub mod config;
pub mod content;
mod contributor_scan;
mod contributors;
pub mod convert;
mod endpoint_policies;
mod host_interfaces;
mod label_index;
mod local_endpoints;
mod members;
mod network;
mod node_facts;
mod node_view;
pub mod policy;
pub mod prospects;
pub mod query;
mod ranked;
mod selected_everywhere;
mod set_table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tier;
mod validate;
pub mod view;

pub use cluster::Cluster;

use crate::diagnostic::Diagnostic;
use view::{Interface, NodeView};

/// Which node to look at.
#[derive(Debug, Clone, Copy)]
pub struct NodeRequest<'q> {
    /// its name
    pub node: &'q str,
    /// its interfaces, as `ip -j addr` lists them; assumed from its Node object and host endpoints
    /// if they are not given
    pub interfaces: Option<&'q [Interface]>,
}

/// A node's view, and what there is to say about it beyond [`Cluster::diagnostics`].
#[derive(Debug)]
pub struct Resolved {
    /// `None` for a node that does not exist
    pub view: Option<NodeView>,
    /// about this node
    pub diagnostics: Vec<Diagnostic>,
}
