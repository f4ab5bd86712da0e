//! Findings, questions and tables → a document for reports.

use super::Audit;
use super::findings::{Because, Found};
use super::questions::Question;
use super::text::{cell, columns, heading};
use super::ways::Way;
use super::why;
use super::words::{Words, list};
use crate::diagnostic::render::SourceLines;
use crate::diagnostic::{Summary, compare};
use crate::model::Acceptance;
use crate::report::{Block, Document, Finding, Section, Subject, accept, fingerprint};
use crate::resolve::Cluster;
use crate::version::Found as Version;
use ipnet::IpNet;

/// Puts everything into a document; the verdict and the last lines are for [`conclude`].
pub fn document<'a>(
    audit: &Audit,
    cluster: &Cluster<'_>,
    acceptances: &[Acceptance],
    words: &Words<'_>,
    sources: &'a dyn SourceLines,
) -> Document<'a> {
    let pools: Vec<IpNet> = cluster.resources().pools.iter().map(|pool| pool.cidr.value).collect();
    let mut subjects: Vec<Subject> = Vec::new();
    let mut findings: Vec<Finding> = Vec::new();
    for found in &audit.found {
        let subject = subject(audit, found, cluster);
        let place = subjects.iter().position(|own| own.identity == subject.identity).unwrap_or_else(|| {
            subjects.push(subject);
            subjects.len() - 1
        });
        let mut finding = Finding::new(found.said.clone(), Some(place));
        let reasons = found.because.iter().flat_map(|one| reasons(audit, one, &pools, words));
        finding.facts.extend(reasons.map(|reason| ("because", reason)));
        if let Some(close) = &found.close {
            let nodes: Vec<String> = close.nodes.iter().map(|node| words.node(*node).to_owned()).collect();
            finding.facts.push(("nodes", list(&nodes)));
        }
        finding.fix = found.fix.clone();
        findings.push(finding);
    }
    let idle = accept::apply(acceptances, &mut findings, &subjects, false);
    findings.extend(idle);
    findings.sort_by(|a, b| b.said.severity.cmp(&a.said.severity).then_with(|| compare(&a.said, &b.said)));
    fingerprint::assign(&mut findings, &subjects, sources);
    Document { subjects, findings, ..Document::new("audit", sources) }
}

/// Says what it comes to, and adds what there is to read.
pub fn conclude(
    document: &mut Document<'_>,
    audit: &Audit,
    questions: &[Question],
    words: &Words<'_>,
    version: &Version,
) {
    let summary = Summary::of(document.open().map(|finding| &finding.said));
    let counts = counts(audit, version);
    document.verdict = match summary.is_empty() {
        true => format!("Nothing to report; {counts}."),
        false => format!("Found {summary}; {counts}."),
    };
    document.closing = vec![counts, summary.to_string()];
    if !audit.rows.is_empty() {
        let (svg, words) = super::picture::picture(audit, words);
        let blocks = vec![Block::Picture { svg, words }];
        document.sections.push(Section { title: "The cluster".to_owned(), blocks });
    }
    for question in questions {
        let mut title = question.question.clone();
        title[..1].make_ascii_uppercase();
        let row = |one: &super::questions::Answer| {
            vec![format!("`{}`", one.about), one.answer.to_owned(), one.more.clone()]
        };
        let head = ["what", "answer", "who gets in"].map(str::to_owned).into();
        let rows: Vec<Vec<String>> = question.answers.iter().map(row).collect();
        let block = match rows.is_empty() {
            true => Block::Text("There is none.".to_owned()),
            false => Block::Table { head, rows },
        };
        document.sections.push(Section { title, blocks: vec![block] });
    }
    if !audit.rows.is_empty() {
        document.sections.push(table(audit, words));
        document.sections.push(ways(audit, words));
    }
}

/// Every way to every target, with the rules that decide: what the picture leads to.
fn ways(audit: &Audit, words: &Words<'_>) -> Section {
    let mut blocks = Vec::new();
    for (number, target) in audit.targets.iter().enumerate() {
        let rows = super::text::told(audit, number, target, words);
        if rows.is_empty() {
            continue;
        }
        let place =
            target.at.map(|at| format!("Written in {}:{}:{}.", (words.files)(at.file), at.line, at.column));
        let mut own: Vec<Block> = place.map(Block::Text).into_iter().collect();
        own.extend(rows.into_iter().enumerate().map(|(place, (who, nodes, text))| {
            let mut lines = text.lines().map(str::to_owned);
            let title = format!("{who} at {nodes}: {}", lines.next().unwrap_or_default());
            let id = format!("{}-{place}", super::picture::anchor(number));
            // where there is nothing more to say than the verdict, there is nothing to fold
            match lines.next() {
                None => Block::Text(title),
                Some(first) => {
                    let lines = std::iter::once(first).chain(lines).collect();
                    Block::Folded { id, title, blocks: vec![Block::Lines(lines)] }
                }
            }
        }));
        blocks.push(Block::Folded {
            id: super::picture::anchor(number),
            title: format!("`{}`", heading(target)),
            blocks: own,
        });
    }
    Section { title: "Every way, down to the rule".to_owned(), blocks }
}

/// `14 things that can be reached, on 2 nodes, under Calico v3.32.1`
fn counts(audit: &Audit, version: &Version) -> String {
    let reachable = audit.targets.iter().filter(|target| !target.kind.is_range()).count();
    let nodes = audit.entered.len();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!(
        "{reachable} address{} and port{} looked at, on {nodes} node{}, {}",
        if reachable == 1 { "" } else { "es" },
        plural(reachable),
        plural(nodes),
        version.phrase()
    )
}

fn subject(audit: &Audit, found: &Found, cluster: &Cluster<'_>) -> Subject {
    let (kind, name) = &found.subject;
    let group = match *kind {
        "HostEndpoint" => "projectcalico.org",
        _ => "",
    };
    // an object of the manifests is where it begins; a port stands within it
    let services = &cluster.resources().services;
    let of_name = |meta: &crate::model::meta::Meta| *format!("{}/{}", meta.namespace, meta.name) == *name;
    let at = match *kind {
        "Service" => services.iter().find(|own| of_name(&own.meta)).map(|own| own.meta.at),
        _ => found.said.at,
    };
    let reached = audit.targets.iter().filter(|target| *target.of == **name).count();
    let state = match reached {
        0 => String::new(),
        1 => "1 address and port".to_owned(),
        count => format!("{count} addresses and ports"),
    };
    Subject {
        kind: (*kind).to_owned(),
        name: name.clone(),
        identity: format!("{kind}.{group} {name}"),
        at,
        state,
    }
}

/// A reason in words.
pub fn reasons(audit: &Audit, because: &Because, pools: &[IpNet], words: &Words<'_>) -> Vec<String> {
    match &because.of {
        Some((node, interface, target, exposure)) => why::why(
            &words.nodes[*node],
            interface,
            &audit.targets[*target],
            &audit.exposures[*exposure],
            pools,
            words.files,
        ),
        None => {
            let at = because.at.map(|at| format!(" ({}:{}:{})", (words.files)(at.file), at.line, at.column));
            vec![format!("{}{}", because.text, at.unwrap_or_default())]
        }
    }
}

fn table(audit: &Audit, words: &Words<'_>) -> Section {
    let columns = columns(&audit.rows);
    let mut head = vec!["what".to_owned()];
    head.extend(columns.iter().map(|(zone, way)| match way {
        Way::Interface(name) => format!("{} ({name})", words.zones[*zone].name),
        _ => words.zones[*zone].name.to_string(),
    }));
    let mut rows = Vec::new();
    for (number, target) in audit.targets.iter().enumerate() {
        let own: Vec<_> = audit.rows.iter().filter(|row| row.target == number).collect();
        if own.is_empty() {
            continue;
        }
        let of = |(zone, way): &super::text::Column| {
            cell(own.iter().find(|row| row.zone == *zone && row.way == *way).copied()).to_owned()
        };
        let mut row = vec![format!("`{}`", heading(target))];
        row.extend(columns.iter().map(of));
        rows.push(row);
    }
    Section { title: "Who reaches what".to_owned(), blocks: vec![Block::Table { head, rows }] }
}
