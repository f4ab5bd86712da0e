//! Selectors inside objects.

use crate::diagnostic::Spanned;
use crate::model::findings::Findings;
use crate::model::text::excerpt;
use crate::syntax::selector;

/// Reports a selector that does not parse.
pub fn check(text: &Spanned<Box<str>>, field: &str, findings: &mut Findings<'_>) {
    if text.value.is_empty() {
        return;
    }
    if let Err(error) = selector::parse(&text.value) {
        let reason = format!("`{field}: {}` is no selector: {}", excerpt(&text.value), error);
        let note = findings.turn_away("bad-selector", text.at, &reason);
        let rest = text.value.get(error.offset..).unwrap_or_default();
        if text.value.contains('\n') {
            note.help(
                "a selector is one line: `>-` folds lines and leaves no newline at the end, `>` and `|` do",
            );
        } else if rest.starts_with('=') {
            note.help("equality is written `==`");
        }
    }
}

/// Reports `global()` where it has no meaning.
pub fn no_global(selector: &Spanned<Box<str>>, findings: &mut Findings<'_>) {
    if selector.value.contains("global()") {
        findings.turn_away(
            "misplaced-global",
            selector.at,
            "`global()` can only be used as the `namespaceSelector` of a `source` or `destination`",
        );
    }
}
