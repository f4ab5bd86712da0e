//! The order in which diagnostics are shown, and what counts as saying the same thing twice.

use super::Diagnostic;
use std::cmp::{Ordering, Reverse};

/// Sorts by file (in input order), line and column, and drops exact repetitions.
///
/// What stands nowhere in the input comes last, nearest to the prompt. At one place errors come
/// before warnings before notes, then ids and messages in alphabetical order, so that the result
/// does not depend on the order in which threads reported.
pub fn order(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(compare);
    diagnostics.dedup();
}

/// Which of two is shown first.
pub fn compare(a: &Diagnostic, b: &Diagnostic) -> Ordering {
    key(a).cmp(&key(b))
}

fn key(d: &Diagnostic) -> impl Ord + '_ {
    let related = d.related.iter().map(|r| (r.at, &*r.message)).collect::<Vec<_>>();
    (d.at.is_none(), d.at, Reverse(d.severity), d.id, &*d.message, d.help.as_deref(), related)
}

#[cfg(test)]
mod tests {
    use super::super::{Diagnostic, FileId, Location, Severity};
    use super::order;

    fn at(file: u32, line: u32, column: u32) -> Location {
        Location { file: FileId(file), line, column }
    }

    #[test]
    fn places_come_in_reading_order_and_the_placeless_last() {
        let mut all = vec![
            Diagnostic::new("no-node", Severity::Error, None, "no node"),
            Diagnostic::note("n", at(1, 1, 1), "second file"),
            Diagnostic::warning("w", at(0, 10, 2), "line ten"),
            Diagnostic::error("e", at(0, 9, 80), "line nine"),
            Diagnostic::error("e", at(0, 10, 1), "line ten, before"),
        ];
        order(&mut all);
        let messages: Vec<_> = all.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(messages, ["line nine", "line ten, before", "line ten", "second file", "no node"]);
    }

    #[test]
    fn at_one_place_the_worst_comes_first() {
        let place = at(0, 1, 1);
        let mut all = vec![
            Diagnostic::note("a", place, "note"),
            Diagnostic::error("b", place, "error"),
            Diagnostic::warning("a", place, "warning"),
        ];
        order(&mut all);
        let severities: Vec<_> = all.iter().map(|d| d.severity).collect();
        assert_eq!(severities, [Severity::Error, Severity::Warning, Severity::Note]);
    }

    #[test]
    fn only_exact_repetitions_are_dropped() {
        let one = || Diagnostic::error("e", at(0, 1, 1), "same");
        let mut all =
            vec![one(), one().help("but this one helps"), one(), one().related(at(0, 2, 1), "there")];
        order(&mut all);
        assert_eq!(all.len(), 3);
    }
}
