//! What a node does with packets, as answers.
//!
//! | file | what |
//! |---|---|
//! | `row` | packets as rows of text, one a line, and their outcomes |

pub mod row;
