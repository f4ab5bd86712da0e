//! Namespace, ServiceAccount and Node.

use super::meta;
use super::reader::Reader;
use crate::model::core::{Namespace, Node, NodeAddress, ServiceAccount};
use crate::model::findings::{Door, Findings};
use crate::model::text::excerpt;
use crate::source::Object;
use crate::syntax::cidr;
use ipnet::IpNet;

/// Lowers a Namespace.
pub fn namespace(object: &Object<'_>, findings: &mut Findings<'_>) -> Namespace {
    Namespace { meta: meta::read_leniently(object, false, findings) }
}

/// Lowers a ServiceAccount.
pub fn service_account(object: &Object<'_>, findings: &mut Findings<'_>) -> ServiceAccount {
    ServiceAccount { meta: meta::read_leniently(object, true, findings) }
}

/// Lowers a Node.
pub fn node(object: &Object<'_>, findings: &mut Findings<'_>) -> Node {
    let root = Reader::new(object.root, Door::Kubernetes);
    let spec = root.sub("spec");
    let mut pod_cidrs: Vec<IpNet> = Vec::new();
    for text in std::iter::once(spec.spanned("podCIDR")).chain(spec.texts("podCIDRs")) {
        if text.value.is_empty() {
            continue;
        }
        match cidr::parse(&text.value) {
            Some(cidr) if !pod_cidrs.contains(&cidr.net) => pod_cidrs.push(cidr.net),
            Some(_) => {}
            None => {
                let reason = format!("`{}` in `podCIDRs` is no CIDR", excerpt(&text.value));
                findings.turn_away("bad-net", text.at, &reason);
            }
        }
    }
    Node {
        meta: meta::read_leniently(object, false, findings),
        pod_cidrs,
        addresses: root
            .sub("status")
            .subs("addresses")
            .map(|address| NodeAddress { kind: address.text("type"), address: address.text("address") })
            .collect(),
    }
}
