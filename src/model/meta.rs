//! What every object has.

use super::labels::Labels;
use crate::diagnostic::Location;

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
    /// where the object begins
    pub at: Location,
}
