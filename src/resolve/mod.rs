//! Resources and a node → what that node's agent would know.
//!
//! The outcome is a [`view::NodeView`]: the node's endpoints with the policies that select them in
//! order, the rules with selectors replaced by set ids, the members of those sets, and the
//! effective configuration.

pub mod config;
pub mod view;
