//! The stage as a whole: texts in, fates and resources out.
