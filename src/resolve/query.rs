//! Questions about a whole cluster, for checks and explanations: who a selector selects, what a set
//! stands for and has as members.

use super::bits::Bits;
use super::cluster::Cluster;
use super::contributors::Contributors;
use super::label_index::LabelIndex;
use super::members::Variant;
use super::policy::Policy;
use super::set_table::SetDefinition;
use super::view::{SetIndex, SetMeaning, SetMembers, Tier};
use crate::model::Resources;
use crate::model::calico::HostEndpoint;
use crate::model::core::Pod;
use crate::syntax::selector::{Node, Selector};

impl<'r> Cluster<'r> {
    /// The objects that it was made from.
    pub fn resources(&self) -> &'r Resources {
        self.resources
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
        self.members.of(self.sets.get(set), &self.contributors, variant)
    }

    /// The endpoints that declare a port that some rule names; `protocol` is one of Felix's words
    /// for it, `any` included.
    pub fn declaring(&self, port: &str, protocol: &str) -> Selection<'_, 'r> {
        let contributors = &self.contributors;
        let mut bits = Bits::none(contributors.len());
        self.members.declaring(port, protocol).for_each(|number| bits.insert(number));
        Selection { bits, contributors }
    }

    /// All sets that rules of the cluster refer to: Felix's id, and what it stands for.
    pub fn sets(&self) -> impl Iterator<Item = (Box<str>, &SetMeaning)> {
        self.sets.iter().map(|set: &SetDefinition| (set.id(), &set.meaning))
    }
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
