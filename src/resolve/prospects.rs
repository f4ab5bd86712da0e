//! Pods that no selector selects although their labels would fit: pods on the host's network, pods
//! without address, and those that controllers of the input are going to make.
//!
//! They tell a selector that is wrong from one that only selects nothing yet.

use super::cluster::Cluster;
use super::contributors::Contributors;
use super::convert::pod::{self, Fate};
use super::convert::profile::{self, Profiles};
use super::convert::selectors::{NAME, NAMESPACE_PREFIX};
use super::convert::selectors::{NAMESPACE, ORCHESTRATOR, SERVICE_ACCOUNT, SERVICE_ACCOUNT_PREFIX};
use super::label_index::LabelIndex;
use crate::model::core::{Controller, Pod};
use crate::model::labels::Labels;
use crate::syntax::selector::Selector;

/// A pod that selectors pass over.
#[derive(Debug, Clone, Copy)]
pub enum Prospect<'r> {
    /// a pod on the host's network, which is no endpoint
    HostNetwork(&'r Pod),
    /// a pod that is no endpoint yet, or no longer
    WithoutAddress(&'r Pod),
    /// a pod that a controller makes, or would make
    Made(&'r Controller),
}

/// All pods that selectors pass over, by their labels.
#[derive(Debug)]
pub struct Prospects<'r> {
    all: Vec<Prospect<'r>>,
    labels: LabelIndex<'r>,
    /// a controller's pods have a service account that is not known here
    controllers: bool,
    /// pods exist whose Namespace object does not
    namespaces_missing: bool,
    /// pods exist whose ServiceAccount object does not
    accounts_missing: bool,
}

impl<'r> Cluster<'r> {
    /// The pods that selectors pass over.
    pub fn prospects(&self) -> Prospects<'r> {
        let mut addresses = Vec::new();
        let pods = self.resources.pods.iter().filter_map(|pod| match pod::classify(pod, &mut addresses) {
            Fate::Endpoint => None,
            _ if pod.host_network => Some(Prospect::HostNetwork(pod)),
            _ => Some(Prospect::WithoutAddress(pod)),
        });
        let made = self.resources.controllers.iter().map(Prospect::Made);
        let all: Vec<Prospect<'_>> = pods.chain(made).collect();
        let mut labels = LabelIndex::of_everything(all.len());
        for (number, prospect) in (0..).zip(&all) {
            prospect.each_label(&self.profiles, &mut |key, value| labels.add_next(number, key, value));
        }
        let (namespaces_missing, accounts_missing) = missing(&self.contributors, &self.profiles);
        let controllers = !self.resources.controllers.is_empty();
        Prospects { all, labels, controllers, namespaces_missing, accounts_missing }
    }
}

/// Whether pods lack the object of their namespace, or of their service account.
fn missing(contributors: &Contributors<'_>, profiles: &Profiles<'_>) -> (bool, bool) {
    let (mut namespace, mut account) = (false, false);
    let mut last = None;
    for pod in &contributors.pods {
        // pods of one namespace and account are next to each other
        let group = (&*pod.namespace, &*pod.service_account);
        if last.replace(group) != Some(group) {
            namespace |= profiles.get(&profile::of_namespace(group.0)).is_none();
            account |= !group.1.is_empty() && profiles.get(&profile::of_account(group.0, group.1)).is_none();
        }
    }
    (namespace, account)
}

impl<'r> Prospects<'r> {
    /// Those that a selector would select.
    pub fn matching(&self, selector: &Selector) -> impl Iterator<Item = Prospect<'r>> + '_ {
        let found: Vec<u32> = self.labels.select(selector.root()).iter().collect();
        found.into_iter().filter_map(|number| self.all.get(number as usize).copied())
    }

    /// Whether a selector asks for labels that the input does not have: those of namespaces and
    /// service accounts that are only mentioned.
    pub fn asks_for_unknown(&self, selector: &Selector) -> bool {
        let mut unknown = false;
        selector.root().each_label(&mut |key| {
            let inherited = |prefix: &str| key.strip_prefix(prefix).is_some_and(|own| own != NAME);
            unknown |= self.namespaces_missing && inherited(NAMESPACE_PREFIX);
            unknown |= self.accounts_missing && inherited(SERVICE_ACCOUNT_PREFIX);
            let account = key == SERVICE_ACCOUNT || key.starts_with(SERVICE_ACCOUNT_PREFIX);
            unknown |= self.controllers && account;
        });
        unknown
    }
}

impl<'r> Prospect<'r> {
    fn each_label(&self, profiles: &Profiles<'r>, visit: &mut dyn FnMut(&str, &'r str)) {
        let namespace: &'r str = match *self {
            Prospect::HostNetwork(pod) | Prospect::WithoutAddress(pod) => {
                pod::each_own_label(pod, visit);
                let account = profile::of_account(&pod.namespace, &pod.service_account);
                inherit(profiles, &account, visit);
                &pod.namespace
            }
            Prospect::Made(controller) => {
                let labels: &'r Labels = &controller.pod_labels;
                labels
                    .iter()
                    .filter(|(key, _)| *key != NAMESPACE && *key != ORCHESTRATOR)
                    .for_each(|(key, value)| visit(key, value));
                visit(NAMESPACE, &controller.meta.namespace);
                visit(ORCHESTRATOR, "k8s");
                &controller.meta.namespace
            }
        };
        inherit(profiles, &profile::of_namespace(namespace), visit);
    }
}

fn inherit<'r>(profiles: &Profiles<'r>, name: &str, visit: &mut dyn FnMut(&str, &'r str)) {
    if let Some(profile) = profiles.get(name) {
        profile.labels.iter().for_each(|(key, value)| visit(key, value));
    }
}
