//! `docs/versions.md`, made from the table.
