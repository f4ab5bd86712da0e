//! Mistakes around services: what a packet carries before and after DNAT.
