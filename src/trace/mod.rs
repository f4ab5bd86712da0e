//! What a node does with packets, as answers.
//!
//! | file | what |
//! |---|---|
//! | `row` | packets as rows of text, one a line, and their outcomes |

mod assume;
mod end;
pub mod row;
