//! Sets of packets through a node's kernel.
//!
//! A [`Flow`] is a set of packets that have had the same fate so far. Its set speaks of the packets as
//! they came in; what has become of them since (interface, state, translated destination, mark) is the
//! same for all and stands beside it. A rule's matches are a set as well: with what stands beside the
//! flow put in, it tells which of the packets the rule applies to.
//!
//! What a chain does with all packets, given their mark, is worked out once ([`chain`]); a jump is then
//! an intersection for each of its results. Where the rules that decided are asked for, chains are
//! walked for just the packets in question instead: told apart by rules, all packets are too many.
//!
//! | file | what |
//! |---|---|
//! | `interfaces` | numbers for the names of interfaces |
//! | `matches` | what a rule applies to, as a set |
//! | `chain` | what a chain does with all packets |
//! | `path` | flows through hooks and tables, in the kernel's order |

pub mod chain;
mod interfaces;
mod matches;
mod path;

pub use chain::{Attribution, RuleRef};
pub use interfaces::Interfaces;
pub use matches::{Asked, Doubt, Matches};
pub use path::{Arrival, Fate, Flow, Now, Proxied, Symbolic};
