//! The node's view → rules: what Felix renders, in its iptables dataplane.
//!
//! | file | what |
//! |---|---|
//! | `assemble` | the tables: hooks, and every chain that they reach |
//! | `static_raw`, `static_mangle`, `static_nat`, `static_filter` | the chains that are always there |
//! | `failsafe`, `ipvs` | chains that host endpoints and kube-proxy's IPVS mode add |
//! | `dispatch` | from an interface's name to its endpoint's chains |
//! | `endpoint` | the chains of a pod or host endpoint |
//! | `policy`, `blocks`, `rule_match` | the chains of policies, profiles and policy groups |
//! | `names`, `marks`, `hash`, `nflog` | names of chains and sets, mark bits, rule hashes, log prefixes |
//! | `sets` | the ipsets |
//! | `common`, `shared` | what families, and what nodes have in common |

mod assemble;
mod blocks;
mod common;
mod context;
mod dispatch;
mod endpoint;
mod endpoint_mark;
mod failsafe;
mod group;
pub mod hash;
mod ipvs;
mod marks;
pub(crate) mod names;
mod nflog;
mod policy;
mod rule_match;
mod sets;
mod shared;
mod static_filter;
mod static_mangle;
mod static_nat;
mod static_raw;

pub use assemble::inserted;
pub use blocks::split_ports;
pub use context::is_ipvs;
pub use policy::positive_blocks;
pub use shared::{Alike, Shared};

use crate::ir::{Chain, Family, Program};
use crate::resolve::view::NodeView;
use std::sync::Arc;

/// Renders everything that Felix would program on the node.
pub fn render(view: &NodeView) -> Program {
    render_alike(view, &Shared::default().alike(view))
}

/// The same, for one of several nodes: chains that others have too are rendered once. `alike` is of this view.
pub fn render_alike(view: &NodeView, alike: &Alike) -> Program {
    let v4 = context::Context::new(view, Family::V4);
    let common = common::Common::new(&v4, alike);
    let v6 = || assemble::rule_set(&context::Context::new(view, Family::V6), &common);
    Program {
        v4: assemble::rule_set(&v4, &common),
        v6: if view.config.ipv6_support { v6() } else { assemble::ipv6_off() },
        sets: sets::all(view),
    }
}

/// The sets of a node, without its rules.
pub fn sets(view: &NodeView) -> Vec<crate::ir::IpSet> {
    sets::all(view)
}

/// Who has the same chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// nodes of one configuration: a policy's, a profile's, a group's
    Nodes,
    /// both families of one node: a pod's
    Families,
    /// nobody else
    Own,
}

/// Who has the same chain.
pub fn scope(chain: &Chain) -> Scope {
    use names::{GROUP_IN, GROUP_OUT, POLICY_IN, POLICY_OUT, PROFILE_IN, PROFILE_OUT};
    const NODES: [&str; 6] = [POLICY_IN, POLICY_OUT, PROFILE_IN, PROFILE_OUT, GROUP_IN, GROUP_OUT];
    const FAMILIES: [&str; 2] = [names::FROM_WORKLOAD, names::TO_WORKLOAD];
    let begins = |prefix: &&str| chain.name.starts_with(*prefix);
    if NODES.iter().any(begins) {
        Scope::Nodes
    } else if FAMILIES.iter().any(begins) {
        Scope::Families
    } else {
        Scope::Own
    }
}

/// The mark of WireGuard's own packets, 0 where it is off.
pub fn wireguard_mark(view: &NodeView) -> u32 {
    context::Context::new(view, Family::V4).marks.wireguard
}

/// The chains of all policies of a view, for ingress and egress, whether or not anything leads to them.
pub fn policy_chains(view: &NodeView, family: Family) -> Vec<[Arc<Chain>; 2]> {
    let ctx = context::Context::new(view, family);
    view.policies.iter().filter_map(|own| policy::policy(&ctx, own).try_into().ok()).collect()
}

/// The bits of the packet mark in which rules of policies and profiles note their verdicts.
pub fn verdict_marks(view: &NodeView) -> u32 {
    let marks = context::Context::new(view, Family::V4).marks;
    marks.accept | marks.pass | marks.drop
}

/// The bits of the packet mark that only Felix's own rules look at: all but those that routing rules
/// (WireGuard) or kube-proxy (endpoints, in IPVS mode) use too.
pub fn private_marks(view: &NodeView) -> u32 {
    let marks = context::Context::new(view, Family::V4).marks;
    marks.all() | marks.drop
}
