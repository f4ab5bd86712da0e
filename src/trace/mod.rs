//! What a node does with packets, as answers.
//!
//! | file | what |
//! |---|---|
//! | `row` | packets as rows of text, one a line, and their outcomes |
//! | `end` | the two ends of what is traced: words of the user → addresses and interfaces |
//! | `assume` | routes, where they are not given |
//! | `query` | from one end to the other: packets by their fate, and the rules behind it |
//! | `onward` | packets that leave a node for others |
//! | `tunnel` | tunnels between nodes, and the packets that carry others |
//! | `journey` | from node to node |
//! | `answer` | answers as text and JSON |
//! | `words` | packets in words |

pub mod answer;
pub mod assume;
pub mod end;
pub mod journey;
pub mod onward;
pub mod query;
pub mod row;
pub mod tunnel;
pub mod words;
