//! Paths and standard input → objects, one at a time.
//!
//! This stage knows files, YAML, JSON, multi-document streams, `kind: List` and typed lists,
//! and text templates; it knows nothing of Calico. An [`Object`] is handed to a function as a
//! tree of [`tree::Node`]s that borrows the input text, and is gone when that function returns:
//! no stage keeps the whole input as a tree.
//!
//! ```text
//! find ─► packed ─► encoding ─► split ─► plan, large ─► part ─► json, yaml ─► sink ─► lower
//! files   bytes      text     documents      parts      one tree   nodes     lists   objects
//! ```
//!
//! A large file that is one list, or JSON values one after another, goes through `stream` in windows of some
//! megabytes, each cut and lowered as `large` does with a whole text.
//!
//! Limits: nesting of [`MAX_DEPTH`] levels, 4 GiB for one document that is no list, and go-yaml's
//! own bound on what aliases may repeat. Other files than those are held while they are read.

mod digest;
mod encoding;
mod fault;
mod files;
mod find;
mod json;
mod large;
mod lines;
mod packed;
mod packed_lines;
mod part;
mod plan;
pub mod scalar;
mod sink;
mod split;
mod stream;
mod template;
pub mod tree;
mod yaml;

pub use fault::MAX_DEPTH;
pub use files::{Excerpt, Files};
pub use find::is_manifest;

use crate::diagnostic::{Diagnostic, FileId};
use files::Lines;
use find::{Contents, Found};
use large::{Large, Shape};
use packed_lines::PackedLines;
use part::{Output, Part};
use plan::{Plan, Step, Text};
use rayon::prelude::*;
use sink::ListHead;
use std::path::PathBuf;

/// Bytes of files that are read before their objects are lowered.
const BATCH: usize = 16 << 20;

/// One Kubernetes-style object: a document, or one item of a list.
#[derive(Clone, Copy)]
pub struct Object<'t> {
    /// the mapping at its root
    pub root: tree::Node<'t>,
    /// `apiVersion`, its own or, for an item of a typed list that lacks it, the list's; "" if none
    pub api_version: &'t str,
    /// `kind`, its own or, for an item of a typed list that lacks it, the list's without `List`; "" if none
    pub kind: &'t str,
    /// the keys that its mappings have twice, in input order
    pub duplicates: &'t [tree::DuplicateKey<'t>],
}

/// One thing named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// a file, or a folder that is searched for `.yaml`, `.yml` and `.json`
    Path(PathBuf),
    /// `-`
    Stdin,
    /// text that is already there (tests, git revisions), with the name to show
    Text {
        /// what to call it in messages
        name: String,
        /// the bytes
        bytes: Vec<u8>,
    },
}

/// A text that was read but not looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// what to call it in messages
    pub name: String,
    /// the file it is from; `None` for standard input
    pub path: Option<PathBuf>,
    /// its bytes
    pub bytes: Vec<u8>,
}

impl Opened {
    /// The text as an input, of other bytes if they are given.
    pub fn input(&self, bytes: Option<&[u8]>) -> Input {
        Input::Text { name: self.name.clone(), bytes: bytes.unwrap_or(&self.bytes).to_vec() }
    }
}

/// Reads the bytes of all inputs, so that they can be looked into more than once. Texts are in the order in
/// which [`read`] numbers files.
///
/// # Errors
/// What cannot be read, and what is compressed, because texts are opened in order to be written again.
pub fn open(inputs: &[Input]) -> Result<Vec<Opened>, Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    let mut texts = Vec::new();
    for found in find::find(inputs, &mut wrong) {
        match found.whole() {
            Ok(bytes) => {
                let path = match &found.from {
                    find::From::Path(path) => Some(path.clone()),
                    find::From::Stdin | find::From::Bytes(_) => None,
                };
                texts.push(Opened { name: found.name, path, bytes });
            }
            Err(diagnostic) => wrong.push(diagnostic),
        }
    }
    if wrong.is_empty() { Ok(texts) } else { Err(wrong) }
}

/// How to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// how many threads lower objects: 0 for rayon's own pool, 1 for none but the caller's
    pub threads: usize,
}

/// Everything that was read.
#[derive(Debug)]
pub struct Loaded<T> {
    /// the files, for their names and lines
    pub files: Files,
    /// what the lowering function gave for each object, in input order
    pub values: Vec<T>,
    /// what is wrong with the input, in input order; a document with an error gives no objects
    pub diagnostics: Vec<Diagnostic>,
    /// number of documents that were not empty; a JSON value counts as one
    pub documents: usize,
}

impl<T> Loaded<T> {
    /// Number of objects.
    pub fn objects(&self) -> usize {
        self.values.len()
    }
}

/// Reads all inputs, and calls `lower` on every object.
///
/// The result does not depend on the number of threads. Input that cannot be used is in
/// [`Loaded::diagnostics`] with [`crate::diagnostic::Severity::Error`]; everything else is read all the same.
pub fn read<T, F>(inputs: &[Input], options: &Options, lower: F) -> Loaded<T>
where
    T: Send,
    F: Fn(&Object<'_>) -> T + Sync,
{
    read_after(Files::default(), inputs, options, lower)
}

/// The same, after other files: places in both are told apart.
pub fn read_after<T, F>(files: Files, inputs: &[Input], options: &Options, lower: F) -> Loaded<T>
where
    T: Send,
    F: Fn(&Object<'_>) -> T + Sync,
{
    let pool = match options.threads {
        0 | 1 => None,
        // without threads of its own the system still gives the answer, later
        n => rayon::ThreadPoolBuilder::new().num_threads(n).build().ok(),
    };
    let loaded = Loaded { files, values: Vec::new(), diagnostics: Vec::new(), documents: 0 };
    let run = Run { lower: &lower, serial: options.threads == 1, sizes: stream::Sizes::default(), loaded };
    match pool {
        Some(pool) => pool.install(|| run.all(inputs)),
        None => run.all(inputs),
    }
}

struct Run<'f, T, F> {
    lower: &'f F,
    serial: bool,
    sizes: stream::Sizes,
    loaded: Loaded<T>,
}

impl<T: Send, F: Fn(&Object<'_>) -> T + Sync> Run<'_, T, F> {
    fn all(mut self, inputs: &[Input]) -> Loaded<T> {
        let mut batch = Vec::new();
        let mut size = 0;
        for found in find::find(inputs, &mut self.loaded.diagnostics) {
            let file = self.loaded.files.add(found.name.clone());
            let text = match found.open() {
                Ok(Contents::Bytes(bytes)) if !packed::is_packed(&bytes) => {
                    Some(self.text(&found, file, bytes.into_owned(), None))
                }
                Ok(contents) => {
                    // after what comes before it
                    self.batch(&std::mem::take(&mut batch));
                    size = 0;
                    self.large_file(&found, file, contents)
                }
                Err(diagnostic) => Some(Err(diagnostic)),
            };
            size += text.as_ref().and_then(|text| text.as_ref().ok()).map_or(0, |text| text.text.len());
            batch.extend(text);
            if size >= BATCH {
                self.batch(&std::mem::take(&mut batch));
                size = 0;
            }
        }
        self.batch(&batch);
        self.loaded
    }

    /// Reads a file that is large or packed in windows, if that is possible; gives its text if not.
    fn large_file(
        &mut self,
        found: &Found<'_>,
        file: FileId,
        contents: Contents<'_>,
    ) -> Option<Result<Text, Diagnostic>> {
        let unreadable = |error: std::io::Error| find::unreadable(&found.name, &error);
        let (packed, bytes) = match self.stream(file, &contents, found.is_json()) {
            Ok(stream::Outcome::Done { packed, digest, lines: index }) => {
                let lines = match found.path() {
                    Some(path) if !packed => Lines::At(path.to_owned(), index),
                    _ => Lines::Packed(PackedLines::new(contents)),
                };
                self.loaded.files.note(file, lines, digest);
                return None;
            }
            Ok(stream::Outcome::Whole { packed, bytes }) => (packed, bytes),
            Err(error) => return Some(Err(unreadable(error))),
        };
        let lines = packed.then(|| Lines::Packed(PackedLines::new(contents)));
        Some(self.text(found, file, bytes, lines))
    }

    /// Decodes bytes. `lines`: where the lines come from, if not from the file as it is.
    fn text(
        &mut self,
        found: &Found<'_>,
        file: FileId,
        bytes: Vec<u8>,
        lines: Option<Lines>,
    ) -> Result<Text, Diagnostic> {
        let (text, fault) = match encoding::decode(bytes, file) {
            Ok(text) => (text, None),
            Err(undecoded) => (undecoded.1, Some(undecoded.0)),
        };
        let path = || found.path().map(|path| Lines::Of(path.to_owned()));
        let lines = lines.or_else(path).unwrap_or(Lines::Kept(String::new()));
        self.loaded.files.keep(file, lines, &text);
        match fault {
            None => Ok(Text { file, text, json: found.is_json() }),
            Some(diagnostic) => Err(diagnostic),
        }
    }

    /// Lowers some files.
    fn batch(&mut self, texts: &[Result<Text, Diagnostic>]) {
        let mut plan = Plan::default();
        for text in texts {
            match text {
                Ok(text) => plan.file(text),
                Err(diagnostic) => plan.steps.push(Step::Say(diagnostic.clone())),
            }
        }
        let mut parts = plan.parts.as_slice();
        let mut outputs = self.lower(parts, ListHead::default()).into_iter();
        for step in plan.steps {
            match step {
                Step::Say(diagnostic) => self.loaded.diagnostics.push(diagnostic),
                Step::Part => {
                    parts = &parts[1..];
                    outputs.next().into_iter().for_each(|output| self.take(output));
                }
                Step::Large { large, whole, count } => {
                    let (own, rest) = parts.split_at(count);
                    parts = rest;
                    self.large(&large, &whole, own, outputs.by_ref().take(count).collect());
                }
            }
        }
    }

    fn lower(&self, parts: &[Part<'_>], head: ListHead<'_>) -> Vec<Output<T>> {
        lower(self.lower, self.serial, parts, head)
    }

    fn take(&mut self, mut output: Output<T>) {
        self.loaded.values.append(&mut output.values);
        self.loaded.diagnostics.append(&mut output.diagnostics);
        self.loaded.documents += output.documents;
    }

    /// Takes what the parts of a large document gave, if they were what they seemed; if not, the
    /// document is read once more without cuts, and failing that as a whole.
    fn large(&mut self, large: &Large, whole: &Part<'_>, parts: &[Part<'_>], mut outputs: Vec<Output<T>>) {
        let mut head = large.verify(whole, parts, &outputs);
        let uncut = [large.uncut(whole)];
        let mut parts = parts;
        if head.is_none() && parts.len() > 1 && large.shape.is_json() {
            parts = &uncut;
            outputs = self.lower(parts, ListHead::default());
            head = large.verify(whole, parts, &outputs);
        }
        let Some(head) = head else { return self.take(whole.lower(ListHead::default(), self.lower)) };
        let head = head.of_items();
        if !head.kind.is_empty() && outputs.iter().any(|output| output.lacking) {
            outputs = self.lower(parts, head);
        }
        // the items of a list are no documents of their own
        self.loaded.documents += usize::from(large.shape != Shape::JsonStream);
        outputs.into_iter().for_each(|output| self.take(output));
    }
}

/// What comes of some parts; `serial` if no other thread is to work on them.
fn lower<T: Send, F: Fn(&Object<'_>) -> T + Sync>(
    lower: &F,
    serial: bool,
    parts: &[Part<'_>],
    head: ListHead<'_>,
) -> Vec<Output<T>> {
    let one = |part: &Part<'_>| part.lower(head, lower);
    // a few documents are done before a thread would wake up
    let small = parts.iter().map(|part| part.text.len()).sum::<usize>() < large::PART;
    if serial || small {
        parts.iter().map(one).collect()
    } else {
        parts.par_iter().with_max_len(1).map(one).collect()
    }
}

#[cfg(test)]
mod tests;
