//! An IPPool was stored with one of `ipipMode` and `vxlanMode` only, which makes Felix restart for
//! ever. At its start, Felix passes over a pool that lacks one of the two; later it hears of the pool
//! again, and then takes the missing one for `Never`. If the pool is what turns IPIP or VXLAN on,
//! the second finding differs from the first, and Felix exits to start anew.
//!
//! Write both modes. `calicoctl` and the API `projectcalico.org/v3` fill in `Never`;
//! `crd.projectcalico.org/v1`, which is not meant to be written to, does not.
//!
//! Nothing is said where another pool turns the same on, or the Felix configuration decides about it.
//!
//! Decided at `felix/calc/encapsulation_resolver.go:196`, v3.32.1.

use super::super::NodeContext;
use crate::diagnostic::Diagnostic;
use crate::model::calico::IpPool;

check!("pool-without-modes", Warning, Likely, Node);

fn run(ctx: &NodeContext<'_>, found: &mut Vec<Diagnostic>) {
    let (config, pools) = (&ctx.view.config, &ctx.resources.pools);
    let v4 = |pool: &IpPool| pool.cidr.value.addr().is_ipv4();
    let ipip = |pool: &IpPool| on(&pool.ipip_mode);
    let vxlan = |pool: &IpPool| on(&pool.vxlan_mode) && v4(pool);
    let vxlan_v6 = |pool: &IpPool| on(&pool.vxlan_mode) && !v4(pool);
    let mut kind = |name: &str, decided: bool, missing: &str, turns_on: &dyn Fn(&IpPool) -> bool| {
        let complete = |pool: &&IpPool| !pool.ipip_mode.is_empty() && !pool.vxlan_mode.is_empty();
        if decided || pools.iter().filter(complete).any(turns_on) {
            return;
        }
        for pool in pools.iter().filter(|pool| turns_on(pool)) {
            let message = format!(
                "felix restarts for ever: IPPool `{}` turns {name} on and has no `{missing}`, so felix does not count it when it starts",
                pool.meta.name
            );
            found.push(CHECK.finding(pool.meta.at, message).help(format!("write `{missing}: Never`")));
        }
    };
    kind("IPIP", config.ip_in_ip_enabled.is_some(), "vxlanMode", &ipip);
    kind("VXLAN", config.vxlan_enabled.is_some(), "ipipMode", &vxlan);
    kind("VXLAN", false, "ipipMode", &vxlan_v6);
}

fn on(mode: &str) -> bool {
    matches!(mode, "Always" | "CrossSubnet")
}
