//! `IptablesMarkMask` leaves Felix too few bits, and Felix panics at every start. Felix keeps its state
//! about a packet in bits of the packet's mark. It needs five; one more with WireGuard, and at least
//! one more where kube-proxy runs in IPVS mode. Until it gets them, the node's rules stay as they
//! were.
//!
//! Give the mask more bits that nothing else on the node uses; the default, `0xffff0000`, has sixteen.
//!
//! IPVS mode is taken from the interface `kube-ipvs0` of the node, so it is known only where the
//! node's interfaces are given.
//!
//! Decided at `felix/dataplane/driver.go:141`, v3.32.1.

use super::super::NodeContext;
use crate::diagnostic::Diagnostic;
use crate::felix::is_ipvs;

check!("too-few-mark-bits", Error, Certain, Node);

/// Bits that Felix always needs.
const ALWAYS: u32 = 5;

fn run(ctx: &NodeContext<'_>, found: &mut Vec<Diagnostic>) {
    let config = &ctx.view.config;
    let wireguard = config.wireguard_enabled || config.wireguard_enabled_v6;
    let ipvs = is_ipvs(ctx.view);
    let needed = ALWAYS + u32::from(wireguard) + u32::from(ipvs);
    let given = config.iptables_mark_mask.count_ones();
    let place = ctx.view.config_places.iter().find(|(name, _)| *name == "IptablesMarkMask");
    let Some((_, at)) = place.filter(|_| given < needed) else { return };
    let reason = match (wireguard, ipvs) {
        (false, false) => "",
        (true, false) => ", one of them for WireGuard",
        (false, true) => ", one of them for IPVS mode",
        (true, true) => ", two of them for WireGuard and IPVS mode",
    };
    let message = format!(
        "felix panics at every start: `{:#x}` of IptablesMarkMask has {given} bits, and it needs {needed}{reason}",
        config.iptables_mark_mask
    );
    found.push(
        CHECK
            .finding(*at, message)
            .help("give the mask more bits that nothing else uses; the default is `0xffff0000`"),
    );
}
