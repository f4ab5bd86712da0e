//! What would be refused or ignored, and what works otherwise than it reads.
//!
//! | file | what |
//! |---|---|
//! | `run` | everything there is to find out about an input, as a [`Report`] |
//! | `outcome` | what becomes of each object: programmed, refused, rejected, ignored, … |
//! | `loadable` | what `iptables-restore`, `ipset` and the kernel refuse to take |
//! | `policy`, `host`, `service` | mistakes, one file each, whose header is their documentation |
//! | `context`, `rule_facts` | what mistakes are found in |
//! | `reach` | which rules packets reach, for the checks about order |
//! | `document` | what was found, for a report |
//! | `page` | a mistake's page of documentation, made from its file |
//!
//! A check is a [`Check`]: an id, how bad and how sure it is, and a function that finds it. To add
//! one, write its file with the page as its header, `fixtures/check/<id>/bad.yaml` and `good.yaml`,
//! and enter it in [`CHECKS`].

/// Declares a check: id, severity, confidence and what it looks at. The page is the header of the
/// file that this stands in; the examples are its fixtures.
macro_rules! check {
    ($id:literal, $severity:ident, $confidence:ident, $scope:ident) => {
        /// The check that this file describes.
        pub const CHECK: $crate::check::Check = $crate::check::Check {
            id: $id,
            severity: $crate::diagnostic::Severity::$severity,
            confidence: $crate::diagnostic::Confidence::$confidence,
            run: $crate::check::Run::$scope(run),
            source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", file!())),
            bad: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/check/", $id, "/bad.yaml")),
            good: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/check/", $id, "/good.yaml")),
        };
    };
}

mod context;
pub mod document;
mod host;
pub mod loadable;
pub mod outcome;
pub mod page;
mod policy;
pub(crate) mod reach;
mod rule_facts;
mod run;
mod service;

pub use context::{ClusterContext, NodeContext};
pub use run::{Report, Request, run};

use crate::diagnostic::{Confidence, Diagnostic, Location, Severity};

/// A mistake that can be found.
#[derive(Debug)]
pub struct Check {
    /// stable, kebab-case
    pub id: &'static str,
    /// how bad it is
    pub severity: Severity,
    /// how sure it is
    pub confidence: Confidence,
    /// what finds it
    pub run: Run,
    /// text of its source file, whose header is its documentation
    source: &'static str,
    /// a manifest that has the mistake
    bad: &'static str,
    /// one that has not
    good: &'static str,
}

/// What a check looks at.
#[derive(Debug, Clone, Copy)]
pub enum Run {
    /// the cluster as a whole, once
    Cluster(fn(&ClusterContext<'_, '_>, &mut Vec<Diagnostic>)),
    /// each node, with its rules; what is found on several nodes is told once
    Node(fn(&NodeContext<'_>, &mut Vec<Diagnostic>)),
}

impl Check {
    /// A finding of this check. `message` is one line, lower case, without a full stop, with the
    /// user's words in backticks.
    pub fn finding(&self, at: Location, message: impl Into<String>) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(self.id, self.severity, Some(at), message);
        diagnostic.confidence = self.confidence;
        diagnostic
    }
}

/// All checks, by id.
pub const CHECKS: &[&Check] = &[
    &policy::all_replaced::CHECK,
    &policy::undone::CHECK,
    &policy::contained_cidr::CHECK,
    &policy::by_hand::CHECK,
    &host::disabled_pool::CHECK,
    &host::untracked_wildcard::CHECK,
    &host::untracked_answers::CHECK,
    &policy::duplicate_cidr::CHECK,
    &policy::empty_policy::CHECK,
    &policy::equal_order::CHECK,
    &host::forward_denies::CHECK,
    &host::lockout::CHECK,
    &host::without_expected_ips::CHECK,
    &host::without_policy::CHECK,
    &host::policy_on_pods::CHECK,
    &policy::http_match::CHECK,
    &policy::log_only::CHECK,
    &policy::other_tier_name::CHECK,
    &policy::cluster_wide_port::CHECK,
    &policy::named_port::CHECK,
    &policy::no_types::CHECK,
    &service::node_port_in_policy::CHECK,
    &host::node_ports::CHECK,
    &policy::one_family_nets::CHECK,
    &service::pod_port_in_pre_dnat::CHECK,
    &policy::no_effect::CHECK,
    &policy::missing_tier::CHECK,
    &policy::selects_nothing::CHECK,
    &host::pool_modes::CHECK,
    &policy::port_item::CHECK,
    &host::pre_dnat_without_deny::CHECK,
    &policy::never_reached::CHECK,
    &policy::selector_nothing::CHECK,
    &policy::rules_without_type::CHECK,
    &service::address_in_nets::CHECK,
    &policy::service_endpoints::CHECK,
    &policy::services_namespace::CHECK,
    &policy::third_block::CHECK,
    &host::mark_bits::CHECK,
    &host::wildcard_pre_dnat::CHECK,
];

/// The check of an id.
pub fn find(id: &str) -> Option<&'static Check> {
    CHECKS.iter().copied().find(|check| check.id == id)
}
