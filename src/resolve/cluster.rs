//! What is the same for every node.

use super::absent_pods;
use super::active;
use super::contributor_scan::{self, Scanned};
use super::contributors::Contributors;
use super::convert::profile::Profiles;
use super::members::{self, MemberIndex};
use super::node_facts::NodeFacts;
use super::policy::{self, Policy};
use super::selected_everywhere::SelectedEverywhere;
use super::set_table::SetTable;
use super::tier;
use super::view::Tier;
use crate::diagnostic::Diagnostic;
use crate::model::Resources;
use crate::syntax::selector::{self, Selector};

/// Whom Istio's ambient mode covers (`felix/calc/istio_calculator.go:34`, v3.32.1).
const ISTIO: &str = "pcns.istio.io/dataplane-mode == 'ambient' && istio.io/dataplane-mode != 'none' \
                     || istio.io/dataplane-mode == 'ambient'";

/// A cluster, ready to be looked at from any of its nodes.
#[derive(Debug)]
pub struct Cluster<'r> {
    pub(super) resources: &'r Resources,
    pub(super) profiles: Profiles<'r>,
    pub(super) contributors: Contributors<'r>,
    /// in evaluation order
    pub(super) policies: Vec<Policy>,
    /// of each of them the place in the order of their ids
    pub(super) by_id: Vec<u32>,
    pub(super) tiers: Vec<Tier>,
    pub(super) sets: SetTable,
    pub(super) members: MemberIndex<'r>,
    pub(super) nodes: Vec<NodeFacts<'r>>,
    /// whom Istio's ambient mode covers
    pub(super) istio: Selector,
    /// prefix of the names of pods' interfaces
    pub(super) interface_prefix: &'r str,
    names: Vec<&'r str>,
    /// if all nodes are wanted
    pub(super) everywhere: Option<SelectedEverywhere>,
    diagnostics: Vec<Diagnostic>,
}

impl<'r> Cluster<'r> {
    /// Converts and indexes everything.
    pub fn new(resources: &'r Resources) -> Self {
        let mut diagnostics = Vec::new();
        let profiles = Profiles::new(resources, &mut diagnostics);
        let mut sets = SetTable::default();
        let mut policies = policy::all(resources, &mut sets, &mut diagnostics);
        let numbers = sets.renumber();
        for policy in &mut policies {
            policy
                .inbound
                .iter_mut()
                .chain(&mut policy.outbound)
                .for_each(|rule| active::renumber(rule, &numbers));
        }
        let tiers = tier::all(resources, policies.iter().map(|policy| &*policy.tier));
        tier::sort(&mut policies, &tiers, resources.facts.equal_order);
        let mut order: Vec<usize> = (0..policies.len()).collect();
        order.sort_by(|a, b| policies[*a].id.cmp(&policies[*b].id));
        let mut by_id = vec![0; order.len()];
        order.into_iter().zip(0..).for_each(|(policy, place)| by_id[policy] = place);
        absent_pods::note(resources, &profiles, &policies, &mut diagnostics);
        let istio = selector::parse(ISTIO).expect("Felix's own selector parses");
        let (labels, ports) = (members::wanted_labels(&sets, &[&istio]), members::wanted_ports(&sets));
        let Scanned { contributors, labels, ports } =
            contributor_scan::scan(resources, &profiles, labels, ports, &mut diagnostics);
        let members = MemberIndex::new(resources, &sets, labels, ports);
        let mut names: Vec<&str> = resources.nodes.iter().map(|node| &*node.meta.name).collect();
        names.extend(contributors.by_node.keys());
        names.extend(contributors.without_address.iter().map(|pod| &*pod.node));
        names.extend(&contributors.foreign_nodes);
        names.retain(|name| !name.is_empty());
        names.sort_unstable();
        names.dedup();
        let nodes = resources.nodes.iter().map(NodeFacts::new).collect();
        let interface_prefix = interface_prefix(resources);
        Cluster {
            resources,
            profiles,
            contributors,
            policies,
            by_id,
            tiers,
            sets,
            members,
            nodes,
            istio,
            interface_prefix,
            names,
            everywhere: None,
            diagnostics,
        }
    }

    /// Prepares for views of many nodes: they are the same, each costs less, and all of them together pay for
    /// this from about ten nodes on.
    #[must_use]
    pub fn for_many_nodes(mut self) -> Self {
        self.everywhere = Some(SelectedEverywhere::new(&self.policies, &self.contributors, &self.profiles));
        self
    }

    /// What there is to say whatever the node: objects that Felix ignores, above all.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Names of all nodes, sorted: those with a Node object and those that pods run on.
    pub fn node_names(&self) -> impl Iterator<Item = &'r str> + '_ {
        self.names.iter().copied()
    }

    pub(super) fn has_node(&self, name: &str) -> bool {
        self.names.binary_search(&name).is_ok()
    }
}

/// The first prefix of calico-node's environment. The configuration of Felix does not matter here
/// (`libcalico-go/lib/backend/k8s/conversion/workload_endpoint_default.go:82`, v3.32.1).
fn interface_prefix(resources: &Resources) -> &str {
    let variables = resources.calico_node.iter().flat_map(|node| &node.env);
    let given = variables
        .filter(|(name, _)| &*name.value == "FELIX_INTERFACEPREFIX")
        .filter_map(|(_, value)| value.as_ref())
        .next_back()
        .map_or("", |value| &*value.value);
    if given.is_empty() { "cali" } else { given.split(',').next().unwrap_or_default() }
}
