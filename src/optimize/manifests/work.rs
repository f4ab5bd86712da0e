//! One object: what can go from it, and what of that is proved.

use super::change::{self, Change};
use super::object::{Edit, Object, Part, edited};
use super::prove::{self, Proved, Refused, Rendered};
use super::{Outcome, report, rules};
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::resolve::Cluster;
use crate::resolve::policy::Policy;
use crate::resolve::view::NodeView;
use crate::version::Facts;
use std::collections::{BTreeSet, HashMap};

/// An object and what is to be done to it.
pub struct Work<'o> {
    /// the object
    pub object: &'o Object,
    /// what can be done to it
    pub changes: Vec<Change>,
    /// the changes that are made
    pub made: BTreeSet<usize>,
    /// those that `proved` is about
    proved_of: BTreeSet<usize>,
    proved: Proved,
    rendered: Option<(usize, usize)>,
}

impl Work<'_> {
    /// The edits of the changes that are made.
    pub fn edits(&self) -> impl Iterator<Item = &Edit> + Clone {
        self.made.iter().flat_map(|index| &self.changes[*index].edits)
    }

    /// The object with them.
    pub fn after(&self) -> Part {
        edited(&self.object.root, self.edits())
    }

    /// The place of its text among the inputs.
    pub fn input(&self) -> usize {
        self.object.root.at.file.0 as usize
    }

    /// What messages call it.
    pub fn called(&self) -> String {
        format!("{} `{}`", self.object.kind, self.object.path())
    }
}

pub fn outcome(work: &Work<'_>) -> Outcome {
    let after = work.after();
    let shape = work.object.shape;
    let mut said: Vec<_> = work.made.iter().flat_map(|index| work.changes[*index].said.clone()).collect();
    said.sort();
    Outcome {
        kind: work.object.kind.clone(),
        path: work.object.path(),
        at: work.object.root.at,
        size: (change::size(shape, &work.object.root), change::size(shape, &after)),
        rendered: work.rendered,
        said,
        proved: work.proved.clone(),
    }
}

/// Finds out what can go from an object, and makes of it what is proved.
pub fn plan<'o>(
    object: &'o Object,
    policies: &HashMap<Location, &Policy>,
    cluster: &Cluster<'_>,
    view: &NodeView,
    facts: &'static Facts,
) -> (Option<Work<'o>>, Vec<Diagnostic>) {
    let mut said = Vec::new();
    let at = object.root.at;
    let (mut changes, gone) =
        policies.get(&at).map(|policy| rules::rules(object, policy, cluster)).unwrap_or_default();
    changes.extend(change::lists(object, &gone));
    if changes.is_empty() {
        return (None, said);
    }
    let mut work = Work {
        object,
        changes,
        made: BTreeSet::new(),
        proved_of: BTreeSet::new(),
        proved: Proved::default(),
        rendered: None,
    };
    let left = |why: &str| {
        Diagnostic::note(
            "left-alone",
            at,
            format!("{} `{}` is left as it is: {why}", object.kind, object.path()),
        )
    };
    if object.has_duplicates {
        said.push(left("it has a key twice"));
        return (None, said);
    }
    if prove::is_set(object) {
        work.made = (0..work.changes.len()).collect();
        if !prove::network_set(&object.root, &work.after()) {
            said.push(left("its addresses would be others"));
            return (None, said);
        }
        work.proved_of = work.made.clone();
        work.proved.any_members = true;
        return (Some(work), said);
    }
    let before = match prove::render(object, &object.root, view, facts) {
        Ok(rendered) => rendered,
        Err(why) => {
            said.push(left(&why));
            return (None, said);
        }
    };
    let attempt = |made: &BTreeSet<usize>| attempt(&work, made, &before, view, facts);
    let all: BTreeSet<usize> = (0..work.changes.len()).collect();
    let (mut made, mut result) = (BTreeSet::new(), None);
    match attempt(&all) {
        Ok(proved) => (made, result) = (all, Some(proved)),
        Err(_) => {
            // one by one, and again what did not go before another did
            let mut open: Vec<usize> = all.into_iter().collect();
            loop {
                let mut refused = Vec::new();
                let count = open.len();
                for index in open {
                    let mut with = made.clone();
                    with.insert(index);
                    match attempt(&with) {
                        Ok(proved) => (made, result) = (with, Some(proved)),
                        Err(why) => refused.push((index, why)),
                    }
                }
                if refused.is_empty() || refused.len() == count {
                    said.extend(refused.iter().map(|(index, why)| not_made(&work, *index, why)));
                    break;
                }
                open = refused.into_iter().map(|(index, _)| index).collect();
            }
        }
    }
    let Some((proved, rules)) = result else { return (None, said) };
    work.rendered = Some((before.rules(), rules));
    work.proved_of = made.clone();
    work.made = made;
    work.proved = proved;
    (Some(work), said)
}

/// What is proved of an object with some of its changes, and how many rules it then has.
fn attempt(
    work: &Work<'_>,
    made: &BTreeSet<usize>,
    before: &Rendered,
    view: &NodeView,
    facts: &'static Facts,
) -> Result<(Proved, usize), Refused> {
    let edits = made.iter().flat_map(|index| &work.changes[*index].edits);
    let after = edited(&work.object.root, edits);
    let after = prove::render(work.object, &after, view, facts).map_err(Refused::Invalid)?;
    let proved = prove::policy(before, &after, view);
    Ok((proved.map_err(|different| Refused::Different(Box::new(different)))?, after.rules()))
}

/// Proves anew what was taken back in part. Gives whether anything more had to be.
pub fn prove_again(
    works: &mut [Work<'_>],
    view: &NodeView,
    facts: &'static Facts,
    said: &mut Vec<Diagnostic>,
) -> bool {
    let mut changed = false;
    for work in works.iter_mut().filter(|work| !work.made.is_empty() && work.made != work.proved_of) {
        work.proved_of = work.made.clone();
        if prove::is_set(work.object) {
            continue;
        }
        let proved = prove::render(work.object, &work.object.root, view, facts)
            .map_err(Refused::Invalid)
            .and_then(|before| Ok((attempt(work, &work.made, &before, view, facts)?, before.rules())));
        match proved {
            Ok(((proved, after), before)) => {
                work.proved = proved;
                work.rendered = Some((before, after));
            }
            Err(why) => {
                let first = work.made.first().copied().unwrap_or_default();
                said.push(not_made(work, first, &why));
                work.made.clear();
                changed = true;
            }
        }
    }
    changed
}

fn not_made(work: &Work<'_>, index: usize, why: &Refused) -> Diagnostic {
    let change = &work.changes[index];
    let (at, what) = change.said.first().cloned().unwrap_or((work.object.root.at, String::new()));
    let (id, why) = match why {
        Refused::Invalid(why) => ("left-alone", why.clone()),
        Refused::Different(different) => ("not-proved-equal", report::different(different)),
    };
    let message = format!("{} keeps this, although {what}: {why}", work.called());
    Diagnostic::new(id, Severity::Note, Some(at), message)
}
