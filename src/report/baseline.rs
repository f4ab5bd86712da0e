//! The findings that are known already, in a file that is committed beside the manifests.
//!
//! One line each, so that a merge shows what was added and what was mended: fingerprint, id, object and message
//! with tabs between. Only the fingerprint counts; the rest is for those who read the file. Notes are not in it:
//! they never fail anything, and some of them count things that change every day.

use super::fingerprint::Fingerprint;
use super::{Finding, Subject, Suppression};
use crate::diagnostic::render::printable;
use crate::diagnostic::{Diagnostic, FileId, Location, Severity};
use rustc_hash::FxHashMap;

/// The first line of the file.
const HEADER: &str = "# netpolc baseline 1";

/// A baseline that was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    entries: Vec<Entry>,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    fingerprint: Fingerprint,
    /// id, object and message
    rest: String,
    at: Location,
}

impl Baseline {
    /// Reads the text of a file; an error for the first line that is none.
    pub fn parse(text: &str, file: FileId) -> Result<Self, Diagnostic> {
        let at = |index: usize| Location { file, line: index as u32 + 1, column: 1 };
        let wrong = |index: usize, message: &str| {
            Diagnostic::error("baseline-syntax", at(index), message)
                .help("have it written again with `--write-baseline`")
        };
        if text.lines().next() != Some(HEADER) {
            return Err(wrong(0, &format!("a baseline begins with the line `{HEADER}`")));
        }
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (first, rest) = line.split_once('\t').unwrap_or((line, ""));
            let Some(fingerprint) = Fingerprint::parse(first) else {
                return Err(wrong(index, "expected a fingerprint of 16 hexadecimal digits, and a tab"));
            };
            entries.push(Entry { fingerprint, rest: rest.replace('\t', " "), at: at(index) });
        }
        Ok(Baseline { entries })
    }

    /// Marks the findings that are known, and gives a note for each entry that stands for none.
    pub fn apply(&self, findings: &mut [Finding]) -> Vec<Diagnostic> {
        let mut places: FxHashMap<Fingerprint, usize> = FxHashMap::default();
        for (index, finding) in findings.iter().enumerate().filter(|(_, finding)| belongs(finding)) {
            places.insert(finding.fingerprint, index);
        }
        let mut stale = Vec::new();
        for entry in &self.entries {
            // an entry that is there twice finds its finding gone
            match places.remove(&entry.fingerprint) {
                Some(index) if findings[index].suppressed.is_none() => {
                    findings[index].suppressed = Some(Suppression::Known);
                }
                _ => stale.push(entry.stale()),
            }
        }
        stale
    }
}

impl Entry {
    fn stale(&self) -> Diagnostic {
        let message =
            format!("the baseline has a finding that is not found, or accepted otherwise: {}", self.rest);
        Diagnostic::note("baseline-stale", self.at, message)
            .help("have it written again with `--write-baseline`")
    }
}

/// Whether a finding may stand in a baseline.
fn belongs(finding: &Finding) -> bool {
    finding.said.severity > Severity::Note
}

/// The text of a file with all findings that count.
pub fn write(findings: &[Finding], subjects: &[Subject]) -> String {
    let accepted = |finding: &&Finding| matches!(finding.suppressed, Some(Suppression::Accepted { .. }));
    let findings = findings.iter().filter(|finding| belongs(finding) && !accepted(finding));
    let mut lines: Vec<[String; 4]> = findings
        .map(|finding| {
            let subject = finding.subject.and_then(|index| subjects.get(index));
            let object = subject.map(Subject::title).unwrap_or_default();
            let clean = |text: &str| printable(text).into_owned();
            let (id, message) = (finding.said.id.to_owned(), clean(&finding.said.message));
            [clean(&object), id, message, finding.fingerprint.to_string()]
        })
        .collect();
    // by object, whatever file it is in, so that moved files and lines change nothing
    lines.sort();
    let mut text = format!("{HEADER}\n# written by netpolc: fingerprint, id, object, message\n");
    for [object, id, message, fingerprint] in lines {
        text.push_str(&format!("{fingerprint}\t{id}\t{object}\t{message}\n"));
    }
    text
}
