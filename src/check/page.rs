//! The documentation of a check: the header of its source file, its key facts, and its fixtures as
//! examples.

use super::{CHECKS, Check};

/// What is wrong and what to do about it, in Markdown: the page without its title and examples.
pub fn text(check: &Check) -> String {
    let header = check.source.lines().take_while(|line| line.starts_with("//!"));
    let text: Vec<&str> =
        header.map(|line| line.trim_start_matches("//!").strip_prefix(' ').unwrap_or("")).collect();
    text.join("\n").trim().to_owned()
}

/// The page, in Markdown.
pub fn page(check: &Check) -> String {
    format!(
        "# {}\n\nSeverity: {}. Confidence: {}.\n\n{}\n\n## Found in\n\n```yaml\n{}```\n\n## Not in\n\n```yaml\n{}```\n",
        check.id,
        check.severity.name(),
        check.confidence.name(),
        text(check),
        check.bad,
        check.good,
    )
}

/// The first sentence of a check's page.
pub fn summary(check: &Check) -> String {
    let header = check.source.lines().take_while(|line| line.starts_with("//! "));
    let paragraph: Vec<&str> = header.map(|line| &line[4..]).collect();
    let paragraph = paragraph.join(" ");
    paragraph.split_once(". ").map_or(paragraph.trim_end_matches('.'), |(first, _)| first).to_owned()
}

/// A table of all checks, in Markdown, with links to their pages.
pub fn index() -> String {
    let mut out = String::from("| id | severity | confidence | what |\n|---|---|---|---|\n");
    for check in CHECKS {
        out.push_str(&format!(
            "| [{}]({}.md) | {} | {} | {} |\n",
            check.id,
            check.id,
            check.severity.name(),
            check.confidence.name(),
            summary(check)
        ));
    }
    out
}
