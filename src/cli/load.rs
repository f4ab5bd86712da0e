//! Paths → resources: the stages `source` and `model` together.

use super::args::Invalid;
use crate::diagnostic::{Diagnostic, FileId, Location, Severity, render::SourceLines};
use crate::model::{self, Resources};
use crate::source::{self, Files, Input};
use std::num::NonZero;
use std::path::PathBuf;

/// The input, read and typed.
pub struct Loaded {
    /// the files, for names and lines
    pub files: Files,
    /// what a cluster would store
    pub resources: Resources,
    /// what there is to say about it
    pub diagnostics: Vec<Diagnostic>,
    /// the input must not be used: a document is malformed, or an object would be refused and
    /// that was to be an error
    pub unusable: bool,
}

impl SourceLines for Files {
    fn name(&self, file: FileId) -> &str {
        self.name(file)
    }

    fn line(&self, file: FileId, line: u32) -> Option<String> {
        self.line(file, line)
    }

    fn stretch(&self, at: Location, radius: u32) -> Option<(String, u32)> {
        self.excerpt(at, radius).map(|excerpt| (excerpt.text, excerpt.column))
    }
}

/// Reads all paths.
pub fn load(paths: &[PathBuf], jobs: Option<NonZero<usize>>, invalid: Invalid) -> Loaded {
    let inputs: Vec<Input> = paths
        .iter()
        .map(|path| if path.as_os_str() == "-" { Input::Stdin } else { Input::Path(path.clone()) })
        .collect();
    let options = source::Options { threads: jobs.map_or(0, NonZero::get) };
    let read = source::read(&inputs, &options, model::lower);
    let malformed = has_error(&read.diagnostics);
    let mode = match invalid {
        Invalid::Fail => model::InvalidMode::Fail,
        Invalid::Skip => model::InvalidMode::Skip,
    };
    let nothing = read.values.is_empty() && !malformed;
    let collected = model::collect(read.values, mode);
    let mut diagnostics = read.diagnostics;
    let refused = has_error(&collected.diagnostics);
    diagnostics.extend(collected.diagnostics);
    diagnostics.extend(passed_over(&collected.counts));
    if nothing {
        diagnostics.push(
            Diagnostic::new("no-objects", Severity::Error, None, "there is not one object in the input")
                .help("name files or folders with Kubernetes and Calico manifests"),
        );
    }
    let unusable = malformed || nothing || (refused && invalid == Invalid::Fail);
    Loaded { files: read.files, resources: collected.resources, diagnostics, unusable }
}

/// Nothing is dropped in silence: the kinds that policy does not look at, and how many there were.
fn passed_over(counts: &model::Counts) -> Option<Diagnostic> {
    let kinds: Vec<String> =
        counts.passed_over.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let message = format!("passed over, because policy does not look at them: {}", kinds.join(", "));
    (!kinds.is_empty()).then(|| Diagnostic::new("passed-over", Severity::Note, None, message))
}

/// Whether any of them is an error.
pub fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}
