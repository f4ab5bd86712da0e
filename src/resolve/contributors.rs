//! Everything that can be a member of a set: the pods of all nodes, host endpoints and network
//! sets, as numbers with labels, addresses and named ports.
//!
//! Pods come first, those of one namespace and service account next to each other, so that the
//! labels they inherit are ranges of numbers.

use super::convert::pod;
use super::convert::profile::{self, Profiles};
use super::convert::selectors::NAMESPACE;
use super::ranked::Ranked;
use crate::model::calico::HostEndpoint;
use crate::model::core::{Pod, TransportProtocol};
use crate::model::labels::Labels;
use ipnet::{Ipv4Net, Ipv6Net};
use rustc_hash::{FxHashMap, FxHashSet};
use std::net::IpAddr;

/// The contributors of a cluster.
#[derive(Debug)]
pub struct Contributors<'r> {
    /// pods that Felix hears of; their numbers are their indices
    pub pods: Vec<&'r Pod>,
    /// host endpoints and network sets, numbered after the pods
    pub others: Vec<Other<'r>>,
    /// members that they stand for
    pub v4: Ranked<Ipv4Net>,
    /// members that they stand for
    pub v6: Ranked<Ipv6Net>,
    /// pods that may send from addresses of others: Felix ignores them unless it allows that
    pub spoofing: Vec<u32>,
    /// numbers of the pods of each node
    pub by_node: FxHashMap<&'r str, Vec<u32>>,
    /// pods that have no address
    pub without_address: Vec<&'r Pod>,
    /// nodes of pods that are none of Calico's business
    pub foreign_nodes: FxHashSet<&'r str>,
}

/// A host endpoint or a network set.
#[derive(Debug)]
pub struct Other<'r> {
    /// labels of the object
    pub labels: &'r Labels,
    /// namespace of a NetworkSet
    pub namespace: Option<&'r str>,
    /// profiles that it inherits labels from
    pub profiles: Vec<Box<str>>,
    /// the host endpoint, if it is one
    pub host: Option<&'r HostEndpoint>,
}

/// A port that has a name.
#[derive(Debug, Clone, Copy)]
pub struct NamedPort {
    /// who has it
    pub contributor: u32,
    /// its protocol
    pub protocol: TransportProtocol,
    /// its number
    pub port: u16,
}

impl<'r> Contributors<'r> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.pods.len() + self.others.len()
    }

    /// The pod of a number, or what else it is.
    pub fn get(&self, number: u32) -> Result<&'r Pod, &Other<'r>> {
        let number = number as usize;
        match self.pods.get(number) {
            Some(pod) => Ok(pod),
            None => Err(&self.others[number - self.pods.len()]),
        }
    }

    /// Host endpoints and their numbers.
    pub fn hosts(&self) -> impl Iterator<Item = (u32, &'r HostEndpoint)> + '_ {
        let first = self.pods.len() as u32;
        (first..).zip(&self.others).filter_map(|(number, other)| Some((number, other.host?)))
    }

    /// Addresses of a pod, IPv4 before IPv6.
    pub fn addresses(&self, number: u32) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        if let Ok(pod) = self.get(number) {
            pod::classify(pod, &mut addresses);
        }
        addresses
    }

    /// Calls `visit` with every label that selectors see on a contributor, its own before those
    /// it inherits, each key once.
    pub fn each_label(&self, number: u32, profiles: &Profiles<'r>, visit: &mut dyn FnMut(&str, &'r str)) {
        match self.get(number) {
            Ok(pod) => {
                // own labels of pods and inherited ones have different prefixes
                pod::each_own_label(pod, visit);
                let names = [
                    profile::of_namespace(&pod.namespace),
                    profile::of_account(&pod.namespace, &pod.service_account),
                ];
                for profile in names.iter().filter_map(|name| profiles.get(name)) {
                    profile.labels.iter().for_each(|(key, value)| visit(key, value));
                }
            }
            Err(other) => other.each_label(profiles, visit),
        }
    }
}

impl<'r> Other<'r> {
    /// As [`Contributors::each_label`].
    pub fn each_label(&self, profiles: &Profiles<'r>, visit: &mut dyn FnMut(&str, &'r str)) {
        let mut seen: FxHashSet<&str> = FxHashSet::default();
        for (key, value) in self.labels.iter() {
            if self.namespace.is_none() || key != NAMESPACE {
                visit(key, value);
                seen.insert(key);
            }
        }
        if let Some(namespace) = self.namespace {
            visit(NAMESPACE, namespace);
            seen.insert(NAMESPACE);
        }
        for profile in self.profiles.iter().filter_map(|name| profiles.get(name)) {
            for (key, value) in &profile.labels {
                if seen.insert(key) {
                    visit(key, value);
                }
            }
        }
    }
}
