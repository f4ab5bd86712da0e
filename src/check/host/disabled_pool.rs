//! A disabled IPPool still counts for NAT and encapsulation. `disabled: true` keeps Calico from giving
//! out addresses of the pool; Felix takes no notice of it. As long as the pool exists, traffic from
//! its addresses is masqueraded if it has `natOutgoing`, and its `ipipMode` and `vxlanMode` turn the
//! tunnel on for all nodes where the Felix configuration does not decide about it.
//!
//! That is right while pods still have addresses of the pool. Afterwards delete it, or set
//! `natOutgoing: false` and both modes to `Never`.
//!
//! Nothing is said of a disabled pool that does neither: such a pool is a way to keep traffic to its
//! addresses from being masqueraded.
//!
//! Decided at `felix/dataplane/linux/masq_mgr.go:139`, v3.32.1.

use super::super::ClusterContext;
use crate::diagnostic::Diagnostic;

check!("disabled-pool-still-counts", Note, Certain, Cluster);

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let on = |mode: &str| matches!(mode, "Always" | "CrossSubnet");
    for pool in ctx.resources.pools.iter().filter(|pool| pool.disabled) {
        let effects = [
            (pool.nat_outgoing, "traffic from it is masqueraded"),
            (on(&pool.ipip_mode), "its `ipipMode` turns IPIP on"),
            (on(&pool.vxlan_mode), "its `vxlanMode` turns VXLAN on"),
        ];
        let effects: Vec<&str> = effects.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).collect();
        if effects.is_empty() {
            continue;
        }
        let message = format!(
            "IPPool `{}` is disabled, but felix counts it all the same: {}",
            pool.meta.name,
            effects.join(", and ")
        );
        found.push(
            CHECK
                .finding(pool.meta.at, message)
                .help("delete the pool when no pod has an address of it any more"),
        );
    }
}
