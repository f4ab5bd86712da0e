//! Lowered objects → what the cluster stores: what concerns several objects at once.

use super::calico::{IpPool, Tier};
use super::identity::{self, Index, Replaced};
use super::meta::Meta;
use super::{Acceptance, Api, Lowered, Outcome, Resource, Resources, Subject};
use crate::diagnostic::{Diagnostic, Severity};
use crate::version::Facts;
use indexmap::IndexMap;
use rustc_hash::FxHashSet;

/// What to do with objects that would not get into a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidMode {
    /// they make the input unusable
    Fail,
    /// leave them out, as a cluster would have, and say so in warnings
    Skip,
}

/// What a cluster stores, and everything there is to say about the way there.
#[derive(Debug)]
pub struct Collected {
    /// what is stored
    pub resources: Resources,
    /// in input order
    pub diagnostics: Vec<Diagnostic>,
    /// how many objects met which fate
    pub counts: Counts,
    /// the objects that became no resource, but those that are passed over
    pub turned_away: Vec<TurnedAway>,
    /// earlier texts of objects that come again later
    pub replaced: Vec<Subject>,
    /// annotations that accept findings, of objects of any fate
    pub acceptances: Vec<Acceptance>,
    /// whether the resources must not be used: an object is malformed, one object stops every
    /// Felix, or (with [`InvalidMode::Fail`]) one is turned away
    pub fatal: bool,
}

/// An object that became no resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnedAway {
    /// the object
    pub subject: Subject,
    /// why
    pub fate: Fate,
}

/// Why an object became no resource; see [`Outcome`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// the API server refuses it
    Refused,
    /// calicoctl rejects it
    Rejected,
    /// it is stored, and no Felix gets in sync
    NeverInSync,
    /// it is malformed
    Malformed,
}

/// How many objects met which fate.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// stored, replaced ones included
    pub stored: usize,
    /// replaced by a later text of the same object
    pub replaced: usize,
    /// refused by the API server
    pub refused: usize,
    /// rejected by calicoctl
    pub rejected: usize,
    /// stored, but no Felix gets in sync
    pub never_in_sync: usize,
    /// malformed
    pub malformed: usize,
    /// passed over, by `kind.group`, in the order of first appearance
    pub passed_over: IndexMap<Box<str>, usize>,
}

/// Brings objects together, in input order. They were lowered for the version of `facts`.
pub fn collect(lowered: Vec<Lowered>, invalid: InvalidMode, facts: &'static Facts) -> Collected {
    let tiers = tier_names(&lowered, facts);
    let mut collector = Collector {
        collected: Collected {
            resources: Resources { facts, ..Resources::default() },
            diagnostics: Vec::new(),
            counts: Counts::default(),
            turned_away: Vec::new(),
            replaced: Vec::new(),
            acceptances: Vec::new(),
            fatal: false,
        },
        index: Index::default(),
        invalid,
    };
    for mut object in lowered {
        collector.collected.acceptances.extend(object.acceptance.take().map(|boxed| *boxed));
        across(&mut object, &tiers, &collector.collected.resources.pools);
        collector.take(object);
    }
    let mut collected = collector.collected;
    add_built_in_tiers(&mut collected.resources.tiers, facts);
    collected
}

/// The tiers that exist once the whole input is applied.
fn tier_names(lowered: &[Lowered], facts: &Facts) -> FxHashSet<Box<str>> {
    let stored = lowered.iter().filter_map(|object| match &object.outcome {
        Outcome::Stored(Resource::Tier(tier)) => Some(tier.meta.name.clone()),
        _ => None,
    });
    stored.chain(facts.built_in_tiers.iter().map(|(name, ..)| (*name).into())).collect()
}

/// calicoctl's questions about other objects.
fn across(object: &mut Lowered, tiers: &FxHashSet<Box<str>>, pools: &[IpPool]) {
    let Outcome::Stored(resource) = &object.outcome else {
        return;
    };
    let diagnostic = match resource {
        // `libcalico-go/lib/clientv3/globalnetworkpolicy.go:47-53`, v3.32.1, and its siblings
        Resource::Policy(policy) if policy.api == Api::V3 && !tiers.contains(&policy.tier) => {
            let kind = identity::policy_kind(policy.kind);
            let message = format!("calicoctl rejects this {kind}: there is no Tier `{}`", policy.tier);
            Diagnostic::error("missing-tier", policy.meta.at, message)
                .help(format!("add a Tier `{}`, or correct `spec.tier`", policy.tier))
        }
        // `libcalico-go/lib/clientv3/ippool.go:393-417`, v3.32.1
        Resource::IpPool(pool) if pool.api == Api::V3 => {
            let net = pool.cidr.value;
            let overlaps = |other: &&IpPool| {
                other.meta.name != pool.meta.name
                    && (other.cidr.value.contains(&net) || net.contains(&other.cidr.value))
            };
            // an update of a pool that exists is not asked
            if pools.iter().any(|other| other.meta.name == pool.meta.name) {
                return;
            }
            let Some(other) = pools.iter().find(overlaps) else {
                return;
            };
            let message = format!(
                "calicoctl rejects this IPPool: `{net}` overlaps `{}` of IPPool `{}`",
                other.cidr.value, other.meta.name
            );
            Diagnostic::error("pools-overlap", pool.cidr.at, message)
                .related(other.cidr.at, "the other pool")
                .help("give each pool a range of its own")
        }
        _ => return,
    };
    object.diagnostics.push(diagnostic);
    object.subject = identity::subject(resource).map(Box::new);
    object.outcome = Outcome::RejectedByCalicoctl;
}

fn add_built_in_tiers(tiers: &mut Vec<Tier>, facts: &Facts) {
    for &(name, order, default_pass) in facts.built_in_tiers {
        if !tiers.iter().any(|tier| &*tier.meta.name == name) {
            tiers.push(Tier { meta: Meta::built_in(name), api: Api::V3, order: Some(order), default_pass });
        }
    }
}

struct Collector {
    collected: Collected,
    index: Index,
    invalid: InvalidMode,
}

impl Collector {
    fn take(&mut self, object: Lowered) {
        let counts = &mut self.collected.counts;
        let turned_away = matches!(object.outcome, Outcome::RefusedBySchema | Outcome::RejectedByCalicoctl);
        let softened = turned_away && self.invalid == InvalidMode::Skip;
        self.collected.diagnostics.extend(object.diagnostics.into_iter().map(|mut diagnostic| {
            if softened && diagnostic.severity == Severity::Error {
                diagnostic.severity = Severity::Warning;
            }
            diagnostic
        }));
        let (count, fate) = match object.outcome {
            Outcome::Stored(resource) => {
                counts.stored += 1;
                return self.store(resource);
            }
            Outcome::PassedOver => {
                if let Some(subject) = object.subject {
                    *counts.passed_over.entry(subject.kind_and_group()).or_default() += 1;
                }
                return;
            }
            Outcome::RefusedBySchema => (&mut counts.refused, Fate::Refused),
            Outcome::RejectedByCalicoctl => (&mut counts.rejected, Fate::Rejected),
            Outcome::NeverInSync => (&mut counts.never_in_sync, Fate::NeverInSync),
            Outcome::Malformed => (&mut counts.malformed, Fate::Malformed),
        };
        *count += 1;
        self.collected.fatal |= !softened;
        if let Some(subject) = object.subject {
            self.collected.turned_away.push(TurnedAway { subject: *subject, fate });
        }
    }

    fn store(&mut self, resource: Resource) {
        let to = &mut self.collected.resources;
        let index = &mut self.index;
        let replaced = match resource {
            Resource::Namespace(x) => index.put(&mut to.namespaces, *x),
            Resource::ServiceAccount(x) => index.put(&mut to.service_accounts, *x),
            Resource::Node(x) => index.put(&mut to.nodes, *x),
            Resource::Pod(x) => index.put(&mut to.pods, x),
            Resource::Service(x) => index.put(&mut to.services, *x),
            Resource::Endpoints(x) => index.put(&mut to.endpoints, *x),
            Resource::EndpointSlice(x) => index.put(&mut to.endpoint_slices, *x),
            Resource::CalicoNode(x) => {
                let replaced = to.calico_node.as_ref().map(|old| Replaced::new(old, &*x));
                to.calico_node = Some(*x);
                replaced
            }
            Resource::KubeProxy(x) => {
                let replaced = to.kube_proxy.as_ref().map(|old| Replaced::new(old, &*x));
                to.kube_proxy = Some(*x);
                replaced
            }
            Resource::Controller(x) => index.put(&mut to.controllers, *x),
            Resource::NetworkPolicy(x) => index.put(&mut to.network_policies, *x),
            Resource::ClusterNetworkPolicy(x) => index.put(&mut to.cluster_policies, *x),
            Resource::Policy(x) => index.put(&mut to.policies, *x),
            Resource::Tier(x) => index.put(&mut to.tiers, *x),
            Resource::NetworkSet(x) => index.put(&mut to.network_sets, *x),
            Resource::HostEndpoint(x) => index.put(&mut to.host_endpoints, *x),
            Resource::Profile(x) => index.put(&mut to.profiles, *x),
            Resource::IpPool(x) => index.put(&mut to.pools, *x),
            Resource::FelixConfiguration(x) => index.put(&mut to.felix_configurations, *x),
            Resource::BgpConfiguration(x) => index.put(&mut to.bgp_configurations, *x),
            Resource::ClusterInformation(x) => index.put(&mut to.cluster_informations, *x),
        };
        if let Some(Replaced { old, new }) = replaced {
            self.collected.counts.replaced += 1;
            let message =
                format!("this text of {} replaces an earlier one, of which nothing is used", old.called());
            self.collected.diagnostics.push(
                Diagnostic::warning("replaced-object", new, message)
                    .related(old.at, "the earlier text")
                    .help("give each object a name of its own, or remove one of the texts"),
            );
            self.collected.replaced.push(old);
        }
    }
}
