//! What a finding is known by while the text around it is edited.
//!
//! It is made of the id, the object and the message, not of lines or files: it stays when lines move and when a
//! file is renamed. Findings that have all of these in common are numbered in reading order, so if one of them is
//! mended, the others are still as many known ones.

use super::{Finding, Subject};
use crate::diagnostic::render::SourceLines;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::fmt;

/// 64 bits of a hash. Displays as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Fingerprint {
    /// Reads 16 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let valid = text.len() == 16 && text.bytes().all(digits);
        u64::from_str_radix(text, 16).ok().filter(|_| valid).map(Fingerprint)
    }
}

/// Gives every finding its fingerprint. They must be in reading order, all of them.
pub fn assign(findings: &mut [Finding], subjects: &[Subject], sources: &dyn SourceLines) {
    let mut seen: FxHashMap<(&str, String, String), u32> = FxHashMap::default();
    for finding in findings {
        // what is about no object is told apart by its file
        let about = match finding.subject.and_then(|index| subjects.get(index)) {
            Some(subject) => subject.identity.clone(),
            None => finding.said.at.map(|at| sources.name(at.file).to_owned()).unwrap_or_default(),
        };
        let number = seen.entry((finding.said.id, about.clone(), finding.said.message.clone())).or_default();
        *number += 1;
        let mut hash = Sha256::new();
        for part in [finding.said.id, &about, &finding.said.message, &number.to_string()] {
            // lengths, so that no two lists of parts look alike
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let bytes = hash.finalize();
        finding.fingerprint = Fingerprint(bytes[..8].iter().fold(0, |all, byte| all << 8 | u64::from(*byte)));
    }
}
