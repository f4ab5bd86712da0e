//! The kernel of a node: its rules, sets, addresses and routes, and what it does with packets.
//!
//! | file | what |
//! |---|---|
//! | `packet` | a packet, as far as rules look at it |
//! | `route` | the node's own addresses and its routes |
//! | `conntrack` | the state that connection tracking gives a packet |
//! | `machine` | tables and sets, made ready to be walked |
//! | `translate` | which address and port a translation gives a packet |
//! | `walk` | one packet through one chain |
//! | `path` | one packet through hooks and tables, in the kernel's order |
//! | `symbolic` | sets of packets, the same way |

pub mod conntrack;
pub mod machine;
pub mod packet;
mod path;
pub mod route;
pub mod symbolic;
mod translate;
mod walk;

pub use machine::Machine;
pub use path::{Hook, Kernel, Outcome};
pub use walk::{End, Watch};
