//! Differences, in the form for people.

use super::Report;
use super::versions::{self, Agreement};
use crate::diagnostic::Location;
use crate::diagnostic::render::{SourceLines, printable};
use crate::emit::origin;
use crate::version::Found;
use std::fmt::Write;

/// Where something is written: `file:line`.
fn place(at: Location, sources: &dyn SourceLines) -> String {
    format!("{}:{}", sources.name(at.file), at.line)
}

/// All differences, an empty line after each, and a summary.
pub fn text(report: &Report, version: &Found, versions: &[Agreement], sources: &dyn SourceLines) -> String {
    let mut out = String::new();
    for one in &report.differences {
        let thing = match one.table {
            Some(table) if one.name.is_empty() => format!("{} table {}", one.family.name(), table.name()),
            Some(table) => format!("{} {} chain {}", one.family.name(), table.name(), one.name),
            None => format!("set {}", one.name),
        };
        let _ = writeln!(out, "{}[{}]: {}", printable(&thing), one.kind.name(), printable(&one.what));
        let mut fact = |label: &str, text: &str| {
            let _ = writeln!(out, "  {label:<8} {}", printable(text));
        };
        if let Some(wanted) = &one.wanted {
            fact("wanted", wanted);
        }
        if let Some(found) = &one.found {
            fact("found", found);
        }
        if let Some(at) = one.found_at {
            fact("at", &place(at, sources));
        }
        if let Some(from) = &one.origin {
            let at = from.at().map(|at| format!(" ({})", place(at, sources))).unwrap_or_default();
            fact("for", &format!("{}{at}", origin::phrase(from)));
        }
        if let Some(meaning) = &one.meaning {
            fact("for", meaning);
        }
        if let Some(hashes) = &one.hashes {
            fact("hashes", hashes);
        }
        for (label, members) in [("missing", &one.missing), ("extra", &one.extra)] {
            if members.count > 0 {
                let more = members.count - members.first.len();
                let more = if more > 0 { format!(", and {more} more") } else { String::new() };
                fact(label, &format!("{}{more}", members.first.join(", ")));
            }
        }
        out.push('\n');
    }
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let _ = writeln!(
        out,
        "{} {}; compared {} and {}",
        plural(report.differences.len(), "difference"),
        version.phrase(),
        plural(report.chains, "chain"),
        plural(report.sets, "set")
    );
    if let Some(verdict) = versions::verdict(versions) {
        let _ = writeln!(out, "{verdict}");
    }
    if !report.not_compared.is_empty() {
        let _ = writeln!(out, "not compared, because there is no dump: {}", report.not_compared.join(", "));
    }
    out
}
