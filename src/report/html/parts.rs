//! The parts of the page around the findings.

use super::{escape, message, table};
use crate::diagnostic::Summary;
use crate::report::{Document, Finding, Suppression, rules as documentation, words};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Subjects with nothing to say about them, as many as are listed.
const LISTED: usize = 500;

/// The anchor of a subject.
pub fn anchor(subject: Option<usize>) -> String {
    subject.map_or("o-none".to_owned(), |index| format!("o-{index}"))
}

/// Links to all subjects with findings, if there is more than one.
pub fn contents(out: &mut String, document: &Document<'_>, groups: &[(Option<usize>, Vec<&Finding>)]) {
    if groups.len() < 2 {
        return;
    }
    out.push_str("<nav aria-labelledby=\"contents\">\n<h2 id=\"contents\">Found in</h2>\n<ul>\n");
    for (subject, findings) in groups {
        let title = escape(&words::title(document, *subject));
        let counts = Summary::of(findings.iter().map(|finding| &finding.said));
        let anchor = anchor(*subject);
        let _ =
            writeln!(out, "<li><a href=\"#{anchor}\">{title}</a> <span class=\"quiet\">{counts}</span></li>");
    }
    out.push_str("</ul>\n</nav>\n");
}

/// The heading of a subject, where it is written and what becomes of it.
pub fn title(out: &mut String, document: &Document<'_>, subject: Option<usize>, id: &str) {
    let title = escape(&words::title(document, subject));
    let _ = writeln!(out, "<h2 id=\"{id}-title\">{title}</h2>");
    let Some(subject) = subject.and_then(|index| document.subjects.get(index)) else { return };
    let place = subject.at.map(|at| format!("{}: ", escape(&words::place(at, document.sources))));
    let _ = writeln!(out, "<p class=\"place\">{}{}</p>", place.unwrap_or_default(), escape(&subject.state));
}

/// What does not count, and why.
pub fn suppressed(out: &mut String, document: &Document<'_>) {
    let Some(words) = document.suppressed_counts().words() else { return };
    let _ = write!(
        out,
        "<section id=\"suppressed\">\n<details>\n<summary>Findings {}</summary>\n",
        escape(&words)
    );
    let rows = document.suppressed().map(|(finding, why)| {
        let reason = match why {
            Suppression::Known => "in the baseline".to_owned(),
            Suppression::Accepted { reason, at } => {
                format!("{} ({})", escape(reason), escape(&words::place(*at, document.sources)))
            }
        };
        let about = escape(&words::title(document, finding.subject));
        let id = format!("<a href=\"#r-{id}\">{id}</a>", id = finding.said.id);
        [about, id, message(&finding.said.message), reason].into_iter()
    });
    table(out, &["of", "finding", "message", "why it does not count"], rows);
    out.push_str("</details>\n</section>\n");
}

/// What there is to say about the input.
pub fn messages(out: &mut String, document: &Document<'_>) {
    if document.messages.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>About the input</h2>\n<ul>\n");
    for said in &document.messages {
        let place = said.at.map(|at| format!(" ({})", escape(&words::place(at, document.sources))));
        let severity = said.severity.name();
        let _ = writeln!(
            out,
            "<li><span class=\"severity {severity}\">{severity}</span> {}{}</li>",
            message(&said.message),
            place.unwrap_or_default()
        );
    }
    out.push_str("</ul>\n</section>\n");
}

/// Everything that was looked at: all with findings, and others as long as they are few.
pub fn subjects(out: &mut String, document: &Document<'_>) {
    if document.subjects.is_empty() {
        return;
    }
    let found: BTreeSet<usize> = document.open().filter_map(|finding| finding.subject).collect();
    let mut others = 0;
    let listed: Vec<usize> = (0..document.subjects.len())
        .filter(|index| {
            others += usize::from(!found.contains(index));
            found.contains(index) || others <= LISTED
        })
        .collect();
    let all = document.subjects.len();
    let _ = write!(
        out,
        "<section id=\"subjects\">\n<details>\n<summary>Everything that was looked at ({all})</summary>\n"
    );
    let rows = listed.iter().map(|index| {
        let subject = &document.subjects[*index];
        let name = match found.contains(index) {
            true => format!("<a href=\"#{}\">{}</a>", anchor(Some(*index)), escape(&subject.name)),
            false => escape(&subject.name),
        };
        let place = subject.at.map(|at| escape(&words::place(at, document.sources)));
        [escape(&subject.kind), name, escape(&subject.state), place.unwrap_or_default()].into_iter()
    });
    table(out, &["kind", "name", "what becomes of it", "written"], rows);
    if listed.len() < document.subjects.len() {
        let left = document.subjects.len() - listed.len();
        let _ = writeln!(out, "<p>{left} more, in which nothing was found, are not listed.</p>");
    }
    out.push_str("</details>\n</section>\n");
}

/// What the identifiers mean.
pub fn rules(out: &mut String, document: &Document<'_>) {
    let ids: BTreeSet<&str> = document.findings.iter().map(|finding| finding.said.id).collect();
    if ids.is_empty() {
        return;
    }
    out.push_str("<section id=\"rules\">\n<h2>What these mean</h2>\n");
    for id in ids {
        let text = documentation::of(id).text;
        let _ = write!(out, "<details id=\"r-{id}\">\n<summary><code>{id}</code></summary>\n");
        for paragraph in text.split("\n\n") {
            let _ = writeln!(out, "<p>{}</p>", message(&paragraph.replace('\n', " ")));
        }
        out.push_str("</details>\n");
    }
    out.push_str("</section>\n");
}
