//! What concerns more than one field, or needs a language of its own: calicoctl's validator
//! (`libcalico-go/lib/validator/v3/validator.go`, v3.32.1), the `x-kubernetes-validations` of the
//! custom resource definitions, and the API server's validation of NetworkPolicy.

pub mod felix_config;
pub mod host_endpoint;
pub mod label_selector;
pub mod metadata;
pub mod names;
pub mod network_policy;
pub mod policy;
pub mod pool;
pub mod rule;
pub mod selector;
