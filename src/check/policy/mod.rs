//! Mistakes in policies, whatever they select.

pub mod http_match;
pub mod log_only;
pub mod third_block;
