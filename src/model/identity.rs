//! Which texts speak of the same object.

use super::calico::PolicyKind;
use super::meta::Meta;
use super::{Api, Resource, Resources, calico, cluster_policy, core, network_policy};
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
    /// The kind and the name, as messages call it: ``Tier `security` ``.
    pub fn called(&self) -> String {
        match &*self.namespace {
            "" => format!("{} `{}`", self.kind, self.name),
            namespace => format!("{} `{namespace}/{}`", self.kind, self.name),
        }
    }

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
    /// the API that it came through
    fn api_version(&self) -> &str;
    /// where it is written
    fn at(&self) -> Location;

    /// The object, for reports.
    fn subject(&self) -> Subject {
        let (kind, namespace, name) = self.key();
        Subject {
            api_version: self.api_version().into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
            at: self.at(),
        }
    }
}

macro_rules! identified {
    ($($type:ty => $class:expr, $api:expr);* $(;)?) => {
        $(impl Identified for $type {
            fn key(&self) -> Key<'_> {
                let class: fn(&$type) -> &str = $class;
                (class(self), &self.meta.namespace, &self.meta.name)
            }
            fn api_version(&self) -> &str {
                let api: fn(&$type) -> &str = $api;
                api(self)
            }
            fn at(&self) -> Location {
                self.meta.at
            }
        })*
    };
}

identified! {
    core::Namespace => |_| "Namespace", |_| "v1";
    core::ServiceAccount => |_| "ServiceAccount", |_| "v1";
    core::Node => |_| "Node", |_| "v1";
    core::Service => |_| "Service", |_| "v1";
    core::Endpoints => |_| "Endpoints", |_| "v1";
    core::EndpointSlice => |_| "EndpointSlice", |_| "discovery.k8s.io/v1";
    core::CalicoNode => |_| "DaemonSet", |_| "apps/v1";
    core::KubeProxy => |_| "KubeProxyConfiguration", |_| "kubeproxy.config.k8s.io/v1alpha1";
    core::Controller => |controller| &controller.kind, |controller| match &*controller.kind {
        "Job" | "CronJob" => "batch/v1",
        _ => "apps/v1",
    };
    network_policy::NetworkPolicy => |policy| match policy.staged {
        Some(_) => "StagedKubernetesNetworkPolicy",
        None => "NetworkPolicy",
    }, |policy| match policy.staged {
        Some(_) => Api::V3.api_version(),
        None => "networking.k8s.io/v1",
    };
    cluster_policy::ClusterNetworkPolicy => |policy| policy.kind.name(), |policy| policy.kind.api_version();
    calico::Tier => |_| "Tier", |tier| tier.api.api_version();
    calico::NetworkSet => |set| if set.global { "GlobalNetworkSet" } else { "NetworkSet" },
        |set| set.api.api_version();
    calico::HostEndpoint => |_| "HostEndpoint", |endpoint| endpoint.api.api_version();
    calico::Profile => |_| "Profile", |profile| profile.api.api_version();
    calico::IpPool => |_| "IPPool", |pool| pool.api.api_version();
    calico::FelixConfiguration => |_| "FelixConfiguration", |configuration| configuration.api.api_version();
    calico::BgpConfiguration => |_| "BGPConfiguration", |configuration| configuration.api.api_version();
    calico::ClusterInformation => |_| "ClusterInformation", |_| Api::V3.api_version();
}

impl Identified for calico::Policy {
    fn key(&self) -> Key<'_> {
        (policy_kind(self.kind), &self.meta.namespace, &self.stored_name)
    }
    fn api_version(&self) -> &str {
        self.api.api_version()
    }
    fn at(&self) -> Location {
        self.meta.at
    }

    fn subject(&self) -> Subject {
        Subject {
            api_version: self.api_version().into(),
            kind: policy_kind(self.kind).into(),
            namespace: self.meta.namespace.clone(),
            name: self.meta.name.clone(),
            at: self.at(),
        }
    }
}

impl Identified for core::Pod {
    fn key(&self) -> Key<'_> {
        ("Pod", &self.namespace, &self.name)
    }
    fn api_version(&self) -> &str {
        "v1"
    }
    fn at(&self) -> Location {
        self.at
    }
}

impl<T: Identified> Identified for Box<T> {
    fn key(&self) -> Key<'_> {
        (**self).key()
    }
    fn api_version(&self) -> &str {
        (**self).api_version()
    }
    fn at(&self) -> Location {
        (**self).at()
    }
}

/// Every object that a cluster stores, by where it is written. Built-in objects are not among them.
pub fn subjects(resources: &Resources) -> Vec<Subject> {
    fn add<T: Identified>(subjects: &mut Vec<Subject>, objects: &[T]) {
        let written = objects.iter().filter(|object| object.at().file != Meta::NOWHERE);
        subjects.extend(written.map(Identified::subject));
    }
    let Resources {
        facts: _,
        namespaces,
        service_accounts,
        nodes,
        pods,
        services,
        endpoints,
        endpoint_slices,
        calico_node,
        kube_proxy,
        controllers,
        network_policies,
        cluster_policies,
        policies,
        tiers,
        network_sets,
        host_endpoints,
        profiles,
        pools,
        felix_configurations,
        bgp_configurations,
        cluster_informations,
    } = resources;
    let mut subjects = Vec::new();
    add(&mut subjects, namespaces);
    add(&mut subjects, service_accounts);
    add(&mut subjects, nodes);
    add(&mut subjects, pods);
    add(&mut subjects, services);
    add(&mut subjects, endpoints);
    add(&mut subjects, endpoint_slices);
    add(&mut subjects, calico_node.as_slice());
    add(&mut subjects, kube_proxy.as_slice());
    add(&mut subjects, controllers);
    add(&mut subjects, network_policies);
    add(&mut subjects, cluster_policies);
    add(&mut subjects, policies);
    add(&mut subjects, tiers);
    add(&mut subjects, network_sets);
    add(&mut subjects, host_endpoints);
    add(&mut subjects, profiles);
    add(&mut subjects, pools);
    add(&mut subjects, felix_configurations);
    add(&mut subjects, bgp_configurations);
    add(&mut subjects, cluster_informations);
    subjects.sort_by_key(|subject| subject.at);
    subjects
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
    match resource {
        Resource::Policy(policy) => Some(policy.subject()),
        Resource::IpPool(pool) => Some(pool.subject()),
        _ => None,
    }
}

/// A text that took the place of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// the earlier text
    pub old: Subject,
    /// where the later text is
    pub new: Location,
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
        Replaced { old: old.subject(), new: new.at() }
    }
}
