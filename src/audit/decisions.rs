//! The rules that decide, each once, in words.

use crate::diagnostic::Location;
use crate::emit::saved_rule;
use crate::ir::{Family, Origin, TableName};
use crate::kernel::symbolic::Fate;
use crate::resolve::view::PolicyId;
use crate::trace::query::{Step, deciding};
use std::collections::HashMap;
use std::sync::Arc;

/// A rule that decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decision {
    /// the number of its node
    pub node: usize,
    /// its table
    pub table: TableName,
    /// as `iptables-save` prints it, without its hash
    pub rule: String,
    /// what it is for
    pub reason: String,
    /// the policy that it belongs to
    pub policy: Option<PolicyId>,
    /// where that is written
    pub at: Option<Location>,
}

/// Rules that were told already.
#[derive(Debug, Default)]
pub struct Decisions {
    known: HashMap<(usize, Family, usize), Arc<Decision>>,
}

impl Decisions {
    /// The rules on a node's way: first the one that decides, then those of objects before it.
    pub fn of(
        &mut self,
        node: usize,
        family: Family,
        steps: &[Step<'_>],
        fate: Option<Fate>,
    ) -> Vec<Arc<Decision>> {
        let decides = fate.and_then(|fate| deciding(steps, fate));
        let others = steps.iter().filter(|step| step.is_of_object() && step.table != TableName::Nat);
        let others = others.filter(|step| Some(*step) != decides).rev();
        let mut all: Vec<Arc<Decision>> = Vec::new();
        for step in decides.into_iter().chain(others) {
            // rules do not move, so their place tells them apart
            let key = (node, family, std::ptr::from_ref(step.rule) as usize);
            let one = self.known.entry(key).or_insert_with(|| Arc::new(decision(node, family, step)));
            // a rule of a policy is rendered as several
            if !all.iter().any(|own| (&own.reason, own.at) == (&one.reason, one.at)) {
                all.push(one.clone());
            }
        }
        all
    }
}

fn decision(node: usize, family: Family, step: &Step<'_>) -> Decision {
    let origin = &step.rule.origin;
    let reason = step.reason();
    let policy = match origin {
        Origin::Policy(rule) => Some(rule.policy.clone()),
        _ => None,
    };
    Decision {
        node,
        table: step.table,
        rule: saved_rule(step.chain, step.rule, family),
        reason,
        policy,
        at: origin.at().filter(|at| at.line > 0),
    }
}
