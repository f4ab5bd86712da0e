//! What a command has found → a form that others read.
//!
//! A command fills one [`Document`]; every form is made of that and of nothing else.
//!
//! | file | form |
//! |---|---|
//! | `text` | for a terminal |
//! | `sarif` | SARIF 2.1.0, for code scanning |
//! | `markdown` | a comment on a pull request |
//! | `github` | annotations in the log of a GitHub Action |
//! | `junit` | JUnit XML, for test reports |
//! | `html` | one page that needs nothing else |
//!
//! JSON is each command's own, because its schema is; so is the text of a command that says more than findings. `fingerprint` tells findings apart over edits,
//! `baseline` and `accept` say which are known already or meant, `rules` is the documentation of ids, `words` is
//! what the forms share. Everything that comes from the input may be hostile: each form escapes what it must,
//! after [`printable`](crate::diagnostic::render::printable) has made one harmless line of it.

pub mod accept;
pub mod baseline;
pub mod fingerprint;
pub mod github;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod rules;
pub mod sarif;
pub mod text;
mod words;

use crate::diagnostic::render::SourceLines;
use crate::diagnostic::{Diagnostic, Location, Severity};
use fingerprint::Fingerprint;

/// Everything that a command has to say.
pub struct Document<'a> {
    /// the command: `check`
    pub command: &'static str,
    /// the nodes it is about; none for the cluster as a whole
    pub nodes: Vec<String>,
    /// one sentence for people, with a capital letter and a full stop
    pub verdict: String,
    /// what was looked at; findings point here
    pub subjects: Vec<Subject>,
    /// what was found, in reading order
    pub findings: Vec<Finding>,
    /// what there is to say about the input itself, where that is not a finding
    pub messages: Vec<Diagnostic>,
    /// more to read
    pub sections: Vec<Section>,
    /// the last lines of the text form: what was looked at, and counts
    pub closing: Vec<String>,
    /// the input was good enough to do what was asked for
    pub usable: bool,
    /// a baseline was given, so that what is not in it is new
    pub compared: bool,
    /// names and lines of files
    pub sources: &'a dyn SourceLines,
}

/// A thing that was looked at: an object, a chain, a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// what it is: `GlobalNetworkPolicy`, `IPv4 filter chain`
    pub kind: String,
    /// its name, with its namespace before a slash; may be empty
    pub name: String,
    /// what it is called in fingerprints: kind with its API group, and name
    pub identity: String,
    /// where it is written
    pub at: Option<Location>,
    /// what becomes of it, in words
    pub state: String,
}

impl Subject {
    /// Kind and name.
    pub fn title(&self) -> String {
        if self.name.is_empty() { self.kind.clone() } else { format!("{} {}", self.kind, self.name) }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// what is said
    pub said: Diagnostic,
    /// which of [`Document::subjects`] it is about
    pub subject: Option<usize>,
    /// what it is known by
    pub fingerprint: Fingerprint,
    /// labels and values that say more
    pub facts: Vec<(&'static str, String)>,
    /// what would mend it
    pub fix: Option<Fix>,
    /// why it does not count
    pub suppressed: Option<Suppression>,
}

impl Finding {
    /// A finding without more to say; [`fingerprint::assign`] gives it its fingerprint.
    pub fn new(said: Diagnostic, subject: Option<usize>) -> Self {
        let (facts, fix, suppressed) = (Vec::new(), None, None);
        Finding { said, subject, fingerprint: Fingerprint::default(), facts, fix, suppressed }
    }
}

/// A text that would mend a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// what it does, one line
    pub what: String,
    /// the text: a manifest, a part of one
    pub text: String,
}

/// Why a finding does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suppression {
    /// the baseline has it
    Known,
    /// an annotation on the object accepts it
    Accepted {
        /// why, in the user's words
        reason: String,
        /// where the annotation is
        at: Location,
    },
}

impl Suppression {
    /// `baseline` or `annotation`.
    pub fn by(&self) -> &'static str {
        match self {
            Suppression::Known => "baseline",
            Suppression::Accepted { .. } => "annotation",
        }
    }
}

/// A part of a document below its findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// its heading
    pub title: String,
    /// what it holds
    pub blocks: Vec<Block>,
}

/// What sections are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// one paragraph
    Text(String),
    /// a table, with a row of headings
    Table {
        /// headings
        head: Vec<String>,
        /// rows, each as long as the headings
        rows: Vec<Vec<String>>,
    },
    /// lines of which each that begins with `-` went and each that begins with `+` came, as in a patch
    Lines(Vec<String>),
    /// a picture, for the forms that can show one
    Picture {
        /// an `<svg>` element that is well-formed XML, made by the program: it is not escaped
        svg: String,
        /// the same in words, for those who cannot see it and for the other forms
        words: String,
    },
}

/// How many findings do not count, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suppressed {
    /// accepted by an annotation
    pub accepted: usize,
    /// in the baseline
    pub known: usize,
}

impl Suppressed {
    /// `2 accepted by annotations, 1 in the baseline`, or nothing.
    pub fn words(self) -> Option<String> {
        let accepted = (self.accepted > 0).then(|| format!("{} accepted by annotations", self.accepted));
        let known = (self.known > 0).then(|| format!("{} in the baseline", self.known));
        let words: Vec<String> = accepted.into_iter().chain(known).collect();
        (!words.is_empty()).then(|| format!("not counted: {}", words.join(", ")))
    }
}

impl Section {
    /// Whether it shows at once what findings say one by one, so that it comes before them.
    fn is_pictured(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block, Block::Picture { .. }))
    }
}

impl<'a> Document<'a> {
    /// A document of a command that has nothing to say yet, about input that can be used.
    pub fn new(command: &'static str, sources: &'a dyn SourceLines) -> Self {
        Document {
            command,
            nodes: Vec::new(),
            verdict: String::new(),
            subjects: Vec::new(),
            findings: Vec::new(),
            messages: Vec::new(),
            sections: Vec::new(),
            closing: Vec::new(),
            usable: true,
            compared: false,
            sources,
        }
    }
}

impl Document<'_> {
    /// The findings that count.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.suppressed.is_none())
    }

    /// The findings that do not, and why.
    pub fn suppressed(&self) -> impl Iterator<Item = (&Finding, &Suppression)> {
        self.findings.iter().filter_map(|finding| Some((finding, finding.suppressed.as_ref()?)))
    }

    /// How many do not count.
    pub fn suppressed_counts(&self) -> Suppressed {
        let mut counts = Suppressed::default();
        for (_, suppression) in self.suppressed() {
            match suppression {
                Suppression::Known => counts.known += 1,
                Suppression::Accepted { .. } => counts.accepted += 1,
            }
        }
        counts
    }

    /// How bad the worst of the findings that count is.
    pub fn worst(&self) -> Option<Severity> {
        self.open().map(|finding| finding.said.severity).max()
    }

    /// The subject of a finding.
    pub fn subject(&self, finding: &Finding) -> Option<&Subject> {
        self.subjects.get(finding.subject?)
    }
}
