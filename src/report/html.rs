//! One page for a browser that needs nothing else: no network, no script. What is folded opens with `<details>`, and
//! everything is reached by links within the page, so a keyboard and a screen reader do.
//!
//! The page is also well-formed XML, which is how tests read it.

mod finding;
mod parts;

use super::{Block, Document, Section, words};
use crate::diagnostic::Summary;
use crate::diagnostic::render::printable;
use std::fmt::Write;

const STYLE: &str = include_str!("html.css");
/// Nothing is fetched, and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
/// Up to so many findings are unfolded from the start.
const UNFOLDED: usize = 8;

/// The whole page.
pub fn page(document: &Document<'_>) -> String {
    let title = format!("{}: {}", words::heading(document), document.verdict);
    let mut out = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    let _ = write!(
        out,
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n\
         <meta name=\"generator\" content=\"netpolc {}\"/>\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n",
        env!("CARGO_PKG_VERSION"),
        escape(&title),
    );
    header(&mut out, document);
    let groups = words::by_subject(document.open());
    parts::contents(&mut out, document, &groups);
    out.push_str("<main>\n");
    // pictures show at once what findings say one by one; what else there is comes after them
    let (pictures, rest): (Vec<&Section>, Vec<&Section>) =
        document.sections.iter().partition(|section| section.is_pictured());
    pictures.into_iter().for_each(|section| self::section(&mut out, section));
    let open = document.open().count() <= UNFOLDED;
    out.push_str("<div id=\"findings\">\n");
    if groups.is_empty() {
        out.push_str("<h2>Findings</h2>\n<p class=\"good\">There are none.</p>\n");
    }
    for (subject, findings) in &groups {
        let id = parts::anchor(*subject);
        let _ = writeln!(out, "<section id=\"{id}\" aria-labelledby=\"{id}-title\">");
        parts::title(&mut out, document, *subject, &id);
        findings.iter().for_each(|one| finding::finding(&mut out, one, document, open));
        out.push_str("</section>\n");
    }
    out.push_str("</div>\n");
    rest.into_iter().for_each(|section| self::section(&mut out, section));
    parts::suppressed(&mut out, document);
    parts::messages(&mut out, document);
    parts::subjects(&mut out, document);
    parts::rules(&mut out, document);
    let _ = write!(
        out,
        "</main>\n<footer>Made by netpolc {}.</footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    );
    out
}

fn header(out: &mut String, document: &Document<'_>) {
    let (tool, verdict) = (escape(&words::heading(document)), message(&document.verdict));
    let _ =
        write!(out, "<header>\n<p class=\"tool\">{tool}</p>\n<h1>{verdict}</h1>\n<ul class=\"counts\">\n");
    let summary = Summary::of(document.open().map(|finding| &finding.said));
    let counts = [(summary.errors, "error"), (summary.warnings, "warning"), (summary.notes, "note")];
    for (count, word) in counts.into_iter().filter(|(count, _)| *count > 0) {
        let plural = if count == 1 { "" } else { "s" };
        let _ = writeln!(out, "<li class=\"{word}\"><b>{count}</b> {word}{plural}</li>");
    }
    let suppressed = document.suppressed().count();
    if suppressed > 0 {
        let _ = writeln!(
            out,
            "<li class=\"quiet\"><a href=\"#suppressed\"><b>{suppressed}</b> not counted</a></li>"
        );
    } else if summary.is_empty() {
        out.push_str("<li class=\"good\">nothing found</li>\n");
    }
    out.push_str("</ul>\n</header>\n");
}

fn section(out: &mut String, section: &Section) {
    let _ = write!(out, "<section>\n<h2>{}</h2>\n", escape(&section.title));
    blocks(out, &section.blocks);
    out.push_str("</section>\n");
}

fn blocks(out: &mut String, blocks: &[Block]) {
    for block in blocks {
        match block {
            Block::Folded { id, title, blocks } => {
                // a link to what is inside opens it, without a script
                let title = message(title);
                let _ = write!(out, "<details>\n<summary>{title}</summary>\n<div id=\"{id}\">\n");
                self::blocks(out, blocks);
                out.push_str("</div>\n</details>\n");
            }
            Block::Text(text) => out.push_str(&format!("<p>{}</p>\n", message(text))),
            Block::Table { head, rows } => {
                table(out, head, rows.iter().map(|row| row.iter().map(|c| message(c))))
            }
            Block::Lines(lines) => {
                out.push_str("<pre tabindex=\"0\"><code>");
                for line in lines {
                    let class = words::sign(line);
                    let _ = writeln!(out, "<span class=\"line {class}\">{}</span>", escape(line));
                }
                out.push_str("</code></pre>\n");
            }
            Block::Picture { svg, words } => {
                let words = message(words);
                let _ =
                    writeln!(out, "<figure class=\"picture\">{svg}<figcaption>{words}</figcaption></figure>");
            }
        }
    }
}

/// A table; headings are text, cells are markup already.
fn table(
    out: &mut String,
    head: &[impl AsRef<str>],
    rows: impl Iterator<Item = impl Iterator<Item = String>>,
) {
    out.push_str("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>");
    for cell in head {
        out.push_str(&format!("<th scope=\"col\">{}</th>", escape(cell.as_ref())));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        let cells: String = row.map(|cell| format!("<td>{cell}</td>")).collect();
        let _ = writeln!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

/// A message, with the user's words as code.
fn message(text: &str) -> String {
    let piece = |(code, piece)| if code { format!("<code>{}</code>", escape(piece)) } else { escape(piece) };
    words::pieces(text).map(piece).collect()
}

/// Text of one line, for content and for attributes in double quotes.
pub fn escape(text: &str) -> String {
    markup(&printable(text))
}

/// Text that is made safe to print already. U+FFFE and U+FFFF are no characters of XML.
fn markup(text: &str) -> String {
    let text = text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
