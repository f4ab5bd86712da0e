//! The shapes of objects as data, and one checker for all of them.
//!
//! A [`Schema`] holds what two parties ask of a value: the API server (types, enums, patterns and
//! ranges of the custom resource definitions, `libcalico-go/config/crd/`, v3.32.1) and calicoctl
//! (Go's types and the field tags of `api/pkg/apis/projectcalico/v3/`, v3.32.1). What concerns
//! several fields at once is in [`super::validate`].

/// Shape of an object that is its API, kind, metadata and spec; of the spec, the fields.
macro_rules! object_with_spec {
    ($($field:expr),* $(,)?) => {
        $crate::model::schema::Schema::Object(&[
            $crate::model::schema::field("apiVersion", &$crate::model::schema::STR),
            $crate::model::schema::field("kind", &$crate::model::schema::STR),
            $crate::model::schema::field("metadata", &$crate::model::schema::metadata::METADATA),
            $crate::model::schema::field("spec", &$crate::model::schema::Schema::Object(&[$($field),*])),
        ])
    };
}

pub mod check;
pub mod felix_config;
pub mod kubernetes;
mod leaf;
pub mod metadata;
pub mod policy;
pub mod resource;
mod suggest;

pub use check::check;
pub use suggest::suggest;

/// What a value must look like.
#[derive(Debug)]
pub enum Schema {
    /// anything; not looked into
    Any,
    /// a boolean
    Bool,
    /// a number with or without a fraction
    Number,
    /// an integer
    Int(Int),
    /// 4 or 6
    IpVersion,
    /// a string
    Str(Str),
    /// a string that Go's `time.ParseDuration` takes
    Duration,
    /// a port of Calico: an integer or a string
    Port,
    /// a protocol of Calico, or a DSCP value: 0..=255 or any string
    ByteOrString,
    /// Kubernetes' `IntOrString`
    IntOrString,
    /// an autonomous system number: an integer of 32 bits or a string
    AsNumber,
    /// a list
    List(List),
    /// a mapping of arbitrary keys to values of one shape
    Map(&'static Schema),
    /// a mapping of known keys
    Object(&'static [Field]),
}

/// A field of an object.
#[derive(Debug)]
pub struct Field {
    /// its API name
    pub name: &'static str,
    /// its shape
    pub schema: &'static Schema,
    /// whether the API server's schema requires it
    pub required: bool,
}

/// An optional field.
pub const fn field(name: &'static str, schema: &'static Schema) -> Field {
    Field { name, schema, required: false }
}

/// A field that the API server's schema requires.
pub const fn required(name: &'static str, schema: &'static Schema) -> Field {
    Field { name, schema, required: true }
}

/// Bounds of an integer, inclusive.
#[derive(Debug, Clone, Copy)]
pub struct Int {
    /// Go's type: what lies outside cannot be decoded
    pub go: (i64, i64),
    /// the API server's schema
    pub schema: (i64, i64),
    /// calicoctl's field tag
    pub tag: (i64, i64),
}

/// No bounds but those of 64 bits.
pub const FULL: (i64, i64) = (i64::MIN, i64::MAX);
/// Go's `uint16`.
pub const U16: (i64, i64) = (0, 65_535);
/// Go's `uint32`.
pub const U32: (i64, i64) = (0, 4_294_967_295);
/// Go's `int32`.
pub const I32: (i64, i64) = (i32::MIN as i64, i32::MAX as i64);

/// Any integer.
pub const INT: Schema = int(FULL, FULL, FULL);
/// Any string.
pub const STR: Schema = string(Check::Any, Check::Any);
/// Any list of strings.
pub const STRINGS: Schema = list(&STR);
/// A list of strings without repetition.
pub const STRING_SET: Schema = Schema::List(List { item: &STR, min: 0, max: usize::MAX, set: true });

/// An integer with the bounds of Go, schema and tag.
pub const fn int(go: (i64, i64), schema: (i64, i64), tag: (i64, i64)) -> Schema {
    Schema::Int(Int { go, schema, tag })
}

/// A string with the checks of schema and tag.
pub const fn string(schema: Check, tag: Check) -> Schema {
    Schema::Str(Str { schema, tag })
}

/// A string of an enumeration that schema and tag agree on.
pub const fn one_of(values: &'static [&'static str]) -> Schema {
    string(Check::OneOf(values), Check::OneOf(values))
}

/// A list without bounds.
pub const fn list(item: &'static Schema) -> Schema {
    Schema::List(List { item, min: 0, max: usize::MAX, set: false })
}

/// What schema and tag ask of a string. calicoctl's tags say nothing about an empty one.
#[derive(Debug, Clone, Copy)]
pub struct Str {
    /// the API server's schema
    pub schema: Check,
    /// calicoctl's field tag
    pub tag: Check,
}

/// A condition on a string.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// none
    Any,
    /// one of these
    OneOf(&'static [&'static str]),
    /// one of these in any case, or empty
    Fold(&'static [&'static str]),
    /// at most so many characters
    MaxLen(usize),
    /// a predicate, and how to call what it wants
    Test(fn(&str) -> bool, &'static str),
}

/// A list.
#[derive(Debug)]
pub struct List {
    /// the shape of its items
    pub item: &'static Schema,
    /// fewest items
    pub min: usize,
    /// most items
    pub max: usize,
    /// no item twice (`x-kubernetes-list-type: set`)
    pub set: bool,
}
