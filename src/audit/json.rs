//! The form for programs. Its schema is `docs/schema/audit.schema.json`.

use super::Audit;
use super::decisions::Decision;
use super::exposure::{Exposure, Reached};
use super::questions::Question;
use super::walk::{End, Hop, Sure};
use super::ways::Way;
use super::words::{Words, network};
use crate::diagnostic::Summary;
use crate::diagnostic::render::json::{self, Entry, Place};
use crate::ir::Family;
use crate::report::{Document as Report, Suppression};
use crate::version::CalicoVersion;
use serde::Serialize;

/// The document.
#[derive(Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    calico_version: &'static str,
    summary: Summary,
    questions: Vec<QuestionEntry<'a>>,
    zones: Vec<ZoneEntry<'a>>,
    nodes: Vec<&'a str>,
    targets: Vec<TargetEntry<'a>>,
    findings: Vec<FindingEntry<'a>>,
    diagnostics: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct QuestionEntry<'a> {
    question: &'a str,
    answers: Vec<AnswerEntry<'a>>,
}

#[derive(Serialize)]
struct AnswerEntry<'a> {
    about: &'a str,
    answer: &'static str,
    who: &'a str,
}

#[derive(Serialize)]
struct ZoneEntry<'a> {
    name: &'a str,
    networks: Vec<String>,
    without: Vec<String>,
}

#[derive(Serialize)]
struct TargetEntry<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    of: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    port_name: &'a str,
    /// absent for ranges, which are of TCP and UDP
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<String>,
    first_port: u16,
    last_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(flatten)]
    at: Option<Place<'a>>,
    exposures: Vec<ExposureEntry<'a>>,
}

#[derive(Serialize)]
struct ExposureEntry<'a> {
    zone: &'a str,
    way: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<&'a str>,
    node: &'a str,
    family: &'static str,
    verdict: &'static str,
    /// who gets there, if these are not all
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    only_at: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    by_source_port: bool,
    sure: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_ports: Option<String>,
    ends: Vec<EndEntry<'a>>,
}

#[derive(Serialize)]
struct EndEntry<'a> {
    end: &'static str,
    reached: bool,
    node: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hook: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<EndpointEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_source: Option<String>,
    hops: Vec<HopEntry<'a>>,
}

#[derive(Serialize)]
struct EndpointEntry {
    address: String,
    port: u16,
}

#[derive(Serialize)]
struct HopEntry<'a> {
    node: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    out_interface: &'a str,
    rules: Vec<RuleEntry<'a>>,
}

#[derive(Serialize)]
struct RuleEntry<'a> {
    table: &'static str,
    rule: &'a str,
    reason: &'a str,
    #[serde(flatten)]
    at: Option<Place<'a>>,
}

#[derive(Serialize)]
struct FindingEntry<'a> {
    #[serde(flatten)]
    said: Entry<'a>,
    about: String,
    because: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<SuppressedEntry<'a>>,
}

#[derive(Serialize)]
struct SuppressedEntry<'a> {
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Makes it.
pub fn document<'a>(
    audit: &'a Audit,
    version: CalicoVersion,
    questions: &'a [Question],
    words: &Words<'a>,
    report: &'a Report<'_>,
) -> Document<'a> {
    let mut targets: Vec<TargetEntry<'_>> = audit
        .targets
        .iter()
        .map(|target| TargetEntry {
            kind: target.kind.word(),
            of: &target.of,
            port_name: &target.port_name,
            protocol: (target.protocol != 0).then(|| crate::trace::words::protocol(target.protocol.into())),
            first_port: target.ports.0,
            last_port: target.ports.1,
            address: target.address.map(|address| address.to_string()),
            at: target.at.map(|at| Place::new(at, report.sources)),
            exposures: Vec::new(),
        })
        .collect();
    for own in &audit.exposures {
        targets[own.target].exposures.push(exposure(own, words, report));
    }
    Document {
        schema: "netpolc.audit/1",
        calico_version: version.name(),
        summary: Summary::of(report.open().map(|finding| &finding.said)),
        questions: questions.iter().map(question).collect(),
        zones: audit
            .zones
            .iter()
            .map(|zone| ZoneEntry {
                name: &zone.name,
                networks: zone.nets.iter().map(network).collect(),
                without: zone.without.iter().map(network).collect(),
            })
            .collect(),
        nodes: audit.entered.clone().map(|node| words.node(node)).collect(),
        targets,
        findings: report.findings.iter().map(|one| finding(one, report)).collect(),
        diagnostics: json::entries(&report.messages, report.sources),
    }
}

fn question(question: &Question) -> QuestionEntry<'_> {
    QuestionEntry { question: &question.question, answers: question.answers.iter().map(answer).collect() }
}

fn answer(answer: &super::questions::Answer) -> AnswerEntry<'_> {
    AnswerEntry { about: &answer.about, answer: answer.answer, who: &answer.more }
}

fn finding<'a>(finding: &'a crate::report::Finding, report: &'a Report<'_>) -> FindingEntry<'a> {
    let because = finding.facts.iter().filter(|(label, _)| *label == "because");
    FindingEntry {
        said: Entry::new(&finding.said, report.sources),
        about: report.subject(finding).map(crate::report::Subject::title).unwrap_or_default(),
        because: because.map(|(_, reason)| &**reason).collect(),
        fix: finding.fix.as_ref().map(|fix| &*fix.text),
        suppressed: finding.suppressed.as_ref().map(|why| SuppressedEntry {
            by: why.by(),
            reason: match why {
                Suppression::Accepted { reason, .. } => Some(reason),
                Suppression::Known => None,
            },
        }),
    }
}

fn exposure<'a>(own: &'a Exposure, words: &Words<'a>, report: &'a Report<'_>) -> ExposureEntry<'a> {
    let restricted = own.verdict == super::exposure::Verdict::Restricted;
    ExposureEntry {
        zone: &words.zones[own.zone].name,
        way: match own.way {
            Way::Interface(_) => "interface",
            Way::Pods => "pods",
            Way::Host => "host",
        },
        interface: match &own.way {
            Way::Interface(name) => Some(name),
            Way::Pods | Way::Host => None,
        },
        node: words.node(own.node),
        family: match own.family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        },
        verdict: own.verdict.name(),
        sources: restricted.then(|| own.sources.iter().map(network).collect()),
        only_at: own.at.iter().map(ToString::to_string).collect(),
        by_source_port: own.by_source_port,
        sure: match own.sure {
            Sure::Yes => "yes",
            Sure::Limited => "limited",
            Sure::Perhaps => "perhaps",
        },
        open_ports: (!own.open.0.is_empty()).then(|| words.boxes(&own.open, own.family)),
        // of ranges the ports are told, not every way to each of them
        ends: match own.open.0.is_empty() {
            true => own.ends.iter().map(|own| end(own, words, report)).collect(),
            false => Vec::new(),
        },
    }
}

fn end<'a>(own: &'a Reached, words: &Words<'a>, report: &'a Report<'_>) -> EndEntry<'a> {
    let (word, node, pod, interface, hook) = match &own.end {
        End::Pod { node, pod } => ("pod", *node, Some(&**pod), None, None),
        End::Node(node) => ("node", *node, None, None, None),
        End::Outside { node, device } => ("outside", *node, None, Some(&**device), None),
        End::Blocked { node, hook, told: true } => ("rejected", *node, None, None, Some(hook.name())),
        End::Blocked { node, hook, told: false } => ("dropped", *node, None, None, Some(hook.name())),
        End::NoRoute(node) => ("no_route", *node, None, None, None),
        End::Lost(node) => ("lost", *node, None, None, None),
    };
    EndEntry {
        end: word,
        reached: own.counts,
        node: words.node(node),
        pod,
        interface,
        hook,
        endpoint: own.to.map(|(address, port)| EndpointEntry { address: address.to_string(), port }),
        sources: own.sources.as_ref().map(|nets| nets.iter().map(network).collect()),
        new_source: own.new_source.map(|address| address.to_string()),
        hops: own.hops.iter().map(|own| hop(own, words, report)).collect(),
    }
}

fn hop<'a>(own: &'a Hop, words: &Words<'a>, report: &'a Report<'_>) -> HopEntry<'a> {
    let rule = |one: &'a std::sync::Arc<Decision>| RuleEntry {
        table: one.table.name(),
        rule: &one.rule,
        reason: &one.reason,
        at: one.at.map(|at| Place::new(at, report.sources)),
    };
    HopEntry {
        node: words.node(own.node),
        tunnel: own.by.map(crate::trace::tunnel::Tunnel::name),
        out_interface: &own.out,
        rules: own.rules.iter().map(rule).collect(),
    }
}
