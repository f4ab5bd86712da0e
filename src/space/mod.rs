//! Exact sets of packets.
//!
//! A packet of one address family is a point in a space of [`Field`]s: interfaces, conntrack state,
//! protocol, ports and addresses. A [`PacketSet`] is a set of points, kept as a decision diagram: a
//! node asks for the value of one field, and each range of values leads to the node that asks for the
//! next. The order of fields is fixed, nodes that are equal are one, a node whose answers all lead to
//! the same place is left out, and neighbouring ranges with one target are one. So two sets are equal
//! if and only if they are the same node, and emptiness, equality and inclusion cost nothing once a
//! set is there.
//!
//! | file | what |
//! |---|---|
//! | `field` | the dimensions, and the ranges of their values |
//! | `diagram` | nodes, and the one table that they live in |
//! | `algebra` | union, intersection, difference; projection |
//! | `sample` | one packet of a set |
//! | `cubes` | a set as few boxes |
//! | `nets` | lists of networks |
//! | `fingerprint` | a name for a set that is the same in every space |

mod algebra;
mod cubes;
mod diagram;
mod field;
mod fingerprint;
pub mod nets;
mod sample;
#[cfg(test)]
mod tests;

pub use cubes::Cube;
pub use diagram::{Moment, PacketSet, Space};
pub use field::{Field, Range};
