//! `netpolc` compiles Kubernetes and Calico network policy to the iptables rules and ipsets that
//! Calico's agent, Felix, would program on a worker node, offline and byte for byte.
//!
//! The folders of this crate are the pipeline, and each stage is a pure function:
//!
//! ```text
//! source ─► model ─► resolve ─► felix ─► ir ─► emit
//!    └─ syntax: the small languages (selectors, ports, CIDRs) that the stages share
//! ```
//!
//! | stage | takes → gives |
//! |---|---|
//! | [`source`] | paths → objects as trees with byte offsets, one at a time |
//! | [`syntax`] | text → small syntax trees |
//! | [`model`] | object trees → typed resources, and what would be refused |
//! | [`resolve`] | resources and a node → what that node's agent would know |
//! | [`felix`] | the node's view → rules |
//! | [`kube_proxy`] | services and a node → kube-proxy's rules beside Felix's |
//! | [`ir`] | the rules and sets as data; its header defines what they mean |
//! | [`emit`] | rules → text |
//! | [`optimize`] | rules → fewer rules that mean the same, and the proof |
//! | [`dump`] | dumps of a node → rules and sets |
//! | [`verify`] | rules, and dumps of a node → where they differ |
//! | [`report`] | findings → text, SARIF, Markdown, JUnit, HTML |
//! | [`version`] | everything in which versions of Calico differ: all stages ask it |
//! | [`diff`] | two clusters → what changes for packets, in objects and in rules |
//! | [`audit`] | a cluster → what can be reached, from where and why |
//! | [`portmap`] | what the CNI plugin for host ports writes beside Felix |
//! | [`snapshot`] | rules → files made for review |
//!
//! No stage prints, exits or reads files but [`source`] and [`cli`].

pub mod audit;
pub mod check;
pub mod cli;
pub mod diagnostic;
pub mod diff;
pub mod dump;
pub mod emit;
pub mod explain;
pub mod felix;
#[cfg(test)]
mod fuzz;
pub mod ir;
pub mod kernel;
pub mod kube_proxy;
pub mod model;
pub mod optimize;
pub mod portmap;
pub mod report;
pub mod resolve;
pub mod snapshot;
pub mod source;
pub mod space;
pub mod syntax;
pub mod trace;
pub mod verify;
pub mod version;
