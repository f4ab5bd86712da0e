//! Paths → resources: the stages `source` and `model` together.

use super::output::naming;
use crate::diagnostic::{Diagnostic, FileId, Location, Severity, render::SourceLines};
use crate::model::meta::Meta;
use crate::model::{self, Collected, InvalidMode, core};
use crate::source::{self, Files, Input};
use crate::syntax::ip_addr::{self, Interface};
use crate::syntax::ip_route::{self, Route};
use crate::version::{self, CalicoVersion, Found, Told};
use std::fs::File;
use std::io::{self, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// The input, read and typed.
pub struct Loaded {
    /// which version of Calico it was read for, and who said so
    pub version: Found,
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
        let version = CalicoVersion::LATEST;
        let mut collected = model::collect(Vec::new(), InvalidMode::Skip, version.facts());
        collected.resources.nodes.push(core::Node {
            meta: Meta::built_in(node),
            pod_cidrs: Vec::new(),
            addresses: Vec::new(),
        });
        let version = Found { version, told: Told::Nobody, diagnostics: Vec::new() };
        Loaded { version, files: Files::default(), collected, diagnostics: Vec::new(), unusable: false }
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

/// Reads all paths, for the version of Calico that is asked for, else for the one that they tell.
pub fn load(
    paths: &[PathBuf],
    jobs: Option<NonZero<usize>>,
    invalid: InvalidMode,
    asked: Option<CalicoVersion>,
) -> Loaded {
    Sources::new(paths, jobs, invalid, asked.is_none()).load(asked)
}

/// What can be read several times, for several versions of Calico.
pub struct Sources {
    inputs: Vec<Input>,
    options: source::Options,
    invalid: InvalidMode,
}

/// One reading.
struct Reading {
    files: Files,
    said: Vec<Diagnostic>,
    objects: usize,
    collected: Collected,
}

impl Sources {
    /// All paths. `again`: they are to be read more than once.
    pub fn new(paths: &[PathBuf], jobs: Option<NonZero<usize>>, invalid: InvalidMode, again: bool) -> Self {
        let options = source::Options { threads: jobs.map_or(0, NonZero::get) };
        Sources { inputs: inputs(paths, again), options, invalid }
    }

    fn read(&self, version: CalicoVersion) -> Reading {
        let facts = version.facts();
        let read = source::read(&self.inputs, &self.options, |object| model::lower(object, facts));
        let objects = read.values.len();
        let collected = model::collect(read.values, self.invalid, facts);
        Reading { files: read.files, said: read.diagnostics, objects, collected }
    }

    /// What a cluster of a version would store.
    pub fn collected(&self, version: CalicoVersion) -> Collected {
        self.read(version).collected
    }

    /// Reads for the version that is asked for, else for the one that the manifests tell. What they tell is
    /// known when all is read, so input of another version than the newest is read twice.
    pub fn load(&self, asked: Option<CalicoVersion>) -> Loaded {
        let (reading, version) =
            read_for(asked, |_, version| self.read(version), |reading| &reading.collected);
        finish(reading, version)
    }
}

/// A reading for the version that is asked for, else for the one that a first reading tells. `read` gets that
/// first reading when it is to read again.
fn read_for<R>(
    asked: Option<CalicoVersion>,
    mut read: impl FnMut(Option<R>, CalicoVersion) -> R,
    collected: impl Fn(&R) -> &Collected,
) -> (R, Found) {
    if let Some(version) = asked {
        return (read(None, version), Found { version, told: Told::Asked, diagnostics: Vec::new() });
    }
    let reading = read(None, CalicoVersion::LATEST);
    let found = version::found(&collected(&reading).resources);
    match found.version {
        CalicoVersion::LATEST => (reading, found),
        other => (read(Some(reading), other), found),
    }
}

/// Reads inputs after other files, for the version of Calico that is asked for, else for the one that they tell,
/// and notes something of each object.
pub fn load_after<N: Send>(
    files: Files,
    path: &[Input],
    jobs: Option<NonZero<usize>>,
    invalid: InvalidMode,
    asked: Option<CalicoVersion>,
    note: impl Fn(&source::Object<'_>) -> N + Sync,
) -> (Loaded, Vec<N>) {
    let options = source::Options { threads: jobs.map_or(0, NonZero::get) };
    let mut others = Some(files);
    let read = |before: Option<(Reading, Vec<N>)>, version: CalicoVersion| {
        let files = before.map(|(reading, _)| reading.files).or_else(|| others.take()).unwrap_or_default();
        let facts = version.facts();
        let both = |object: &source::Object<'_>| (model::lower(object, facts), note(object));
        let read = source::read_after(files, path, &options, both);
        let objects = read.values.len();
        let (lowered, notes): (Vec<_>, Vec<N>) = read.values.into_iter().unzip();
        let collected = model::collect(lowered, invalid, facts);
        (Reading { files: read.files, said: read.diagnostics, objects, collected }, notes)
    };
    let ((reading, notes), version) = read_for(asked, read, |(reading, _)| &reading.collected);
    (finish(reading, version), notes)
}

/// What a path names, to be read once or twice.
pub fn input(path: &Path) -> Vec<Input> {
    inputs(&[path.to_owned()], true)
}

/// Adds what there is to say about the input as a whole.
fn finish(reading: Reading, version: Found) -> Loaded {
    let Reading { files, said, objects, collected } = reading;
    let malformed = has_error(&said);
    let nothing = objects == 0 && !malformed;
    let mut diagnostics = said;
    diagnostics.extend(version.diagnostics.iter().cloned());
    diagnostics.extend(passed_over(&collected.counts));
    if nothing {
        diagnostics.push(no_objects());
    }
    Loaded { version, files, collected, diagnostics, unusable: malformed || nothing }
}

/// What is named on the command line. What gives its bytes once, standard input and pipes, is kept if it may
/// be read `again`.
fn inputs(paths: &[PathBuf], again: bool) -> Vec<Input> {
    let is_stdin = |path: &&PathBuf| path.as_os_str() == "-";
    let several = paths.iter().filter(is_stdin).count() > 1;
    let input = |path: &PathBuf| {
        let stdin = is_stdin(&path);
        let once =
            if stdin { !several } else { path.metadata().is_ok_and(|it| !it.is_file() && !it.is_dir()) };
        let mut bytes = Vec::new();
        let read = match (again && once, stdin) {
            (false, _) => None,
            (true, true) => io::stdin().lock().read_to_end(&mut bytes).ok(),
            (true, false) => File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).ok(),
        };
        match (read, stdin) {
            (Some(_), true) => Input::Text { name: "<stdin>".to_owned(), bytes },
            (Some(_), false) => Input::Text { name: path.display().to_string(), bytes },
            (None, true) => Input::Stdin,
            (None, false) => Input::Path(path.clone()),
        }
    };
    paths.iter().map(input).collect()
}

/// Reads what `ip -j addr` prints.
pub fn interfaces(path: &Path) -> io::Result<Vec<Interface>> {
    let text = std::fs::read_to_string(path).map_err(|error| naming(path, "read", error))?;
    ip_addr::parse(&text).map_err(|error| io::Error::other(format!("`{}`: {error}", path.display())))
}

/// Reads what `ip -j route` prints.
pub fn routes(path: &Path) -> io::Result<Vec<Route>> {
    let text = std::fs::read_to_string(path).map_err(|error| naming(path, "read", error))?;
    ip_route::parse(&text).map_err(|error| io::Error::other(format!("`{}`: {error}", path.display())))
}

/// There is nothing to work on.
pub fn no_objects() -> Diagnostic {
    Diagnostic::new("no-objects", Severity::Error, None, "there is not one object in the input")
        .help("name files or folders with Kubernetes and Calico manifests")
}

/// Nothing is dropped in silence: the kinds that policy does not look at, and how many there were.
pub fn passed_over(counts: &model::Counts) -> Option<Diagnostic> {
    let kinds: Vec<String> =
        counts.passed_over.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let message = format!("passed over, because policy does not look at them: {}", kinds.join(", "));
    (!kinds.is_empty()).then(|| Diagnostic::new("passed-over", Severity::Note, None, message))
}

/// Whether any of them is an error.
pub fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}
