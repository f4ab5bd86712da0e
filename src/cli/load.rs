//! Paths → resources: the stages `source` and `model` together.

use super::output::naming;
use crate::diagnostic::{Diagnostic, FileId, Location, Severity, render::SourceLines};
use crate::model::meta::Meta;
use crate::model::{self, Collected, InvalidMode, core};
use crate::source::{self, Files, Input};
use crate::syntax::ip_addr::{self, Interface};
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// The input, read and typed.
pub struct Loaded {
    /// the files, for names and lines
    pub files: Files,
    /// what a cluster would store, and what it would not
    pub collected: Collected,
    /// what there is to say about the text itself
    pub diagnostics: Vec<Diagnostic>,
    /// there is nothing to use: a document is malformed, or there is no object
    pub unusable: bool,
}

impl Loaded {
    /// No manifests at all: a cluster of one node, of which nothing is known but its name.
    pub fn nothing(node: &str) -> Self {
        let mut collected = model::collect(Vec::new(), InvalidMode::Skip);
        collected.resources.nodes.push(core::Node {
            meta: Meta::built_in(node),
            pod_cidrs: Vec::new(),
            addresses: Vec::new(),
        });
        Loaded { files: Files::default(), collected, diagnostics: Vec::new(), unusable: false }
    }

    /// Everything there is to say about the input.
    pub fn all_diagnostics(&self) -> Vec<Diagnostic> {
        [&*self.diagnostics, &*self.collected.diagnostics].concat()
    }
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
pub fn load(paths: &[PathBuf], jobs: Option<NonZero<usize>>, invalid: InvalidMode) -> Loaded {
    let inputs: Vec<Input> = paths
        .iter()
        .map(|path| if path.as_os_str() == "-" { Input::Stdin } else { Input::Path(path.clone()) })
        .collect();
    let options = source::Options { threads: jobs.map_or(0, NonZero::get) };
    let read = source::read(&inputs, &options, model::lower);
    let malformed = has_error(&read.diagnostics);
    let nothing = read.values.is_empty() && !malformed;
    let collected = model::collect(read.values, invalid);
    let mut diagnostics = read.diagnostics;
    diagnostics.extend(passed_over(&collected.counts));
    if nothing {
        diagnostics.push(
            Diagnostic::new("no-objects", Severity::Error, None, "there is not one object in the input")
                .help("name files or folders with Kubernetes and Calico manifests"),
        );
    }
    Loaded { files: read.files, collected, diagnostics, unusable: malformed || nothing }
}

/// Reads what `ip -j addr` prints.
pub fn interfaces(path: &Path) -> io::Result<Vec<Interface>> {
    let text = std::fs::read_to_string(path).map_err(|error| naming(path, "read", error))?;
    ip_addr::parse(&text).map_err(|error| io::Error::other(format!("`{}`: {error}", path.display())))
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
