//! An object of Calico's storage is written by hand. `crd.projectcalico.org/v1` is where Calico stores
//! what came through calicoctl or its API server as `projectcalico.org/v3`. These check an object and
//! fill in what is missing; what kubectl puts into the storage is taken as it is. A policy without
//! `types` then governs both directions, a policy in a tier that does not exist denies at the end of all
//! tiers, a pool without modes can keep Felix from starting, and Felix ignores, without a word to the
//! author, what it cannot use.
//!
//! Write `apiVersion: projectcalico.org/v3`, and apply it with calicoctl, or with kubectl through
//! Calico's API server.
//!
//! Nothing is said of objects that were read from a cluster (they have a `uid`, a `resourceVersion`, or
//! the annotation `projectcalico.org/metadata` that Calico stores), and of FelixConfiguration,
//! BGPConfiguration and ClusterInformation: nothing is filled in there, and they are written before
//! there is an API server (Calico's own chart does it, in
//! `charts/tigera-operator/templates/crs/configmap-felixconfiguration-templates.yaml`).
//!
//! Decided at `libcalico-go/lib/clientv3/globalnetworkpolicy.go:46`, v3.32.1, and in the files beside
//! it, which kubectl goes past.

use super::super::ClusterContext;
use crate::diagnostic::Diagnostic;
use crate::model::meta::Meta;
use crate::model::{Api, Identified};

check!("crd-api-by-hand", Warning, Likely, Cluster);

/// Where Calico's storage keeps the metadata of an object that came through its front doors.
const STORED_METADATA: &str = "projectcalico.org/metadata";

fn run(ctx: &ClusterContext<'_, '_>, found: &mut Vec<Diagnostic>) {
    let of = ctx.resources;
    each(&of.policies, |policy| (policy.api, &policy.meta), found);
    each(&of.tiers, |tier| (tier.api, &tier.meta), found);
    each(&of.network_sets, |set| (set.api, &set.meta), found);
    each(&of.host_endpoints, |endpoint| (endpoint.api, &endpoint.meta), found);
    each(&of.pools, |pool| (pool.api, &pool.meta), found);
}

fn each<T: Identified>(objects: &[T], meta: fn(&T) -> (Api, &Meta), found: &mut Vec<Diagnostic>) {
    for object in objects {
        let (api, meta) = meta(object);
        if api == Api::Crd && !meta.from_cluster && meta.annotations.get(STORED_METADATA).is_none() {
            let message = format!(
                "{} is written for Calico's storage, where nothing is checked and filled in",
                object.subject().called()
            );
            let help = "write `apiVersion: projectcalico.org/v3`, and apply it with calicoctl or through Calico's API server";
            found.push(CHECK.finding(meta.at, message).help(help));
        }
    }
}
