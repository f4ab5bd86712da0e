//! Chains that nodes of one cluster have in common, rendered once.
//!
//! The chains of a policy depend on the policy, which views share, and on the configuration. Most nodes have the
//! same; those that have one of their own share with their like.

use super::context::Context;
use super::group;
use crate::ir::{Chain, Family};
use crate::model::calico::Direction;
use crate::resolve::config::FelixConfig;
use crate::resolve::view::{NodeView, Policy, PolicyGroup, Profile};
use crate::version::Facts;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What was rendered so far. Views of one cluster only may come here.
#[derive(Debug, Default)]
pub struct Shared(Mutex<Vec<Arc<Alike>>>);

/// What nodes of one configuration share.
#[derive(Debug)]
pub struct Alike {
    /// number among those of the cluster, in order of appearance
    pub number: usize,
    config: FelixConfig,
    facts: &'static Facts,
    /// by the address of a policy that views share, which the value keeps where it is
    policies: Known<usize, (Arc<Policy>, Arc<Families>)>,
    /// by name, which says in one cluster what a profile does
    profiles: Known<Box<str>, Arc<Families>>,
    /// by the addresses of its policies, which the value keeps where they are
    groups: Known<(Direction, Box<[usize]>), Group>,
}

/// What was rendered so far.
type Known<K, V> = Mutex<FxHashMap<K, V>>;

/// A group's policies, and its chain if it has one.
type Group = (Box<[Arc<Policy>]>, Option<Arc<Chain>>);

/// Chains of one policy or profile, in each family.
#[derive(Debug, Default)]
pub(super) struct Families {
    v4: OnceLock<Box<[Arc<Chain>]>>,
    v6: OnceLock<Box<[Arc<Chain>]>>,
}

impl Families {
    /// Those of a family.
    pub(super) fn of(&self, family: Family, make: impl FnOnce() -> Vec<Arc<Chain>>) -> &[Arc<Chain>] {
        let chains = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        chains.get_or_init(|| make().into())
    }
}

impl Shared {
    /// What a node shares with others.
    pub fn alike(&self, view: &NodeView) -> Arc<Alike> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is = |alike: &&Arc<Alike>| alike.config == view.config && std::ptr::eq(alike.facts, view.facts);
        if let Some(known) = all.iter().find(is) {
            return known.clone();
        }
        let alike = Arc::new(Alike {
            number: all.len(),
            config: view.config.clone(),
            facts: view.facts,
            policies: Mutex::default(),
            profiles: Mutex::default(),
            groups: Mutex::default(),
        });
        all.push(alike.clone());
        alike
    }
}

impl Alike {
    /// Where the chains of a view's policies are, in the order of the policies.
    pub(super) fn policies(&self, view: &NodeView) -> Vec<Arc<Families>> {
        let mut known = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
        let families = |own: &Arc<Policy>| {
            let known = known.entry(Arc::as_ptr(own).addr()).or_insert_with(|| (own.clone(), Arc::default()));
            known.1.clone()
        };
        view.policies.iter().map(families).collect()
    }

    /// Where the chains of a view's profiles are, in the order of the profiles.
    pub(super) fn profiles(&self, view: &NodeView) -> Vec<Arc<Families>> {
        let mut known = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        let families = |own: &Profile| match known.get(&own.name) {
            Some(families) => families.clone(),
            None => known.entry(own.name.clone()).or_default().clone(),
        };
        view.profiles.iter().map(families).collect()
    }

    /// The chain of a group of a view's policies, if it has one. Its rules only jump: it is that of both families.
    pub(super) fn group(
        &self,
        ctx: &Context,
        group: &PolicyGroup,
        direction: Direction,
    ) -> Option<Arc<Chain>> {
        let policies = || group.policies.iter().map(|index| &ctx.view.policies[index.0 as usize]);
        let key = (direction, policies().map(|policy| Arc::as_ptr(policy).addr()).collect());
        let mut known = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || (policies().cloned().collect(), group::chain(ctx, group, direction));
        known.entry(key).or_insert_with(made).1.clone()
    }
}
