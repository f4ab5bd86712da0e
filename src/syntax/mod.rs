//! The small languages that the stages share.

pub mod cidr;
pub mod port;
