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
/// The label of the rule that decides; on a terminal, the line before says what it is.
const BY_RULE: &str = "by rule";

/// The answer first, then packets, objects and rules; one line where nothing differs.
pub fn text(difference: &Difference, sources: &dyn SourceLines) -> String {
    let mut out = format!("{}\n", printable(&difference.sentence()));
    if !difference.changes.is_empty() {
        out.push_str("\npackets\n");
        difference.changes.iter().for_each(|change| one(&mut out, change, sources));
    }
    for (title, objects) in objects(difference) {
        let _ = write!(out, "\n{title}\n");
        objects.into_iter().for_each(|change| listed(&mut out, object(change, sources)));
    }
    for (nodes, rules) in rules(difference) {
        let _ = write!(out, "\nrules of {}\n", printable(&counted("node", nodes)));
        rules.into_iter().map(rule).for_each(|(heading, lines)| listed(&mut out, (heading, shown(lines))));
    }
    if let Some((names, rows)) = versions(difference) {
        let _ = write!(out, "\nCalico {}\n", names.join(" and "));
        for (question, answers) in rows {
            let _ = writeln!(out, "  {question}");
            for (name, answer) in names.iter().zip(answers) {
                let _ = writeln!(out, "    {name:<8} {answer}");
            }
        }
    }
    out
}

fn listed(out: &mut String, (heading, lines): (String, Vec<String>)) {
    let _ = writeln!(out, "  {}", printable(&heading));
    for line in lines {
        let _ = writeln!(out, "    {}", printable(&line));
    }
}

/// Objects that differ, under their titles: policies first.
pub fn objects(difference: &Difference) -> impl Iterator<Item = (&'static str, Vec<&ObjectChange>)> {
    let (policies, others) = difference.objects.iter().partition(|object| object.is_policy());
    let titled: [(_, Vec<&ObjectChange>); 2] = [("policies", policies), ("other objects", others)];
    titled.into_iter().filter(|(_, objects)| !objects.is_empty())
}

/// Chains and sets that differ, by the nodes that have them.
pub fn rules(difference: &Difference) -> impl Iterator<Item = (&[String], Vec<&RuleChange>)> {
    let mut by_nodes: indexmap::IndexMap<&[String], Vec<&RuleChange>> = indexmap::IndexMap::new();
    for rule in &difference.rules {
        by_nodes.entry(&rule.nodes).or_default().push(rule);
    }
    by_nodes.into_iter()
}

/// Lines as many as are shown.
pub fn shown(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines
}

/// A question about Calico, and the answers of two versions.
type Asked = (String, [&'static str; 2]);

/// Of an upgrade, both versions of Calico, and questions that they answer otherwise.
pub fn versions(difference: &Difference) -> Option<([&'static str; 2], Vec<Asked>)> {
    let versions = difference.versions.filter(|[old, new]| old != new)?;
    let rows = difference.facts.iter().map(|row| {
        let question: Vec<&str> = row.question.iter().map(|line| line.trim()).collect();
        let question = question.join(" ").trim_end_matches('.').to_owned();
        (question, versions.map(|version| row.words(version)))
    });
    Some((versions.map(|version| version.name()), rows.collect()))
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
    for (label, text) in facts(change, sources) {
        let label = if label == BY_RULE { "" } else { label };
        let _ = writeln!(out, "    {label:<8} {}", printable(&text));
    }
}

/// What is told of a change: the witness, and what becomes of it before and now.
pub fn facts(change: &Change, sources: &dyn SourceLines) -> Vec<(&'static str, String)> {
    let Witness { before, after, .. } = &change.witness;
    let mut facts = vec![("packet", packet(&change.witness))];
    for (label, answer) in [("before", before), ("now", after)] {
        facts.push((label, told(answer, sources)));
        if let Some(rule) = &answer.rule {
            facts.push((BY_RULE, format!("{}: {}", rule.table.name(), rule.text)));
        }
    }
    if let Some(rule) = change.opened_by() {
        let at = rule.at.map(|at| format!(", {}", place(at, sources))).unwrap_or_default();
        facts.push(("newly", format!("let through because of {}{at}", rule.reason)));
        facts.push((BY_RULE, format!("{}: {}", rule.table.name(), rule.text)));
    }
    for policy in &change.selected {
        facts.push(("selected", format!("by {}, {}", policy.name, place(policy.at, sources))));
    }
    facts
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

/// An object that differs: what became of it, and of its fields.
pub fn object(change: &ObjectChange, sources: &dyn SourceLines) -> (String, Vec<String>) {
    let word = match &change.what {
        What::Added => "added".to_owned(),
        What::Removed => "removed".to_owned(),
        What::Renamed(old) => format!("renamed from `{old}`"),
        What::Reordered => "reordered".to_owned(),
        What::Changed(_) => "changed".to_owned(),
    };
    let fields = if let What::Changed(fields) = &change.what { fields.clone() } else { Vec::new() };
    (format!("{} {word}, {}", change.called(), place(change.at, sources)), fields)
}

/// A chain or a set that differs: what became of it, and of its lines.
pub fn rule(change: &RuleChange) -> (String, Vec<String>) {
    let families: Vec<String> = change.families.iter().map(|family| family.name().to_owned()).collect();
    let (kind, families) = match change.table {
        Some(table) => (format!("{} chain", table.name()), format!(", {}", list(&families))),
        None => ("set".to_owned(), String::new()),
    };
    let was = change.was.as_ref().map(|was| format!(" from {was}")).unwrap_or_default();
    let meaning = change.meaning.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
    let heading = format!("{} {}{was}{meaning}{families}", counted(&kind, &change.names), change.fate.name());
    let lines = if change.fate == Fate::Renamed { Vec::new() } else { change.lines.clone() };
    (heading, lines)
}
