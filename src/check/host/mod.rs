//! Mistakes around host endpoints, and in policies for them.
