//! What becomes of each object.

use crate::diagnostic::{Diagnostic, Location};
use crate::model::{self, Collected, Fate, Subject};

/// The end of an object's way, from harmless to fatal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// stored, and taken into account wherever it applies
    Programmed,
    /// a later text of the same object took its place
    Replaced,
    /// stored, but Felix treats it as missing
    IgnoredByFelix,
    /// calicoctl rejects it
    RejectedByCalicoctl,
    /// the API server refuses it
    RefusedBySchema,
    /// a node that has rules or sets for it cannot load them
    CannotProgram,
    /// not one Felix of the cluster ever programs anything
    NeverInSync,
    /// it is no object that anybody could store
    Malformed,
}

impl Outcome {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Outcome; 8] = [
        Outcome::Programmed,
        Outcome::Replaced,
        Outcome::IgnoredByFelix,
        Outcome::RejectedByCalicoctl,
        Outcome::RefusedBySchema,
        Outcome::CannotProgram,
        Outcome::NeverInSync,
        Outcome::Malformed,
    ];

    /// The word in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Programmed => "programmed",
            Outcome::Replaced => "replaced",
            Outcome::IgnoredByFelix => "ignored_by_felix",
            Outcome::RejectedByCalicoctl => "rejected_by_calicoctl",
            Outcome::RefusedBySchema => "refused_by_crd_schema",
            Outcome::CannotProgram => "cannot_program",
            Outcome::NeverInSync => "never_in_sync",
            Outcome::Malformed => "malformed",
        }
    }

    /// The word for people.
    pub fn phrase(self) -> &'static str {
        match self {
            Outcome::Programmed => "programmed",
            Outcome::Replaced => "replaced by a later text",
            Outcome::IgnoredByFelix => "ignored by Felix",
            Outcome::RejectedByCalicoctl => "rejected by calicoctl",
            Outcome::RefusedBySchema => "refused by the API server",
            Outcome::CannotProgram => "cannot be programmed",
            Outcome::NeverInSync => "stops every Felix",
            Outcome::Malformed => "malformed",
        }
    }
}

/// An object and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// which
    pub subject: Subject,
    /// its outcome
    pub outcome: Outcome,
}

/// What a diagnostic says of the object that it stands in.
fn of_diagnostic(diagnostic: &Diagnostic) -> Option<Outcome> {
    match diagnostic.id {
        "ignored-by-felix" => Some(Outcome::IgnoredByFelix),
        "cannot-program" => Some(Outcome::CannotProgram),
        "felix-parameter-fatal" | "too-few-mark-bits" => Some(Outcome::NeverInSync),
        _ => None,
    }
}

/// The outcome of every object, in input order.
pub fn objects(collected: &Collected, diagnostics: &[Diagnostic]) -> Vec<Object> {
    let stored = model::subjects(&collected.resources);
    let mut objects: Vec<Object> =
        stored.into_iter().map(|subject| Object { subject, outcome: Outcome::Programmed }).collect();
    objects.extend(
        collected.replaced.iter().cloned().map(|subject| Object { subject, outcome: Outcome::Replaced }),
    );
    objects.extend(collected.turned_away.iter().map(|turned| {
        let outcome = match turned.fate {
            Fate::Refused => Outcome::RefusedBySchema,
            Fate::Rejected => Outcome::RejectedByCalicoctl,
            Fate::NeverInSync => Outcome::NeverInSync,
            Fate::Malformed => Outcome::Malformed,
        };
        Object { subject: turned.subject.clone(), outcome }
    }));
    objects.sort_by_key(|object| object.subject.at);
    for diagnostic in diagnostics {
        let (Some(outcome), Some(at)) = (of_diagnostic(diagnostic), diagnostic.at) else { continue };
        if let Some(index) = containing(&objects, at) {
            objects[index].outcome = objects[index].outcome.max(outcome);
        }
    }
    objects
}

/// The object that a place stands in: the last one that begins before it in the same file.
pub fn containing(objects: &[Object], at: Location) -> Option<usize> {
    let after = objects.partition_point(|object| object.subject.at <= at);
    let index = after.checked_sub(1)?;
    (objects[index].subject.at.file == at.file).then_some(index)
}
