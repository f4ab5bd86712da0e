//! What every object has.

use super::labels::Labels;
use crate::diagnostic::{FileId, Location};

/// The part of `metadata` that policy looks at.
#[derive(Debug, Clone)]
pub struct Meta {
    /// `metadata.name`
    pub name: Box<str>,
    /// `metadata.namespace`, "default" filled in for namespaced kinds, "" for others
    pub namespace: Box<str>,
    /// `metadata.labels`
    pub labels: Labels,
    /// `metadata.annotations`
    pub annotations: Labels,
    /// it has a `uid` or a `resourceVersion`: it was read from a cluster, not written by hand
    pub from_cluster: bool,
    /// where the object begins
    pub at: Location,
}

impl Meta {
    /// The metadata of an object that Calico itself creates. It stands nowhere in the input: its
    /// file is [`Meta::NOWHERE`], its line 0.
    pub fn built_in(name: &str) -> Self {
        Meta {
            name: name.into(),
            namespace: Box::default(),
            labels: Labels::default(),
            annotations: Labels::default(),
            from_cluster: false,
            at: Location { file: Self::NOWHERE, line: 0, column: 0 },
        }
    }

    /// The file of objects that are not in the input.
    pub const NOWHERE: FileId = FileId(u32::MAX);
}
