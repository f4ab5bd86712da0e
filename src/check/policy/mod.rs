//! Mistakes in policies, whatever they select.

pub mod all_replaced;
pub mod by_hand;
pub mod cluster_wide_port;
pub mod contained_cidr;
mod direction;
pub mod duplicate_cidr;
pub mod empty_policy;
pub mod http_match;
pub mod log_only;
pub mod missing_tier;
pub mod named_port;
mod nets;
pub mod no_types;
pub mod one_family_nets;
pub mod other_tier_name;
pub mod port_item;
pub mod rules_without_type;
pub mod selector_nothing;
pub mod selects_nothing;
pub mod service_endpoints;
pub mod services_namespace;
mod subject;
pub mod third_block;
mod written;
