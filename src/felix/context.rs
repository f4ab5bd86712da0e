//! What every part of the renderer needs at hand.

use super::hash;
use super::marks::Marks;
use super::names;
use crate::ir::{Action, Chain, Family, Match, Matcher, RejectWith, SetLookup};
use crate::model::calico::Direction;
use crate::resolve::config::{AllowAction, DenyAction, FelixConfig};
use crate::resolve::view::{HostEndpoint, NodeView, PolicyIndex, SetIndex, WILDCARD_INTERFACE};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::sync::Arc;

/// One family's view of the node.
pub struct Context<'v> {
    pub view: &'v NodeView,
    pub family: Family,
    pub marks: Marks,
    /// names of `view.sets` in this family
    set_names: FxHashMap<SetIndex, Arc<str>>,
    /// names of chains that many rules go to
    targets: RefCell<FxHashMap<Target, Arc<str>>>,
}

/// A chain that rules of endpoints go to: by the address of its policy in the view, or by the policies of its group.
#[derive(PartialEq, Eq, Hash)]
pub enum Target {
    Policy(usize, Direction),
    Group(Box<[PolicyIndex]>, Direction),
}

/// The interface that tells of kube-proxy's IPVS mode (`felix/dataplane/driver.go:81`, v3.32.1).
const IPVS_INTERFACE: &str = "kube-ipvs0";

impl<'v> Context<'v> {
    pub fn new(view: &'v NodeView, family: Family) -> Self {
        let wireguard = view.config.wireguard_enabled || view.config.wireguard_enabled_v6;
        let set_names = view.sets.iter().map(|set| (set.index, names::set(family, &set.id).into())).collect();
        let marks = Marks::new(view.config.iptables_mark_mask, wireguard);
        Context { view, family, marks, set_names, targets: RefCell::default() }
    }

    pub fn config(&self) -> &'v FelixConfig {
        &self.view.config
    }

    pub fn is_v4(&self) -> bool {
        self.family == Family::V4
    }

    /// kube-proxy runs in IPVS mode.
    pub fn ipvs(&self) -> bool {
        is_ipvs(self.view)
    }

    /// What "allow" means in the filter table.
    pub fn filter_allow(&self) -> Action {
        allow(self.config().iptables_filter_allow_action)
    }

    /// What "allow" means in mangle PREROUTING.
    pub fn mangle_allow(&self) -> Action {
        allow(self.config().iptables_mangle_allow_action)
    }

    /// What "deny" means, everywhere.
    pub fn deny(&self) -> Action {
        match self.config().iptables_filter_deny_action {
            DenyAction::Drop => Action::Drop,
            DenyAction::Reject => Action::Reject(RejectWith::PortUnreachable),
        }
    }

    /// "Deny" as comments spell it.
    pub fn deny_word(&self) -> &'static str {
        match self.config().iptables_filter_deny_action {
            DenyAction::Drop => "Drop",
            DenyAction::Reject => "Reject",
        }
    }

    /// Interface patterns of workloads, `cali+`.
    pub fn workload_patterns(&self) -> impl Iterator<Item = Arc<str>> + 'v {
        self.config().interface_prefix.iter().map(|prefix| format!("{prefix}+").into())
    }

    /// The packet came in from a workload.
    pub fn workloads_in(&self) -> impl Iterator<Item = Match> + 'v {
        self.workload_patterns().map(|pattern| Match::is(Matcher::InInterface(pattern)))
    }

    /// The packet goes out to a workload.
    pub fn workloads_out(&self) -> impl Iterator<Item = Match> + 'v {
        self.workload_patterns().map(|pattern| Match::is(Matcher::OutInterface(pattern)))
    }

    /// Host endpoints of one interface each.
    pub fn named_host_endpoints(&self) -> impl Iterator<Item = &'v HostEndpoint> {
        self.view.host_endpoints.iter().filter(|endpoint| &*endpoint.interface != WILDCARD_INTERFACE)
    }

    /// The host endpoint of all interfaces that have none of their own.
    pub fn wildcard(&self) -> Option<&'v HostEndpoint> {
        self.view.host_endpoints.iter().find(|endpoint| &*endpoint.interface == WILDCARD_INTERFACE)
    }

    /// A match on one of the sets that rules refer to.
    pub fn in_set(&self, set: SetIndex, lookup: SetLookup) -> Match {
        Match::is(Matcher::Set(self.set_names[&set].clone(), lookup))
    }

    /// A match on one of Felix's own sets, by its id.
    pub fn in_static_set(&self, id: &str, lookup: SetLookup) -> Match {
        Match::is(Matcher::Set(names::set(self.family, id).into(), lookup))
    }

    /// The name of a chain, made once.
    pub fn target(&self, target: Target, name: impl FnOnce() -> Arc<str>) -> Arc<str> {
        self.targets.borrow_mut().entry(target).or_insert_with(name).clone()
    }

    /// A chain with the hashes of its rules filled in.
    pub fn chain(&self, name: &str, rules: Vec<crate::ir::Rule>) -> Arc<Chain> {
        hash::chain(name, rules, self.family)
    }
}

/// Whether kube-proxy runs in IPVS mode on the node.
pub fn is_ipvs(view: &NodeView) -> bool {
    view.interfaces.iter().any(|interface| &*interface.name == IPVS_INTERFACE)
}

fn allow(action: AllowAction) -> Action {
    match action {
        AllowAction::Accept => Action::Accept,
        AllowAction::Return => Action::Return,
    }
}

/// An unconditional jump.
pub fn jump(chain: &str) -> Action {
    Action::Jump(chain.into())
}
