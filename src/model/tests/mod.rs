//! The stage as a whole: texts in, fates and resources out.

mod calico;
mod collect;
mod hostile;
mod kubernetes;
mod objects;

use super::{Lowered, Outcome, Resource, lower};
use crate::source::{self, Input, Options};

/// Lowers every object of a text.
fn lower_all(text: &str) -> Vec<Lowered> {
    let input = Input::Text { name: "test.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    let loaded = source::read(&[input], &Options { threads: 1 }, |object| lower(object, Default::default()));
    assert_eq!(loaded.diagnostics, [], "the test's text is no YAML: {text}");
    loaded.values
}

/// Lowers the one object of a text.
fn lower_one(text: &str) -> Lowered {
    let mut all = lower_all(text);
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

/// The resource of an object that is stored without any diagnostic.
fn stored(text: &str) -> Resource {
    let lowered = lower_one(text);
    assert_eq!(lowered.diagnostics, [], "{text}");
    match lowered.outcome {
        Outcome::Stored(resource) => resource,
        other => panic!("{other:?}: {text}"),
    }
}

/// The fate of an object and the ids of its diagnostics, as one line.
fn verdict(text: &str) -> String {
    let lowered = lower_one(text);
    let fate = match lowered.outcome {
        Outcome::Stored(_) => "stored",
        Outcome::RefusedBySchema => "refused",
        Outcome::RejectedByCalicoctl => "rejected",
        Outcome::NeverInSync => "never in sync",
        Outcome::Malformed => "malformed",
        Outcome::PassedOver => "passed over",
    };
    let ids: Vec<_> = lowered.diagnostics.iter().map(|d| d.id).collect();
    if ids.is_empty() { fate.to_owned() } else { format!("{fate}: {}", ids.join(" ")) }
}

/// The first message, and where it points: `line:column`.
fn first_message(text: &str) -> (String, String) {
    let lowered = lower_one(text);
    let diagnostic = lowered.diagnostics.first().unwrap_or_else(|| panic!("nothing to say about {text}"));
    let place = diagnostic.at.map(|at| format!("{}:{}", at.line, at.column)).unwrap_or_default();
    (diagnostic.message.clone(), place)
}

/// Checks verdicts: what is put into the frame, and what becomes of it.
fn verdicts(frame: impl Fn(&str) -> String, cases: &[(&str, &str)]) {
    for (inside, wanted) in cases {
        assert_eq!(verdict(&frame(inside)), *wanted, "{inside}");
    }
}
