//! HostEndpoint (`validateHostEndpointSpec`, `validateEndpointPort`,
//! `libcalico-go/lib/validator/v3/validator.go`, v3.32.1).

use super::{names, rule};
use crate::model::calico::HostEndpoint;
use crate::model::findings::{Door, Findings};
use crate::model::lower::reader::Reader;
use crate::model::text::excerpt;

/// Checks a HostEndpoint; `spec` reads `spec`.
pub fn check(endpoint: &HostEndpoint, spec: &Reader<'_>, findings: &mut Findings<'_>) {
    let nowhere = endpoint.interface.is_empty() && !spec.has("expectedIPs");
    let missing = [
        (nowhere, "it needs an `interfaceName` or `expectedIPs`"),
        (endpoint.node.is_empty(), "it needs the name of its `node`"),
    ];
    for (_, reason) in missing.into_iter().filter(|(missing, _)| *missing) {
        match findings.door() {
            Door::Calicoctl => findings.turn_away("missing-field", spec.at(), reason),
            Door::Crd | Door::Kubernetes => findings.schema_rule(spec.at(), reason),
        };
    }
    if findings.door() != Door::Calicoctl {
        return;
    }
    for (port, reader) in endpoint.ports.iter().zip(spec.subs("ports")) {
        if let Err(why) = names::port_name(&port.name) {
            let reason = format!("`{}` is no name of a port: {why}", excerpt(&port.name));
            findings.turn_away("bad-name", reader.at_of("name"), &reason);
        }
        if !rule::supports_ports(&port.protocol) {
            findings.turn_away(
                "bad-protocol",
                reader.at_of("protocol"),
                "its port needs protocol `TCP`, `UDP` or `SCTP`",
            );
        }
    }
}
