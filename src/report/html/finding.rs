//! One finding, with the lines of the manifest that it is about.

use super::{escape, markup, message};
use crate::diagnostic::Location;
use crate::diagnostic::render::excerpt::Excerpt;
use crate::diagnostic::render::printable;
use crate::report::{Document, Finding, words};
use std::fmt::Write;

/// A finding, unfolded or not.
pub fn finding(out: &mut String, one: &Finding, document: &Document<'_>, open: bool) {
    let said = &one.said;
    let (severity, id) = (said.severity.name(), said.id);
    let open = if open { " open=\"open\"" } else { "" };
    let _ = write!(
        out,
        "<details class=\"finding is-{severity}\" id=\"f-{}\"{open}>\n<summary><span class=\"severity {severity}\">{severity}</span> \
         {} <code class=\"id\">{id}</code></summary>\n",
        one.fingerprint,
        message(&said.message),
    );
    if let Some(at) = said.at {
        excerpt(out, at, "", document);
    }
    let facts: String = one
        .facts
        .iter()
        .map(|(label, value)| match words::is_sentence(label) {
            true => format!("<dt>{label}</dt><dd>{}</dd>", message(value)),
            false => format!("<dt>{label}</dt><dd><code>{}</code></dd>", escape(value)),
        })
        .collect();
    if !facts.is_empty() {
        let _ = writeln!(out, "<dl>{facts}</dl>");
    }
    if let Some(help) = &said.help {
        let _ = writeln!(out, "<p class=\"help\">Help: {}</p>", message(help));
    }
    for related in &said.related {
        excerpt(out, related.at, &message(&related.message), document);
    }
    if let Some(fix) = &one.fix {
        let text: Vec<String> = fix.text.lines().map(escape).collect();
        let what = message(&fix.what);
        let _ = writeln!(
            out,
            "<p class=\"help\">To mend it: {what}</p>\n<pre tabindex=\"0\"><code>{}</code></pre>",
            text.join("\n")
        );
    }
    let confidence = said.confidence.name();
    let _ = writeln!(
        out,
        "<p class=\"state\">Confidence: {confidence}. <a href=\"#r-{id}\">About {id}</a></p>\n</details>"
    );
}

/// The lines around a place; `words` is markup that says what is there.
fn excerpt(out: &mut String, at: Location, words: &str, document: &Document<'_>) {
    let place = markup(&words::place(at, document.sources));
    let between = if words.is_empty() { "" } else { ": " };
    let _ = write!(
        out,
        "<figure>\n<figcaption><span class=\"place\">{place}</span>{between}{words}</figcaption>\n"
    );
    if let Some(excerpt) = Excerpt::around(at, document.sources) {
        out.push_str("<pre tabindex=\"0\"><code>");
        lines(out, &excerpt, at.line);
        out.push_str("</code></pre>\n");
    }
    out.push_str("</figure>\n");
}

fn lines(out: &mut String, excerpt: &Excerpt, wanted: u32) {
    let mut start = 0;
    for (line, number) in excerpt.text.split_inclusive('\n').zip(excerpt.first_line..) {
        let end = start + line.trim_end_matches('\n').len();
        let text = |from: usize, to: usize| markup(&printable_but_tabs(&excerpt.text[from..to]));
        let number_of = format!("<span class=\"number\">{number}</span>");
        if number == wanted {
            let (from, to) = (excerpt.span.start.min(end), excerpt.span.end.min(end));
            let (before, hit, after) = (text(start, from), text(from, to), text(to, end));
            let _ = write!(out, "<span class=\"hit\">{number_of}{before}<mark>{hit}</mark>{after}</span>");
        } else {
            let _ = writeln!(out, "{number_of}{}", text(start, end));
        }
        start += line.len();
    }
}

/// An excerpt is clean but for tabs, which align text.
fn printable_but_tabs(text: &str) -> String {
    text.split('\t').map(|piece| printable(piece).into_owned()).collect::<Vec<_>>().join("\t")
}
