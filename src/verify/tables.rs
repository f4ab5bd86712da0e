//! Tables and Calico's chains.

use super::hashes::{Effort, Verdict};
use super::{Difference, Kind, Report, hashes, hooks, is_calico};
use crate::emit::save;
use crate::ir::{Chain, Family, Origin, Rule, RuleSet, Table, TableName};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A rule as `iptables-save` prints it after `-A chain`, and the rule that it is one of.
pub(super) struct Line<'r> {
    /// with a space at the beginning
    pub text: String,
    pub rule: &'r Rule,
}

/// The lines of rules: one with a list of addresses is several.
pub(super) fn lines(rules: &[Rule], family: Family) -> Vec<Line<'_>> {
    let mut all = Vec::with_capacity(rules.len());
    for rule in rules {
        for expand in 0..save::expansions(rule) {
            let mut text = String::new();
            save::body(&mut text, rule, family, expand);
            all.push(Line { text, rule });
        }
    }
    all
}

/// Compares the tables of one family.
pub(super) fn compare(
    wanted: &RuleSet,
    found: &RuleSet,
    inserts: bool,
    effort: &mut Effort,
    report: &mut Report,
) {
    for name in TableName::ALL {
        let table = |rules: &RuleSet| rules.tables.iter().position(|table| table.name == name);
        let (wanted_at, found_at) = (table(wanted), table(found));
        let empty = Table { name, hooks: Vec::new(), chains: Vec::new() };
        let own = wanted_at.map_or(&empty, |at| &wanted.tables[at]);
        let Some(there) = found_at.map(|at| &found.tables[at]) else {
            if !own.chains.is_empty() {
                report.chains += own.chains.len();
                let what =
                    format!("the table is not there; {} chains of Calico should be in it", own.chains.len());
                let difference = Difference::new(Kind::MissingTable, wanted.family, Some(name), "", what);
                report.differences.push(difference);
            }
            continue;
        };
        hooks::compare(own, there, wanted.family, inserts, report);
        chains(own, there, wanted.family, effort, report);
    }
}

fn chains(own: &Table, there: &Table, family: Family, effort: &mut Effort, report: &mut Report) {
    type Pair<'c> = (Option<&'c Arc<Chain>>, Option<&'c Arc<Chain>>);
    let mut both: BTreeMap<&str, Pair<'_>> = BTreeMap::new();
    for chain in own.chains.iter().filter(|chain| is_calico(&chain.name)) {
        both.entry(&chain.name).or_default().0 = Some(chain);
    }
    for chain in there.chains.iter().filter(|chain| is_calico(&chain.name)) {
        both.entry(&chain.name).or_default().1 = Some(chain);
    }
    for (name, pair) in both {
        let difference = |kind, what: String| Difference::new(kind, family, Some(own.name), name, what);
        report.chains += usize::from(pair.0.is_some());
        let next = match pair {
            (Some(wanted), None) => {
                let what = format!("the chain is not there; it should have {}", rules(wanted.rules.len()));
                let mut next = difference(Kind::MissingChain, what);
                next.origin = told(&wanted.rules);
                Some(next)
            }
            (None, Some(found)) => {
                let what = format!("the chain should not be there; it has {}", rules(found.rules.len()));
                let mut next = difference(Kind::ExtraChain, what);
                next.found_at = found.rules.first().and_then(|rule| rule.origin.at());
                next.hashes = tell(hashes::check(found, None, family, effort));
                Some(next)
            }
            (Some(wanted), Some(found)) => {
                let (wanted_lines, found_lines) = (lines(&wanted.rules, family), lines(&found.rules, family));
                with_first(&wanted_lines, &found_lines, |what, first| {
                    let mut next = difference(Kind::DifferentChain, what);
                    let rule = |line: &Line<'_>| format!("-A {name}{}", line.text);
                    next.wanted = first.wanted.map(rule);
                    next.found = first.found.map(rule);
                    next.found_at = first.found.and_then(|line| line.rule.origin.at());
                    let origin = first.wanted.map(|line| line.rule.origin.clone());
                    next.origin = origin.or_else(|| told(&wanted.rules));
                    let verdict = hashes::check(found, Some(wanted), family, effort);
                    next.hashes = match (verdict, first.found) {
                        (Verdict::Intact, None) => Some(CUT.to_owned()),
                        _ => tell(verdict),
                    };
                    next
                })
            }
            (None, None) => None,
        };
        report.differences.extend(next);
    }
}

/// `1 rule`, `2 rules`
pub(super) fn rules(count: usize) -> String {
    if count == 1 { "1 rule".to_owned() } else { format!("{count} rules") }
}

/// The first rule that tells where a chain comes from.
fn told(rules: &[Rule]) -> Option<Origin> {
    let first = rules.iter().find(|rule| rule.origin.at().is_some()).or_else(|| rules.first());
    first.map(|rule| rule.origin.clone())
}

/// The first rules that differ; `None` where one chain ends.
struct First<'l, 'r> {
    wanted: Option<&'l Line<'r>>,
    found: Option<&'l Line<'r>>,
}

/// What is different, and the first rules of it.
fn with_first<T>(
    wanted: &[Line<'_>],
    found: &[Line<'_>],
    tell: impl FnOnce(String, First<'_, '_>) -> T,
) -> Option<T> {
    let same = wanted.iter().zip(found).take_while(|(one, other)| one.text == other.text).count();
    let first = First { wanted: wanted.get(same), found: found.get(same) };
    let number = same + 1;
    let is = |lines: &[Line<'_>], at: usize, like: Option<&Line<'_>>| {
        like.is_some_and(|like| lines.get(at).is_some_and(|line| line.text == like.text))
    };
    let what = match (&first.wanted, &first.found) {
        (None, None) => return None,
        (Some(_), None) => format!("the chain ends after {}, and should have {}", rules(same), wanted.len()),
        (None, Some(_)) => format!("the chain has {}, and should have {}", rules(found.len()), wanted.len()),
        (Some(_), Some(_)) if is(wanted, number, first.found) => format!("rule {number} is missing"),
        (Some(_), Some(_)) if is(found, number, first.wanted) => format!("rule {number} should not be there"),
        (Some(one), Some(other)) if one.rule.hash.is_some() && one.rule.hash == other.rule.hash => {
            format!("rule {number} has the hash of the rule that should be there, and another text")
        }
        (Some(_), Some(_)) => format!("rule {number} of {} is different", found.len()),
    };
    Some(tell(what, first))
}

const CUT: &str = "what is there is as Felix wrote it: the rest was taken away, or Felix wrote the chain when it was shorter";

fn tell(verdict: Verdict) -> Option<String> {
    match verdict {
        Verdict::Intact => {
            Some("the chain is as Felix wrote it, from other objects or at another time".to_owned())
        }
        Verdict::Changed(rule) => Some(format!(
            "rule {rule} is not what its hash says: it, or a rule before it, was changed, added or taken away by hand"
        )),
        Verdict::WithoutHash(rule) => Some(format!("rule {rule} has no hash: Felix did not write it")),
        Verdict::Unsure => None,
    }
}
