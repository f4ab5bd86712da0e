//! Sets of packets through a node's kernel.
//!
//! A [`Flow`] is a set of packets that have had the same fate so far. Its set speaks of the packets as
//! they came in; what has become of them since (interface, state, translated destination, mark) is the
//! same for all and stands beside it. A rule's matches are a set as well: with what stands beside the
//! flow put in, it tells which of the packets the rule applies to.
//!
//! Where more than the packet decides, several flows have the same packets: one for each way in which it
//! may go. A [`Limit`] is reached or not; a [`Doubt`] says what else is not known.
//!
//! What a chain does with all packets, given their mark, is worked out once ([`chain`]); a jump is then
//! an intersection for each of its results. Where the rules that decided are asked for, chains are
//! walked for just the packets in question instead: told apart by rules, all packets are too many.
//!
//! | file | what |
//! |---|---|
//! | `interfaces` | numbers for the names of interfaces |
//! | `marks` | marks, as far as they are known |
//! | `matches` | what a rule applies to, as a set |
//! | `chain` | what a chain does with all packets |
//! | `path` | flows through hooks and tables, in the kernel's order |
//! | `translate` | flows through translations that rules ask for |
//! | `idle` | leaves out what makes no difference in the end |

pub mod chain;
mod idle;
mod interfaces;
mod marks;
mod matches;
mod path;
mod translate;

pub use chain::{Attribution, Limit, RuleRef};
pub use interfaces::Interfaces;
pub use marks::AskedMark;
pub use matches::{Asked, Doubt, Matches};
pub use path::{Arrival, Fate, Flow, Now, Symbolic};
pub use translate::Chosen;
