//! What an identifier means: its page where it has one, its line in `docs/diagnostics.md` where not.

use crate::check::{self, page};

/// The page of all identifiers that have none of their own; the tests hold it to the sources.
const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diagnostics.md"));
/// Where what `verify` finds begins on that page.
const OF_VERIFY: &str = "## Differences between a node and its manifests";

/// The documentation of an identifier, in Markdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// one sentence without a full stop
    pub summary: String,
    /// the explanation, in paragraphs
    pub text: String,
    /// the whole page, with examples
    pub page: String,
}

/// The documentation of an identifier.
pub fn of(id: &str) -> Rule {
    if let Some(check) = check::find(id) {
        return Rule { summary: page::summary(check), text: page::text(check), page: page::page(check) };
    }
    let summary = line(PAGE, id).unwrap_or(id).to_owned();
    let text = format!("{summary}.");
    Rule { page: format!("# {id}\n\n{text}\n"), summary, text }
}

/// Whether an annotation may accept findings of this identifier.
pub fn may_be_accepted(id: &str) -> bool {
    let of_objects = PAGE.split(OF_VERIFY).next().unwrap_or_default();
    !id.starts_with("acceptance-") && (check::find(id).is_some() || line(of_objects, id).is_some())
}

/// What the page says about an identifier.
fn line<'p>(page: &'p str, id: &str) -> Option<&'p str> {
    page.lines().filter(|line| line.starts_with("| `")).find_map(|line| {
        let mut cells = line.split(" | ");
        let ids = cells.next()?;
        let meaning = cells.next()?.trim_end_matches('|').trim();
        ids.split('`').skip(1).step_by(2).any(|one| one == id).then_some(meaning)
    })
}

#[cfg(test)]
mod tests {
    use super::{may_be_accepted, of};

    #[test]
    fn every_identifier_has_a_meaning() {
        assert_eq!(of("too-large").summary, "beyond the limits in [input.md](input.md)");
        assert_eq!(of("stale").text, "stale.");
        assert!(of("log-only-denies").text.starts_with("A policy that only logs denies all the same."));
        for kind in crate::verify::Kind::ALL {
            assert_ne!(of(kind.name()).summary, kind.name());
        }
    }

    #[test]
    fn what_is_about_objects_can_be_accepted() {
        assert!(may_be_accepted("log-only-denies") && may_be_accepted("ignored-by-felix"));
        assert!(!may_be_accepted("different-chain") && !may_be_accepted("acceptance-of-nothing"));
        assert!(!may_be_accepted("") && !may_be_accepted("no-such-id"));
    }
}
