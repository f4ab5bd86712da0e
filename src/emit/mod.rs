//! Rules and sets → text.
//!
//! Two spellings of one program: [`felix`] is what Felix sends to `iptables-restore`, and what
//! its rule hashes are computed over; [`save`] is what `iptables-save` (legacy, 1.8.9) prints
//! once the kernel has it.

pub mod felix;
pub mod ipset;
pub mod json;
pub mod origin;

pub mod save;
pub(crate) mod text;
mod walk;

pub use walk::{
    Dialect, Part, begin_table, end_table, is_alike, parts, saved_match, saved_rule, write_chain, write_rules,
};
