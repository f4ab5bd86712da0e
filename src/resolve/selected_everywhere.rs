//! Which policies select which endpoint, for the endpoints of all nodes at once.
//!
//! One node asks this of its own endpoints ([`super::endpoint_policies::select`]), which costs a look at every policy
//! of the cluster. Whoever wants all nodes asks once: every selector is looked up in one index of everybody's labels,
//! and a node then only reads what was found for its endpoints.

use super::contributors::Contributors;
use super::convert::profile::Profiles;
use super::endpoint_policies::Selected;
use super::label_index::LabelIndex;
use super::policy::Policy;
use rustc_hash::{FxHashMap, FxHashSet};

/// For each contributor the policies that select it.
#[derive(Debug)]
pub struct SelectedEverywhere {
    /// where each contributor's policies begin in `policies`; one more than there are contributors
    first: Vec<u32>,
    /// indices into the cluster's policies, ascending for each contributor, which is evaluation order
    policies: Vec<u32>,
    /// policies that are needed on every node
    needed: Vec<usize>,
}

impl SelectedEverywhere {
    /// Asks all policies.
    pub fn new<'r>(
        policies: &[Policy],
        contributors: &Contributors<'r>,
        profiles: &Profiles<'r>,
    ) -> SelectedEverywhere {
        let mut keys = FxHashSet::default();
        for policy in policies {
            policy.selector.root().each_label(&mut |key| {
                keys.insert(key);
            });
        }
        let mut index = LabelIndex::of_keys(keys);
        index.set_limit(contributors.len());
        for number in 0..contributors.len() as u32 {
            contributors.each_label(number, profiles, &mut |key, value| index.add_next(number, key, value));
        }
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut first = vec![0u32; contributors.len() + 1];
        for (policy, number) in policies.iter().zip(0u32..) {
            for contributor in index.select(policy.selector.root()).iter() {
                pairs.push((contributor, number));
                first[contributor as usize + 1] += 1;
            }
        }
        for contributor in 0..contributors.len() {
            first[contributor + 1] += first[contributor];
        }
        let mut next = first.clone();
        let mut places = vec![0; pairs.len()];
        for (contributor, policy) in pairs {
            let place = &mut next[contributor as usize];
            places[*place as usize] = policy;
            *place += 1;
        }
        let needed = (0..policies.len()).filter(|number| policies[*number].assume_needed).collect();
        SelectedEverywhere { first, policies: places, needed }
    }

    /// What a node with these endpoints has to know.
    pub fn of(&self, local: &[u32]) -> Selected {
        let mut active = self.needed.clone();
        let mut by_endpoint: FxHashMap<u32, Vec<usize>> = FxHashMap::default();
        for contributor in local {
            let at = *contributor as usize;
            let own = &self.policies[self.first[at] as usize..self.first[at + 1] as usize];
            if !own.is_empty() {
                let own: Vec<usize> = own.iter().map(|policy| *policy as usize).collect();
                active.extend_from_slice(&own);
                by_endpoint.insert(*contributor, own);
            }
        }
        active.sort_unstable();
        active.dedup();
        Selected { active, by_endpoint }
    }
}
