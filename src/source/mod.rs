//! Paths and standard input → objects, one at a time.
//!
//! This stage knows files, YAML, JSON, multi-document streams, `kind: List` and typed lists,
//! and text templates; it knows nothing of Calico. An [`Object`] is handed to a function as a
//! tree of [`tree::Node`]s that borrows the input text, and is gone when that function returns:
//! no stage keeps the whole input as a tree.

pub mod scalar;
pub mod tree;

use std::path::PathBuf;

/// One Kubernetes-style object: a document, or one item of a list.
#[derive(Clone, Copy)]
pub struct Object<'t> {
    /// the mapping at its root
    pub root: tree::Node<'t>,
    /// `apiVersion`, its own or, for an item of a typed list that lacks it, the list's; "" if none
    pub api_version: &'t str,
    /// `kind`, its own or, for an item of a typed list that lacks it, the list's without `List`; "" if none
    pub kind: &'t str,
}

/// One thing named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// a file, or a folder that is searched for `.yaml`, `.yml` and `.json`
    Path(PathBuf),
    /// `-`
    Stdin,
    /// text that is already there (tests, git revisions), with the name to show
    Text {
        /// what to call it in messages
        name: String,
        /// the bytes
        bytes: Vec<u8>,
    },
}
