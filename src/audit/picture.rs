//! The cluster as a picture: who comes in where, what they address, and what is behind it.
//!
//! Three columns with lines between them, as SVG that needs no script: each box and each line is a link to the part of
//! the page that tells it down to the rule, and has its words as a title. Colours are those of the page.

use super::Audit;
use super::exposure::Verdict;
use super::summary::Row;
use super::text::{columns, heading};
use super::walk::End;
use super::ways::Way;
use super::words::Words;
use super::zones::INTERNET;
use crate::report::html::escape;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Boxes in a column, at most; of more, those that are reached come first.
const BOXES: usize = 30;
/// Letters of a label, at most.
const LETTERS: [usize; 3] = [20, 42, 30];
/// Widths of the boxes of the columns, in pixels.
const WIDTHS: [usize; 3] = [160, 320, 230];
/// Height of a box, and the space between two, in pixels.
const BOX: (usize, usize) = (34, 10);
/// Space between two columns, in pixels.
const GAP: usize = 140;
/// Height of the headings, in pixels.
const HEAD: usize = 30;

/// The anchor of a target on the page.
pub fn anchor(target: usize) -> String {
    format!("t-{target}")
}

/// The picture, and the same in words.
pub fn picture(audit: &Audit, words: &Words<'_>) -> (String, String) {
    let sources = columns(&audit.rows);
    let mut rows: BTreeMap<usize, Vec<&Row>> = BTreeMap::new();
    audit.rows.iter().for_each(|row| rows.entry(row.target).or_default().push(row));
    let widest = |own: &Vec<&Row>| own.iter().map(|row| (row.zone == INTERNET, row.widest())).max();
    let mut targets: Vec<usize> =
        rows.keys().copied().filter(|target| !audit.targets[*target].kind.is_range()).collect();
    // the most exposed come first where not all have a place
    if targets.len() > BOXES {
        targets.sort_by_key(|target| std::cmp::Reverse(widest(&rows[target])));
    }
    let left_out = targets.len().saturating_sub(BOXES);
    targets.truncate(BOXES);
    targets.sort_unstable();
    let ends = ends(audit, &targets, words);
    let height =
        HEAD + [sources.len(), targets.len(), ends.len()].into_iter().max().unwrap_or_default() * step();
    let width = WIDTHS.iter().sum::<usize>() + 2 * GAP;
    let height = height + HEAD;
    let label = "who comes in where, what they address, and what is behind it";
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"cluster\" viewBox=\"0 0 {width} {height}\" role=\"group\" \
         aria-label=\"{label}\">"
    );
    for (column, name) in ["who", "addresses", "behind them"].into_iter().enumerate() {
        let _ = write!(svg, "<text class=\"head\" x=\"{}\" y=\"18\">{name}</text>", left(column));
    }
    for (place, (zone, way)) in sources.iter().enumerate() {
        for (at, target) in targets.iter().enumerate() {
            let row = rows[target].iter().find(|row| row.zone == *zone && row.way == *way);
            let Some(row) = row else { continue };
            let verdict = row.widest();
            let title = format!(
                "{} to {}: {}",
                words.who(*zone, way),
                heading(&audit.targets[*target]),
                super::text::cell(Some(row))
            );
            // what the internet reaches stands out
            let who = if *zone == INTERNET { "internet" } else { "others" };
            line(&mut svg, (0, place), (1, at), (who, verdict), *target, &title);
        }
    }
    for (place, (name, reached)) in ends.iter().enumerate() {
        for (target, verdict) in reached {
            let Some(at) = targets.iter().position(|own| own == target) else { continue };
            let title = format!("{} to {name}: {}", heading(&audit.targets[*target]), verdict.name());
            line(&mut svg, (1, at), (2, place), ("others", *verdict), *target, &title);
        }
    }
    for (place, (zone, way)) in sources.iter().enumerate() {
        let name = match way {
            Way::Interface(name) => format!("{} on {name}", words.zones[*zone].name),
            Way::Pods => "pods of a node".to_owned(),
            Way::Host => "a node itself".to_owned(),
        };
        shape(&mut svg, (0, place), "source", None, &name);
    }
    for (place, target) in targets.iter().enumerate() {
        let own = &rows[target];
        let state = own.iter().filter(|row| row.zone == INTERNET).map(|row| row.widest()).max();
        let state = state.map_or("inside", Verdict::name);
        shape(&mut svg, (1, place), state, Some(*target), &heading(&audit.targets[*target]));
    }
    for (place, (name, _)) in ends.iter().enumerate() {
        shape(&mut svg, (2, place), "end", None, name);
    }
    let legend =
        "solid: open; dashed: restricted; dotted: blocked. Boxes and lines lead to the rules that decide.";
    let _ = write!(svg, "<text class=\"head\" x=\"0\" y=\"{}\">{legend}</text></svg>", height - 8);
    (svg, in_words(audit, &rows, left_out))
}

/// What is behind targets, in the order in which they name it: by name, the targets that lead there.
fn ends(audit: &Audit, targets: &[usize], words: &Words<'_>) -> Vec<(String, Vec<(usize, Verdict)>)> {
    let mut ends: Vec<(String, Vec<(usize, Verdict)>)> = Vec::new();
    for target in targets {
        for exposure in audit.exposures.iter().filter(|own| own.target == *target) {
            for end in &exposure.ends {
                let name = match (&end.end, end.to) {
                    (End::Pod { pod, .. }, _) => format!("pod {pod}"),
                    (End::Node(node), _) if end.counts => format!("node {}", words.node(*node)),
                    (End::Outside { .. }, Some((address, port))) => format!("{address} port {port}"),
                    _ => continue,
                };
                let verdict = if end.counts { Verdict::Open } else { Verdict::Blocked };
                let known = ends.iter().position(|(own, _)| *own == name);
                if known.is_none() && ends.len() == BOXES {
                    continue;
                }
                let place = known.unwrap_or_else(|| {
                    ends.push((name, Vec::new()));
                    ends.len() - 1
                });
                let own = &mut ends[place].1;
                match own.iter_mut().find(|(own, _)| own == target) {
                    Some((_, own)) => *own = (*own).max(verdict),
                    None => own.push((*target, verdict)),
                }
            }
        }
    }
    ends
}

fn step() -> usize {
    BOX.0 + BOX.1
}

fn left(column: usize) -> usize {
    WIDTHS[..column].iter().sum::<usize>() + column * GAP
}

fn top(place: usize) -> usize {
    HEAD + place * step()
}

fn line(
    svg: &mut String,
    from: (usize, usize),
    to: (usize, usize),
    (who, verdict): (&str, Verdict),
    target: usize,
    title: &str,
) {
    let (x1, y1) = (left(from.0) + WIDTHS[from.0], top(from.1) + BOX.0 / 2);
    let (x2, y2) = (left(to.0), top(to.1) + BOX.0 / 2);
    let (c1, c2) = (x1 + GAP / 2, x2 - GAP / 2);
    let _ = write!(
        svg,
        "<a href=\"#{}\" tabindex=\"-1\"><path class=\"way {who} {}\" d=\"M{x1} {y1}C{c1} {y1} {c2} {y2} {x2} {y2}\">\
         <title>{}</title></path></a>",
        anchor(target),
        verdict.name(),
        escape(title)
    );
}

fn shape(svg: &mut String, (column, place): (usize, usize), class: &str, target: Option<usize>, name: &str) {
    let (x, y) = (left(column), top(place));
    let (width, height) = (WIDTHS[column], BOX.0);
    let short: String = match name.chars().count() > LETTERS[column] {
        true => name.chars().take(LETTERS[column] - 1).chain(['…']).collect(),
        false => name.to_owned(),
    };
    let inner = format!(
        "<rect class=\"box {class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\
         <text x=\"{}\" y=\"{}\">{}</text><title>{}</title>",
        x + 10,
        y + height / 2 + 5,
        escape(&short),
        escape(name)
    );
    let _ = match target {
        Some(target) => write!(svg, "<a href=\"#{}\">{inner}</a>", anchor(target)),
        None => write!(svg, "<g>{inner}</g>"),
    };
}

fn in_words(audit: &Audit, rows: &BTreeMap<usize, Vec<&Row>>, left_out: usize) -> String {
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    for own in rows.iter().filter(|(target, _)| !audit.targets[**target].kind.is_range()).map(|(_, own)| own)
    {
        let internet = own.iter().filter(|row| row.zone == INTERNET).map(|row| row.widest()).max();
        if let Some(verdict) = internet {
            *counts.entry(verdict).or_default() += 1;
        }
    }
    let count = |verdict: Verdict| counts.get(&verdict).copied().unwrap_or_default();
    let mut text = format!(
        "What the internet may address: {} open, {} restricted and {} blocked.",
        count(Verdict::Open),
        count(Verdict::Restricted),
        count(Verdict::Blocked)
    );
    if left_out > 0 {
        let _ = write!(text, " {left_out} more are in the table only.");
    }
    text
}
