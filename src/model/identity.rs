//! Which texts speak of the same object.

use super::calico::PolicyKind;
use super::{Resource, calico, cluster_policy, core, network_policy};
use crate::diagnostic::Location;
use rustc_hash::FxHashMap;
use std::hash::{BuildHasher, RandomState};

/// An object that became no resource, for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// `apiVersion`, "" if absent
    pub api_version: Box<str>,
    /// `kind`, "" if absent
    pub kind: Box<str>,
    /// `metadata.namespace` as written, "" if absent
    pub namespace: Box<str>,
    /// `metadata.name`, "" if absent
    pub name: Box<str>,
    /// where the object begins
    pub at: Location,
}

impl Subject {
    /// `kind.group`, or `kind` for Kubernetes' core group.
    pub fn kind_and_group(&self) -> Box<str> {
        match self.api_version.split_once('/') {
            Some((group, _)) => format!("{}.{group}", self.kind).into(),
            None => self.kind.clone(),
        }
    }
}

/// What the identity of an object consists of: class, namespace and name. The two doors of Calico's
/// kinds lead to the same object, so the class does not know them.
type Key<'k> = (&'k str, &'k str, &'k str);

/// Something with an identity.
pub trait Identified {
    /// its identity
    fn key(&self) -> Key<'_>;
    /// where it is written
    fn at(&self) -> Location;
}

macro_rules! identified {
    ($($type:ty => $class:expr),* $(,)?) => {
        $(impl Identified for $type {
            fn key(&self) -> Key<'_> {
                let class: fn(&$type) -> &str = $class;
                (class(self), &self.meta.namespace, &self.meta.name)
            }
            fn at(&self) -> Location {
                self.meta.at
            }
        })*
    };
}

identified! {
    core::Namespace => |_| "Namespace",
    core::ServiceAccount => |_| "ServiceAccount",
    core::Node => |_| "Node",
    core::Service => |_| "Service",
    core::Endpoints => |_| "Endpoints",
    core::EndpointSlice => |_| "EndpointSlice",
    core::CalicoNode => |_| "DaemonSet",
    core::Controller => |controller| &controller.kind,
    network_policy::NetworkPolicy => |policy| match policy.staged {
        Some(_) => "StagedKubernetesNetworkPolicy",
        None => "NetworkPolicy",
    },
    cluster_policy::ClusterNetworkPolicy => |_| "ClusterNetworkPolicy",
    calico::Policy => |policy| policy_kind(policy.kind),
    calico::Tier => |_| "Tier",
    calico::NetworkSet => |set| if set.global { "GlobalNetworkSet" } else { "NetworkSet" },
    calico::HostEndpoint => |_| "HostEndpoint",
    calico::Profile => |_| "Profile",
    calico::IpPool => |_| "IPPool",
    calico::FelixConfiguration => |_| "FelixConfiguration",
    calico::BgpConfiguration => |_| "BGPConfiguration",
    calico::ClusterInformation => |_| "ClusterInformation",
}

impl Identified for core::Pod {
    fn key(&self) -> Key<'_> {
        ("Pod", &self.namespace, &self.name)
    }
    fn at(&self) -> Location {
        self.at
    }
}

/// The API name of a kind of Calico policy.
pub fn policy_kind(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::NetworkPolicy => "NetworkPolicy",
        PolicyKind::GlobalNetworkPolicy => "GlobalNetworkPolicy",
        PolicyKind::StagedNetworkPolicy => "StagedNetworkPolicy",
        PolicyKind::StagedGlobalNetworkPolicy => "StagedGlobalNetworkPolicy",
    }
}

/// The subject of a Calico resource that is turned away after it was lowered.
pub fn subject(resource: &Resource) -> Option<Subject> {
    let (item, api): (&dyn Identified, _) = match resource {
        Resource::Policy(policy) => (policy, policy.api),
        Resource::IpPool(pool) => (pool, pool.api),
        _ => return None,
    };
    let (kind, namespace, name) = item.key();
    Some(Subject {
        api_version: api.api_version().into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
        at: item.at(),
    })
}

/// A text that took the place of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// where the earlier text is
    pub old: Location,
    /// where the later text is
    pub new: Location,
    /// the object
    pub what: String,
}

/// Where in its list each object is, by the hash of its identity.
///
/// The keys of the hash are random, so that nobody can write names that collide on purpose.
#[derive(Default)]
pub struct Index {
    random: RandomState,
    by_hash: FxHashMap<(u64, &'static str), u32>,
    /// objects whose hash was taken by another
    collided: Vec<(u64, &'static str, u32)>,
}

impl Index {
    /// Appends an object to its list, or puts it in the place of an earlier text of the same object.
    pub fn put<T: Identified>(&mut self, list: &mut Vec<T>, item: T) -> Option<Replaced> {
        let hash = self.random.hash_one(item.key());
        let kind = std::any::type_name::<T>();
        let same = |&position: &u32| list[position as usize].key() == item.key();
        let first = self.by_hash.get(&(hash, kind)).copied();
        let found = first.filter(same).or_else(|| {
            let collided = self.collided.iter().filter(|(h, k, _)| (*h, *k) == (hash, kind));
            collided.map(|(.., position)| *position).find(same)
        });
        if let Some(position) = found {
            let old = &mut list[position as usize];
            let replaced = Replaced::new(&*old, &item);
            *old = item;
            return Some(replaced);
        }
        let position = list.len() as u32;
        match first {
            Some(_) => self.collided.push((hash, kind, position)),
            None => {
                self.by_hash.insert((hash, kind), position);
            }
        }
        list.push(item);
        None
    }
}

impl Replaced {
    /// `new` took the place of `old`.
    pub fn new<T: Identified>(old: &T, new: &T) -> Self {
        let (class, namespace, name) = new.key();
        let what = match namespace {
            "" => format!("{class} `{name}`"),
            namespace => format!("{class} `{namespace}/{name}`"),
        };
        Replaced { old: old.at(), new: new.at(), what }
    }
}
