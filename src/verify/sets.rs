//! Calico's sets.

use super::{Difference, Kind, Members, Report, is_calico};
use crate::dump::{OtherSet, ReadSets};
use crate::emit::ipset::each_member;
use crate::ir::{Family, IpSet};
use crate::resolve::view::SetMeaning;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Members of one kind that are named; the others are counted.
const NAMED: usize = 10;

/// A set of a node: one that is understood, or another.
enum Found<'s> {
    Known(&'s IpSet),
    Other(&'s OtherSet),
}

/// Compares the sets that a node should have with those it has.
pub(super) fn compare(wanted: &[IpSet], found: &ReadSets, report: &mut Report) {
    let mut both: BTreeMap<&str, (Option<&IpSet>, Option<Found<'_>>)> = BTreeMap::new();
    for set in wanted {
        both.entry(&set.name).or_default().0 = Some(set);
    }
    for set in found.known.iter().filter(|set| is_calico(&set.name)) {
        both.entry(&set.name).or_default().1 = Some(Found::Known(set));
    }
    for set in found.other.iter().filter(|set| is_calico(&set.name)) {
        both.entry(&set.name).or_default().1 = Some(Found::Other(set));
    }
    for (name, pair) in both {
        report.sets += usize::from(pair.0.is_some());
        let stands_for = pair.0.and_then(|set| set.meaning.as_ref());
        let difference = |kind, family, what: String| Difference::new(kind, family, None, name, what);
        let next = match pair {
            (None, None) => None,
            (Some(set), None) => Some(difference(
                Kind::MissingSet,
                set.family,
                format!("the set is not there; it should have {}", members(set.len())),
            )),
            (None, Some(Found::Known(set))) => Some(difference(
                Kind::ExtraSet,
                set.family,
                format!("the set should not be there; it has {}", members(set.len())),
            )),
            (None, Some(Found::Other(set))) => {
                let family = if name.starts_with("cali6") { Family::V6 } else { Family::V4 };
                let what =
                    format!("the set should not be there; it is a `{}` with {}", set.kind, members(set.len));
                Some(difference(Kind::ExtraSet, family, what))
            }
            (Some(set), Some(Found::Other(other))) => {
                let what = format!(
                    "the set is a `{}` with other options or members than Felix makes; it should be a `{}`",
                    other.kind,
                    set.kind().name()
                );
                Some(difference(Kind::DifferentSet, set.family, what))
            }
            (Some(set), Some(Found::Known(found))) => known(set, found),
        };
        let meaning = stands_for.map(meaning);
        report.differences.extend(next.map(|next| Difference { meaning, ..next }));
    }
}

/// What a set stands for.
fn meaning(meaning: &SetMeaning) -> String {
    match meaning {
        SetMeaning::Selector(selector) => format!("selector {selector}"),
        SetMeaning::NamedPort { selector, port, .. } => format!("port `{port}` of selector {selector}"),
        SetMeaning::Service(name) | SetMeaning::ServiceAddresses(name) => format!("service {name}"),
    }
}

/// `1 member`, `2 members`
fn members(count: usize) -> String {
    if count == 1 { "1 member".to_owned() } else { format!("{count} members") }
}

fn known(wanted: &IpSet, found: &IpSet) -> Option<Difference> {
    let difference = |kind, what: String| Difference::new(kind, wanted.family, None, &wanted.name, what);
    let head = |set: &IpSet| {
        let family = if set.family == Family::V4 { "inet" } else { "inet6" };
        format!("{} family {family} maxelem {}", set.kind().name(), set.max_elements)
    };
    if head(wanted) != head(found) {
        let what = format!("the set is `{}`, and should be `{}`", head(found), head(wanted));
        return Some(difference(Kind::DifferentSet, what));
    }
    let (missing, extra) = apart(&texts(wanted), &texts(found));
    if missing.count + extra.count == 0 {
        return None;
    }
    let what = match (missing.count, extra.count) {
        (missing, 0) => format!("{} missing of {}", missing, members(wanted.len())),
        (0, extra) => format!("{} more than the {} that should be there", extra, members(wanted.len())),
        (missing, extra) => {
            format!("{missing} missing and {extra} more than should be there, of {}", members(wanted.len()))
        }
    };
    let mut next = difference(Kind::DifferentMembers, what);
    (next.missing, next.extra) = (missing, extra);
    Some(next)
}

/// All members as text, sorted.
fn texts(set: &IpSet) -> Vec<Box<str>> {
    let mut all = Vec::with_capacity(set.len());
    each_member(set, |member| all.push(member.into()));
    all.sort_unstable();
    all
}

/// What only one of two sorted lists has.
fn apart(wanted: &[Box<str>], found: &[Box<str>]) -> (Members, Members) {
    let (mut missing, mut extra) = (Members::default(), Members::default());
    let (mut wanted, mut found) = (wanted.iter().peekable(), found.iter().peekable());
    loop {
        let order = match (wanted.peek(), found.peek()) {
            (None, None) => return (missing, extra),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => one.cmp(other),
        };
        let (from, to) = match order {
            Ordering::Less => (&mut wanted, &mut missing),
            Ordering::Greater => (&mut found, &mut extra),
            Ordering::Equal => {
                wanted.next();
                found.next();
                continue;
            }
        };
        if let Some(member) = from.next() {
            to.count += 1;
            if to.first.len() < NAMED {
                to.first.push(member.to_string());
            }
        }
    }
}
