//! What somebody may not have meant, one file for each.

mod endpoint_refused;
mod node_port_range;
mod open;
mod open_egress;
mod pod_without_policy;
mod source_ranges;
mod unmet;
mod unreachable;

use super::Audit;
use super::config::Config;
use super::exposure::{Exposure, Verdict};
use super::nodes::Compiled;
use super::targets::Target;
use super::ways::Way;
use super::zones::INTERNET;
use crate::diagnostic::{Confidence, Diagnostic, Location, Severity};
use crate::report::Fix;
use crate::resolve::Cluster;
use crate::space::nets::size;

/// A finding.
#[derive(Debug, Clone)]
pub struct Found {
    /// what is said
    pub said: Diagnostic,
    /// what it is about: kind and name
    pub subject: (&'static str, String),
    /// why, one sentence each: places are filled in by [`Because`]
    pub because: Vec<Because>,
    /// what a policy would have to close
    pub close: Option<Close>,
    /// a policy that closes it
    pub fix: Option<Fix>,
}

/// A reason that names a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// the number of a node, its interface, the target and the exposure, from which it is told
    pub of: Option<(usize, Box<str>, usize, usize)>,
    /// the sentence, if it is told already
    pub text: String,
    /// the place that it names
    pub at: Option<Location>,
}

/// What a policy would have to close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// numbers of targets
    pub targets: Vec<usize>,
    /// the interface on which they come in
    pub interface: Box<str>,
    /// the nodes where it is open
    pub nodes: Vec<usize>,
}

/// What findings look at.
pub struct Context<'c, 'r> {
    /// who reaches what
    pub audit: &'c Audit,
    /// the nodes
    pub nodes: &'c [Compiled],
    /// the cluster
    pub cluster: &'c Cluster<'r>,
    /// zones and expectations
    pub config: &'c Config,
}

/// All findings, in no order.
pub fn all(audit: &Audit, nodes: &[Compiled], cluster: &Cluster<'_>, config: &Config) -> Vec<Found> {
    let context = Context { audit, nodes, cluster, config };
    let mut found = Vec::new();
    for rule in [
        open::find,
        node_port_range::find,
        source_ranges::find,
        endpoint_refused::find,
        unreachable::find,
        pod_without_policy::find,
        open_egress::find,
        unmet::find,
    ] {
        found.extend(rule(&context));
    }
    found
}

impl Context<'_, '_> {
    /// Exposures of targets, with their numbers.
    pub fn exposures(&self) -> impl Iterator<Item = (usize, &Exposure, &Target)> {
        let all = self.audit.exposures.iter().enumerate();
        all.map(|(number, own)| (number, own, &self.audit.targets[own.target]))
    }

    /// Exposures to the internet on interfaces: number, exposure, target and interface.
    pub fn to_internet(&self) -> impl Iterator<Item = (usize, &Exposure, &Target, &str)> {
        self.exposures().filter(|(_, own, _)| own.zone == INTERNET).filter_map(|(number, own, target)| {
            match &own.way {
                Way::Interface(name) => Some((number, own, target, &**name)),
                Way::Pods | Way::Host => None,
            }
        })
    }

    /// How sure it is what comes in where.
    pub fn confidence(&self, nodes: impl IntoIterator<Item = usize>) -> Confidence {
        let given = nodes.into_iter().all(|node| self.nodes[node].given);
        if given { Confidence::Certain } else { Confidence::Likely }
    }

    /// Whether all of a zone gets there, or so many of it that the few others make no difference.
    pub fn is_wide(&self, exposure: &Exposure) -> bool {
        match exposure.verdict {
            Verdict::Open => true,
            Verdict::Blocked => false,
            Verdict::Restricted => {
                let half = self.audit.zones[exposure.zone].size(exposure.family) / 2.0;
                size(&exposure.sources, exposure.family) > half && !exposure.by_source_port
            }
        }
    }
}

impl Found {
    /// A finding.
    pub fn new(said: Diagnostic, subject: (&'static str, String)) -> Self {
        Found { said, subject, because: Vec::new(), close: None, fix: None }
    }
}

impl Because {
    /// A sentence.
    pub fn text(text: impl Into<String>) -> Self {
        Because { of: None, text: text.into(), at: None }
    }
}

/// A diagnostic that is not certain.
fn diagnostic(
    id: &'static str,
    severity: Severity,
    confidence: Confidence,
    at: Option<Location>,
    message: String,
) -> Diagnostic {
    Diagnostic { confidence, ..Diagnostic::new(id, severity, at, message) }
}
