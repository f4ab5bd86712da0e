//! Names and values that would break out of a form if it let them.

use crate::common::Numbers;
use crate::readers::{assert_github, assert_html, assert_junit, assert_markdown, assert_sarif};
use netpolc::diagnostic::render::{SourceLines, printable};
use netpolc::diagnostic::{Confidence, Diagnostic, FileId, Location, Severity};
use netpolc::report::baseline::{self, Baseline};
use netpolc::report::{Block, Document, Finding, Fix, Section, Subject, Suppression, fingerprint};
use netpolc::report::{github, html, junit, markdown, sarif, text};
use roxmltree::Document as Xml;

/// Pieces that mean something in one form or another.
const HOSTILE: [&str; 30] = [
    "\n",
    "\r\n",
    "::error::",
    "::",
    "##[error]",
    "|",
    "<script>alert(1)</script>",
    "]]>",
    "&amp;",
    "\"",
    "'",
    "`",
    "```",
    "</details>",
    "\u{1b}[31m",
    "\0",
    "\u{202e}",
    "\u{fffe}",
    "@everyone",
    "#1",
    "![x](http://e.vil)",
    "www.e.vil",
    "%0A",
    ",",
    "{0}",
    "[a](1)",
    "\t",
    "$x$",
    "ключ",
    "-->",
];

fn hostile(numbers: &mut Numbers) -> String {
    (0..1 + numbers.below(5)).map(|_| numbers.pick(&HOSTILE)).collect::<String>()
}

/// Files with hostile names and lines.
struct Sources(Vec<String>);

impl SourceLines for Sources {
    fn name(&self, file: FileId) -> &str {
        self.0.get(file.0 as usize).map_or("", String::as_str)
    }
    fn line(&self, _: FileId, line: u32) -> Option<String> {
        (line < 9).then(|| self.0[line as usize % self.0.len()].replace(['\n', '\r'], " "))
    }
}

fn finding(numbers: &mut Numbers, subjects: usize) -> Finding {
    let mut at = || Location {
        file: FileId(numbers.below(4) as u32),
        line: 1 + numbers.below(9) as u32,
        column: 1 + numbers.below(20) as u32,
    };
    let (place, related) = (at(), at());
    let severity = *numbers.one_of(&[Severity::Error, Severity::Warning, Severity::Note]);
    let place = (!numbers.one_in(4)).then_some(place);
    let mut said = Diagnostic::new("log-only-denies", severity, place, hostile(numbers));
    said = said.help(hostile(numbers)).related(related, hostile(numbers));
    said.confidence = Confidence::Possible;
    let subject = (!numbers.one_in(4)).then(|| numbers.below(subjects));
    let mut finding = Finding::new(said, subject);
    finding.facts = vec![("found", hostile(numbers))];
    finding.fix = Some(Fix { what: hostile(numbers), text: hostile(numbers) });
    finding.suppressed = match numbers.below(4) {
        0 => Some(Suppression::Known),
        1 => Some(Suppression::Accepted { reason: hostile(numbers), at: related }),
        _ => None,
    };
    finding
}

fn document<'a>(numbers: &mut Numbers, sources: &'a Sources, count: usize) -> Document<'a> {
    let subject = |numbers: &mut Numbers| {
        let [kind, name, identity, state] = [(); 4].map(|()| hostile(numbers));
        Subject { kind, name, identity, at: Some(Location { file: FileId(0), line: 1, column: 1 }), state }
    };
    let subjects: Vec<Subject> = (0..3).map(|_| subject(numbers)).collect();
    let mut findings: Vec<Finding> = (0..count).map(|_| finding(numbers, 3)).collect();
    fingerprint::assign(&mut findings, &subjects, sources);
    let rows = vec![vec![hostile(numbers), hostile(numbers)]];
    let blocks = vec![
        Block::Text(hostile(numbers)),
        Block::Folded {
            id: "t-1".to_owned(),
            title: hostile(numbers),
            blocks: vec![Block::Text(hostile(numbers))],
        },
        Block::Table { head: vec![hostile(numbers), hostile(numbers)], rows },
        Block::Picture { svg: "<svg viewBox=\"0 0 1 1\"></svg>".to_owned(), words: hostile(numbers) },
    ];
    Document {
        command: "check",
        nodes: vec![hostile(numbers)],
        verdict: hostile(numbers),
        subjects,
        findings,
        messages: vec![Diagnostic::new("passed-over", Severity::Note, None, hostile(numbers))],
        sections: vec![Section { title: hostile(numbers), blocks }],
        closing: vec![hostile(numbers)],
        usable: true,
        compared: true,
        sources,
    }
}

fn sources(numbers: &mut Numbers) -> Sources {
    Sources((0..4).map(|_| hostile(numbers)).collect())
}

#[test]
fn no_text_breaks_out_of_a_form() {
    for seed in 0..100 {
        let numbers = &mut Numbers::new(seed);
        let sources = sources(numbers);
        let document = document(numbers, &sources, (seed % 7) as usize);
        let what = format!("seed {seed}");
        assert_sarif(&sarif::log(&document).to_string(), &what);
        assert_junit(&junit::junit(&document), &what);
        assert_github(&github::annotations(&document), &what);
        assert_markdown(&markdown::markdown(&document), &what);
        let page = html::page(&document);
        assert_html(&page, &what);
        let xml = page.split_once('\n').unwrap().1;
        let xml = Xml::parse(xml).unwrap();
        // and nothing is lost: the words are there as they were written, made safe to print
        let texts: String =
            xml.descendants().filter_map(|node| node.text().filter(|_| node.is_text())).collect();
        for finding in document.open() {
            let words = printable(&finding.said.message).replace('`', "").replace('\u{fffe}', "\u{fffd}");
            assert!(texts.replace('`', "").contains(&words), "{what}: {words:?} is not in the page");
        }
        let plain = text::text(&document, false);
        assert!(!plain.chars().any(|c| c.is_control() && c != '\n'), "{what}: {plain:?}");
    }
}

#[test]
fn a_baseline_with_any_text_is_read_back() {
    for seed in 0..100 {
        let numbers = &mut Numbers::new(seed);
        let sources = sources(numbers);
        let document = document(numbers, &sources, 12);
        let mut findings: Vec<Finding> =
            document.findings.iter().map(|one| Finding { suppressed: None, ..one.clone() }).collect();
        let written = baseline::write(&findings, &document.subjects);
        let mut reversed = findings.clone();
        reversed.reverse();
        assert_eq!(written, baseline::write(&reversed, &document.subjects), "seed {seed}: order");
        let read = Baseline::parse(&written, FileId(0)).expect("what was written can be read");
        assert_eq!(read.apply(&mut findings), Vec::new(), "seed {seed}: stale");
        for finding in &findings {
            let belongs = finding.said.severity > Severity::Note;
            assert_eq!(finding.suppressed.is_some(), belongs, "seed {seed}: {finding:?}");
        }
    }
}

#[test]
fn a_comment_says_what_was_cut() {
    let numbers = &mut Numbers::new(7);
    let sources = sources(numbers);
    let mut document = document(numbers, &sources, 2000);
    document.findings.iter_mut().for_each(|finding| finding.suppressed = None);
    let comment = markdown::markdown(&document);
    assert_markdown(&comment, "2000 findings");
    assert!(comment.len() > 60_000, "{} bytes", comment.len());
    let shown = comment.matches("\nHelp: ").count();
    assert!(comment.contains("**Cut to what a comment holds:"), "{}", &comment[comment.len() - 300..]);
    let left: usize = comment.split("holds: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    // each finding is one entry; those that are not shown are counted, with other entries that were cut
    assert!(shown + left >= 2000 && shown + left < 2010, "{shown} shown, {left} cut");
    // and the log of an action says what it does not show
    let log = github::annotations(&document);
    assert_eq!(log.lines().filter(|line| line.starts_with("::")).count(), 30);
    assert!(log.contains("1971 more findings not shown"), "{}", log.lines().last().unwrap());
}
