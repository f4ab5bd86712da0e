//! Resources and a node → what that node's agent would know.
//!
//! The outcome is a [`view::NodeView`]: the node's endpoints with the policies that select them in
//! order, the rules with selectors replaced by set ids, the members of those sets, and the
//! effective configuration.
//!
//! | file | what |
//! |---|---|
//! | `cluster` | [`Cluster`]: what is the same for every node; [`Cluster::view`]: one node |
//! | `convert/` | Kubernetes' and Calico's objects → what Felix is given |
//! | `validate` | what Felix treats as missing |
//! | `set_table` | selectors, named ports and services in rules → sets |
//! | `contributors`, `label_index`, `bits`, `ranked` | who can be a member, and who is selected |
//! | `members` | members of sets |
//! | `policies` | active policies, their order, and which apply to an endpoint |
//! | `endpoints`, `hosts` | local pods and host endpoints |
//! | `network` | pools, tunnels, addresses of nodes |
//! | `config/` | Felix's effective configuration |

mod address;
mod bits;
mod cluster;
pub mod config;
mod contributors;
mod convert;
mod endpoints;
mod hosts;
mod label_index;
mod members;
mod network;
mod policies;
mod ranked;
mod set_table;
mod validate;
pub mod view;

pub use cluster::{Cluster, NodeRequest, Resolved};
