//! Which Calico: the versions whose rules are known, and everything in which they differ.
//!
//! This is the only place that knows one version from another. All other code asks [`Facts`] for what it
//! needs to know, by name, and never for a version: a [`CalicoVersion`] cannot be made, ordered or matched
//! outside of here (`tests/versions.rs` searches for it all the same).
//!
//! | file | what |
//! |---|---|
//! | `facts` | the differences, each with its values, its words and its place in Calico's source |
//! | `fields` | fields of objects that came, went or changed |
//! | `found` | the version that manifests themselves tell |
//! | `page` | `docs/versions.md`, made from all that |
//!
//! A new version is one more name in [`CalicoVersion::ALL`], and one more line in those rows of `facts` and
//! `fields` that it changes.

mod facts;
mod fields;
mod found;
pub mod page;

pub use facts::{AdminKinds, Area, Facts, HostsFrom, Naming, NftablesMode, Row, TierOf};
pub use fields::OldField;
pub use found::{Found, Told, found, of_image};

use std::fmt;

/// A version of Calico, as exact as its rules differ: `v3.31` stands for all its patches, and was read from
/// the last of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CalicoVersion(u8);

// by age; the number is the place in `NAMES`
const V3_30: CalicoVersion = CalicoVersion(0);
const V3_31: CalicoVersion = CalicoVersion(1);
const V3_32: CalicoVersion = CalicoVersion(2);

/// Name, and the patch whose source was read.
const NAMES: [(&str, &str); CalicoVersion::COUNT] =
    [("v3.30", "v3.30.7"), ("v3.31", "v3.31.7"), ("v3.32", "v3.32.1")];

impl CalicoVersion {
    const COUNT: usize = 3;
    /// All versions that are known, the oldest first.
    pub const ALL: [CalicoVersion; CalicoVersion::COUNT] = [V3_30, V3_31, V3_32];
    /// The newest of them, which is assumed where nothing says otherwise.
    pub const LATEST: CalicoVersion = CalicoVersion::ALL[CalicoVersion::COUNT - 1];

    /// Its name, `v3.31`.
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)].0
    }

    /// The patch whose source was read, `v3.31.7`.
    pub fn read_from(self) -> &'static str {
        NAMES[usize::from(self.0)].1
    }

    /// What holds in this version.
    pub fn facts(self) -> &'static Facts {
        &facts::ALL[usize::from(self.0)]
    }

    /// Reads `v3.31`, `3.31`, `v3.31.7` or `v3.31.7-0.dev`.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, or that the version is not known, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let known = || CalicoVersion::ALL.map(CalicoVersion::name).join(", ");
        let Some((major, minor)) = numbers(text) else {
            return Err(format!("`{text}` is no version of Calico: the known ones are {}", known()));
        };
        let name = format!("v{major}.{minor}");
        let found = CalicoVersion::ALL.into_iter().find(|version| version.name() == name);
        found.ok_or_else(|| format!("the rules of Calico {name} are not known: those of {} are", known()))
    }

    /// Reads `OLD..NEW`, two versions as [`parse`](Self::parse) reads them.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, as the end of a sentence.
    pub fn parse_two(text: &str) -> Result<(Self, Self), String> {
        let (old, new) = text
            .split_once("..")
            .ok_or_else(|| format!("`{text}` is no pair of versions: write `v3.31..v3.32`"))?;
        Ok((CalicoVersion::parse(old)?, CalicoVersion::parse(new)?))
    }

    /// The versions in which something holds, the oldest first.
    pub fn in_which(holds: impl Fn(&Facts) -> bool) -> Vec<CalicoVersion> {
        CalicoVersion::ALL.into_iter().filter(|version| holds(version.facts())).collect()
    }

    /// The known version that is nearest to one that is not; `None` for a text that is no version.
    fn nearest(text: &str) -> Option<Self> {
        let wanted = numbers(text)?;
        let older = CalicoVersion::ALL.into_iter().rev().find(|known| numbers(known.name()) <= Some(wanted));
        Some(older.unwrap_or(CalicoVersion::ALL[0]))
    }
}

/// Major and minor number of `v3.31.7`, whatever follows.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().strip_prefix('v').unwrap_or(text.trim()).splitn(3, '.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?;
    // `v3.32-0.dev`
    let digits = minor.find(|c: char| !c.is_ascii_digit()).map_or(minor, |end| &minor[..end]);
    Some((major, digits.parse().ok()?))
}

impl fmt::Display for CalicoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for CalicoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_or_without_their_patch() {
        for text in ["v3.31", "3.31", "v3.31.7", "v3.31.0-0.dev", " v3.31 "] {
            assert_eq!(CalicoVersion::parse(text), Ok(V3_31), "{text}");
        }
        for text in ["", "v3", "3.x", "latest", "v3.29.1", "v3.33.0", "v4.31"] {
            assert!(CalicoVersion::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn two_versions_are_read_from_one_text() {
        assert_eq!(CalicoVersion::parse_two("v3.30..v3.32.1"), Ok((V3_30, V3_32)));
        for text in ["v3.30", "v3.30..", "..v3.32", "v3.30..v3.99"] {
            assert!(CalicoVersion::parse_two(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_nearest_version_is_the_next_older_one_that_is_known() {
        assert_eq!(CalicoVersion::nearest("v3.29.1"), Some(V3_30));
        assert_eq!(CalicoVersion::nearest("v3.40.1"), Some(V3_32));
        assert_eq!(CalicoVersion::nearest("master"), None);
    }

    #[test]
    fn the_names_are_in_order_of_age_and_belong_to_their_patches() {
        assert!(NAMES.is_sorted_by_key(|(name, _)| numbers(name)));
        assert!(NAMES.iter().all(|(name, patch)| patch.starts_with(&format!("{name}."))));
    }
}
