//! The kernel's chains: Felix's rules there, and what comes before them.

use super::tables::{Line, lines};
use super::{Difference, Kind, Report, describe, is_calico};
use crate::felix;
use crate::ir::{Chain, Family, Rule, Table};

/// Compares the chains of the kernel.
pub(super) fn compare(own: &Table, there: &Table, family: Family, inserts: bool, report: &mut Report) {
    let nothing = |name: &str| Chain::new(name, Vec::new());
    for hook in own.name.hooks() {
        let chain = |table: &Table| table.hooks.iter().find(|chain| &*chain.name == *hook).cloned();
        let (wanted, found) = (chain(own), chain(there));
        let (wanted, found) = match (wanted, found) {
            (Some(wanted), Some(found)) => (wanted, found),
            (Some(wanted), None) => (wanted, nothing(hook).into()),
            (None, Some(found)) => (nothing(hook).into(), found),
            (None, None) => continue,
        };
        let hook = Hook { name: hook, table: own, wanted: &wanted, found: &found, family };
        hook.compare(inserts, report);
    }
}

struct Hook<'h> {
    name: &'h str,
    table: &'h Table,
    wanted: &'h Chain,
    found: &'h Chain,
    family: Family,
}

impl Hook<'_> {
    fn difference(&self, kind: Kind, what: impl Into<String>) -> Difference {
        Difference::new(kind, self.family, Some(self.table.name), self.name, what)
    }

    fn text(&self, line: &Line<'_>) -> String {
        format!("-A {}{}", self.name, line.text)
    }

    fn compare(&self, inserts: bool, report: &mut Report) {
        let wanted = lines(&self.wanted.rules, self.family);
        let found = lines(&self.found.rules, self.family);
        let inserted = felix::inserted(self.table.name, self.name).min(wanted.len());
        // foreign rules may stand in between; Felix's own keep their order
        let mut next = 0;
        let mut at = Vec::with_capacity(wanted.len());
        for line in &wanted {
            let place = found[next..].iter().position(|other| other.text == line.text);
            at.push(place.map(|place| next + place));
            if let Some(place) = place {
                next += place + 1;
            }
        }
        let before = match at[..inserted].first() {
            Some(Some(place)) if inserts => *place,
            _ => 0,
        };
        for line in found[..before].iter().filter(|line| !is_felix(line.rule)) {
            let does = describe::rule(line.rule, self.family);
            let mut next = self.difference(
                Kind::ForeignRuleFirst,
                format!("a rule that is not Calico's comes first: it {does}"),
            );
            next.found = Some(self.text(line));
            next.found_at = line.rule.origin.at();
            report.differences.push(next);
        }
        let mut changed = vec![false; found.len()];
        for (line, place) in wanted.iter().zip(&at) {
            if place.is_some() {
                continue;
            }
            let mut next = self.difference(Kind::MissingHookRule, "Felix's rule is not there");
            let same_hash = (0..)
                .zip(&found)
                .find(|(_, other)| other.rule.hash.is_some() && other.rule.hash == line.rule.hash);
            if let Some((place, other)) = same_hash {
                changed[place] = true;
                next.what = if other.text == line.text {
                    "Felix's rule is not in its place".to_owned()
                } else {
                    "Felix's rule was changed: it has the hash of the rule that should be there, and another text"
                        .to_owned()
                };
                next.found = Some(self.text(other));
                next.found_at = other.rule.origin.at();
            }
            next.wanted = Some(self.text(line));
            next.origin = Some(line.rule.origin.clone());
            report.differences.push(next);
        }
        for (place, line) in found.iter().enumerate() {
            if is_felix(line.rule) && !at.contains(&Some(place)) && !changed[place] {
                let mut next =
                    self.difference(Kind::ExtraHookRule, "a rule of Calico that should not be there");
                next.found = Some(self.text(line));
                next.found_at = line.rule.origin.at();
                report.differences.push(next);
            }
        }
    }
}

/// Felix's rules have a hash, or go to a chain of Calico.
fn is_felix(rule: &Rule) -> bool {
    rule.hash.is_some()
        || rule.action.as_ref().and_then(|action| action.target()).is_some_and(|chain| is_calico(chain))
}
