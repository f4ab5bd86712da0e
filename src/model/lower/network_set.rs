//! NetworkSet and GlobalNetworkSet.

use super::calico_policy::api;
use super::meta;
use super::reader::Reader;
use crate::diagnostic::Spanned;
use crate::model::calico::NetworkSet;
use crate::model::findings::{Door, Findings};
use crate::model::schema;
use crate::model::text::excerpt;
use crate::model::validate::metadata::{NameRule, metadata};
use crate::source::Object;
use crate::syntax::cidr;

/// Lowers a set; `None` if it is malformed.
pub fn lower(object: &Object<'_>, global: bool, findings: &mut Findings<'_>) -> Option<NetworkSet> {
    schema::check(object.root, &schema::resource::NETWORK_SET, "", findings);
    if findings.is_fatal() {
        return None;
    }
    let door = findings.door();
    let root = Reader::new(object.root, door);
    metadata(&root.sub("metadata"), NameRule::Subdomain, findings);
    if door == Door::Calicoctl
        && let Some(label) = root.sub("metadata").sub("labels").get("projectcalico.org/namespace")
    {
        let reason = "the label `projectcalico.org/namespace` is Calico's own";
        findings
            .turn_away("bad-label", label.at(), reason)
            .help("remove it: Calico adds it where it belongs");
    }
    let spec = root.sub("spec");
    let mut nets = Vec::new();
    for text in spec.texts("nets") {
        match cidr::parse_or_address(&text.value) {
            Some(cidr) => nets.push(Spanned::new(cidr.net, text.at)),
            None if door == Door::Crd && !global && findings.facts.bad_set_entry_stops_felix => {
                let reason = format!("`{}` in `nets` is neither CIDR nor address", excerpt(&text.value));
                findings.never_in_sync(text.at, &reason);
            }
            // calicoctl rejects these, and the schema check has said so; kubectl lets them through
            None => {
                let message = format!(
                    "`{}` is neither CIDR nor address: Felix leaves it out of the set",
                    excerpt(&text.value)
                );
                findings.warn("ignored-net", text.at, message);
            }
        }
    }
    Some(NetworkSet { meta: meta::read(object, !global, door), api: api(door), global, nets })
}
