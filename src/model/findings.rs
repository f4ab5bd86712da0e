//! What there is to say about one object, and the worst that follows from it.

use super::{Lowered, Outcome, Resource};
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::version::Facts;

/// How many diagnostics one object may cause; the rest is counted.
const MAX_PER_OBJECT: usize = 40;

/// The way by which an object enters the cluster, which decides who looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `projectcalico.org/v3`: decoded strictly, validated and defaulted by calicoctl
    Calicoctl,
    /// `crd.projectcalico.org/v1`: the API server checks the custom resource's schema
    Crd,
    /// a kind of Kubernetes itself: the API server decodes and validates it
    Kubernetes,
}

/// What follows from a finding, from harmless to fatal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worst {
    /// stored all the same
    Stored,
    /// stored, but no Felix ever gets in sync
    NeverInSync,
    /// refused or rejected at the door
    TurnedAway,
    /// no object at all
    Malformed,
}

/// Collects findings about one object.
#[derive(Debug)]
pub struct Findings<'t> {
    /// what holds in the version of Calico that reads the object
    pub facts: &'static Facts,
    door: Door,
    kind: &'t str,
    worst: Worst,
    diagnostics: Vec<Diagnostic>,
    /// findings beyond [`MAX_PER_OBJECT`]
    more: usize,
}

impl<'t> Findings<'t> {
    /// Nothing found yet about an object of `kind`.
    pub fn new(facts: &'static Facts, door: Door, kind: &'t str) -> Self {
        Findings { facts, door, kind, worst: Worst::Stored, diagnostics: Vec::new(), more: 0 }
    }

    /// The object's kind.
    pub fn kind(&self) -> &'t str {
        self.kind
    }

    /// Whether the API server's schema of the kind says anything about values, and not about types alone.
    pub fn schema_knows_values(&self) -> bool {
        const TYPES_ONLY: [&str; 8] = [
            "NetworkPolicy",
            "GlobalNetworkPolicy",
            "StagedNetworkPolicy",
            "StagedGlobalNetworkPolicy",
            "NetworkSet",
            "GlobalNetworkSet",
            "HostEndpoint",
            "IPPool",
        ];
        self.facts.schemas_know_values || self.door == Door::Kubernetes || !TYPES_ONLY.contains(&self.kind)
    }

    /// The object's door.
    pub fn door(&self) -> Door {
        self.door
    }

    /// Whether the object will not become a resource.
    pub fn is_fatal(&self) -> bool {
        self.worst > Worst::Stored
    }

    /// The door turns the object away. `reason` completes "calicoctl rejects this Tier: …".
    pub fn turn_away(&mut self, id: &'static str, at: Location, reason: &str) -> Note<'_> {
        let who = match self.door {
            Door::Calicoctl => "calicoctl rejects",
            Door::Crd | Door::Kubernetes => "the API server refuses",
        };
        let message = format!("{who} this {}: {reason}", self.kind);
        self.push(Worst::TurnedAway, Diagnostic::error(id, at, message))
    }

    /// The object is stored, and no Felix can decode it.
    pub fn never_in_sync(&mut self, at: Location, reason: &str) -> Note<'_> {
        let message = format!(
            "this {} is stored, but Felix cannot decode it, and not one Felix of the cluster ever gets in sync: {reason}",
            self.kind
        );
        self.push(Worst::NeverInSync, Diagnostic::error("never-in-sync", at, message))
    }

    /// A value that Go cannot decode: fatal at calicoctl's door, and worse behind the others.
    pub fn undecodable(&mut self, at: Location, reason: &str) -> Note<'_> {
        match self.door {
            Door::Crd => self.never_in_sync(at, reason),
            Door::Calicoctl | Door::Kubernetes => self.turn_away("wrong-value", at, reason),
        }
    }

    /// An API server that enforces every rule refuses the object, but a store without such rules
    /// (an older API server, a schema without `x-kubernetes-validations`, a test rig) holds it, and
    /// Felix then treats it as it is. So it is kept, with a warning.
    pub fn schema_rule(&mut self, at: Location, reason: &str) -> Note<'_> {
        if self.door != Door::Kubernetes && !self.facts.schemas_know_values {
            return Note(None);
        }
        let rules = match self.door {
            Door::Calicoctl | Door::Crd => "all rules of Calico's schemas",
            Door::Kubernetes => "all rules of its kind",
        };
        let message = format!(
            "an API server that enforces {rules} refuses this {}, which is taken as stored here: {reason}",
            self.kind
        );
        self.push(Worst::Stored, Diagnostic::warning("schema-rule", at, message))
    }

    /// The object is none: something it cannot do without is missing or of a wrong type.
    pub fn malformed(&mut self, at: Location, message: impl Into<String>) -> Note<'_> {
        self.push(Worst::Malformed, Diagnostic::error("malformed-object", at, message))
    }

    /// Something worth a warning.
    pub fn warn(&mut self, id: &'static str, at: Location, message: impl Into<String>) -> Note<'_> {
        self.push(Worst::Stored, Diagnostic::warning(id, at, message))
    }

    fn push(&mut self, worst: Worst, diagnostic: Diagnostic) -> Note<'_> {
        self.worst = self.worst.max(worst);
        if self.diagnostics.len() >= MAX_PER_OBJECT {
            self.more += 1;
            return Note(None);
        }
        self.diagnostics.push(diagnostic);
        Note(self.diagnostics.last_mut())
    }

    /// The outcome: the resource if nothing fatal was found.
    pub fn finish(mut self, resource: Option<Resource>) -> Lowered {
        if self.more > 0 {
            let last = self.diagnostics.iter().rev().find_map(|d| d.at);
            self.diagnostics.push(Diagnostic::new(
                "more-findings",
                if self.is_fatal() { Severity::Error } else { Severity::Warning },
                last,
                format!("and {} more findings about this {}", self.more, self.kind),
            ));
        }
        let outcome = match (self.worst, self.door, resource) {
            (Worst::Stored, _, Some(resource)) => Outcome::Stored(resource),
            (Worst::Stored, _, None) => Outcome::PassedOver,
            (Worst::NeverInSync, ..) => Outcome::NeverInSync,
            (Worst::TurnedAway, Door::Calicoctl, _) => Outcome::RejectedByCalicoctl,
            (Worst::TurnedAway, ..) => Outcome::RefusedBySchema,
            (Worst::Malformed, ..) => Outcome::Malformed,
        };
        Lowered { outcome, diagnostics: self.diagnostics, subject: None, acceptance: None }
    }
}

/// A finding just made, to be completed.
pub struct Note<'f>(Option<&'f mut Diagnostic>);

impl Note<'_> {
    /// Adds what to do about it.
    pub fn help(self, help: impl Into<String>) -> Self {
        let Note(mut diagnostic) = self;
        if let Some(diagnostic) = diagnostic.as_deref_mut() {
            diagnostic.help = Some(help.into());
        }
        Note(diagnostic)
    }

    /// Adds a further place.
    pub fn related(self, at: Location, message: impl Into<String>) -> Self {
        let Note(mut diagnostic) = self;
        if let Some(diagnostic) = diagnostic.as_deref_mut() {
            diagnostic.related.push(crate::diagnostic::Related { at, message: message.into() });
        }
        Note(diagnostic)
    }
}
