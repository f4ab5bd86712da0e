//! The three questions that people ask first: is a service blocked on the public interface, are the node ports, and is a
//! service open to just the sources that it names.

use super::Audit;
use super::exposure::{Exposure, Verdict};
use super::targets::{Kind, Target, source_ranges};
use super::ways::Way;
use super::words::{Words, list, network};
use super::zones::{INTERNET, Whose};
use crate::resolve::Cluster;
use crate::space::nets::fewest;
use ipnet::IpNet;
use std::collections::BTreeMap;

/// A question with its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// the question
    pub question: String,
    /// an answer of one line for each thing that it is about
    pub answers: Vec<Answer>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// what it is about
    pub about: String,
    /// `yes`, `no`, `in part`
    pub answer: &'static str,
    /// more words
    pub more: String,
}

/// All three, as far as they make sense for what is there.
pub fn questions(audit: &Audit, cluster: &Cluster<'_>, words: &Words<'_>) -> Vec<Question> {
    let public = audit.public_interfaces();
    if public.is_empty() {
        return Vec::new();
    }
    let on = list(&public.iter().map(ToString::to_string).collect::<Vec<_>>());
    let mut questions = vec![
        Question {
            question: format!("is a service blocked on the public interface ({on})?"),
            answers: services(audit, words),
        },
        Question {
            question: format!("is the node port range blocked on the public interface ({on})?"),
            answers: range(audit, words),
        },
        Question {
            question: "is a service open to just these source CIDRs?".to_owned(),
            answers: sources(audit, cluster, words),
        },
    ];
    // where only one service is asked for, ranges are not
    questions
        .retain(|own| !own.answers.is_empty() || audit.targets.iter().any(|target| target.kind.is_range()));
    questions
}

fn to_internet(audit: &Audit) -> impl Iterator<Item = (&Exposure, &Target)> {
    let on_interface = |own: &&Exposure| own.zone == INTERNET && matches!(own.way, Way::Interface(_));
    audit.exposures.iter().filter(on_interface).map(|own| (own, &audit.targets[own.target]))
}

fn is_of_service(target: &Target) -> bool {
    matches!(target.kind, Kind::LoadBalancer | Kind::ExternalIp | Kind::NodePort | Kind::HealthCheck)
}

/// The nodes of exposures, if these are not all that packets enter.
fn nodes(audit: &Audit, words: &Words<'_>, of: &[&Exposure]) -> String {
    let mut nodes: Vec<usize> = of.iter().map(|own| own.node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    if nodes.len() == audit.entered.len() {
        return String::new();
    }
    format!(" at {}", list(&nodes.iter().map(|node| words.node(*node).to_owned()).collect::<Vec<_>>()))
}

fn services(audit: &Audit, words: &Words<'_>) -> Vec<Answer> {
    let mut by_target: BTreeMap<usize, Vec<&Exposure>> = BTreeMap::new();
    for (exposure, target) in to_internet(audit) {
        if is_of_service(target) {
            by_target.entry(exposure.target).or_default().push(exposure);
        }
    }
    let one = |(number, all): (usize, Vec<&Exposure>)| {
        let target = &audit.targets[number];
        let reached: Vec<&Exposure> =
            all.iter().filter(|own| own.verdict != Verdict::Blocked).copied().collect();
        let answer = match reached.iter().map(|own| own.verdict).max() {
            None => "yes",
            Some(Verdict::Open) => "no",
            Some(_) => "in part",
        };
        let mut said: Vec<String> = Vec::new();
        for own in &reached {
            let verdict = words.verdict(own);
            if !said.contains(&verdict) {
                said.push(verdict);
            }
        }
        let at = if reached.is_empty() { String::new() } else { nodes(audit, words, &reached) };
        let more = if said.is_empty() { "blocked".to_owned() } else { format!("{}{at}", said.join("; ")) };
        Answer { about: format!("{} {}", target.of, target.name()), answer, more }
    };
    by_target.into_iter().map(one).collect()
}

fn range(audit: &Audit, words: &Words<'_>) -> Vec<Answer> {
    let mut by_interface: BTreeMap<&str, Vec<&Exposure>> = BTreeMap::new();
    for (exposure, target) in to_internet(audit) {
        if let (Kind::NodePortRange, Way::Interface(name)) = (target.kind, &exposure.way) {
            by_interface.entry(name).or_default().push(exposure);
        }
    }
    let mut answers = Vec::new();
    for (interface, all) in by_interface {
        // families and nodes that agree are one answer
        let mut said: Vec<(&'static str, String, Vec<&Exposure>)> = Vec::new();
        for own in all {
            let (answer, more) = match own.verdict {
                Verdict::Blocked => ("yes", "blocked".to_owned()),
                Verdict::Open => ("no", "every port is open".to_owned()),
                Verdict::Restricted => ("in part", format!("open: {}", words.boxes(&own.open, own.family))),
            };
            match said.iter_mut().find(|(one, text, _)| *one == answer && *text == more) {
                Some((_, _, nodes)) => nodes.push(own),
                None => said.push((answer, more, vec![own])),
            }
        }
        for (answer, more, of) in said {
            let more = format!("{more}{}", nodes(audit, words, &of));
            answers.push(Answer { about: interface.to_owned(), answer, more });
        }
    }
    answers
}

/// Of services that name sources, or that some and not all of those outside reach.
fn sources(audit: &Audit, cluster: &Cluster<'_>, words: &Words<'_>) -> Vec<Answer> {
    let public = audit.public_interfaces();
    let outside = |own: &&Exposure| match &own.way {
        Way::Interface(name) => audit.zones[own.zone].whose == Whose::Nets && public.contains(&&**name),
        Way::Pods | Way::Host => false,
    };
    let mut by_target: BTreeMap<usize, Vec<&Exposure>> = BTreeMap::new();
    for own in audit.exposures.iter().filter(outside) {
        let target = &audit.targets[own.target];
        if is_of_service(target) && target.kind != Kind::HealthCheck {
            by_target.entry(own.target).or_default().push(own);
        }
    }
    let mut answers = Vec::new();
    for (number, all) in by_target {
        let target = &audit.targets[number];
        let named = source_ranges(cluster, target);
        let internet: Vec<&&Exposure> = all.iter().filter(|own| own.zone == INTERNET).collect();
        let restricted = internet.iter().any(|own| own.verdict == Verdict::Restricted);
        if named.is_empty() && !restricted {
            continue;
        }
        let reaching = all.iter().flat_map(|own| own.sources.iter()).copied().collect::<Vec<IpNet>>();
        let reaching = fewest(&reaching);
        let told = list(&reaching.iter().map(network).collect::<Vec<_>>());
        let about = format!("{} {}", target.of, target.name());
        let everybody = all.iter().any(|own| own.verdict == Verdict::Open);
        let inside = fewest(&[&*reaching, &*named].concat()) == fewest(&named);
        let (answer, more) = match (named.is_empty(), reaching.is_empty()) {
            (true, _) => ("yes", format!("only {}", words.sources(&reaching))),
            (false, true) => ("yes", "nobody gets in".to_owned()),
            (false, false) if inside => ("yes", format!("only {told}, of loadBalancerSourceRanges")),
            (false, false) if everybody => {
                ("no", "open to everybody, whatever loadBalancerSourceRanges say".to_owned())
            }
            (false, false) => ("no", format!("open to {told}, whatever loadBalancerSourceRanges say")),
        };
        answers.push(Answer { about, answer, more });
    }
    answers
}
