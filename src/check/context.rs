//! What checks look at.

use super::reach::Reach;
use crate::ir::Program;
use crate::model::Resources;
use crate::resolve::Cluster;
use crate::resolve::policy::Policy;
use crate::resolve::prospects::Prospects;
use crate::resolve::query::{Everyone, Selection};
use crate::resolve::view::NodeView;
use std::cell::OnceCell;

/// A whole cluster.
pub struct ClusterContext<'c, 'r> {
    /// what is stored, as written
    pub resources: &'r Resources,
    /// the policies that Felix accepts, and the sets of their rules
    pub cluster: &'c Cluster<'r>,
    /// everything that selectors can select
    pub everyone: Everyone<'c, 'r>,
    prospects: OnceCell<Prospects<'r>>,
    reach: OnceCell<Option<Reach>>,
}

impl<'c, 'r> ClusterContext<'c, 'r> {
    /// Makes everyone selectable.
    pub fn new(cluster: &'c Cluster<'r>) -> Self {
        ClusterContext {
            resources: cluster.resources(),
            cluster,
            everyone: cluster.everyone(),
            prospects: OnceCell::new(),
            reach: OnceCell::new(),
        }
    }

    /// Whom a policy selects.
    pub fn selected(&self, policy: &Policy) -> Selection<'c, 'r> {
        self.everyone.select(&policy.selector)
    }

    /// Which rules packets reach; `None` for a cluster that is too large for it.
    pub fn reach(&self) -> Option<&Reach> {
        self.reach.get_or_init(|| super::reach::reach(self)).as_ref()
    }

    /// The pods that selectors pass over.
    pub fn prospects(&self) -> &Prospects<'r> {
        self.prospects.get_or_init(|| self.cluster.prospects())
    }
}

/// One node.
pub struct NodeContext<'n> {
    /// what its agent knows
    pub view: &'n NodeView,
    /// what its kernel would hold
    pub program: &'n Program,
    /// what is stored, as written
    pub resources: &'n Resources,
}
