//! Kubernetes' and Calico's objects → Calico's backend model, which is what Felix is given.

pub mod annotations;
pub mod calico_policy;
pub mod cluster_policy;
pub mod draft;
pub mod kubernetes_policy;
pub mod label_selector;
pub mod pod;
pub mod ports;
pub mod profile;
pub mod quantity;
pub mod rule;
pub mod selectors;
#[cfg(test)]
mod tests;
