//! How many there are of each severity: the last line that a run prints.

use super::{Diagnostic, Severity};
use serde::Serialize;
use std::fmt;

/// Counts by severity. Displays as `2 errors, 1 warning`, leaving out what there is none of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// errors
    pub errors: usize,
    /// warnings
    pub warnings: usize,
    /// notes
    pub notes: usize,
}

impl Summary {
    /// Counts.
    pub fn of<'d>(diagnostics: impl IntoIterator<Item = &'d Diagnostic>) -> Self {
        let mut summary = Summary::default();
        for diagnostic in diagnostics {
            match diagnostic.severity {
                Severity::Error => summary.errors += 1,
                Severity::Warning => summary.warnings += 1,
                Severity::Note => summary.notes += 1,
            }
        }
        summary
    }

    /// Whether there is none of any.
    pub fn is_empty(self) -> bool {
        self == Summary::default()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [(self.errors, "error"), (self.warnings, "warning"), (self.notes, "note")];
        let mut separator = "";
        for (count, word) in counts.into_iter().filter(|(count, _)| *count > 0) {
            let plural = if count == 1 { "" } else { "s" };
            write!(f, "{separator}{count} {word}{plural}")?;
            separator = ", ";
        }
        if self.is_empty() { f.write_str("nothing to report") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Summary;

    #[test]
    fn counts_read_as_a_person_would_say_them() {
        let text = |errors, warnings, notes| Summary { errors, warnings, notes }.to_string();
        assert_eq!(text(2, 1, 0), "2 errors, 1 warning");
        assert_eq!(text(1, 0, 3), "1 error, 3 notes");
        assert_eq!(text(0, 0, 0), "nothing to report");
    }
}
