//! Whether an object means the same after an edit.
//!
//! A policy is rendered before and after, and its chains are compared for all packets, as if an endpoint
//! had it. What its sets contain is left open: a look-up in a set is true or false for a packet, so if the
//! chains do the same whichever look-ups are true, they do the same whatever the sets contain. Beyond
//! six look-ups not every choice is gone through; see `choices`.

use super::object::{Object, Part, Shape, Step};
use crate::felix;
use crate::ir::{
    Action, Chain, Family, Match, Matcher, Origin, Program, Rule, RuleSet, SetLookup, Table, TableName,
};
use crate::model::{self, InvalidMode};
use crate::optimize::compare;
use crate::optimize::proof::{Agreed, Different};
use crate::resolve::Cluster;
use crate::resolve::address;
use crate::resolve::view::{NodeView, Tier};
use crate::source::{self, Input, Options};
use crate::space::nets::fewest;
use crate::version::Facts;
use ipnet::IpNet;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// So many look-ups in sets are gone through in every combination.
const EVERY: usize = 6;

/// A look-up in a set: its name and what is looked up.
type Lookup = (Arc<str>, SetLookup);

/// A policy as Felix renders it, alone.
pub struct Rendered {
    /// chains for ingress and egress, of IPv4 and IPv6
    families: [(Family, [Arc<Chain>; 2]); 2],
}

/// A comparison that came out equal.
#[derive(Debug, Clone)]
pub struct Equal {
    /// the look-ups that were taken to be true; the others were false
    pub holds: Vec<String>,
    /// what was compared
    pub agreed: Vec<Agreed>,
}

/// What was proved of an object.
#[derive(Debug, Clone, Default)]
pub struct Proved {
    /// the comparisons
    pub equal: Vec<Equal>,
    /// whether it holds whatever the policy's sets contain
    pub any_members: bool,
}

/// Why an edit is not made.
#[derive(Debug, Clone)]
pub enum Refused {
    /// what it leads to would be refused, or ignored
    Invalid(String),
    /// what it leads to is not the same
    Different(Box<Different>),
}

/// Renders a policy, staged ones as if they were enforced, with the configuration and the tiers of a view.
///
/// # Errors
/// Why it is no policy for Felix.
pub fn render(
    object: &Object,
    root: &Part,
    view: &NodeView,
    facts: &'static Facts,
) -> Result<Rendered, String> {
    let mut value = object.to_json(root);
    if let Some(kind) = object.kind.strip_prefix("Staged") {
        value["kind"] = json!(kind);
        if kind == "KubernetesNetworkPolicy" {
            value["kind"] = json!("NetworkPolicy");
            value["apiVersion"] = json!("networking.k8s.io/v1");
        }
        if let Some(spec) = value["spec"].as_object_mut() {
            spec.shift_remove("stagedAction");
        }
    }
    let mut objects = vec![value];
    let is_given = |tier: &&Tier| facts.built_in_tiers.iter().all(|(name, ..)| *name != &*tier.name);
    objects.extend(view.tiers.iter().filter(is_given).map(|tier| {
        let api = "projectcalico.org/v3";
        json!({"apiVersion": api, "kind": "Tier", "metadata": {"name": tier.name}, "spec": {"order": 1}})
    }));
    let text: String = objects.iter().map(|object| format!("{object}\n")).collect();
    let input = Input::Text { name: "policy.json".into(), bytes: text.into_bytes() };
    let read = source::read(&[input], &Options { threads: 1 }, |object| model::lower(object, facts));
    let collected = model::collect(read.values, InvalidMode::Fail, facts);
    let wrong = read.diagnostics.iter().chain(&collected.diagnostics);
    let mut wrong = wrong.filter(|said| said.severity == crate::diagnostic::Severity::Error);
    if let Some(wrong) = wrong.next() {
        return Err(wrong.message.clone());
    }
    let cluster = Cluster::new(&collected.resources);
    if cluster.policies().len() != 1 {
        return Err("felix ignores it".to_owned());
    }
    let view = cluster.with_policies(view, &[0]);
    let chains = |family| {
        let chains = felix::policy_chains(&view, family).into_iter().next();
        chains.map(|chains| (family, chains)).ok_or_else(|| "felix has no rules for it".to_owned())
    };
    Ok(Rendered { families: [chains(Family::V4)?, chains(Family::V6)?] })
}

impl Rendered {
    /// Rules of both families; a chain that only says whose it is counts for nothing.
    pub fn rules(&self) -> usize {
        let chains = self.families.iter().flat_map(|(_, chains)| chains);
        chains.flat_map(|chain| &chain.rules).filter(|rule| rule.action.is_some()).count()
    }

    fn lookups(&self, family: usize) -> BTreeSet<(Arc<str>, u8)> {
        let rules = self.families[family].1.iter().flat_map(|chain| &chain.rules);
        let sets = rules.flat_map(|rule| &rule.matches).filter_map(|one| match &one.on {
            Matcher::Set(name, lookup) => Some((name.clone(), *lookup as u8)),
            _ => None,
        });
        sets.collect()
    }
}

/// Compares a policy before and after.
pub fn policy(before: &Rendered, after: &Rendered, view: &NodeView) -> Result<Proved, Different> {
    let private = felix::private_marks(view);
    let shown = felix::verdict_marks(view);
    let mut proved = Proved { equal: Vec::new(), any_members: true };
    for (at, ((family, own), (_, now))) in before.families.iter().zip(&after.families).enumerate() {
        // nothing has changed
        if own.iter().zip(now).all(|(a, b)| a == b) {
            continue;
        }
        let lookups: BTreeSet<_> = before.lookups(at).union(&after.lookups(at)).cloned().collect();
        let lookups: Vec<Lookup> = lookups
            .into_iter()
            .filter_map(|(name, lookup)| Some((name, LOOKUPS.into_iter().find(|it| *it as u8 == lookup)?)))
            .collect();
        proved.any_members &= lookups.len() <= EVERY;
        for holds in choices(lookups.len()) {
            let holds: Vec<&Lookup> =
                lookups.iter().zip(&holds).filter(|(_, holds)| **holds).map(|(own, _)| own).collect();
            let [own, now] = [own, now].map(|chains| program(*family, chains, &holds, private | shown));
            let agreed = compare(&own, &now, private & !shown)?;
            proved.equal.push(Equal { holds: holds.iter().map(|own| words(own)).collect(), agreed });
        }
    }
    Ok(proved)
}

const LOOKUPS: [SetLookup; 4] =
    [SetLookup::Source, SetLookup::Destination, SetLookup::SourcePort, SetLookup::DestinationPort];

fn words((name, lookup): &Lookup) -> String {
    let what = match lookup {
        SetLookup::Source => "src",
        SetLookup::Destination => "dst",
        SetLookup::SourcePort => "src,src",
        SetLookup::DestinationPort => "dst,dst",
    };
    format!("{name} {what}")
}

/// Which look-ups are true: every combination of a few; of many all, none, each alone, and all but each.
fn choices(count: usize) -> Vec<Vec<bool>> {
    if count <= EVERY {
        return (0..1usize << count)
            .map(|bits| (0..count).map(|bit| bits >> bit & 1 == 1).collect())
            .collect();
    }
    let mut all = vec![vec![true; count], vec![false; count]];
    for one in 0..count {
        all.push((0..count).map(|other| other == one).collect());
        all.push((0..count).map(|other| other != one).collect());
    }
    all
}

/// Chains as the rules of two hooks: packets come without a mark, and what is left of the mark is shown.
fn program(family: Family, chains: &[Arc<Chain>; 2], holds: &[&Lookup], marks: u32) -> Program {
    let chains = chains.each_ref().map(|chain| {
        let rules = chain.rules.iter().filter_map(|rule| with_lookups(rule, holds));
        Arc::new(Chain { rules: rules.collect(), ..(**chain).clone() })
    });
    let enter = |chain: &Chain| {
        let rule = |action| Rule::new(Vec::new(), action, Origin::Static);
        vec![rule(Action::clear_mark(marks)), rule(Action::Jump(chain.name.clone()))]
    };
    let hook = |name: &str, rules| Arc::new(Chain::new(name, rules));
    let [ingress, egress] = &chains;
    let mut table = Table {
        name: TableName::Filter,
        hooks: vec![
            hook("INPUT", enter(ingress)),
            hook("FORWARD", Vec::new()),
            hook("OUTPUT", enter(egress)),
        ],
        chains: chains.to_vec(),
    };
    table.chains.sort_by(|a, b| a.name.cmp(&b.name));
    let rules = |own: Family| RuleSet {
        family: own,
        tables: if own == family { vec![table.clone()] } else { Vec::new() },
    };
    Program { v4: rules(Family::V4), v6: rules(Family::V6), sets: Vec::new() }
}

/// A rule whose look-ups are decided; `None` if it can no longer apply.
fn with_lookups(rule: &Rule, holds: &[&Lookup]) -> Option<Rule> {
    let mut matches: Vec<Match> = Vec::with_capacity(rule.matches.len());
    for one in &rule.matches {
        match &one.on {
            Matcher::Set(name, lookup) => {
                let holds = holds.iter().any(|own| own.0 == *name && own.1 == *lookup);
                if holds == one.negated {
                    return None;
                }
            }
            _ => matches.push(one.clone()),
        }
    }
    Some(Rule { matches, ..rule.clone() })
}

/// Whether two network sets have the same addresses.
pub fn network_set(before: &Part, after: &Part) -> bool {
    let addresses = |root: &Part| {
        let nets = root.find(&[Step::Key("spec"), Step::Key("nets")]).into_iter().flat_map(Part::items);
        let nets: Vec<IpNet> = nets.filter_map(|net| address::parse_cidr_or_ip(net.text()?)).collect();
        fewest(&nets)
    };
    addresses(before) == addresses(after)
}

/// Whether an object is proved by its own addresses, not by rules.
pub fn is_set(object: &Object) -> bool {
    object.shape == Shape::NetworkSet
}
