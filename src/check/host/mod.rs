//! Mistakes around host endpoints, and in policies for them; and in what holds for a node as a whole.

pub mod disabled_pool;
pub mod forward_denies;
pub mod lockout;
pub mod mark_bits;
pub mod node_ports;
pub mod policy_on_pods;
pub mod pool_modes;
pub mod pre_dnat_without_deny;
pub mod untracked_answers;
pub mod untracked_wildcard;
pub mod wildcard_pre_dnat;
pub mod without_expected_ips;
pub mod without_policy;

mod applied;
mod hosts;
mod needs;
