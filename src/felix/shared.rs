//! Chains that nodes of one cluster have in common, rendered once.
//!
//! The chains of a policy depend on the policy, which views share, and on the configuration. Most nodes have the
//! same; those that have one of their own share with their like.

use super::context::Context;
use super::policy;
use crate::ir::{Chain, Family};
use crate::resolve::config::FelixConfig;
use crate::resolve::view::{NodeView, Policy};
use crate::version::Facts;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError};

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
    policies: Mutex<FxHashMap<(usize, Family), Known>>,
    /// by name, which says in one cluster what a profile does
    profiles: Mutex<FxHashMap<(Box<str>, Family), Chains>>,
}

#[derive(Debug)]
struct Known {
    _policy: Arc<Policy>,
    chains: Chains,
}

type Chains = Vec<Arc<Chain>>;

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
        });
        all.push(alike.clone());
        alike
    }
}

impl Alike {
    /// The chains of a view's policies.
    pub(super) fn policies(&self, ctx: &Context) -> Vec<Arc<Chain>> {
        let mut all = Vec::new();
        for own in &ctx.view.policies {
            let key = (Arc::as_ptr(own).addr(), ctx.family);
            let known = || self.policies.lock().unwrap_or_else(PoisonError::into_inner);
            let found = known().get(&key).map(|known| known.chains.clone());
            all.extend(found.unwrap_or_else(|| {
                // whoever comes second does the same work, and keeps what the first one made
                let chains = policy::policy(ctx, own);
                let new = Known { _policy: own.clone(), chains };
                known().entry(key).or_insert(new).chains.clone()
            }));
        }
        all
    }

    /// The chains of a view's profiles.
    pub(super) fn profiles(&self, ctx: &Context) -> Vec<Arc<Chain>> {
        let mut known = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        let chains = ctx.view.profiles.iter().flat_map(|own| {
            let chains = known.entry((own.name.clone(), ctx.family));
            chains.or_insert_with(|| policy::profile(ctx, own).into()).clone()
        });
        chains.collect()
    }
}
