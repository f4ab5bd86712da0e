//! Answers → text for people and JSON.

use super::query::{Answer, Class, Packets, Query, Side, Step};
use super::words;
use crate::diagnostic::FileId;
use crate::diagnostic::render::printable;
use crate::emit::origin;
use crate::emit::{saved_match, saved_rule};
use crate::ir::{Family, Rule, TableName};
use crate::kernel::symbolic::{Doubt, Fate};
use crate::kube_proxy::Kind;
use crate::space::Field;
use crate::version::Found;
use serde::Serialize;
use std::fmt::Write;

/// Addresses and ports that are named before they are only counted.
const CHOSEN: usize = 6;

/// Gives the name of a file.
type Names<'n> = &'n dyn Fn(FileId) -> String;

/// The answers of one node after the other.
pub struct Report<'n> {
    names: Names<'n>,
    text: String,
    nodes: Vec<NodeEntry>,
    /// what was said already
    seen: Vec<String>,
    /// the version of Calico, if the rules were made for one
    version: Option<&'static str>,
}

impl<'n> Report<'n> {
    /// Nothing yet.
    pub fn new(names: Names<'n>) -> Self {
        Report { names, text: String::new(), nodes: Vec::new(), seen: Vec::new(), version: None }
    }

    /// Says for which version of Calico the rules were made.
    pub fn under(&mut self, version: &Found) {
        let _ = writeln!(self.text, "\n{}", version.phrase());
        self.version = Some(version.version.name());
    }

    /// Adds the answers of a node, unless the same was said before.
    pub fn add(&mut self, node: &str, query: &Query, answers: &[Answer<'_>]) {
        let mut text = String::new();
        for answer in answers.iter().filter(|answer| !answer.classes.is_empty() || answers.len() == 1) {
            if !(text.is_empty() && self.text.is_empty()) {
                text.push('\n');
            }
            one(&mut text, node, query, answer, self.names);
        }
        if self.seen.contains(&text) {
            return;
        }
        self.text.push_str(&text);
        self.seen.push(text);
        self.nodes.push(NodeEntry {
            node: node.to_owned(),
            from: query.from.name.clone(),
            to: query.to.name.clone(),
            answers: answers.iter().map(|answer| answer_entry(answer, query, self.names)).collect(),
            notes: Vec::new(),
        });
    }

    /// Adds something that holds for the answers before it.
    pub fn note(&mut self, note: String) {
        let Some(node) = self.nodes.last_mut().filter(|node| !node.notes.contains(&note)) else { return };
        let _ = writeln!(self.text, "\nnote: {}", printable(&note));
        node.notes.push(note);
    }

    /// The form for people: the fate of each class first, then the rule that decided, then the way there.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The form for programs. Its schema is `docs/schema/trace.schema.json`.
    pub fn document(&self) -> Document<'_> {
        Document { schema: "netpolc.trace/1", calico_version: self.version, nodes: &self.nodes }
    }
}

fn one(out: &mut String, node: &str, query: &Query, answer: &Answer<'_>, names: Names<'_>) {
    let _ = writeln!(out, "{}", printable(&heading(node, query, answer)));
    if answer.classes.is_empty() {
        let _ = writeln!(out, "\nno packet: nothing from there can come in on any interface of this node");
    }
    for class in &answer.classes {
        let _ = writeln!(out, "\n{}", printable(&fate(class)));
        if let Some(step) = class.deciding() {
            let _ = writeln!(out, "  {:<8} {}", "because", reason(step, names));
            let rule = saved_rule(step.chain, step.rule, answer.family);
            let _ = writeln!(out, "  {:<8} {}: {}", "rule", step.table.name(), printable(&rule));
        }
        let _ = writeln!(out, "  {:<8} {}", "packets", packets(class, query, answer.family));
        if let Some((service, backends)) = &class.service {
            let backends: Vec<String> =
                backends.iter().map(|(address, port)| format!("{address} port {port}")).collect();
            let dropped = matches!(class.fate, Fate::Dropped(_) | Fate::Rejected(_));
            let to = match &*backends {
                [] if dropped => String::new(),
                // a rule before kube-proxy's own in the filter table has let them through
                [] => ", which does not send them on: it has no endpoint for them on this node".to_owned(),
                backends => format!(", to {}", backends.join(" or ")),
            };
            let stays = match service.client_affinity && backends.len() > 1 {
                true => "; later connections of a client go where its first went (sessionAffinity)",
                false => "",
            };
            let kind = service.takes.map_or("", Kind::name);
            let what = format!("{kind} of {}{to}{stays}", service.service);
            let _ = writeln!(out, "  {:<8} {}", "service", printable(&what));
        }
        if let Some(source) = new_source(class, answer.family) {
            let by = class.steps.iter().rfind(|step| step.rewrites_source());
            let by = by.map(|step| format!(" by nat: {}", saved_rule(step.chain, step.rule, answer.family)));
            let _ = writeln!(out, "  {:<8} {source}{}", "source", printable(&by.unwrap_or_default()));
        }
        for step in class.steps.iter().filter(|step| step.translates()) {
            let rule = saved_rule(step.chain, step.rule, answer.family);
            let _ = writeln!(out, "  {:<8} {}", "nat", printable(&rule));
        }
        if !class.chosen.is_empty() {
            let chosen: Vec<String> =
                class.chosen.iter().map(|own| words::chosen(own, answer.family)).collect();
            let _ = writeln!(out, "  {:<8} {}", "if to", list(&chosen));
        }
        for side in &class.limits {
            let decides = class.deciding() == Some(&side.step);
            let _ = writeln!(out, "  {:<8} {}", "limit", printable(&limit(side, decides, answer.family)));
        }
        let deciding = class.deciding();
        let others = class.steps.iter().filter(|step| step.is_of_object() && step.table != TableName::Nat);
        for step in others.filter(|step| Some(*step) != deciding) {
            let before = format!("{} {}: {}", step.table.name(), step.chain.name, reason(step, names));
            let _ = writeln!(out, "  {:<8} {before}", "before");
        }
    }
}

fn heading(node: &str, query: &Query, answer: &Answer<'_>) -> String {
    let family = answer.family.name();
    let through = match &*answer.interfaces {
        [] => "sent by the node".to_owned(),
        interfaces => format!("in on {}", interfaces.join(", ")),
    };
    let protocol = query.protocol.map_or(String::new(), |number| match words::protocol(number.into()) {
        name if name.starts_with(|first: char| first.is_ascii_digit()) => format!(", protocol {name}"),
        name => format!(", {name}"),
    });
    let ports: Vec<String> = query.ports.iter().map(u16::to_string).collect();
    let ports = if ports.is_empty() { String::new() } else { format!(" port {}", ports.join(", ")) };
    format!(
        "{family} from {} to {}{protocol}{ports}, at node {node}, {through}",
        query.from.name, query.to.name
    )
}

/// One line.
fn fate(class: &Class<'_>) -> String {
    let limit = match &*class.limits {
        [] => "",
        limits if limits.iter().all(|limit| limit.within) => ", up to a limit",
        _ => ", beyond a limit",
    };
    let fate = certain(class, limit);
    match class.doubt {
        Doubt::None | Doubt::Endpoint => fate,
        Doubt::Chance => format!("{fate}, by chance: other answers are about the same packets"),
        Doubt::Connection => format!(
            "perhaps {fate}: the connection's mark decides, and other answers are about the same packets"
        ),
        Doubt::Target => format!("perhaps {fate}: what a target on the way does is not understood"),
        Doubt::Unknown => format!(
            "perhaps {fate}: a rule on the way is not understood, and other answers are about the same packets"
        ),
    }
}

fn certain(class: &Class<'_>, limit: &str) -> String {
    in_words(class.fate, &class.out_interface, limit)
}

/// A fate, with the interface that packets leave on, if they do.
pub fn in_words(fate: Fate, out_interface: &str, limit: &str) -> String {
    match fate {
        Fate::Delivered => format!("accepted{limit}: delivered to the node itself"),
        Fate::Forwarded(_) => format!("accepted{limit}: forwarded to {out_interface}"),
        Fate::Sent(_) => format!("accepted{limit}: sent on {out_interface}"),
        Fate::Dropped(hook) => format!("dropped in {}{limit}", hook.name()),
        Fate::Rejected(hook) => format!("rejected in {}{limit}", hook.name()),
        Fate::Unroutable => format!("no route{limit}"),
    }
}

/// On which sides of its limits a rule is, and which rule it is unless that stands there already:
/// `up to -m limit --limit 3/min, in filter: -A …`.
fn limit(side: &Side<'_>, decides: bool, family: Family) -> String {
    let Side { step, applies, .. } = side;
    let sides = sides(step.rule, *applies, family);
    if decides {
        return sides;
    }
    format!("{sides}, in {}: {}", step.table.name(), saved_rule(step.chain, step.rule, family))
}

/// The limits of a rule, and the sides of them on which it applies, or does not.
fn sides(rule: &Rule, applies: bool, family: Family) -> String {
    let limits = rule.matches.iter().filter_map(|one| {
        let within = one.on.holds_within_limit()? != one.negated;
        let word = if within == applies { "up to" } else { "beyond" };
        Some(format!("{word}{}", saved_match(one, family)))
    });
    let limits: Vec<String> = limits.collect();
    limits.join(if applies { " and " } else { " or " })
}

/// The first of a list that may be long.
fn list(all: &[String]) -> String {
    let shown = all[..all.len().min(CHOSEN)].join(" or ");
    match all.len().saturating_sub(CHOSEN) {
        0 => shown,
        more => format!("{shown}, or {more} others"),
    }
}

fn reason(step: &Step<'_>, names: Names<'_>) -> String {
    let phrase = step.reason();
    match step.rule.origin.at().filter(|at| at.line > 0) {
        Some(at) => {
            format!("{}, {}:{}:{}", printable(&phrase), printable(&names(at.file)), at.line, at.column)
        }
        None => printable(&phrase).into_owned(),
    }
}

/// The source that packets of a class have when they leave, if it is not their own.
fn new_source(class: &Class<'_>, family: Family) -> Option<String> {
    let leaves = matches!(class.fate, Fate::Forwarded(_) | Fate::Sent(_) | Fate::Delivered);
    class.new_source.filter(|_| leaves).map(|source| words::address(source, family))
}

/// What the packets of a class have beyond what was asked for.
fn packets(class: &Class<'_>, query: &Query, family: Family) -> String {
    let asked = |field: Field| match field {
        Field::Source => query.from.ranges(family),
        Field::Destination => query.to.ranges(family),
        Field::Protocol => query.protocol.map(|number| (number.into(), number.into())).into_iter().collect(),
        Field::DestinationPort => query.ports.iter().map(|port| ((*port).into(), (*port).into())).collect(),
        _ => Vec::new(),
    };
    let (before, cubes, more) = match &class.packets {
        Packets::All => return "all".to_owned(),
        Packets::These(cubes, more) => ("", cubes, *more),
        Packets::AllBut(cubes) => ("all but ", cubes, false),
    };
    let mut texts: Vec<String> = cubes.iter().map(|cube| words::cube(cube, family, &asked)).collect();
    texts.dedup();
    let more = if more { "; and more" } else { "" };
    format!("{before}{}{more}", texts.join("; "))
}

/// The document: the nodes in the order in which packets pass them.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    calico_version: Option<&'static str>,
    nodes: &'a [NodeEntry],
}

#[derive(Debug, Serialize)]
struct NodeEntry {
    node: String,
    from: String,
    to: String,
    answers: Vec<AnswerEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct AnswerEntry {
    family: &'static str,
    interfaces: Vec<String>,
    classes: Vec<ClassEntry>,
}

#[derive(Debug, Serialize)]
struct ClassEntry {
    fate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hook: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    out_interface: String,
    limited: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<LimitEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doubt: Option<&'static str>,
    packets: String,
    sample: Sample,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<ServiceEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chosen: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_source: Option<String>,
    rules: Vec<RuleEntry>,
}

#[derive(Debug, Serialize)]
struct LimitEntry {
    side: &'static str,
    limit: String,
    rule: RuleEntry,
}

#[derive(Debug, Serialize)]
struct Sample {
    source: String,
    destination: String,
    protocol: u128,
    source_port: u128,
    destination_port: u128,
}

#[derive(Debug, Serialize)]
struct ServiceEntry {
    name: String,
    kind: &'static str,
    client_affinity: bool,
    backends: Vec<BackendEntry>,
}

#[derive(Debug, Serialize)]
struct BackendEntry {
    address: String,
    port: u16,
}

#[derive(Debug, Serialize)]
struct RuleEntry {
    table: &'static str,
    chain: String,
    rule: String,
    origin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
}

fn answer_entry(answer: &Answer<'_>, query: &Query, names: Names<'_>) -> AnswerEntry {
    AnswerEntry {
        family: match answer.family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        },
        interfaces: answer.interfaces.clone(),
        classes: answer.classes.iter().map(|class| class_entry(class, query, answer.family, names)).collect(),
    }
}

fn class_entry(class: &Class<'_>, query: &Query, family: Family, names: Names<'_>) -> ClassEntry {
    let value = |field: Field| class.sample[field as usize];
    ClassEntry {
        fate: match class.fate {
            Fate::Delivered => "delivered",
            Fate::Forwarded(_) => "forwarded",
            Fate::Sent(_) => "sent",
            Fate::Dropped(_) => "dropped",
            Fate::Rejected(_) => "rejected",
            Fate::Unroutable => "unroutable",
        },
        hook: class.hook().map(crate::kernel::Hook::name),
        out_interface: class.out_interface.clone(),
        limited: !class.limits.is_empty(),
        limits: class
            .limits
            .iter()
            .map(|side| LimitEntry {
                side: if side.within { "within" } else { "beyond" },
                limit: sides(side.step.rule, side.applies, family),
                rule: rule_entry(&side.step, family, names),
            })
            .collect(),
        doubt: match class.doubt {
            Doubt::None | Doubt::Endpoint => None,
            Doubt::Chance => Some("chance"),
            Doubt::Connection => Some("connection_mark"),
            Doubt::Unknown => Some("unknown"),
            Doubt::Target => Some("target"),
        },
        packets: packets(class, query, family),
        sample: Sample {
            source: words::address(value(Field::Source), family),
            destination: words::address(value(Field::Destination), family),
            protocol: value(Field::Protocol),
            source_port: value(Field::SourcePort),
            destination_port: value(Field::DestinationPort),
        },
        new_source: new_source(class, family),
        service: class.service.as_ref().map(|(service, backends)| ServiceEntry {
            name: service.service.to_string(),
            kind: service.takes.map_or("", Kind::name),
            client_affinity: service.client_affinity,
            backends: backends
                .iter()
                .map(|(address, port)| BackendEntry { address: address.to_string(), port: *port })
                .collect(),
        }),
        chosen: class.chosen.iter().map(|own| words::chosen(own, family)).collect(),
        rules: class.steps.iter().map(|step| rule_entry(step, family, names)).collect(),
    }
}

fn rule_entry(step: &Step<'_>, family: Family, names: Names<'_>) -> RuleEntry {
    let at = step.rule.origin.at().filter(|at| at.line > 0);
    RuleEntry {
        table: step.table.name(),
        chain: step.chain.name.to_string(),
        rule: saved_rule(step.chain, step.rule, family),
        origin: origin::phrase(&step.rule.origin),
        file: at.map(|at| names(at.file)),
        line: at.map(|at| at.line),
        column: at.map(|at| at.column),
    }
}
