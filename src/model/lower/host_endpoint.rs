//! HostEndpoint.

use super::calico_policy::api;
use super::reader::Reader;
use super::{meta, rule};
use crate::diagnostic::Spanned;
use crate::model::calico::{EndpointPort, HostEndpoint};
use crate::model::findings::Findings;
use crate::model::schema;
use crate::model::text::excerpt;
use crate::model::validate::host_endpoint;
use crate::model::validate::metadata::{NameRule, metadata};
use crate::source::Object;

/// Lowers a HostEndpoint; `None` if it is malformed.
pub fn lower(object: &Object<'_>, findings: &mut Findings<'_>) -> Option<HostEndpoint> {
    schema::check(object.root, &schema::resource::HOST_ENDPOINT, "", findings);
    let door = findings.door();
    let root = Reader::new(object.root, door);
    // the name is looked at even if the rest is wrong: placeholders come in company
    metadata(&root.sub("metadata"), NameRule::Subdomain, findings);
    if findings.is_fatal() {
        return None;
    }
    let spec = root.sub("spec");
    let mut expected_ips = Vec::new();
    for text in spec.texts("expectedIPs") {
        match text.value.parse() {
            Ok(address) => expected_ips.push(Spanned::new(address, text.at)),
            Err(_) => {
                let message = format!("`{}` is no address: Felix passes it over", excerpt(&text.value));
                findings.warn("ignored-address", text.at, message);
            }
        }
    }
    let endpoint = HostEndpoint {
        meta: meta::read(object, false, door),
        api: api(door),
        node: spec.text("node"),
        interface: spec.text("interfaceName"),
        expected_ips,
        profiles: spec.texts("profiles"),
        ports: spec.subs("ports").filter_map(|port| port_of(&port)).collect(),
    };
    host_endpoint::check(&endpoint, &spec, findings);
    Some(endpoint)
}

fn port_of(port: &Reader<'_>) -> Option<EndpointPort> {
    Some(EndpointPort {
        name: port.text("name"),
        protocol: rule::protocol(port.get("protocol")?),
        port: u16::try_from(port.int("port")?).ok()?,
    })
}
