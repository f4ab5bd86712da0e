//! Questions about a whole cluster, for checks and explanations: who a selector selects, what a set
//! stands for and has as members.

use super::active::{each_set, pod_profiles};
use super::bits::Bits;
use super::cluster::Cluster;
use super::contributors::Contributors;
use super::convert::pod;
use super::label_index::LabelIndex;
use super::members::Variant;
use super::policy::Policy;
use super::view::{SetIndex, SetMeaning, SetMembers, Tier};
use crate::diagnostic::Location;
use crate::model::Resources;
use crate::model::calico::HostEndpoint;
use crate::model::core::Pod;
use crate::syntax::selector::{Node, Selector};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

impl<'r> Cluster<'r> {
    /// The objects that it was made from.
    pub fn resources(&self) -> &'r Resources {
        self.resources
    }

    /// The address that Calico knows a node by, in one family, with its length if that is known.
    pub fn node_net(&self, node: &str, v4: bool) -> Option<IpNet> {
        self.nodes.iter().find(|facts| *facts.node.meta.name == *node)?.calico_net(v4)
    }

    /// Addresses of a node: those that its Node object says, and Calico's.
    pub fn node_addresses(&self, node: &str) -> Vec<IpAddr> {
        let facts = self.nodes.iter().filter(|facts| *facts.node.meta.name == *node);
        facts.flat_map(|facts| facts.internal.iter().chain(&facts.external)).map(|net| net.addr()).collect()
    }

    /// The policies that Felix accepts, in evaluation order, staged ones included.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// All tiers in evaluation order, also those that only policies name.
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// Every pod that Felix hears of: those with an address, in a phase and on a network of theirs.
    pub fn pods(&self) -> &[&'r Pod] {
        &self.contributors.pods
    }

    /// All labels of everything that selectors can select.
    pub fn everyone(&self) -> Everyone<'_, 'r> {
        let contributors = &self.contributors;
        let mut labels = LabelIndex::of_everything(contributors.len());
        for number in 0..contributors.len() as u32 {
            contributors
                .each_label(number, &self.profiles, &mut |key, value| labels.add_next(number, key, value));
        }
        Everyone { labels, contributors }
    }

    /// What a set of the cluster's rules stands for.
    pub fn set_meaning(&self, set: SetIndex) -> &SetMeaning {
        &self.sets.get(set).meaning
    }

    /// Whom the selector of a set selects; `None` for the set of a service.
    pub fn set_selector(&self, set: SetIndex) -> Option<&Selector> {
        self.sets.get(set).selector.as_deref()
    }

    /// The members of a set, by Felix's default configuration.
    pub fn set_members(&self, set: SetIndex) -> &SetMembers {
        let variant = Variant { spoofing: false, keep_covered: false };
        &self.members.of(self.sets.get(set), &self.contributors, variant).members
    }

    /// The endpoints that declare a port that some rule names; `protocol` is one of Felix's words
    /// for it, `any` included.
    pub fn declaring(&self, port: &str, protocol: &str) -> Selection<'_, 'r> {
        let contributors = &self.contributors;
        let mut bits = Bits::none(contributors.len());
        self.members.declaring(port, protocol).for_each(|number| bits.insert(number));
        Selection { bits, contributors }
    }

    /// All sets that rules of the cluster refer to: index, Felix's id, and what it stands for.
    pub fn sets(&self) -> impl Iterator<Item = (SetIndex, Box<str>, &SetMeaning)> {
        (0..).map(SetIndex).zip(self.sets.iter()).map(|(index, set)| (index, set.id(), &set.meaning))
    }

    /// The policies with a rule that refers to a set.
    pub fn policies_with_set(&self, set: SetIndex) -> impl Iterator<Item = &Policy> {
        self.policies.iter().filter(move |policy| {
            let mut refers = false;
            policy.inbound.iter().chain(&policy.outbound).for_each(|rule| {
                each_set(rule, &mut |own| refers |= own == set);
            });
            refers
        })
    }

    /// All profiles, and those that endpoints name and nobody has, sorted by name.
    pub fn profiles(&self) -> Vec<ProfileFacts> {
        let mut all: BTreeMap<Box<str>, ProfileFacts> = BTreeMap::new();
        for (name, profile) in self.profiles.iter() {
            let verdict = if profile.allows { ProfileVerdict::Allows } else { ProfileVerdict::None };
            all.insert(name.into(), ProfileFacts { name: name.into(), at: profile.at, verdict });
        }
        let pods = self.pods().iter().flat_map(|pod| pod_profiles(pod));
        let hosts = self.resources.host_endpoints.iter().flat_map(|host| &host.profiles);
        for name in pods.chain(hosts.map(|profile| profile.value.clone())) {
            all.entry(name.clone()).or_insert(ProfileFacts {
                name,
                at: None,
                verdict: ProfileVerdict::Denies,
            });
        }
        all.into_values().collect()
    }

    /// The name of a pod's interface on its node.
    pub fn interface(&self, pod: &Pod) -> Box<str> {
        pod::interface_name(self.interface_prefix, &pod.namespace, &pod.name)
    }
}

/// A profile, for explanations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileFacts {
    /// its name
    pub name: Box<str>,
    /// where the namespace or service account is written
    pub at: Option<Location>,
    /// what it does to traffic that no policy decides about
    pub verdict: ProfileVerdict,
}

/// What a profile does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileVerdict {
    /// it allows everything
    Allows,
    /// it has no rules
    None,
    /// it does not exist, and denies everything
    Denies,
}

/// Everything that selectors can select: pods, host endpoints and network sets, by their labels.
#[derive(Debug)]
pub struct Everyone<'c, 'r> {
    labels: LabelIndex<'r>,
    contributors: &'c Contributors<'r>,
}

impl<'c, 'r> Everyone<'c, 'r> {
    /// Whom a selector selects.
    pub fn select(&self, selector: &Selector) -> Selection<'c, 'r> {
        self.select_part(selector.root())
    }

    /// All pods and host endpoints.
    pub fn endpoints(&self) -> Selection<'c, 'r> {
        let contributors = self.contributors;
        let mut bits = Bits::none(contributors.len());
        bits.insert_range(0, contributors.pods.len() as u32);
        contributors.hosts().for_each(|(number, _)| bits.insert(number));
        Selection { bits, contributors }
    }

    /// A selection of nobody.
    pub fn nobody(&self) -> Selection<'c, 'r> {
        Selection { bits: Bits::none(self.contributors.len()), contributors: self.contributors }
    }

    /// Whom a part of a selector selects.
    pub fn select_part(&self, part: &Node) -> Selection<'c, 'r> {
        Selection { bits: self.labels.select(part), contributors: self.contributors }
    }
}

/// Whom a selector selects.
#[derive(Debug, Clone)]
pub struct Selection<'c, 'r> {
    bits: Bits,
    contributors: &'c Contributors<'r>,
}

impl<'c, 'r> Selection<'c, 'r> {
    /// The pods.
    pub fn pods(&self) -> impl Iterator<Item = &'r Pod> + '_ {
        let pods = self.contributors.pods.len() as u32;
        self.bits.iter().take_while(move |number| *number < pods).map(|n| self.contributors.pods[n as usize])
    }

    /// The host endpoints.
    pub fn host_endpoints(&self) -> impl Iterator<Item = &'r HostEndpoint> + '_ {
        self.contributors.hosts().filter(|(number, _)| self.bits.contains(*number)).map(|(_, host)| host)
    }

    /// Numbers of those that it has, ascending; they are the same in all selections of a cluster.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.bits.iter()
    }

    /// A number that is larger than all that a selection of the cluster may have.
    pub fn limit(&self) -> usize {
        self.contributors.len()
    }

    /// Whether no pod and no host endpoint is among them: then no policy with this selector applies
    /// to anything.
    pub fn has_no_endpoint(&self) -> bool {
        self.pods().next().is_none() && self.host_endpoints().next().is_none()
    }

    /// Whether nothing at all is selected, not even a network set.
    pub fn is_empty(&self) -> bool {
        self.bits.is_empty()
    }

    /// Whether both select the same.
    pub fn is_same(&self, other: &Selection<'_, '_>) -> bool {
        self.bits == other.bits
    }

    /// Keeps whom another selection has as well.
    pub fn intersect(&mut self, other: &Selection<'_, '_>) {
        self.bits.intersect(&other.bits);
    }

    /// Adds whom another selection has.
    pub fn unite(&mut self, other: &Selection<'_, '_>) {
        self.bits.unite(&other.bits);
    }

    /// Takes out whom another selection has.
    pub fn subtract(&mut self, other: &Selection<'_, '_>) {
        self.bits.subtract(&other.bits);
    }

    /// How many network sets there are.
    pub fn network_sets(&self) -> usize {
        let others = (self.contributors.pods.len() as u32..).zip(&self.contributors.others);
        others.filter(|(number, other)| other.host.is_none() && self.bits.contains(*number)).count()
    }
}
