//! Differences, in the form for people.

use super::objects::{ObjectChange, What};
use super::rules::{Fate, RuleChange};
use super::words::{counted, list};
use super::{Answer, Change, Difference, Witness, sentence};
use crate::diagnostic::Location;
use crate::diagnostic::render::{SourceLines, printable};
use crate::ir::Family;
use crate::space::Field;
use crate::trace::words;
use std::fmt::Write;

/// Lines of one chain or set that are shown, at most.
const LINES: usize = 40;

/// The answer first, then packets, objects and rules; one line where nothing differs.
pub fn text(difference: &Difference, sources: &dyn SourceLines) -> String {
    let mut out = format!("{}\n", printable(&difference.sentence()));
    if difference.is_empty() {
        versions(&mut out, difference);
        return out;
    }
    if !difference.changes.is_empty() {
        out.push_str("\npackets\n");
        difference.changes.iter().for_each(|change| one(&mut out, change, sources));
    }
    let (policies, others): (Vec<&ObjectChange>, Vec<&ObjectChange>) =
        difference.objects.iter().partition(|object| object.is_policy());
    for (title, objects) in [("policies", policies), ("other objects", others)] {
        if !objects.is_empty() {
            let _ = write!(out, "\n{title}\n");
            objects.into_iter().for_each(|change| object(&mut out, change, sources));
        }
    }
    let mut nodes: Vec<&[String]> = Vec::new();
    for rule in &difference.rules {
        if !nodes.contains(&&*rule.nodes) {
            nodes.push(&rule.nodes);
        }
    }
    for own in nodes {
        let _ = write!(out, "\nrules of {}\n", printable(&counted("node", own)));
        difference.rules.iter().filter(|rule| rule.nodes == own).for_each(|change| rule(&mut out, change));
    }
    versions(&mut out, difference);
    out
}

/// Of an upgrade, what holds in one version of Calico and not in the other.
fn versions(out: &mut String, difference: &Difference) {
    let Some([old, new]) = difference.versions.filter(|[old, new]| old != new) else { return };
    let _ = write!(out, "\nCalico {} and {}\n", old.name(), new.name());
    for row in &difference.facts {
        let question: Vec<&str> = row.question.iter().map(|line| line.trim()).collect();
        let _ = writeln!(out, "  {}", question.join(" ").trim_end_matches('.'));
        for version in [old, new] {
            let _ = writeln!(out, "    {:<8} {}", version.name(), row.words(version));
        }
    }
}

fn place(at: Location, sources: &dyn SourceLines) -> String {
    format!("{}:{}:{}", sources.name(at.file), at.line, at.column)
}

fn one(out: &mut String, change: &Change, sources: &dyn SourceLines) {
    let families = match &*change.families {
        [one] => one.name(),
        _ => "IPv4 and IPv6",
    };
    let _ = writeln!(out, "  {}, {families}: {}", change.kind.name(), printable(&sentence::change(change)));
    let Witness { before, after, .. } = &change.witness;
    let mut fact = |label: &str, text: &str| {
        let _ = writeln!(out, "    {label:<8} {}", printable(text));
    };
    fact("packet", &packet(&change.witness));
    for (label, rule_label, answer) in [("before", "", before), ("now", "", after)] {
        fact(label, &told(answer, sources));
        if let Some(rule) = &answer.rule {
            fact(rule_label, &format!("{}: {}", rule.table.name(), rule.text));
        }
    }
    for policy in &change.selected {
        fact("selected", &format!("by {}, {}", policy.name, place(policy.at, sources)));
    }
}

fn told(answer: &Answer, sources: &dyn SourceLines) -> String {
    let Some(rule) = &answer.rule else { return answer.fate.clone() };
    let at = rule.at.map(|at| format!(", {}", place(at, sources))).unwrap_or_default();
    format!("{}, because of {}{at}", answer.fate, rule.reason)
}

/// `tcp from 10.0.0.1 port 40000 to 10.0.0.2 port 80, in on eth0 at node n`
pub fn packet(witness: &Witness) -> String {
    let value = |field: Field| witness.packet[field as usize];
    let address = |field: Field| words::address(value(field), witness.family);
    let number = value(Field::Protocol);
    let icmp = number == if witness.family == Family::V4 { 1 } else { 58 };
    let ports = matches!(number, 6 | 17 | 33 | 132 | 136);
    let port = |field: Field| if ports { format!(" port {}", value(field)) } else { String::new() };
    let kind = match icmp {
        true => format!(" type {} code {}", value(Field::SourcePort), value(Field::DestinationPort)),
        false => String::new(),
    };
    let way = match &*witness.in_interface {
        "" => format!("sent by node {}", witness.node),
        name => format!("in on {name} at node {}", witness.node),
    };
    format!(
        "{}{kind} from {}{} to {}{}, {way}",
        words::protocol(number),
        address(Field::Source),
        port(Field::SourcePort),
        address(Field::Destination),
        port(Field::DestinationPort),
    )
}

fn object(out: &mut String, change: &ObjectChange, sources: &dyn SourceLines) {
    let word = match &change.what {
        What::Added => "added".to_owned(),
        What::Removed => "removed".to_owned(),
        What::Renamed(old) => format!("renamed from `{old}`"),
        What::Reordered => "reordered".to_owned(),
        What::Changed(_) => "changed".to_owned(),
    };
    let _ = writeln!(
        out,
        "  {} {}, {}",
        printable(&change.called()),
        printable(&word),
        printable(&place(change.at, sources))
    );
    if let What::Changed(fields) = &change.what {
        for field in fields {
            let _ = writeln!(out, "    {}", printable(field));
        }
    }
}

fn rule(out: &mut String, change: &RuleChange) {
    let families: Vec<String> = change.families.iter().map(|family| family.name().to_owned()).collect();
    let (kind, families) = match change.table {
        Some(table) => (format!("{} chain", table.name()), format!(", {}", list(&families))),
        None => ("set".to_owned(), String::new()),
    };
    let was = change.was.as_ref().map(|was| format!(" from {was}")).unwrap_or_default();
    let meaning = change.meaning.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
    let heading = format!("{} {}{was}{meaning}{families}", counted(&kind, &change.names), change.fate.name());
    let _ = writeln!(out, "  {}", printable(&heading));
    if change.fate == Fate::Renamed {
        return;
    }
    for line in change.lines.iter().take(LINES) {
        let _ = writeln!(out, "    {}", printable(line));
    }
    if change.lines.len() > LINES {
        let _ = writeln!(out, "    and {} more", change.lines.len() - LINES);
    }
}
