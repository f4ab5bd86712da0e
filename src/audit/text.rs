//! The form for people: the three questions, a table of who reaches what, and, where it is asked for, every way with
//! its hops and rules.

use super::Audit;
use super::exposure::{Exposure, Verdict};
use super::questions::Question;
use super::summary::Row;
use super::targets::Target;
use super::words::{Words, list, safe};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Ends that are told of ranges of ports and addresses, at most.
const RANGE_ENDS: usize = 4;

/// Everything above the findings.
pub fn text(audit: &Audit, questions: &[Question], words: &Words<'_>, details: bool) -> String {
    let mut out = String::new();
    for question in questions {
        let _ = writeln!(out, "{}", safe(&question.question));
        if question.answers.is_empty() {
            out.push_str("  there is none\n");
        }
        let width = question.answers.iter().map(|one| one.about.chars().count()).max().unwrap_or_default();
        for one in &question.answers {
            let _ = writeln!(out, "  {:<width$}  {:<8} {}", safe(&one.about), one.answer, safe(&one.more));
        }
        out.push('\n');
    }
    table(&mut out, audit, words);
    if details {
        for (number, target) in audit.targets.iter().enumerate() {
            of_target(&mut out, audit, number, target, words);
        }
    }
    out
}

/// A column: who, and how they come in.
pub type Column = (usize, super::ways::Way);

/// The columns of all rows, in order.
pub fn columns(rows: &[Row]) -> Vec<Column> {
    let mut columns: Vec<Column> = rows.iter().map(|row| (row.zone, row.way.clone())).collect();
    columns.sort();
    columns.dedup();
    columns
}

/// A cell of the table: one word, with a star where nodes differ.
pub fn cell(row: Option<&Row>) -> &'static str {
    match row.map(|row| (row.verdict(), row.widest())) {
        None => "-",
        Some((Some(verdict), _)) => verdict.name(),
        Some((None, Verdict::Open)) => "open*",
        Some((None, Verdict::Restricted)) => "restricted*",
        Some((None, Verdict::Blocked)) => "blocked*",
    }
}

/// What a row of the table is about.
pub fn heading(target: &Target) -> String {
    if target.of.is_empty() { target.name() } else { format!("{} {}", target.of, target.name()) }
}

fn table(out: &mut String, audit: &Audit, words: &Words<'_>) {
    let columns = columns(&audit.rows);
    let mut by_target: BTreeMap<usize, Vec<&Row>> = BTreeMap::new();
    audit.rows.iter().for_each(|row| by_target.entry(row.target).or_default().push(row));
    let cells: Vec<(String, Vec<&'static str>)> = by_target
        .iter()
        .map(|(target, rows)| {
            let of = |(zone, way): &Column| {
                cell(rows.iter().find(|row| row.zone == *zone && row.way == *way).copied())
            };
            (safe(&heading(&audit.targets[*target])), columns.iter().map(of).collect())
        })
        .collect();
    let heads: Vec<[String; 2]> = columns
        .iter()
        .map(|(zone, way)| {
            let zone = safe(&words.zones[*zone].name);
            match way {
                super::ways::Way::Interface(name) => [zone, safe(name)],
                _ => [zone, "own".to_owned()],
            }
        })
        .collect();
    let first = cells.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let width = |column: usize| {
        let own = cells.iter().map(|(_, row)| row[column].len());
        own.chain(heads[column].iter().map(|head| head.chars().count())).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |first_cell: &str, row: &[&str]| {
        let row: String = row.iter().zip(&widths).map(|(cell, width)| format!("  {cell:<width$}")).collect();
        format!("{first_cell:<first$}{row}").trim_end().to_owned()
    };
    for half in [0, 1] {
        let row: Vec<&str> = heads.iter().map(|head| &*head[half]).collect();
        let _ = writeln!(out, "{}", line(if half == 0 { "who reaches what" } else { "" }, &row));
    }
    for (name, row) in &cells {
        let _ = writeln!(out, "{}", line(name, row));
    }
    if cells.iter().any(|(_, row)| row.iter().any(|cell| cell.ends_with('*'))) {
        out.push_str("* nodes differ\n");
    }
    out.push('\n');
}

/// Every way to one target.
fn of_target(out: &mut String, audit: &Audit, number: usize, target: &Target, words: &Words<'_>) {
    let told = told(audit, number, target, words);
    if told.is_empty() {
        return;
    }
    let place = target.at.map(|at| format!("  {}:{}:{}", (words.files)(at.file), at.line, at.column));
    let _ = writeln!(out, "{}{}", safe(&heading(target)), safe(&place.unwrap_or_default()));
    for (who, nodes, text) in told {
        let _ = writeln!(out, "  {} at {}: {text}", safe(&who), safe(&nodes));
    }
    out.push('\n');
}

/// Who reaches a target or does not, on which nodes, and how: the verdict and lines that are safe to print. Nodes on
/// which also the ways are the same are told once.
pub fn told(
    audit: &Audit,
    number: usize,
    target: &Target,
    words: &Words<'_>,
) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for row in audit.rows.iter().filter(|row| row.target == number) {
        let mut told: Vec<(String, Vec<String>)> = Vec::new();
        for own in row.parts.iter().flat_map(|part| &part.exposures).map(|own| &audit.exposures[*own]) {
            let text = of_exposure(own, target.kind.is_range(), words);
            let node = words.node(own.node).to_owned();
            match told.iter_mut().find(|(other, _)| *other == text) {
                Some((_, nodes)) => nodes.extend((!nodes.contains(&node)).then_some(node)),
                None => told.push((text, vec![node])),
            }
        }
        let who = words.who(row.zone, &row.way);
        all.extend(told.into_iter().map(|(text, nodes)| (who.clone(), list(&nodes), text)));
    }
    all
}

/// The verdict, and a line for each end.
fn of_exposure(exposure: &Exposure, is_range: bool, words: &Words<'_>) -> String {
    let mut out = safe(&words.verdict(exposure));
    if !exposure.open.0.is_empty() {
        let _ = write!(out, ": {}", safe(&words.boxes(&exposure.open, exposure.family)));
        return out;
    }
    let ends = exposure.ends.iter().filter(|end| !is_range || end.counts || !end.end.is_reached());
    for end in ends.take(if is_range { RANGE_ENDS } else { usize::MAX }) {
        let to = end.to.map(|(address, port)| format!("{address} port {port}, "));
        let sources = end.sources.as_ref().map(|nets| format!(", from {}", words.sources(nets)));
        let source = end.new_source.map(|address| format!(", as {address}"));
        let text = format!(
            "{}{}{}{}",
            to.unwrap_or_default(),
            words.end(&end.end),
            sources.unwrap_or_default(),
            source.unwrap_or_default()
        );
        let _ = write!(out, "\n    to {}", safe(&text));
        if end.hops.len() > 1 {
            let _ = write!(out, "\n      way     {}", safe(&words.hops(&end.hops)));
        }
        for hop in &end.hops {
            for (place, rule) in hop.rules.iter().enumerate() {
                let at = rule.at.map(|at| format!(" ({}:{}:{})", (words.files)(at.file), at.line, at.column));
                let word = if place == 0 { "because" } else { "before" };
                let node =
                    if end.hops.len() > 1 { format!("{}: ", words.node(hop.node)) } else { String::new() };
                let text = format!("{node}{}{}", rule.reason, at.unwrap_or_default());
                let _ = write!(out, "\n      {word:<7} {}", safe(&text));
                if place == 0 {
                    let _ = write!(out, "\n      rule    {}: {}", rule.table.name(), safe(&rule.rule));
                }
            }
        }
    }
    out
}
