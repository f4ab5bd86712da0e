//! The small languages: text → small syntax trees.

pub mod cidr;
pub mod ip_addr;
pub mod ip_route;
pub mod port;
pub mod selector;
