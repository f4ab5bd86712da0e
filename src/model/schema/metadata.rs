//! `metadata`, and the frame of every object.

use super::{STR, STRINGS, Schema, field};

/// String keys and string values.
pub static STRING_MAP: Schema = Schema::Map(&STR);
static ANY: Schema = Schema::Any;

/// `ObjectMeta` (`k8s.io/apimachinery/pkg/apis/meta/v1`).
pub static METADATA: Schema = Schema::Object(&[
    field("name", &STR),
    field("generateName", &STR),
    field("namespace", &STR),
    field("selfLink", &STR),
    field("uid", &STR),
    field("resourceVersion", &STR),
    field("generation", &ANY),
    field("creationTimestamp", &ANY),
    field("deletionTimestamp", &ANY),
    field("deletionGracePeriodSeconds", &ANY),
    field("labels", &STRING_MAP),
    field("annotations", &STRING_MAP),
    field("ownerReferences", &ANY),
    field("finalizers", &STRINGS),
    field("managedFields", &ANY),
]);
