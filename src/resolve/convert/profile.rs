//! Namespaces and service accounts → profiles: the labels that endpoints inherit, and the rules
//! that apply where no policy does.
//!
//! `libcalico-go/lib/backend/k8s/conversion/conversion.go:90` and `:740`, v3.32.1.

use super::draft::ignored;
use super::selectors::{NAME, NAMESPACE_PREFIX, SERVICE_ACCOUNT_PREFIX};
use crate::diagnostic::{Diagnostic, Location};
use crate::model::Resources;
use crate::model::meta::Meta;
use rustc_hash::FxHashMap;

/// Label with the name of a namespace, which the API server sees to
/// (`pkg/registry/core/namespace/strategy.go` of Kubernetes), so manifests need not have it.
const METADATA_NAME: &str = "kubernetes.io/metadata.name";

/// The profile that always exists (`libcalico-go/lib/resources/static.go:33`, v3.32.1).
pub const DEFAULT_ALLOW: &str = "projectcalico-default-allow";

/// A profile.
#[derive(Debug, Clone)]
pub struct Profile<'r> {
    /// labels that endpoints inherit, prefix included
    pub labels: Vec<(Box<str>, &'r str)>,
    /// allows everything both ways; otherwise it has no rules
    pub allows: bool,
    /// where the namespace or service account is written; `None` for the static one
    pub at: Option<Location>,
}

/// Profiles by name.
#[derive(Debug, Default)]
pub struct Profiles<'r>(FxHashMap<Box<str>, Profile<'r>>);

/// Name of a namespace's profile.
pub fn of_namespace(namespace: &str) -> Box<str> {
    format!("kns.{namespace}").into()
}

/// Name of a service account's profile.
pub fn of_account(namespace: &str, account: &str) -> Box<str> {
    format!("ksa.{namespace}.{account}").into()
}

impl<'r> Profiles<'r> {
    /// All profiles of a cluster.
    pub fn new(resources: &'r Resources, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut profiles = FxHashMap::default();
        let default = Profile { labels: Vec::new(), allows: true, at: None };
        profiles.insert(DEFAULT_ALLOW.into(), default);
        for namespace in &resources.namespaces {
            let meta = &namespace.meta;
            let mut labels = inherited(NAMESPACE_PREFIX, "Namespace", meta, diagnostics);
            let key = format!("{NAMESPACE_PREFIX}{METADATA_NAME}");
            if !labels.is_empty() && !labels.iter().any(|(own, _)| **own == *key) {
                labels.push((key.into(), &meta.name));
            }
            let profile = Profile { labels, allows: true, at: Some(meta.at) };
            profiles.insert(of_namespace(&meta.name), profile);
        }
        for account in &resources.service_accounts {
            let meta = &account.meta;
            let labels = inherited(SERVICE_ACCOUNT_PREFIX, "ServiceAccount", meta, diagnostics);
            let profile = Profile { labels, allows: false, at: Some(meta.at) };
            profiles.insert(of_account(&meta.namespace, &meta.name), profile);
        }
        for profile in &resources.profiles {
            let name = &*profile.meta.name;
            if !profiles.contains_key(name) && !name.starts_with("kns.") && !name.starts_with("ksa.") {
                let reason =
                    "with the Kubernetes datastore profiles come from namespaces and service accounts only";
                diagnostics.push(ignored("Profile", name, profile.meta.at, reason));
            }
        }
        Profiles(profiles)
    }

    /// All of them, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Profile<'r>)> {
        self.0.iter().map(|(name, profile)| (&**name, profile))
    }

    /// A profile by name.
    pub fn get(&self, name: &str) -> Option<&Profile<'r>> {
        self.0.get(name)
    }
}

/// The labels that endpoints inherit. Felix checks them after the prefix is added, and one that is
/// then too long takes all the others with it.
fn inherited<'r>(
    prefix: &str,
    kind: &str,
    meta: &'r Meta,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(Box<str>, &'r str)> {
    let odd = meta
        .labels
        .iter()
        .find(|(key, _)| !fits(prefix, key))
        .map(|(key, _)| format!("its label `{key}` is too long once `{prefix}` is put before it"))
        .or_else(|| (meta.name.len() > 63).then(|| "its name is too long for a label".to_owned()));
    if let Some(reason) = odd {
        diagnostics.push(Diagnostic::warning(
            "labels-ignored-by-felix",
            meta.at,
            format!("felix ignores all labels of {kind} `{}`: {reason}", meta.name),
        ));
        return Vec::new();
    }
    let mut labels: Vec<(Box<str>, &str)> = meta
        .labels
        .iter()
        .filter(|(key, _)| *key != NAME)
        .map(|(key, value)| (format!("{prefix}{key}").into(), value))
        .collect();
    labels.push((format!("{prefix}{NAME}").into(), &meta.name));
    labels
}

/// Whether a label's key is still one with the prefix before it: 63 characters of name, 253 of
/// domain (`k8s.io/apimachinery/pkg/util/validation/validation.go`).
fn fits(prefix: &str, key: &str) -> bool {
    match key.split_once('/') {
        Some((domain, _)) => prefix.len() + domain.len() <= 253,
        None => prefix.len() + key.len() <= 63,
    }
}
