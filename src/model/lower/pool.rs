//! IPPool.

use super::calico_policy::api;
use super::meta;
use super::reader::Reader;
use crate::diagnostic::Spanned;
use crate::model::calico::IpPool;
use crate::model::findings::{Door, Findings};
use crate::model::schema;
use crate::model::text::excerpt;
use crate::model::validate::metadata::{NameRule, metadata};
use crate::model::validate::pool;
use crate::source::Object;
use crate::syntax::cidr;

/// Lowers an IPPool; `None` if it is malformed.
pub fn lower(object: &Object<'_>, findings: &mut Findings<'_>) -> Option<IpPool> {
    schema::check(object.root, &schema::resource::IP_POOL, "", findings);
    if findings.is_fatal() {
        return None;
    }
    let door = findings.door();
    let root = Reader::new(object.root, door);
    metadata(&root.sub("metadata"), NameRule::Subdomain, findings);
    let spec = root.sub("spec");
    let written = spec.text("cidr");
    let Some(cidr) = cidr::parse(&written) else {
        if door == Door::Crd && !findings.schema_knows_values() {
            let message = format!("felix ignores this IPPool: `{}` is no CIDR", excerpt(&written));
            findings.warn("ignored-by-felix", spec.at_of("cidr"), message);
            return None;
        }
        findings.turn_away("bad-pool", spec.at_of("cidr"), "`cidr` is empty");
        return None;
    };
    let mut lowered = IpPool {
        meta: meta::read(object, false, door),
        api: api(door),
        cidr: Spanned::new(cidr.net, spec.at_of("cidr")),
        nat_outgoing: spec.flag("natOutgoing"),
        disabled: spec.flag("disabled"),
        ipip_mode: spec.text("ipipMode"),
        vxlan_mode: spec.text("vxlanMode"),
        allowed_uses: spec.texts("allowedUses").into_iter().map(|u| u.value).collect(),
    };
    match door {
        Door::Calicoctl => {
            // `libcalico-go/lib/clientv3/ippool.go:276-283, :340`, v3.32.1
            for mode in [&mut lowered.ipip_mode, &mut lowered.vxlan_mode] {
                if mode.is_empty() {
                    *mode = "Never".into();
                }
            }
            if lowered.allowed_uses.is_empty() {
                lowered.allowed_uses = vec!["Workload".into(), "Tunnel".into()];
            }
            pool::by_calicoctl(&lowered, &spec, findings);
        }
        Door::Crd | Door::Kubernetes => {
            if findings.facts.old_pool_fields {
                old_fields(&spec, &mut lowered);
            }
            pool::by_schema(&lowered, &spec, findings);
        }
    }
    Some(lowered)
}

/// The fields of Calico v1 (`libcalico-go/lib/backend/k8s/resources/ippool.go:58`, v3.31.7).
fn old_fields(spec: &Reader<'_>, pool: &mut IpPool) {
    if let Some(ipip) = spec.sub_if("ipip") {
        pool.ipip_mode = match (ipip.flag("enabled"), &*ipip.text("mode")) {
            (false, _) => "Never",
            (true, "cross-subnet") => "CrossSubnet",
            (true, _) => "Always",
        }
        .into();
    }
    pool.nat_outgoing |= spec.flag("nat-outgoing");
}
