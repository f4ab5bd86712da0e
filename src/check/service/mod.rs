//! Mistakes around services: what a packet carries before and after DNAT.

pub mod address_in_nets;
pub mod node_port_in_policy;
pub mod pod_port_in_pre_dnat;

mod addresses;
mod behind;
mod facts;
