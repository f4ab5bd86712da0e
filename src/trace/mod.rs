//! What the kernel of a node does with a packet.
//!
//! | file | what |
//! |---|---|
//! | `packet` | a packet, as far as rules look at it |
//! | `row` | packets as rows of text, one a line, and their outcomes |
//! | `route` | the node's own addresses and its routes |
//! | `conntrack` | the state that connection tracking gives a packet |
//! | `machine` | tables and sets, made ready to be walked |
//! | `walk` | one packet through one chain |
//! | `path` | one packet through hooks and tables, in the kernel's order |

pub mod conntrack;
mod machine;
pub mod packet;
mod path;
pub mod route;
pub mod row;
mod walk;

pub use machine::Machine;
pub use path::{Hook, Kernel, Outcome};
