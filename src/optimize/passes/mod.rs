//! The passes, one file each, in the order in which they run.

mod cidrs;
mod empty;
mod fold;
mod idle_marks;
mod inline;
mod merge;
mod order;
mod ports;
mod sets;
mod share_chains;
mod share_sets;
mod unreachable;
mod unused;

use super::lab::Lab;
use crate::ir::Program;

/// One way to make a program smaller.
pub struct Pass {
    /// its name
    pub name: &'static str,
    /// what it does, in a few words
    pub about: &'static str,
    /// the lowest level that it runs at
    pub level: u8,
    /// does it
    pub run: fn(&Program, &mut Lab<'_>) -> Program,
}

/// All of them. They run in turn until none of them finds anything more.
pub const ALL: [Pass; 14] = [
    unused::PASS,
    cidrs::PASS,
    ports::PASS,
    sets::PASS,
    sets::SHORT,
    fold::PASS,
    unreachable::PASS,
    idle_marks::PASS,
    merge::PASS,
    empty::PASS,
    share_sets::PASS,
    share_chains::PASS,
    inline::PASS,
    order::PASS,
];

/// The program without chains and sets that nothing refers to.
pub fn swept(program: &Program) -> Program {
    unused::swept(program)
}
