//! Markdown for a comment on a pull request: the verdict first, the rest folded.
//!
//! GitHub takes 65,536 characters. What does not fit is left out, worst findings last, and its number is said.

use super::{Block, Document, Finding, Section, rules, words};
use crate::diagnostic::Location;
use crate::diagnostic::render::excerpt::Excerpt;
use crate::diagnostic::render::{SourceLines, printable};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Bytes that a comment may have, which are at least as many as characters, without what is said about cuts.
const LIMIT: usize = 65_000;
/// Characters of one text of the input.
const LONGEST: usize = 1_000;

/// The whole comment.
pub fn markdown(document: &Document<'_>) -> String {
    let mut out = Comment { text: String::new(), left_out: 0 };
    let _ =
        write!(out.text, "### {}\n\n**{}**\n", escape(&words::heading(document)), message(&document.verdict));
    if let Some(words) = document.suppressed_counts().words() {
        let _ = write!(out.text, "\n{}\n", escape(&words));
    }
    // as on the page: pictures show at once what findings say one by one
    let (pictures, rest): (Vec<&Section>, Vec<&Section>) =
        document.sections.iter().partition(|section| section.is_pictured());
    pictures.into_iter().for_each(|section| out.section(section));
    let mut groups = words::by_subject(document.open());
    groups.sort_by_key(|(_, findings)| Reverse(findings.iter().map(|one| one.said.severity).max()));
    for (subject, findings) in groups {
        let summary = format!("{}: {}", escape(&words::title(document, subject)), counts(&findings));
        out.folded(&summary, findings.iter().map(|one| finding(one, document)));
    }
    rest.into_iter().for_each(|section| out.section(section));
    let suppressed: Vec<_> = document.suppressed().collect();
    if !suppressed.is_empty() {
        let lines = suppressed.iter().map(|(one, why)| {
            let reason = match why {
                super::Suppression::Known => "in the baseline".to_owned(),
                super::Suppression::Accepted { reason, .. } => format!("accepted: {}", escape(reason)),
            };
            let title = escape(&words::title(document, one.subject));
            format!("- {title}: {} ({reason})\n", said(one))
        });
        out.folded(&format!("{} not counted", words::count(suppressed.len(), "finding")), lines);
    }
    if !document.messages.is_empty() {
        let lines = document.messages.iter().map(|one| {
            let place = one.at.map(|at| format!(" at {}", escape(&words::place(at, document.sources))));
            format!(
                "- {} <code>{}</code>: {}{}\n",
                one.severity.name(),
                one.id,
                message(&one.message),
                place.unwrap_or_default()
            )
        });
        out.folded("About the input", lines);
    }
    let ids: BTreeSet<&str> = document.open().map(|finding| finding.said.id).collect();
    if !ids.is_empty() {
        let lines =
            ids.into_iter().map(|id| format!("- <code>{id}</code>: {}\n", message(&rules::of(id).summary)));
        out.folded("What these mean", lines);
    }
    out.finish()
}

/// A comment that has an end.
struct Comment {
    text: String,
    /// how many findings, rows and paragraphs were left out
    left_out: usize,
}

impl Comment {
    /// Adds as much of a section as fits.
    fn section(&mut self, section: &Section) {
        self.folded(&escape(&section.title), section.blocks.iter().flat_map(pieces));
    }

    /// Adds as many items as fit, folded under a summary.
    fn folded(&mut self, summary: &str, items: impl Iterator<Item = String>) {
        const END: &str = "\n</details>\n";
        let start = format!("\n<details><summary>{summary}</summary>\n\n");
        let mut began = false;
        for item in items {
            let needed = item.len() + END.len() + if began { 0 } else { start.len() };
            if self.text.len() + needed > LIMIT {
                self.left_out += 1;
                continue;
            }
            if !began {
                self.text.push_str(&start);
                began = true;
            }
            self.text.push_str(&item);
        }
        if began {
            self.text.push_str(END);
        }
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            let entries = if self.left_out == 1 { "entry" } else { "entries" };
            let _ = write!(
                self.text,
                "\n**Cut to what a comment holds: {} {entries} left out.** Other forms have everything.\n",
                self.left_out
            );
        }
        self.text
    }
}

/// `1 error, 2 warnings`.
fn counts(findings: &[&Finding]) -> String {
    crate::diagnostic::Summary::of(findings.iter().map(|finding| &finding.said)).to_string()
}

fn said(finding: &Finding) -> String {
    let said = &finding.said;
    format!("{} <code>{}</code>: {}", said.severity.name(), said.id, message(&said.message))
}

fn finding(one: &Finding, document: &Document<'_>) -> String {
    let mut out = format!("**{}**\n", said(one));
    if let Some(at) = one.said.at {
        excerpt(&mut out, at, document.sources);
    }
    for (label, value) in &one.facts {
        let value = match words::is_sentence(label) {
            true => message(value),
            false => format!("<code>{}</code>", escape(value)),
        };
        let _ = write!(out, "\n{label}: {value}\n");
    }
    if let Some(help) = &one.said.help {
        let _ = write!(out, "\nHelp: {}\n", message(help));
    }
    for related in &one.said.related {
        let place = words::place(related.at, document.sources);
        let _ = write!(out, "\n{}: {}\n", escape(&place), message(&related.message));
    }
    if let Some(fix) = &one.fix {
        let _ = write!(out, "\nTo mend it: {}\n", message(&fix.what));
        let text: Vec<_> = fix.text.lines().map(printable).collect();
        fenced(&mut out, "yaml", &text.join("\n"));
    }
    out.push('\n');
    out
}

/// The lines around a place, in a block of code.
fn excerpt(out: &mut String, at: Location, sources: &dyn SourceLines) {
    let _ = write!(out, "\n{}\n", escape(&words::place(at, sources)));
    let Some(excerpt) = Excerpt::around(at, sources) else { return };
    let numbered = excerpt.text.lines().zip(excerpt.first_line..).map(|(line, number)| {
        let mark = if number == at.line { '>' } else { ' ' };
        format!("{mark} {number:>4} {line}")
    });
    fenced(out, "", &numbered.collect::<Vec<_>>().join("\n"));
}

/// A block of code whose fence is longer than any row of backticks in it.
fn fenced(out: &mut String, language: &str, text: &str) {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = write!(out, "\n{fence}{language}\n{text}\n{fence}\n");
}

/// Pieces of a block that can be left out, each for itself.
fn pieces(block: &Block) -> Vec<String> {
    match block {
        Block::Text(text) | Block::Picture { words: text, .. } => vec![format!("\n{}\n", message(text))],
        Block::Lines(lines) => {
            let lines: Vec<_> = lines.iter().map(|line| printable(line)).collect();
            let mut out = String::new();
            fenced(&mut out, "diff", &lines.join("\n"));
            vec![out]
        }
        // what is folded already is not folded again
        Block::Folded { title, blocks, .. } => {
            let title = format!("\n**{}**\n", message(title));
            std::iter::once(title).chain(blocks.iter().flat_map(pieces)).collect()
        }
        Block::Table { head, rows } => {
            let mut top = "\n".to_owned();
            row(&mut top, head);
            row(&mut top, &vec!["---".to_owned(); head.len()]);
            let rows = rows.iter().map(|cells| {
                let mut out = String::new();
                row(&mut out, cells);
                out
            });
            std::iter::once(top).chain(rows).collect()
        }
    }
}

fn row(out: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| message(cell)).collect();
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

/// A message, with the user's words as code.
fn message(text: &str) -> String {
    let text = shortened(text);
    let piece = |(code, piece)| if code { format!("<code>{}</code>", escape(piece)) } else { escape(piece) };
    words::pieces(&text).map(piece).collect()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text that is nothing but text: no markup, no link, no mention of a person, no formula.
fn escape(text: &str) -> String {
    let text = shortened(text);
    let text = printable(&text);
    let mut out = String::with_capacity(text.len());
    for (index, c) in text.char_indices() {
        let before = &text[..index];
        match c {
            // GitHub looks for these after the Markdown is read, so an entity would not hide them
            '@' | '#' => out.push_str(&format!("{c}<!-- -->")),
            '&' | '<' | '>' | '"' | '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => {
                out.push_str(&format!("&#{};", c as u32));
            }
            // what begins with `https://` or `www.` would become a link
            ':' if text[index..].starts_with("://") => out.push_str("&#58;"),
            '.' if before.len() >= 3 && before.as_bytes()[index - 3..].eq_ignore_ascii_case(b"www") => {
                out.push_str("&#46;")
            }
            c => out.push(c),
        }
    }
    out
}
