//! Selectors inside objects.

use super::selector_syntax;
use crate::diagnostic::{Location, Spanned};
use crate::model::findings::Findings;
use crate::model::text::excerpt;

/// Reports a selector that does not parse.
pub fn check(selector: &Spanned<Box<str>>, field: &str, findings: &mut Findings<'_>) {
    if selector.value.is_empty() {
        return;
    }
    if let Err(error) = selector_syntax::check(&selector.value) {
        let reason = format!("`{field}: {}` is no selector: {}", excerpt(&selector.value), error.message);
        let note = findings.turn_away("bad-selector", selector.at, &reason);
        let rest = selector.value.get(error.offset..).unwrap_or_default();
        if selector.value.contains('\n') {
            note.help(
                "a selector is one line: `>-` folds lines and leaves no newline at the end, `>` and `|` do",
            );
        } else if rest.starts_with('=') {
            note.help("equality is written `==`");
        } else if error.message.contains("quotes") {
            note.help("put the value in quotes");
        }
    }
}

/// Reports `global()` where it has no meaning.
pub fn no_global(selector: &Spanned<Box<str>>, findings: &mut Findings<'_>) {
    if selector.value.contains("global()") {
        misplaced(selector.at, findings);
    }
}

fn misplaced(at: Location, findings: &mut Findings<'_>) {
    findings.turn_away(
        "misplaced-global",
        at,
        "`global()` can only be used as the `namespaceSelector` of a `source` or `destination`",
    );
}
